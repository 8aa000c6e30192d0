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
#define MESSAGE_REQUEST_MAX_BYTES (64u << 10)
#define MESSAGE_REPORT_MAX_BYTES (256u << 10)
#define MESSAGE_ANSWER_MAX_BYTES (1u << 20)

/* Seconds that a claim may wait, between two claims, between two signs of progress. */
#define MESSAGE_WAIT_MAX_S 300
#define MESSAGE_RETRY_MAX_S 3600
#define MESSAGE_PROGRESS_MAX_S 300

/* How often a stream is asked for in one attempt: a leader that is lost costs one. */
#define MESSAGE_TURNS_MAX 4

/* Elements of lists: variables that restic reads, files of credentials, patterns, rules. */
#define MESSAGE_ENVIRONMENT_MAX 64u
#define MESSAGE_FILES_MAX 8u
#define MESSAGE_PATTERNS_MAX 256u
#define MESSAGE_TAGS_MAX 16u
#define MESSAGE_RULES_MAX 16u
#define MESSAGE_SNAPSHOTS_MAX 16u

/* Bytes of a credential, and of an error for people. */
#define MESSAGE_SECRET_MAX_BYTES (64u << 10)
#define MESSAGE_ERROR_MAX_BYTES 4096u
#define MESSAGE_NOTE_MAX_BYTES 1024u

/* The reason of a failure: another cluster's mark is on the repository. */
#define FOREIGN_REPOSITORY "ForeignRepository"

/* Of a repository that has no key of the password in the Secret: what asks for its exchange. */
#define WRONG_PASSWORD "WrongPassword"

/* Tries of one host in one session; no honest session comes near. */
#define MESSAGE_ATTEMPT_MAX 1000000

enum message_role { MESSAGE_SIDECAR, MESSAGE_INIT, MESSAGE_JOB };
/* MESSAGE_STREAM: a backup of what a command writes, which the controller runs. */
enum message_work_kind { MESSAGE_BACKUP, MESSAGE_RESTORE, MESSAGE_STREAM };
enum message_stage { MESSAGE_HOOK_BEFORE, MESSAGE_INITIALIZE, MESSAGE_WORK, MESSAGE_HOOK_AFTER };
enum message_outcome { MESSAGE_SUCCEEDED, MESSAGE_FAILED };
enum message_hook {
    MESSAGE_HOOK_NOT_ASKED,
    MESSAGE_HOOK_SUCCEEDED,
    MESSAGE_HOOK_FAILED,
    MESSAGE_HOOK_SKIPPED
};
/** How the command of a hook is getting on, that the controller runs. */
enum message_exec_state {
    MESSAGE_EXEC_NOT_RUN,
    MESSAGE_EXEC_RUNNING,
    MESSAGE_EXEC_SUCCEEDED,
    MESSAGE_EXEC_FAILED
};
enum message_policy {
    MESSAGE_ALWAYS,
    MESSAGE_ON_SUCCESS,
    MESSAGE_ON_FAILURE,
    MESSAGE_ON_FINAL_RETRY_FAILURE
};

/** Which session. */
struct message_session {
    const char *space, *name, *uid;
};

/** POST /v1/trigger and its answer. */
struct message_trigger {
    const char *agent_version;
};

struct message_triggered {
    struct message_session session;
    bool created;
};

/** POST /v1/claim. */
struct message_claim {
    const char *agent_version, *instance;
    int role;            /* enum message_role */
    const char *session; /* UID that an init container was made for, or NULL */
    int64_t wait_s;
};

struct message_variable {
    const char *name, *value; /* the value is secret */
};

struct message_file {
    const char *name, *data; /* base64 of something secret */
};

struct message_repository {
    const char *url;
    bool initialize;     /* allowed, on proof that there is none */
    const char *cluster; /* UID of this one, which must own it to write, or NULL */
    const char *adopt;   /* UID of the one that it takes it over from, or NULL */
    bool insecure_tls;   /* the server's certificate is not looked at */
    bool key_exchange;   /* the previous password was given: the key is to be exchanged */
};

struct message_backup {
    const char *paths[PATHS_MAX], *exclude[MESSAGE_PATTERNS_MAX], *args[PARAMS_MAX];
    const char *tags[MESSAGE_TAGS_MAX];
    size_t path_count, exclude_count, arg_count, tag_count;
};

struct message_rule {
    const char *snapshots[MESSAGE_SNAPSHOTS_MAX], *paths[PATHS_MAX];
    const char *include[PATHS_MAX], *exclude[PATHS_MAX];
    size_t snapshot_count, path_count, include_count, exclude_count;
    const char *source_host, *as_of;
};

struct message_restore {
    bool if_exists; /* only into what is empty */
    /* of if_exists, without snapshots in its rule: only the newest whole session of the snapshots
     * with this tag, and only if it is this session (NULL: any) */
    const char *tag, *session;
    struct message_rule rules[MESSAGE_RULES_MAX];
    size_t rule_count;
};

struct message_hooks {
    const json_t *before, *after; /* Handlers, or NULL */
    int after_policy;             /* enum message_policy */
    const json_t *data;           /* {Invoker, Target} for their templates, or NULL */
};

struct message_limits {
    int64_t connections, memory_bytes; /* 0: not said */
    bool cache;
    int64_t nice;
    int64_t ionice_class, ionice_data; /* -1: not said */
};

/** A piece of work. */
struct message_work {
    int kind; /* enum message_work_kind */
    struct message_session session;
    const char *host;
    int64_t attempt;
    int64_t deadline_s; /* left, -1: none */
    int64_t progress_s;
    struct message_repository repository;
    struct message_variable environment[MESSAGE_ENVIRONMENT_MAX];
    size_t variable_count;
    struct message_file files[MESSAGE_FILES_MAX];
    size_t file_count;
    bool has_backup, has_restore, has_hooks, has_limits;
    struct message_backup backup;
    struct message_restore restore;
    struct message_hooks hooks;
    int64_t retry_left;
    struct message_limits limits;
};

/** Answer to a claim. */
struct message_granted {
    int64_t retry_after_s;
    bool pass;
    bool has_work;
    struct message_work work;
};

/** POST /v1/progress and its answer. */
/** What the templates of a command say of the work. */
struct message_exec {
    const char *phase, *duration, *error;
    int64_t retry_left;
};

struct message_progress {
    const char *session, *host, *instance;
    int64_t attempt;
    int stage; /* enum message_stage */
    int64_t bytes_done, bytes_total, files_done, files_total;
    bool initialized;
    bool has_exec; /* the command of the hook of this stage is to run, or asked after */
    struct message_exec exec;
};

struct message_verdict {
    bool go_on;
    const char *reason;
    int exec; /* enum message_exec_state */
    const char *exec_message;
};

struct message_failure {
    const char *reason, *message;
};

struct message_snapshot {
    const char *id, *path;
    int64_t total_bytes, uploaded_bytes, processing_ms;
    int64_t files_total, files_new, files_changed, files_unmodified;
};

/** POST /v1/report and its answer. */
struct message_report {
    const char *session, *host, *instance;
    int64_t attempt;
    int outcome; /* enum message_outcome */
    int64_t duration_ms;
    bool has_error;
    struct message_failure error;
    bool initialized;
    const json_t *dump;          /* {etcd: {...}}: what is known of a dump; or NULL */
    const char *note;            /* for people: what was decided and why; or NULL */
    int hook_before, hook_after; /* enum message_hook */
    struct message_snapshot snapshots[PATHS_MAX];
    size_t snapshot_count;
};

struct message_receipt {
    bool recorded;
};

/** POST /v1/stream: what the command of a work of kind stream writes, see api/stream_frame.h. */
struct message_stream {
    const char *session, *host, *instance;
    int64_t attempt, turn;
};

extern const struct message_shape message_trigger_shape, message_triggered_shape,
    message_stream_shape, message_claim_shape, message_granted_shape, message_progress_shape,
    message_verdict_shape, message_report_shape, message_receipt_shape;

/** True when each of these paths has a snapshot of its own in the report: without that, no backup
 *  has succeeded, whatever else it says. */
bool message_report_covers(const struct message_report *report,
                           const struct message_backup *backup);
