#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/agent_messages.h"
#include "controllers/restore_next.h"

/*
 * Steps of a RestoreSession as its status. Pure; what is in a status and not ours stays. Spec:
 * stash-behaviour 1.6 and 7.
 */

/**
 * The status after a step. A host that was begun and whose result nobody knows is of phase Unknown:
 * it may have left half of the data behind.
 *
 * @param status  As it is; NULL and odd shapes are an empty one. Borrowed.
 * @return        New reference; equal to `status` after steps that write something else.
 */
json_t *restore_status(const struct restore *restore, const struct restore_step *step,
                       const json_t *status, int64_t now_s);

/**
 * Puts the result of a host into a status: stats, and what it says about hooks. The first result of
 * a host counts; phase Running is none.
 *
 * @param status  Edited in place.
 * @param proven  The report names what was restored, as far as it was asked for: without that, a
 *                success is a failure.
 * @return        False when the host has a result already: nothing is to be written.
 */
bool restore_status_report(json_t *status, const struct message_report *report, bool proven,
                           int64_t now_s);

/** The result of a host in a status. */
enum work_result restore_status_result(const json_t *status, const char *host);

/** True when a status has a host of phase Unknown. */
bool restore_status_is_lost(const json_t *status);
