#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/settings.h"
#include "base/error.h"
#include "controllers/repository_holders.h"
#include "kube/client.h"
#include "kube/event_book.h"

/*
 * The edge of maintenance_next(): carries one step out. A step is one write, which names the state
 * that it was decided from; when that has changed, ERROR_CONFLICT says so and nothing happened.
 * Whoever calls looks again and asks again, whatever the answer was. What a Job and its pods are is
 * read anew while maintenance has the Repository alone, never from a cache.
 */

/** Who acts; borrowed. */
struct maintenance_edge {
    struct kube_client *client; /* fenced */
    const char *space;          /* ours, where the Leases are */
    const char *cluster;        /* UID of this one */
    const struct settings *settings;

    /** What is known of one who shares the Repository; only proof takes him out. */
    enum holder_state (*state)(void *context, const struct holder *holder);
    /** Told of what people should know; NULL: nobody. */
    void (*tell)(void *context, const json_t *object, const struct kube_event *event);
    void *context;
};

/** What is known. All borrowed. */
struct maintenance_sight {
    const char *key; /* "namespace/name" */
    const json_t *repository;
    const json_t *lease;          /* of the Repository; NULL: none */
    const json_t *configurations; /* that may write to it */
    const json_t *sessions;       /* of those */
    bool crowded;                 /* as many drills as may be are at work elsewhere */
    bool taken, beside;           /* see maintenance_next.h */
    bool shared;                  /* another Repository that is written to has its place */
    bool restricted;              /* its namespace enforces Pod Security level restricted */
    int64_t now_s;
};

/** What a step led to. */
struct maintenance_turn {
    bool wrote;        /* something was: look again */
    bool let_in;       /* others may work there now */
    int64_t look_s;    /* else: when to look again at the latest */
    char problem[256]; /* what keeps it from being done; "": nothing */
    bool bad;          /* and that is a mistake of somebody */
};

bool maintenance_edge_step(const struct maintenance_edge *edge,
                           const struct maintenance_sight *sight, struct maintenance_turn *turn,
                           struct error *err) MUST_CHECK;

/**
 * Takes out of a ledger those of whom there is proof: who shares the Repository as `state` of the
 * edge says, who has it alone when the pods of its Job, read anew, have ended.
 *
 * @param space    Of the Repository.
 * @param holders  Edited.
 * @param gone     How many went.
 */
bool maintenance_sweep(const struct maintenance_edge *edge, const char *space,
                       struct holders *holders, size_t *gone, struct error *err) MUST_CHECK;

/** What follows from what the Lease of a target says of one who shares a Repository: it has no
 *  claim of his, and he is no newcomer. */
enum holder_state maintenance_state_of(const json_t *leases, const struct holder *holder,
                                       int64_t now_s);

/** True of a pod that restores without a session, on an empty volume: it goes by its own UID. */
bool maintenance_is_pod(const struct holder *holder);

/** What follows for such a one from the pods that are known and have not ended. */
enum holder_state maintenance_state_of_pod(const json_t *pods, const struct holder *holder,
                                           int64_t now_s);
