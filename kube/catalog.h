#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"
#include "base/yaml.h"

/** One object, and where it stands. */
struct catalog_document {
    char *file;                    /* owned; the path given, with what is below; "stdin" for "-" */
    struct yaml_document document; /* owned; yaml_locate_field() gives the line of a field */
};

/** Objects in the order in which they were read. {0} is none. */
struct catalog_documents {
    struct catalog_document *items;
    size_t count;
};

/**
 * Reads every object of a folder: files *.yaml, *.yml, *.json, in the order of their names, with
 * folders below (not those that begin with "."; symbolic links are followed as a ConfigMap mount
 * needs it, but each folder once). A file is read whatever its name. Kinds ending in "List" with
 * `items` are unrolled, and the items of a typed list get its apiVersion and kind.
 *
 * Nothing is read half, one broken file fails the whole: bad YAML, a document that is no object or
 * lacks apiVersion or kind, an object that occurs twice (same group, kind, namespace and name; both
 * places are named), what has a manifest's name and is no file (a folder, FIFO, device), what can
 * not be read, links that lead in circles or nowhere, more than YAML_MAX_BYTES in one file or more
 * than CATALOG_MAX_FILES, CATALOG_MAX_BYTES or CATALOG_MAX_LEVELS in all.
 *
 * @param path      A folder, a file, or "-" for standard input.
 * @param out       {0} before; filled in. Release with catalog_documents_done().
 * @param warnings  One line per remark, "file:line:column: text\n"; may be NULL.
 * @return          False: "file:line:column: what", or "file: what" where no place is to blame.
 *                  ERROR_NOT_FOUND, ERROR_FORBIDDEN, ERROR_TOO_LARGE, else ERROR_INVALID.
 */
bool catalog_documents(const char *path, struct catalog_documents *out, struct text *warnings,
                       struct error *err) MUST_CHECK;

void catalog_documents_done(struct catalog_documents *documents);

static inline void auto_catalog_documents(struct catalog_documents *documents)
{
    catalog_documents_done(documents);
}

/** The same without places: new reference to an array of objects, or NULL. */
json_t *catalog_read(const char *path, struct text *warnings, struct error *err) MUST_CHECK;

struct catalog_watch;

/**
 * Follows changes of a folder (or file), with all that catalog_read() would read there, and calls
 * back from a thread of its own: 60 ms after the last change, at most a second after the first.
 * The folder may be deleted and made again, or replaced through a link; that is noticed within
 * another half a second. A callback may come without any change; a change never goes without a
 * callback. What changes while the callback runs causes another one.
 *
 * Start it before the first catalog_read(), so that no change falls between.
 *
 * @param path     Must exist. Copied.
 * @param changed  Must not call catalog_watch_stop().
 * @return         To be ended by catalog_watch_stop(); NULL with err: ERROR_NOT_FOUND, or
 *                 ERROR_INTERNAL when the system has no more inotify watches or threads to give.
 */
struct catalog_watch *catalog_watch_start(const char *path, void (*changed)(void *context),
                                          void *context, struct error *err) MUST_CHECK;

/** Ends the thread; no call is under way or follows. NULL is fine. */
void catalog_watch_stop(struct catalog_watch *watch);
