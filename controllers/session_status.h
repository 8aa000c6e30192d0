#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/agent_messages.h"
#include "controllers/session_next.h"

/*
 * Steps of a BackupSession as its status. Pure; what is in a status and not ours stays. Spec:
 * stash-behaviour 1.5.
 */

/* The condition of a BackupSession, and of a Repository, that says whether this cluster owns what
 * is at the Repository's address. */
#define BACKEND_OWNED "BackendRepositoryOwned"

/**
 * The status after a step.
 *
 * @param ref     The target, for targets[].ref. Borrowed.
 * @param status  As it is; NULL and odd shapes are an empty one. Borrowed.
 * @return        New reference; equal to `status` after steps that write something else.
 */
json_t *session_status(const struct session *session, const struct session_step *step,
                       const json_t *ref, const json_t *status, int64_t now_s);

/**
 * Puts the result of a host into a status: targets[].stats, and what it says about hooks and the
 * repository. The first result of a host counts.
 *
 * @param status  Edited in place.
 * @param proven  The report covers what was asked for, see message_report_covers(): without that,
 *                a success is a failure.
 * @return        False when the host has a result already: nothing is to be written.
 */
bool session_status_report(json_t *status, const struct message_report *report, bool proven,
                           int64_t now_s);

/** The result of a host in a status. */
enum work_result session_status_result(const json_t *status, const char *host);
