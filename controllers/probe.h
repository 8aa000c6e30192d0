#pragma once

#include <jansson.h>

#include "controllers/status.h"
#include "kube/verbs.h"

/*
 * Does the API server reach the webhook? Asked as a user would: a RestoreSession with `rules` at
 * the top, as a dry run. The webhook moves them into the target; where nobody did, nobody was
 * asked.
 */

/** The question. New object. */
json_t *probe_object(const char *space);

/**
 * Judges the answer. Pure.
 *
 * @param answered  Whether the create was accepted.
 * @param object    What came back; NULL when it was not.
 * @param code      Why it was not.
 * @param reason    A constant, for the log.
 */
enum status_found probe_judge(bool answered, const json_t *object, enum error_code code,
                              const char **reason);

/** Asks. */
enum status_found probe_ask(struct kube_client *client, const char *space, const char **reason);
