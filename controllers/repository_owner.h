#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * Sets the condition BackendRepositoryOwned of a Repository's status, as the newest session says
 * that knows: False when what is at its address belongs to another cluster, with what to do. No
 * session that knows leaves it as it is. Pure. Spec: docs/repositories.md.
 *
 * @param status    Edited in place.
 * @param sessions  BackupSessions that write to the Repository; odd shapes do not count. Borrowed.
 * @return          The message when it has just become foreign, or says so in other words; NULL
 *                  otherwise. Borrowed from sessions.
 */
const char *repository_owner_put(json_t *status, const json_t *sessions, int64_t now_s);
