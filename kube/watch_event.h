#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"
#include "kube/watched.h"

enum watch_type {
    WATCH_CHANGED, /* ADDED or MODIFIED: after a break one is as good as the other */
    WATCH_DELETED,
    WATCH_BOOKMARK,
    WATCH_ERROR,
    WATCH_STRANGE /* to be counted and passed over: an unknown type, an object of another kind */
};

/** One event of a watch. {0} before; release with watch_event_done(). */
struct watch_event {
    enum watch_type type;
    json_t *object;      /* owned; of CHANGED and DELETED, as watched_take() makes it; else NULL */
    const char *version; /* its resource version, or a bookmark's; NULL when it names none */
    bool initial_end;    /* a bookmark that ends the initial events of a streaming list */
    int status;          /* of ERROR: the Status' code; 500 when it names none */
    bool too_large_version; /* of ERROR: the server does not know that version yet */
    json_t *kept;           /* owned; what `version` points into */
};

/**
 * Decodes one frame: {"type": ..., "object": ...}.
 *
 * @param err  The message of an ERROR's Status; why the event is STRANGE; why it is no JSON.
 * @return     False when the bytes are no JSON object: the stream can not be trusted any more.
 *
 * Spec: Kubernetes API concepts, watch; catalogue AF8, W10.
 */
bool watch_event_decode(const struct kube_watched *watched, struct span frame,
                        struct watch_event *event, struct error *err) MUST_CHECK;

void watch_event_done(struct watch_event *event);

static inline void auto_watch_event(struct watch_event *event)
{
    watch_event_done(event);
}

/** True when a metav1.Status says that a resource version lies in the future. Also of an answer's
 *  body. Spec: catalogue W14. */
bool status_is_too_large_version(const json_t *status);
