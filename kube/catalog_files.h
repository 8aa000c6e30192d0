#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

/* What a catalog path consists of on disk. */

enum catalog_entry_kind {
    CATALOG_FOLDER,
    CATALOG_FILE,    /* regular, to be read */
    CATALOG_TROUBLE, /* should be read and can not be */
};

struct catalog_entry {
    enum catalog_entry_kind kind;
    char *path;           /* owned */
    bool link;            /* a file that may be a symbolic link */
    struct error trouble; /* of CATALOG_TROUBLE; begins with the path */
};

/** All entries, folders before what is in them, by name. {0} is none. */
struct catalog_entries {
    struct catalog_entry *items;
    size_t count;
};

/**
 * Lists what catalog_documents() has to read. Never fails: what went wrong is an entry itself, so
 * that a reader stops there and a watcher goes on.
 */
void catalog_list(const char *path, struct catalog_entries *entries);

void catalog_entries_done(struct catalog_entries *entries);

static inline void auto_catalog_entries(struct catalog_entries *entries)
{
    catalog_entries_done(entries);
}

/** Appends the bytes of a regular file; "-" is standard input. At most YAML_MAX_BYTES. */
bool catalog_load(const char *path, struct text *out, struct error *err) MUST_CHECK;

/** A path for messages, whose end says most: at most 100 characters, cut at the front. */
const char *catalog_shown(const char *path);
