#pragma once

#include <jansson.h>

#include "controllers/known.h"

/* Keys of target_loop: "group/Kind/namespace/name" of the targets that a change is about. */

/** As struct loop has it. */
void target_keys(struct known *known, const struct informer_change *change, json_t *list);

/** The blueprint that a namespace's label names; NULL: none. Borrowed. */
const char *target_keys_label(const json_t *space);
