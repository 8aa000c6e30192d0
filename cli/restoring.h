#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/*
 * The RestoreSession that a person means who names what is backed up. Pure; api/validate.h judges
 * what is made.
 */

/** What is asked for. All borrowed. */
struct restore_wish {
    const json_t *configuration;  /* the BackupConfiguration whose backups are meant */
    const char *const *snapshots; /* IDs; with none the newest of each path */
    size_t snapshot_count;
    const char *as_of;         /* RFC 3339: the newest that is not younger; NULL: of now */
    const char *host;          /* whose data, where a target has several hosts; NULL: all */
    const char *to;            /* "KIND/NAME" of another target; NULL: what was backed up */
    const char *const *params; /* "NAME=VALUE" for the Task */
    size_t param_count;
    int64_t now_s; /* for the name */
};

/**
 * Makes the RestoreSession: repository, alias, mounts, paths and settings of the
 * BackupConfiguration. The Task of an AppBinding is the one that restores what that of the
 * BackupConfiguration backs up ("postgres-restore-14.0" of "postgres-backup-14.0").
 *
 * @return New reference; NULL: ERROR_INVALID, what a RestoreSession can not express and what to do
 *         instead.
 */
json_t *restoring_make(const struct restore_wish *wish, struct error *err) MUST_CHECK;

/** Appends what that session will do, a sentence each line, in plain words. */
void restoring_tell(const json_t *session, struct text *text);

/** What to do after it has failed, in one sentence; the caller frees it. */
char *restoring_remedy(const json_t *session);
