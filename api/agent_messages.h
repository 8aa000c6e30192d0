#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/message.h"
#include "base/limits.h"

/*
 * What granary-agent and the controller say to each other, as docs/agent-api.md describes it: the
 * shapes here go through message_read() and message_write(). Texts are borrowed.
 */

/* Bytes of a request, of a report, of an answer. */
#define AGENT_REQUEST_MAX_BYTES (64u << 10)
#define AGENT_REPORT_MAX_BYTES (256u << 10)
#define AGENT_ANSWER_MAX_BYTES (1u << 20)

/* Seconds that a claim may wait, between two claims, between two signs of progress. */
#define AGENT_WAIT_MAX_S 300
#define AGENT_RETRY_MAX_S 3600
#define AGENT_PROGRESS_MAX_S 300

/* Elements of lists: variables that restic reads, files of credentials, patterns, rules. */
#define AGENT_ENVIRONMENT_MAX 64u
#define AGENT_FILES_MAX 8u
#define AGENT_PATTERNS_MAX 256u
#define AGENT_TAGS_MAX 16u
#define AGENT_RULES_MAX 16u
#define AGENT_SNAPSHOTS_MAX 16u

/* Bytes of a credential, and of an error for people. */
#define AGENT_SECRET_MAX_BYTES (64u << 10)
#define AGENT_ERROR_MAX_BYTES 4096u

/* Tries of one host in one session; no honest session comes near. */
#define AGENT_ATTEMPT_MAX 1000000

enum agent_role { AGENT_SIDECAR, AGENT_INIT, AGENT_JOB };
enum agent_work_kind { AGENT_BACKUP, AGENT_RESTORE };
enum agent_stage { AGENT_HOOK_BEFORE, AGENT_INITIALIZE, AGENT_WORK, AGENT_HOOK_AFTER };
enum agent_outcome { AGENT_SUCCEEDED, AGENT_FAILED };
enum agent_hook {
    AGENT_HOOK_NOT_ASKED,
    AGENT_HOOK_SUCCEEDED,
    AGENT_HOOK_FAILED,
    AGENT_HOOK_SKIPPED
};
enum agent_policy {
    AGENT_ALWAYS,
    AGENT_ON_SUCCESS,
    AGENT_ON_FAILURE,
    AGENT_ON_FINAL_RETRY_FAILURE
};

/** Which session. */
struct agent_session {
    const char *space, *name, *uid;
};

/** POST /v1/trigger and its answer. */
struct agent_trigger {
    const char *agent_version;
};

struct agent_triggered {
    struct agent_session session;
    bool created;
};

/** POST /v1/claim. */
struct agent_claim {
    const char *agent_version, *instance;
    int role;            /* enum agent_role */
    const char *session; /* UID that an init container was made for, or NULL */
    int64_t wait_s;
};

struct agent_variable {
    const char *name, *value; /* the value is secret */
};

struct agent_file {
    const char *name, *data; /* base64 of something secret */
};

struct agent_repository {
    const char *url;
    bool initialize;     /* allowed, on proof that there is none */
    const char *cluster; /* UID of the owning one, or NULL */
};

struct agent_backup {
    const char *paths[PATHS_MAX], *exclude[AGENT_PATTERNS_MAX], *args[PARAMS_MAX];
    const char *tags[AGENT_TAGS_MAX];
    size_t path_count, exclude_count, arg_count, tag_count;
};

struct agent_rule {
    const char *snapshots[AGENT_SNAPSHOTS_MAX], *paths[PATHS_MAX];
    const char *include[PATHS_MAX], *exclude[PATHS_MAX];
    size_t snapshot_count, path_count, include_count, exclude_count;
    const char *source_host, *as_of;
};

struct agent_restore {
    bool if_exists; /* only into what is empty */
    struct agent_rule rules[AGENT_RULES_MAX];
    size_t rule_count;
};

struct agent_hooks {
    const json_t *before, *after; /* Handlers, or NULL */
    int after_policy;             /* enum agent_policy */
};

struct agent_limits {
    int64_t connections, memory_bytes; /* 0: not said */
    bool cache;
    int64_t nice;
    int64_t ionice_class, ionice_data; /* -1: not said */
};

/** A piece of work. */
struct agent_work {
    int kind; /* enum agent_work_kind */
    struct agent_session session;
    const char *host;
    int64_t attempt;
    int64_t deadline_s; /* left, -1: none */
    int64_t progress_s;
    struct agent_repository repository;
    struct agent_variable environment[AGENT_ENVIRONMENT_MAX];
    size_t variable_count;
    struct agent_file files[AGENT_FILES_MAX];
    size_t file_count;
    bool has_backup, has_restore, has_hooks, has_limits;
    struct agent_backup backup;
    struct agent_restore restore;
    struct agent_hooks hooks;
    int64_t retry_left;
    struct agent_limits limits;
};

/** Answer to a claim. */
struct agent_granted {
    int64_t retry_after_s;
    bool pass;
    bool has_work;
    struct agent_work work;
};

/** POST /v1/progress and its answer. */
struct agent_progress {
    const char *session, *host, *instance;
    int64_t attempt;
    int stage; /* enum agent_stage */
    int64_t bytes_done, bytes_total, files_done, files_total;
    bool initialized;
};

struct agent_verdict {
    bool go_on;
    const char *reason;
};

struct agent_failure {
    const char *reason, *message;
};

struct agent_snapshot {
    const char *id, *path;
    int64_t total_bytes, uploaded_bytes, processing_ms;
    int64_t files_total, files_new, files_changed, files_unmodified;
};

/** POST /v1/report and its answer. */
struct agent_report {
    const char *session, *host, *instance;
    int64_t attempt;
    int outcome; /* enum agent_outcome */
    int64_t duration_ms;
    bool has_error;
    struct agent_failure error;
    bool initialized;
    int hook_before, hook_after; /* enum agent_hook */
    struct agent_snapshot snapshots[PATHS_MAX];
    size_t snapshot_count;
};

struct agent_receipt {
    bool recorded;
};

extern const struct message_shape agent_trigger_shape, agent_triggered_shape, agent_claim_shape,
    agent_granted_shape, agent_progress_shape, agent_verdict_shape, agent_report_shape,
    agent_receipt_shape;

/** True when each of these paths has a snapshot of its own in the report: without that, no backup
 *  has succeeded, whatever else it says. */
bool agent_report_covers(const struct agent_report *report, const struct agent_backup *backup);
