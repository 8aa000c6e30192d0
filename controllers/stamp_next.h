#pragma once

#include <jansson.h>
#include <stdint.h>

#include "api/plan.h"

/*
 * Whether a workload has to be stamped, so that admission looks at it once more: what its pods
 * carry does not follow from today's reasons. Pure. Spec: design, Admission (A stamp is a trigger),
 * Controllers (Existing workloads).
 */

/** What is seen. Borrowed. */
struct stamp_seen {
    const json_t *workload; /* whole */
    const struct cluster *cluster;
    const struct settings *settings;
    int64_t active_s; /* since when our mutator is in force; 0: nobody knows yet */
};

enum stamp_verdict {
    STAMP_RESTS, /* it carries what it should, or nobody can say what that is */
    STAMP_WAITS, /* older than the installation, as all its reasons are: its owner's next change */
    STAMP_IT
};

/** The verdict. */
struct stamp_next {
    enum stamp_verdict verdict;
    char cause[32]; /* the mark that it is to have, "none": the same cause is tried a few times */
    int64_t per_minute; /* restarts that are allowed */
};

/** Decides. A stamp restarts pods: it is never asked for by a new release or by new settings alone,
 *  and not for what admission would leave as it is. */
struct stamp_next stamp_next(const struct stamp_seen *seen);
