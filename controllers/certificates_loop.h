#pragma once

#include "certs/store.h"
#include "controllers/certificates.h"
#include "controllers/status.h"
#include "kube/verbs.h"

/** The edge of certificates: reads, asks certificates_next(), writes, and reads again. */
struct certificates_loop {
    struct kube_client *client;
    const char *space, *bundle; /* our namespace; a file, or NULL */
    enum certificates_source source;
    int64_t look_ms;            /* pause between two looks at most */
    int64_t calm_ms;            /* the same while nothing is under way and `watched`; 0: look_ms */
    int64_t settle_s;           /* as rotation_seen has it */
    bool agents_served;         /* the agent API */
    struct certs_store *agents; /* gets its leaf; NULL: that comes from elsewhere */
    struct status *status;

    /** Asked right before every write: is this still the leader? */
    bool (*may_write)(void *context);
    /** Told what was done or went wrong, for an event: `reason` is CamelCase. May be NULL. */
    void (*tell)(void *context, bool warning, const char *reason, const char *note);
    void *context;

    /* its own; {0} at first */
    bool mutator_waits; /* set by who looks for Stash */
    bool watched;       /* set by who is told of changes of all that is looked at */
    struct certificates_memory memory;
    struct certificates_leaf agents_leaf;
    struct error said; /* what was logged last, so that it is logged once */
    int failures;      /* turns in a row */
};

/** Wipes what it keeps. */
void certificates_loop_done(struct certificates_loop *loop);

/** Whether it reads that object at all: with other sources the CA is none of its business. */
bool certificates_loop_needs(const struct certificates_loop *loop, enum certificates_object object);

/** One turn: as many steps as are due now. @return Milliseconds until the next. */
int64_t certificates_turn(struct certificates_loop *loop);
