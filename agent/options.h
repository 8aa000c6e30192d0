#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/limits.h"

/** Exit codes of granary-agent. */
enum agent_exit {
    AGENT_FINE = 0,   /* sidecar: until SIGTERM; init: the application may start; step, trigger,
                         maintain: done */
    AGENT_ENDED = 1,  /* init: a signal came before that; step, maintain: failed; trigger: no
                         session */
    AGENT_CANNOT = 2, /* could not run: arguments */
};

/* Runs of one maintenance Job: a target each, and a few more. */
#define MAINTENANCE_RUNS_MAX 512u

/* Targets of one drill: a Repository that more of them share has one after the other. */
#define DRILLS_MAX 64u

struct database_options;

enum agent_mode {
    AGENT_SIDECAR,
    AGENT_INIT,
    AGENT_STEP,
    AGENT_TRIGGER,
    AGENT_MAINTAIN,
    AGENT_UPDATE
};

/**
 * What the command line says, as admission wrote it into the pod: pods live on for years, so what
 * is here stays readable. Strings belong to argv.
 */
struct agent_options {
    enum agent_mode mode;
    const char *identity;                                  /* folder of token, CA and addresses */
    const char *session, *session_namespace, *session_uid; /* of a restore; NULL: none */
    const char *alias;                                     /* of its target; NULL: none */
    const char *hosts[RESTORE_HOSTS_MAX];                  /* that it covers */
    size_t host_count;                                     /* 0: all */
    const char *target_kind;                               /* of the workload; NULL: not said */
    bool restore_if_exists;
    int64_t jitter_ms, deadline_ms; /* of trigger */
    const char *kind;               /* of maintenance: "forget" */
    const char *secret;             /* folder with a file for each key of the storage Secret */
    const char *backend;            /* of the Repository, as JSON */
    const char *cluster;            /* that owns the repository; NULL: not known */
    const char *dead; /* begin of the names of pods that are dead, whose lock is removed;
                         NULL: none */
    const char *runs[MAINTENANCE_RUNS_MAX]; /* argument vectors of restic, as JSON */
    size_t run_count;
    const char *drills[DRILLS_MAX]; /* snapshots to be restored and compared, as JSON */
    size_t drill_count;
    const char *fetch;            /* of --kind etcd: {snapshot, host}, as JSON; NULL: nothing */
    const char *restored;         /* folder that they are restored into */
    int64_t room_bytes;           /* that it has at most; 0: as much as there is */
    const char *output, *interim; /* folders of output.json and of a dump, of a Task's last step */
    const char *result;    /* file that is told how it ended, or what an application starts on */
    const char *scratch;   /* folder for restic's cache and temporary files */
    const char *restic;    /* path of the program */
    const char *rclone;    /* of this one; only the image for removing repositories has it */
    const char *mountinfo; /* list of mounts */
    const struct database_options *database; /* of a step that dumps or restores one; NULL: none */
};

enum agent_verdict { AGENT_RUN, AGENT_HELP, AGENT_VERSION, AGENT_BAD };

/**
 * Reads the command line.
 *
 * @param options  Filled with AGENT_RUN.
 * @param err      What is wrong, one line, with AGENT_BAD.
 */
enum agent_verdict agent_options_parse(int argc, char **argv, struct agent_options *options,
                                       struct error *err);

/** Writes what --help and --version say. */
void agent_help(FILE *out);
void agent_version(FILE *out);
