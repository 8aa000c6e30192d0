#include "controllers/session_next.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {"",       "Pending", "Running", "Succeeded",
                                    "Failed", "Skipped", "Unknown"};

enum session_phase session_phase_of(const char *word)
{
    if (!word)
        return SESSION_NEW;
    for (int i = SESSION_NEW; i < SESSION_UNKNOWN; i++)
        if (strcmp(word, words[i]) == 0)
            return (enum session_phase)i;
    return SESSION_UNKNOWN;
}

const char *session_phase_word(enum session_phase phase)
{
    return words[phase];
}

bool session_phase_is_final(enum session_phase phase)
{
    return phase >= SESSION_SUCCEEDED;
}

int64_t session_deadline_s(const struct session *session)
{
    return session->timeout_s > 0 ? session->created_s + session->timeout_s : 0;
}

static struct session_step said(enum session_action action, const char *message, const char *more)
{
    struct session_step step = {.action = action};

    (void)snprintf(step.message, sizeof step.message, "%s%s", message, more);
    return step;
}

/* Waits, and says why when nothing has been said yet. */
static struct session_step wait(const struct session *session, const char *message,
                                const char *more, int64_t look_s)
{
    if (session->phase == SESSION_NEW)
        return said(SESSION_PEND, message, more);
    return (struct session_step){.action = SESSION_WAIT, .look_s = look_s};
}

static struct work work_of(const struct session *session, enum work_phase phase)
{
    struct work work = session->work;

    work.phase = phase;
    work.deadline_s = session_deadline_s(session);
    if (work.attempts_max <= 0)
        work.attempts_max = WORK_ATTEMPTS_MAX;
    return work;
}

static struct session_step work_on(const struct session *session, enum work_phase phase,
                                   int64_t now_s)
{
    struct work work = work_of(session, phase);
    struct session_step step = {.action = SESSION_WORK, .work = work_next(&work, now_s)};

    if (step.work.action == WORK_WAIT) {
        step.action = SESSION_WAIT;
        step.look_s = step.work.look_s;
    }
    return step;
}

static bool is_overdue(const struct session *session, int64_t now_s)
{
    int64_t deadline_s = session_deadline_s(session);

    return deadline_s && now_s >= deadline_s;
}

/* Before anything is begun: what is not possible now may be in a while. */
static struct session_step next_pending(const struct session *session, int64_t now_s)
{
    int64_t ready_s = session->created_s + SESSION_READY_WAIT_S, look_s = now_s + WORK_LOOK_S;

    if (session->work.removed)
        return said(SESSION_SKIP, "what asked for this session was deleted", "");
    if (is_overdue(session, now_s))
        return work_on(session, WORK_PENDING, now_s);
    if (session->not_ready && now_s >= ready_s)
        return said(SESSION_SKIP, "the BackupConfiguration is not Ready: ", session->not_ready);
    if (session->not_ready)
        return wait(session, "the BackupConfiguration is not Ready: ", session->not_ready, ready_s);
    if (session->sibling_running)
        return said(SESSION_SKIP, "the previous session is still running", "");
    if (now_s - session->created_s >= SESSION_WAIT_MAX_S)
        return said(SESSION_SKIP, "the target was in use for a day", "");
    if (session->ahead)
        return wait(session, "an older session of this target comes first", "", look_s);
    if (session->work.lock == WORK_LOCK_TAKEN)
        return wait(session, "another session works on this target", "", look_s);
    return work_on(session, WORK_PENDING, now_s);
}

static bool wants_retry(const struct session *session)
{
    return session->phase == SESSION_FAILED && session->retry_left > 0 && !session->retried &&
           !session->work.removed;
}

/* The follow-up is made before we say so: made twice it is the same, since its name is. */
static struct session_step retry(const struct session *session, int64_t now_s)
{
    struct session_step step = {.action = SESSION_WAIT, .look_s = session->next_retry_s};

    if (!session->next_retry_s) {
        step.action = SESSION_PLAN_RETRY;
        step.next_retry_s = now_s + (session->retry_delay_s > 0 ? session->retry_delay_s : 0);
    } else if (session->has_successor) {
        step.action = SESSION_MARK_RETRIED;
    } else if (now_s >= session->next_retry_s) {
        step.action = SESSION_RETRY;
    }
    return step;
}

static int64_t sooner(int64_t a_s, int64_t b_s)
{
    return a_s < b_s ? a_s : b_s;
}

static struct session_step next_final(const struct session *session, int64_t now_s)
{
    bool wants = wants_retry(session);
    struct session_step again = wants ? retry(session, now_s) : (struct session_step){0};

    if (wants && again.action != SESSION_WAIT)
        return again;

    struct session_step step = work_on(session, WORK_ENDED, now_s);

    if (step.action == SESSION_WAIT && wants)
        step.look_s = sooner(step.look_s, again.look_s);
    if (step.action == SESSION_WORK && step.work.action == WORK_DONE)
        return wants ? again : (struct session_step){.action = SESSION_DONE};
    return step;
}

struct session_step session_next(const struct session *session, int64_t now_s)
{
    if (session_phase_is_final(session->phase))
        return next_final(session, now_s);
    if (session->phase == SESSION_RUNNING)
        return work_on(session, WORK_RUNNING, now_s);
    return next_pending(session, now_s);
}

/* ---- history ---- */

static bool is_newer(const struct session_past *a, const struct session_past *b)
{
    if (a->created_s != b->created_s)
        return a->created_s > b->created_s;
    return strcmp(a->name, b->name) > 0;
}

static bool has_result(const struct session_past *session)
{
    return session->phase == SESSION_SUCCEEDED || session->phase == SESSION_FAILED;
}

/* How many are newer, of all or of those with a result. */
static int64_t newer_than(const struct session_past *sessions, size_t count, size_t which,
                          bool with_result)
{
    int64_t newer = 0;

    for (size_t i = 0; i < count; i++)
        newer +=
            (!with_result || has_result(&sessions[i])) && is_newer(&sessions[i], &sessions[which]);
    return newer;
}

void session_history(struct session_past *sessions, size_t count, int64_t limit)
{
    for (size_t i = 0; i < count; i++) {
        struct session_past *one = &sessions[i];
        bool is_last = limit > 0 && has_result(one) && newer_than(sessions, count, i, true) == 0;

        one->surplus = session_phase_is_final(one->phase) && !one->busy && !is_last &&
                       newer_than(sessions, count, i, false) >= limit;
    }
}
