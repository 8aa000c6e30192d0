#include "agent/work.h"

#include <string.h>

#include "agent/hook.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"

/* Milliseconds for one try of a report. */
#define REPORT_MS 30000

/* Until it is recorded or refused. */
static bool send_report(struct run *run, const struct message_report *report)
{
    struct agent *agent = run->agent;

    for (unsigned failures = 1;; failures++) {
        AUTO(json) json_t *document = NULL;
        struct message_receipt receipt = {.recorded = false};
        struct refusal refusal;
        struct error err = {.message = ""};
        bool good = agent_ask(agent->client, CLIENT_REPORT, report, REPORT_MS, &receipt, &document,
                              &refusal, &err);

        if (good && receipt.recorded)
            return true;
        if (!good && agent_next(&refusal) != CLIENT_AGAIN) {
            log_warn("report refused", LOG_S("reason", err.message),
                     LOG_S("session", run->work->session.name));
            return false;
        }
        agent_say(agent, "report not recorded yet", good ? "not recorded" : err.message);
        if (!agent_rest(agent->client,
                        agent_pause_ms(&refusal, failures, agent_chance(agent->client))))
            return false;
    }
}

static void log_result(const struct run *run, const struct message_report *report)
{
    if (report->outcome == MESSAGE_SUCCEEDED)
        log_info("work succeeded", LOG_S("session", run->work->session.name),
                 LOG_S("host", run->work->host),
                 LOG_N("snapshots", (int64_t)report->snapshot_count),
                 LOG_N("milliseconds", report->duration_ms));
    else
        log_error("work failed", LOG_S("session", run->work->session.name),
                  LOG_S("host", run->work->host), LOG_S("reason", report->error.reason),
                  LOG_S("message", report->error.message));
}

static void cut(struct text *text, size_t max)
{
    while (text->length > max ||
           (text->length > 0 && text->length == max && ((unsigned char)text->data[max - 1] & 0x80)))
        text->data[--text->length] = '\0';
}

static bool do_kind(struct run *run, const struct words *mounts, struct message_report *report,
                    struct words *kept)
{
    return run->work->kind == MESSAGE_RESTORE ? restore_do(run, mounts, report, kept)
                                              : backup_do(run, report, kept);
}

/* The work between its hooks. What ended before the first of them needs none. */
static bool do_all(struct run *run, const struct words *mounts, struct message_report *report,
                   struct words *kept)
{
    if (run->work->kind == MESSAGE_RESTORE && !mounts)
        return failure_set(&run->failure, "WorkNotUnderstood",
                           "nothing is restored below a running application");
    if (!run_progress(run, true))
        return failure_set(&run->failure, "Cancelled", "the session was ended: %s", run->cancelled);

    bool good = hook_before(run, report) && do_kind(run, mounts, report, kept);

    if (!good) /* before it is shown to a hook */
        failure_set(&run->failure, "Unknown", "the work did not end well");
    return hook_after(run, report, good) && good;
}

bool work_do(struct agent *agent, const struct message_work *work, const struct words *mounts)
{
    AUTO(words) struct words kept = {0};
    struct run run;
    struct message_report report = {.session = work->session.uid,
                                    .host = work->host,
                                    .instance = agent->instance,
                                    .attempt = work->attempt,
                                    .outcome = MESSAGE_FAILED};

    log_info("work begins", LOG_S("session", work->session.name),
             LOG_S("namespace", work->session.space), LOG_S("host", work->host),
             LOG_N("attempt", work->attempt));

    bool begun = run_begin(&run, agent, work);

    if (begun && do_all(&run, mounts, &report, &kept))
        report.outcome = MESSAGE_SUCCEEDED;
    failure_set(&run.failure, report.outcome == MESSAGE_SUCCEEDED ? "None" : "Unknown",
                "the work did not end well");
    cut(&run.failure.message, MESSAGE_ERROR_MAX_BYTES - 1);
    report.has_error = report.outcome == MESSAGE_FAILED;
    report.error = (struct message_failure){run.failure.reason, text_get(&run.failure.message)};
    report.initialized = run.progress.initialized;
    report.duration_ms = clock_mono_ms() - run.started_ms;
    log_result(&run, &report);

    bool recorded = !run.over && send_report(&run, &report);

    run_done(&run);
    return recorded && report.outcome == MESSAGE_SUCCEEDED;
}
