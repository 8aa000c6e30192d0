#pragma once

#include <jansson.h>
#include <stdint.h>

#include "api/keys.h"
#include "base/error.h"
#include "controllers/claims.h"
#include "kube/client.h"
#include "kube/resource.h"

/*
 * The Lease of a target, which holds its ledger (controllers/claims.h): a plain object in our own
 * namespace, there only while a session holds it. Each write names the state that was read, so that
 * of two writers one gets ERROR_CONFLICT: look again.
 */

extern const struct kube_resource target_leases;

/* The label that these Leases are found by. */
#define LABEL_TARGET_LEASE KEY_PREFIX "ledger"
#define TARGET_LEASE_SELECTOR LABEL_TARGET_LEASE " in (target,repository)"

/** `granary-target-<32 hex>`: of "group/Kind/namespace/name". The caller frees it. */
char *target_lease_name(const char *target);

/** Such a name of a Lease of another kind: `granary-<kind>-<32 hex>`. The caller frees it. */
char *target_lease_name_of(const char *kind, const char *text);

/** The annotation of a Lease that says which target it is of; NULL when it is none of ours. */
const char *target_lease_target(const json_t *lease);

/** The UID of the session that holds a Lease, "" when none does or it can not be read. The caller
 *  frees it. */
char *target_lease_session(const json_t *lease);

/** Reads it, never from a cache. @return  False: not known. True with *lease NULL: there is none.
 */
bool target_lease_get(struct kube_client *client, const char *space, const char *target,
                      json_t **lease, struct error *err) MUST_CHECK;

/**
 * Writes a session into the Lease.
 *
 * @param target  "group/Kind/namespace/name".
 * @param lease   As it was read; NULL: there was none, so that it is made.
 * @param holder  "Kind/namespace/name" of the session.
 */
struct target_lease_lock {
    const char *space, *target, *session, *holder;
    const char *label; /* its value; NULL: that of a target, which TARGET_LEASE_SELECTOR finds */
    const json_t *lease;
    int64_t now_s;
};
bool target_lease_take(struct kube_client *client, const struct target_lease_lock *lock,
                       struct error *err) MUST_CHECK;

/** Writes the ledger. ERROR_CONFLICT also when the Lease has gone since it was read. */
bool target_lease_write(struct kube_client *client, const json_t *lease,
                        const struct claims *claims, struct error *err) MUST_CHECK;

/** Deletes the Lease in the state that was read. One that is gone already is a success. */
bool target_lease_give_back(struct kube_client *client, const json_t *lease,
                            struct error *err) MUST_CHECK;
