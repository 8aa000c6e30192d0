#pragma once

#include <jansson.h>

/* `status.progress` of a BackupSession or RestoreSession, see progress.h. Pure. */

/** Takes a host that has a result out of `status.progress`, and all of it with the last one. */
void progress_leave(json_t *status, const char *host);

/** Takes all of it out: the session has ended. */
void progress_end(json_t *status);

/** A session but for `status.progress` and what changes with every write: equal for two states of
 *  it that differ in nothing else. New reference. */
json_t *progress_without(const json_t *session);
