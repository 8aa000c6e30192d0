#pragma once

#include "controllers/certificates.h"

/*
 * An API server with the objects that certificates are about, as JSON in memory, and a leader who
 * carries out what is decided. A write that tests another resourceVersion fails, as there.
 */
struct world {
    json_t *objects[CERTIFICATES_OBJECTS]; /* NULL: absent */
    bool unreadable[CERTIFICATES_OBJECTS];
    enum certificates_source source;
    const char *bundle; /* of files */
    bool doubted, stash, refuses;
    bool serves; /* the agent API, with what follows: lost as the memory is */
    struct certificates_leaf agents;
    int64_t version, now_s, mono_s;
    struct certificates_memory memory; /* the leader's; lost when he dies */
    size_t writes;                     /* so far, each object once */
    char steps[512];                   /* that led to them, by name, with blanks between */
};

#define WORLD_SPACE "granary-system"

/** As after `kubectl apply -k manifests/`: configurations without caBundle, nothing else. */
void world_start(struct world *world);
void world_done(struct world *world);

static inline void auto_world(struct world *world)
{
    world_done(world);
}

/** What a leader sees now. Borrows the objects. */
struct certificates_seen world_see(const struct world *world, bool publish_fails);

/** Carries out one write; false: somebody was faster, or places refuse. */
bool world_write(struct world *world, const struct certificates_write *write);

/**
 * A leader's turn: looks, writes, until there is nothing to do.
 *
 * @param lives  He dies after so many writes (then false); SIZE_MAX: he does not.
 */
bool world_turn(struct world *world, size_t lives);

/** Time goes by, both clocks. */
void world_wait(struct world *world, int64_t seconds);

/** Another leader, who remembers nothing. */
void world_elect(struct world *world);

/** A client with a right clock, who believes each of our entries, accepts the webhook's
 *  certificate. */
bool world_works(const struct world *world);

/** All is as it should be: it works, everything is published everywhere, one CA signs. */
bool world_is_well(const struct world *world);

/** Changes an object as somebody else would: the value at a path, removed when NULL. */
void world_set(struct world *world, enum certificates_object object, const char *path,
               json_t *value_new);
void world_delete(struct world *world, enum certificates_object object);

/** The webhook's certificate as it stands in the Secret, "" when there is none. Borrowed. */
const char *world_leaf(const struct world *world);
