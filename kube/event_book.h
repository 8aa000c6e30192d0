#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

/*
 * Events that are still to be told, and those that were told lately: the same again only counts.
 * Pure; time is an argument. kube/events.h sends them.
 *
 * An object gets EVENT_BURST events at once and then one in EVENT_PAUSE_MS; what is held back is
 * still counted, so that the number is right when it is told. When more than EVENT_ALIKE_MAX differ
 * in their note only, further ones are told as one. Spec: events.k8s.io/v1; Kubernetes API
 * conventions.
 */

/** What happened. Borrowed for the call. */
struct kube_event {
    bool warning;       /* something that somebody should look at; else Normal */
    const char *reason; /* "CertificateRotated": a constant of ours, unique, in CamelCase */
    const char *action; /* "Rotate": what was being done */
    const char *note;   /* for people; never with values of a Secret. Made printable, and cut at
                           EVENT_NOTE_MAX_BYTES */
};

/** Who tells. Strings live as long as the book. */
struct event_source {
    const char *controller; /* "granary.dev/controller" */
    const char *instance;   /* name of the pod, at most 128 characters */
};

struct event_book;

struct event_book *event_book_make(const struct event_source *source);
void event_book_free(struct event_book *book);

static inline void auto_event_book(struct event_book **book)
{
    event_book_free(*book);
}

/**
 * Notes an event.
 *
 * @param object   What it is about: apiVersion, kind and metadata count. Borrowed.
 * @param now_ms   Steady clock.
 * @param wall_ms  For people.
 * @return         False: no room (EVENTS_MAX wait already) or no object; it is counted as dropped.
 */
bool event_book_note(struct event_book *book, const json_t *object, const struct kube_event *event,
                     int64_t now_ms, int64_t wall_ms);

/** One request that tells something. {0} before; release with event_request_done(). */
struct event_request {
    size_t entry;
    bool create;        /* else: a merge patch of what was told before */
    char *space, *name; /* owned */
    json_t *body;       /* owned */
    int64_t count;      /* that it tells */
};

void event_request_done(struct event_request *request);

static inline void auto_event_request(struct event_request *request)
{
    event_request_done(request);
}

/**
 * The next one. Only one at a time is under way: event_book_told() follows.
 *
 * @return  -1: `request` is to be sent; else milliseconds until there may be one, INT64_MAX: none
 * is waiting.
 */
int64_t event_book_next(struct event_book *book, int64_t now_ms, struct event_request *request);

/** @param status  HTTP; 0: no answer. Some are tried again, EVENT_TRIES times. */
void event_book_told(struct event_book *book, const struct event_request *request, int status,
                     int64_t now_ms);

struct event_facts {
    int64_t told, dropped, failed;
    size_t waiting, kept;
};
struct event_facts event_book_look(const struct event_book *book);
