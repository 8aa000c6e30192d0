#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/** Scheduling classes of ionice(1). */
enum io_class { IO_NONE, IO_REALTIME, IO_BEST_EFFORT, IO_IDLE };

/** How much the agent stands back behind the application. */
struct priority {
    bool has_nice;
    int nice;               /* -20 (greedy) to 19 (gentle) */
    enum io_class io_class; /* IO_NONE: not set */
    int io_level;           /* 0 (greedy) to 7 within realtime and best-effort */
};

/**
 * Reads "nice=10,ionice=idle"; ionice is idle, best-effort[:0-7] or realtime[:0-7] (4 when not
 * given). Either may be missing, not both.
 *
 * @return False: ERROR_INVALID.
 */
bool priority_parse(struct span text, struct priority *priority, struct error *err) MUST_CHECK;

/**
 * Brings what is set within bounds (NULL: none). For both the greedier one is the lesser: `min`
 * says how greedy an owner may be.
 *
 * @param told  Appended to: "nice=5 instead of -10".
 * @return      True when something changed.
 */
bool priority_clamp(struct priority *priority, const struct priority *min,
                    const struct priority *max, struct text *told);

/** Sets nice {adjustment} and ionice {class, classData} of a runtimeSettings.container; what is not
 *  set stays. Spec: stash-behaviour 1.2. */
void priority_put(json_t *container, const struct priority *priority);
