#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/span.h"

/** What a blueprint may say of its target, such as `${TARGET_NAME}`. */
struct variable {
    const char *name;   /* static */
    struct span value;  /* as bytes of the target: hostile until it was looked at */
    const char *origin; /* where the value is from, for people; static */
};

#define VARIABLES_MAX 9

/** The variables of one target. {0} is none; release with variables_done(). */
struct variables {
    struct variable items[VARIABLES_MAX];
    size_t count;
    char *kind, *resource; /* owned: values that stand nowhere as they are needed */
};

/**
 * All variables that a target has. An AppBinding has the TARGET_APP_* too; a type or version that
 * it does not name is a variable with an empty value (so a default in the blueprint is not used, as
 * in Stash).
 *
 *   TARGET_API_VERSION   apps/v1, v1, appcatalog.appscode.com/v1alpha1
 *   TARGET_KIND          in lower case: deployment, persistentvolumeclaim, appbinding
 *   TARGET_NAME, TARGET_NAMESPACE
 *   TARGET_RESOURCE      plural: deployments, persistentvolumeclaims, appbindings
 *   TARGET_APP_TYPE      spec.type: kubedb.com/postgres
 *   TARGET_APP_GROUP     what stands before the last slash of it, "" without one
 *   TARGET_APP_RESOURCE  what stands behind
 *   TARGET_APP_VERSION   spec.version
 *
 * @param space  Namespace.
 * @param spec   The target's spec; may be NULL. All arguments are borrowed while the variables
 * live.
 */
void variables_of_target(struct variables *variables, const char *api_version, const char *kind,
                         const char *space, const char *name, const json_t *spec);

void variables_done(struct variables *variables);

static inline void auto_variables(struct variables *variables)
{
    variables_done(variables);
}

/** The variable of this name, or NULL. Borrowed. */
const struct variable *variables_find(const struct variables *variables, struct span name);

/** Names of all variables that any target has, with NULL at the end. Static. */
extern const char *const variable_names[];
