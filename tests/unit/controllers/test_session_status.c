#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/session_status.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z */
#define NOW INT64_C(1714570200)
#define AT "'lastTransitionTime':'2024-05-01T13:30:00Z'"
#define ID "9d0f1c6e5d5a4c3b8e6f1a2b3c4d5e6f9d0f1c6e5d5a4c3b8e6f1a2b3c4d5e6f"

static const struct work_host hosts[] = {{.name = "host-0"}};

static const struct {
    const char *before;
    struct session_step step;
    const char *after;
} rows[] = {
    {"null", {.action = SESSION_PEND, .message = "x"}, "{'phase':'Pending'}"},
    {"{'x':1}", {.action = SESSION_WAIT}, "{'x':1}"},
    {"{'phase':'Pending'}",
     {.action = SESSION_SKIP, .message = "the previous one"},
     "{'phase':'Skipped','sessionDuration':'1m30s','conditions':[{'type':'BackupSkipped','status':"
     "'True'," AT ",'reason':'SkippedTakingNewBackup','message':'the previous one'}]}"},
    {"{}",
     {.action = SESSION_PLAN_RETRY, .next_retry_s = NOW + 60},
     "{'nextRetry':'2024-05-01T13:31:00Z'}"},
    {"{}", {.action = SESSION_MARK_RETRIED}, "{'retried':true}"},
    {"{'targets':'odd'}",
     {.action = SESSION_WORK, .work = {.action = WORK_START, .total = 2}},
     "{'phase':'Running','sessionDeadline':'2024-05-01T14:28:30Z','targets':[{'ref':{'kind':"
     "'Deployment'},'phase':'Running','totalHosts':2,'preBackupActions':["
     "'InitializeBackendRepository'],'conditions':[{'type':'BackupExecutorEnsured','status':'True',"
     "" AT ",'reason':'SuccessfullyEnsuredBackupExecutor'}]}]}"},
    {"{'targets':[{'totalHosts':2}]}",
     {.action = SESSION_WORK, .work = {.action = WORK_COUNT, .total = 3}},
     "{'targets':[{'totalHosts':3}]}"},
    {"{}",
     {.action = SESSION_WORK,
      .work = {.action = WORK_FAIL_HOST, .reason = "PodFailed", .message = "host-0: Evicted"}},
     "{'targets':[{'stats':[{'hostname':'host-0','phase':'Failed','error':"
     "'PodFailed: host-0: Evicted'}],'conditions':[{'type':'BackupDisrupted','status':'True'," AT
     ",'reason':'FailedToCompleteDueToDisruption','message':'PodFailed: host-0: Evicted'}]}]}"},
    /* the first result counts */
    {"{'targets':[{'stats':[{'hostname':'host-0','phase':'Succeeded'}]}]}",
     {.action = SESSION_WORK, .work = {.action = WORK_FAIL_HOST, .reason = "Lost"}},
     "{'targets':[{'stats':[{'hostname':'host-0','phase':'Succeeded'}]}]}"},
    {"{}",
     {.action = SESSION_WORK, .work = {.action = WORK_END, .succeeded = true}},
     "{'phase':'Succeeded','sessionDuration':'1m30s','targets':[{'phase':'Succeeded'}]}"},
    {"{}",
     {.action = SESSION_WORK, .work = {.action = WORK_END, .cause = WORK_HOSTS}},
     "{'phase':'Failed','sessionDuration':'1m30s','targets':[{'phase':'Failed'}]}"},
    {"{}",
     {.action = SESSION_WORK, .work = {.action = WORK_END, .cause = WORK_FOLLOWING}},
     "{'phase':'Failed','sessionDuration':'1m30s','targets':[{'phase':'Succeeded'}]}"},
    {"{}",
     {.action = SESSION_WORK,
      .work = {.action = WORK_END, .cause = WORK_DEADLINE, .message = "late"}},
     "{'phase':'Failed','sessionDuration':'1m30s','targets':[{'phase':'Failed'}],'conditions':[{"
     "'type':'DeadlineExceeded','status':'True'," AT
     ",'reason':'FailedToCompleteWithinDeadline','message':'late'}]}"},
    {"{}",
     {.action = SESSION_WORK,
      .work = {.action = WORK_END, .cause = WORK_DISRUPTED, .message = "gone"}},
     "{'phase':'Failed','sessionDuration':'1m30s','targets':[{'phase':'Failed','conditions':[{"
     "'type':'BackupDisrupted','status':'True'," AT
     ",'reason':'FailedToCompleteDueToDisruption','message':'gone'}]}]}"},
    /* what others write is not ours to write */
    {"{'x':1}", {.action = SESSION_WORK, .work = {.action = WORK_LOCK}}, "{'x':1}"},
};

START_TEST(steps_become_status)
    {
        const struct session session = {
            .created_s = NOW - 90, .timeout_s = 3600, .work = {.hosts = hosts, .host_count = 1}};
        AUTO(json) json_t *before = json_row(rows[_i].before);
        AUTO(json) json_t *wanted = json_row(rows[_i].after);
        AUTO(json) json_t *ref = json_row("{'kind':'Deployment'}");
        AUTO(json) json_t *after = session_status(&session, &rows[_i].step, ref, before, NOW);
        AUTO(free) char *text = tree_format(after, NULL);

        ck_assert_msg(tree_equal(after, wanted), "%s", text);
    }
END_TEST

static struct message_report *report_of(int outcome)
{
    struct message_report *report = text_alloc(sizeof *report);

    *report = (struct message_report){.host = "host-0", .outcome = outcome, .duration_ms = 90999};
    return report;
}

START_TEST(results_of_hosts)
    {
        AUTO(free) struct message_report *report = report_of(MESSAGE_SUCCEEDED);
        AUTO(json) json_t *status = json_object();
        AUTO(json)
        json_t *wanted = json_row(
            "{'targets':[{'stats':[{'hostname':'host-0','phase':'Succeeded','duration':'1m30s',"
            "'snapshots':[{'name':'9d0f1c6e','path':'/a','totalSize':'70.000 MiB','uploaded':"
            "'1023 B','processingTime':'1s','fileStats':{'totalFiles':4,'newFiles':1,"
            "'modifiedFiles':2,'unmodifiedFiles':1}}]}],'conditions':[{'type':"
            "'PreBackupHookExecutionSucceeded','status':'True'," AT
            ",'reason':'SuccessfullyExecutedPreBackupHook'}]}],'conditions':[{'type':"
            "'BackendRepositoryInitialized','status':'True'," AT
            ",'reason':'BackendRepositoryFound'},{'type':'BackendRepositoryOwned','status':'True'"
            "," AT ",'reason':'OwnedByThisCluster'}]}");

        report->initialized = true;
        report->hook_before = MESSAGE_HOOK_SUCCEEDED;
        report->snapshot_count = 1;
        report->snapshots[0] = (struct message_snapshot){.id = ID,
                                                         .path = "/a",
                                                         .total_bytes = 70 << 20,
                                                         .uploaded_bytes = 1023,
                                                         .processing_ms = 1999,
                                                         .files_total = 4,
                                                         .files_new = 1,
                                                         .files_changed = 2,
                                                         .files_unmodified = 1};
        ck_assert(session_status_report(status, report, true, NOW));

        AUTO(free) char *text = tree_format(status, NULL);

        ck_assert_msg(tree_equal(status, wanted), "%s", text);
        ck_assert_int_eq(session_status_result(status, "host-0"), WORK_SUCCEEDED);
        ck_assert_int_eq(session_status_result(status, "host-1"), WORK_OPEN);
        /* said again, and said otherwise later */
        report->outcome = MESSAGE_FAILED;
        ck_assert(!session_status_report(status, report, true, NOW + 60));
        ck_assert(tree_equal(status, wanted));
    }
END_TEST

START_TEST(success_without_proof_is_none)
    {
        AUTO(free) struct message_report *report = report_of(MESSAGE_SUCCEEDED);
        AUTO(json) json_t *status = json_object();

        ck_assert(session_status_report(status, report, false, NOW));
        ck_assert_int_eq(session_status_result(status, "host-0"), WORK_FAILED);
    }
END_TEST

START_TEST(a_foreign_repository_is_said)
    {
        AUTO(free) struct message_report *report = report_of(MESSAGE_FAILED);
        AUTO(json) json_t *status = json_object();
        const json_t *conditions;

        report->has_error = true;
        report->error = (struct message_failure){FOREIGN_REPOSITORY, "it belongs to another"};
        ck_assert(session_status_report(status, report, true, NOW));
        conditions = tree_get(status, "conditions");
        ck_assert_int_eq(condition_status(conditions, BACKEND_OWNED), CONDITION_FALSE);
        ck_assert_str_eq(condition_message(conditions, BACKEND_OWNED), "it belongs to another");
        ck_assert_int_eq(session_status_result(status, "host-0"), WORK_FAILED);
    }
END_TEST

/* A hook that failed on one host is not covered up by another one's. */
START_TEST(failed_hooks_stay)
    {
        AUTO(free) struct message_report *bad = report_of(MESSAGE_FAILED);
        AUTO(free) struct message_report *good = report_of(MESSAGE_SUCCEEDED);
        AUTO(json) json_t *status = json_object();
        AUTO(free) char *text = NULL;

        bad->has_error = true;
        bad->error = (struct message_failure){"HookFailed", "exit status 1"};
        bad->hook_after = MESSAGE_HOOK_FAILED;
        good->host = "host-1";
        good->hook_after = MESSAGE_HOOK_SKIPPED;
        ck_assert(session_status_report(status, bad, true, NOW));
        ck_assert(session_status_report(status, good, true, NOW));
        text = tree_format(status, NULL);
        ck_assert(strstr(text, "HookFailed: exit status 1"));
        ck_assert(strstr(text, "FailedToExecutePostBackupHook"));
        ck_assert(!strstr(text, "SuccessfullyExecutedPostBackupHook"));
    }
END_TEST

SUITE(controllers_session_status)
{
    suite_rows(tests, steps_become_status, rows);
    tcase_add_test(tests, results_of_hosts);
    tcase_add_test(tests, success_without_proof_is_none);
    tcase_add_test(tests, failed_hooks_stay);
    tcase_add_test(tests, a_foreign_repository_is_said);
}
