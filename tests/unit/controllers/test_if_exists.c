#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/if_exists.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define PODS_MAX 4
#define UID_OF(digit) digit "0000000-0000-4000-8000-000000000001"

#define CONFIGURATION(name, more)                                                                  \
    "{'metadata':{'name':'" name "','namespace':'shop'},'spec':{'target':{" more "}}}"
#define ONE CONFIGURATION("c", "")

#define STAT(host, phase)                                                                          \
    "{'hostname':'" host "','phase':'" phase "','snapshots':[{'name':'" host "-id'}]}"
#define SESSION(name, uid, hour, phase, stats)                                                     \
    "{'metadata':{'name':'" name "','namespace':'shop','uid':'" uid "','creationTimestamp':"       \
    "'2024-05-01T" hour ":00:00Z'},'spec':{'invoker':{'kind':'BackupConfiguration','name':'c'}},"  \
    "'status':{'phase':'" phase "','targets':[{'stats':[" stats "]}]}}"
#define S1 SESSION("s1", UID_OF("1"), "10", "Succeeded", STAT("host-0", "Succeeded"))
#define S1_BOTH                                                                                    \
    SESSION("s1", UID_OF("1"), "10", "Succeeded",                                                  \
            STAT("host-0", "Succeeded") "," STAT("host-1", "Succeeded"))
#define S2 SESSION("s2", UID_OF("2"), "11", "Succeeded", STAT("host-0", "Succeeded"))

#define POD(name, uid, more, status)                                                               \
    "{'metadata':{'name':'" name "','uid':'" uid "'" more ",'ownerReferences':[{'uid':'RS',"       \
    "'controller':true}]},'status':" status "}"
#define PASSED(said)                                                                               \
    "{'phase':'Running','initContainerStatuses':[{'name':'stash-init','state':{'terminated':{"     \
    "'exitCode':0,'message':'" said "'}}}]}"
#define ASKS POD("db-1", "asks", "", "{'phase':'Pending'}")
#define OTHER(status) POD("db-0", "other", "", status)

static const struct {
    const char *what, *kind, *configurations, *sessions, *pods, *ledger;
    enum if_exists_answer answer;
    const char *host, *session, *beside, *says; /* NULL: none */
} rows[] = {
    {"no configuration", "StatefulSet", "[]", "[]", "[]", NULL, IF_EXISTS_HOLD, NULL, NULL, NULL,
     "no BackupConfiguration"},
    {"a host that is not known", "DaemonSet", "[" ONE "]", "[]", "[]", NULL, IF_EXISTS_HOLD, NULL,
     NULL, NULL, "not known yet"},
    {"no session is known", "StatefulSet", "[" ONE "]", "[]", "[]", NULL, IF_EXISTS_RESTORE,
     "host-1", NULL, NULL, "repository"},
    {"none that succeeded", "Deployment", "[" ONE "]",
     "[" SESSION("s", "u", "10", "Failed", STAT("host-0", "Succeeded")) "]", "[]", NULL,
     IF_EXISTS_RESTORE, "host-0", NULL, NULL, NULL},
    {"the newest", "Deployment", "[" ONE "]", "[" S2 "," S1 "]", "[]", NULL, IF_EXISTS_RESTORE,
     "host-0", "s2", NULL, "s2"},
    {"the newest that succeeded", "Deployment", "[" ONE "]",
     "[" S1 "," SESSION("s3", "u", "12", "Failed", STAT("host-0", "Succeeded")) "]", "[]", NULL,
     IF_EXISTS_RESTORE, "host-0", "s1", NULL, NULL},
    {"of one second the one of the higher name", "Deployment", "[" ONE "]",
     "[" SESSION("b", "b", "10", "Succeeded", STAT("host-0", "Succeeded")) "," SESSION(
         "a", "a", "10", "Succeeded", STAT("host-0", "Succeeded")) "]",
     "[]", NULL, IF_EXISTS_RESTORE, "host-0", "b", NULL, NULL},
    {"an alias", "Deployment", "[" CONFIGURATION("c", "'alias':'app'") "]",
     "[" SESSION("s", "u", "10", "Succeeded", STAT("app", "Succeeded")) "]", "[]", NULL,
     IF_EXISTS_RESTORE, "app", "s", NULL, NULL},
    {"not covered, with an older one", "StatefulSet", "[" ONE "]", "[" S2 "," S1_BOTH "]", "[]",
     NULL, IF_EXISTS_FRESH, "host-1", "s2", NULL, "host-1-id of BackupSession s1"},
    {"not covered, and never was", "StatefulSet", "[" ONE "]", "[" S2 "]", "[]", NULL,
     IF_EXISTS_FRESH, "host-1", "s2", NULL, "did not cover it"},
    {"covered without success", "StatefulSet", "[" ONE "]",
     "[" SESSION("s", "u", "10", "Succeeded", STAT("host-1", "Failed")) "]", "[]", NULL,
     IF_EXISTS_FRESH, "host-1", "s", NULL, NULL},
    {"under way, and has it already", "StatefulSet", "[" ONE "]",
     "[" S1_BOTH "," SESSION("s3", "u3", "12", "Running", STAT("host-1", "Succeeded")) "]", "[]",
     NULL, IF_EXISTS_HOLD, "host-1", "s1", NULL, "s3 is still running"},
    {"under way, and somebody works on it", "StatefulSet", "[" ONE "]",
     "[" S1_BOTH "," SESSION("s3", "u3", "12", "Running", "") "]", "[]",
     "{'session':'u3','since':1,'claims':[{'host':'host-1','pod':'p','instance':'i','attempt':1,"
     "'since':1}]}",
     IF_EXISTS_HOLD, "host-1", "s1", NULL, "s3 is still running"},
    /* it waits for this very pod */
    {"under way, and not there yet", "StatefulSet", "[" ONE "]",
     "[" S1_BOTH "," SESSION("s3", "u3", "12", "Running", STAT("host-0", "Succeeded")) "]", "[]",
     "{'session':'u3','since':1,'claims':[{'host':'host-0','pod':'p','instance':'i','attempt':1,"
     "'since':1}]}",
     IF_EXISTS_RESTORE, "host-1", "s1", NULL, NULL},
    {"beside a pod that runs on data", "StatefulSet", "[" ONE "]", "[" S1_BOTH "]",
     "[" OTHER(PASSED("data")) "," ASKS "]", NULL, IF_EXISTS_FRESH, "host-1", "s1", NULL,
     "pod db-0 of the workload runs on data"},
    {"beside one of before", "StatefulSet", "[" ONE "]", "[" S1_BOTH "]",
     "[" OTHER("{'phase':'Running'}") "]", NULL, IF_EXISTS_FRESH, "host-1", "s1", NULL, NULL},
    {"beside one that was restored from it", "StatefulSet", "[" ONE "]", "[" S1_BOTH "]",
     "[" OTHER(PASSED("restored " UID_OF("1"))) "]", NULL, IF_EXISTS_RESTORE, "host-1", "s1",
     UID_OF("1"), NULL},
    {"beside one that was restored from another", "StatefulSet", "[" ONE "]", "[" S1_BOTH "]",
     "[" OTHER(PASSED("restored " UID_OF("9"))) "]", NULL, IF_EXISTS_FRESH, "host-1", "s1",
     UID_OF("9"), "older than BackupSession s1"},
    {"beside two that were restored from two", "StatefulSet", "[" ONE "]", "[" S1_BOTH "]",
     "[" OTHER(PASSED("restored " UID_OF("1"))) "," POD("db-2", "third", "",
                                                        PASSED("restored " UID_OF("9"))) "]",
     NULL, IF_EXISTS_FRESH, "host-1", "s1", UID_OF("1"), "runs on data"},
    {"restored, by what the repository says", "StatefulSet", "[" ONE "]", "[]",
     "[" OTHER(PASSED("restored " UID_OF("9"))) "]", NULL, IF_EXISTS_RESTORE, "host-1", NULL,
     UID_OF("9"), NULL},
    {"beside one that leaves", "Deployment", "[" ONE "]", "[" S1 "]",
     "[" POD("db-0", "other", ",'deletionTimestamp':'2024-05-01T13:30:00Z'", PASSED("data")) "]",
     NULL, IF_EXISTS_RESTORE, "host-0", "s1", NULL, NULL},
    {"beside one that has ended", "Deployment", "[" ONE "]", "[" S1 "]",
     "[" OTHER("{'phase':'Failed'}") "]", NULL, IF_EXISTS_RESTORE, "host-0", "s1", NULL, NULL},
    {"beside one that waits as well", "Deployment", "[" ONE "]", "[" S1 "]",
     "[" OTHER("{'phase':'Pending'}") "]", NULL, IF_EXISTS_RESTORE, "host-0", "s1", NULL, NULL},
    {"beside one that is about to run", "Deployment", "[" ONE "]", "[" S1 "]",
     "[" OTHER("{'phase':'Pending','initContainerStatuses':[{'name':'stash-init','state':{"
               "'terminated':{'exitCode':0,'message':'data'}}}]}") "]",
     NULL, IF_EXISTS_FRESH, "host-0", "s1", NULL, NULL},
    {"beside a pod of another workload", "Deployment", "[" ONE "]", "[" S1 "]",
     "[{'metadata':{'name':'x','uid':'x','ownerReferences':[{'uid':'XX','controller':true}]},"
     "'status':{'phase':'Running'}}]",
     NULL, IF_EXISTS_RESTORE, "host-0", "s1", NULL, NULL},
    {"several configurations: that of the session", "Deployment",
     "[" CONFIGURATION("a", "'alias':'app'") "," ONE "]", "[" S1 "]", "[]", NULL, IF_EXISTS_RESTORE,
     "host-0", "s1", NULL, NULL},
    {"several configurations: the first by name", "Deployment",
     "[" ONE "," CONFIGURATION("a", "'alias':'app'") "]", "[]", "[]", NULL, IF_EXISTS_RESTORE,
     "app", NULL, NULL, NULL},
    {"odd shapes", "Deployment", "[" ONE "]", "[7,{},{'status':7}]", "[7,{}]", NULL,
     IF_EXISTS_RESTORE, "host-0", NULL, NULL, NULL},
};

static void must_equal(const char *what, const char *is, const char *wanted)
{
    ck_assert_msg(is ? wanted && strcmp(is, wanted) == 0 : !wanted, "%s: %s, not %s", what, is,
                  wanted);
}

START_TEST(it_is_decided)
    {
        static const char *const owners[] = {"RS"};
        AUTO(json) json_t *configurations = json_row(rows[_i].configurations);
        AUTO(json) json_t *sessions = json_row(rows[_i].sessions);
        AUTO(json) json_t *list = json_row(rows[_i].pods);
        AUTO(json) json_t *pod = json_row(ASKS);
        AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
        AUTO(json) json_t *text = rows[_i].ledger ? json_row(rows[_i].ledger) : NULL;
        AUTO(free) char *written = text ? tree_format(text, NULL) : NULL;
        AUTO(json) json_t *ledger = NULL;
        const json_t *pods[PODS_MAX];
        struct error err;

        for (size_t i = 0; i < json_array_size(list); i++)
            pods[i] = json_array_get(list, i);
        if (written)
            ck_assert_ptr_nonnull(ledger = claims_read(span_of(written), claims, &err));

        const struct if_exists seen = {.kind = rows[_i].kind,
                                       .configurations = configurations,
                                       .sessions = sessions,
                                       .pod = pod,
                                       .pods = pods,
                                       .pod_count = json_array_size(list),
                                       .owners = owners,
                                       .owner_count = 1,
                                       .claims = ledger ? claims : NULL};
        AUTO(if_exists_step) struct if_exists_step step = if_exists_next(&seen);

        ck_assert_msg(step.answer == rows[_i].answer, "%s: %s", rows[_i].what, step.message);
        must_equal(rows[_i].what, step.host, rows[_i].host);
        must_equal(rows[_i].what, tree_text(tree_get(step.session, "metadata"), "name"),
                   rows[_i].session);
        must_equal(rows[_i].what, step.beside, rows[_i].beside);
        ck_assert_msg(!rows[_i].says || strstr(step.message, rows[_i].says), "%s: %s",
                      rows[_i].what, step.message);
    }
END_TEST

static const struct {
    const char *restores;
    enum if_exists_answer answer;
} asked_rows[] = {
    {"[{'metadata':{'name':'back'}}]", IF_EXISTS_HOLD},
    {"[{'metadata':{'name':'back'},'status':{'phase':'Running'}}]", IF_EXISTS_HOLD},
    {"[{'metadata':{'name':'back'},'status':{'phase':'Succeeded'}}]", IF_EXISTS_RESTORE},
    {"[{'metadata':{'name':'back'},'status':{'phase':'Failed'}}]", IF_EXISTS_RESTORE},
};

/* What a person has asked for goes first. */
START_TEST(one_asked_by_name_goes_first)
    {
        AUTO(json) json_t *configurations = json_row("[" ONE "]");
        AUTO(json) json_t *restores = json_row(asked_rows[_i].restores);
        AUTO(json) json_t *pod = json_row(ASKS);
        const struct if_exists seen = {.kind = "Deployment",
                                       .configurations = configurations,
                                       .restores = restores,
                                       .pod = pod};
        AUTO(if_exists_step) struct if_exists_step step = if_exists_next(&seen);

        ck_assert_msg(step.answer == asked_rows[_i].answer, "%s", step.message);
    }
END_TEST

/* Who asks when, after what; 0: not now. */
START_TEST(one_claims_at_a_time)
    {
        static const struct claims_caller a = {"a", "1"}, a2 = {"a", "2"}, b = {"b", "1"};
        AUTO(free) struct claims *claims = text_alloc(sizeof *claims);

        *claims = (struct claims){.session = IF_EXISTS_LEDGER};
        ck_assert_int_eq(if_exists_claim(claims, "host-0", &a, false, 100), 1);
        ck_assert_int_eq(if_exists_claim(claims, "host-0", &a, false, 101), 1);
        ck_assert_int_eq(if_exists_claim(claims, "host-0", &b, false, 100000), 0);
        ck_assert_int_eq(if_exists_claim(claims, "host-1", &b, false, 101), 1);
        ck_assert_int_eq(if_exists_claim(claims, "host-0", &a2, false, 102), 2);
        ck_assert_int_eq(if_exists_claim(claims, "host-0", &b, true, 103), 3);
        ck_assert_str_eq(if_exists_holder(claims, "host-0"), "b");
        ck_assert_ptr_null(if_exists_holder(claims, "host-2"));
        /* later each time */
        if_exists_ended(claims, "host-0", false, 200);
        ck_assert_ptr_null(if_exists_holder(claims, "host-0"));
        ck_assert_int_eq(if_exists_claim(claims, "host-0", &a, false, 259), 0);
        ck_assert_int_eq(if_exists_claim(claims, "host-0", &a, false, 260), 4);
        if_exists_ended(claims, "host-0", true, 300);
        ck_assert_uint_eq(claims->count, 1);
        if_exists_ended(claims, "host-9", true, 300);
        if_exists_ended(claims, "host-1", true, 300);
        ck_assert_uint_eq(claims->count, 0);
        ck_assert_int_eq(if_exists_claim(claims, "host-0", &a, false, 301), 1);
        /* never later than that */
        claims->list[0].attempt = INT32_MAX - 1;
        if_exists_ended(claims, "host-0", false, 400);
        ck_assert_int_eq(if_exists_claim(claims, "host-0", &a, false, 400 + IF_EXISTS_RETRY_MAX_S),
                         INT32_MAX);
    }
END_TEST

static const struct {
    const char *pods;
    bool over;
} over_rows[] = {
    {"[]", true},
    {"[" OTHER("{'phase':'Pending'}") "]", false},
    {"[" OTHER(PASSED("fresh")) "]", true},
    {"[" OTHER("{'phase':'Failed'}") "]", true},
    {"[" OTHER("{'phase':'Pending','initContainerStatuses':[{'name':'stash-init','state':{"
               "'terminated':{'exitCode':1}}}]}") "]",
     false},
};

START_TEST(who_is_over)
    {
        AUTO(json) json_t *list = json_row(over_rows[_i].pods);
        const json_t *pods[1] = {json_array_get(list, 0)};

        ck_assert_int_eq(if_exists_is_over(pods, json_array_size(list), "other"),
                         over_rows[_i].over);
    }
END_TEST

SUITE(controllers_if_exists)
{
    suite_rows(tests, it_is_decided, rows);
    suite_rows(tests, one_asked_by_name_goes_first, asked_rows);
    tcase_add_test(tests, one_claims_at_a_time);
    suite_rows(tests, who_is_over, over_rows);
}
