#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kube/client.h"
#include "kube/election.h"

/*
 * Leadership by a Lease: a thread that carries out what kube/election.h decides. Its client should
 * be one of its own, so that no other traffic keeps a renewal waiting; the client that the leader
 * writes with gets kube_lease_fence().
 */
struct kube_lease;

enum kube_lease_state {
    KUBE_LEASE_STANDS, /* waits for its turn */
    KUBE_LEASE_LEADS,
    KUBE_LEASE_LOST, /* has led: the process has to end without another write (LE5) */
    KUBE_LEASE_OVER  /* ended as was wished */
};

/** All borrowed for the start only, but for the context. */
struct kube_lease_options {
    const char *space, *name;    /* of the Lease */
    const char *identity;        /* the pod's name; something random is added, so that each process
                                    is another one */
    struct election_rules rules; /* {0}: the defaults */
    /* told of each change, by the lease's thread; must not stop the lease. NULL: nobody */
    void (*changed)(enum kube_lease_state state, void *context);
    void *context;
};

/** Starts to stand for it. @return  To be ended by kube_lease_stop(). NULL: ERROR_INVALID (empty
 *  identity, rules that can not hold), ERROR_INTERNAL. */
struct kube_lease *kube_lease_start(struct kube_client *client,
                                    const struct kube_lease_options *options,
                                    struct error *err) MUST_CHECK;

/** How long it is sure to lead; 0: does not. Any thread, no lock: to be asked before each write. */
int64_t kube_lease_left_ms(const struct kube_lease *lease);

/** For kube_client_limits.fence: lives as long as the lease. */
const struct kube_fence *kube_lease_fence(struct kube_lease *lease);

/** Gives the Lease back when it is ours, and frees. To be called when all guarded work has ended.
 *  Takes a request's time and ELECTION_STOP_MS at most.
 *  @return  False: it was ours, and others have to wait until it expires. */
bool kube_lease_stop(struct kube_lease *lease);

struct kube_lease_facts {
    enum kube_lease_state state;
    bool stuck; /* the thread has not come round for far too long (LE9): restart the process */
    int64_t renewed_ms; /* since the last renewal; -1: none of ours */
    int64_t failures;   /* requests */
    char self[ELECTION_NAME_MAX_CHARS + 1], holder[ELECTION_NAME_MAX_CHARS + 1];
    char problem[256]; /* of the last request; "" none */
};
struct kube_lease_facts kube_lease_look(struct kube_lease *lease);
