#pragma once

#include "controllers/loops.h"

/*
 * The loop of metrics: one key for each BackupConfiguration ("shop/web"). It remembers the last
 * success of those whose history does not keep it, and decides nothing.
 */
extern const struct loop metrics_loop;

/** Appends the series by Stash's names of one BackupConfiguration or RestoreSession: nothing when
 * no session has ended. */
void metrics_loop_series(struct loops *loops, const json_t *invoker, bool restore,
                         struct text *text);
