#pragma once

#include "controllers/loops.h"

/*
 * The loop of wipeOut: one key for each Repository that was deleted and asked for its data to be
 * removed, its UID. It is remembered from the event of its deletion on, and by this leader alone.
 * Spec: docs/maintenance.md, wipeOut.
 */
extern const struct loop wipe_loop;
