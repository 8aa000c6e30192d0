#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "kube/verbs.h"
#include "tests/unit/json.h"
#include "tests/unit/kube/fake.h"
#include "tests/unit/kube/watching.h"
#include "tests/unit/suite.h"

/* What verbs send, what they refuse to send, and what they say of answers. */

static const struct kube_resource pods = {"", "v1", "pods", "Pod", true},
                                  things = {"example.com", "v1beta1", "things", "Thing", false};

#define POD "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web','namespace':'shop'}}"
#define READ "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web','resourceVersion':'7'}}"
#define STATUS(code, reason) "{'kind':'Status','code':" #code ",'reason':'" reason "'}"

/* One exchange: what the server says, and what it was told. */
struct script {
    int status;
    const char *headers, *body; /* body NULL: closes instead; single quotes */
    int lost;                   /* so many answers are lost at first */
    struct text told;           /* "METHOD path type body\n" of each request */
};

static char *double_quotes(const char *row)
{
    char *text = text_dup(row, strlen(row));

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    return text;
}

/* Each connection has a thread of its own. */
static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

/* True when the answer is lost. */
static bool tell(struct script *script, const struct fake_request *request)
{
    AUTO(free) char *type = fake_header(request, "Content-Type");

    pthread_mutex_lock(&telling);
    text_addf(&script->told, "%s %s %s %.*s\n", request->method, request->path, type,
              (int)request->body.length, request->body.data);

    bool lost = !script->body || script->lost-- > 0;

    pthread_mutex_unlock(&telling);
    return lost;
}

static bool follow_script(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    const struct script *script = context;

    if (tell(context, request))
        return false;

    AUTO(free) char *body = double_quotes(script->body);

    return fake_answer(peer, script->status, script->headers, body);
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

static void auto_client(struct kube_client **client)
{
    kube_client_stop(*client);
}

/* The verbs with one shape. */
typedef bool verb(struct kube_client *client, const struct kube_ref *ref, const json_t *body,
                  const struct kube_options *options, struct kube_result *result,
                  struct error *err);

static const struct kube_delete if_uid = {.uid = "u-1",
                                          .version = "7",
                                          .propagation = KUBE_PROPAGATE_FOREGROUND,
                                          .grace_s = KUBE_GRACE_NONE},
                                empty_uid = {.uid = ""};

static bool delete (struct kube_client *client, const struct kube_ref *ref, const json_t *body,
                    const struct kube_options *options, struct kube_result *result,
                    struct error *err)
{
    const struct kube_delete *how = json_is_true(body)    ? &if_uid
                                    : json_is_false(body) ? &empty_uid
                                                          : NULL;

    return kube_delete(client, ref, how, options, result, err);
}

static bool get(struct kube_client *client, const struct kube_ref *ref, const json_t *body,
                const struct kube_options *options, struct kube_result *result, struct error *err)
{
    (void)options;
    result->object =
        json_is_true(body) ? kube_get_metadata(client, ref, err) : kube_get(client, ref, err);
    result->outcome = result->object ? KUBE_DONE : KUBE_REFUSED;
    return result->object;
}

static const struct kube_options ours = {.manager = "granary"},
                                 forced = {.manager = "granary", .force = true},
                                 dry = {.manager = "granary", .dry_run = true},
                                 line = {.manager = "gra\nnary"}, nobody = {.manager = ""};

static const struct {
    verb *verb;
    struct kube_ref ref;
    const char *body;
    const struct kube_options *options;
    const char *told; /* NULL: nothing may be sent */
} sent_rows[] = {
    {get, {&pods, "shop", "web", NULL}, "null", NULL, "GET /api/v1/namespaces/shop/pods/web  \n"},
    {get,
     {&pods, "shop", "web", "status"},
     "null",
     NULL,
     "GET /api/v1/namespaces/shop/pods/web/status  \n"},
    {kube_create,
     {&pods, "shop", "web", NULL},
     "{'metadata':{'name':'web'}}",
     &ours,
     "POST /api/v1/namespaces/shop/pods?fieldManager=granary application/json "
     "{'metadata':{'name':'web'}}\n"},
    {kube_create,
     {&pods, "shop", NULL, NULL},
     "{}",
     NULL,
     "POST /api/v1/namespaces/shop/pods "
     "application/json {}\n"},
    {kube_create,
     {&pods, "shop", "web", "eviction"},
     "{'metadata':{'name':'web'}}",
     NULL,
     "POST /api/v1/namespaces/shop/pods/web/eviction application/json "
     "{'metadata':{'name':'web'}}\n"},
    {kube_replace,
     {&pods, "shop", "web", NULL},
     READ,
     &dry,
     "PUT /api/v1/namespaces/shop/pods/web?fieldManager=granary&dryRun=All application/json " READ
     "\n"},
    {kube_replace,
     {&pods, "shop", "web", "status"},
     READ,
     NULL,
     "PUT /api/v1/namespaces/shop/pods/web/status application/json " READ "\n"},
    {kube_apply,
     {&pods, "shop", "web", NULL},
     POD,
     &ours,
     "PATCH /api/v1/namespaces/shop/pods/web?fieldManager=granary application/apply-patch+yaml " POD
     "\n"},
    /* force only when it is said */
    {kube_apply,
     {&pods, "shop", "web", "status"},
     POD,
     &forced,
     "PATCH /api/v1/namespaces/shop/pods/web/status?fieldManager=granary&force=true "
     "application/apply-patch+yaml " POD "\n"},
    {kube_merge_patch,
     {&pods, "shop", "web", NULL},
     "{'spec':{}}",
     &forced,
     "PATCH /api/v1/namespaces/shop/pods/web?fieldManager=granary application/merge-patch+json "
     "{'spec':{}}\n"},
    {kube_json_patch,
     {&pods, "shop", "web", NULL},
     "[{'op':'remove','path':'/spec'}]",
     NULL,
     "PATCH /api/v1/namespaces/shop/pods/web application/json-patch+json "
     "[{'op':'remove','path':'/spec'}]\n"},
    {delete,
     {&pods, "shop", "web", NULL},
     "true",
     &dry,
     "DELETE /api/v1/namespaces/shop/pods/web?fieldManager=granary application/json "
     "{'apiVersion':'v1','kind':'DeleteOptions','preconditions':{'uid':'u-1','resourceVersion':'7'}"
     ",'propagationPolicy':'Foreground','gracePeriodSeconds':0,'dryRun':['All']}\n"},
    {delete,
     {&pods, "shop", "web", NULL},
     "null",
     NULL,
     "DELETE /api/v1/namespaces/shop/pods/web application/json "
     "{'apiVersion':'v1','kind':'DeleteOptions','preconditions':{},'dryRun':[]}\n"},

    /* an empty name would reach the collection */
    {get, {&pods, "shop", "", NULL}, "null", NULL, NULL},
    {get, {&pods, "shop", NULL, NULL}, "null", NULL, NULL},
    {delete, {&pods, "shop", "", NULL}, "null", NULL, NULL},
    {delete, {&pods, "shop", NULL, NULL}, "null", NULL, NULL},
    {delete, {&pods, "", "web", NULL}, "null", NULL, NULL},
    {delete, {&pods, NULL, "web", NULL}, "null", NULL, NULL},
    {delete, {&things, "shop", "web", NULL}, "null", NULL, NULL},
    {delete, {&pods, "shop", "web", ""}, "null", NULL, NULL},
    {kube_json_patch, {&pods, "shop", "", NULL}, "[]", NULL, NULL},
    {kube_merge_patch, {&pods, "shop", "", NULL}, "{}", NULL, NULL},
    {kube_replace, {&pods, "shop", "", NULL}, READ, NULL, NULL},
    {kube_create, {&pods, "shop", NULL, "eviction"}, "{}", NULL, NULL},
    /* SEC10: names that lead elsewhere */
    {delete, {&pods, "shop", "..", NULL}, "null", NULL, NULL},
    {delete, {&pods, "shop", ".", NULL}, "null", NULL, NULL},
    {delete, {&pods, "shop", "web/status", NULL}, "null", NULL, NULL},
    {delete, {&pods, "shop", "web%2fstatus", NULL}, "null", NULL, NULL},
    {delete, {&pods, "shop", "web\r\nX: y", NULL}, "null", NULL, NULL},
    {delete, {&pods, "../kube-system", "web", NULL}, "null", NULL, NULL},
    /* a precondition that would hold for all */
    {delete, {&pods, "shop", "web", NULL}, "false", NULL, NULL},
    /* no blind replacement, no other object */
    {kube_replace, {&pods, "shop", "web", NULL}, POD, NULL, NULL},
    {kube_replace, {&pods, "shop", "db", NULL}, READ, NULL, NULL},
    {kube_create, {&pods, "shop", "db", NULL}, POD, NULL, NULL},
    {kube_apply, {&pods, "shop", "db", NULL}, POD, &ours, NULL},
    /* an apply says who and what */
    {kube_apply, {&pods, "shop", "web", NULL}, POD, NULL, NULL},
    {kube_apply, {&pods, "shop", "web", NULL}, POD, &nobody, NULL},
    {kube_apply, {&pods, "shop", "web", NULL}, POD, &line, NULL},
    {kube_apply, {&pods, "shop", "web", NULL}, "{'metadata':{'name':'web'}}", &ours, NULL},
    {kube_apply,
     {&pods, "shop", "web", NULL},
     "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web','managedFields':[]}}",
     &ours,
     NULL},
    {kube_json_patch, {&pods, "shop", "web", NULL}, "{}", NULL, NULL},
    {kube_merge_patch, {&pods, "shop", "web", NULL}, "[]", NULL, NULL},
};

START_TEST(verbs_send)
    {
        struct script script = {.status = 200, .body = POD};
        AUTO(fake) struct fake *fake = fake_start(NULL, follow_script, &script);
        AUTO(client) struct kube_client *client = client_of(fake);
        AUTO(kube_result) struct kube_result result = {0};
        AUTO(json) json_t *body = json_row(sent_rows[_i].body);
        AUTO(free) char *told = double_quotes(sent_rows[_i].told ? sent_rows[_i].told : "");
        struct error err = {0};
        bool good = sent_rows[_i].verb(client, &sent_rows[_i].ref, body, sent_rows[_i].options,
                                       &result, &err);

        fake_stop(TAKE(fake));
        ck_assert_msg(good == (sent_rows[_i].told != NULL), "%s", err.message);
        ck_assert_str_eq(text_get(&script.told), told);
        if (!good) {
            ck_assert_int_eq(err.code, ERROR_INVALID);
            ck_assert_int_eq(result.outcome, KUBE_REFUSED);
        }
        text_done(&script.told);
    }
END_TEST

#define CONFLICT                                                                                   \
    "{'kind':'Status','code':409,'reason':'Conflict','message':'Apply failed','details':{"         \
    "'causes':[{'reason':'FieldManagerConflict','field':'.spec.a',"                                \
    "'message':'conflict with \\\"kubectl\\\" using apps/v1'},"                                    \
    "{'reason':'FieldManagerConflict','field':'.spec.b\\n','message':'who?'},"                     \
    "{'reason':'Other','field':'.spec.c','message':''}]}}"

static const struct {
    verb *verb;
    const char *body;
    struct script script;
    enum kube_outcome outcome;
    enum error_code code; /* ERROR_NONE: it is true */
    const char *message, *reason;
    int requests;
} answer_rows[] = {
    {kube_create, POD, {201, .body = POD}, KUBE_DONE, ERROR_NONE, "", "", 1},
    {kube_create,
     POD,
     {409, .body = STATUS(409, "AlreadyExists")},
     KUBE_REFUSED,
     ERROR_CONFLICT,
     "POST /api/v1/namespaces/shop/pods: HTTP 409, application/json",
     "AlreadyExists",
     1},
    {kube_create,
     POD,
     {422, .body = STATUS(422, "Invalid")},
     KUBE_REFUSED,
     ERROR_INVALID,
     NULL,
     "Invalid",
     1},
    {kube_create, POD, {429, .body = "{}"}, KUBE_REFUSED, ERROR_TOO_MANY_REQUESTS, NULL, "", 1},
    /* a 5xx: etcd may have it */
    {kube_create,
     POD,
     {500, .body = STATUS(500, "InternalError")},
     KUBE_UNKNOWN,
     ERROR_INTERNAL,
     NULL,
     "InternalError",
     1},
    {kube_replace,
     READ,
     {504, .body = STATUS(504, "Timeout")},
     KUBE_UNKNOWN,
     ERROR_TIMEOUT,
     NULL,
     "Timeout",
     1},
    /* AF18: the answer is lost. No write is sent again by itself */
    {kube_create, POD, {0}, KUBE_UNKNOWN, ERROR_UNAVAILABLE, NULL, "", 1},
    {kube_replace, READ, {0}, KUBE_UNKNOWN, ERROR_UNAVAILABLE, NULL, "", 1},
    {kube_merge_patch, "{}", {0}, KUBE_UNKNOWN, ERROR_UNAVAILABLE, NULL, "", 1},
    {delete, "null", {0}, KUBE_UNKNOWN, ERROR_UNAVAILABLE, NULL, "", 1},
    /* reading is */
    {get, "null", {200, .body = POD, .lost = 2}, KUBE_DONE, ERROR_NONE, "", "", 3},
    /* half an answer, or one of somebody else */
    {kube_create,
     POD,
     {201, "Content-Type: text/html\r\n", .body = "<html>"},
     KUBE_UNKNOWN,
     ERROR_INTERNAL,
     NULL,
     "",
     1},
    {kube_create, POD, {201, .body = "{}"}, KUBE_UNKNOWN, ERROR_INTERNAL, NULL, "", 1},
    {kube_create, POD, {201, .body = ""}, KUBE_UNKNOWN, ERROR_INTERNAL, NULL, "", 1},
    {kube_merge_patch,
     "{}",
     {200, .body = "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'db'}}"},
     KUBE_UNKNOWN,
     ERROR_INTERNAL,
     NULL,
     "",
     1},
    {get,
     "null",
     {200, .body = "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'web'}}"},
     KUBE_REFUSED,
     ERROR_INTERNAL,
     "pods web: the answer is no such object",
     "",
     1},
    {get,
     "null",
     {404, .body = STATUS(404, "NotFound")},
     KUBE_REFUSED,
     ERROR_NOT_FOUND,
     NULL,
     "",
     1},
    {get,
     "true",
     {200, .body = "{'apiVersion':'meta.k8s.io/v1','kind':'PartialObjectMetadata','metadata':{"
                   "'name':'web','namespace':'shop','resourceVersion':'7'}}"},
     KUBE_DONE,
     ERROR_NONE,
     "",
     "",
     1},
    {get, "true", {200, .body = READ}, KUBE_REFUSED, ERROR_BAD_REQUEST, NULL, "", 1},
    /* B2: as often as the server asks; what a repeated one says is not all that is to be known */
    {delete,
     "null",
     {503, "Content-Type: application/json\r\nRetry-After: 1\r\n", .body = "{}"},
     KUBE_UNKNOWN,
     ERROR_UNAVAILABLE,
     NULL,
     "",
     11},
    {delete,
     "null",
     {429, "Content-Type: application/json\r\nRetry-After: 1\r\n", .body = "{}"},
     KUBE_REFUSED,
     ERROR_TOO_MANY_REQUESTS,
     NULL,
     "",
     11},
    /* a delete that leaves nothing, and one that waits for a finalizer */
    {delete,
     "null",
     {200, .body = "{'kind':'Status','status':'Success'}"},
     KUBE_DONE,
     ERROR_NONE,
     "",
     "",
     1},
    {delete, "null", {202, .body = POD}, KUBE_DONE, ERROR_NONE, "", "", 1},
    /* AF19 */
    {delete,
     "true",
     {409, .body = STATUS(409, "Conflict")},
     KUBE_REFUSED,
     ERROR_CONFLICT,
     NULL,
     "Conflict",
     1},
    /* AF20 */
    {kube_apply,
     POD,
     {409, .body = CONFLICT},
     KUBE_REFUSED,
     ERROR_CONFLICT,
     "other managers own .spec.a (kubectl), .spec.b? (who?)",
     "Conflict",
     1},
    {kube_merge_patch,
     "{}",
     {409, .body = CONFLICT},
     KUBE_REFUSED,
     ERROR_CONFLICT,
     "Apply failed",
     "Conflict",
     1},
};

START_TEST(verbs_answer)
    {
        struct script script = answer_rows[_i].script;
        AUTO(fake) struct fake *fake = fake_start(NULL, follow_script, &script);
        AUTO(client) struct kube_client *client = client_of(fake);
        AUTO(kube_result) struct kube_result result = {0};
        AUTO(json) json_t *body = json_row(answer_rows[_i].body);
        struct kube_ref ref = {&pods, "shop", "web", NULL};
        struct error err = {0};
        bool good = answer_rows[_i].verb(client, &ref, body, &ours, &result, &err);

        ck_assert_msg(good == (answer_rows[_i].code == ERROR_NONE), "%s", err.message);
        ck_assert_int_eq(err.code, answer_rows[_i].code);
        if (answer_rows[_i].message)
            ck_assert_str_eq(err.message, answer_rows[_i].message);
        ck_assert_int_eq(result.outcome, answer_rows[_i].outcome);
        ck_assert_str_eq(result.reason, answer_rows[_i].reason);
        ck_assert_int_eq(fake_requests(fake), answer_rows[_i].requests);
        ck_assert_int_eq(strstr(err.message, "not known whether it was carried out") != NULL,
                         result.outcome == KUBE_UNKNOWN);
        fake_stop(TAKE(fake));
        text_done(&script.told);
    }
END_TEST

START_TEST(conflicts_name_managers_and_fields)
    {
        struct script script = {.status = 409, .body = CONFLICT};
        AUTO(fake) struct fake *fake = fake_start(NULL, follow_script, &script);
        AUTO(client) struct kube_client *client = client_of(fake);
        AUTO(kube_result) struct kube_result result = {0};
        AUTO(json) json_t *body = json_row(POD);
        struct kube_ref ref = {&pods, "shop", "web", NULL};
        struct error err = {0};

        ck_assert(!kube_apply(client, &ref, body, &ours, &result, &err));
        ck_assert_uint_eq(result.conflict_count, 2);
        ck_assert_str_eq(result.conflicts[0].manager, "kubectl");
        ck_assert_str_eq(result.conflicts[0].field, ".spec.a");
        ck_assert_str_eq(result.conflicts[1].field, ".spec.b?");
        fake_stop(TAKE(fake));
        text_done(&script.told);
    }
END_TEST

START_TEST(a_test_stands_in_front_of_a_patch)
    {
        AUTO(json) json_t *patch = json_row("[{'op':'remove','path':'/spec'}]");
        AUTO(json) json_t *uid = json_string("u-1");
        AUTO(json)
        json_t *wanted = json_row("[{'op':'test','path':'/metadata/uid','value':'u-1'},"
                                  "{'op':'remove','path':'/spec'}]");

        kube_json_patch_test(patch, "/metadata/uid", uid);
        ck_assert(tree_equal(patch, wanted));
    }
END_TEST

/* A request that was never sent is not unknown. */
START_TEST(unreached_is_refused)
    {
        struct script script = {0};
        struct fake *fake = fake_start(NULL, follow_script, &script);
        AUTO(client) struct kube_client *client = client_of(fake);
        AUTO(kube_result) struct kube_result result = {0};
        AUTO(json) json_t *body = json_row(POD);
        struct kube_ref ref = {&pods, "shop", "web", NULL};
        struct error err = {0};

        fake_stop(fake);
        ck_assert(!kube_create(client, &ref, body, NULL, &result, &err));
        ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
        ck_assert_int_eq(result.outcome, KUBE_REFUSED);

        kube_client_cancel(client);
        ck_assert(!kube_create(client, &ref, body, NULL, &result, &err));
        ck_assert_int_eq(result.outcome, KUBE_REFUSED);
    }
END_TEST

/* An answer that does not come in time (AF2): unknown. */
static bool hangs(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    (void)request;
    (void)context;
    return fake_hang(peer);
}

START_TEST(a_write_without_answer_in_time_is_unknown)
    {
        AUTO(fake) struct fake *fake = fake_start(NULL, hangs, NULL);
        AUTO(client) struct kube_client *client = client_of(fake);
        AUTO(kube_result) struct kube_result result = {0};
        AUTO(json) json_t *body = json_row(POD);
        struct kube_ref ref = {&pods, "shop", "web", NULL};
        struct kube_options options = {.timeout_ms = 50};
        struct error err = {0};

        ck_assert(!kube_create(client, &ref, body, &options, &result, &err));
        ck_assert_int_eq(err.code, ERROR_TIMEOUT);
        ck_assert_int_eq(result.outcome, KUBE_UNKNOWN);
    }
END_TEST

/* Lists. */

#define LIST(version, more, items)                                                                 \
    "{'apiVersion':'v1','kind':'PodList','metadata':{'resourceVersion':'" version                  \
    "','continue':'" more "'},'items':[" items "]}"
#define ITEM(name) "{'metadata':{'namespace':'n','name':'" name "','resourceVersion':'5'}}"
#define PAGE "GET /api/v1/pods?limit=500"

struct page {
    int status;
    const char *body;
};

static const struct {
    struct page pages[4]; /* the last is repeated */
    bool optional;
    const char *names; /* or the refusal's code */
    const char *version;
    const char *told;
} list_rows[] = {
    {{{200, LIST("9", "", ITEM("a") "," ITEM("b"))}}, false, "a b ", "9", PAGE "\n"},
    /* L3, L4: the token alone leads on; the first page's version counts */
    {{{200, LIST("9", "t/1", ITEM("a"))},
      {200, LIST("9", "t2", "")},
      {200, LIST("10", "", ITEM("b"))}},
     false,
     "a b ",
     "9",
     PAGE "\n" PAGE "&continue=t%2F1\n" PAGE "&continue=t2\n"},
    /* L3: the token has expired: all in one piece */
    {{{200, LIST("9", "t1", ITEM("a"))},
      {410, STATUS(410, "Expired")},
      {200, LIST("12", "", ITEM("c"))}},
     false,
     "c ",
     "12",
     PAGE "\n" PAGE "&continue=t1\nGET /api/v1/pods\n"},
    {{{410, STATUS(410, "Expired")}}, false, "!410", "", PAGE "\n"},
    /* AF10: pages that never end */
    {{{200, LIST("9", "t1", ITEM("a"))}}, false, "!500", "", PAGE "\n" PAGE "&continue=t1\n"},
    /* AF15: no such kind */
    {{{404, "404 page not found"}}, true, "", "", PAGE "\n"},
    {{{404, "404 page not found"}}, false, "!404", "", PAGE "\n"},
    {{{403, STATUS(403, "Forbidden")}}, true, "!403", "", PAGE "\n"},
    {{{200, LIST("9", "t1", ITEM("a"))}, {403, STATUS(403, "Forbidden")}},
     false,
     "!403",
     "",
     PAGE "\n" PAGE "&continue=t1\n"},
    {{{200, "{'apiVersion':'v1','kind':'PodList'"}}, false, "!400", "", PAGE "\n"},
};

struct book {
    const struct page *pages;
    int at;
    struct text told;
};

static bool turn_page(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct book *book = context;
    const struct page *page = &book->pages[book->at];
    AUTO(free) char *body = double_quotes(page->body);

    text_addf(&book->told, "%s %s\n", request->method, request->path);
    if (page[1].body)
        book->at++;
    return fake_answer(peer, page->status, NULL, body);
}

START_TEST(lists)
    {
        struct book book = {.pages = list_rows[_i].pages};
        AUTO(fake) struct fake *fake = fake_start(NULL, turn_page, &book);
        AUTO(client) struct kube_client *client = client_of(fake);
        AUTO(text) struct text version = {0};
        AUTO(text) struct text names = {0};
        struct kube_watched watched = watched_pods;
        struct error err = {0};
        const json_t *item;
        size_t i;

        watched.optional = list_rows[_i].optional;

        AUTO(json) json_t *items = kube_list(client, &watched, &version, &err);

        fake_stop(TAKE(fake));

        tree_items (items, i, item)
            text_addf(&names, "%s ", tree_text(tree_get(item, "metadata"), "name"));
        if (!items)
            text_addf(&names, "!%d", (int)err.code);
        ck_assert_str_eq(text_get(&names), list_rows[_i].names);
        ck_assert_str_eq(text_get(&version), list_rows[_i].version);
        ck_assert_str_eq(text_get(&book.told), list_rows[_i].told);
        text_done(&book.told);
    }
END_TEST

START_TEST(a_list_of_no_namespace_is_not_asked_for)
    {
        struct book book = {.pages = list_rows[0].pages};
        AUTO(fake) struct fake *fake = fake_start(NULL, turn_page, &book);
        AUTO(client) struct kube_client *client = client_of(fake);
        struct kube_watched watched = watched_pods, cluster = watched_things;
        struct error err = {0};

        watched.space = "";
        cluster.space = "n";
        ck_assert_ptr_null(kube_list(client, &watched, NULL, &err));
        ck_assert_ptr_null(kube_list(client, &cluster, NULL, &err));
        ck_assert_int_eq(fake_requests(fake), 0);
    }
END_TEST

SUITE(kube_verbs)
{
    suite_rows(tests, verbs_send, sent_rows);
    suite_rows(tests, verbs_answer, answer_rows);
    tcase_add_test(tests, conflicts_name_managers_and_fields);
    tcase_add_test(tests, a_test_stands_in_front_of_a_patch);
    tcase_add_test(tests, unreached_is_refused);
    tcase_add_test(tests, a_write_without_answer_in_time_is_unknown);
    suite_rows(tests, lists, list_rows);
    tcase_add_test(tests, a_list_of_no_namespace_is_not_asked_for);
}
