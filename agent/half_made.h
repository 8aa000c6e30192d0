#pragma once

#include <stdbool.h>

/**
 * Clears a folder in which somebody was killed while he made a repository: it has folders of
 * restic's names, perhaps keys that open nothing, and no other file. restic refuses to go on with
 * one that has keys already. Nothing is touched in any other folder.
 *
 * @return True when it was such a folder, and holds no file any more.
 */
bool half_made_clear(const char *path);
