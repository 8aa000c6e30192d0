#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/settings.h"
#include "base/text.h"

/*
 * Which PersistentVolumeClaims of the cluster are backed up, and by whom. Pure.
 */

/** What is said of a claim. */
enum cover {
    COVER_NONE,      /* nobody backs it up; `by` says why, when somebody should */
    COVER_EXCLUDED,  /* somebody wants it so */
    COVER_PROTECTED, /* by a BackupConfiguration that is Ready */
    COVERS
};

/** One claim. Borrowed from the list of claims, but for `by`. */
struct covered {
    const json_t *object;
    const char *space, *name;
    enum cover cover;
    char *by; /* owned; for people: "BackupConfiguration shop/deploy-web"; NULL: nobody */
};

/** What it is judged by. Lists of objects, borrowed; any shape. */
struct coverage_seen {
    const json_t *claims;         /* metadata are enough */
    const json_t *workloads;      /* whole: those with a configuration, or with anything of ours */
    const json_t *configurations; /* all of the cluster */
    const struct settings *settings;
};

/** The result; lives as long as what it was made from. */
struct coverage;

struct coverage *coverage_make(const struct coverage_seen *seen);

/** NULL is fine. */
void coverage_free(struct coverage *coverage);

/** All claims, in the order of the list. Borrowed. */
const struct covered *coverage_claims(const struct coverage *coverage, size_t *count);

/** How many claims of a target (workload or claim) are in each state. False: the target is not
 *  known, or no workload that was given. */
bool coverage_count(const struct coverage *coverage, const json_t *target, size_t counts[COVERS]);

/** Which claims a workload uses: their places in coverage_claims(). New list of integers. */
json_t *coverage_places(const struct coverage *coverage, const json_t *workload);

/* Series of single claims in the metrics: a scrape of 2 MB. What is not protected comes first. */
#define COVERAGE_SERIES_MAX 10000u

/** Appends metrics: `granary_controller_claims{state}` and one series per claim. Format: Prometheus
 *  text exposition 0.0.4. */
void coverage_metrics(const struct coverage *coverage, struct text *text);
