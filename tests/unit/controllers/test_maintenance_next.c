#include "controllers/maintenance_next.h"

#include <stdlib.h>
#include <string.h>

#include "api/maintenance_args.h"
#include "tests/unit/suite.h"

#define NOW INT64_C(1714570200)
#define DAY 86400

#define GOOD .initialized = true, .owned = true, .keeps = true
#define LATELY(kind) .past[kind] = {.succeeded_s = NOW - 60, .successes = 3}
#define CHECKED LATELY(MAINTENANCE_CHECK)
#define FORGOT LATELY(MAINTENANCE_FORGET)
#define REFUSED(when) .refused_s = (when), .refusal_said = true
#define DRILLS GOOD, CHECKED, FORGOT, .session_s = 1, .drills = true, .planned = true

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct {
    const char *what;
    struct maintenance seen;
    enum maintenance_action action;
    enum maintenance_kind kind;
    const char *message; /* a piece of it */
    int64_t look_s;      /* after now; 0: not looked at */
} rows[] = {
    {"nothing yet", {GOOD}, MAINTENANCE_WAIT, 0, NULL, MAINTENANCE_LOOK_S},
    {"no repository",
     {.owned = true, .session_s = NOW},
     MAINTENANCE_WAIT,
     0,
     "no repository yet",
     0},
    {"another cluster's",
     {.initialized = true, .session_s = NOW, .keeps = true},
     MAINTENANCE_WAIT,
     0,
     "granary.dev/adopt",
     0},
    /* retention */
    {"after a session",
     {GOOD, CHECKED, .session_s = NOW},
     MAINTENANCE_WANT,
     MAINTENANCE_FORGET,
     NULL,
     0},
    {"still waiting",
     {GOOD, CHECKED, .session_s = NOW, .hold = HOLD_WANTED},
     MAINTENANCE_WANT,
     MAINTENANCE_FORGET,
     NULL,
     0},
    {"let in",
     {GOOD, CHECKED, .session_s = NOW, .hold = HOLD_OURS, .held = MAINTENANCE_FORGET},
     MAINTENANCE_RUN,
     MAINTENANCE_FORGET,
     NULL,
     0},
    {"let in for what is not next any more",
     {GOOD, CHECKED, .session_s = NOW, .hold = HOLD_OURS, .held = MAINTENANCE_PRUNE},
     MAINTENANCE_RELEASE,
     0,
     NULL,
     0},
    {"let in for nobody knows what",
     {GOOD, CHECKED, .session_s = NOW, .hold = HOLD_OURS, .held = MAINTENANCE_KINDS},
     MAINTENANCE_RELEASE,
     0,
     NULL,
     0},
    /* nothing is removed from what may still be needed to repair it */
    {"damaged",
     {GOOD, CHECKED, .session_s = NOW, .prunes = true, .removed = true, .damaged = true},
     MAINTENANCE_WAIT,
     0,
     NULL,
     0},
    {"its pod was lost: nobody is let in before its lock is gone",
     {GOOD, .session_s = NOW, .hold = HOLD_OURS, .run = RUN_FAILED, .recorded = true,
      .held = MAINTENANCE_PRUNE, .running = MAINTENANCE_PRUNE,
      .past[MAINTENANCE_PRUNE] = {.failed_s = NOW, .failures = 2, .lost = true}},
     MAINTENANCE_AGAIN,
     MAINTENANCE_PRUNE,
     NULL,
     0},
    {"its pod was lost again and again",
     {GOOD, .session_s = NOW, .hold = HOLD_OURS, .run = RUN_FAILED, .recorded = true,
      .held = MAINTENANCE_PRUNE, .running = MAINTENANCE_PRUNE,
      .past[MAINTENANCE_PRUNE] = {.failed_s = NOW, .failures = 3, .lost = true}},
     MAINTENANCE_RELEASE,
     MAINTENANCE_PRUNE,
     NULL,
     0},
    {"done", {GOOD, CHECKED, FORGOT, .session_s = NOW - 100}, MAINTENANCE_WAIT, 0, NULL, 0},
    {"no rule keeps anything",
     {GOOD, CHECKED, .keeps = false, .session_s = NOW},
     MAINTENANCE_WAIT,
     0,
     NULL,
     0},
    {"failed a moment ago",
     {GOOD, CHECKED, .session_s = NOW,
      .past[MAINTENANCE_FORGET] = {.failed_s = NOW - 59, .failures = 1}},
     MAINTENANCE_WAIT,
     0,
     NULL,
     1},
    {"failed a minute ago",
     {GOOD, CHECKED, .session_s = NOW,
      .past[MAINTENANCE_FORGET] = {.failed_s = NOW - 60, .failures = 1}},
     MAINTENANCE_WANT,
     MAINTENANCE_FORGET,
     NULL,
     0},
    {"failed for the second time",
     {GOOD, CHECKED, .session_s = NOW,
      .past[MAINTENANCE_FORGET] = {.failed_s = NOW - 119, .failures = 2}},
     MAINTENANCE_WAIT,
     0,
     NULL,
     0},
    {"failed for ever",
     {GOOD, CHECKED, .session_s = NOW,
      .past[MAINTENANCE_FORGET] = {.failed_s = NOW - DAY, .failures = INT64_MAX}},
     MAINTENANCE_WANT,
     MAINTENANCE_FORGET,
     NULL,
     0},
    {"a failure keeps nothing else waiting",
     {GOOD, .session_s = NOW, .past[MAINTENANCE_FORGET] = {.failed_s = NOW, .failures = 9}},
     MAINTENANCE_WANT,
     MAINTENANCE_CHECK,
     NULL,
     0},
    /* prune */
    {"never pruned",
     {GOOD, CHECKED, FORGOT, .session_s = 1, .prunes = true, .removed = true},
     MAINTENANCE_WANT,
     MAINTENANCE_PRUNE,
     NULL,
     0},
    {"nothing was forgotten",
     {GOOD, CHECKED, FORGOT, .session_s = 1, .prunes = true},
     MAINTENANCE_WAIT,
     0,
     NULL,
     0},
    {"nobody wants it",
     {GOOD, CHECKED, FORGOT, .session_s = 1, .removed = true},
     MAINTENANCE_WAIT,
     0,
     NULL,
     0},
    {"in a minute",
     {GOOD, CHECKED, FORGOT, .session_s = 1, .prunes = true, .removed = true,
      .past[MAINTENANCE_PRUNE] = {.succeeded_s = NOW - PRUNE_EVERY_S + 60}},
     MAINTENANCE_WAIT,
     0,
     NULL,
     60},
    {"after a week",
     {GOOD, CHECKED, FORGOT, .session_s = 1, .prunes = true, .removed = true,
      .past[MAINTENANCE_PRUNE] = {.succeeded_s = NOW - PRUNE_EVERY_S}},
     MAINTENANCE_WANT,
     MAINTENANCE_PRUNE,
     NULL,
     0},
    /* check */
    {"never checked", {GOOD, FORGOT, .session_s = 1}, MAINTENANCE_WANT, MAINTENANCE_CHECK, NULL, 0},
    {"after a prune",
     {GOOD, CHECKED, FORGOT, .session_s = 1, .past[MAINTENANCE_PRUNE] = {.succeeded_s = NOW}},
     MAINTENANCE_WANT,
     MAINTENANCE_CHECK,
     NULL,
     0},
    {"after a day",
     {GOOD, FORGOT, .session_s = 1, .past[MAINTENANCE_CHECK] = {.succeeded_s = NOW - DAY}},
     MAINTENANCE_WANT,
     MAINTENANCE_CHECK,
     NULL,
     0},
    {"nothing to check yet", {GOOD, .keeps = false}, MAINTENANCE_WAIT, 0, NULL, 0},
    /* locks */
    {"a dead one's lock",
     {GOOD, CHECKED, .lock = LOCK_OF_DEAD, .session_s = NOW},
     MAINTENANCE_WANT,
     MAINTENANCE_UNLOCK,
     NULL,
     0},
    {"a living one's lock",
     {GOOD, CHECKED, .lock = LOCK_OF_LIVING, .session_s = NOW},
     MAINTENANCE_WAIT,
     MAINTENANCE_FORGET,
     "has locked it",
     0},
    {"somebody's lock",
     {GOOD, CHECKED, .lock = LOCK_OF_UNKNOWN, .session_s = NOW},
     MAINTENANCE_WAIT,
     MAINTENANCE_FORGET,
     "granary.dev/unlock",
     0},
    {"somebody's lock, and a person who knows",
     {GOOD, CHECKED, FORGOT, .lock = LOCK_OF_UNKNOWN, .unlock_asked = true},
     MAINTENANCE_WANT,
     MAINTENANCE_UNLOCK,
     NULL,
     0},
    {"a living one's lock, and a person who errs",
     {GOOD, CHECKED, FORGOT, .lock = LOCK_OF_LIVING, .unlock_asked = true},
     MAINTENANCE_WAIT,
     0,
     "is at work",
     0},
    {"a dead one's lock that can not be removed",
     {GOOD, CHECKED, .lock = LOCK_OF_DEAD, .session_s = NOW,
      .past[MAINTENANCE_UNLOCK] = {.failed_s = NOW, .failures = 1}},
     MAINTENANCE_WAIT,
     MAINTENANCE_FORGET,
     "lock of a dead pod",
     0},
    /* a password that does not open it */
    {"a wrong password is said",
     {GOOD, .session_s = NOW, .refused_s = NOW},
     MAINTENANCE_REFUSED,
     0,
     NULL,
     0},
    {"a wrong password of what is being deleted",
     {GOOD, .session_s = NOW, .refused_s = NOW, .deleted = true},
     MAINTENANCE_WAIT,
     0,
     NULL,
     0},
    {"a wrong password comes first",
     {GOOD, REFUSED(NOW), .session_s = NOW, .unlock_asked = true},
     MAINTENANCE_WANT,
     MAINTENANCE_KEY,
     NULL,
     0},
    {"exchanged since",
     {GOOD, CHECKED, FORGOT, REFUSED(NOW - 60), .session_s = 1, LATELY(MAINTENANCE_KEY)},
     MAINTENANCE_WAIT,
     0,
     NULL,
     0},
    {"refused once more",
     {GOOD, CHECKED, FORGOT, REFUSED(NOW - 59), .session_s = 1, LATELY(MAINTENANCE_KEY)},
     MAINTENANCE_WANT,
     MAINTENANCE_KEY,
     NULL,
     0},
    {"nothing to exchange yet",
     {GOOD, CHECKED, FORGOT, REFUSED(NOW - 1), .session_s = 1,
      .past[MAINTENANCE_KEY] = {.failed_s = NOW - 1, .failures = 3}},
     MAINTENANCE_WAIT,
     0,
     NULL,
     239},
    {"nothing to exchange yet, and somebody needed it since",
     {GOOD, CHECKED, FORGOT, REFUSED(NOW), .session_s = 1,
      .past[MAINTENANCE_KEY] = {.failed_s = NOW - 1, .failures = 30}},
     MAINTENANCE_WANT,
     MAINTENANCE_KEY,
     NULL,
     0},
    {"an exchange that can not be made keeps nothing else waiting",
     {GOOD, CHECKED, REFUSED(NOW - 1), .session_s = NOW,
      .past[MAINTENANCE_KEY] = {.failed_s = NOW - 1, .failures = 1}},
     MAINTENANCE_WANT,
     MAINTENANCE_FORGET,
     NULL,
     0},
    {"another cluster's, and a wrong password",
     {REFUSED(NOW), .initialized = true},
     MAINTENANCE_WAIT,
     0,
     "granary.dev/adopt",
     0},
    /* what is about to go */
    {"deleted", {GOOD, .session_s = NOW, .deleted = true}, MAINTENANCE_WAIT, 0, NULL, 0},
    /* drills */
    {"a new schedule",
     {GOOD, CHECKED, FORGOT, .session_s = 1, .drills = true},
     MAINTENANCE_PLAN,
     0,
     NULL,
     0},
    {"a new schedule of what is being deleted",
     {GOOD, CHECKED, FORGOT, .session_s = 1, .drills = true, .deleted = true},
     MAINTENANCE_WAIT,
     0,
     NULL,
     0},
    {"its slot", {DRILLS, .drill_s = NOW}, MAINTENANCE_WANT, MAINTENANCE_VERIFY, NULL, 0},
    {"missed slots",
     {DRILLS, .drill_s = NOW - 9 * DAY},
     MAINTENANCE_WANT,
     MAINTENANCE_VERIFY,
     NULL,
     0},
    {"its slot comes", {DRILLS, .drill_s = NOW + 5}, MAINTENANCE_WAIT, 0, NULL, 5},
    {"no slot comes", {DRILLS, .drill_s = -1}, MAINTENANCE_WAIT, 0, NULL, 0},
    {"there is nothing to restore",
     {DRILLS, .session_s = 0, .drill_s = NOW},
     MAINTENANCE_WAIT,
     0,
     NULL,
     0},
    {"others go first",
     {DRILLS, .session_s = NOW, .drill_s = NOW},
     MAINTENANCE_WANT,
     MAINTENANCE_FORGET,
     NULL,
     0},
    {"others want it alone no more",
     {DRILLS, .drill_s = NOW, .hold = HOLD_WANTED},
     MAINTENANCE_UNWANT,
     0,
     NULL,
     0},
    {"too many elsewhere",
     {DRILLS, .drill_s = NOW, .crowded = true},
     MAINTENANCE_WAIT,
     0,
     NULL,
     DRILL_WAIT_S},
    {"too many elsewhere since it was let in",
     {DRILLS, .drill_s = NOW, .crowded = true, .hold = HOLD_OURS, .held = MAINTENANCE_VERIFY},
     MAINTENANCE_RUN,
     MAINTENANCE_VERIFY,
     NULL,
     0},
    {"a place of an older Repository, where only a drill is made",
     {DRILLS, .session_s = NOW, .drill_s = NOW, .taken = true},
     MAINTENANCE_WANT,
     MAINTENANCE_VERIFY,
     NULL,
     0},
    {"a place of an older Repository",
     {DRILLS, .session_s = NOW, .drill_s = -1, .taken = true, .unlock_asked = true},
     MAINTENANCE_WAIT,
     0,
     "an older Repository has its place and maintains it: see the condition "
     "RepositoryLocationUnique",
     0},
    {"it was taken meanwhile",
     {DRILLS, .session_s = NOW, .drill_s = -1, .taken = true, .hold = HOLD_OURS,
      .held = MAINTENANCE_FORGET},
     MAINTENANCE_RELEASE,
     0,
     NULL,
     0},
    {"what was begun there ends",
     {DRILLS, .session_s = NOW, .drill_s = -1, .taken = true, .hold = HOLD_OURS,
      .held = MAINTENANCE_FORGET, .run = RUN_GOES_ON, .running = MAINTENANCE_FORGET},
     MAINTENANCE_WAIT,
     MAINTENANCE_FORGET,
     NULL,
     0},
    {"others work there for a younger one",
     {DRILLS, .session_s = NOW, .drill_s = -1, .beside = true},
     MAINTENANCE_WAIT,
     MAINTENANCE_FORGET,
     "others work there for another Repository of the same place",
     BESIDE_WAIT_S},
    {"others work there for a younger one, and it was wanted",
     {DRILLS, .session_s = NOW, .drill_s = -1, .beside = true, .hold = HOLD_WANTED},
     MAINTENANCE_UNWANT,
     0,
     NULL,
     0},
    {"others began there for a younger one since it was let in",
     {DRILLS, .session_s = NOW, .drill_s = -1, .beside = true, .hold = HOLD_OURS,
      .held = MAINTENANCE_FORGET},
     MAINTENANCE_RUN,
     MAINTENANCE_FORGET,
     NULL,
     0},
    {"others work there for a younger one, and a drill reads",
     {DRILLS, .drill_s = NOW, .beside = true},
     MAINTENANCE_WANT,
     MAINTENANCE_VERIFY,
     NULL,
     0},
    {"a drill goes on, and a session has ended",
     {DRILLS, .session_s = NOW, .hold = HOLD_OURS, .held = MAINTENANCE_VERIFY, .run = RUN_GOES_ON,
      .running = MAINTENANCE_VERIFY},
     MAINTENANCE_WAIT,
     MAINTENANCE_VERIFY,
     NULL,
     0},
    {"damage does not keep a drill from finding that it is gone",
     {DRILLS, .drill_s = NOW, .damaged = true},
     MAINTENANCE_WANT,
     MAINTENANCE_VERIFY,
     NULL,
     0},
    {"a drill that failed a moment ago",
     {DRILLS, .drill_s = 1, .past[MAINTENANCE_VERIFY] = {.failed_s = NOW - 59, .failures = 1}},
     MAINTENANCE_WAIT,
     0,
     NULL,
     1},
    {"a drill whose pod was lost leaves nothing that keeps anybody out",
     {DRILLS, .hold = HOLD_OURS, .run = RUN_FAILED, .recorded = true, .held = MAINTENANCE_VERIFY,
      .running = MAINTENANCE_VERIFY, .drill_s = 1,
      .past[MAINTENANCE_VERIFY] = {.failed_s = NOW, .failures = 1, .lost = true}},
     MAINTENANCE_RELEASE,
     MAINTENANCE_VERIFY,
     NULL,
     0},
    {"and waits as any other failure",
     {DRILLS, .drill_s = 1,
      .past[MAINTENANCE_VERIFY] = {.failed_s = NOW, .failures = 1, .lost = true}},
     MAINTENANCE_WAIT,
     0,
     NULL,
     MAINTENANCE_RETRY_S},
    /* what goes on */
    {"a run",
     {GOOD, .session_s = NOW, .hold = HOLD_OURS, .run = RUN_GOES_ON, .running = MAINTENANCE_PRUNE},
     MAINTENANCE_WAIT,
     MAINTENANCE_PRUNE,
     NULL,
     MAINTENANCE_LOOK_S},
    {"a run that is not ours any more",
     {.hold = HOLD_OURS, .run = RUN_GOES_ON, .running = MAINTENANCE_PRUNE},
     MAINTENANCE_WAIT,
     MAINTENANCE_PRUNE,
     NULL,
     0},
    {"a result",
     {GOOD, .hold = HOLD_OURS, .run = RUN_SUCCEEDED, .running = MAINTENANCE_PRUNE},
     MAINTENANCE_RECORD,
     MAINTENANCE_PRUNE,
     NULL,
     0},
    {"a failure",
     {GOOD, .hold = HOLD_OURS, .run = RUN_FAILED, .running = MAINTENANCE_CHECK},
     MAINTENANCE_RECORD,
     MAINTENANCE_CHECK,
     NULL,
     0},
    {"a failure, of a repository that is being deleted",
     {.deleted = true, .hold = HOLD_OURS, .run = RUN_FAILED, .running = MAINTENANCE_CHECK},
     MAINTENANCE_RECORD,
     MAINTENANCE_CHECK,
     NULL,
     0},
    {"it is recorded",
     {GOOD, .session_s = NOW, .hold = HOLD_OURS, .run = RUN_FAILED, .recorded = true},
     MAINTENANCE_RELEASE,
     MAINTENANCE_WIPE,
     NULL,
     0},
    {"nothing to do any more, and alone",
     {GOOD, .hold = HOLD_OURS},
     MAINTENANCE_RELEASE,
     0,
     NULL,
     0},
    {"nothing to do any more, and waiting",
     {GOOD, .hold = HOLD_WANTED},
     MAINTENANCE_UNWANT,
     0,
     NULL,
     0},
    {"an obstacle, and waiting", {.hold = HOLD_WANTED}, MAINTENANCE_UNWANT, 0, NULL, 0},
};
#pragma GCC diagnostic pop

START_TEST(test_step)
    {
        struct maintenance_step step = maintenance_next(&rows[_i].seen, NOW);

        ck_assert_msg(step.action == rows[_i].action, "%s: action %d", rows[_i].what, step.action);
        if (step.action != MAINTENANCE_RELEASE)
            ck_assert_msg(step.kind == rows[_i].kind, "%s: kind %d", rows[_i].what, step.kind);
        ck_assert_msg(!rows[_i].message == !step.message &&
                          (!step.message || strstr(step.message, rows[_i].message)),
                      "%s: %s", rows[_i].what, step.message ? step.message : "no message");
        if (rows[_i].look_s)
            ck_assert_int_eq(step.look_s, NOW + rows[_i].look_s);
        if (step.action == MAINTENANCE_WAIT)
            ck_assert(step.look_s > NOW && step.look_s <= NOW + MAINTENANCE_LOOK_S);
    }
END_TEST

/* ---- a hundred days: a session and a drill a day; backups hold the repository for a while; runs
 * fail; for ten of the days nobody leads ---- */

#define AWAY_FROM (NOW + 40 * DAY)
#define AWAY_TO (NOW + 50 * DAY)

struct days {
    struct maintenance seen;
    int64_t now_s, busy_until_s, run_until_s;
    bool ended, fails;
    int runs[MAINTENANCE_KINDS];
    bool parts[CHECK_PARTS + 1];
    int64_t last_prune_s, since_s;
    unsigned seed;
};

static unsigned draw(struct days *days)
{
    return days->seed = days->seed * 1103515245u + 12345u;
}

static void record(struct days *days)
{
    struct maintenance *seen = &days->seen;
    struct maintenance_past *past = &seen->past[seen->running];

    seen->recorded = true;
    if (seen->run == RUN_FAILED) {
        past->failed_s = days->now_s;
        past->failures++;
        return;
    }
    *past = (struct maintenance_past){.succeeded_s = days->now_s, .successes = past->successes + 1};
    seen->removed = seen->running == MAINTENANCE_FORGET ||
                    (seen->removed && seen->running != MAINTENANCE_PRUNE);
}

static void start(struct days *days, const struct maintenance_step *step)
{
    ck_assert_int_eq(days->seen.hold, HOLD_OURS);
    ck_assert(step->kind == MAINTENANCE_VERIFY || days->busy_until_s <= days->now_s);
    ck_assert_int_eq(days->seen.run, RUN_NONE);
    days->seen.run = RUN_GOES_ON;
    days->seen.running = step->kind;
    days->seen.recorded = false;
    days->run_until_s = days->now_s + 1800;
    days->fails = (draw(days) >> 16) % 4 == 0;
    days->runs[step->kind]++;
    if (step->kind == MAINTENANCE_CHECK && !days->fails)
        days->parts[step->part] = true;
    if (step->kind == MAINTENANCE_PRUNE && !days->fails) {
        ck_assert(!days->last_prune_s || days->now_s - days->last_prune_s >= PRUNE_EVERY_S);
        days->last_prune_s = days->now_s;
    }
}

/* An hour after each session ends. */
static int64_t next_slot(const struct days *days)
{
    int64_t last_s = days->seen.past[MAINTENANCE_VERIFY].succeeded_s, slot_s = NOW + 3 * 3600;

    while (slot_s <= last_s || slot_s <= days->since_s)
        slot_s += DAY;
    return slot_s;
}

/* Carries one step out; true when there is more to do at once. */
static bool turn(struct days *days)
{
    struct maintenance *seen = &days->seen;
    struct maintenance_step step;

    seen->drill_s = next_slot(days);
    step = maintenance_next(seen, days->now_s);
    switch (step.action) {
    case MAINTENANCE_WAIT:
        return false;
    case MAINTENANCE_WANT:
        seen->hold = days->busy_until_s > days->now_s && step.kind != MAINTENANCE_VERIFY
                         ? HOLD_WANTED
                         : HOLD_OURS;
        seen->held = step.kind;
        return seen->hold == HOLD_OURS;
    case MAINTENANCE_UNWANT:
        seen->hold = HOLD_NONE;
        return true;
    case MAINTENANCE_RUN:
        start(days, &step);
        return true;
    case MAINTENANCE_PLAN:
        seen->planned = true;
        days->since_s = days->now_s;
        return true;
    case MAINTENANCE_RECORD:
        record(days);
        return true;
    case MAINTENANCE_REFUSED: /* nobody changes a password here, and no pod is lost */
    case MAINTENANCE_AGAIN:
        ck_abort();
        return false;
    case MAINTENANCE_RELEASE:
        ck_assert_int_ne(seen->run, RUN_GOES_ON);
        seen->hold = HOLD_NONE;
        seen->run = RUN_NONE;
        return true;
    }
    return false;
}

static void pass(struct days *days)
{
    struct maintenance *seen = &days->seen;

    days->now_s += MAINTENANCE_LOOK_S;
    if (seen->run == RUN_GOES_ON && days->now_s >= days->run_until_s)
        seen->run = days->fails ? RUN_FAILED : RUN_SUCCEEDED;
    if ((days->now_s - NOW) % DAY < MAINTENANCE_LOOK_S && seen->hold != HOLD_OURS) {
        days->busy_until_s = days->now_s + 7200;
        seen->session_s = days->now_s + 7200;
    }
}

START_TEST(test_days)
    {
        struct days days = {
            .seen = {GOOD, .prunes = true, .drills = true}, .now_s = NOW, .seed = (unsigned)_i + 1};

        while (days.now_s < NOW + 100 * DAY) {
            int steps = 0;

            pass(&days);
            while ((days.now_s < AWAY_FROM || days.now_s > AWAY_TO) && turn(&days))
                ck_assert_int_lt(++steps, 20);
        }
        ck_assert_int_ge(days.runs[MAINTENANCE_FORGET], 80);
        ck_assert_int_ge(days.runs[MAINTENANCE_PRUNE], 10);
        ck_assert_int_le(days.runs[MAINTENANCE_PRUNE], 30); /* with those that failed */
        ck_assert_int_ge(days.runs[MAINTENANCE_CHECK], 80);
        /* one for each day that somebody led, the missed ones are one, and those that failed */
        ck_assert_int_ge(days.seen.past[MAINTENANCE_VERIFY].successes, 88);
        ck_assert_int_le(days.seen.past[MAINTENANCE_VERIFY].successes, 92);
        ck_assert_int_le(days.runs[MAINTENANCE_VERIFY], 180);
        ck_assert_int_eq(days.runs[MAINTENANCE_WIPE] + days.runs[MAINTENANCE_KEY] +
                             days.runs[MAINTENANCE_UNLOCK],
                         0);
        for (int part = 1; part <= CHECK_PARTS; part++)
            ck_assert_msg(days.parts[part], "part %d was never read", part);
    }
END_TEST

SUITE(maintenance_next)
{
    suite_rows(tests, test_step, rows);
    tcase_add_loop_test(tests, test_days, 0, 8);
}
