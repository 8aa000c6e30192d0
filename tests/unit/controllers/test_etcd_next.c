#include <string.h>

#include "controllers/etcd_next.h"
#include "tests/unit/suite.h"

#define NOW_S 1000000

static const struct {
    const char *what;
    struct etcd_restore seen;
    enum etcd_action action;
    int64_t value; /* stage, replicas or member */
    const char *message;
} rows[] = {
    {"a plan that can not be",
     {.cannot = "no volume", .members = 3},
     ETCD_RECORD,
     ETCD_STAGE_FAILED,
     "no volume"},
    {"a proof", {.replicas = 3}, ETCD_PROVE, 0, NULL},
    {"called off", {.rollback = true}, ETCD_RECORD, ETCD_STAGE_FAILED, "it was called off"},
    {"a proof on its way", {.proof = ETCD_JOB_RUNS}, ETCD_WAIT, 0, "the snapshot is being"},
    {"no proof",
     {.proof = ETCD_JOB_FAILED, .members = 3},
     ETCD_RECORD,
     ETCD_STAGE_FAILED,
     "the snapshot could not"},
    {"no members",
     {.proof = ETCD_JOB_DONE, .members = 0},
     ETCD_RECORD,
     ETCD_STAGE_FAILED,
     "the members"},
    {"too many",
     {.proof = ETCD_JOB_DONE, .members = ETCD_MEMBERS_MAX + 1},
     ETCD_RECORD,
     ETCD_STAGE_FAILED,
     "the members"},
    {"a plan",
     {.proof = ETCD_JOB_DONE, .members = 3, .replicas = 3},
     ETCD_RECORD,
     ETCD_STAGE_PLANNED,
     NULL},
    {"only the plan",
     {.stage = ETCD_STAGE_PLANNED, .members = 3, .dry_run = true, .may_scale = true},
     ETCD_WAIT,
     0,
     "only the plan"},
    {"no right", {.stage = ETCD_STAGE_PLANNED, .members = 3}, ETCD_WAIT, 0, "the right to scale"},
    {"called off",
     {.stage = ETCD_STAGE_PLANNED, .members = 3, .rollback = true},
     ETCD_RECORD,
     ETCD_STAGE_FAILED,
     "it was called off"},
    {"replicas are recorded first",
     {.stage = ETCD_STAGE_PLANNED, .members = 3, .may_scale = true, .replicas = 3},
     ETCD_RECORD,
     ETCD_STAGE_DOWN,
     NULL},
    {"down",
     {.stage = ETCD_STAGE_DOWN, .members = 3, .replicas = 3, .pods = 3},
     ETCD_SCALE,
     0,
     NULL},
    {"pods that end",
     {.stage = ETCD_STAGE_DOWN, .members = 3, .pods = 1},
     ETCD_WAIT,
     0,
     "the pods of etcd"},
    {"pods are gone",
     {.stage = ETCD_STAGE_DOWN, .members = 3},
     ETCD_RECORD,
     ETCD_STAGE_RESTORING,
     NULL},
    {"called off before a Job",
     {.stage = ETCD_STAGE_DOWN, .members = 3, .rollback = true},
     ETCD_RECORD,
     ETCD_STAGE_UNDONE,
     NULL},
    {"a Job",
     {.stage = ETCD_STAGE_RESTORING, .members = 3, .restore = {ETCD_JOB_RUNS}},
     ETCD_MAKE,
     1,
     NULL},
    {"no Job beside a pod",
     {.stage = ETCD_STAGE_RESTORING, .members = 3, .pods = 1},
     ETCD_WAIT,
     0,
     "the pods of etcd"},
    {"somebody scaled it up",
     {.stage = ETCD_STAGE_RESTORING, .members = 3, .replicas = 1},
     ETCD_SCALE,
     0,
     NULL},
    {"one failed while another runs",
     {.stage = ETCD_STAGE_RESTORING, .members = 2, .restore = {ETCD_JOB_FAILED, ETCD_JOB_RUNS}},
     ETCD_WAIT,
     0,
     "Jobs work"},
    {"one failed",
     {.stage = ETCD_STAGE_RESTORING, .members = 2, .restore = {ETCD_JOB_FAILED, ETCD_JOB_DONE}},
     ETCD_RECORD,
     ETCD_STAGE_STOPPING,
     NULL},
    {"all done",
     {.stage = ETCD_STAGE_RESTORING, .members = 2, .restore = {ETCD_JOB_DONE, ETCD_JOB_DONE}},
     ETCD_RECORD,
     ETCD_STAGE_RESTORED,
     NULL},
    {"up", {.stage = ETCD_STAGE_RESTORED, .members = 3, .recorded = 3}, ETCD_SCALE, 3, NULL},
    {"up, though it was down before",
     {.stage = ETCD_STAGE_RESTORED, .members = 3},
     ETCD_SCALE,
     3,
     NULL},
    {"it is asked", {.stage = ETCD_STAGE_RESTORED, .members = 3, .replicas = 3}, ETCD_ASK, 0, NULL},
    {"not yet healthy",
     {.stage = ETCD_STAGE_RESTORED, .members = 3, .replicas = 3, .health = ETCD_JOB_RUNS},
     ETCD_WAIT,
     0,
     "the members are"},
    {"never healthy",
     {.stage = ETCD_STAGE_RESTORED, .members = 3, .replicas = 3, .health = ETCD_JOB_FAILED},
     ETCD_RECORD,
     ETCD_STAGE_FAILED,
     "the restored members do not"},
    {"healthy",
     {.stage = ETCD_STAGE_RESTORED, .members = 3, .replicas = 3, .health = ETCD_JOB_DONE},
     ETCD_RECORD,
     ETCD_STAGE_SUCCEEDED,
     NULL},
    {"called off while it is asked",
     {.stage = ETCD_STAGE_RESTORED,
      .members = 3,
      .replicas = 3,
      .rollback = true,
      .health = ETCD_JOB_RUNS},
     ETCD_WAIT,
     0,
     "a Job looks"},
    {"called off when it runs",
     {.stage = ETCD_STAGE_RESTORED, .members = 3, .replicas = 3, .rollback = true},
     ETCD_RECORD,
     ETCD_STAGE_STOPPING,
     NULL},
    {"undoing", {.stage = ETCD_STAGE_UNDOING, .members = 3}, ETCD_UNDO, 0, NULL},
    {"one can not be undone",
     {.stage = ETCD_STAGE_UNDOING, .members = 2, .undo = {ETCD_JOB_FAILED, ETCD_JOB_DONE}},
     ETCD_RECORD,
     ETCD_STAGE_FAILED,
     "not all old data dirs"},
    {"given back", {.stage = ETCD_STAGE_UNDONE, .members = 3, .recorded = 2}, ETCD_SCALE, 2, NULL},
    {"it was down before",
     {.stage = ETCD_STAGE_UNDONE, .members = 3},
     ETCD_RECORD,
     ETCD_STAGE_FAILED,
     "a Job has failed"},
    {"over", {.stage = ETCD_STAGE_SUCCEEDED, .members = 3}, ETCD_END, 0, NULL},
    {"nothing was begun",
     {.stage = ETCD_STAGE_FAILED, .members = 3, .rollback = true},
     ETCD_END,
     0,
     NULL},
    {"rolled back afterwards",
     {.stage = ETCD_STAGE_SUCCEEDED, .members = 3, .rollback = true, .written = true},
     ETCD_RECORD,
     ETCD_STAGE_STOPPING,
     NULL},
    {"rolled back already",
     {.stage = ETCD_STAGE_FAILED, .members = 3, .rollback = true, .written = true, .undone = true},
     ETCD_END,
     0,
     NULL},
    {"a person has to look",
     {.stage = ETCD_STAGE_FAILED,
      .members = 3,
      .rollback = true,
      .written = true,
      .undo = {ETCD_JOB_FAILED}},
     ETCD_END,
     0,
     NULL},
};

START_TEST(the_next_step)
    {
        struct etcd_step step = etcd_next(&rows[_i].seen, NOW_S);
        int64_t value = step.action == ETCD_RECORD  ? (int64_t)step.stage
                        : step.action == ETCD_SCALE ? step.replicas
                                                    : (int64_t)step.member;

        ck_assert_msg(step.action == rows[_i].action && value == rows[_i].value, "%s",
                      rows[_i].what);
        if (rows[_i].message)
            ck_assert_msg(strncmp(step.message, rows[_i].message, strlen(rows[_i].message)) == 0,
                          "%s: %s", rows[_i].what, step.message);
    }
END_TEST

/*
 * A cluster by chance: pods come and go, Jobs end well or not, a person calls it off or scales, and
 * each write of ours may be made a second time, as after a crash.
 */

struct world {
    struct etcd_restore seen;
    bool is_new[ETCD_MEMBERS_MAX];
    int64_t now_s, before;
    unsigned state;
    bool undo_fails;
};

static unsigned chance(struct world *world, unsigned of)
{
    world->state = world->state * 1664525u + 1013904223u;
    return (world->state >> 8) % of;
}

static void end_job(struct world *world, size_t member, bool restores)
{
    enum etcd_job *job = restores ? &world->seen.restore[member] : &world->seen.undo[member];
    bool bad = chance(world, restores ? 6 : 20) == 0;

    if (*job != ETCD_JOB_RUNS || chance(world, 2))
        return;
    /* killed after the renames, it has failed and yet done it */
    if (!bad || chance(world, 2))
        world->is_new[member] = restores;
    *job = bad ? ETCD_JOB_FAILED : ETCD_JOB_DONE;
    world->undo_fails = world->undo_fails || (bad && !restores);
}

static void go_on(struct world *world)
{
    struct etcd_restore *seen = &world->seen;

    world->now_s += 1 + chance(world, 60);
    if ((int64_t)seen->pods < seen->replicas && chance(world, 2))
        seen->pods++;
    if ((int64_t)seen->pods > seen->replicas && chance(world, 2))
        seen->pods--;
    for (size_t i = 0; i < seen->members; i++) {
        end_job(world, i, true);
        end_job(world, i, false);
    }
    if (seen->proof == ETCD_JOB_RUNS && chance(world, 2))
        seen->proof = chance(world, 20) ? ETCD_JOB_DONE : ETCD_JOB_FAILED;
    if (seen->health == ETCD_JOB_RUNS && chance(world, 2))
        seen->health = (int64_t)seen->pods == seen->replicas && seen->pods > 0 && chance(world, 5)
                           ? ETCD_JOB_DONE
                           : ETCD_JOB_FAILED;
    if (chance(world, 150) == 0)
        seen->rollback = true;
    /* somebody who does not know, while we work */
    if (seen->stage == ETCD_STAGE_RESTORING && chance(world, 30) == 0)
        seen->replicas = 1;
}

static void check_quiet(const struct etcd_restore *seen)
{
    ck_assert_int_eq(seen->replicas, 0);
    ck_assert_uint_eq(seen->pods, 0);
}

static void note(struct world *world, enum etcd_stage stage)
{
    if (stage == ETCD_STAGE_DOWN)
        world->seen.recorded = world->seen.replicas;
    world->seen.written |= stage == ETCD_STAGE_DOWN;
    world->seen.undone |= stage == ETCD_STAGE_UNDONE;
    world->seen.stage = stage;
}

static void act(struct world *world, const struct etcd_step *step)
{
    struct etcd_restore *seen = &world->seen;

    switch (step->action) {
    case ETCD_RECORD:
        note(world, step->stage);
        break;
    case ETCD_SCALE:
        for (size_t i = 0; step->replicas > 0 && i < seen->members; i++) {
            ck_assert_int_ne(seen->restore[i], ETCD_JOB_RUNS);
            ck_assert_int_ne(seen->undo[i], ETCD_JOB_RUNS);
            ck_assert_int_eq(world->is_new[i], world->is_new[0]);
        }
        seen->replicas = step->replicas;
        break;
    case ETCD_PROVE:
        seen->proof = ETCD_JOB_RUNS;
        break;
    case ETCD_ASK:
        seen->health = ETCD_JOB_RUNS;
        break;
    case ETCD_MAKE:
        check_quiet(seen);
        seen->restore[step->member] = ETCD_JOB_RUNS;
        break;
    case ETCD_UNDO:
        check_quiet(seen);
        ck_assert_int_ne(seen->restore[step->member], ETCD_JOB_RUNS);
        seen->undo[step->member] = ETCD_JOB_RUNS;
        break;
    default:
        break;
    }
}

static void check_end(const struct world *world)
{
    const struct etcd_restore *seen = &world->seen;
    bool is_new = world->is_new[0];

    if (world->undo_fails && seen->replicas == 0)
        return;
    for (size_t i = 0; i < seen->members; i++)
        ck_assert_int_eq(world->is_new[i], is_new);
    if (seen->stage == ETCD_STAGE_SUCCEEDED)
        ck_assert(is_new);
    ck_assert_int_eq(seen->replicas,
                     world->before || !is_new ? world->before : (int64_t)seen->members);
}

/* The stage in which it ended. */
static enum etcd_stage run(unsigned seed)
{
    struct world world = {.state = seed, .now_s = NOW_S};

    world.seen.members = 1 + chance(&world, 5);
    world.before = world.seen.replicas = chance(&world, 4) ? (int64_t)world.seen.members : 0;
    world.seen.pods = (size_t)world.before;
    world.seen.may_scale = true;
    for (unsigned turn = 0; turn < 5000; turn++) {
        struct etcd_step step = etcd_next(&world.seen, world.now_s);

        if (step.action == ETCD_END) {
            check_end(&world);
            if (world.seen.rollback || chance(&world, 3))
                return world.seen.stage;
            world.seen.rollback = true;
        }
        act(&world, &step);
        if (step.action != ETCD_RECORD && chance(&world, 3) == 0)
            act(&world, &step);
        go_on(&world);
    }
    ck_abort_msg("seed %u does not end", seed);
    return ETCD_STAGE_NEW;
}

START_TEST(whatever_happens_it_ends_well)
    {
        unsigned good = 0;

        for (unsigned seed = 1; seed <= 3000; seed++)
            good += run(seed) == ETCD_STAGE_SUCCEEDED;
        ck_assert_uint_gt(good, 300);
        ck_assert_uint_lt(good, 2700);
    }
END_TEST

SUITE(controllers_etcd_next)
{
    suite_rows(tests, the_next_step, rows);
    tcase_add_test(tests, whatever_happens_it_ends_well);
}
