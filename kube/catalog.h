#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

/**
 * Reads every object of a folder: files *.yaml, *.yml, *.json, in the order of their names, with
 * folders below (not those that begin with "."; symbolic links are followed as a ConfigMap mount
 * needs it, but each folder once). Kinds ending in "List" with `items` are unrolled.
 *
 * A document without apiVersion and kind, or an object that occurs twice (same group, kind,
 * namespace and name), is an error.
 *
 * @param path      A folder or one file.
 * @param warnings  One line per remark, "file:line:column: text\n"; may be NULL.
 * @return          New reference to an array of objects; NULL with "file:line:column: what" in err.
 *                  Nothing is read half: one broken file fails the whole.
 */
json_t *catalog_read(const char *path, struct text *warnings, struct error *err) MUST_CHECK;

struct catalog_watch;

/** Follows changes of a folder (inotify, recursive, debounced), and calls back from a thread of its
 * own. */
struct catalog_watch *catalog_watch_start(const char *path, void (*changed)(void *context),
                                          void *context, struct error *err) MUST_CHECK;

/** Ends the thread; no call is under way or follows. NULL is fine. */
void catalog_watch_stop(struct catalog_watch *watch);
