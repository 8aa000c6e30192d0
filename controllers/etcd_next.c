#include "controllers/etcd_next.h"

static struct etcd_step wait_for(const char *message, int64_t now_s)
{
    return (struct etcd_step){
        .action = ETCD_WAIT, .message = message, .look_s = now_s + ETCD_LOOK_S};
}

static struct etcd_step record(enum etcd_stage stage)
{
    return (struct etcd_step){.action = ETCD_RECORD, .stage = stage};
}

static struct etcd_step fail(const char *message)
{
    return (struct etcd_step){
        .action = ETCD_RECORD, .stage = ETCD_STAGE_FAILED, .message = message};
}

static struct etcd_step scale(int64_t replicas)
{
    return (struct etcd_step){.action = ETCD_SCALE, .replicas = replicas};
}

static bool has(const struct etcd_restore *seen, const enum etcd_job *jobs, enum etcd_job state)
{
    for (size_t i = 0; i < seen->members; i++)
        if (jobs[i] == state)
            return true;
    return false;
}

/* Somebody may scale it up meanwhile: no Job begins beside a pod. */
static bool is_quiet(const struct etcd_restore *seen)
{
    return seen->replicas == 0 && seen->pods == 0;
}

static struct etcd_step quieten(const struct etcd_restore *seen, int64_t now_s)
{
    return seen->replicas > 0 ? scale(0) : wait_for("the pods of etcd are ending", now_s);
}

/* A pod that ends still writes. */
static struct etcd_step stop(const struct etcd_restore *seen, enum etcd_stage then, int64_t now_s)
{
    return is_quiet(seen) ? record(then) : quieten(seen, now_s);
}

/* The next member without a Job; else what came of all. */
static struct etcd_step work(const struct etcd_restore *seen, const enum etcd_job *jobs,
                             enum etcd_action action, enum etcd_stage then, int64_t now_s)
{
    if (!is_quiet(seen))
        return quieten(seen, now_s);
    for (size_t i = 0; i < seen->members; i++)
        if (jobs[i] == ETCD_JOB_NONE)
            return (struct etcd_step){.action = action, .member = i};
    if (has(seen, jobs, ETCD_JOB_RUNS))
        return wait_for("Jobs work on the data dirs", now_s);
    return record(then);
}

static struct etcd_step make(enum etcd_action action)
{
    return (struct etcd_step){.action = action};
}

static struct etcd_step plan(const struct etcd_restore *seen, int64_t now_s)
{
    if (seen->cannot)
        return fail(seen->cannot);
    if (seen->stage == ETCD_STAGE_NEW && seen->rollback)
        return fail("it was called off before anything was done");
    if (seen->stage == ETCD_STAGE_NEW && seen->proof == ETCD_JOB_NONE)
        return make(ETCD_PROVE);
    if (seen->stage == ETCD_STAGE_NEW && seen->proof == ETCD_JOB_RUNS)
        return wait_for("the snapshot is being proven", now_s);
    if (seen->stage == ETCD_STAGE_NEW && seen->proof == ETCD_JOB_FAILED)
        return fail("the snapshot could not be proven: see the Job");
    if (seen->members == 0 || seen->members > ETCD_MEMBERS_MAX)
        return fail("the members of etcd are not known");
    if (seen->stage == ETCD_STAGE_NEW)
        return record(ETCD_STAGE_PLANNED);
    if (seen->rollback)
        return fail("it was called off before anything was done");
    if (seen->dry_run)
        return wait_for("only the plan was asked", now_s);
    if (!seen->may_scale)
        return wait_for("the right to scale is missing", now_s);
    return record(ETCD_STAGE_DOWN);
}

/* Where nothing was written yet, there is nothing to undo but the scaling. */
static struct etcd_step down(const struct etcd_restore *seen, int64_t now_s)
{
    return seen->rollback ? record(ETCD_STAGE_UNDONE) : stop(seen, ETCD_STAGE_RESTORING, now_s);
}

/* Never two Jobs on one data dir: those that run are waited for, also when they are not wanted any
 * more. */
static struct etcd_step restore(const struct etcd_restore *seen, int64_t now_s)
{
    bool failed = seen->rollback || has(seen, seen->restore, ETCD_JOB_FAILED);

    if (failed)
        return has(seen, seen->restore, ETCD_JOB_RUNS)
                   ? wait_for("Jobs work on the data dirs", now_s)
                   : record(ETCD_STAGE_STOPPING);
    return work(seen, seen->restore, ETCD_MAKE, ETCD_STAGE_RESTORED, now_s);
}

/* One that was at 0 already is to run afterwards: that is what a restore is for. */
static struct etcd_step raise(const struct etcd_restore *seen, int64_t now_s)
{
    if (seen->rollback)
        return seen->health == ETCD_JOB_RUNS ? wait_for("a Job looks at the members", now_s)
                                             : record(ETCD_STAGE_STOPPING);
    if (seen->replicas == 0)
        return scale((int64_t)seen->members);
    if (seen->health == ETCD_JOB_NONE)
        return make(ETCD_ASK);
    if (seen->health == ETCD_JOB_RUNS)
        return wait_for("the members are to become healthy", now_s);
    if (seen->health == ETCD_JOB_DONE)
        return record(ETCD_STAGE_SUCCEEDED);
    return fail("the restored members do not become healthy; what was there before is kept: the "
                "annotation granary.dev/rollback=true brings it back");
}

static struct etcd_step undo(const struct etcd_restore *seen, int64_t now_s)
{
    struct etcd_step step = work(seen, seen->undo, ETCD_UNDO, ETCD_STAGE_UNDONE, now_s);

    if (step.action == ETCD_RECORD && has(seen, seen->undo, ETCD_JOB_FAILED))
        return fail("not all old data dirs could be brought back: etcd stays down, see the Jobs");
    return step;
}

static struct etcd_step give_back(const struct etcd_restore *seen)
{
    if (seen->replicas == 0 && seen->recorded > 0)
        return scale(seen->recorded);
    return fail(seen->rollback ? "it was rolled back: etcd has the data of before"
                               : "a Job has failed: etcd has the data of before");
}

/* What was replaced is still there. One that could not be brought back is looked at by a person
 * first, who deletes its Job. */
static struct etcd_step ended(const struct etcd_restore *seen)
{
    if (seen->rollback && seen->written && !seen->undone && !has(seen, seen->undo, ETCD_JOB_FAILED))
        return record(ETCD_STAGE_STOPPING);
    return make(ETCD_END);
}

struct etcd_step etcd_next(const struct etcd_restore *seen, int64_t now_s)
{
    switch (seen->stage) {
    case ETCD_STAGE_NEW:
    case ETCD_STAGE_PLANNED:
        return plan(seen, now_s);
    case ETCD_STAGE_DOWN:
        return down(seen, now_s);
    case ETCD_STAGE_RESTORING:
        return restore(seen, now_s);
    case ETCD_STAGE_RESTORED:
        return raise(seen, now_s);
    case ETCD_STAGE_STOPPING:
        return stop(seen, ETCD_STAGE_UNDOING, now_s);
    case ETCD_STAGE_UNDOING:
        return undo(seen, now_s);
    case ETCD_STAGE_UNDONE:
        return give_back(seen);
    default:
        return ended(seen);
    }
}
