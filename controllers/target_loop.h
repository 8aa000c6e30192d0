#pragma once

#include "controllers/loops.h"
#include "controllers/target_said.h"

/**
 * Keeps what follows from annotations as planned: of each target its Repositories and
 * BackupConfigurations. Keys are targets, "group/Kind/namespace/name"; what is wrong with one
 * stands in loops_problems() and in an event on the target. Spec: design, Controllers;
 * stash-behaviour 2.6.
 */
extern const struct loop target_loop;

/**
 * What is to be shown by a BackupConfiguration about its target: by ours all that is wrong, by one
 * that somebody wrote what is wrong with the pods, and whose way it stands in. Any thread.
 *
 * @param said  To be released with auto_target_said().
 */
void target_loop_says(struct loops *loops, const json_t *configuration, struct target_said *said);

/** Appends the keys of the BackupConfigurations that show what is said of a target. */
void target_loop_shown_by(struct loops *loops, const char *key, json_t *list);
