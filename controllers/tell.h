#pragma once

#include <pthread.h>

#include "controllers/status.h"
#include "kube/verbs.h"

/* Different things that are told within TELL_AGAIN_S; more wait until then. */
#define TELL_KNOWN 16

/* The same is told again after so long: seconds. A repeated failure is one event, not a hundred. */
#define TELL_AGAIN_S INT64_C(600)

/** One thing to be told as Event of Deployment granary-controller. */
struct telling {
    bool warning;
    const char *reason; /* CamelCase */
    const char *note;   /* one sentence */
};

/** What was told when. {0} is nothing. */
struct tell_memory {
    struct {
        uint64_t hash; /* of reason and note */
        int64_t said_s;
    } known[TELL_KNOWN];
};

/** Whether to tell it now; noted when it is. Pure. @param now_s  Steady clock, above 0. */
bool tell_is_new(struct tell_memory *memory, const struct telling *telling, int64_t now_s);

/** The Event. New object. @param wall_ms  Also makes its name, with `number`. */
json_t *tell_event(const struct telling *telling, const char *space, const char *instance,
                   int64_t wall_ms, uint64_t number);

/** The edge. `memory` and `number` are its own. From one thread. */
struct teller {
    struct kube_client *client;
    const char *space, *instance;
    struct status *status;
    struct tell_memory memory;
    uint64_t number;
};

/** Writes it, unless it was told a moment ago. What can not be written is counted: nothing depends
 *  on it. */
void tell_now(struct teller *teller, const struct telling *telling);
