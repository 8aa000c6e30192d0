#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* What restic writes with --json, line by line. Pure; hostile as a repository may be. */

enum restic_message {
    RESTIC_OTHER,  /* nothing that we need, or no JSON */
    RESTIC_STATUS, /* how far it is */
    RESTIC_SUMMARY,
    RESTIC_ITEM,       /* one file that is, or would be, written */
    RESTIC_ITEM_ERROR, /* one file could not be read or written */
    RESTIC_EXIT_ERROR  /* the last word of one that failed */
};

#define RESTIC_ID_BYTES 65
#define RESTIC_TEXT_BYTES 1024
#define RESTIC_PATH_BYTES 4096

/** One line. Counts are at least 0. */
struct restic_line {
    enum restic_message kind;
    int64_t bytes_done, bytes_total, files_done, files_total; /* status */
    /* summary; of a restore the first three only */
    int64_t total_bytes, total_files, files_restored;
    int64_t added_bytes, files_new, files_changed, files_unmodified, duration_ms;
    char id[RESTIC_ID_BYTES];        /* of the snapshot; "": none */
    char path[RESTIC_PATH_BYTES];    /* of an item, as it is; "": too long */
    char item[RESTIC_TEXT_BYTES];    /* of an error; printable */
    char message[RESTIC_TEXT_BYTES]; /* of an error, or a line that is no JSON; printable */
};

void restic_line_read(struct span text, struct restic_line *line);

/** True for 64 hex digits in lower case. */
bool restic_id_is(const char *id);

/**
 * The newest snapshot of a list as `restic snapshots --json` gives it.
 *
 * @param as_of  RFC 3339; none that is newer. NULL: any.
 * @return       Borrowed; NULL: none.
 */
const json_t *restic_newest(const json_t *list, const char *as_of);

/** The tag of a mark that takes over, in front of the id of the mark that it takes over from. */
#define ADOPTS_TAG "adopts:"

/** A mark: whose it is, and its id. Borrowed; both NULL: none. */
struct restic_mark {
    const char *uid, *id;
};

/**
 * The mark that counts in such a list. Of those that took over from none the earliest, then, as
 * long as there is one, the earliest that took over from it: so of two clusters that marked or
 * adopted at once every reader sees the same one.
 */
struct restic_mark restic_owner(const json_t *list);
