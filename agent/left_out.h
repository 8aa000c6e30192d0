#pragma once

#include <stdint.h>

#include "agent/restic.h"

/*
 * restic says nothing of owners and modes that a user who is not root may not set. A restore that
 * leaves some as they are is one all the same: its data are there; but it is said.
 */

/** What was not set. */
struct left_out {
    uint64_t count;
    struct text names; /* of the first ten, with what they had: "/data/a (1234:4321 0640)" */
};

void left_out_done(struct left_out *left);

static inline void auto_left_out(struct left_out *left)
{
    left_out_done(left);
}

/** True when restic passes over such things here: we are not root. */
bool left_out_can_be(void);

/** Adds what below a folder has not the owner, or the mode, that it has in a snapshot. What is not
 *  there was not to be restored. That the snapshot can not be listed is logged, and no reason to
 *  fail. */
void left_out_find(struct run *run, const char *id, const char *path, struct left_out *left);

/** Compares one line of a listing: JSON of restic, whose paths are below `path`. Pure but for
 *  lstat(2). */
void left_out_take(struct left_out *left, const char *path, struct span line);
