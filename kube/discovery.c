#include "kube/discovery.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/tree.h"

#define AGGREGATED                                                                                 \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                        \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

/* A version of a group; in the order that the server prefers. */
struct version {
    char *group, *name;
    bool known;           /* its kinds are */
    struct error problem; /* why not */
};

/* Handed out, so kept for ever; what is the same is there once. */
struct kind {
    struct kind *next;
    struct kube_resource resource; /* its strings are owned */
    bool served;                   /* by what the server said last */
    size_t order;                  /* of its version */
};

struct kube_discovery {
    struct kube_client *client;
    pthread_mutex_t mutex; /* also while the server is asked: who needs an answer has to wait */
    struct kind *kinds;
    size_t kind_count;
    struct version *versions;
    size_t version_count;
    int64_t asked_ms; /* steady clock; 0: never */
};

struct kube_discovery *kube_discovery_make(struct kube_client *client)
{
    struct kube_discovery *discovery = text_alloc(sizeof *discovery);

    discovery->client = client;
    pthread_mutex_init(&discovery->mutex, NULL);
    return discovery;
}

static void forget_versions(struct kube_discovery *discovery)
{
    for (size_t i = 0; i < discovery->version_count; i++) {
        free(discovery->versions[i].group);
        free(discovery->versions[i].name);
    }
    free(discovery->versions);
    discovery->versions = NULL;
    discovery->version_count = 0;
    for (struct kind *kind = discovery->kinds; kind; kind = kind->next)
        kind->served = false;
}

void kube_discovery_free(struct kube_discovery *discovery)
{
    if (!discovery)
        return;
    forget_versions(discovery);
    while (discovery->kinds) {
        struct kind *kind = discovery->kinds;

        discovery->kinds = kind->next;
        free((char *)kind->resource.group);
        free((char *)kind->resource.version);
        free((char *)kind->resource.plural);
        free((char *)kind->resource.kind);
        free(kind);
    }
    pthread_mutex_destroy(&discovery->mutex);
    free(discovery);
}

void kube_discovery_forget(struct kube_discovery *discovery)
{
    pthread_mutex_lock(&discovery->mutex);
    discovery->asked_ms = 0;
    forget_versions(discovery);
    pthread_mutex_unlock(&discovery->mutex);
}

/* What a server says. */

/* Words that become paths: what is odd is passed over. */
static const char *word(const json_t *object, const char *key)
{
    struct span value = tree_span(object, key);

    if (!value.length || value.length > OBJECT_NAME_MAX_CHARS ||
        memchr(value.data, '\0', value.length) || strpbrk(value.data, "/%"))
        return NULL;
    return value.data;
}

static bool is_same(const struct kube_resource *a, const struct kube_resource *b)
{
    return a->namespaced == b->namespaced && strcmp(a->group, b->group) == 0 &&
           strcmp(a->version, b->version) == 0 && strcmp(a->plural, b->plural) == 0 &&
           strcmp(a->kind, b->kind) == 0;
}

static void add_kind(struct kube_discovery *discovery, const struct kube_resource *resource,
                     size_t order)
{
    struct kind *kind = discovery->kinds;

    while (kind && !is_same(&kind->resource, resource))
        kind = kind->next;
    if (!kind && discovery->kind_count < KUBE_KINDS_MAX) {
        kind = text_alloc(sizeof *kind);
        kind->resource = (struct kube_resource){
            text_format("%s", resource->group), text_format("%s", resource->version),
            text_format("%s", resource->plural), text_format("%s", resource->kind),
            resource->namespaced};
        kind->next = discovery->kinds;
        discovery->kinds = kind;
        discovery->kind_count++;
    }
    if (kind) {
        kind->served = true;
        kind->order = order;
    }
}

static struct version *add_version(struct kube_discovery *discovery, const char *group,
                                   const char *name)
{
    size_t count = discovery->version_count;

    if (count == KUBE_KINDS_MAX)
        return NULL;
    discovery->versions =
        text_realloc(discovery->versions, (count + 1) * sizeof *discovery->versions);
    discovery->versions[count] =
        (struct version){.group = text_format("%s", group), .name = text_format("%s", name)};
    discovery->version_count++;
    return &discovery->versions[count];
}

/* Kinds of one version: `resource` and `scope` where they are aggregated, else `name` and
 * `namespaced`. */
static void read_kinds(struct kube_discovery *discovery, const struct version *version,
                       const json_t *list)
{
    size_t order = (size_t)(version - discovery->versions), i;
    const json_t *item;

    tree_items (list, i, item) {
        const json_t *response = tree_member(item, "responseKind", JSON_OBJECT);
        const char *scope = tree_text(item, "scope");
        bool aggregated = tree_get(item, "resource") != NULL;
        struct kube_resource resource = {
            .group = version->group,
            .version = version->name,
            .plural = word(item, aggregated ? "resource" : "name"),
            .kind = word(aggregated ? response : item, "kind"),
            .namespaced = aggregated ? scope && strcmp(scope, "Namespaced") == 0
                                     : tree_true(item, "namespaced"),
        };

        /* names with a slash are sub-resources */
        if (resource.plural && resource.kind)
            add_kind(discovery, &resource, order);
    }
}

static void read_aggregated(struct kube_discovery *discovery, const json_t *list)
{
    const json_t *groups = tree_get(list, "items"), *group, *item;
    size_t i, k;

    tree_items (groups, i, group) {
        const char *name = word(tree_get(group, "metadata"), "name");

        tree_items (tree_get(group, "versions"), k, item) {
            const char *number = word(item, "version"), *fresh = tree_text(item, "freshness");
            struct version *version =
                number ? add_version(discovery, name ? name : "", number) : NULL;

            if (!version)
                continue;
            version->known = true;
            if (fresh && strcmp(fresh, "Stale") == 0)
                error_set(&version->problem, ERROR_UNAVAILABLE, "the server of %s/%s is down",
                          version->group, version->name);
            read_kinds(discovery, version, tree_get(item, "resources"));
        }
    }
}

/* The preferred version of a group comes first. */
static void read_groups(struct kube_discovery *discovery, const json_t *list)
{
    const json_t *groups = tree_get(list, "groups"), *group, *item;
    size_t i, k;

    tree_items (groups, i, group) {
        const char *name = word(group, "name");
        const char *preferred = word(tree_get(group, "preferredVersion"), "version");

        if (name && preferred)
            add_version(discovery, name, preferred);
        tree_items (tree_get(group, "versions"), k, item) {
            const char *number = word(item, "version");

            if (name && number && (!preferred || strcmp(number, preferred) != 0))
                add_version(discovery, name, number);
        }
    }
}

/* The core group: a list of words. */
static void read_core(struct kube_discovery *discovery, const json_t *list)
{
    const json_t *versions = tree_get(list, "versions"), *item;
    size_t i;

    tree_items (versions, i, item)
        if (span_is(tree_value(item), "v1"))
            add_version(discovery, "", "v1");
}

/* Asking it. */

static bool get(struct kube_discovery *discovery, const char *path, const char *accept,
                struct kube_answer *answer, struct error *err)
{
    struct kube_request request = {.method = "GET", .path = path, .accept = accept};

    return kube_call(discovery->client, &request, answer, err) &&
           (answer->json || error_set(err, ERROR_INTERNAL, "GET %s: no answer to read", path));
}

static bool ask_list(struct kube_discovery *discovery, const char *path, struct error *err)
{
    AUTO(kube_answer) struct kube_answer answer = {0};

    if (!get(discovery, path, AGGREGATED, &answer, err))
        return false;

    const char *kind = tree_text(answer.json, "kind");

    if (kind && strcmp(kind, "APIGroupDiscoveryList") == 0)
        read_aggregated(discovery, answer.json);
    else if (kind && strcmp(kind, "APIGroupList") == 0)
        read_groups(discovery, answer.json);
    else if (kind && strcmp(kind, "APIVersions") == 0)
        read_core(discovery, answer.json);
    else
        return error_set(err, ERROR_INTERNAL, "GET %s: no list of APIs (is this an API server?)",
                         path);
    return true;
}

static bool ask_all(struct kube_discovery *discovery, struct error *err)
{
    forget_versions(discovery);
    discovery->asked_ms = 0;
    if (!ask_list(discovery, "/api", err) || !ask_list(discovery, "/apis", err))
        return false;
    discovery->asked_ms = clock_mono_ms();
    return true;
}

static void ask_version(struct kube_discovery *discovery, struct version *version)
{
    AUTO(text) struct text path = {0};
    AUTO(kube_answer) struct kube_answer answer = {0};

    text_addf(&path, "/api%s%s/%s", *version->group ? "s/" : "", version->group, version->name);
    version->problem = (struct error){0};
    if (!get(discovery, text_get(&path), NULL, &answer, &version->problem))
        return;
    read_kinds(discovery, version, tree_get(answer.json, "resources"));
    version->known = true;
}

/* Finding. */

struct question {
    const char *group, *version; /* version NULL: any */
    const char *word;            /* kind, or plural */
    bool plural;
};

static bool fits(const struct question *question, const struct kube_resource *resource)
{
    return strcmp(resource->group, question->group) == 0 &&
           (!question->version || strcmp(resource->version, question->version) == 0) &&
           strcmp(question->plural ? resource->plural : resource->kind, question->word) == 0;
}

static const struct kube_resource *look_up(const struct kube_discovery *discovery,
                                           const struct question *question)
{
    const struct kind *found = NULL;

    for (const struct kind *kind = discovery->kinds; kind; kind = kind->next)
        if (kind->served && fits(question, &kind->resource) &&
            (!found || kind->order < found->order))
            found = kind;
    return found ? &found->resource : NULL;
}

/* Looks where the kind could be; a server that is down may have it. */
static const struct kube_resource *search(struct kube_discovery *discovery,
                                          const struct question *question, struct error *err)
{
    const struct kube_resource *found = look_up(discovery, question);

    for (size_t i = 0; !found && i < discovery->version_count; i++) {
        struct version *version = &discovery->versions[i];

        if (strcmp(version->group, question->group) != 0 ||
            (question->version && strcmp(version->name, question->version) != 0))
            continue;
        if (!version->known)
            ask_version(discovery, version);
        if (version->problem.code != ERROR_NONE)
            *err = version->problem;
        found = look_up(discovery, question);
    }
    return found;
}

static const struct kube_resource *find(struct kube_discovery *discovery,
                                        const struct question *question, struct error *err)
{
    const struct kube_resource *found = NULL;
    struct error problem = {0};
    bool ever = discovery->asked_ms != 0;
    bool old = !ever || clock_mono_ms() - discovery->asked_ms >= KUBE_DISCOVERY_AGAIN_MS;

    if (ever)
        found = search(discovery, question, &problem);
    if (!found && old) {
        problem = (struct error){0};
        if (ask_all(discovery, &problem))
            found = search(discovery, question, &problem);
    }
    if (!found && problem.code == ERROR_NONE)
        error_set(err, ERROR_NOT_FOUND, "the API server has no %s in %s", question->word,
                  *question->group ? question->group : "v1");
    else if (!found)
        *err = problem;
    return found;
}

static const struct kube_resource *ask(struct kube_discovery *discovery,
                                       const struct question *question, struct error *err)
{
    pthread_mutex_lock(&discovery->mutex);

    const struct kube_resource *found = find(discovery, question, err);

    pthread_mutex_unlock(&discovery->mutex);
    return found;
}

const struct kube_resource *kube_discovery_kind(struct kube_discovery *discovery, const char *group,
                                                const char *version, const char *kind,
                                                struct error *err)
{
    return ask(discovery, &(struct question){group, version, kind, false}, err);
}

const struct kube_resource *kube_discovery_plural(struct kube_discovery *discovery,
                                                  const char *group, const char *version,
                                                  const char *plural, struct error *err)
{
    return ask(discovery, &(struct question){group, version, plural, true}, err);
}

const struct kube_resource *kube_discovery_of(struct kube_discovery *discovery,
                                              const char *api_version, const char *kind,
                                              struct error *err)
{
    const char *slash = strchr(api_version, '/');
    AUTO(free)
    char *group = text_dup(api_version, slash ? (size_t)(slash - api_version) : 0);

    if (slash ? !*group || !slash[1] || strchr(slash + 1, '/') : !*api_version) {
        error_set(err, ERROR_INVALID, "\"%.80s\" is no apiVersion", api_version);
        return NULL;
    }
    return kube_discovery_kind(discovery, group, slash ? slash + 1 : api_version, kind, err);
}
