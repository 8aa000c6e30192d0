#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"

/** How a target is backed up, and which variables it has. */
enum target_class {
    TARGET_WORKLOAD, /* a pod template: sidecar, or a Job over its claims */
    TARGET_CLAIM,    /* a PersistentVolumeClaim: Job */
    TARGET_APP,      /* an AppBinding: Job with the addon's Task */
};

/** A kind whose objects can be backed up. */
struct target_kind {
    const char *group;    /* "" is the core group */
    const char *kind;     /* Deployment */
    const char *resource; /* deployments */
    enum target_class class;
    bool owned_is_foreign; /* with a controller owner it is that owner's business, never ours */
};

/** The kind, or NULL when it is no target. The version is not compared (matchPolicy Equivalent). */
const struct target_kind *target_kind_of(struct span group, struct span kind);

/** The same by the members apiVersion and kind of an object, of a reference or owner reference. */
const struct target_kind *target_kind_in(const json_t *object);

/** One object that may be backed up. All borrowed. */
struct target {
    const struct target_kind *kind;
    const char *api_version;       /* as in the object: apps/v1 */
    const char *space;             /* namespace */
    const char *name;              /* "" while the API server has not made it (generateName) */
    const json_t *metadata;        /* without managedFields, if the caller cut it out */
    const json_t *template;        /* workload: spec.template */
    const json_t *claim_templates; /* StatefulSet: spec.volumeClaimTemplates, or NULL */
    const json_t *spec;            /* claim or AppBinding: spec, or NULL */
};

/**
 * Describes a whole object, as the command line and tests have it.
 *
 * @param space  Namespace to use when the object names none.
 * @return       False when it is no target.
 */
bool target_of_object(struct target *target, const json_t *object, const char *space);

/** The owner reference with controller: true in an object's metadata, or NULL. Borrowed. */
const json_t *target_controller(const json_t *metadata);

/** True when the object has an owner reference with controller: true. */
bool target_is_controlled(const struct target *target);

/** True of what is no target, and of what is its controller's business, never ours: a Deployment's
 *  annotations are copied to its ReplicaSets. */
bool target_is_foreign(const json_t *object);
