#include "kube/watch_event.h"

#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/tree.h"

#define INITIAL_END "k8s.io/initial-events-end"
#define VERSION "resourceVersion"

bool status_is_too_large_version(const json_t *status)
{
    const json_t *causes = tree_at(status, "details.causes"), *cause;
    const char *message = tree_text(status, "message");
    size_t i;

    tree_items (causes, i, cause)
        if (span_is(tree_span(cause, "reason"), "ResourceVersionTooLarge"))
            return true;
    /* API servers before 1.17 name no cause */
    return tree_int(status, "code", 0) == ERROR_TIMEOUT && message &&
           strncmp(message, "Too large resource version", 26) == 0;
}

static void decode_error(struct watch_event *event, const json_t *status, struct error *err)
{
    const char *message = tree_text(status, "message");
    int64_t code = tree_int(status, "code", 0);

    event->type = WATCH_ERROR;
    event->status = code >= 400 && code <= 599 ? (int)code : ERROR_INTERNAL;
    if (span_is(tree_span(status, "reason"), "Expired") ||
        span_is(tree_span(status, "reason"), "Gone"))
        event->status = ERROR_GONE;
    event->too_large_version = status_is_too_large_version(status);
    error_set(err, (enum error_code)event->status, "%s", message ? message : "an error event");
}

static const char *version_text(const json_t *value)
{
    struct span version = tree_value(value);
    bool fits = version.length > 0 && version.length <= KUBE_VERSION_MAX_CHARS &&
                !memchr(version.data, '\0', version.length);

    return fits ? version.data : NULL;
}

static const char *version_of(const json_t *object)
{
    return version_text(tree_get(tree_get(object, "metadata"), VERSION));
}

/* Only its metadata counts: servers differ in what kind they give to a bookmark's object. */
static void decode_bookmark(struct watch_event *event, json_t *object)
{
    const json_t *notes = tree_at(object, "metadata.annotations");

    event->type = WATCH_BOOKMARK;
    event->initial_end = span_is(tree_span(notes, INITIAL_END), "true");
    event->version = version_of(object);
    event->kept = json_incref(object);
}

static void decode_object(const struct kube_watched *watched, struct watch_event *event,
                          enum watch_type type, json_t *object, struct error *err)
{
    /* watched_take() may drop it from the object */
    event->kept = json_incref(json_object_get(json_object_get(object, "metadata"), VERSION));
    if (!watched_take(watched, object, false, err)) {
        event->type = WATCH_STRANGE;
        return;
    }
    event->type = type;
    event->object = json_incref(object);
    event->version = version_text(event->kept);
}

static void decode(const struct kube_watched *watched, struct watch_event *event, json_t *frame,
                   struct error *err)
{
    struct span type = tree_span(frame, "type");
    json_t *object = json_object_get(frame, "object");

    if (span_is(type, "ADDED") || span_is(type, "MODIFIED")) {
        decode_object(watched, event, WATCH_CHANGED, object, err);
    } else if (span_is(type, "DELETED")) {
        decode_object(watched, event, WATCH_DELETED, object, err);
    } else if (span_is(type, "BOOKMARK")) {
        decode_bookmark(event, object);
    } else if (span_is(type, "ERROR")) {
        decode_error(event, object, err);
    } else {
        event->type = WATCH_STRANGE;
        error_set(err, ERROR_BAD_REQUEST, "an event of type \"%.40s\"", type.data ? type.data : "");
    }
}

bool watch_event_decode(const struct kube_watched *watched, struct span frame,
                        struct watch_event *event, struct error *err)
{
    AUTO(scan) struct scan scan = {0};

    if (!scan_text(&scan, frame, err))
        return error_wrap(err, "an event");

    AUTO(json) json_t *tree = scan_tree(&scan, 0, NULL);

    if (!json_is_object(tree))
        return error_set(err, ERROR_BAD_REQUEST, "an event that is no object");
    decode(watched, event, tree, err);
    return true;
}

void watch_event_done(struct watch_event *event)
{
    json_decref(event->object);
    json_decref(event->kept);
    *event = (struct watch_event){0};
}
