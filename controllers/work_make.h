#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/agent_messages.h"
#include "base/error.h"

/*
 * The piece of work that a claim is answered with, from the objects that a session follows from.
 * Pure. What it holds of the storage Secret is for one agent only.
 */

/* Seconds between two signs of progress. */
#define WORK_PROGRESS_S 10

/** What it is made of. All borrowed; the work borrows from it. */
struct work_request {
    const json_t *session; /* BackupSession or RestoreSession */
    const json_t *invoker; /* whose spec says what is asked for: the BackupConfiguration, or the
                              RestoreSession itself */
    const json_t *repository, *secret;
    const json_t *pod;   /* that asks, for names of ports; NULL: none are known */
    const char *cluster; /* UID of this one */
    const char *host;
    int64_t host_count; /* that the session has; 0: not known */
    int64_t attempt;
    int64_t deadline_s; /* 0: none */
    int64_t now_s;

    /* of work_make_if_exists(), whose session is the pod that asks and whose invoker is a
     * BackupConfiguration: the BackupSession to take it from, or NULL: what the repository says,
     * and if it has to be one session, its UID */
    const json_t *from;
    const char *beside;
};

/**
 * Makes it.
 *
 * @param work  Filled; {0} before. Lives as long as the request and the result.
 * @return      New reference, to be released with restic_access_done(). NULL: ERROR_INVALID or
 *              ERROR_FORBIDDEN, why this can never be worked on as it is.
 */
json_t *work_make_backup(const struct work_request *request, struct message_work *work,
                         struct error *err) MUST_CHECK;
json_t *work_make_restore(const struct work_request *request, struct message_work *work,
                          struct error *err) MUST_CHECK;

json_t *work_make_if_exists(const struct work_request *request, struct message_work *work,
                            struct error *err) MUST_CHECK;

/** The tag of a target's snapshots, and of no others: "target:<group>/<Kind>/<namespace>/<name>",
 * of very long ones "target:<SHA-256 of that>". The caller frees it; NULL: the invoker names none.
 */
char *work_tag(const json_t *invoker);

/** Whether a report proves what was asked for: a snapshot for each path of a backup, as many
 *  restored snapshots as were asked for. */
bool work_is_proven(const struct message_report *report, const json_t *invoker, bool restore);
