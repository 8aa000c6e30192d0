#include "controllers/maintenance_next.h"

#include <stddef.h>

#include "api/maintenance_args.h"

const char *maintenance_word(enum maintenance_kind kind)
{
    static const char *const words[] = {"wipe",  "key",   "unlock", "forget",
                                        "prune", "check", "verify"};

    return words[kind];
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- when each is due; NEVER: not as things are ---- */

#define NEVER INT64_MAX

/* Only the Secret that the Job mounts says whether there is a password to exchange: whoever meets a
 * wrong one asks. */
static int64_t key_due(const struct maintenance *seen)
{
    return seen->refused_s > seen->past[MAINTENANCE_KEY].succeeded_s ? 0 : NEVER;
}

/* A person may know what we can not prove, but not better than what we see. */
static int64_t unlock_due(const struct maintenance *seen)
{
    bool asked = seen->unlock_asked && seen->lock != LOCK_OF_LIVING;

    return seen->lock == LOCK_OF_DEAD || asked ? 0 : NEVER;
}

static int64_t forget_due(const struct maintenance *seen)
{
    return seen->keeps && !seen->damaged &&
                   seen->session_s > seen->past[MAINTENANCE_FORGET].succeeded_s
               ? 0
               : NEVER;
}

static int64_t prune_due(const struct maintenance *seen)
{
    int64_t last = seen->past[MAINTENANCE_PRUNE].succeeded_s;

    if (!seen->prunes || !seen->removed || seen->damaged)
        return NEVER;
    return last ? last + PRUNE_EVERY_S : 0;
}

/* Also as soon as a prune has rewritten the structure. Nothing is read before there is something.
 */
static int64_t check_due(const struct maintenance *seen)
{
    int64_t last = seen->past[MAINTENANCE_CHECK].succeeded_s;

    if (!seen->session_s)
        return NEVER;
    if (seen->past[MAINTENANCE_PRUNE].succeeded_s > last)
        return 0;
    return last ? last + CHECK_EVERY_S : 0;
}

/* Missed slots are one. Others go first, so that a night's drills do not all read at once. */
static int64_t verify_due(const struct maintenance *seen)
{
    return seen->drills && seen->planned && seen->session_s && seen->drill_s >= 0 ? seen->drill_s
                                                                                  : NEVER;
}

static int64_t (*const due[MAINTENANCE_KINDS])(const struct maintenance *seen) = {
    [MAINTENANCE_KEY] = key_due,       [MAINTENANCE_UNLOCK] = unlock_due,
    [MAINTENANCE_FORGET] = forget_due, [MAINTENANCE_PRUNE] = prune_due,
    [MAINTENANCE_CHECK] = check_due,   [MAINTENANCE_VERIFY] = verify_due,
};

/* Times that it is tried again at once after its pod was lost. A drill leaves nothing that keeps
 * anybody out. */
static int64_t again_max(enum maintenance_kind kind)
{
    return kind == MAINTENANCE_VERIFY ? 0 : MAINTENANCE_AGAIN_MAX;
}

/* What has failed waits, longer each time; an exchange of keys until somebody needs it again, at
 * most, since the Secret may have been put right. */
static int64_t not_before(const struct maintenance *seen, enum maintenance_kind kind)
{
    const struct maintenance_past *past = &seen->past[kind];
    int64_t pause = MAINTENANCE_RETRY_S;

    if (kind == MAINTENANCE_KEY && seen->refused_s > past->failed_s)
        return 0;
    if (past->failures <= 0 || (past->lost && past->failures < again_max(kind)))
        return 0;
    for (int64_t i = 1; i < past->failures && pause < MAINTENANCE_RETRY_MAX_S; i++)
        pause *= 2;
    return past->failed_s + (pause < MAINTENANCE_RETRY_MAX_S ? pause : MAINTENANCE_RETRY_MAX_S);
}

/* Its own order: retention that failed does not keep a check from being made. */
static bool find_due(const struct maintenance *seen, int64_t now_s, struct maintenance_step *step)
{
    step->look_s = now_s + MAINTENANCE_LOOK_S;
    for (int kind = 0; kind < MAINTENANCE_KINDS; kind++) {
        /* a repository is removed when its Repository has gone: wipe_edge.h */
        int64_t when = due[kind] ? due[kind](seen) : NEVER;

        if (when == NEVER || (seen->deleted && kind != MAINTENANCE_UNLOCK) ||
            (seen->taken && kind != MAINTENANCE_VERIFY))
            continue;
        when = later(when, not_before(seen, (enum maintenance_kind)kind));
        if (kind == MAINTENANCE_VERIFY && seen->crowded && seen->hold != HOLD_OURS)
            when = later(when, now_s + DRILL_WAIT_S);
        if (when <= now_s) {
            step->kind = (enum maintenance_kind)kind;
            return true;
        }
        if (when < step->look_s)
            step->look_s = when;
    }
    return false;
}

/* ---- what keeps it from being done ---- */

static const char *obstacle(const struct maintenance *seen)
{
    if (!seen->initialized)
        return "there is no repository yet";
    if (!seen->owned)
        return "the repository belongs to another cluster: adopt it with the annotation "
               "granary.dev/adopt";
    if (seen->lock == LOCK_OF_LIVING && seen->unlock_asked)
        return "the lock's owner is at work: it is not removed";
    return NULL;
}

/* Two would remove what the other one needs; a drill only reads. */
static const char *place_obstacle(const struct maintenance *seen)
{
    return seen->taken ? "an older Repository has its place and maintains it: see the condition "
                         "RepositoryLocationUnique"
                       : NULL;
}

static bool must_wait_beside(const struct maintenance *seen, enum maintenance_kind kind)
{
    return seen->beside && kind != MAINTENANCE_VERIFY && seen->hold != HOLD_OURS;
}

/* With a lock of somebody else's in it, restic would refuse. */
static const char *lock_obstacle(const struct maintenance *seen, enum maintenance_kind kind)
{
    if (kind == MAINTENANCE_UNLOCK || seen->lock == LOCK_NONE)
        return NULL;
    if (seen->lock == LOCK_OF_DEAD)
        return "the lock of a dead pod lies in it, and could not be removed yet";
    return seen->lock == LOCK_OF_LIVING
               ? "a pod of this cluster has locked it"
               : "somebody unknown has locked it: granary.dev/unlock removes the lock";
}

/* ---- the step ---- */

static struct maintenance_step plain(enum maintenance_action action, const struct maintenance *seen)
{
    return (struct maintenance_step){.action = action, .kind = seen->running};
}

/* Nothing is to be done now: nobody is kept out for it. */
static struct maintenance_step rest(const struct maintenance *seen, struct maintenance_step step,
                                    const char *message)
{
    if (seen->hold == HOLD_OURS)
        return plain(MAINTENANCE_RELEASE, seen);
    if (seen->hold == HOLD_WANTED)
        return plain(MAINTENANCE_UNWANT, seen);
    step.action = MAINTENANCE_WAIT;
    step.message = message;
    return step;
}

static struct maintenance_step begin(const struct maintenance *seen, struct maintenance_step step)
{
    if (seen->hold == HOLD_OURS && step.kind != seen->held)
        return plain(MAINTENANCE_RELEASE, seen);
    /* it wants nobody out, and would wait for itself */
    if (seen->hold == HOLD_WANTED && step.kind == MAINTENANCE_VERIFY)
        return plain(MAINTENANCE_UNWANT, seen);
    step.action = seen->hold == HOLD_OURS ? MAINTENANCE_RUN : MAINTENANCE_WANT;
    if (step.kind == MAINTENANCE_CHECK)
        step.part = seen->past[MAINTENANCE_CHECK].successes % CHECK_PARTS + 1;
    step.all = step.kind == MAINTENANCE_UNLOCK;
    return step;
}

/* It ended, and that is recorded. */
static struct maintenance_step leave(const struct maintenance *seen)
{
    const struct maintenance_past *past = &seen->past[seen->running];
    bool again = seen->run == RUN_FAILED && past->lost && past->failures < again_max(seen->running);

    return plain(again ? MAINTENANCE_AGAIN : MAINTENANCE_RELEASE, seen);
}

struct maintenance_step maintenance_next(const struct maintenance *seen, int64_t now_s)
{
    struct maintenance_step step = {.look_s = now_s + MAINTENANCE_LOOK_S};
    const char *why;

    if (seen->run == RUN_GOES_ON) {
        step.kind = seen->running;
        return step;
    }
    if (seen->run != RUN_NONE && !seen->recorded)
        return plain(MAINTENANCE_RECORD, seen);
    if (seen->run != RUN_NONE && seen->hold == HOLD_OURS)
        return leave(seen);
    if (key_due(seen) != NEVER && !seen->refusal_said && !seen->deleted && !seen->taken)
        return plain(MAINTENANCE_REFUSED, seen);
    if (seen->drills && !seen->planned && !seen->deleted)
        return plain(MAINTENANCE_PLAN, seen);
    why = obstacle(seen);
    if (why)
        return rest(seen, step, why);
    if (!find_due(seen, now_s, &step))
        return rest(seen, step, place_obstacle(seen));
    if (must_wait_beside(seen, step.kind)) {
        step.look_s = now_s + BESIDE_WAIT_S;
        return rest(seen, step, "others work there for another Repository of the same place");
    }
    why = lock_obstacle(seen, step.kind);
    return why ? rest(seen, step, why) : begin(seen, step);
}
