#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The numbers of a session that has ended, out of its status. Pure; odd shapes count as absent.
 * Spec: stash-behaviour 1.5.
 */

/* A number that is not known. */
#define FIGURE_ABSENT INT64_MIN

/* Hosts of one session that are kept: a DaemonSet on more nodes than that shows the first ones. */
#define FIGURE_HOSTS_MAX 500u

/** What one host has done. */
struct host_figures {
    char *name; /* owned */
    bool succeeded;
    int64_t duration_s, processing_s;
    int64_t bytes, uploaded; /* sums over its snapshots */
    int64_t files, files_new, files_modified, files_unmodified;
};

/** A run. {0} is none. */
struct run_figures {
    int64_t created_s; /* 0: there is none */
    int64_t duration_s;
    int64_t targets, hosts_wanted;
    bool succeeded, target_succeeded;
    struct host_figures *hosts; /* owned */
    size_t host_count;
};

void run_figures_done(struct run_figures *run);

static inline void auto_run_figures(struct run_figures *run)
{
    run_figures_done(run);
}

/**
 * Reads a BackupSession or RestoreSession.
 *
 * @param run  {0} before.
 * @return     False: it has not ended with a result (it waits, works, or was skipped).
 */
bool run_figures_read(struct run_figures *run, const json_t *session);

/** The sum over hosts of one of their numbers, by offsetof(); FIGURE_ABSENT when no host has it. */
int64_t run_figures_sum(const struct run_figures *run, size_t member);

/** What this host has done, or NULL. */
const struct host_figures *run_figures_host(const struct run_figures *run, const char *name);

/** Reads "1.234 MiB" as restic and we write it, in bytes; FIGURE_ABSENT when it is none. */
int64_t figure_bytes(const char *text);

/** Reads "1m30s", "1:30" or "1:01:30", in whole seconds; FIGURE_ABSENT when it is none. */
int64_t figure_seconds(const char *text);
