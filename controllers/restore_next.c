#include "controllers/restore_next.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const words[] = {"",          "Pending", "Invalid", "Running",
                                    "Succeeded", "Failed",  "Unknown"};

enum restore_phase restore_phase_of(const char *word)
{
    if (!word)
        return RESTORE_NEW;
    for (int i = RESTORE_NEW; i < RESTORE_UNKNOWN; i++)
        if (strcmp(word, words[i]) == 0)
            return (enum restore_phase)i;
    return RESTORE_UNKNOWN;
}

const char *restore_phase_word(enum restore_phase phase)
{
    return words[phase];
}

bool restore_phase_is_final(enum restore_phase phase)
{
    return phase >= RESTORE_SUCCEEDED;
}

static struct work work_of(const struct restore *restore, enum work_phase phase)
{
    struct work work = restore->work;

    work.phase = phase;
    work.deadline_s = restore->timeout_s > 0 ? restore->created_s + restore->timeout_s : 0;
    work.unclaimed_s = RESTORE_UNCLAIMED_S;
    work.begun_counts = true;
    if (work.attempts_max <= 0)
        work.attempts_max = WORK_ATTEMPTS_MAX;
    return work;
}

static enum restore_phase end_of(const struct restore *restore, const struct work_step *step)
{
    if (step->succeeded)
        return RESTORE_SUCCEEDED;
    return step->cause == WORK_HOSTS && restore->lost ? RESTORE_UNKNOWN : RESTORE_FAILED;
}

static struct restore_step work_on(const struct restore *restore, enum work_phase phase,
                                   int64_t now_s)
{
    struct work work = work_of(restore, phase);
    struct restore_step step = {.action = RESTORE_WORK, .work = work_next(&work, now_s)};

    step.phase = end_of(restore, &step.work);
    step.look_s = step.work.look_s;
    if (step.work.action == WORK_WAIT)
        step.action = RESTORE_WAIT;
    if (step.work.action == WORK_DONE)
        step.action = RESTORE_DONE;
    return step;
}

/* Waits, and says why when nothing or something else has been said. */
static struct restore_step wait(const struct restore *restore, const char *message,
                                const char *more, int64_t now_s)
{
    struct restore_step step = {.action = RESTORE_PEND, .look_s = now_s + WORK_LOOK_S};

    if (restore->phase == RESTORE_PENDING)
        step.action = RESTORE_WAIT;
    (void)snprintf(step.message, sizeof step.message, "%s%s", message, more);
    return step;
}

static struct restore_step invalidate(const struct restore *restore, int64_t now_s)
{
    struct restore_step step = wait(restore, restore->invalid, "", now_s);

    step.action = restore->phase == RESTORE_INVALID ? RESTORE_WAIT : RESTORE_INVALIDATE;
    return step;
}

static bool is_overdue(const struct restore *restore, int64_t now_s)
{
    return restore->timeout_s > 0 && now_s >= restore->created_s + restore->timeout_s;
}

static struct restore_step next_pending(const struct restore *restore, int64_t now_s)
{
    if (restore->work.removed || is_overdue(restore, now_s))
        return work_on(restore, WORK_PENDING, now_s);
    if (restore->invalid)
        return invalidate(restore, now_s);
    if (restore->not_ready)
        return wait(restore, restore->not_ready, "", now_s);
    if (restore->ahead)
        return wait(restore, "an older RestoreSession of this workload comes first", "", now_s);
    if (restore->work.lock == WORK_LOCK_TAKEN)
        return wait(restore, "another session works on this target", "", now_s);
    if (!restore->asked)
        return wait(restore, "no pod of the target has asked for it yet", "", now_s);
    return work_on(restore, WORK_PENDING, now_s);
}

struct restore_step restore_next(const struct restore *restore, int64_t now_s)
{
    if (restore_phase_is_final(restore->phase))
        return work_on(restore, WORK_ENDED, now_s);
    if (restore->phase == RESTORE_RUNNING)
        return work_on(restore, WORK_RUNNING, now_s);
    return next_pending(restore, now_s);
}

enum restore_answer restore_answer(const struct restore *restore, long host, bool start_anyway,
                                   bool deleted, int64_t now_s)
{
    if (deleted || start_anyway || host < 0)
        return RESTORE_PASS;
    if (restore->work.hosts[host].result == WORK_SUCCEEDED)
        return RESTORE_PASS;
    if (restore->phase == RESTORE_SUCCEEDED) /* nothing that was begun is left without a result */
        return RESTORE_PASS;
    if (restore->phase != RESTORE_RUNNING)
        return RESTORE_HOLD;

    struct work work = work_of(restore, WORK_RUNNING);

    return work_is_offered(&work, (size_t)host, now_s) || work_goes_on(&work, (size_t)host, now_s)
               ? RESTORE_OFFER
               : RESTORE_HOLD;
}
