#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/cluster.h"
#include "api/plan.h"
#include "api/selection.h"
#include "api/target.h"
#include "base/error.h"

/** What a Repository and a BackupConfiguration follow from. All borrowed; both share values with
 * it, which must not be edited any more. */
struct objects {
    const struct cluster *cluster;
    const struct target *target;
    const json_t *blueprint; /* the object, for its name and generation */
    const json_t *spec;      /* its spec, resolved for this target */
    const json_t *own;       /* what the owner set: members of a BackupConfiguration.spec */
    const json_t *params;    /* [{name, value}] of an AppBinding's owner, or NULL */
    const struct selection *selection; /* of a workload; else NULL */
    bool primary;                      /* the blueprint whose objects have the plain name */
    bool job;                          /* a workload that is backed up by a Job */
    bool dump; /* by what a command of its annotations writes: the configuration repeats them */
};

/**
 * Makes both objects, with names, labels, annotations and hash.
 *
 * @param backup  Its repository, configuration and sha256 are set; nothing while the target has no
 *                name yet.
 * @return        False: ERROR_INVALID (a blueprint that can not work for this target),
 *                ERROR_CONFLICT (the Repository of that name belongs to another target).
 *
 * Spec: stash-behaviour 2.4 and 2.5; design, Controllers, Names.
 */
bool objects_make(const struct objects *in, struct plan_backup *backup,
                  struct error *err) MUST_CHECK;

/** "group/Kind/namespace/name", the annotation granary.dev/target; the caller frees it. */
char *objects_target_text(const struct target *target);

/** Name of the BackupConfiguration of this blueprint and target, and its namespace (borrowed from
 *  spec or target); the caller frees the name. */
char *objects_configuration_name(const struct objects *in, const char **space);

/** True when this object has the name that the first blueprint of the target gives. */
bool objects_has_plain_name(const json_t *object, const struct target *target);

/** True when the object's label says that it follows from this blueprint. */
bool objects_is_of_blueprint(const json_t *object, const char *blueprint);
