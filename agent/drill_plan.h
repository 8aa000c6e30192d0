#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * What a drill restores and what must come of it: which snapshots, which files are drawn, how many
 * there must be. Pure; hostile as a repository may be.
 */

/* Files that are drawn from one snapshot, and bytes of their patterns: they are arguments of
 * restic, and a kernel takes 2 MiB of those. */
#define DRILL_FILES_MAX 1000u
#define DRILL_PATTERNS_MAX_BYTES (1u << 20)

/** One target. Texts are borrowed. */
struct drill {
    const char *tag;    /* that only its snapshots have */
    const char *folder; /* of what is restored, below the one for all of them */
    int64_t files;      /* to be drawn; 0: all are restored */
    bool keep;          /* somebody looks at what was restored */
};

/**
 * Reads `{"tag":"target:...","folder":"shop.web","files":10,"keep":true}`.
 *
 * @return  New reference that must live as long as `drill` is used; NULL: ERROR_INVALID.
 */
json_t *drill_read(struct span text, struct drill *drill, struct error *err) MUST_CHECK;

/**
 * The newest snapshot of each host; when its session took one for each path, all of that session.
 *
 * @param list  As `restic snapshots --json` gives it.
 * @return      New array of shared snapshots, in the order of the list.
 */
json_t *drill_snapshots(const json_t *list);

/** The folder of a host's files: its name, where that is one of a folder; else the begin of the id
 *  of its snapshot. The caller frees it. */
char *drill_folder(const json_t *snapshot);

/** Regular files, each name counted, and their bytes. */
struct drill_count {
    int64_t files, bytes;
};

/** What a listing holds, and what is drawn from it. Release with drill_listing_done(). */
struct drill_listing {
    struct drill_count all, drawn;
    int64_t wanted;  /* files to be drawn; 0: all */
    uint64_t random; /* its state */
    bool told;       /* it named its snapshot: it is a listing */
    struct drawn {
        char *pattern;
        int64_t bytes;
    } * list;
    size_t count;
    size_t pattern_bytes;
};

/** Begins one. @param seed  Any number; the same draws the same. */
void drill_listing_init(struct drill_listing *listing, int64_t wanted, uint64_t seed);
void drill_listing_done(struct drill_listing *listing);

static inline void auto_drill_listing(struct drill_listing *listing)
{
    drill_listing_done(listing);
}

/** Takes one line of `restic ls --json`. @return  False: it is something else. */
bool drill_listing_take(struct drill_listing *listing, struct span line);

/** The pattern of restic that means this path alone, as far as restic's JSON can name it: of bytes
 *  that are no UTF-8 each is any one character. Appended. */
void drill_pattern(struct text *out, const char *path);

/**
 * Compares a listing with what the snapshot says of itself, where it does.
 *
 * @return  False: err says what differs.
 */
bool drill_check_summary(const json_t *snapshot, const struct drill_count *listed,
                         struct error *err) MUST_CHECK;

/** Compares what is there with what must be: exactly, or where patterns may mean more, no less. */
bool drill_check_restored(const struct drill_listing *listing, const struct drill_count *restored,
                          struct error *err) MUST_CHECK;
