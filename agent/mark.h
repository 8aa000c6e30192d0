#pragma once

#include <stdbool.h>

#include "agent/restic_command.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * How far a restore is, written on the root of each volume: so that a later start passes without
 * asking anybody, and a start after a broken restore does not.
 */

enum mark_state {
    MARK_NONE,
    MARK_RESTORING, /* begun and not finished: nobody may start on this */
    MARK_DONE       /* restored, or started fresh */
};

/** Of whom a mark is when a volume was started fresh. */
#define MARK_FRESH "fresh"

struct mark {
    enum mark_state state;
    char uid[64]; /* of the session */
};

/** "restoring <uid>" or "done <uid>"; anything else is MARK_NONE. Pure. */
void mark_parse(struct span text, struct mark *mark);

/** Reads the mark of a volume: extended attribute, else hidden file; links are not followed. */
void mark_read(const char *root, struct mark *mark);

/** Writes it, durably. @return False: ERROR_INTERNAL. */
bool mark_write(const char *root, enum mark_state state, const char *uid,
                struct error *err) MUST_CHECK;

/** True when a folder holds nothing but lost+found and our mark; false also when it can not be
 *  read: what is not known to be empty is not overwritten. */
bool volume_is_empty(const char *root);

/** Marks volumes that are empty and have no mark as started fresh. @return False: ERROR_INTERNAL,
 *  one can not be marked. */
bool volumes_start_fresh(const struct words *mounts, struct error *err) MUST_CHECK;

/** The volume on which a restore was begun and never finished, or NULL. Borrowed. */
const char *volumes_half_restored(const struct words *mounts);

/** What the application starts on, in a word for the status of its pod: "restored <uid>" when all
 *  that holds data was restored from one session, "fresh" when nothing does, "data". */
void volumes_tell(const struct words *mounts, struct text *out);

/**
 * Mounts that hold data, from a text like /proc/self/mountinfo: not those of the container itself,
 * not read-only ones, none of `ours`. Pure.
 *
 * @param ours  Folders, ended by NULL.
 *
 * Spec: proc(5), /proc/pid/mountinfo.
 */
void mounts_parse(struct words *out, struct span text, const char *const *ours);

/** The mount that holds a path, by components; the path itself when none does. Pure, borrowed. */
const char *mount_of(const struct words *mounts, const char *path);
