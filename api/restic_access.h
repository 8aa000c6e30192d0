#pragma once

#include <jansson.h>

#include "api/agent_messages.h"
#include "base/error.h"

/* Keys of a storage Secret: the password of the repository, and the one before it, when that was
 * changed. */
#define RESTIC_PASSWORD_KEY "RESTIC_PASSWORD"
#define RESTIC_PASSWORD_OLD_KEY "RESTIC_PASSWORD_OLD"

/**
 * How restic reaches a repository: its address, and from the storage Secret what restic reads. Only
 * keys that the provider knows are taken, so whatever else lies in that Secret stays there.
 *
 * @param backend  Of a Repository. Borrowed.
 * @param secret   The Secret as the API has it (`data` in base64). Borrowed.
 * @param work     Its repository.url, .insecure_tls and .key_exchange, environment, files and
 *                 limits.connections are set.
 * @return         New reference to what the texts of `work` are borrowed from; it is secret, so
 *                 release it with restic_access_done(). NULL: ERROR_INVALID, no value of the Secret
 *                 is in the message: no provider, no RESTIC_PASSWORD, a required key is missing, a
 *                 value that can not be one.
 *
 * Spec: stash-behaviour 6.1; restic's manual, environment variables.
 */
json_t *restic_access_make(const json_t *backend, const json_t *secret, struct message_work *work,
                           struct error *err) MUST_CHECK;

/** Wipes its texts, and releases it. NULL is fine. */
void restic_access_done(json_t *access);

static inline void auto_restic_access(json_t **access)
{
    restic_access_done(*access);
}
