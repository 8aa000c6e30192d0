#include "controllers/session_status.h"

#include <string.h>

#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/progress_status.h"
#include "controllers/status_parts.h"

/* Bytes of one text about a dump (a list of 64 members), and how many remarks there are. */
#define FACT_TEXT_BYTES 16384u
#define FACT_NOTES_MAX 8u

#define SHORT_ID_CHARS 8

/* A session has one target. */
static json_t *target_of(json_t *status)
{
    json_t *targets = status_list(status, "targets");

    if (!json_is_object(json_array_get(targets, 0))) {
        json_array_clear(targets);
        tree_push_new(targets, json_object());
    }
    return json_array_get(targets, 0);
}

static void put_phase(json_t *status, enum session_phase phase)
{
    tree_put_text(status, "phase", session_phase_word(phase));
}

/* ---- hosts ---- */

static const json_t *stat_of(const json_t *status, const char *host)
{
    const json_t *target = json_array_get(tree_get(status, "targets"), 0);

    return status_stat(tree_get(target, "stats"), host);
}

enum work_result session_status_result(const json_t *status, const char *host)
{
    const json_t *stat = stat_of(status, host);

    if (!stat)
        return WORK_OPEN;
    return span_is(tree_span(stat, "phase"), "Succeeded") ? WORK_SUCCEEDED : WORK_FAILED;
}

static json_t *push_stat(json_t *status, const char *host, bool succeeded, const char *error)
{
    json_t *stats = status_list(target_of(status), "stats");
    json_t *stat = json_object();

    tree_put_text(stat, "hostname", host);
    tree_put_text(stat, "phase", succeeded ? "Succeeded" : "Failed");
    if (error)
        tree_put_text(stat, "error", error);
    tree_push_new(stats, stat);
    return stat;
}

static void put_size(json_t *object, const char *key, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double size = (double)bytes;
    size_t unit = 0;

    while (size >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }

    AUTO(free) char *text = text_format(unit ? "%.3f %s" : "%.0f %s", size, units[unit]);

    tree_put_text(object, key, text);
}

static json_t *snapshot_of(const struct message_snapshot *snapshot)
{
    json_t *made = json_object(), *files = json_object();

    tree_put_span(made, "name", (struct span){snapshot->id, SHORT_ID_CHARS});
    tree_put_text(made, "path", snapshot->path);
    put_size(made, "totalSize", snapshot->total_bytes);
    put_size(made, "uploaded", snapshot->uploaded_bytes);
    status_put_duration(made, "processingTime", snapshot->processing_ms / 1000);
    tree_put_int(files, "totalFiles", snapshot->files_total);
    tree_put_int(files, "newFiles", snapshot->files_new);
    tree_put_int(files, "modifiedFiles", snapshot->files_changed);
    tree_put_int(files, "unmodifiedFiles", snapshot->files_unmodified);
    tree_put_new(made, "fileStats", files);
    return made;
}

static void put_snapshots(json_t *stat, const struct message_report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->snapshot_count; i++)
        tree_push_new(list, snapshot_of(&report->snapshots[i]));
    tree_put_new(stat, "snapshots", list);
}

/* Members of what an agent says of a dump that the status has a place for; lists end with NULL. */
static json_t *facts_of(const json_t *said, const char *const *texts, const char *const *numbers)
{
    json_t *made = json_object();

    for (; *texts; texts++)
        if (tree_span(said, *texts).length && tree_span(said, *texts).length <= FACT_TEXT_BYTES)
            tree_put_text(made, *texts, tree_text(said, *texts));
    for (; *numbers; numbers++)
        if (tree_int(said, *numbers, -1) >= 0)
            tree_put_int(made, *numbers, tree_int(said, *numbers, 0));
    return made;
}

static json_t *notes_of(const json_t *said)
{
    json_t *notes = json_array();
    const json_t *note;
    size_t i;

    tree_items (tree_get(said, "notes"), i, note)
        if (json_string_length(note) && json_string_length(note) <= FACT_TEXT_BYTES &&
            json_array_size(notes) < FACT_NOTES_MAX)
            tree_push_new(notes, tree_copy(note));
    return notes;
}

static void put_etcd(json_t *stat, const json_t *etcd)
{
    static const char *const texts[] = {"sha256", "serverVersion",  "toolVersion", "endpoint",
                                        "member", "initialCluster", NULL},
                             *const numbers[] = {"revision", "keys", "size", "hash", NULL};
    json_t *made;

    if (!json_is_object(etcd))
        return;
    made = facts_of(etcd, texts, numbers);
    tree_put_bool(made, "leader", tree_true(etcd, "leader"));
    tree_put_new(made, "notes", notes_of(etcd));
    tree_put_new(stat, "etcd", made);
}

static void put_database(json_t *stat, const json_t *database)
{
    static const char *const texts[] = {"kind", "serverVersion", "toolVersion", "keyspace", NULL},
                             *const numbers[] = {"size", "databases", "tables",  "rows",
                                                 "keys", "libraries", "largest", NULL};

    if (json_is_object(database))
        tree_put_new(stat, "database", facts_of(database, texts, numbers));
}

/* Nothing of ours was written to what belongs to another cluster. */
static void put_owner(json_t *status, const struct message_report *report, int64_t now_s)
{
    const struct condition owned = {BACKEND_OWNED, CONDITION_TRUE, "OwnedByThisCluster", NULL};
    const struct condition foreign = {BACKEND_OWNED, CONDITION_FALSE, FOREIGN_REPOSITORY,
                                      report->error.message};

    if (report->has_error && strcmp(report->error.reason, FOREIGN_REPOSITORY) == 0)
        (void)condition_set(status_conditions(status), &foreign, now_s);
    else if (report->outcome == MESSAGE_SUCCEEDED)
        (void)condition_set(status_conditions(status), &owned, now_s);
}

static void put_hooks(json_t *target, const struct message_report *report, int64_t now_s)
{
    static const struct status_hook before = {"PreBackupHookExecutionSucceeded",
                                              "SuccessfullyExecutedPreBackupHook",
                                              "FailedToExecutePreBackupHook"};
    static const struct status_hook after = {"PostBackupHookExecutionSucceeded",
                                             "SuccessfullyExecutedPostBackupHook",
                                             "FailedToExecutePostBackupHook"};

    status_put_hook(target, &before, report->hook_before, now_s);
    status_put_hook(target, &after, report->hook_after, now_s);
}

bool session_status_report(json_t *status, const struct message_report *report, bool proven,
                           int64_t now_s)
{
    static const struct condition found = {"BackendRepositoryInitialized", CONDITION_TRUE,
                                           "BackendRepositoryFound", NULL};

    if (session_status_result(status, report->host) != WORK_OPEN)
        return false;

    AUTO(free) char *error = status_report_error(report, proven, "a path has no snapshot");
    json_t *stat = push_stat(status, report->host, !error, error);

    progress_leave(status, report->host);
    status_put_duration(stat, "duration", report->duration_ms / 1000);
    put_snapshots(stat, report);
    if (!error) {
        put_etcd(stat, tree_get(report->dump, "etcd"));
        put_database(stat, tree_get(report->dump, "database"));
    }
    put_hooks(target_of(status), report, now_s);
    if (report->initialized)
        (void)condition_set(status_conditions(status), &found, now_s);
    put_owner(status, report, now_s);
    return true;
}

/* ---- steps ---- */

static const struct condition ensured = {"BackupExecutorEnsured", CONDITION_TRUE,
                                         "SuccessfullyEnsuredBackupExecutor", NULL};

static void start(const struct session *session, const struct work_step *step, const json_t *ref,
                  json_t *status, int64_t now_s)
{
    int64_t deadline_s = session_deadline_s(session);
    json_t *target = target_of(status), *before = json_array();

    put_phase(status, SESSION_RUNNING);
    if (deadline_s)
        status_put_time(status, "sessionDeadline", deadline_s);
    tree_push_text(before, "InitializeBackendRepository");
    tree_put_new(target, "ref", tree_copy(ref));
    tree_put_text(target, "phase", "Running");
    tree_put_int(target, "totalHosts", step->total);
    tree_put_new(target, "preBackupActions", before);
    if (!session->work.needs_executor) /* else its Jobs are made next */
        (void)condition_set(status_conditions(target), &ensured, now_s);
}

static void fail_host(const struct session *session, const struct work_step *step, json_t *status,
                      int64_t now_s)
{
    const char *host = session->work.hosts[step->host].name;
    AUTO(free) char *error = status_error(step);
    const struct condition disrupted = {"BackupDisrupted", CONDITION_TRUE,
                                        "FailedToCompleteDueToDisruption", error};
    const struct condition missing = {"BackupExecutorEnsured", CONDITION_FALSE,
                                      "FailedToEnsureBackupExecutor", error};

    if (session_status_result(status, host) != WORK_OPEN)
        return;
    (void)push_stat(status, host, false, error);
    progress_leave(status, host);
    (void)condition_set(status_conditions(target_of(status)),
                        strcmp(step->reason, WORK_JOB_NOT_MADE) == 0 ? &missing : &disrupted,
                        now_s);
}

static void put_cause(const struct work_step *step, json_t *status, int64_t now_s)
{
    const struct condition late = {"DeadlineExceeded", CONDITION_TRUE,
                                   "FailedToCompleteWithinDeadline", step->message};
    const struct condition disrupted = {"BackupDisrupted", CONDITION_TRUE,
                                        "FailedToCompleteDueToDisruption", step->message};

    if (step->cause == WORK_DEADLINE)
        (void)condition_set(status_conditions(status), &late, now_s);
    if (step->cause == WORK_DISRUPTED)
        (void)condition_set(status_conditions(target_of(status)), &disrupted, now_s);
}

static void end(const struct session *session, const struct work_step *step, json_t *status,
                int64_t now_s)
{
    bool hosts_failed = !step->succeeded && step->cause != WORK_FOLLOWING;

    progress_end(status);
    put_phase(status, step->succeeded ? SESSION_SUCCEEDED : SESSION_FAILED);
    status_put_duration(status, "sessionDuration", now_s - session->created_s);
    tree_put_text(target_of(status), "phase", hosts_failed ? "Failed" : "Succeeded");
    if (work_has_job(&session->work))
        (void)condition_set(status_conditions(target_of(status)), &ensured, now_s);
    put_cause(step, status, now_s);
}

static void apply_work(const struct session *session, const struct work_step *step,
                       const json_t *ref, json_t *status, int64_t now_s)
{
    if (step->action == WORK_START)
        start(session, step, ref, status, now_s);
    else if (step->action == WORK_COUNT)
        tree_put_int(target_of(status), "totalHosts", step->total);
    else if (step->action == WORK_FAIL_HOST)
        fail_host(session, step, status, now_s);
    else if (step->action == WORK_END)
        end(session, step, status, now_s);
}

static void skip(const struct session *session, const struct session_step *step, json_t *status,
                 int64_t now_s)
{
    const struct condition skipped = {"BackupSkipped", CONDITION_TRUE, "SkippedTakingNewBackup",
                                      step->message};

    put_phase(status, SESSION_SKIPPED);
    status_put_duration(status, "sessionDuration", now_s - session->created_s);
    (void)condition_set(status_conditions(status), &skipped, now_s);
}

json_t *session_status(const struct session *session, const struct session_step *step,
                       const json_t *ref, const json_t *status, int64_t now_s)
{
    json_t *next = json_is_object(status) ? tree_copy(status) : json_object();

    if (step->action == SESSION_PEND)
        put_phase(next, SESSION_PENDING);
    else if (step->action == SESSION_SKIP)
        skip(session, step, next, now_s);
    else if (step->action == SESSION_PLAN_RETRY)
        status_put_time(next, "nextRetry", step->next_retry_s);
    else if (step->action == SESSION_MARK_RETRIED)
        tree_put_bool(next, "retried", true);
    else if (step->action == SESSION_WORK)
        apply_work(session, &step->work, ref, next, now_s);
    return next;
}
