#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "api/keys.h"
#include "base/error.h"
#include "controllers/claims.h"
#include "controllers/hosts.h"
#include "controllers/restore_next.h"
#include "controllers/session_next.h"

/*
 * From objects of the API to what session_next() and restore_next() decide by. Pure. Whoever may
 * write a status may write anything into it: odd shapes count as absent, and what can not be read
 * is never taken for a success, a free target or a pod that is gone.
 */

/* Seconds that clocks of this cluster are apart at most, and that a watch may be behind: what the
 * times in a status say proves that claimed work has ended only from then on, as does an absence
 * from a list that is not of the whole namespace. */
#define SESSION_SKEW_S 300

/** True when the phase of a BackupSession (of a RestoreSession with `restore`) is final. */
bool session_has_ended(const json_t *session, bool restore);

/** What a session of either kind is read from. All borrowed. */
struct session_seen {
    const json_t *session;         /* BackupSession or RestoreSession */
    const json_t *const *sessions; /* all of its kind and target; itself may be among them */
    size_t session_count;
    const json_t *lease; /* of the target; NULL: none */
    int64_t jobs_max;    /* as in struct work, as is the next */
    bool crowded;
    struct hosts_seen target; /* of Jobs: `recorded` is filled in from the Lease */
    int64_t pods_s;           /* as of when its pods are known, all of them; 0: they are not */
    const json_t *missing;    /* UIDs of pods that are gone, see claimed_pods.h; NULL: not sought */
    int64_t watched_s;        /* since when this leader looks */
    int64_t now_s;

    const json_t *configuration; /* of a BackupSession; NULL: there is none (any more) */
    bool follows;                /* retention or verification is to follow */

    const char *invalid, *not_ready; /* of a RestoreSession, as in struct restore */
    bool asked;
};

/** What both kinds are read into; holds what the texts of the session are borrowed from. */
struct session_parts {
    struct hosts hosts; /* those of work_hosts that were seen, in this order at its beginning */
    struct host_job *recorded;
    struct work_host *work_hosts;
    struct claims *claims; /* the ledger, when the session holds it; to be edited and written */
    json_t *ledger;
    char *not_ready;
};

void session_parts_done(struct session_parts *parts);

static inline void auto_session_parts(struct session_parts *parts)
{
    session_parts_done(parts);
}

/**
 * Reads a BackupSession.
 *
 * @param parts    Empty before; to be released with session_parts_done(), also on failure.
 * @param session  Filled on success, borrows from parts and seen. The caller may raise heard_s of
 *                 hosts whose agents have given signs of life.
 * @return         False: ERROR_INVALID, nothing can be decided: it has no moment of creation, its
 *                 invoker is no BackupConfiguration, it has too many hosts.
 */
bool session_read(const struct session_seen *seen, struct session_parts *parts,
                  struct session *session, struct error *err) MUST_CHECK;

/** The same of a RestoreSession. */
bool session_read_restore(const struct session_seen *seen, struct session_parts *parts,
                          struct restore *restore, struct error *err) MUST_CHECK;
