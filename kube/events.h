#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "kube/client.h"
#include "kube/event_book.h"

/* Tells events to the API server from a thread of its own, so that nobody waits for it. */
struct kube_events;

/** @param source  Its strings live as long as the result.
 *  @return        To be ended by kube_events_stop(). */
struct kube_events *kube_events_start(struct kube_client *client, const struct event_source *source,
                                      struct error *err) MUST_CHECK;

/** Notes an event; any thread, waits for nothing. What can not be kept is dropped, and counted.
 *  @param object  What it is about. Borrowed for the call. */
void kube_events_note(struct kube_events *events, const json_t *object,
                      const struct kube_event *event);

/** Tells what can be told within so long, and frees. A request that is under way takes 5 s at most.
 *  NULL is fine. */
void kube_events_stop(struct kube_events *events, int64_t within_ms);

struct event_facts kube_events_look(struct kube_events *events);
