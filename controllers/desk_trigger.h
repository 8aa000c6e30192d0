#pragma once

#include <stdbool.h>

#include "base/text.h"
#include "controllers/agent_api.h"
#include "controllers/session_view.h"
#include "kube/client.h"

/**
 * Makes the BackupSession that the pod of a CronJob asks for, or finds the one that it made before:
 * the name follows from the slot, or from the Job when somebody made that by hand.
 *
 * The pod belongs to a Job, that to a CronJob, that to a BackupConfiguration, each by uid, and the
 * CronJob has the name that ours has.
 *
 * @param answer  struct message_triggered is appended.
 * @return        False: ERROR_FORBIDDEN, it is none of these; other codes: not known.
 *
 * Spec: design, The agent API.
 */
bool desk_trigger(struct kube_client *client, const struct session_view *view,
                  const struct agent_caller *caller, struct text *answer,
                  struct error *err) MUST_CHECK;
