#include "controllers/work_next.h"

#include <stdio.h>

/* What is left of a rule that does not apply. */
static const struct work_step none = {.action = WORK_WAIT};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool is_over(const struct work *work, int64_t now_s)
{
    return work->deadline_s > 0 && now_s >= work->deadline_s;
}

/* What follows has begun: hosts that come now come too late for this session. */
static bool is_closed(const struct work *work)
{
    return work->after >= WORK_AFTER_RUNNING;
}

static bool counts(const struct work *work, const struct work_host *host)
{
    return host->result != WORK_OPEN || (host->expected && !is_closed(work)) ||
           (host->claimed && !host->gone) || (work->begun_counts && host->attempt > 0);
}

bool work_has_job(const struct work *work)
{
    for (size_t i = 0; i < work->host_count; i++)
        if (work->hosts[i].has_job)
            return true;
    return false;
}

int32_t work_total(const struct work *work)
{
    int32_t total = 0;

    for (size_t i = 0; i < work->host_count; i++)
        total += counts(work, &work->hosts[i]);
    return total;
}

static size_t count_results(const struct work *work, enum work_result result)
{
    size_t found = 0;

    for (size_t i = 0; i < work->host_count; i++)
        found += counts(work, &work->hosts[i]) && work->hosts[i].result == result;
    return found;
}

static struct work_step ended(enum work_cause cause, const char *message)
{
    struct work_step step = {.action = WORK_END, .cause = cause};

    (void)snprintf(step.message, sizeof step.message, "%s", message);
    return step;
}

static struct work_step failed(const struct work *work, size_t host, const char *reason,
                               const char *message)
{
    struct work_step step = {.action = WORK_FAIL_HOST, .host = host, .reason = reason};

    (void)snprintf(step.message, sizeof step.message, "%s: %s", work->hosts[host].name, message);
    return step;
}

/* ---- claims: their work has ended, one way or another ---- */

static struct work_step drop_ended(const struct work *work, int64_t now_s)
{
    (void)now_s;
    for (size_t i = 0; i < work->host_count; i++) {
        const struct work_host *host = &work->hosts[i];

        if (host->claimed && (host->gone || host->result == WORK_SUCCEEDED))
            return (struct work_step){.action = WORK_DROP, .host = i};
    }
    return none;
}

static bool any_claim(const struct work *work)
{
    for (size_t i = 0; i < work->host_count; i++)
        if (work->hosts[i].claimed)
            return true;
    return false;
}

/* ---- while it runs ---- */

static struct work_step end_removed(const struct work *work, int64_t now_s)
{
    (void)now_s;
    return work->removed ? ended(WORK_DISRUPTED, "what asked for this session was deleted") : none;
}

static struct work_step end_deadline(const struct work *work, int64_t now_s)
{
    struct work_step step = ended(WORK_DEADLINE, "not complete within timeOut");

    if (!is_over(work, now_s))
        return none;
    for (size_t i = 0; i < work->host_count; i++) {
        const struct work_host *host = &work->hosts[i];

        if (host->result != WORK_OPEN || !counts(work, host) || !host->trouble)
            continue;
        (void)snprintf(step.message, sizeof step.message, "not complete within timeOut; %s: %s",
                       host->name, host->trouble);
        break;
    }
    return step;
}

static struct work_step hold_lock(const struct work *work, int64_t now_s)
{
    (void)now_s;
    if (work->lock == WORK_LOCK_FREE)
        return (struct work_step){.action = WORK_LOCK};
    if (work->lock == WORK_LOCK_TAKEN)
        return ended(WORK_DISRUPTED, "another session holds the Lease of the target");
    return none;
}

/* No further Job is made now; the others go on. */
static bool is_full(const struct work *work)
{
    int64_t running = 0;

    for (size_t i = 0; i < work->host_count; i++)
        running += work->hosts[i].job_runs;
    return work->crowded || (work->jobs_max > 0 && running >= work->jobs_max);
}

/* One by one: what is recorded is known before the next one is made. */
static struct work_step execute(const struct work *work, int64_t now_s)
{
    (void)now_s;
    if (!work->needs_executor || is_full(work))
        return none;
    for (size_t i = 0; i < work->host_count; i++) {
        const struct work_host *host = &work->hosts[i];

        if (host->expected && host->result == WORK_OPEN && !host->has_job && !is_closed(work))
            return (struct work_step){.action = WORK_EXECUTE, .host = i};
    }
    return none;
}

/* An agent that is there and says nothing. */
static bool is_silent(const struct work *work, const struct work_host *host, int64_t now_s)
{
    return host->claimed && now_s - later(host->heard_s, work->watched_s) >= WORK_SILENT_S;
}

static bool is_troubled(const struct work_host *host, int64_t now_s)
{
    return host->trouble &&
           (host->hopeless || (!host->claimed && now_s - host->trouble_since_s >= WORK_TROUBLE_S));
}

/* Whose turn it is not yet is ignored by nobody. */
static bool is_ignored(const struct work *work, const struct work_host *host, int64_t now_s)
{
    int64_t patience_s = host->busy              ? WORK_STEPS_MAX_S
                         : work->unclaimed_s > 0 ? work->unclaimed_s
                                                 : WORK_UNCLAIMED_S;
    int64_t since_s = later(later(work->started_s, work->moved_s), work->watched_s);

    return !host->claimed && now_s - since_s >= patience_s &&
           !(work->needs_executor && !host->has_job && is_full(work));
}

static struct work_step judge_host(const struct work *work, size_t i, int64_t now_s)
{
    const struct work_host *host = &work->hosts[i];

    if (host->result != WORK_OPEN || !counts(work, host))
        return none;
    if (is_troubled(host, now_s))
        return failed(work, i, "PodFailed", host->trouble);
    if (!host->claimed && host->attempt >= work->attempts_max)
        return failed(work, i, "Lost", host->trouble ? host->trouble : "its pod went away");
    if (is_silent(work, host, now_s))
        return failed(work, i, "Silent", "its agent gives no sign of life");
    if (is_ignored(work, host, now_s))
        return failed(work, i, "Unclaimed",
                      host->trouble ? host->trouble : "no agent asked for its work");
    return none;
}

static struct work_step judge_hosts(const struct work *work, int64_t now_s)
{
    for (size_t i = 0; i < work->host_count; i++) {
        struct work_step step = judge_host(work, i, now_s);

        if (step.action != WORK_WAIT)
            return step;
    }
    return none;
}

static struct work_step follow_scale(const struct work *work, int64_t now_s)
{
    int32_t total = work_total(work);

    (void)now_s;
    return total == work->total ? none : (struct work_step){.action = WORK_COUNT, .total = total};
}

static struct work_step end_empty(const struct work *work, int64_t now_s)
{
    int64_t since_s = later(work->started_s, work->watched_s);

    if (work_total(work) || now_s - since_s < WORK_EMPTY_S)
        return none;
    return ended(WORK_DISRUPTED, "the target has no pod that carries the agent");
}

/* Only when all that work has ended: a host that fails does not stop the others. */
static struct work_step end_hosts(const struct work *work, int64_t now_s)
{
    (void)now_s;
    if (count_results(work, WORK_OPEN) || !count_results(work, WORK_FAILED))
        return none;
    return ended(WORK_HOSTS, "a host failed");
}

/* Success has a proof: there is a host, and each has one. */
static struct work_step follow_up(const struct work *work, int64_t now_s)
{
    if (count_results(work, WORK_OPEN) || !count_results(work, WORK_SUCCEEDED))
        return none;
    switch (work->after) {
    case WORK_AFTER_WAITING:
        return (struct work_step){.action = WORK_AFTER};
    case WORK_AFTER_RUNNING:
        return now_s - later(work->after_since_s, work->watched_s) < WORK_AFTER_MAX_S
                   ? none
                   : ended(WORK_FOLLOWING, "what follows the backup does not end");
    case WORK_AFTER_FAILED:
        return ended(WORK_FOLLOWING, "the data is safe, what follows the backup failed");
    default:
        return (struct work_step){.action = WORK_END, .succeeded = true};
    }
}

/* The nearest moment at which a rule may apply without anything else changing. */
static int64_t next_look_s(const struct work *work, int64_t now_s)
{
    int64_t look_s = now_s + WORK_LOOK_S;

    return work->deadline_s > now_s && work->deadline_s < look_s ? work->deadline_s : look_s;
}

typedef struct work_step rule(const struct work *work, int64_t now_s);

static struct work_step first_of(rule *const *rules, size_t count, const struct work *work,
                                 int64_t now_s)
{
    for (size_t i = 0; i < count; i++) {
        struct work_step step = rules[i](work, now_s);

        if (step.action != WORK_WAIT)
            return step;
    }
    return (struct work_step){.action = WORK_WAIT, .look_s = next_look_s(work, now_s)};
}

/* Who never asked is not to begin any more. An agent that has claimed is told to end, unless it
 * does not listen; one that has reported ends by itself. */
static struct work_step dismiss(const struct work *work, int64_t now_s)
{
    for (size_t i = 0; i < work->host_count; i++) {
        const struct work_host *host = &work->hosts[i];

        if (host->job_runs && (host->claimed ? is_silent(work, host, now_s) : !host->attempt))
            return (struct work_step){.action = WORK_DISMISS, .host = i};
    }
    return none;
}

/* Agents are told to end; the Lease goes when the last one has. */
static struct work_step drain(const struct work *work, int64_t now_s)
{
    if (work->lock != WORK_LOCK_OURS)
        return (struct work_step){.action = WORK_DONE};

    struct work_step step = drop_ended(work, now_s);

    if (step.action == WORK_WAIT)
        step = dismiss(work, now_s);
    if (step.action != WORK_WAIT)
        return step;
    if (!any_claim(work))
        return (struct work_step){.action = WORK_UNLOCK};
    return (struct work_step){.action = WORK_WAIT, .look_s = now_s + WORK_LOOK_S};
}

static struct work_step start(const struct work *work, int64_t now_s)
{
    (void)now_s;
    return (struct work_step){.action = WORK_START, .total = work_total(work)};
}

struct work_step work_next(const struct work *work, int64_t now_s)
{
    static rule *const pending[] = {end_removed, end_deadline, hold_lock, start};
    static rule *const running[] = {end_removed,  end_deadline, hold_lock, drop_ended, execute,
                                    follow_scale, judge_hosts,  end_empty, end_hosts,  follow_up};

    if (work->phase == WORK_ENDED)
        return drain(work, now_s);
    if (work->phase == WORK_PENDING)
        return first_of(pending, sizeof pending / sizeof *pending, work, now_s);
    return first_of(running, sizeof running / sizeof *running, work, now_s);
}

static bool is_at_work(const struct work *work, int64_t now_s)
{
    return work->phase == WORK_RUNNING && work->lock == WORK_LOCK_OURS && !work->removed &&
           !is_over(work, now_s);
}

bool work_is_offered(const struct work *work, size_t host, int64_t now_s)
{
    const struct work_host *one = &work->hosts[host];

    return is_at_work(work, now_s) && !is_closed(work) && one->expected &&
           one->result == WORK_OPEN && !one->claimed && one->attempt < work->attempts_max;
}

bool work_goes_on(const struct work *work, size_t host, int64_t now_s)
{
    const struct work_host *one = &work->hosts[host];

    return is_at_work(work, now_s) && one->claimed && !one->gone && one->result == WORK_OPEN;
}
