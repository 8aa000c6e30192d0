#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/restore_status.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z */
#define NOW INT64_C(1714570200)
#define AT "'lastTransitionTime':'2024-05-01T13:30:00Z'"
#define ENSURED                                                                                    \
    "{'type':'RestoreExecutorEnsured','status':'True'," AT                                         \
    ",'reason':'SuccessfullyEnsuredRestoreExecutor'}"
#define DO(...)                                                                                    \
    {                                                                                              \
        .action = RESTORE_WORK, .work = { __VA_ARGS__ }                                            \
    }

static const struct work_host hosts[] = {{.name = "host-0"}, {.name = "host-1", .attempt = 1}},
                              with_job[] = {{.name = "host-0", .has_job = true},
                                            {.name = "host-1"}};

static const struct {
    const char *before;
    bool job;
    struct restore_step step;
    const char *after;
} rows[] = {
    {"null",
     false,
     {.action = RESTORE_PEND, .message = "x"},
     "{'phase':'Pending','conditions':[{'type':'ValidationPassed','status':'True'," AT
     ",'reason':'ResourceValidationPassed'}]}"},
    {"{'conditions':7}",
     false,
     {.action = RESTORE_INVALIDATE, .message = "not yours\n"},
     "{'phase':'Invalid','conditions':[{'type':'ValidationPassed','status':'False'," AT
     ",'reason':'ResourceValidationFailed','message':'not yours?'}]}"},
    /* repaired */
    {"{'phase':'Invalid','conditions':[{'type':'ValidationPassed','status':'False',"
     "'lastTransitionTime':'2024-05-01T13:00:00Z','reason':'ResourceValidationFailed'}]}",
     false,
     {.action = RESTORE_PEND},
     "{'phase':'Pending','conditions':[{'type':'ValidationPassed','status':'True'," AT
     ",'reason':'ResourceValidationPassed'}]}"},
    {"{'x':1}", false, {.action = RESTORE_WAIT}, "{'x':1}"},
    {"{'x':1}", false, {.action = RESTORE_DONE}, "{'x':1}"},
    {"{'x':1}", false, DO(.action = WORK_LOCK), "{'x':1}"},
    {"{'x':1}", false, DO(.action = WORK_DROP), "{'x':1}"},
    {"[]", false, DO(.action = WORK_START, .total = 2),
     "{'phase':'Running','sessionDeadline':'2024-05-01T14:28:30Z','totalHosts':2,'conditions':[{"
     "'type':'StashInitContainerInjected','status':'True'," AT
     ",'reason':'InitContainerInjectionSucceeded'}," ENSURED "]}"},
    {"{}", true, DO(.action = WORK_START, .total = 1),
     "{'phase':'Running','sessionDeadline':'2024-05-01T14:28:30Z','totalHosts':1}"},
    {"{}",
     true,
     {.action = RESTORE_WORK,
      .phase = RESTORE_SUCCEEDED,
      .work = {.action = WORK_END, .succeeded = true}},
     "{'phase':'Succeeded','sessionDuration':'1m30s','conditions':[{'type':'RestoreJobCreated',"
     "'status':'True'," AT ",'reason':'RestoreJobCreationSucceeded'}," ENSURED "]}"},
    {"{'totalHosts':2}", false, DO(.action = WORK_COUNT, .total = 3), "{'totalHosts':3}"},
    /* never begun, nothing is lost; begun, nobody knows */
    {"{'stats':'odd'}", false,
     DO(.action = WORK_FAIL_HOST, .host = 0, .reason = "Unclaimed", .message = "host-0: nobody"),
     "{'stats':[{'hostname':'host-0','phase':'Failed','error':'Unclaimed: host-0: nobody'}]}"},
    {"{'stats':[{'hostname':'host-1','phase':'Running'}]}", false,
     DO(.action = WORK_FAIL_HOST, .host = 1, .reason = "Lost", .message = "host-1: away"),
     "{'stats':[{'hostname':'host-1','phase':'Unknown','error':'Lost: host-1: away'}]}"},
    /* a message that was cut within a character */
    {"{}", false,
     DO(.action = WORK_FAIL_HOST, .host = 0, .reason = "PodFailed", .message = "caf\xc3"),
     "{'stats':[{'hostname':'host-0','phase':'Failed','error':'PodFailed: caf?'}]}"},
    /* the first result counts */
    {"{'stats':[{'hostname':'host-1','phase':'Succeeded'}]}", false,
     DO(.action = WORK_FAIL_HOST, .host = 1, .reason = "Lost"),
     "{'stats':[{'hostname':'host-1','phase':'Succeeded'}]}"},
    {"{}",
     false,
     {.action = RESTORE_WORK,
      .phase = RESTORE_SUCCEEDED,
      .work = {.action = WORK_END, .succeeded = true}},
     "{'phase':'Succeeded','sessionDuration':'1m30s'}"},
    {"{}",
     false,
     {.action = RESTORE_WORK,
      .phase = RESTORE_UNKNOWN,
      .work = {.action = WORK_END, .cause = WORK_HOSTS}},
     "{'phase':'Unknown','sessionDuration':'1m30s'}"},
    {"{}",
     false,
     {.action = RESTORE_WORK,
      .phase = RESTORE_FAILED,
      .work = {.action = WORK_END, .cause = WORK_DEADLINE, .message = "late"}},
     "{'phase':'Failed','sessionDuration':'1m30s','conditions':[{'type':'DeadlineExceeded',"
     "'status':'True'," AT ",'reason':'FailedToCompleteWithinDeadline','message':'late'}]}"},
    {"{'conditions':[" ENSURED "]}",
     false,
     {.action = RESTORE_WORK,
      .phase = RESTORE_FAILED,
      .work = {.action = WORK_END, .cause = WORK_DISRUPTED, .message = "gone"}},
     "{'phase':'Failed','sessionDuration':'1m30s','conditions':[{'type':'RestoreExecutorEnsured',"
     "'status':'False'," AT ",'reason':'FailedToEnsureRestoreExecutor','message':'gone'}]}"},
};

START_TEST(steps_become_status)
    {
        const struct restore restore = {.created_s = NOW - 90,
                                        .timeout_s = 3600,
                                        .work = {.hosts = rows[_i].job ? with_job : hosts,
                                                 .host_count = 2,
                                                 .needs_executor = rows[_i].job}};
        AUTO(json) json_t *before = json_row(rows[_i].before);
        AUTO(json) json_t *kept = tree_copy(before);
        AUTO(json) json_t *wanted = json_row(rows[_i].after);
        AUTO(json) json_t *after = restore_status(&restore, &rows[_i].step, before, NOW);
        AUTO(json) json_t *again = restore_status(&restore, &rows[_i].step, after, NOW);
        AUTO(free) char *text = tree_format(after, NULL);

        ck_assert_msg(tree_equal(after, wanted), "%s", text);
        ck_assert(tree_equal(before, kept));
        ck_assert(tree_equal(after, again));
    }
END_TEST

static const struct {
    const char *before;
    int outcome;
    bool unproven, has_error;
    int hook_before, hook_after;
    const char *note;
    const char *after; /* NULL: nothing is to be written */
} reports[] = {
    {"{}", MESSAGE_SUCCEEDED,
     .after = "{'stats':[{'hostname':'host-0','phase':'Succeeded',"
              "'duration':'1m30s'}]}"},
    {"{'stats':[1,{'hostname':'host-0','phase':'Running'}]}", MESSAGE_SUCCEEDED,
     .after = "{'stats':[1,{'hostname':'host-0','phase':'Succeeded','duration':'1m30s'}]}"},
    {"{'stats':[{'hostname':'host-0','phase':'Unknown'}]}", MESSAGE_SUCCEEDED, .after = NULL},
    {"{'stats':[{'hostname':'host-0','phase':'Failed'}]}", MESSAGE_SUCCEEDED, .after = NULL},
    {"{'stats':[{'hostname':'host-0','phase':7}]}", MESSAGE_SUCCEEDED, .after = NULL},
    {"{}", MESSAGE_SUCCEEDED, .note = "owner of\ntwo files",
     .after = "{'stats':[{'hostname':'host-0','phase':'Succeeded','duration':'1m30s',"
              "'note':'owner of?two files'}]}"},
    {"{}", MESSAGE_FAILED, .has_error = true, .note = "owner of two files",
     .after = "{'stats':[{'hostname':'host-0','phase':'Failed','error':'HookFailed: status 1',"
              "'duration':'1m30s'}]}"},
    /* success without proof is none */
    {"{}", MESSAGE_SUCCEEDED, .unproven = true,
     .after = "{'stats':[{'hostname':'host-0','phase':'Failed','error':"
              "'NoProof: what was restored is not said','duration':'1m30s'}]}"},
    {"{}", MESSAGE_FAILED, .has_error = true, .hook_before = MESSAGE_HOOK_FAILED,
     .hook_after = MESSAGE_HOOK_SKIPPED,
     .after = "{'stats':[{'hostname':'host-0','phase':'Failed','error':'HookFailed: status 1',"
              "'duration':'1m30s'}],'conditions':[{'type':'PreRestoreHookExecutionSucceeded',"
              "'status':'False'," AT ",'reason':'FailedToExecutePreRestoreHook'},{'type':"
              "'PostRestoreHookExecutionSucceeded','status':'True'," AT
              ",'reason':'SuccessfullyExecutedPostRestoreHook','message':'skipped by policy'}]}"},
    /* a hook that failed on one host is not covered up by another one's */
    {"{'conditions':[{'type':'PostRestoreHookExecutionSucceeded','status':'False'}]}",
     MESSAGE_SUCCEEDED, .hook_after = MESSAGE_HOOK_SUCCEEDED,
     .after = "{'stats':[{'hostname':'host-0','phase':'Succeeded','duration':'1m30s'}],"
              "'conditions':[{'type':'PostRestoreHookExecutionSucceeded','status':'False'}]}"},
};

START_TEST(results_of_hosts)
    {
        AUTO(free) struct message_report *report = text_alloc(sizeof *report);
        AUTO(json) json_t *status = json_row(reports[_i].before);
        AUTO(json)
        json_t *wanted = json_row(reports[_i].after ? reports[_i].after : reports[_i].before);

        *report = (struct message_report){.host = "host-0",
                                          .outcome = reports[_i].outcome,
                                          .duration_ms = 90999,
                                          .has_error = reports[_i].has_error,
                                          .error = {"HookFailed", "status 1"},
                                          .note = reports[_i].note,
                                          .hook_before = reports[_i].hook_before,
                                          .hook_after = reports[_i].hook_after};
        ck_assert_int_eq(restore_status_report(status, report, !reports[_i].unproven, NOW),
                         reports[_i].after != NULL);

        AUTO(free) char *text = tree_format(status, NULL);

        ck_assert_msg(tree_equal(status, wanted), "%s", text);
        ck_assert(!restore_status_report(status, report, true, NOW + 1)); /* said again */
        ck_assert(tree_equal(status, wanted));
    }
END_TEST

static const struct {
    const char *status;
    enum work_result result;
    bool lost;
} results[] = {
    {"null", WORK_OPEN, false},
    {"{'stats':{'hostname':'host-0'}}", WORK_OPEN, false},
    {"{'stats':[{'hostname':'host-1','phase':'Unknown'}]}", WORK_OPEN, true},
    {"{'stats':[{'hostname':'host-0','phase':'Running'}]}", WORK_OPEN, false},
    {"{'stats':[{'hostname':'host-0','phase':'Succeeded'}]}", WORK_SUCCEEDED, false},
    {"{'stats':[{'hostname':'host-0','phase':'Failed'}]}", WORK_FAILED, false},
    {"{'stats':[{'hostname':'host-0','phase':'Unknown'}]}", WORK_FAILED, true},
    {"{'stats':[{'hostname':'host-0'}]}", WORK_FAILED, false},
    {"{'stats':[{'hostname':'host-0\\u0000','phase':'Failed'}]}", WORK_OPEN, false},
};

START_TEST(what_a_status_says_of_hosts)
    {
        AUTO(json) json_t *status = json_row(results[_i].status);

        ck_assert_int_eq(restore_status_result(status, "host-0"), results[_i].result);
        ck_assert_int_eq(restore_status_is_lost(status), results[_i].lost);
    }
END_TEST

SUITE(controllers_restore_status)
{
    suite_rows(tests, steps_become_status, rows);
    suite_rows(tests, results_of_hosts, reports);
    suite_rows(tests, what_a_status_says_of_hosts, results);
}
