#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"
#include "controllers/run_figures.h"

/*
 * Metrics of what is backed up: those of Stash, by its names and labels, so that dashboards made
 * for it go on, and ours. Pure: they are read from the objects, so that the series of an object go
 * with it. Described in docs/metrics.md. Spec: stash-behaviour 6.5.
 */

/* BackupConfigurations, RestoreSessions, Repositories, targets with a problem: so many of each are
 * shown, the others are counted in granary_controller_series_left_out. */
#define TARGET_METRICS_MAX 20000u

/** Whose names; to be pushed: those of Stash that have a series. */
enum metric_set { METRICS_STASH, METRICS_OURS, METRICS_PUSHED };

/** What is gathered. */
struct target_metrics;

struct target_metrics *target_metrics_make(void);

/** NULL is fine. */
void target_metrics_free(struct target_metrics *metrics);

static inline void auto_target_metrics(struct target_metrics **metrics)
{
    target_metrics_free(*metrics);
}

/** What is seen of a BackupConfiguration. All borrowed. */
struct backup_seen {
    const json_t *configuration;
    const json_t *repository;          /* NULL: it is not there */
    const struct run_figures *last;    /* the newest that has ended; NULL: none */
    const struct run_figures *success; /* the newest that has succeeded; NULL: none */
    int64_t attempt_s;                 /* when the newest that began was made; 0: none */
    int64_t success_s;                 /* as of when the newest backup is; 0: none is known */
    bool running;
    int64_t missed; /* slots of its schedule without a session, since this leader leads */
};

/** Adds one. False: it was left out, there are too many. */
bool target_metrics_backup(struct target_metrics *metrics, const struct backup_seen *seen);

/** Adds a RestoreSession. One that has not ended has no series. */
bool target_metrics_restore(struct target_metrics *metrics, const json_t *session);

/** Adds a Repository, for our own metrics of it. */
bool target_metrics_repository(struct target_metrics *metrics, const json_t *repository);

/** Adds a target that can not be served as wished. @param target  "group/Kind/namespace/name". */
bool target_metrics_problem(struct target_metrics *metrics, const char *target, const char *reason);

/** Appends all of one set. */
void target_metrics_write(const struct target_metrics *metrics, enum metric_set set,
                          struct text *text);
