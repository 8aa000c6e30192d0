#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * BackupSessions as we make them, for a slot of the schedule or to try again. Pure.
 */

/**
 * A BackupSession of this configuration, owned by it.
 *
 * @param name        From slot_session_name() or slot_name_of_uid(), so that who makes it twice
 *                    makes one.
 * @param retry_left  How often it may be tried again.
 * @return            New reference.
 *
 * Spec: stash-behaviour 5.2.
 */
json_t *session_make(const json_t *configuration, const char *name, int64_t retry_left);

/** How often a configuration lets its sessions be tried again: retryConfig.maxRetry, 1 when only
 *  the rest of it is given, 0 without it. */
int64_t session_retries(const json_t *configuration);

/** How many sessions of a configuration are kept: backupHistoryLimit, 1 when it is not given. */
int64_t session_history_limit(const json_t *configuration);

/** The target of a BackupConfiguration or RestoreSession, as `{apiVersion, kind, name, namespace}`
 *  with the namespace filled in; of a RestoreSession that makes its claims itself that session. New
 *  reference, NULL when it names none. */
json_t *session_target(const json_t *invoker);

/** How many sets of claims a RestoreSession makes from its templates, one each ordinal; 0: none, or
 *  one without ordinals. */
int64_t session_claim_sets(const json_t *session);

/** Labels of what is made for an invoker's sessions, sessions and Jobs: its own, and what Stash's
 * and ours are found by. New reference. */
json_t *session_labels(const json_t *invoker, bool restore);

/** "group/Kind/namespace/name" of what session_target() gives; the caller frees it. Equal for two
 *  exactly when they are one target. */
char *session_target_text(const json_t *target);
