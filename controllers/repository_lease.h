#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/keys.h"
#include "base/error.h"
#include "controllers/repository_holders.h"
#include "kube/client.h"

/*
 * The Lease of a Repository, which holds the ledger of who works on it
 * (controllers/repository_holders.h): a plain object in our own namespace. Each write names the
 * state that was read, so that of two writers one gets ERROR_CONFLICT: look again. A ledger that
 * can not be read is an error: nobody can say who works there.
 */

/** The label value that these Leases are found by, of LABEL_TARGET_LEASE. */
#define REPOSITORY_LEASE_LABEL "repository"

/** Annotations: "namespace/name" of the Repository, and the ledger. */
#define KEY_REPOSITORY KEY_PREFIX "repository"
#define KEY_HOLDERS KEY_PREFIX "holders"

/** `granary-repository-<32 hex>`: of "namespace/name". The caller frees it. */
char *repository_lease_name(const char *repository);

/** Which Repository a Lease is of; NULL when it is none of ours. Borrowed. */
const char *repository_lease_of(const json_t *lease);

/** A ledger as it was read. {0} before. */
struct repository_ledger {
    json_t *lease;           /* owned; NULL: there is none yet */
    json_t *document;        /* owned; what the holders borrow from */
    struct holders *holders; /* owned; to be edited and written */
};

void repository_ledger_done(struct repository_ledger *ledger);

static inline void auto_repository_ledger(struct repository_ledger *ledger)
{
    repository_ledger_done(ledger);
}

/** Takes a Lease that was read or is known; NULL: an empty ledger. Borrowed. */
bool repository_ledger_take(const json_t *lease, struct repository_ledger *ledger,
                            struct error *err) MUST_CHECK;

/** Reads it, never from a cache. */
bool repository_ledger_get(struct kube_client *client, const char *space, const char *repository,
                           struct repository_ledger *ledger, struct error *err) MUST_CHECK;

/** Writes the holders as they were edited; makes the Lease when there was none. */
bool repository_ledger_put(struct kube_client *client, const char *space, const char *repository,
                           const struct repository_ledger *ledger, struct error *err) MUST_CHECK;

/** Deletes the Lease in the state that was read. One that is gone already is a success. */
bool repository_ledger_drop(struct kube_client *client, const struct repository_ledger *ledger,
                            struct error *err) MUST_CHECK;

/** Who works for which session, on what. Borrowed. */
struct repository_worker {
    const char *space; /* ours */
    const char *repository, *session, *pod;
};

/**
 * Lets one in who shares the Repository with others, and writes that.
 *
 * @param in  Set to false when he has to wait, since somebody works there alone or wants to.
 */
bool repository_lease_share(struct kube_client *client, const struct repository_worker *worker,
                            int64_t now_s, bool *in, struct error *err) MUST_CHECK;

/** Takes him out: it is proven that he works no more. One who is not in there is a success. */
bool repository_lease_leave(struct kube_client *client, const struct repository_worker *worker,
                            struct error *err) MUST_CHECK;

/** Somebody whose end is about to be proven by a write elsewhere. {0} before. */
struct repository_departure {
    struct repository_worker worker;
    struct repository_ledger ledger; /* as it was before that write */
    char *repository;                /* owned; NULL: not known, and nothing is done */
};

void repository_departure_done(struct repository_departure *departure);

static inline void auto_repository_departure(struct repository_departure *departure)
{
    repository_departure_done(departure);
}

/**
 * Takes somebody out on a proof that is one write with a precondition: that his claim is gone from
 * the Lease of his target. The Repository's ledger is read before that write, and written after it
 * in the state that was read: whoever was let in anew meanwhile (the same pod, with a claim that
 * comes next) stays in. What fails in either is logged: maintenance does it later, by itself.
 *
 * @param repository  "namespace/name", taken over; NULL: it is not known, nothing is done.
 * @param session     UIDs; borrowed until the departure is over.
 */
void repository_departure_begin(struct kube_client *client, const char *space, char *repository_new,
                                const char *session, const char *pod,
                                struct repository_departure *departure);

/** That write has been done. */
void repository_departure_end(struct kube_client *client, struct repository_departure *departure);
