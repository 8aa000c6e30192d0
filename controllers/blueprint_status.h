#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What became of a BackupBlueprint: its status. Pure.
 */

/** One target that uses it. Borrowed. */
struct blueprint_target {
    const char *name;              /* "Deployment shop/web" */
    const json_t *configuration;   /* what follows from the blueprint for it; NULL: nothing yet */
    const char *problem;           /* why there is none, or not the right one; NULL: not known */
    size_t protected, unprotected; /* claims of it */
};

/** What is seen. Borrowed. */
struct blueprint_seen {
    const json_t *blueprint;
    const char *fault; /* what is wrong with it; NULL: it is sound */
    const struct blueprint_target *targets;
    size_t count;
    int64_t now_s;
};

/** What is counted. */
struct blueprint_counts {
    size_t matched, up_to_date, failing, protected, unprotected;
};

struct blueprint_counts blueprint_count(const struct blueprint_seen *seen);

/** Bytes of lastError: what the CRD takes. */
#define BLUEPRINT_ERROR_MAX_BYTES 4096u

/**
 * The status that follows: counts, lastError (of the first failing target in the order of names),
 * conditions ValidationPassed, TargetsUpToDate (False while an edit is on its way) and
 * TargetsReady; the rest stays.
 *
 * @param status  As it is; NULL and odd shapes are an empty one. Borrowed.
 * @return        New reference. Equal to `status` when there is nothing to write.
 */
json_t *blueprint_status(const struct blueprint_seen *seen, const json_t *status);
