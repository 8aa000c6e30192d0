#pragma once

#include "base/text.h"

/*
 * Folders of files for tests, below $TMPDIR or /tmp. Everything fails the test that does not work.
 */

struct folder {
    char *path;
};

/** A new empty folder, readable by everybody. Release with folder_done(). */
struct folder folder_make(void);

/** Removes it with all that is in it. */
void folder_done(struct folder *folder);

static inline void auto_folder(struct folder *folder)
{
    folder_done(folder);
}

/** The path of something in it; the caller frees it. */
char *folder_path(const struct folder *folder, const char *name);

/** Writes a file (in place when it is there), makes a folder or a symbolic link. */
void folder_write(const struct folder *folder, const char *name, const char *text);
void folder_make_folder(const struct folder *folder, const char *name);
void folder_link(const struct folder *folder, const char *name, const char *target);

/** Moves, over what is there; removes one file or an empty folder. */
void folder_move(const struct folder *folder, const char *from, const char *to);
void folder_remove(const struct folder *folder, const char *name);
