#include <string.h>

#include "controllers/restore_next.h"
#include "tests/unit/suite.h"

#define NOW 1000000
#define MADE (NOW - 60)

static const struct {
    const char *what;
    struct restore restore;
    struct work_host host;
    enum restore_action action;
    enum work_action work;
    enum restore_phase phase; /* where the session ends */
    const char *said;
} rows[] = {
    {"nobody asks yet", {.phase = RESTORE_NEW}, {.name = "h"}, RESTORE_PEND, 0, 0, "no pod"},
    {"said already", {.phase = RESTORE_PENDING}, {.name = "h"}, RESTORE_WAIT, 0, 0, ""},
    {"no target yet",
     {.not_ready = "no target", .asked = true},
     {.name = "h"},
     RESTORE_PEND,
     0,
     0,
     "no target"},
    {"not allowed",
     {.invalid = "usagePolicy"},
     {.name = "h"},
     RESTORE_INVALIDATE,
     0,
     0,
     "usagePolicy"},
    {"said already",
     {.invalid = "usagePolicy", .phase = RESTORE_INVALID},
     {.name = "h"},
     RESTORE_WAIT,
     0,
     0,
     ""},
    {"allowed again",
     {.phase = RESTORE_INVALID, .asked = true},
     {.name = "h"},
     RESTORE_WORK,
     WORK_LOCK,
     0,
     ""},
    {"an older one", {.ahead = true, .asked = true}, {.name = "h"}, RESTORE_PEND, 0, 0, "older"},
    {"a backup is under way",
     {.work.lock = WORK_LOCK_TAKEN, .asked = true},
     {.name = "h"},
     RESTORE_PEND,
     0,
     0,
     "another session"},
    {"a pod asks",
     {.phase = RESTORE_PENDING, .asked = true},
     {.name = "h"},
     RESTORE_WORK,
     WORK_LOCK,
     0,
     ""},
    {"the Lease is ours",
     {.phase = RESTORE_PENDING, .asked = true, .work.lock = WORK_LOCK_OURS},
     {.name = "h", .expected = true},
     RESTORE_WORK,
     WORK_START,
     0,
     ""},
    {"waits for years, without timeOut",
     {.phase = RESTORE_PENDING, .created_s = 1},
     {.name = "h"},
     RESTORE_WAIT,
     0,
     0,
     ""},
    {"timeOut while it waits",
     {.phase = RESTORE_PENDING, .timeout_s = 60},
     {.name = "h"},
     RESTORE_WORK,
     WORK_END,
     RESTORE_FAILED,
     ""},
    {"restored",
     {.phase = RESTORE_RUNNING, .work = {.lock = WORK_LOCK_OURS, .total = 1}},
     {.name = "h", .expected = true, .result = WORK_SUCCEEDED},
     RESTORE_WORK,
     WORK_END,
     RESTORE_SUCCEEDED,
     ""},
    {"failed",
     {.phase = RESTORE_RUNNING, .work = {.lock = WORK_LOCK_OURS, .total = 1}},
     {.name = "h", .expected = true, .result = WORK_FAILED},
     RESTORE_WORK,
     WORK_END,
     RESTORE_FAILED,
     ""},
    {"lost in the middle",
     {.phase = RESTORE_RUNNING, .lost = true, .work = {.lock = WORK_LOCK_OURS, .total = 1}},
     {.name = "h", .expected = true, .result = WORK_FAILED},
     RESTORE_WORK,
     WORK_END,
     RESTORE_UNKNOWN,
     ""},
    {"pods of a StatefulSet take their time",
     {.phase = RESTORE_RUNNING,
      .work = {.lock = WORK_LOCK_OURS, .total = 1, .started_s = NOW - 9000, .moved_s = NOW - 3599}},
     {.name = "h", .expected = true},
     RESTORE_WAIT,
     0,
     0,
     ""},
    {"and not more than that",
     {.phase = RESTORE_RUNNING,
      .work = {.lock = WORK_LOCK_OURS, .total = 1, .started_s = NOW - 9000, .moved_s = NOW - 3600}},
     {.name = "h", .expected = true},
     RESTORE_WORK,
     WORK_FAIL_HOST,
     0,
     ""},
    {"scaled away in the middle: never just forgotten",
     {.phase = RESTORE_RUNNING, .work = {.lock = WORK_LOCK_OURS, .total = 1}},
     {.name = "h", .attempt = 1},
     RESTORE_WAIT,
     0,
     0,
     ""},
    {"deleted while it waits",
     {.work.removed = true},
     {.name = "h"},
     RESTORE_WORK,
     WORK_END,
     RESTORE_FAILED,
     ""},
    {"over", {.phase = RESTORE_SUCCEEDED}, {.name = "h"}, RESTORE_DONE, WORK_DONE, 0, ""},
    {"over, the Lease is still held",
     {.phase = RESTORE_FAILED, .work.lock = WORK_LOCK_OURS},
     {.name = "h"},
     RESTORE_WORK,
     WORK_UNLOCK,
     0,
     ""},
    {"over, an agent has not ended yet",
     {.phase = RESTORE_FAILED, .work.lock = WORK_LOCK_OURS},
     {.name = "h", .claimed = true},
     RESTORE_WAIT,
     0,
     0,
     ""},
};

START_TEST(restores)
    {
        struct restore restore = rows[_i].restore;

        if (!restore.created_s)
            restore.created_s = MADE;
        if (!restore.work.started_s)
            restore.work.started_s = MADE;
        restore.work.hosts = &rows[_i].host;
        restore.work.host_count = 1;

        struct restore_step step = restore_next(&restore, NOW);

        ck_assert_msg(step.action == rows[_i].action, "%s: %d", rows[_i].what, (int)step.action);
        ck_assert_msg(step.work.action == rows[_i].work, "%s: %d", rows[_i].what,
                      (int)step.work.action);
        ck_assert_msg(strstr(step.message, rows[_i].said), "%s: %s", rows[_i].what, step.message);
        if (step.work.action == WORK_END)
            ck_assert_msg(step.phase == rows[_i].phase, "%s", rows[_i].what);
        if (step.action == RESTORE_WAIT)
            ck_assert_msg(step.look_s > NOW, "%s", rows[_i].what);
    }
END_TEST

/* An application starts only on proof, or when a person says so. */
static const struct {
    const char *what;
    struct restore restore;
    struct work_host host;
    long which;
    bool start_anyway, deleted;
    enum restore_answer answer;
} answer_rows[] = {
    {"not covered", {.phase = RESTORE_RUNNING}, {.name = "h"}, -1, false, false, RESTORE_PASS},
    {"not yet begun", {.phase = RESTORE_PENDING}, {.name = "h"}, 0, false, false, RESTORE_HOLD},
    {"its turn",
     {.phase = RESTORE_RUNNING},
     {.name = "h", .expected = true},
     0,
     false,
     false,
     RESTORE_OFFER},
    {"has it",
     {.phase = RESTORE_RUNNING},
     {.name = "h", .expected = true, .claimed = true},
     0,
     false,
     false,
     RESTORE_OFFER},
    {"restored, others are not",
     {.phase = RESTORE_RUNNING},
     {.name = "h", .expected = true, .result = WORK_SUCCEEDED},
     0,
     false,
     false,
     RESTORE_PASS},
    {"restored, others failed",
     {.phase = RESTORE_FAILED},
     {.name = "h", .result = WORK_SUCCEEDED},
     0,
     false,
     false,
     RESTORE_PASS},
    /* Stash lets the application start on half of its data here */
    {"failed",
     {.phase = RESTORE_FAILED},
     {.name = "h", .result = WORK_FAILED},
     0,
     false,
     false,
     RESTORE_HOLD},
    {"never begun, the session failed",
     {.phase = RESTORE_FAILED},
     {.name = "h", .expected = true},
     0,
     false,
     false,
     RESTORE_HOLD},
    {"came after the session succeeded",
     {.phase = RESTORE_SUCCEEDED},
     {.name = "h", .expected = true},
     0,
     false,
     false,
     RESTORE_PASS},
    {"unknown", {.phase = RESTORE_UNKNOWN}, {.name = "h"}, 0, false, false, RESTORE_HOLD},
    {"invalid", {.phase = RESTORE_INVALID}, {.name = "h"}, 0, false, false, RESTORE_HOLD},
    {"a person says so",
     {.phase = RESTORE_FAILED},
     {.name = "h", .result = WORK_FAILED},
     0,
     true,
     false,
     RESTORE_PASS},
    {"a person took it away",
     {.phase = RESTORE_RUNNING},
     {.name = "h"},
     0,
     false,
     true,
     RESTORE_PASS},
};

START_TEST(applications_start_on_proof)
    {
        struct restore restore = answer_rows[_i].restore;

        restore.work.lock = WORK_LOCK_OURS;
        restore.work.hosts = &answer_rows[_i].host;
        restore.work.host_count = 1;
        ck_assert_msg(restore_answer(answer_rows[_i].deleted ? NULL : &restore,
                                     answer_rows[_i].which, answer_rows[_i].start_anyway,
                                     answer_rows[_i].deleted, NOW) == answer_rows[_i].answer,
                      "%s", answer_rows[_i].what);
    }
END_TEST

START_TEST(phases_are_words)
    {
        for (int i = RESTORE_NEW; i <= RESTORE_UNKNOWN; i++)
            ck_assert_int_eq(restore_phase_of(restore_phase_word((enum restore_phase)i)), i);
        ck_assert_int_eq(restore_phase_of(NULL), RESTORE_NEW);
        ck_assert_int_eq(restore_phase_of("odd"), RESTORE_UNKNOWN);
        ck_assert(!restore_phase_is_final(RESTORE_INVALID) &&
                  restore_phase_is_final(RESTORE_UNKNOWN));
    }
END_TEST

SUITE(controllers_restore_next)
{
    suite_rows(tests, restores, rows);
    suite_rows(tests, applications_start_on_proof, answer_rows);
    tcase_add_test(tests, phases_are_words);
}
