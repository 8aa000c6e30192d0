#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/dir.h"
#include "agent/etcd_journal.h"
#include "base/error.h"

/* Begin of the names of our folders in a data dir. */
#define ETCD_WORK ".granary-etcd"

/** A data dir that is worked at. */
struct etcd_place {
    const char *path;
    int folder; /* of the data dir, locked against a second one of us; -1: it is not there */
};

/** What is wished. Borrowed. */
struct etcd_wish {
    bool undo;
    const char *id;              /* of the restore; 64 hex digits */
    const char *session;         /* of undo: only what this one replaced; NULL: whatever it was */
    struct etcd_journal journal; /* of what is restored; phase, id and times are filled in */
    int64_t now_ms;
    int64_t keep_ms; /* folders of earlier restores go when they are older; 0: never */
    /* Makes the folder `into`, that is not there yet, with "member" in it. */
    bool (*make)(void *context, const char *into, struct error *err);
    void *context;
};

/**
 * Opens a data dir. One that is not there is fine: a restore makes it.
 *
 * @return  False: ERROR_CONFLICT, another of us is at work there; ERROR_INTERNAL.
 */
bool etcd_place_open(struct etcd_place *place, const char *path, struct error *err) MUST_CHECK;
void etcd_place_close(struct etcd_place *place);

static inline void auto_etcd_place(struct etcd_place *place)
{
    etcd_place_close(place);
}

/** What is there, for etcd_place_next(). @return False: ERROR_INTERNAL, or ERROR_INVALID: a journal
 *  that is not understood. */
bool etcd_place_see(const struct etcd_place *place, const struct etcd_wish *wish,
                    struct etcd_place_seen *seen, struct error *err) MUST_CHECK;

/** The journal of the restore that is under way; phase ETCD_NONE: none is. */
bool etcd_place_journal(const struct etcd_place *place, struct etcd_journal *journal,
                        struct error *err) MUST_CHECK;

/**
 * Does what is wished, from wherever an earlier call was killed.
 *
 * @param kept  Name of the folder in the data dir that has what was there before; "" when nothing
 *              was to be done.
 * @return      False: it is as it was, or can be repeated or undone; ERROR_CONFLICT: somebody works
 *              with the data dir, or another restore is under way.
 */
bool etcd_place_run(struct etcd_place *place, const struct etcd_wish *wish, char kept[64],
                    struct error *err) MUST_CHECK;
