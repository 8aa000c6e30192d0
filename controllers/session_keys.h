#pragma once

#include <jansson.h>

#include "controllers/known.h"

/* Keys of session_loop: "group/Kind/namespace/name" of a target, or "?namespace/name" of a
 * BackupSession without one. */
#define SESSION_KEY_ALONE '?'

/** The target of a BackupSession: of its configuration, or, when that is gone, what its status says
 *  it worked on. New {apiVersion, kind, name, namespace}; NULL: nobody knows. */
json_t *session_keys_target(struct known *known, const json_t *session);

/** The target that a text names; new reference. */
json_t *session_keys_parse(const char *text);

/** The key of a BackupSession or RestoreSession; the caller frees it. NULL: none. */
char *session_keys_of(struct known *known, const json_t *session);

/** As struct loop has it. */
void session_keys(struct known *known, const struct informer_change *change, json_t *list);
