#pragma once

#include <stdbool.h>

#include "kube/client.h"

/*
 * What the leader looks at by name: each object has a watch, of its metadata alone, that says when
 * a look is worth it. So nothing of a Secret is kept here, and what is decided is decided from what
 * was just read. While a watch is missing (no right, the API server is away) nobody is told, and
 * the leader looks at regular times instead.
 */
struct lookout;

/** What a change is a reason to look at: bits. */
enum lookout_topic {
    LOOKOUT_STASH = 1,        /* is it installed */
    LOOKOUT_CERTIFICATES = 2, /* all that certificates are decided from */
    LOOKOUT_SLICE = 4,        /* the EndpointSlice that leads agents here */
    LOOKOUT_WEBHOOK = 8,      /* whether the API server reaches it */
};

/** Whom to watch. Borrowed. */
struct lookout_plan {
    struct kube_client *client; /* for lists and watches */
    const char *space;          /* our namespace */
    /** Whether one of enum certificates_object is looked at at all: what is not may be forbidden.
     */
    bool (*needs)(const void *context, int object);
    const void *context;
};

/** @return  To be ended by lookout_stop(); NULL without threads. Nothing has to be reachable. */
struct lookout *lookout_start(const struct lookout_plan *plan, struct error *err) MUST_CHECK;

/** At once after kube_client_cancel(). NULL is fine. */
void lookout_stop(struct lookout *lookout);

/** Topics of which something changed since this was asked last. NULL: none. */
unsigned lookout_take(struct lookout *lookout);

/** True while every watch of these topics stands: all changes are told. NULL: false. */
bool lookout_stands(struct lookout *lookout, unsigned topics);
