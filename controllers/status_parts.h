#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/agent_messages.h"
#include "controllers/work_next.h"

/*
 * What the status of a BackupSession and that of a RestoreSession have in common: edited in place,
 * members of odd shapes are replaced.
 */

/** The list `conditions` of an object, made when it is absent or no list. Borrowed, to edit. */
json_t *status_conditions(json_t *object);

/** The list of this name, likewise. */
json_t *status_list(json_t *object, const char *key);

/** The element of a list of stats that is about this host, or NULL. Borrowed. */
const json_t *status_stat(const json_t *stats, const char *host);

/** Sets a moment as Kubernetes writes it. */
void status_put_time(json_t *object, const char *key, int64_t moment_s);

/** Sets a duration as Go writes it; one below zero is zero. */
void status_put_duration(json_t *object, const char *key, int64_t seconds);

/** How a hook's condition is called. All static. */
struct status_hook {
    const char *type, *done, *failed;
};

/**
 * Sets the condition of a hook in `conditions` of an object. One host's failed hook is that of all:
 * a success never covers it up.
 *
 * @param result  Of enum message_hook; MESSAGE_HOOK_NOT_ASKED sets nothing.
 */
void status_put_hook(json_t *object, const struct status_hook *hook, int result, int64_t now_s);

/** "reason: message" of a host that has failed, fit for a status wherever the message was cut. The
 *  caller frees it. */
char *status_error(const struct work_step *step);

/** The same of what an agent reported, or `unproven` when it says nothing. NULL of a success that
 * is proven. */
char *status_report_error(const struct message_report *report, bool proven, const char *unproven);
