#include "tests/unit/kube/fake_api.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "tests/unit/kube/fake.h"

#define NAMES 12
#define PASTS 8
#define ROTATIONS_MAX 12

/* One event as it was. */
struct happening {
    int64_t version;
    const char *type;
    json_t *object;
};

/* What there was at a version. */
struct past {
    int64_t version;
    json_t *objects;
};

struct fake_api {
    struct fake_script script;
    struct fake *fake;
    char url[64];
    pthread_mutex_t lock; /* of all that follows; held while a request is served */
    struct random random;
    json_t *objects; /* by name; each is replaced, never edited */
    struct happening *log;
    size_t logged;
    struct past pasts[PASTS];
    size_t past_count;
    int64_t version, compacted, uids;
    int changes, faults;
    bool finished;
    atomic_int stuck;     /* requests that are kept waiting */
    atomic_llong late_ms; /* what that took, as if */
    bool held;            /* it went back: nothing changes until somebody could have noticed */
    json_t *pages, *counts;
    int tokens;
    int credential;   /* number of the token that is accepted */
    int late;         /* how often it is refused before it gets known */
    size_t rotations; /* of certificates */
    struct text story;
};

/* What is asked. */
struct ask {
    bool watch, initial, bookmarks;
    int64_t version; /* -1: not said */
    int64_t limit;
    char *token;
};

/* One answer that goes on. */
struct out {
    struct fake_api *api;
    struct fake_peer *peer;
    bool chunked, broken;
};

/* How a request ends: fake_serve's answer. */
enum end { END_CLOSE = false, END_KEEP = true };

/* The script. */

static size_t below(struct fake_api *api, size_t end)
{
    return random_below(&api->random, end);
}

static void tell(struct fake_api *api, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void tell(struct fake_api *api, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_addv(&api->story, format, args);
    va_end(args);
    text_putc(&api->story, '\n');
}

static void count(struct fake_api *api, const char *fault)
{
    tree_put_int(api->counts, fault, tree_int(api->counts, fault, 0) + 1);
    tell(api, "  fault %s", fault);
}

/* One of the faults of a list, or NULL when all goes well. */
static const char *fault_of(struct fake_api *api, const char *where, const char *const *names,
                            size_t name_count)
{
    if (api->finished || api->faults <= 0 || !random_often(&api->random, api->script.often))
        return NULL;
    api->faults--;

    const char *name = names[below(api, name_count)];
    AUTO(free) char *full = text_format("%s-%s", where, name);

    count(api, full);
    return name;
}

#define FAULT_OF(api, where, names) fault_of(api, where, names, sizeof(names) / sizeof *(names))

static bool is(const char *name, const char *other)
{
    return name && strcmp(name, other) == 0;
}

/* Objects. */

static json_t *make_object(struct fake_api *api, const char *name, const char *uid)
{
    const struct kube_resource *resource = &api->script.watched->resource;
    AUTO(text) struct text words = {0};
    AUTO(free)
    char *group =
             text_format("%s%s%s", resource->group, *resource->group ? "/" : "", resource->version),
         *version = text_format("%lld", (long long)api->version);
    json_t *object = json_object(), *metadata = json_object(), *more = json_object();

    random_add_text(&api->random, &words, false);
    tree_put_text(object, "apiVersion", group);
    tree_put_text(object, "kind", resource->kind);
    tree_put_new(object, "metadata", metadata);
    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", resource->namespaced ? "n" : NULL);
    tree_put_text(metadata, "uid", uid);
    tree_put_text(metadata, "resourceVersion", version);
    tree_put_span(more, "words", (struct span){text_get(&words), words.length});
    tree_put_new(api->script.watched->metadata_only ? metadata : object,
                 api->script.watched->metadata_only ? "annotations" : "spec", more);
    return object;
}

/* The same object as it goes over the wire. */
static json_t *wire_object(struct fake_api *api, const json_t *object, bool item)
{
    json_t *wire = tree_copy(object);

    if (api->script.watched->metadata_only) {
        tree_put_text(wire, "apiVersion", "meta.k8s.io/v1");
        tree_put_text(wire, "kind", "PartialObjectMetadata");
    }
    if (random_often(&api->random, 30))
        tree_put_new(json_object_get(wire, "metadata"), "managedFields", json_array());
    if (item && random_often(&api->random, 50)) {
        json_object_del(wire, "apiVersion");
        json_object_del(wire, "kind");
    }
    return wire;
}

static void log_happening(struct fake_api *api, const char *type, json_t *object)
{
    api->log = text_realloc(api->log, (api->logged + 1) * sizeof *api->log);
    api->log[api->logged++] = (struct happening){api->version, type, object};
    tell(api, "  %lld %s %s", (long long)api->version, type,
         tree_text(tree_get(object, "metadata"), "name"));
}

static void set_object(struct fake_api *api, const char *name, const char *uid, const char *type)
{
    json_t *object = make_object(api, name, uid);

    tree_put_new(api->objects, name, tree_share(object));
    log_happening(api, type, object);
}

static void create(struct fake_api *api, const char *name)
{
    AUTO(free) char *uid = text_format("uid-%lld", (long long)++api->uids);

    api->version += 1 + (int64_t)below(api, 3);
    set_object(api, name, uid, "ADDED");
}

static void delete (struct fake_api *api, const char *name)
{
    json_t *last = tree_copy(tree_get(api->objects, name));

    api->version += 1 + (int64_t)below(api, 3);

    AUTO(free) char *version = text_format("%lld", (long long)api->version);

    tree_put_text(json_object_get(last, "metadata"), "resourceVersion", version);
    json_object_del(api->objects, name);
    log_happening(api, "DELETED", last);
}

static void update(struct fake_api *api, const char *name)
{
    const json_t *metadata = tree_get(tree_get(api->objects, name), "metadata");
    AUTO(free) char *uid = text_format("%s", tree_text(metadata, "uid"));

    api->version += 1 + (int64_t)below(api, 3);
    set_object(api, name, uid, "MODIFIED");
}

static void remember(struct fake_api *api)
{
    if (api->past_count == PASTS) {
        json_decref(api->pasts[0].objects);
        memmove(api->pasts, api->pasts + 1, (PASTS - 1) * sizeof *api->pasts);
        api->past_count--;
    }
    api->pasts[api->past_count++] = (struct past){api->version, json_copy(api->objects)};
}

static void change(struct fake_api *api)
{
    AUTO(free) char *name = text_format("o%zu", below(api, NAMES));
    bool there = tree_get(api->objects, name);

    if (api->held || api->finished)
        return;
    if (random_often(&api->random, 25))
        remember(api);
    if (api->changes-- <= 0) {
        create(api, "zz-last");
        api->finished = true;
    } else if (!there) {
        create(api, name);
    } else if (random_often(&api->random, 60)) {
        update(api, name);
    } else {
        delete (api, name);
        if (random_often(&api->random, 50))
            create(api, name);
    }
    if (random_often(&api->random, 5) && !api->script.cut_each_byte)
        api->compacted = api->version;
}

/* etcd was restored from a backup. */
static bool go_back(struct fake_api *api)
{
    if (api->past_count == 0)
        return false;

    const struct past *past = &api->pasts[below(api, api->past_count)];

    tell(api, "  back from %lld to %lld", (long long)api->version, (long long)past->version);
    json_decref(api->objects);
    api->objects = json_copy(past->objects);
    api->version = past->version;
    while (api->past_count > 0 && api->pasts[api->past_count - 1].version > api->version)
        json_decref(api->pasts[--api->past_count].objects);
    while (api->logged > 0 && api->log[api->logged - 1].version > api->version)
        json_decref(api->log[--api->logged].object);
    if (api->compacted > api->version)
        api->compacted = api->version;
    api->held = true;
    return true;
}

/* Credentials, as a kubelet writes them: a file is another one at once. */

static void publish(struct fake_api *api, const char *name, const char *text)
{
    folder_write(api->script.folder, "new", text);
    folder_move(api->script.folder, "new", name);
}

static void publish_token(struct fake_api *api)
{
    AUTO(free) char *token = text_format("token-%d\n", api->credential);

    publish(api, "token", token);
}

static void rotate_certificate(struct fake_api *api)
{
    const struct pem_pair *pair = &api->script.pairs[++api->rotations % api->script.pair_count];

    fake_certificate(api->fake, pair);
    publish(api, "ca.crt", pair->cert);
}

static bool is_known(struct fake_api *api, const struct fake_request *request)
{
    AUTO(free) char *given = fake_header(request, "Authorization");
    AUTO(free) char *wanted = text_format("Bearer token-%d", api->credential);

    if (strcmp(given, wanted) == 0)
        return true;
    if (api->late <= 0 || --api->late == 0)
        publish_token(api);
    return false;
}

/* Answers. */

static enum end answer_status(struct out *out, int code, const char *reason, const char *headers)
{
    AUTO(free)
    char *body = text_format("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\":%d,\"reason\":"
                             "\"%s\",\"message\":\"so it is\",\"details\":{\"causes\":[{"
                             "\"reason\":\"%s\"}]}}",
                             code, reason, reason);

    fake_answer(out->peer, code, headers, body);
    return END_KEEP;
}

static const struct {
    const char *fault;
    int code;
    const char *reason, *headers;
} refusals[] = {
    {"500", 500, "InternalError", NULL},
    {"502", 502, "BadGateway", "Content-Type: text/plain\r\n"},
    {"503", 503, "ServiceUnavailable", NULL},
    {"503-later", 503, "ServiceUnavailable", "Retry-After: 1\r\n"},
    {"429", 429, "TooManyRequests", NULL},
    {"429-later", 429, "TooManyRequests", "Retry-After: 1\r\n"},
    {"401", 401, "Unauthorized", NULL},
    {"403", 403, "Forbidden", NULL},
    {"404", 404, "NotFound", NULL},
    {"410", 410, "Expired", NULL},
    {"too-large", 504, "ResourceVersionTooLarge", NULL},
};

static bool refuse(struct out *out, const char *fault, enum end *end)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (!is(fault, refusals[i].fault))
            continue;
        *end = answer_status(out, refusals[i].code, refusals[i].reason, refusals[i].headers);
        return true;
    }
    return false;
}

static enum end break_off(struct out *out, bool reset)
{
    return reset ? (enum end)fake_reset(out->peer) : END_CLOSE;
}

/* All has happened. The lock is not held where it waits for the other end. */
static enum end rest(struct out *out)
{
    pthread_mutex_unlock(&out->api->lock);
    fake_hang(out->peer);
    pthread_mutex_lock(&out->api->lock);
    return END_CLOSE;
}

/* Waits until the other end has enough of it. */
static enum end hang(struct out *out)
{
    atomic_fetch_add(&out->api->stuck, 1);
    rest(out);
    atomic_fetch_sub(&out->api->stuck, 1);
    return END_CLOSE;
}

/* The same, and sends the same again and again. */
static enum end trickle(struct out *out, const char *text)
{
    pthread_mutex_unlock(&out->api->lock);
    atomic_fetch_add(&out->api->stuck, 1);
    while (fake_puts(out->peer, text))
        fake_pause(out->peer, 1);
    atomic_fetch_sub(&out->api->stuck, 1);
    pthread_mutex_lock(&out->api->lock);
    return END_CLOSE;
}

#define SLOW "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"

/* True: nothing more comes of it. */
static bool get_stuck(struct out *out, const char *fault, enum end *end)
{
    if (is(fault, "mute")) {
        *end = hang(out);
        return true;
    }
    if (is(fault, "trickle")) {
        fake_puts(out->peer, SLOW);
        *end = trickle(out, " ");
        return true;
    }
    return false;
}

/* Lists. */

static json_t *list_head(struct fake_api *api, int64_t version, const char *token)
{
    const struct kube_watched *watched = api->script.watched;
    const struct kube_resource *resource = &watched->resource;
    AUTO(free)
    char *group =
             text_format("%s%s%s", resource->group, *resource->group ? "/" : "", resource->version),
         *kind = text_format("%sList", resource->kind),
         *number = text_format("%lld", (long long)version);
    json_t *list = json_object(), *metadata = json_object();

    tree_put_text(metadata, "resourceVersion", number);
    tree_put_text(metadata, "continue", token);
    tree_put_text(list, "apiVersion", watched->metadata_only ? "meta.k8s.io/v1" : group);
    tree_put_text(list, "kind", watched->metadata_only ? "PartialObjectMetadataList" : kind);
    tree_put_new(list, "metadata", metadata);
    return list;
}

/* Sends what is to be a list, or what a fault makes of it. */
static enum end send_list(struct out *out, const json_t *list, const char *fault)
{
    AUTO(text) struct text body = {0};
    size_t length;

    tree_write(&body, list, random_often(&out->api->random, 30));
    if (is(fault, "half")) {
        body.data[below(out->api, body.length)] = '\0';
    } else if (is(fault, "cut") || is(fault, "reset")) {
        length = below(out->api, body.length);
        fake_puts(out->peer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");

        AUTO(free) char *header = text_format("Content-Length: %zu\r\n\r\n", body.length);

        fake_puts(out->peer, header);
        fake_send(out->peer, body.data, length);
        return break_off(out, is(fault, "reset"));
    }
    fake_answer(out->peer, 200, NULL, body.data);
    return END_KEEP;
}

static json_t *values(const json_t *objects)
{
    json_t *list = json_array();
    const json_t *object;
    const char *key;

    tree_each (objects, key, object)
        tree_push_new(list, tree_share(object));
    return list;
}

/* One page of what is left; the rest waits under a new token. */
static enum end send_page(struct out *out, json_t *left, int64_t version, bool paged,
                          const char *fault)
{
    struct fake_api *api = out->api;
    size_t size = paged ? 1 + below(api, 5) : json_array_size(left), i;
    bool more = json_array_size(left) > size;
    AUTO(free) char *token = more ? text_format("token-%d", ++api->tokens) : NULL;
    AUTO(json) json_t *list = list_head(api, version, token);
    json_t *items = json_array();
    const json_t *object;

    tree_items (left, i, object) {
        if (i < size)
            tree_push_new(items, wire_object(api, object, true));
    }
    tree_put_new(list, "items", items);
    if (more) {
        json_t *page = json_object(), *rest = json_copy(left);

        for (i = 0; i < size; i++)
            json_array_remove(rest, 0);
        tree_put_new(page, "items", rest);
        tree_put_int(page, "version", version);
        tree_put_new(api->pages, token, page);
    }
    return send_list(out, list, fault);
}

static enum end serve_later_page(struct out *out, const struct ask *ask)
{
    static const char *const faults[] = {"410",   "410",  "410",  "503", "cut",
                                         "reset", "half", "loop", "mute"};
    struct fake_api *api = out->api;
    const json_t *page = tree_get(api->pages, ask->token);
    AUTO(json) json_t *left = json_copy(json_object_get(page, "items"));
    const char *fault = FAULT_OF(api, "page", faults);
    int64_t version = tree_int(page, "version", 0);
    enum end end;

    if (ask->version >= 0)
        return answer_status(out, 400, "BadRequest", NULL);
    if (!page)
        return answer_status(out, 410, "Expired", NULL);
    if (refuse(out, fault, &end) || get_stuck(out, fault, &end))
        return end;
    if (is(fault, "loop")) {
        AUTO(json) json_t *list = list_head(api, version, ask->token);

        return send_list(out, list, NULL);
    }
    return send_page(out, left, version, true, fault);
}

static enum end serve_list(struct out *out, const struct ask *ask)
{
    static const char *const faults[] = {"500",       "502",   "503",   "503-later", "429",
                                         "429-later", "401",   "403",   "404",       "410",
                                         "too-large", "cut",   "reset", "half",      "html",
                                         "kind",      "stale", "stale", "mute",      "trickle"};
    struct fake_api *api = out->api;
    const char *fault = FAULT_OF(api, "list", faults);
    bool stale = is(fault, "stale") && api->past_count > 0;
    const struct past *past = stale ? &api->pasts[below(api, api->past_count)] : NULL;
    AUTO(json) json_t *left = values(stale ? past->objects : api->objects);
    enum end end;

    if (refuse(out, fault, &end) || get_stuck(out, fault, &end))
        return end;
    if (is(fault, "html")) {
        fake_answer(out->peer, 200, "Content-Type: text/html\r\n", "<html>Sign in</html>");
        return END_KEEP;
    }
    if (is(fault, "kind")) {
        fake_answer(out->peer, 200, NULL, "{\"kind\":\"Table\",\"rows\":[]}");
        return END_KEEP;
    }
    if (ask->version > api->version)
        return answer_status(out, 504, "ResourceVersionTooLarge", NULL);
    api->held = false;
    return send_page(out, left, stale ? past->version : api->version,
                     ask->limit > 0 && (ask->version < 0 || random_often(&api->random, 30)), fault);
}

/* Watches. */

static void send_piece(struct out *out, const char *bytes, size_t length)
{
    AUTO(text) struct text piece = {0};

    if (length == 0 || out->broken)
        return;
    if (out->chunked)
        text_addf(&piece, "%zx\r\n", length);
    text_add(&piece, bytes, length);
    if (out->chunked)
        text_puts(&piece, "\r\n");
    out->broken = !fake_send(out->peer, piece.data, piece.length);
}

static void send_bytes(struct out *out, const char *bytes, size_t length)
{
    size_t cut = random_often(&out->api->random, 30) ? below(out->api, length + 1) : length;

    send_piece(out, bytes, cut);
    send_piece(out, bytes + cut, length - cut);
}

static void begin_stream(struct out *out)
{
    out->chunked = random_often(&out->api->random, 70);
    fake_puts(out->peer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
    fake_puts(out->peer,
              out->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Connection: close\r\n\r\n");
}

static enum end end_stream(struct out *out)
{
    if (out->chunked)
        fake_puts(out->peer, "0\r\n\r\n");
    return out->chunked ? END_KEEP : END_CLOSE;
}

static void write_event(struct text *text, struct fake_api *api, const char *type,
                        const json_t *object)
{
    AUTO(json) json_t *wire = wire_object(api, object, false);

    text_addf(text, "{\"type\":\"%s\",\"object\":", type);
    tree_write(text, wire, false);
    text_puts(text, random_often(&api->random, 80) ? "}\n" : "}");
}

static void send_event(struct out *out, const char *type, const json_t *object)
{
    AUTO(text) struct text text = {0};

    write_event(&text, out->api, type, object);
    send_bytes(out, text.data, text.length);
}

static void send_text(struct out *out, const char *text)
{
    send_bytes(out, text, strlen(text));
}

static void send_bookmark(struct out *out, int64_t version, bool end)
{
    AUTO(free)
    char *text = text_format(
        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":"
        "\"v1\",\"metadata\":{\"resourceVersion\":\"%lld\"%s}}}\n",
        (long long)version, end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");

    send_text(out, text);
}

static void send_error(struct out *out, int code, const char *reason)
{
    AUTO(free)
    char *text = text_format("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":%d,"
                             "\"reason\":\"%s\",\"message\":\"so it is\",\"details\":{\"causes\":"
                             "[{\"reason\":\"%s\"}]}}}\n",
                             code, reason, reason);

    send_text(out, text);
}

/* Half of an event, or as much as a script says. */
static enum end send_half(struct out *out, const struct happening *event, size_t length, bool reset)
{
    AUTO(text) struct text text = {0};

    write_event(&text, out->api, event->type, event->object);
    send_piece(out, text.data, length < text.length ? length : text.length);
    return break_off(out, reset);
}

/* What may go wrong while events are sent and the stream goes on. */
static void disturb(struct out *out, const struct happening *event, const char *fault)
{
    struct fake_api *api = out->api;
    const struct happening *older = &api->log[below(api, api->logged)];

    if (is(fault, "twice"))
        send_event(out, event->type, event->object);
    else if (is(fault, "older"))
        send_event(out, older->type, older->object);
    else if (is(fault, "storm"))
        for (int i = 0; i < 200; i++)
            send_bookmark(out, event->version, false);
    else if (is(fault, "mark-old"))
        send_bookmark(out, 1, false);
    else if (is(fault, "mark-empty"))
        send_text(out, "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}");
    else if (is(fault, "type"))
        send_text(out, "{\"type\":\"SYNCED\",\"object\":{}}\n");
    else if (is(fault, "other-kind"))
        send_text(out,
                  "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Secret\",\"apiVersion\":\"v1\"}}");
    else if (is(fault, "unknown")) {
        AUTO(json) json_t *stranger = make_object(api, "stranger", "uid-of-nobody");
        AUTO(free) char *version = text_format("%lld", (long long)event->version);

        /* no server names a version that is ahead of what it has still to tell */
        tree_put_text(json_object_get(stranger, "metadata"), "resourceVersion", version);
        send_event(out, "DELETED", stranger);
    }
}

/* What ends a stream while nothing happens. True: it did. */
static bool cease(struct out *out, const char *fault, enum end *end)
{
    static const struct {
        const char *fault;
        int code;
        const char *reason;
    } errors[] = {{"error-410", 410, "Expired"},
                  {"error-429", 429, "TooManyRequests"},
                  {"error-500", 500, "InternalError"},
                  {"error-504", 504, "ResourceVersionTooLarge"},
                  {"error-403", 403, "Forbidden"}};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (is(fault, errors[i].fault))
            send_error(out, errors[i].code, errors[i].reason);
    if (is(fault, "garbage"))
        send_text(out, "<html>502</html>");
    if (is(fault, "back"))
        go_back(out->api);
    if (is(fault, "silent")) {
        *end = hang(out);
        return true;
    }
    if (!fault || is(fault, "compact")) {
        if (fault)
            out->api->compacted = out->api->version;
        return false;
    }
    *end = is(fault, "cut") || is(fault, "back") ? break_off(out, false)
           : is(fault, "reset")                  ? break_off(out, true)
                                                 : end_stream(out);
    return true;
}

static const struct happening *event_after(const struct fake_api *api, int64_t version)
{
    for (size_t i = 0; i < api->logged; i++)
        if (api->log[i].version > version)
            return &api->log[i];
    return NULL;
}

/* Each event is cut once behind another byte; the watch before it had seen the version before. */
static bool cuts_here(struct fake_api *api, const struct happening *event)
{
    AUTO(free) char *name = text_format("v%lld", (long long)event->version);

    if (!api->script.cut_each_byte || api->finished || tree_int(api->counts, name, 0))
        return false;
    tree_put_int(api->counts, name, 1);
    return true;
}

static size_t cuts(const struct fake_api *api)
{
    return json_object_size(api->counts);
}

/* True when the stream is over. */
static bool send_next(struct out *out, const struct happening *event, enum end *end)
{
    static const char *const faults[] = {"half",       "half-reset", "twice", "older",
                                         "storm",      "mark-old",   "type",  "mark-empty",
                                         "other-kind", "unknown"};
    struct fake_api *api = out->api;

    if (cuts_here(api, event)) {
        *end = send_half(out, event, cuts(api), cuts(api) % 2);
        return true;
    }

    const char *fault = FAULT_OF(api, "event", faults);

    if (is(fault, "half") || is(fault, "half-reset")) {
        *end = send_half(out, event, below(api, 300), is(fault, "half-reset"));
        return true;
    }
    send_event(out, event->type, event->object);
    disturb(out, event, fault);
    return false;
}

static enum end send_events(struct out *out, int64_t version, bool bookmarks)
{
    static const char *const faults[] = {"end",       "cut",       "reset",     "error-410",
                                         "error-429", "error-500", "error-504", "error-403",
                                         "garbage",   "back",      "compact",   "silent"};
    struct fake_api *api = out->api;
    const struct happening *event;
    enum end end;

    while (!out->broken) {
        if ((event = event_after(api, version))) {
            version = event->version;
            if (send_next(out, event, &end))
                return end;
            continue;
        }
        if (bookmarks && random_often(&api->random, 20))
            send_bookmark(out, api->version, false);
        if (api->finished)
            return rest(out);
        if (api->held)
            return hang(out);
        if (cease(out, FAULT_OF(api, "idle", faults), &end))
            return end;
        change(api);
    }
    return END_CLOSE;
}

static enum end send_initial(struct out *out, const struct ask *ask)
{
    static const char *const faults[] = {"cut", "reset", "end", "error-429", "garbage", "silent"};
    struct fake_api *api = out->api;
    AUTO(json) json_t *objects = values(api->objects);
    size_t i, start = json_array_size(objects) ? below(api, json_array_size(objects)) : 0;
    enum end end;

    for (i = 0; i < json_array_size(objects); i++) {
        if (cease(out, FAULT_OF(api, "initial", faults), &end))
            return end;
        send_event(out, "ADDED", json_array_get(objects, (i + start) % json_array_size(objects)));
    }
    if (api->script.streams == STREAMS_UNMARKED)
        return hang(out);
    if (api->script.streams == STREAMS_BUSY && !out->chunked)
        return trickle(out, "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{"
                            "\"resourceVersion\":\"1\"}}}\n");
    if (api->script.streams == STREAMS_BUSY)
        return trickle(out, "1\r\n\n\r\n");
    send_bookmark(out, api->version, true);
    return send_events(out, api->version, ask->bookmarks);
}

static enum end serve_stream(struct out *out, const struct ask *ask)
{
    struct fake_api *api = out->api;

    switch (api->script.streams) {
    case STREAMS_INVALID:
        return answer_status(out, 422, "Invalid", NULL);
    case STREAMS_UNKNOWN:
        return answer_status(out, 400, "BadRequest", NULL);
    case STREAMS_FAIL:
        begin_stream(out);
        send_error(out, 500, "InternalError");
        return end_stream(out);
    case STREAMS_IGNORED:
        begin_stream(out);
        return hang(out);
    default:
        break;
    }
    begin_stream(out);
    if (ask->version > api->version) {
        send_error(out, 504, "ResourceVersionTooLarge");
        return end_stream(out);
    }
    api->held = false;
    return send_initial(out, ask);
}

/* A version that is not there yet, or not any more. True: it was answered. */
static bool serve_strange_version(struct out *out, const struct ask *ask, enum end *end)
{
    struct fake_api *api = out->api;
    bool late = ask->version > api->version, event = random_often(&api->random, 60);
    const char *reason = late ? "ResourceVersionTooLarge" : "Expired";

    if (!late && ask->version >= api->compacted)
        return false;
    tell(api, "  %s", reason);
    if (late && random_often(&api->random, 20)) {
        begin_stream(out);
        *end = hang(out);
    } else if (event) {
        begin_stream(out);
        send_error(out, late ? 504 : 410, reason);
        *end = end_stream(out);
    } else {
        *end = answer_status(out, late ? 504 : 410, reason, NULL);
    }
    return true;
}

static enum end serve_watch(struct out *out, const struct ask *ask)
{
    static const char *const faults[] = {"500", "502",   "503",  "503-later", "429",  "401",
                                         "403", "404",   "410",  "too-large", "html", "end",
                                         "cut", "reset", "mute", "trickle"};
    struct fake_api *api = out->api;
    const char *fault = FAULT_OF(api, "open", faults);
    enum end end;

    if (refuse(out, fault, &end) || get_stuck(out, fault, &end))
        return end;
    if (is(fault, "html")) {
        fake_answer(out->peer, 200, "Content-Type: text/html\r\n", "<html>Sign in</html>");
        return END_KEEP;
    }
    if (ask->initial)
        return serve_stream(out, ask);
    if (serve_strange_version(out, ask, &end))
        return end;
    api->held = false;
    begin_stream(out);
    if (cease(out, fault, &end))
        return end;
    return send_events(out, ask->version, ask->bookmarks);
}

/* Requests. */

static char *query(const char *path, const char *key)
{
    struct span rest = span_of(strchr(path, '?') ? strchr(path, '?') + 1 : ""), pair;
    size_t length = strlen(key);

    while (text_split(&rest, '&', &pair))
        if (pair.length > length && strncmp(pair.data, key, length) == 0 &&
            pair.data[length] == '=')
            return text_dup(pair.data + length + 1, pair.length - length - 1);
    return NULL;
}

static int64_t query_number(const char *path, const char *key, int64_t otherwise)
{
    AUTO(free) char *value = query(path, key);

    return value ? strtoll(value, NULL, 10) : otherwise;
}

static struct ask ask_of(const struct fake_api *api, const char *path)
{
    AUTO(free) char *initial = query(path, "sendInitialEvents");
    AUTO(free) char *bookmarks = query(path, "allowWatchBookmarks");

    return (struct ask){.watch = query_number(path, "watch", 0) == 1,
                        .initial = initial && strcmp(initial, "true") == 0,
                        .bookmarks = bookmarks && api->script.bookmarks,
                        .version = query_number(path, "resourceVersion", -1),
                        .limit = query_number(path, "limit", 0),
                        .token = query(path, "continue")};
}

/* Whoever watches with the type of a list is sent nothing, as by a real server. */
static bool accepts(struct fake_api *api, const struct fake_request *request, bool watch)
{
    AUTO(free) char *accept = fake_header(request, "Accept");

    return strcmp(accept, watch ? watched_accept(api->script.watched)
                                : watched_accept_list(api->script.watched)) == 0;
}

/* A version with a match, and neither with a token, which has its own. */
static bool asks_well(const struct fake_request *request, const struct ask *ask)
{
    AUTO(free) char *match = query(request->path, "resourceVersionMatch");

    if (ask->watch)
        return ask->initial ? is(match, "NotOlderThan") : !match;
    return ask->version >= 0 ? is(match, "NotOlderThan") && !ask->token : !match;
}

/* Whoever asks has to be known; now and then he is not any more. True: it was answered. */
static bool serve_stranger(struct out *out, const struct fake_request *request, enum end *end)
{
    static const char *const faults[] = {"token", "late", "empty", "certificate"};
    struct fake_api *api = out->api;

    if (!api->script.pairs)
        return false;

    const char *fault = FAULT_OF(api, "access", faults);

    if (is(fault, "token") || is(fault, "late"))
        api->credential++;
    if (is(fault, "token"))
        publish_token(api);
    if (is(fault, "late"))
        api->late = 1 + (int)below(api, 3);
    if (is(fault, "empty"))
        publish(api, "token", "");
    if (is(fault, "certificate") && api->rotations < ROTATIONS_MAX) {
        rotate_certificate(api);
        *end = break_off(out, false);
        return true;
    }
    if (is_known(api, request))
        return false;
    *end = answer_status(out, 401, "Unauthorized", NULL);
    return true;
}

static enum end answer(struct out *out, const struct fake_request *request, const struct ask *ask)
{
    enum end end;

    if (serve_stranger(out, request, &end))
        return end;
    if (!asks_well(request, ask))
        return answer_status(out, 418, "Teapot", NULL);
    if (!accepts(out->api, request, ask->watch))
        return answer_status(out, 406, "NotAcceptable", NULL);
    if (ask->watch)
        return serve_watch(out, ask);
    return ask->token ? serve_later_page(out, ask) : serve_list(out, ask);
}

static bool serve(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct fake_api *api = context;
    struct out out = {.api = api, .peer = peer};
    struct ask ask = ask_of(api, request->path);

    pthread_mutex_lock(&api->lock);
    tell(api, "%s", request->path);

    enum end end = answer(&out, request, &ask);

    pthread_mutex_unlock(&api->lock);
    free(ask.token);
    return end;
}

/* Life. */

struct fake_api *fake_api_start(const struct fake_script *script)
{
    struct fake_api *api = text_alloc(sizeof *api);

    api->script = *script;
    api->random = random_case(script->seed, 0);
    api->objects = json_object();
    api->pages = json_object();
    api->counts = json_object();
    api->version = 95;
    api->changes = script->changes;
    api->faults = script->faults;
    pthread_mutex_init(&api->lock, NULL);
    for (size_t i = below(api, 8); i > 0; i--)
        change(api);
    api->fake = fake_start(script->pairs, serve, api);
    if (script->pairs) {
        publish_token(api);
        publish(api, "ca.crt", script->pairs->cert);
        snprintf(api->url, sizeof api->url, "%s", fake_url(api->fake));
    } else {
        snprintf(api->url, sizeof api->url, "http://127.0.0.1%s",
                 strrchr(fake_url(api->fake), ':'));
    }
    return api;
}

void fake_api_stop(struct fake_api *api)
{
    fake_stop(api->fake);
    for (size_t i = 0; i < api->logged; i++)
        json_decref(api->log[i].object);
    for (size_t i = 0; i < api->past_count; i++)
        json_decref(api->pasts[i].objects);
    json_decref(api->objects);
    json_decref(api->pages);
    json_decref(api->counts);
    text_done(&api->story);
    pthread_mutex_destroy(&api->lock);
    free(api->log);
    free(api);
}

const char *fake_api_url(const struct fake_api *api)
{
    return api->url;
}

int64_t fake_api_now_ms(struct fake_api *api)
{
    if (atomic_load(&api->stuck) > 0)
        atomic_fetch_add(&api->late_ms, 60000);
    return clock_mono_ms() + atomic_load(&api->late_ms);
}

json_t *fake_api_objects(struct fake_api *api)
{
    pthread_mutex_lock(&api->lock);

    json_t *list = values(api->objects);

    pthread_mutex_unlock(&api->lock);
    return list;
}

char *fake_api_story(struct fake_api *api)
{
    pthread_mutex_lock(&api->lock);

    char *story = text_format("%s", text_get(&api->story));

    pthread_mutex_unlock(&api->lock);
    return story;
}

json_t *fake_api_faults(struct fake_api *api)
{
    pthread_mutex_lock(&api->lock);

    json_t *faults = json_copy(api->script.cut_each_byte ? NULL : api->counts);

    pthread_mutex_unlock(&api->lock);
    return faults;
}
