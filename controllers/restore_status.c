#include "controllers/restore_status.h"

#include <string.h>

#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/progress_status.h"
#include "controllers/status_parts.h"

static void put_condition(json_t *status, const struct condition *condition, int64_t now_s)
{
    (void)condition_set(status_conditions(status), condition, now_s);
}

static void put_phase(json_t *status, enum restore_phase phase)
{
    tree_put_text(status, "phase", restore_phase_word(phase));
}

/* ---- hosts ---- */

static const json_t *stat_of(const json_t *status, const char *host)
{
    return status_stat(tree_get(status, "stats"), host);
}

enum work_result restore_status_result(const json_t *status, const char *host)
{
    const json_t *stat = stat_of(status, host);
    struct span phase = tree_span(stat, "phase");

    if (!stat || span_is(phase, "Running"))
        return WORK_OPEN;
    return span_is(phase, "Succeeded") ? WORK_SUCCEEDED : WORK_FAILED;
}

bool restore_status_is_lost(const json_t *status)
{
    const json_t *stat;
    size_t i;

    tree_items (tree_get(status, "stats"), i, stat)
        if (span_is(tree_span(stat, "phase"), "Unknown"))
            return true;
    return false;
}

/* In the place of what says that it is at work. */
static json_t *put_stat(json_t *status, const char *host, const char *phase, const char *error)
{
    json_t *stats = status_list(status, "stats"), *stat = (json_t *)stat_of(status, host);

    if (!stat) {
        stat = json_object();
        tree_push_new(stats, stat);
    }
    tree_put_text(stat, "hostname", host);
    tree_put_text(stat, "phase", phase);
    tree_put_text(stat, "error", error);
    return stat;
}

static void put_hooks(json_t *status, const struct message_report *report, int64_t now_s)
{
    static const struct status_hook before = {"PreRestoreHookExecutionSucceeded",
                                              "SuccessfullyExecutedPreRestoreHook",
                                              "FailedToExecutePreRestoreHook"};
    static const struct status_hook after = {"PostRestoreHookExecutionSucceeded",
                                             "SuccessfullyExecutedPostRestoreHook",
                                             "FailedToExecutePostRestoreHook"};

    status_put_hook(status, &before, report->hook_before, now_s);
    status_put_hook(status, &after, report->hook_after, now_s);
}

/* For people: what is not as it was. */
static void put_note(json_t *stat, const char *note)
{
    AUTO(free)
    char *clean = note ? text_printable(span_of(note), CONDITION_MESSAGE_MAX_BYTES / 4) : NULL;

    tree_put_text(stat, "note", clean);
}

bool restore_status_report(json_t *status, const struct message_report *report, bool proven,
                           int64_t now_s)
{
    if (restore_status_result(status, report->host) != WORK_OPEN)
        return false;

    AUTO(free)
    char *error = status_report_error(report, proven, "what was restored is not said");
    json_t *stat = put_stat(status, report->host, error ? "Failed" : "Succeeded", error);

    progress_leave(status, report->host);
    status_put_duration(stat, "duration", report->duration_ms / 1000);
    if (!error)
        put_note(stat, report->note);
    put_hooks(status, report, now_s);
    return true;
}

/* ---- steps ---- */

/* Whoever asks for work was injected, and a Job that asks was made. */
static void start(const struct restore *restore, const struct work_step *step, json_t *status,
                  int64_t now_s)
{
    static const struct condition injected = {"StashInitContainerInjected", CONDITION_TRUE,
                                              "InitContainerInjectionSucceeded", NULL};
    static const struct condition ensured = {"RestoreExecutorEnsured", CONDITION_TRUE,
                                             "SuccessfullyEnsuredRestoreExecutor", NULL};

    put_phase(status, RESTORE_RUNNING);
    if (restore->timeout_s > 0)
        status_put_time(status, "sessionDeadline", restore->created_s + restore->timeout_s);
    tree_put_int(status, "totalHosts", step->total);
    if (restore->work.needs_executor)
        return; /* its Job is made next */
    put_condition(status, &injected, now_s);
    put_condition(status, &ensured, now_s);
}

/* Said with the first write that follows. */
static void execute(const struct restore *restore, json_t *status, int64_t now_s)
{
    static const struct condition created = {"RestoreJobCreated", CONDITION_TRUE,
                                             "RestoreJobCreationSucceeded", NULL};
    static const struct condition ensured = {"RestoreExecutorEnsured", CONDITION_TRUE,
                                             "SuccessfullyEnsuredRestoreExecutor", NULL};

    if (!work_has_job(&restore->work))
        return;
    put_condition(status, &created, now_s);
    put_condition(status, &ensured, now_s);
}

static void fail_host(const struct restore *restore, const struct work_step *step, json_t *status,
                      int64_t now_s)
{
    const struct work_host *host = &restore->work.hosts[step->host];
    AUTO(free) char *error = status_error(step);
    const struct condition missing = {"RestoreExecutorEnsured", CONDITION_FALSE,
                                      "FailedToEnsureRestoreExecutor", error};

    if (restore_status_result(status, host->name) == WORK_OPEN)
        (void)put_stat(status, host->name, host->attempt > 0 ? "Unknown" : "Failed", error);
    progress_leave(status, host->name);
    if (strcmp(step->reason, WORK_JOB_NOT_MADE) == 0)
        put_condition(status, &missing, now_s);
}

/* There is no condition for a disruption here: nobody is there to do the work. */
static void put_cause(const struct work_step *step, json_t *status, int64_t now_s)
{
    const struct condition late = {"DeadlineExceeded", CONDITION_TRUE,
                                   "FailedToCompleteWithinDeadline", step->message};
    const struct condition disrupted = {"RestoreExecutorEnsured", CONDITION_FALSE,
                                        "FailedToEnsureRestoreExecutor", step->message};

    if (step->cause == WORK_DEADLINE)
        put_condition(status, &late, now_s);
    if (step->cause == WORK_DISRUPTED)
        put_condition(status, &disrupted, now_s);
}

static void apply_work(const struct restore *restore, const struct restore_step *step,
                       json_t *status, int64_t now_s)
{
    const struct work_step *work = &step->work;

    if (work->action == WORK_START) {
        start(restore, work, status, now_s);
    } else if (work->action == WORK_COUNT) {
        tree_put_int(status, "totalHosts", work->total);
    } else if (work->action == WORK_FAIL_HOST) {
        fail_host(restore, work, status, now_s);
    } else if (work->action == WORK_END) {
        execute(restore, status, now_s);
        progress_end(status);
        put_phase(status, step->phase);
        status_put_duration(status, "sessionDuration", now_s - restore->created_s);
        put_cause(work, status, now_s);
    }
}

static void judge(const char *invalid, json_t *status, int64_t now_s)
{
    const struct condition judged = {
        "ValidationPassed", invalid ? CONDITION_FALSE : CONDITION_TRUE,
        invalid ? "ResourceValidationFailed" : "ResourceValidationPassed", invalid};

    put_phase(status, invalid ? RESTORE_INVALID : RESTORE_PENDING);
    put_condition(status, &judged, now_s);
}

json_t *restore_status(const struct restore *restore, const struct restore_step *step,
                       const json_t *status, int64_t now_s)
{
    json_t *next = json_is_object(status) ? tree_copy(status) : json_object();

    if (step->action == RESTORE_PEND)
        judge(NULL, next, now_s);
    else if (step->action == RESTORE_INVALIDATE)
        judge(step->message, next, now_s);
    else if (step->action == RESTORE_WORK)
        apply_work(restore, step, next, now_s);
    return next;
}
