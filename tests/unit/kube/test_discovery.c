#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "kube/discovery.h"
#include "tests/unit/json.h"
#include "tests/unit/kube/fake.h"
#include "tests/unit/suite.h"

/* Which kinds there are, from servers that aggregate and from those that do not. */

struct page {
    const char *path;
    int status;
    const char *body;
};

#define KIND(plural, group, kind, scope)                                                           \
    "{'resource':'" plural "','responseKind':{'group':'" group "','version':'','kind':'" kind      \
    "'},'scope':'" scope "','subresources':[{'subresource':'status'}]}"
#define VERSION(version, fresh, kinds)                                                             \
    "{'version':'" version "','freshness':'" fresh "','resources':[" kinds "]}"
#define GROUP(name, versions) "{'metadata':{'name':'" name "'},'versions':[" versions "]}"
#define GROUPS(groups)                                                                             \
    "{'apiVersion':'apidiscovery.k8s.io/v2','kind':'APIGroupDiscoveryList','items':[" groups "]}"

static const struct page aggregated[] = {
    {"/api", 200,
     GROUPS("{'metadata':{},'versions':[" VERSION(
         "v1", "Current",
         KIND("pods", "", "Pod", "Namespaced") "," KIND("nodes", "", "Node", "Cluster")) "]}")},
    {"/apis", 200,
     GROUPS(
         GROUP("apps", VERSION("v1", "Current", KIND("deployments", "apps", "Deployment", "Namespaced"))) "," GROUP(
             "example.com",
             VERSION("v2", "Current", KIND("things", "example.com", "Thing", "Cluster")) "," VERSION(
                 "v1", "Current",
                 KIND("things", "example.com", "Thing", "Cluster") "," KIND(
                     "olds", "example.com", "Old",
                     "Namespaced"))) "," GROUP("down.io", VERSION("v1", "Stale", "")))},
    {NULL, 0, NULL},
};

#define LIST(version, kinds)                                                                       \
    "{'kind':'APIResourceList','groupVersion':'" version "','resources':[" kinds "]}"
#define NAME(name, kind, namespaced)                                                               \
    "{'name':'" name "','kind':'" kind "','namespaced':" namespaced ",'verbs':['get']}"
#define OF(group, versions, preferred)                                                             \
    "{'name':'" group "','versions':[" versions "],'preferredVersion':{'version':'" preferred "'}" \
    "}"

static const struct page plain[] = {
    {"/api", 200, "{'kind':'APIVersions','versions':['v1']}"},
    {"/apis", 200,
     "{'kind':'APIGroupList','groups':[" OF("apps", "{'version':'v1'}", "v1") "," OF(
         "example.com", "{'version':'v1'},{'version':'v2'}",
         "v2") "," OF("down.io", "{'version':'v1'}", "v1") "]}"},
    {"/api/v1", 200,
     LIST("v1", NAME("pods", "Pod", "true") "," NAME("pods/status", "Pod",
                                                     "true") "," NAME("nodes", "Node", "false"))},
    {"/apis/apps/v1", 200, LIST("apps/v1", NAME("deployments", "Deployment", "true"))},
    {"/apis/example.com/v1", 200,
     LIST("example.com/v1", NAME("things", "Thing", "false") "," NAME("olds", "Old", "true"))},
    {"/apis/example.com/v2", 200, LIST("example.com/v2", NAME("things", "Thing", "false"))},
    {"/apis/down.io/v1", 503, "{'kind':'Status','code':503,'message':'down'}"},
    {NULL, 0, NULL},
};

struct server {
    const struct page *pages;
    struct text told;
};

static bool serve(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct server *server = context;

    text_addf(&server->told, "%s ", request->path);
    for (const struct page *page = server->pages; page->path; page++)
        if (strcmp(page->path, request->path) == 0) {
            AUTO(json) json_t *tree = json_row(page->body);
            AUTO(free) char *body = tree_format(tree, NULL);

            return fake_answer(peer, page->status,
                               "Content-Type: application/json;g=apidiscovery.k8s.io;v=v2\r\n",
                               body);
        }
    return fake_answer(peer, 404, NULL, "{}");
}

static struct kube_client *client_of(struct fake *fake)
{
    struct kube_config config = {.server = (char *)fake_url(fake)};
    struct kube_client_limits limits = {.rate = 1e6, .burst = 1e6, .second_ms = 1};
    struct error err = {0};
    struct kube_client *client = kube_client_start(&config, &limits, &err);

    ck_assert_msg(client != NULL, "%s", err.message);
    return client;
}

static const struct {
    const char *version, *kind;
    const char *found; /* "group version plural kind scope", or the refusal */
} rows[] = {
    {"v1", "Pod", " v1 pods Pod namespaced"},
    {"v1", "Node", " v1 nodes Node cluster"},
    {"apps/v1", "Deployment", "apps v1 deployments Deployment namespaced"},
    {"example.com/v1", "Thing", "example.com v1 things Thing cluster"},
    {"example.com/v2", "Thing", "example.com v2 things Thing cluster"},
    {"example.com/v1", "Old", "example.com v1 olds Old namespaced"},
    {"apps/v2", "Deployment", "!404"},
    {"apps/v1", "Pod", "!404"},
    {"nowhere.io/v1", "Pod", "!404"},
    /* its server is down: that it is not there is not known */
    {"down.io/v1", "Thing", "!503"},
    {"", "Pod", "!422"},
    {"/v1", "Pod", "!422"},
    {"apps/", "Pod", "!422"},
    {"apps/v1/x", "Pod", "!422"},
};

static void describe(const struct kube_resource *found, const struct error *err, struct text *out)
{
    if (found)
        text_addf(out, "%s %s %s %s %s", found->group, found->version, found->plural, found->kind,
                  found->namespaced ? "namespaced" : "cluster");
    else
        text_addf(out, "!%d", (int)err->code);
}

static void find(const struct page *pages, int i)
{
    struct server server = {.pages = pages};
    struct fake *fake = fake_start(NULL, serve, &server);
    struct kube_client *client = client_of(fake);
    AUTO(text) struct text found = {0};
    struct error err = {0};

    {
        AUTO(kube_discovery) struct kube_discovery *discovery = kube_discovery_make(client);

        describe(kube_discovery_of(discovery, rows[i].version, rows[i].kind, &err), &err, &found);
    }
    kube_client_stop(client);
    fake_stop(fake);
    text_done(&server.told);
    ck_assert_str_eq(text_get(&found), rows[i].found);
}

START_TEST(kinds_of_a_server_that_aggregates)
    {
        find(aggregated, _i);
    }
END_TEST

START_TEST(kinds_of_one_that_does_not)
    {
        find(plain, _i);
    }
END_TEST

/* A CRD comes, and changes its plural; what was handed out stays. */
START_TEST(what_is_unknown_is_asked_for_again)
    {
        static const struct page before[] = {
            {"/api", 200, GROUPS("")}, {"/apis", 200, GROUPS("")}, {NULL, 0, NULL}};
        static const struct page after[] = {
            {"/api", 200, GROUPS("")},
            {"/apis", 200,
             GROUPS(GROUP(
                 "example.com",
                 VERSION("v1", "Current", KIND("thingies", "example.com", "Thing", "Cluster"))))},
            {NULL, 0, NULL}};
        struct server server = {.pages = aggregated};
        struct fake *fake = fake_start(NULL, serve, &server);
        struct kube_client *client = client_of(fake);
        struct kube_discovery *discovery = kube_discovery_make(client);
        struct error err = {0};
        const struct kube_resource *old = kube_discovery_kind(discovery, "example.com", NULL,
                                                              "Thing", &err),
                                   *new;

        ck_assert_ptr_nonnull(old);
        ck_assert_str_eq(old->version, "v2");
        /* two requests, however often it is asked, also for what is not there */
        for (int i = 0; i < 5; i++) {
            ck_assert_ptr_eq(kube_discovery_plural(discovery, "example.com", NULL, "things", &err),
                             old);
            ck_assert_ptr_null(kube_discovery_kind(discovery, "example.com", NULL, "New", &err));
        }
        ck_assert_int_eq(fake_requests(fake), 2);

        server.pages = before;
        kube_discovery_forget(discovery);
        ck_assert_ptr_null(kube_discovery_kind(discovery, "example.com", NULL, "Thing", &err));
        ck_assert_int_eq(err.code, ERROR_NOT_FOUND);

        server.pages = after;
        kube_discovery_forget(discovery);
        new = kube_discovery_kind(discovery, "example.com", NULL, "Thing", &err);
        ck_assert_ptr_nonnull(new);
        ck_assert_str_eq(new->plural, "thingies");
        ck_assert_str_eq(old->plural, "things");
        kube_discovery_free(discovery);
        kube_client_stop(client);
        fake_stop(fake);
        text_done(&server.told);
    }
END_TEST

/* Without aggregation only the group that is looked for is read. */
START_TEST(groups_are_read_as_they_are_needed)
    {
        struct server server = {.pages = plain};
        struct fake *fake = fake_start(NULL, serve, &server);
        struct kube_client *client = client_of(fake);
        struct kube_discovery *discovery = kube_discovery_make(client);
        struct error err = {0};
        const struct kube_resource *thing =
            kube_discovery_kind(discovery, "example.com", NULL, "Thing", &err);

        ck_assert_ptr_nonnull(thing);
        ck_assert_str_eq(thing->version, "v2");
        kube_discovery_free(discovery);
        kube_client_stop(client);
        fake_stop(fake);
        ck_assert_str_eq(text_get(&server.told), "/api /apis /apis/example.com/v2 ");
        text_done(&server.told);
    }
END_TEST

static const struct {
    struct page pages[3];
    enum error_code code;
} bad_rows[] = {
    {{{"/api", 403, "{'kind':'Status','code':403}"}}, ERROR_FORBIDDEN},
    {{{"/api", 200, "{'kind':'PodList'}"}}, ERROR_INTERNAL},
    {{{"/api", 200, "{}"}}, ERROR_INTERNAL},
    {{{"/api", 200, GROUPS("")}, {"/apis", 500, "{}"}}, ERROR_INTERNAL},
    /* shapes that are none */
    {{{"/api", 200, GROUPS("")}, {"/apis", 200, GROUPS("7,{'versions':{}},{'versions':[7,{}]}")}},
     ERROR_NOT_FOUND},
    {{{"/api", 200, GROUPS("")},
      {"/apis", 200,
       GROUPS(GROUP("apps", VERSION("v1", "Current", KIND("a/../b", "", "Pod", "Namespaced"))))}},
     ERROR_NOT_FOUND},
    {{{"/api", 200, "{'kind':'APIVersions','versions':7}"},
      {"/apis", 200, "{'kind':'APIGroupList','groups':[{'name':'apps'}]}"}},
     ERROR_NOT_FOUND},
};

START_TEST(what_is_no_answer)
    {
        struct server server = {.pages = bad_rows[_i].pages};
        struct fake *fake = fake_start(NULL, serve, &server);
        struct kube_client *client = client_of(fake);
        struct kube_discovery *discovery = kube_discovery_make(client);
        struct error err = {0};

        ck_assert_ptr_null(kube_discovery_kind(discovery, "apps", NULL, "Pod", &err));
        ck_assert_int_eq(err.code, bad_rows[_i].code);
        kube_discovery_free(discovery);
        kube_client_stop(client);
        fake_stop(fake);
        text_done(&server.told);
    }
END_TEST

SUITE(kube_discovery)
{
    suite_rows(tests, kinds_of_a_server_that_aggregates, rows);
    suite_rows(tests, kinds_of_one_that_does_not, rows);
    tcase_add_test(tests, what_is_unknown_is_asked_for_again);
    tcase_add_test(tests, groups_are_read_as_they_are_needed);
    suite_rows(tests, what_is_no_answer, bad_rows);
}
