#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/*
 * A workload that is backed up by what a command in one of its containers writes. Its own
 * annotations say which command; the BackupConfiguration repeats them, as far as the administrator
 * lets its owner write them. Pure. Spec: docs/databases.md.
 */

/* Where a dump is in a snapshot. */
#define DUMP_COMMAND_PATH "/dump"

/** True of a BackupConfiguration whose target is backed up so. */
bool dump_command_is_of(const json_t *configuration);

/**
 * What is to be run, which both must say alike: who may write one of the two alone runs nothing.
 *
 * @param workload   The object as it is now; NULL: it is not there.
 * @param container  Set: its name, or NULL where none is chosen. Borrowed from the workload.
 * @return           New reference to a list of texts; NULL: ERROR_NOT_FOUND, ERROR_CONFLICT (they
 *                   differ, which passes when the configuration is written anew), ERROR_INVALID.
 */
json_t *dump_command_agreed(const json_t *configuration, const json_t *workload,
                            const char **container, struct error *err) MUST_CHECK;

/** Chooses of its pods the one that is asked: the first by name that runs and whose container is
 *  ready. @param container  NULL: the first that is not ours; then it is set. Borrowed from what is
 *  returned. NULL with ERROR_UNAVAILABLE: there is none now. @param owners  UIDs of what makes the
 *  pods of the workload. */
const json_t *dump_command_pod(const json_t *const *pods, size_t count, const char *const *owners,
                               size_t owner_count, const char **container,
                               struct error *err) MUST_CHECK;
