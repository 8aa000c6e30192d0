#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/plan.h"
#include "api/settings.h"

/** Everything that our containers are made of. All borrowed. */
struct making {
    const struct carry *carry;
    const struct settings *settings;
    const json_t *owner; /* the owner's template, without our part */
};

/** Container `stash`. New reference. Spec: design, What is put into a pod. */
json_t *container_sidecar(const struct making *making);

/** Init container `stash-init`. New reference. */
json_t *container_init(const struct making *making);

/** One of our containers, and what differs between them. All borrowed. */
struct container_role {
    const char *name;
    const json_t *mounts;       /* of the data */
    const json_t *owner_mounts; /* the same as the owner's template names them; NULL: as mounts */
    const json_t *settings;     /* runtimeSettings.container, or NULL */
    bool writes;                /* a restore writes what a backup only reads */
    bool init;                  /* an init container: no probes, no lifecycle */
};

/**
 * A container of a pod of our own, for the data of the owner's: of the user whose files they are,
 * with resources that depend on nobody else's. Args are stolen. New reference.
 */
json_t *container_of_job(const struct making *making, const struct container_role *role,
                         json_t *args);

/**
 * The securityContext that fits any pod: of the user whose files it mounts, without rights of root
 * unless the pod itself runs as root. For a container that was made for another template.
 *
 * @param owner   The owner's template. Borrowed.
 * @param mounts  volumeMounts of the container. Borrowed.
 * @return        New reference.
 */
json_t *container_modest_context(const json_t *owner, const json_t *mounts);

/** The volumes that our containers need, in a fixed order: identity, scratch, local. New array. */
json_t *container_volumes(const struct carry *carry);
