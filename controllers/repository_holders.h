#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * Who works on a repository: backups and restores share it, maintenance has it alone. Kept as JSON
 * in an annotation of the repository's Lease, and written with a precondition on what was read
 * before anybody is let in. restic's own locks tell containers apart badly, so a writer beside a
 * prune is kept out here. A holder goes only on proof that it can write no more. Pure.
 */

/* Holders at once; 150 bytes each, and an object has 256 KiB of annotations. Others wait. */
#define HOLDERS_MAX 512u
#define HOLDERS_MAX_BYTES (192u << 10)

/* Seconds that new ones stay out for somebody who wants to work alone: longer than a backup of some
 * terabytes takes, and whoever wanted it may have forgotten. */
#define HOLDERS_WANTED_MAX_S 21600

/** One who works. Texts are borrowed. */
struct holder {
    const char *session; /* UID of the BackupSession, RestoreSession or maintenance Job */
    const char *pod;     /* UID of the pod that was let in; of a Job that is to be made its name */
    int64_t since_s;
};

/** The whole ledger. Texts are borrowed. */
struct holders {
    bool exclusive;   /* the only one of the list has it alone */
    int64_t wanted_s; /* since when somebody wants it alone; 0: nobody */
    struct holder list[HOLDERS_MAX];
    size_t count;
};

/**
 * Reads a ledger. An empty text is an empty one.
 *
 * @param holders  Filled on success.
 * @return         New reference that must live as long as `holders` is used. NULL: what is there is
 *                 no ledger of ours, and nobody can say who works on the repository.
 */
json_t *holders_read(struct span text, struct holders *holders, struct error *err) MUST_CHECK;

/** Appends it as JSON. */
void holders_write(const struct holders *holders, struct text *out);

enum holders_answer {
    HOLDERS_WAIT,    /* not now; nothing is to be written */
    HOLDERS_WANTED,  /* not now; the ledger was edited: it says that somebody waits */
    HOLDERS_LET_IN,  /* the ledger was edited; once that is written, he may work */
    HOLDERS_ALREADY, /* he is in there; who shares is from now on. To be written all the same, so
                        that an answer of a leader that is none any more is worth nothing */
};

/**
 * A backup or a restore wants to work. It waits while somebody works alone; and for one who wants
 * to, unless its session is at work already, which then ends sooner.
 *
 * @param holders  Edited; borrows from session and pod.
 */
enum holders_answer holders_share(struct holders *holders, const char *session, const char *pod,
                                  int64_t now_s);

/** Maintenance wants to work: when nobody is left in there. Until then nobody new is let in. */
enum holders_answer holders_exclude(struct holders *holders, const char *session, const char *pod,
                                    int64_t now_s);

/** Nobody wants it alone any more. False when nobody did. */
bool holders_unwant(struct holders *holders);

/** What is known of a holder. Only the last two are proof. */
enum holder_state {
    HOLDER_UNKNOWN, /* not looked for, not found while caches are behind, node unreachable */
    HOLDER_WORKS,   /* its pod is there */
    HOLDER_ENDED,   /* it said itself that it has ended, and that stands in a status */
    HOLDER_GONE,    /* its pod (or container) is terminal, or was really deleted */
};

/**
 * Takes out those of whom there is proof.
 *
 * @param state  Asked of each holder.
 * @return       How many went.
 */
size_t holders_sweep(struct holders *holders,
                     enum holder_state (*state)(void *context, const struct holder *holder),
                     void *context);

/** Takes all out: there is proof of each. @return  How many went. */
size_t holders_clear(struct holders *holders);

/** True when this one is in there. */
bool holders_has(const struct holders *holders, const char *session, const char *pod);
