#include "agent/half_made.h"

#include <fts.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* What restic makes before the keys and, last of all, its config (also data/00 to data/ff), and
 * what a new volume has. */
static const char *const folders[] = {"data",      "index",      "keys", "locks",
                                      "snapshots", "lost+found", NULL};

static bool is_key(const FTSENT *entry)
{
    return entry->fts_info == FTS_F && entry->fts_level == 2 &&
           strcmp(entry->fts_parent->fts_name, "keys") == 0;
}

static bool is_folder(const FTSENT *entry)
{
    const char *parent = entry->fts_parent->fts_name;

    if (entry->fts_level == 2)
        return strcmp(parent, "data") == 0 && entry->fts_namelen == 2;
    if (entry->fts_level != 1)
        return false;
    for (size_t i = 0; folders[i]; i++)
        if (strcmp(entry->fts_name, folders[i]) == 0)
            return true;
    return false;
}

/* Anything else is of somebody else, or is worth something. */
static bool is_expected(const FTSENT *entry)
{
    if (entry->fts_level == 0)
        return entry->fts_info == FTS_D || entry->fts_info == FTS_DP;
    if (entry->fts_info == FTS_D || entry->fts_info == FTS_DP)
        return is_folder(entry);
    return is_key(entry);
}

/* Looks at all of it, or removes the keys. */
static bool each(const char *path, bool remove_keys)
{
    char *const roots[] = {(char *)path, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    bool good = tree != NULL;

    for (FTSENT *entry; good && (entry = fts_read(tree));) {
        good = is_expected(entry);
        if (good && remove_keys && is_key(entry))
            good = unlink(entry->fts_path) == 0;
    }
    if (tree)
        fts_close(tree);
    return good;
}

bool half_made_clear(const char *path)
{
    if (!each(path, false) || !each(path, true))
        return false;
    log_warn("somebody was killed who made this repository: it is made anew",
             LOG_S("folder", path));
    return true;
}
