#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/agent_messages.h"
#include "controllers/claims.h"
#include "controllers/session_view.h"

/*
 * Claims that were left behind: their session has ended or is gone, and who made them did not say
 * that his work has ended, since his container was killed. Who asks for work holds none, so that
 * the next question of the same pod lets them go.
 */

/** Reads the ledger of a Lease whose session is not under way any more; NULL: it is, or nobody can
 *  read that. New reference that must live as long as `claims`. */
json_t *desk_left_ledger(const struct session_view *view, const json_t *lease,
                         struct claims *claims);

/** True when a question was surely asked after this claim: one that waits may be as old as it wants
 *  to wait. */
bool desk_is_younger(const struct message_claim *message, int64_t since_s, int64_t now_s);
