#pragma once

#include <jansson.h>

#include "api/cluster.h"
#include "api/findings.h"

/** What is judged. */
struct validation {
    const json_t *object; /* as wanted. Borrowed */
    const json_t *old;    /* as stored, on UPDATE; else NULL. Borrowed */
    const struct cluster
        *cluster; /* for what needs other objects (usagePolicy, names); may be NULL */
};

/** True when we judge objects of this group and kind. */
bool validate_knows(const char *group, const char *kind);

/**
 * Judges what variables have made of a blueprint: of its spec, only the members that substitution
 * changed (substitute_tree() shares the others). What could not be judged while "${NAME}" stood in
 * it, such as the name of an environment variable, is judged here, before it reaches a pod.
 *
 * @param spec      spec of the BackupBlueprint. Borrowed.
 * @param resolved  The same with variables replaced. Borrowed.
 */
void validate_resolved(const json_t *spec, const json_t *resolved, struct findings *findings);

/**
 * Judges an object of our kinds: BackupBlueprint, Repository, BackupConfiguration, BackupSession,
 * RestoreSession, Function, Task, AppBinding. Finds everything at once.
 *
 * Spec: stash-behaviour sections 1, 3.3, 3.4; design: What owners and administrators can write.
 */
void validate_object(const struct validation *in, struct findings *findings);
