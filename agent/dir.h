#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/restic_command.h"
#include "base/error.h"

/*
 * Folders and what is below them, by descriptors: a link is never followed, except that the one who
 * names a folder by its path may have one on the way to it.
 */

/** Levels below a folder that are looked at. A member of etcd has two. */
#define DIR_LEVELS_MAX 16

/** Names in a folder but "." and "..", in no order. */
#define DIR_NAMES_MAX 4096u

static inline void auto_closedir(DIR **list)
{
    if (*list)
        closedir(*list);
}

/** Opens a folder in another one. @return  -1: errno says why; ENOTDIR: it is a link or a file. */
int dir_open(int folder, const char *name);

/** The names in it. @return False: ERROR_INTERNAL, or ERROR_TOO_LARGE. */
bool dir_names(int folder, struct words *names, struct error *err) MUST_CHECK;

/** Removes an entry with all that is below it; none is fine. @return False: ERROR_INTERNAL. */
bool dir_remove(int folder, const char *name, struct error *err) MUST_CHECK;

/** Who owns what was made. */
struct dir_owner {
    uid_t user;
    gid_t group;
};

/** Gives an entry and all that is below it to an owner, and flushes it to the disk.
 *  @return False: ERROR_INTERNAL. */
bool dir_settle(int folder, const char *name, const struct dir_owner *owner,
                struct error *err) MUST_CHECK;

/** When a file below an entry was written last, nanoseconds since 1970; 0: there is none, or it can
 *  not be read. */
int64_t dir_written_ns(int folder, const char *name);

/** Flushes the folder itself: which names it has. @return False: ERROR_INTERNAL. */
bool dir_flush(int folder, struct error *err) MUST_CHECK;

/** Moves an entry to another folder of the same volume, where none has that name.
 *  @return False: ERROR_CONFLICT, one has; ERROR_INTERNAL. */
bool dir_move(int from, const char *name, int to, const char *new_name,
              struct error *err) MUST_CHECK;
