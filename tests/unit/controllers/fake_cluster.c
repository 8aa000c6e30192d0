#include "tests/unit/controllers/fake_cluster.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/patch.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/known.h"
#include "tests/unit/kube/fake.h"

struct fake_cluster {
    struct fake *fake;
    struct kube_client *client;
    pthread_mutex_t mutex;
    json_t *objects; /* by path */
    json_t *moved;   /* plural -> version of the last change of its kind */
    json_t *applied; /* by path: what was applied last */
    int64_t version, made, now_s;
    int writes, asked, reads, fail_at;
    const char *unserved; /* plural; NULL: all are served */
    enum fake_failure how;
};

/* ---- paths ---- */

/* "/api/v1/namespaces/s/pods/p/status?x": the object, its collection, the rest. */
struct place {
    char *path;       /* owned; of the object, or of the collection */
    char *collection; /* owned */
    bool named, status;
    const char *query; /* borrowed; behind "?", or "" */
};

static void auto_place(struct place *place)
{
    free(place->path);
    free(place->collection);
}

static void place_of(const char *path, struct place *place)
{
    struct span rest = {path + 1, strcspn(path, "?") - 1}, part, parts[9] = {{0}};
    size_t count = 0;

    while (count < 9 && text_split(&rest, '/', &part))
        parts[count++] = part;

    bool core = span_is(parts[0], "api");
    size_t at = core ? 2 : 3; /* "namespaces" or the plural */
    bool spaced = span_is(parts[at], "namespaces") && count > at + 2;
    size_t plural = spaced ? at + 2 : at;
    const char *end = parts[plural].data + parts[plural].length;

    place->collection = text_dup(path, (size_t)(end - path));
    place->named = count > plural + 1;
    if (place->named)
        end = parts[plural + 1].data + parts[plural + 1].length;
    place->path = text_dup(path, (size_t)(end - path));
    place->status = count > plural + 2 && span_is(parts[plural + 2], "status");
    place->query = path[strcspn(path, "?")] ? path + strcspn(path, "?") + 1 : "";
}

/* ---- objects ---- */

static const char *meta(const json_t *object, const char *key)
{
    return tree_text(tree_get(object, "metadata"), key);
}

static json_t *metadata_of(json_t *object)
{
    if (!tree_member(object, "metadata", JSON_OBJECT))
        tree_put_new(object, "metadata", json_object());
    return json_object_get(object, "metadata");
}

static void put_version(struct fake_cluster *cluster, json_t *object)
{
    AUTO(free) char *version = text_format("%lld", (long long)++cluster->version);

    tree_put_text(metadata_of(object), "resourceVersion", version);
}

static void stamp(struct fake_cluster *cluster, json_t *object)
{
    json_t *metadata = metadata_of(object);
    char time[CONDITION_TIME_BYTES];

    if (!tree_text(metadata, "uid")) {
        AUTO(free)
        char *uid = text_format("00000000-0000-4000-8000-%012lld", (long long)++cluster->made);

        tree_put_text(metadata, "uid", uid);
    }
    condition_time(cluster->now_s, time);
    if (!tree_text(metadata, "creationTimestamp"))
        tree_put_text(metadata, "creationTimestamp", time);
    put_version(cluster, object);
}

/* Those who watch hear of it. */
static void note(struct fake_cluster *cluster, const char *path)
{
    const char *end = strrchr(path, '/'), *begin = end;

    while (begin > path && begin[-1] != '/')
        begin--;

    AUTO(free) char *plural = text_dup(begin, (size_t)(end - begin));

    tree_put_int(cluster->moved, plural, cluster->version);
}

static json_t *find(struct fake_cluster *cluster, const char *path)
{
    return json_object_get(cluster->objects, path);
}

/* Spec: RFC 7396. */
static void merge(json_t *into, const json_t *patch)
{
    const json_t *value;
    const char *key;

    tree_each (patch, key, value) {
        if (json_is_null(value)) {
            json_object_del(into, key);
        } else if (json_is_object(value)) {
            if (!tree_member(into, key, JSON_OBJECT))
                tree_put_new(into, key, json_object());
            merge(json_object_get(into, key), value);
        } else {
            tree_put_new(into, key, tree_copy(value));
        }
    }
}

/* ---- answers ---- */

struct reply {
    int status;
    json_t *body; /* owned */
};

static struct reply refuse(int status, const char *reason)
{
    json_t *body = json_object();

    tree_put_text(body, "kind", "Status");
    tree_put_text(body, "apiVersion", "v1");
    tree_put_text(body, "status", "Failure");
    tree_put_text(body, "reason", reason);
    tree_put_text(body, "message", reason);
    tree_put_int(body, "code", status);
    return (struct reply){status, body};
}

static bool wants_metadata(const struct fake_request *request)
{
    AUTO(free) char *accept = fake_header(request, "Accept");

    return strstr(accept, "PartialObjectMetadata") != NULL;
}

static json_t *show(const json_t *object, bool metadata)
{
    json_t *shown = metadata ? json_object() : tree_copy(object);

    if (!metadata)
        return shown;
    tree_put_text(shown, "apiVersion", "meta.k8s.io/v1");
    tree_put_text(shown, "kind", "PartialObjectMetadata");
    tree_put_new(shown, "metadata", tree_copy(tree_get(object, "metadata")));
    return shown;
}

/* Those of "a=b,c=d"; what else a selector says selects everything. */
static bool is_selected(const json_t *object, struct span selector)
{
    const json_t *labels = tree_at(object, "metadata.labels");
    struct span one;

    while (text_split(&selector, ',', &one)) {
        const char *equals = memchr(one.data, '=', one.length);

        if (!equals)
            continue;

        AUTO(free) char *key = text_dup(one.data, (size_t)(equals - one.data));
        struct span value = {equals + 1, (size_t)(one.data + one.length - equals - 1)};

        if (!span_equal(tree_span(labels, key), value))
            return false;
    }
    return true;
}

static char *unescape(struct span text)
{
    struct text out = {0};

    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '%' && i + 2 < text.length) {
            char hex[3] = {text.data[i + 1], text.data[i + 2], '\0'};

            text_putc(&out, (char)strtol(hex, NULL, 16));
            i += 2;
        } else {
            text_putc(&out, text.data[i]);
        }
    }
    return text_take(&out);
}

static char *selector_of(const char *query)
{
    struct span rest = span_of(query), one;
    static const char key[] = "labelSelector=";

    while (text_split(&rest, '&', &one))
        if (one.length >= strlen(key) && memcmp(one.data, key, strlen(key)) == 0)
            return unescape((struct span){one.data + strlen(key), one.length - strlen(key)});
    return text_dup("", 0);
}

/* "/apis/g/v/pods" is all of "/apis/g/v/namespaces/<any>/pods/<any>". */
static bool is_below(const char *path, const char *collection)
{
    size_t length = strlen(collection);
    const char *plural = strrchr(collection, '/') + 1;

    if (strncmp(path, collection, length) == 0 && path[length] == '/')
        return !strchr(path + length + 1, '/');

    AUTO(free)
    char *all = text_format("%.*snamespaces/", (int)(plural - collection), collection);
    AUTO(free) char *below = text_format("/%s/", plural);

    return strncmp(path, all, strlen(all)) == 0 && strstr(path + strlen(all), below);
}

static json_t *collect(struct fake_cluster *cluster, const char *collection, const char *selector,
                       bool metadata)
{
    json_t *items = json_array();
    const json_t *object;
    const char *path;

    tree_each (cluster->objects, path, object)
        if (is_below(path, collection) && is_selected(object, span_of(selector)))
            tree_push_new(items, show(object, metadata));
    return items;
}

static const char *kind_of(const char *collection)
{
    const char *plural = strrchr(collection, '/') + 1;

    for (int i = 0; i < KNOWN_KINDS; i++)
        if (strcmp(known_resource((enum known_kind)i)->plural, plural) == 0)
            return known_resource((enum known_kind)i)->kind;
    return strcmp(plural, "leases") == 0 ? "Lease" : "";
}

static json_t *version_of_list(const char *collection)
{
    struct span rest = {collection + 1, strlen(collection) - 1}, first, second, third;

    text_split(&rest, '/', &first);
    text_split(&rest, '/', &second);
    if (span_is(first, "api"))
        return json_stringn(second.data, second.length);
    text_split(&rest, '/', &third);
    return json_stringn(second.data, second.length + 1 + third.length);
}

static struct reply list(struct fake_cluster *cluster, const struct place *place, bool metadata)
{
    AUTO(free) char *selector = selector_of(place->query);
    AUTO(free) char *kind = text_format("%sList", kind_of(place->collection));
    AUTO(free) char *version = text_format("%lld", (long long)cluster->version + 1);
    json_t *body = json_object(), *meta_of_list = json_object();

    if (metadata)
        tree_put_text(body, "apiVersion", "meta.k8s.io/v1");
    else
        tree_put_new(body, "apiVersion", version_of_list(place->collection));
    tree_put_text(body, "kind", metadata ? "PartialObjectMetadataList" : kind);
    tree_put_text(meta_of_list, "resourceVersion", version);
    tree_put_new(body, "metadata", meta_of_list);
    tree_put_new(body, "items", collect(cluster, place->collection, selector, metadata));
    return (struct reply){200, body};
}

static struct reply look(struct fake_cluster *cluster, const struct place *place, bool metadata)
{
    const json_t *object = find(cluster, place->path);

    if (cluster->unserved && strcmp(strrchr(place->collection, '/') + 1, cluster->unserved) == 0)
        return refuse(404, "NotFound");
    if (!place->named)
        return list(cluster, place, metadata);
    return object ? (struct reply){200, show(object, metadata)} : refuse(404, "NotFound");
}

/* ---- writes ---- */

static struct reply create(struct fake_cluster *cluster, const struct place *place, json_t *body)
{
    AUTO(free)
    char *path =
        text_format("%s/%s", place->collection, meta(body, "name") ? meta(body, "name") : "");

    if (find(cluster, path))
        return refuse(409, "AlreadyExists");
    json_object_del(metadata_of(body), "uid");
    stamp(cluster, body);
    tree_put_new(cluster->objects, path, tree_copy(body));
    note(cluster, path);
    return (struct reply){201, tree_copy(body)};
}

static bool is_as_named(const json_t *object, const char *uid, const char *version)
{
    return (!uid || strcmp(uid, meta(object, "uid")) == 0) &&
           (!version || strcmp(version, meta(object, "resourceVersion")) == 0);
}

static struct reply patch(struct fake_cluster *cluster, const struct place *place, json_t *body)
{
    json_t *object = find(cluster, place->path);

    if (!object)
        return refuse(404, "NotFound");
    if (!is_as_named(object, meta(body, "uid"), meta(body, "resourceVersion")))
        return refuse(409, "Conflict");

    json_t *next = tree_copy(object);

    if (place->status)
        json_object_del(body, "spec");
    merge(next, body);
    put_version(cluster, next);
    tree_put_new(cluster->objects, place->path, next);
    note(cluster, place->path);
    return (struct reply){200, tree_copy(next)};
}

/* Spec: RFC 6902. */
static struct reply patch_by_steps(struct fake_cluster *cluster, const struct place *place,
                                   const json_t *steps)
{
    const json_t *object = find(cluster, place->path);
    struct error err = {.message = ""};
    json_t *next = object ? patch_apply(object, steps, &err) : NULL;

    if (!next)
        return object ? refuse(422, "Invalid") : refuse(404, "NotFound");
    put_version(cluster, next);
    tree_put_new(cluster->objects, place->path, next);
    note(cluster, place->path);
    return (struct reply){200, tree_copy(next)};
}

/* What an apply said before and does not say any more goes; lists go as a whole. */
static void give_up(json_t *object, const json_t *before, const json_t *now)
{
    const json_t *value;
    const char *key;

    tree_each (before, key, value) {
        if (!tree_get(now, key))
            json_object_del(object, key);
        else if (json_is_object(value))
            give_up(json_object_get(object, key), value, tree_get(now, key));
    }
}

/* True when the object has other values where the intent has some. */
static bool disagrees(const json_t *object, const json_t *intent)
{
    const json_t *value;
    const char *key;

    tree_each (intent, key, value) {
        const json_t *there = tree_get(object, key);

        if (there && (json_is_object(value) ? disagrees(there, value) : !tree_equal(there, value)))
            return true;
    }
    return false;
}

/* Who states it by an apply of his own, and is not us; NULL: nobody. */
static const char *holder_of(const json_t *object)
{
    const json_t *entry;
    size_t i;

    tree_items (tree_at(object, "metadata.managedFields"), i, entry)
        if (strcmp(tree_text(entry, "operation"), "Apply") == 0)
            return tree_text(entry, "manager");
    return NULL;
}

static struct reply refuse_held(const char *holder)
{
    struct reply reply = refuse(409, "Conflict");
    AUTO(free) char *message = text_format("conflict with \"%s\" using v1", holder);
    json_t *details = json_object(), *causes = json_array(), *cause = json_object();

    tree_put_text(cause, "reason", "FieldManagerConflict");
    tree_put_text(cause, "message", message);
    tree_put_text(cause, "field", ".spec");
    tree_push_new(causes, cause);
    tree_put_new(details, "causes", causes);
    tree_put_new(reply.body, "details", details);
    return reply;
}

static struct reply apply(struct fake_cluster *cluster, const struct place *place, json_t *body)
{
    const json_t *before = json_object_get(cluster->applied, place->path);
    json_t *object = find(cluster, place->path), *next;

    if (object ? !is_as_named(object, meta(body, "uid"), meta(body, "resourceVersion"))
               : meta(body, "uid") != NULL)
        return refuse(409, "Conflict");
    if (object && !strstr(place->query, "force=true") && disagrees(object, body)) {
        if (holder_of(object))
            return refuse_held(holder_of(object));
        if (!before)
            return refuse(409, "Conflict");
    }
    next = object ? tree_copy(object) : json_object();
    give_up(next, before, body);
    merge(next, body);
    stamp(cluster, next);
    tree_put_new(cluster->applied, place->path, tree_copy(body));
    tree_put_new(cluster->objects, place->path, next);
    note(cluster, place->path);
    return (struct reply){object ? 200 : 201, tree_copy(next)};
}

static struct reply delete (struct fake_cluster *cluster, const struct place *place,
                            const json_t *body)
{
    const json_t *object = find(cluster, place->path), *only = tree_get(body, "preconditions");

    if (!object)
        return refuse(404, "NotFound");
    if (!is_as_named(object, tree_text(only, "uid"), tree_text(only, "resourceVersion")))
        return refuse(409, "Conflict");

    struct reply reply = {200, tree_copy(object)};

    json_object_del(cluster->objects, place->path);
    cluster->version++;
    note(cluster, place->path);
    json_object_del(cluster->applied, place->path);
    return reply;
}

static struct reply write_one(struct fake_cluster *cluster, const struct place *place,
                              const struct fake_request *request)
{
    AUTO(json)
    json_t *body = json_loadb(request->body.data, request->body.length, 0, NULL);

    AUTO(free) char *type = fake_header(request, "Content-Type");

    cluster->writes++;
    if (strcmp(request->method, "POST") == 0)
        return create(cluster, place, body);
    if (strcmp(type, "application/json-patch+json") == 0)
        return patch_by_steps(cluster, place, body);
    if (strncmp(type, "application/apply-patch", strlen("application/apply-patch")) == 0)
        return apply(cluster, place, body);
    if (strcmp(request->method, "PATCH") == 0)
        return patch(cluster, place, body);
    if (strcmp(request->method, "DELETE") == 0)
        return delete (cluster, place, body);
    cluster->writes--;
    return refuse(405, "MethodNotAllowed");
}

/* False: the connection breaks. */
static bool act(struct fake_cluster *cluster, const struct fake_request *request,
                struct reply *reply)
{
    AUTO(place) struct place place = {0};

    place_of(request->path, &place);
    if (strcmp(request->method, "GET") == 0) {
        cluster->reads++;
        *reply = look(cluster, &place, wants_metadata(request));
        return true;
    }

    bool fails = ++cluster->asked == cluster->fail_at;
    enum fake_failure how = fails ? cluster->how : FAILS_NOT;

    if (how == FAILS_BEFORE)
        return false;
    if (how == FAILS_REFUSED || how == FAILS_CONFLICT) {
        *reply = how == FAILS_REFUSED ? refuse(403, "Forbidden") : refuse(409, "Conflict");
        return true;
    }
    *reply = write_one(cluster, &place, request);
    return how != FAILS_AFTER;
}

/* ---- watches: they wait for a change of their kind, and then have to list anew ---- */

#define WATCH_LOOK_MS 3
#define WATCH_SIGNS 30

static const char *number_of(const char *query, const char *key)
{
    const char *found = strstr(query, key);

    return found ? found + strlen(key) : "0";
}

static bool has_moved(struct fake_cluster *cluster, const struct place *place)
{
    int64_t asked = strtoll(number_of(place->query, "resourceVersion="), NULL, 10);
    int64_t moved;

    pthread_mutex_lock(&cluster->mutex);
    moved = tree_int(cluster->moved, strrchr(place->collection, '/') + 1, 0);
    pthread_mutex_unlock(&cluster->mutex);
    return moved >= asked;
}

/* So that it is noticed when the other end goes. */
static bool send_sign(struct fake_peer *peer, const struct place *place, bool metadata)
{
    AUTO(json) json_t *version = version_of_list(place->collection);
    AUTO(free)
    char *sign = text_format("{\"type\":\"BOOKMARK\",\"object\":{\"apiVersion\":\"%s\",\"kind\":"
                             "\"%s\",\"metadata\":{\"resourceVersion\":\"%lld\"}}}\n",
                             metadata ? "meta.k8s.io/v1" : json_string_value(version),
                             metadata ? "PartialObjectMetadata" : kind_of(place->collection),
                             strtoll(number_of(place->query, "resourceVersion="), NULL, 10));

    return fake_puts(peer, sign);
}

static bool watch(struct fake_cluster *cluster, struct fake_peer *peer,
                  const struct fake_request *request)
{
    AUTO(place) struct place place = {0};
    bool goes_on = fake_puts(peer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                   "Connection: close\r\n\r\n");

    place_of(request->path, &place);
    for (int i = 1; goes_on && !has_moved(cluster, &place); i++) {
        fake_pause(peer, WATCH_LOOK_MS);
        if (i % WATCH_SIGNS == 0)
            goes_on = send_sign(peer, &place, wants_metadata(request));
    }
    (void)fake_puts(
        peer, "{\"type\":\"ERROR\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"Status\","
              "\"metadata\":{},\"status\":\"Failure\",\"reason\":\"Expired\",\"code\":410}}\n");
    return false;
}

static bool serve(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct fake_cluster *cluster = context;
    struct reply reply = {0};

    if (strstr(request->path, "watch=true") || strstr(request->path, "watch=1"))
        return watch(cluster, peer, request);
    pthread_mutex_lock(&cluster->mutex);

    bool goes_on = act(cluster, request, &reply);

    pthread_mutex_unlock(&cluster->mutex);

    AUTO(json) json_t *body = reply.body;
    AUTO(free) char *text = goes_on ? tree_format(body, NULL) : NULL;

    return goes_on && fake_answer(peer, reply.status, NULL, text);
}

/* ---- for tests ---- */

struct fake_cluster *fake_cluster_start(void)
{
    struct fake_cluster *cluster = text_alloc(sizeof *cluster);
    struct kube_client_limits limits = {.rate = 1e6, .burst = 1e6, .second_ms = 1};
    struct error err = {.message = ""};

    *cluster = (struct fake_cluster){.objects = json_object(),
                                     .moved = json_object(),
                                     .applied = json_object(),
                                     .now_s = 1714570200};
    pthread_mutex_init(&cluster->mutex, NULL);
    cluster->fake = fake_start(NULL, serve, cluster);

    struct kube_config config = {.server = (char *)fake_url(cluster->fake)};

    cluster->client = kube_client_start(&config, &limits, &err);
    ck_assert_msg(cluster->client != NULL, "%s", err.message);
    return cluster;
}

void fake_cluster_stop(struct fake_cluster *cluster)
{
    kube_client_stop(cluster->client);
    fake_stop(cluster->fake);
    json_decref(cluster->objects);
    json_decref(cluster->moved);
    json_decref(cluster->applied);
    pthread_mutex_destroy(&cluster->mutex);
    free(cluster);
}

struct kube_client *fake_cluster_client(struct fake_cluster *cluster)
{
    return cluster->client;
}

void fake_cluster_clock(struct fake_cluster *cluster, int64_t now_s)
{
    pthread_mutex_lock(&cluster->mutex);
    cluster->now_s = now_s;
    pthread_mutex_unlock(&cluster->mutex);
}

void fake_cluster_put(struct fake_cluster *cluster, const char *path, json_t *object_new)
{
    pthread_mutex_lock(&cluster->mutex);
    stamp(cluster, object_new);
    tree_put_new(cluster->objects, path, object_new);
    note(cluster, path);
    pthread_mutex_unlock(&cluster->mutex);
}

void fake_cluster_remove(struct fake_cluster *cluster, const char *path)
{
    pthread_mutex_lock(&cluster->mutex);
    json_object_del(cluster->objects, path);
    cluster->version++;
    note(cluster, path);
    json_object_del(cluster->applied, path);
    pthread_mutex_unlock(&cluster->mutex);
}

void fake_cluster_unserve(struct fake_cluster *cluster, const char *plural)
{
    pthread_mutex_lock(&cluster->mutex);
    cluster->version++;
    tree_put_int(cluster->moved, plural ? plural : cluster->unserved, cluster->version);
    cluster->unserved = plural;
    pthread_mutex_unlock(&cluster->mutex);
}

json_t *fake_cluster_get(struct fake_cluster *cluster, const char *path)
{
    pthread_mutex_lock(&cluster->mutex);

    json_t *object = tree_copy(find(cluster, path));

    pthread_mutex_unlock(&cluster->mutex);
    return object;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(meta(*(json_t *const *)a, "name"), meta(*(json_t *const *)b, "name"));
}

json_t *fake_cluster_list(struct fake_cluster *cluster, const char *path)
{
    pthread_mutex_lock(&cluster->mutex);

    AUTO(json) json_t *items = collect(cluster, path, "", false);

    pthread_mutex_unlock(&cluster->mutex);

    size_t count = json_array_size(items);
    AUTO(free) json_t **sorted = text_alloc((count + 1) * sizeof(json_t *));
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(items, i);
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++)
        json_array_append(list, sorted[i]);
    return list;
}

void fake_cluster_fail(struct fake_cluster *cluster, int number, enum fake_failure how)
{
    pthread_mutex_lock(&cluster->mutex);
    cluster->fail_at = number ? cluster->asked + number : 0;
    cluster->how = how;
    pthread_mutex_unlock(&cluster->mutex);
}

static int count_of(struct fake_cluster *cluster, const int *counter)
{
    pthread_mutex_lock(&cluster->mutex);

    int count = *counter;

    pthread_mutex_unlock(&cluster->mutex);
    return count;
}

int fake_cluster_writes(struct fake_cluster *cluster)
{
    return count_of(cluster, &cluster->writes);
}

int fake_cluster_asked(struct fake_cluster *cluster)
{
    return count_of(cluster, &cluster->asked);
}

int fake_cluster_reads(struct fake_cluster *cluster)
{
    return count_of(cluster, &cluster->reads);
}
