#pragma once

#include <stdbool.h>

/*
 * restic 0.18 leaves zeros behind when it restores over a file that has several names: what of its
 * content is right already is not written again, but the file is made anew, to break the link. So
 * such files are removed before, and what was written is read again.
 */

/** True when a regular file below a folder has more than one name. */
bool links_are_in(const char *folder);

/** Removes one name below a folder ("/deep/name"), if it is a regular file with more than one; no
 *  link leads anywhere else. */
void links_break(const char *folder, const char *name);
