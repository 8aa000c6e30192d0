#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/agent_messages.h"
#include "base/error.h"
#include "base/text.h"

/*
 * How rclone reaches what restic reaches, and what of it is restic's: for removing a repository.
 * Settings and secrets stand in variables of one remote, so that no argument holds any. Pure.
 * Spec: rclone's manual, environment variables, filtering, and a page for each backend.
 */

/** The folders of a repository, in the order in which they are emptied: see docs/maintenance.md. */
#define WIPE_FOLDERS 5
extern const char *const wipe_folders[WIPE_FOLDERS];

/** Begin of the name of a file that says: this cluster (its UID follows) is removing all this. */
#define WIPE_MARK "granary-wipe-"

/**
 * The variables that rclone reads, from those that restic was given.
 *
 * @param backend  Of the Repository. Borrowed.
 * @param work     As restic_access_make() filled it. Borrowed.
 * @param rclone   Its environment and files are set; they borrow from `work` and from the result.
 * @return         New reference; NULL: ERROR_INVALID, a backend that rclone does not reach.
 */
json_t *rclone_access_make(const json_t *backend, const struct message_work *work,
                           struct message_work *rclone, struct error *err) MUST_CHECK;

/** True when rclone reaches backends of this provider. */
bool rclone_reaches(const char *provider);

/**
 * Appends where something of the repository is: "place:bucket/prefix/path".
 *
 * @param path  Below the repository; "": itself.
 * @return      False: ERROR_INVALID, the backend names no place.
 */
bool rclone_place(struct text *out, const json_t *backend, const char *path,
                  struct error *err) MUST_CHECK;

/** The filter, in one of restic's folders, that lets through what restic writes there, and no file
 *  of anybody else's: names of 64 hex digits, also of files that were never finished. Static. */
const char *rclone_filter(const char *folder);

/**
 * What stands beside a repository: names of a listing (`rclone lsjson`, not recursive).
 *
 * @param listed   Borrowed.
 * @param mark     Set to the UID behind WIPE_MARK, borrowed; NULL: there is none.
 * @param config   Set: there is the file `config`.
 * @param folders  Set: there is one of restic's folders.
 * @param others   The first names of what is none of restic's are appended, and how many more.
 * @return         How many those are.
 */
size_t rclone_beside(const json_t *listed, const char **mark, bool *config, bool *folders,
                     struct text *others);
