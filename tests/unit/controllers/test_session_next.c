#include <string.h>

#include "controllers/session_next.h"
#include "tests/unit/suite.h"

#define NOW 1000000
#define MADE (NOW - 60)

#define OPEN                                                                                       \
    {                                                                                              \
        .name = "host-0", .expected = true                                                         \
    }
#define CLAIMED                                                                                    \
    {                                                                                              \
        .name = "host-0", .expected = true, .claimed = true, .attempt = 1, .heard_s = NOW          \
    }
#define DONE                                                                                       \
    {                                                                                              \
        .name = "host-1", .expected = true, .result = WORK_SUCCEEDED                               \
    }
#define BAD                                                                                        \
    {                                                                                              \
        .name = "host-1", .expected = true, .result = WORK_FAILED                                  \
    }

/* ---- before it runs, and after ---- */

static const struct {
    const char *what;
    struct session session;
    enum session_action action;
    const char *said;
} session_rows[] = {
    {"nothing in the way: the Lease first", {.phase = SESSION_NEW}, SESSION_WORK, ""},
    {"the Lease is ours", {.phase = SESSION_NEW, .work.lock = WORK_LOCK_OURS}, SESSION_WORK, ""},
    {"not ready yet", {.phase = SESSION_NEW, .not_ready = "no Secret"}, SESSION_PEND, "no Secret"},
    {"said already", {.phase = SESSION_PENDING, .not_ready = "x"}, SESSION_WAIT, ""},
    {"not ready for long",
     {.phase = SESSION_PENDING, .not_ready = "no Secret", .created_s = NOW - 300},
     SESSION_SKIP,
     "no Secret"},
    {"the previous one runs",
     {.phase = SESSION_NEW, .sibling_running = true},
     SESSION_SKIP,
     "previous"},
    {"an older one waits", {.phase = SESSION_NEW, .ahead = true}, SESSION_PEND, "older"},
    {"another configuration's",
     {.phase = SESSION_NEW, .work.lock = WORK_LOCK_TAKEN},
     SESSION_PEND,
     "another session"},
    {"in use for a day",
     {.phase = SESSION_PENDING, .work.lock = WORK_LOCK_TAKEN, .created_s = NOW - 86400},
     SESSION_SKIP,
     "for a day"},
    {"configuration deleted",
     {.phase = SESSION_NEW, .work.removed = true},
     SESSION_SKIP,
     "deleted"},
    {"timeOut while it waits",
     {.phase = SESSION_PENDING, .timeout_s = 60, .ahead = true},
     SESSION_WORK,
     ""},
    {"over, nothing left", {.phase = SESSION_SUCCEEDED}, SESSION_DONE, ""},
    {"skipped with the Lease",
     {.phase = SESSION_SKIPPED, .work.lock = WORK_LOCK_OURS},
     SESSION_WORK,
     ""},
    {"failed, no try left", {.phase = SESSION_FAILED}, SESSION_DONE, ""},
    {"failed, a try left", {.phase = SESSION_FAILED, .retry_left = 1}, SESSION_PLAN_RETRY, ""},
    {"not yet",
     {.phase = SESSION_FAILED, .retry_left = 1, .next_retry_s = NOW + 1},
     SESSION_WAIT,
     ""},
    {"now", {.phase = SESSION_FAILED, .retry_left = 1, .next_retry_s = NOW}, SESSION_RETRY, ""},
    {"made, not said",
     {.phase = SESSION_FAILED, .retry_left = 1, .next_retry_s = NOW, .has_successor = true},
     SESSION_MARK_RETRIED,
     ""},
    {"said",
     {.phase = SESSION_FAILED, .retry_left = 1, .next_retry_s = NOW, .retried = true},
     SESSION_DONE,
     ""},
    {"no further try for what was deleted",
     {.phase = SESSION_FAILED, .retry_left = 1, .work.removed = true},
     SESSION_DONE,
     ""},
    {"only failures are tried again",
     {.phase = SESSION_SKIPPED, .retry_left = 1},
     SESSION_DONE,
     ""},
    {"a phase of somebody else's", {.phase = SESSION_UNKNOWN}, SESSION_DONE, ""},
};

START_TEST(sessions_wait_start_and_are_tried_again)
    {
        struct session session = session_rows[_i].session;

        if (!session.created_s)
            session.created_s = MADE;

        struct session_step step = session_next(&session, NOW);

        ck_assert_msg(step.action == session_rows[_i].action, "%s: %d", session_rows[_i].what,
                      (int)step.action);
        ck_assert_msg(strstr(step.message, session_rows[_i].said), "%s: %s", session_rows[_i].what,
                      step.message);
        if (step.action == SESSION_WAIT)
            ck_assert_msg(step.look_s > NOW && step.look_s <= NOW + 300, "%s",
                          session_rows[_i].what);
    }
END_TEST

/* ---- while it runs ---- */

static const struct {
    const char *what;
    struct work work;
    struct work_host hosts[2];
    enum work_action action;
    enum work_cause cause;
    const char *said;
} work_rows[] = {
    {"an agent is at work", {.total = 1}, {CLAIMED}, WORK_WAIT, 0, ""},
    {"scaled up", {.total = 1}, {CLAIMED, OPEN}, WORK_COUNT, 0, ""},
    {"scaled down before it began", {.total = 2}, {CLAIMED, {.name = "host-1"}}, WORK_COUNT, 0, ""},
    {"what is done stays counted when it is scaled away",
     {.total = 2},
     {CLAIMED, {.name = "host-1", .result = WORK_SUCCEEDED}},
     WORK_WAIT,
     0,
     ""},
    {"one is done, one works", {.total = 2}, {CLAIMED, DONE}, WORK_WAIT, 0, ""},
    {"one has failed, one works: it may go on", {.total = 2}, {CLAIMED, BAD}, WORK_WAIT, 0, ""},
    {"all done", {.total = 1}, {DONE}, WORK_END, WORK_NO_CAUSE, ""},
    {"one failed", {.total = 2}, {DONE, BAD}, WORK_END, WORK_HOSTS, "host failed"},
    {"result written, claim not dropped yet",
     {.total = 1},
     {{.name = "host-0", .expected = true, .claimed = true, .result = WORK_SUCCEEDED}},
     WORK_DROP,
     0,
     ""},
    {"its pod is gone",
     {.total = 1},
     {{.name = "host-0", .expected = true, .claimed = true, .gone = true, .attempt = 1}},
     WORK_DROP,
     0,
     ""},
    {"its pod was gone for the third time",
     {.total = 1},
     {{.name = "host-0", .expected = true, .attempt = 3}},
     WORK_FAIL_HOST,
     0,
     "went away"},
    {"its pod was gone, and the reason was seen",
     {.total = 1},
     {{.name = "host-0",
       .expected = true,
       .attempt = 3,
       .trouble = "Evicted",
       .trouble_since_s = NOW}},
     WORK_FAIL_HOST,
     0,
     "host-0: Evicted"},
    {"image can not be pulled for long",
     {.total = 1},
     {{.name = "host-0",
       .expected = true,
       .trouble = "ImagePullBackOff",
       .trouble_since_s = NOW - 600}},
     WORK_FAIL_HOST,
     0,
     "ImagePullBackOff"},
    {"not so long yet",
     {.total = 1},
     {{.name = "host-0",
       .expected = true,
       .trouble = "ImagePullBackOff",
       .trouble_since_s = NOW - 599}},
     WORK_WAIT,
     0,
     ""},
    {"a Job that has failed",
     {.total = 1},
     {{.name = "host-0",
       .expected = true,
       .claimed = true,
       .heard_s = NOW,
       .hopeless = true,
       .trouble = "OOMKilled"}},
     WORK_FAIL_HOST,
     0,
     "OOMKilled"},
    {"nobody asked for it",
     {.total = 1, .started_s = NOW - 900},
     {OPEN},
     WORK_FAIL_HOST,
     0,
     "no agent"},
    {"a new leader waits before it says so",
     {.total = 1, .started_s = NOW - 9000, .watched_s = NOW - 899},
     {OPEN},
     WORK_WAIT,
     0,
     ""},
    {"silent",
     {.total = 1},
     {{.name = "host-0", .expected = true, .claimed = true, .heard_s = NOW - 900}},
     WORK_FAIL_HOST,
     0,
     "no sign of life"},
    {"scaled to zero for long",
     {.total = 0, .started_s = NOW - 600},
     {{.name = "host-0"}},
     WORK_END,
     WORK_DISRUPTED,
     "no pod"},
    {"scaled to zero just now",
     {.total = 0, .started_s = NOW - 599},
     {{.name = "h"}},
     WORK_WAIT,
     0,
     ""},
    {"deleted while it runs",
     {.removed = true, .total = 1},
     {CLAIMED},
     WORK_END,
     WORK_DISRUPTED,
     "deleted"},
    {"a Job is to be made", {.needs_executor = true, .total = 1}, {OPEN}, WORK_EXECUTE, 0, ""},
    {"it is made",
     {.needs_executor = true, .total = 1},
     {{.name = "host-0", .expected = true, .has_job = true, .job_runs = true}},
     WORK_WAIT,
     0,
     ""},
    {"so many at once",
     {.needs_executor = true, .total = 2, .jobs_max = 1},
     {{.name = "host-0", .expected = true, .has_job = true, .job_runs = true},
      {.name = "host-1", .expected = true}},
     WORK_WAIT,
     0,
     ""},
    {"one has ended, the next is made",
     {.needs_executor = true, .total = 2, .jobs_max = 1},
     {{.name = "host-0", .expected = true, .has_job = true, .result = WORK_SUCCEEDED},
      {.name = "host-1", .expected = true}},
     WORK_EXECUTE,
     0,
     ""},
    {"no room in the cluster",
     {.needs_executor = true, .total = 1, .crowded = true, .started_s = NOW - 86400},
     {OPEN},
     WORK_WAIT,
     0,
     ""},
    {"who waits for his turn is not given up",
     {.needs_executor = true, .total = 2, .jobs_max = 1, .started_s = NOW - 86400},
     {{.name = "host-0",
       .expected = true,
       .claimed = true,
       .attempt = 1,
       .heard_s = NOW,
       .has_job = true,
       .job_runs = true},
      {.name = "host-1", .expected = true}},
     WORK_WAIT,
     0,
     ""},
    {"one that has its Job is, when nobody asks for its work",
     {.needs_executor = true, .total = 2, .jobs_max = 1, .started_s = NOW - 86400},
     {{.name = "host-0", .expected = true, .has_job = true, .job_runs = true},
      {.name = "host-1", .expected = true}},
     WORK_FAIL_HOST,
     0,
     "no agent asked"},
    {"not for what is done", {.needs_executor = true, .total = 1}, {DONE}, WORK_END, 0, ""},
    {"it was deleted",
     {.needs_executor = true, .total = 1},
     {{.name = "host-0",
       .expected = true,
       .has_job = true,
       .hopeless = true,
       .trouble = "its Job was deleted"}},
     WORK_FAIL_HOST,
     0,
     "host-0: its Job was deleted"},
    {"the Lease was deleted by hand",
     {.lock = WORK_LOCK_FREE, .total = 1},
     {OPEN},
     WORK_LOCK,
     0,
     ""},
    {"the Lease is somebody else's",
     {.lock = WORK_LOCK_TAKEN, .total = 1},
     {OPEN},
     WORK_END,
     WORK_DISRUPTED,
     "Lease"},
    {"retention follows", {.total = 1, .after = WORK_AFTER_WAITING}, {DONE}, WORK_AFTER, 0, ""},
    {"not after a failure",
     {.total = 1, .after = WORK_AFTER_WAITING},
     {BAD},
     WORK_END,
     WORK_HOSTS,
     ""},
    {"it is under way",
     {.total = 1, .after = WORK_AFTER_RUNNING, .after_since_s = NOW},
     {DONE},
     WORK_WAIT,
     0,
     ""},
    {"who comes now comes too late",
     {.total = 1, .after = WORK_AFTER_RUNNING, .after_since_s = NOW},
     {DONE, OPEN},
     WORK_WAIT,
     0,
     ""},
    {"it does not end",
     {.total = 1, .after = WORK_AFTER_RUNNING, .after_since_s = NOW - 86400},
     {DONE},
     WORK_END,
     WORK_FOLLOWING,
     ""},
    {"it failed", {.total = 1, .after = WORK_AFTER_FAILED}, {DONE}, WORK_END, WORK_FOLLOWING, ""},
    {"it succeeded", {.total = 1, .after = WORK_AFTER_SUCCEEDED}, {DONE}, WORK_END, 0, ""},
};

START_TEST(running_sessions)
    {
        struct session session = {
            .phase = SESSION_RUNNING, .created_s = MADE, .work = work_rows[_i].work};
        bool forged = strstr(work_rows[_i].what, "the Lease ") != NULL;

        if (!forged)
            session.work.lock = WORK_LOCK_OURS;
        if (!session.work.started_s)
            session.work.started_s = MADE;
        session.work.hosts = work_rows[_i].hosts;
        session.work.host_count = work_rows[_i].hosts[1].name ? 2 : 1;

        struct session_step step = session_next(&session, NOW);

        ck_assert_msg(step.work.action == work_rows[_i].action, "%s: %d", work_rows[_i].what,
                      (int)step.work.action);
        ck_assert_msg(step.work.cause == work_rows[_i].cause, "%s", work_rows[_i].what);
        ck_assert_msg(strstr(step.work.message, work_rows[_i].said), "%s: %s", work_rows[_i].what,
                      step.work.message);
        if (step.work.action == WORK_END)
            ck_assert_msg(step.work.succeeded == (step.work.cause == WORK_NO_CAUSE), "%s",
                          work_rows[_i].what);
    }
END_TEST

/* After the end: who has not begun is not to begin, who has is told to end. */
static const struct {
    struct work_host host;
    enum work_action action;
} drain_rows[] = {
    {{.name = "h", .has_job = true, .job_runs = true}, WORK_DISMISS},
    {{.name = "h", .has_job = true}, WORK_UNLOCK},
    {{.name = "h", .has_job = true, .job_runs = true, .attempt = 1}, WORK_UNLOCK},
    {{.name = "h", .has_job = true, .job_runs = true, .claimed = true, .heard_s = NOW}, WORK_WAIT},
    {{.name = "h", .has_job = true, .job_runs = true, .claimed = true, .heard_s = NOW - 899},
     WORK_WAIT},
    {{.name = "h", .has_job = true, .job_runs = true, .claimed = true, .heard_s = NOW - 900},
     WORK_DISMISS},
    {{.name = "h", .has_job = true, .job_runs = true, .claimed = true, .gone = true}, WORK_DROP},
};

START_TEST(jobs_end_with_their_session)
    {
        struct session session = {
            .phase = SESSION_FAILED,
            .retried = true,
            .work = {.lock = WORK_LOCK_OURS, .hosts = &drain_rows[_i].host, .host_count = 1}};
        struct session_step step = session_next(&session, NOW);

        ck_assert_int_eq(step.work.action, drain_rows[_i].action);
    }
END_TEST

/* Work is offered, and goes on, only while session, Lease and deadline agree. */
static const struct {
    struct work work;
    struct work_host host;
    bool offered, goes_on;
} offer_rows[] = {
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_OURS}, OPEN, true, false},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_OURS}, CLAIMED, false, true},
    {{.phase = WORK_PENDING, .lock = WORK_LOCK_OURS}, OPEN, false, false},
    {{.phase = WORK_ENDED, .lock = WORK_LOCK_OURS}, CLAIMED, false, false},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_TAKEN}, CLAIMED, false, false},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_FREE}, OPEN, false, false},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_OURS, .removed = true}, CLAIMED, false, false},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_OURS, .deadline_s = NOW}, CLAIMED, false, false},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_OURS, .deadline_s = NOW + 1}, CLAIMED, false, true},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_OURS}, {.name = "h"}, false, false},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_OURS},
     {.name = "h", .expected = true, .attempt = 3},
     false,
     false},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_OURS}, BAD, false, false},
    {{.phase = WORK_RUNNING, .lock = WORK_LOCK_OURS, .after = WORK_AFTER_RUNNING},
     OPEN,
     false,
     false},
};

START_TEST(offers)
    {
        struct work work = offer_rows[_i].work;

        work.hosts = &offer_rows[_i].host;
        work.host_count = 1;
        work.attempts_max = WORK_ATTEMPTS_MAX;
        ck_assert_int_eq(work_is_offered(&work, 0, NOW), offer_rows[_i].offered);
        ck_assert_int_eq(work_goes_on(&work, 0, NOW), offer_rows[_i].goes_on);
    }
END_TEST

START_TEST(deadline_ends_before_anything_else)
    {
        struct work_host hosts[] = {CLAIMED};
        struct session session = {
            .phase = SESSION_RUNNING,
            .created_s = NOW - 60,
            .timeout_s = 60,
            .work = {.lock = WORK_LOCK_OURS, .total = 1, .hosts = hosts, .host_count = 1}};
        struct session_step step = session_next(&session, NOW - 1);

        ck_assert(step.action == SESSION_WAIT && step.look_s == NOW);
        step = session_next(&session, NOW);
        ck_assert(step.work.action == WORK_END && step.work.cause == WORK_DEADLINE);
        hosts[0].trouble = "ErrImagePull";
        step = session_next(&session, NOW);
        ck_assert_str_eq(step.work.message, "not complete within timeOut; host-0: ErrImagePull");
        session.phase =
            SESSION_FAILED; /* the agent is told, and holds the Lease until it has ended */
        step = session_next(&session, NOW);
        ck_assert(step.action == SESSION_WAIT);
        hosts[0].gone = true;
        step = session_next(&session, NOW);
        ck_assert(step.work.action == WORK_DROP);
        hosts[0].claimed = false;
        step = session_next(&session, NOW);
        ck_assert(step.work.action == WORK_UNLOCK);
    }
END_TEST

/* ---- history ---- */

static const struct {
    int64_t limit;
    struct session_past past[5];
    const char *surplus; /* x for each that goes */
} history_rows[] = {
    {1,
     {{.name = "a", .created_s = 1, .phase = SESSION_SUCCEEDED},
      {.name = "b", .created_s = 2, .phase = SESSION_SUCCEEDED}},
     "x-"},
    {2,
     {{.name = "a", .created_s = 1, .phase = SESSION_SUCCEEDED},
      {.name = "b", .created_s = 2, .phase = SESSION_SUCCEEDED}},
     "--"},
    /* the newest with a result stays, whatever was skipped since */
    {1,
     {{.name = "a", .created_s = 1, .phase = SESSION_SUCCEEDED},
      {.name = "b", .created_s = 2, .phase = SESSION_FAILED},
      {.name = "c", .created_s = 3, .phase = SESSION_SKIPPED},
      {.name = "d", .created_s = 4, .phase = SESSION_SKIPPED}},
     "x-x-"},
    {0,
     {{.name = "a", .created_s = 1, .phase = SESSION_SUCCEEDED},
      {.name = "b", .created_s = 2, .phase = SESSION_RUNNING}},
     "x-"},
    {-1, {{.name = "a", .created_s = 1, .phase = SESSION_SUCCEEDED}}, "x"},
    {1,
     {{.name = "b", .created_s = 1, .phase = SESSION_SUCCEEDED},
      {.name = "a", .created_s = 1, .phase = SESSION_SUCCEEDED}},
     "-x"},
    {1,
     {{.name = "a", .created_s = 1, .phase = SESSION_PENDING},
      {.name = "b", .created_s = 2, .phase = SESSION_RUNNING},
      {.name = "c", .created_s = 3, .phase = SESSION_SUCCEEDED}},
     "---"},
    {1,
     {{.name = "a", .created_s = 1, .phase = SESSION_FAILED, .busy = true},
      {.name = "b", .created_s = 2, .phase = SESSION_SUCCEEDED}},
     "--"},
};

START_TEST(history)
    {
        struct session_past past[5];
        size_t count = strlen(history_rows[_i].surplus);

        memcpy(past, history_rows[_i].past, sizeof past);
        session_history(past, count, history_rows[_i].limit);
        for (size_t i = 0; i < count; i++)
            ck_assert_int_eq(past[i].surplus, history_rows[_i].surplus[i] == 'x');
    }
END_TEST

START_TEST(phases_are_words)
    {
        for (int i = SESSION_NEW; i <= SESSION_UNKNOWN; i++)
            ck_assert_int_eq(session_phase_of(session_phase_word((enum session_phase)i)), i);
        ck_assert_int_eq(session_phase_of(NULL), SESSION_NEW);
        ck_assert_int_eq(session_phase_of("running"), SESSION_UNKNOWN);
        ck_assert(session_phase_is_final(SESSION_UNKNOWN) && !session_phase_is_final(SESSION_NEW) &&
                  !session_phase_is_final(SESSION_RUNNING));
    }
END_TEST

SUITE(controllers_session_next)
{
    suite_rows(tests, sessions_wait_start_and_are_tried_again, session_rows);
    suite_rows(tests, jobs_end_with_their_session, drain_rows);
    suite_rows(tests, running_sessions, work_rows);
    suite_rows(tests, offers, offer_rows);
    tcase_add_test(tests, deadline_ends_before_anything_else);
    suite_rows(tests, history, history_rows);
    tcase_add_test(tests, phases_are_words);
}
