#include "controllers/followed.h"

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z: when the session ended. */
#define END INT64_C(1714570200)
#define LONG FOLLOWED_PATIENCE_S
#define SESSION(status)                                                                            \
    "{'metadata':{'creationTimestamp':'2024-05-01T13:29:50Z'},'status':{" status "}}"
#define SUCCEEDED "'phase':'Succeeded','sessionDuration':'10s'"
#define SAYS(condition, is) ",'conditions':[{'type':'" condition "','status':'" is "'}]"
#define RETENTION "RetentionPolicyApplied"
#define INTEGRITY "RepositoryIntegrityVerified"
#define KEEPS "{'name':'p','keepLast':2}"
#define FORGOT(when) "{'kind':'forget','lastSuccess':'" when "'}"
#define CHECKED "{'kind':'check','lastSuccess':'2024-05-01T12:00:00Z','successes':1}"
#define SOUND "{'type':'" INTEGRITY "','status':'True','reason':'Sound'}"
#define STATUS(entries, conditions) "{'maintenance':[" entries "],'conditions':[" conditions "]}"
#define FAILED(when)                                                                               \
    "{'kind':'forget','lastFailure':'" when "','failures':2,'reason':'RepositoryLocked'}"
#define AFTER "2024-05-01T13:30:00Z"
#define BEFORE "2024-05-01T13:29:59Z"

static const struct {
    const char *session, *policy, *status;
    bool rests;
    const char *problem;
    bool bad;
    int64_t after_s;
    const char *said; /* "type=Status/Reason " of all conditions; "": nothing is written */
} rows[] = {
    /* both, once all is done */
    {SESSION(SUCCEEDED), KEEPS, STATUS(FORGOT(AFTER) "," CHECKED, SOUND), true, "", false, 5,
     RETENTION "=True/SuccessfullyAppliedRetentionPolicy " INTEGRITY "=True/Sound "},
    {SESSION(SUCCEEDED), KEEPS, STATUS(FORGOT(AFTER) "," CHECKED, SOUND), false, "", false, 5, ""},
    {SESSION(SUCCEEDED), KEEPS, STATUS(FORGOT(AFTER) "," CHECKED, SOUND), false, "", false, LONG,
     RETENTION "=True/SuccessfullyAppliedRetentionPolicy " INTEGRITY "=True/Sound "},
    /* what went before it has not removed anything after it */
    {SESSION(SUCCEEDED), KEEPS, STATUS(FORGOT(BEFORE) "," CHECKED, SOUND), true, "", false, 5, ""},
    {SESSION(SUCCEEDED), KEEPS, STATUS(FORGOT(BEFORE) "," CHECKED, SOUND), true, "", false, LONG,
     RETENTION "=Unknown/RetentionPolicyWaits " INTEGRITY "=True/Sound "},
    /* nobody has looked yet whether it is in order */
    {SESSION(SUCCEEDED), KEEPS, STATUS(FORGOT(AFTER), ""), true, "", false, 5,
     RETENTION "=True/SuccessfullyAppliedRetentionPolicy "},
    /* no rule, one that nobody understands */
    {SESSION(SUCCEEDED), "null", "{}", true, "", false, 5,
     RETENTION "=True/RetentionPolicyKeepsAll "},
    {SESSION(SUCCEEDED), "{'name':'p','keepLast':0}", "{}", true, "", false, 5,
     RETENTION "=True/RetentionPolicyKeepsAll "},
    {SESSION(SUCCEEDED), "{'name':'p','keepLast':-1}", "{}", true, "keepLast", true, 5,
     RETENTION "=Unknown/MaintenanceNotPossible "},
    {SESSION(SUCCEEDED), "{'name':'p','keepLast':-1}", "{}", true, "keepLast", true, LONG,
     RETENTION "=Unknown/MaintenanceNotPossible "},
    /* not tried yet, tried, held back */
    {SESSION(SUCCEEDED), KEEPS, "{}", true, "it is another cluster's", false, 5, ""},
    {SESSION(SUCCEEDED), KEEPS, "{}", true, "it is another cluster's", false, LONG,
     RETENTION "=Unknown/RetentionPolicyWaits "},
    {SESSION(SUCCEEDED), KEEPS, STATUS(FAILED(AFTER), ""), true, "", false, 5,
     RETENTION "=False/FailedToApplyRetentionPolicy "},
    {SESSION(SUCCEEDED), KEEPS, STATUS(FAILED(BEFORE), ""), true, "", false, 5, ""},
    {SESSION(SUCCEEDED), KEEPS,
     "{'integrity':false,'conditions':[{'type':'" INTEGRITY
     "','status':'False','reason':'Bad','message':'2 errors'}]}",
     true, "", false, 5, RETENTION "=False/RepositoryDamaged " INTEGRITY "=False/Bad "},
    /* only forward */
    {SESSION(SUCCEEDED SAYS(RETENTION, "True")), KEEPS, STATUS(FAILED(AFTER), ""), true, "", false,
     LONG, ""},
    {SESSION(SUCCEEDED SAYS(RETENTION, "False")), KEEPS, STATUS(FAILED(AFTER), ""), true, "", false,
     LONG, ""},
    {SESSION(SUCCEEDED SAYS(RETENTION, "False")), KEEPS, "{}", true, "", false, LONG, ""},
    {SESSION(SUCCEEDED SAYS(RETENTION, "Unknown")), KEEPS, "{}", true, "", false, LONG, ""},
    {SESSION(SUCCEEDED SAYS(RETENTION, "Unknown")), KEEPS, STATUS(FORGOT(AFTER), ""), true, "",
     false, LONG, RETENTION "=True/SuccessfullyAppliedRetentionPolicy "},
    {SESSION(SUCCEEDED SAYS(RETENTION, "False")), KEEPS, STATUS(FORGOT(AFTER), ""), true, "", false,
     LONG, RETENTION "=True/SuccessfullyAppliedRetentionPolicy "},
    /* others' conditions stay */
    {SESSION(SUCCEEDED SAYS("Other", "True")), "null", "{}", true, "", false, 5,
     "Other=True/(null) " RETENTION "=True/RetentionPolicyKeepsAll "},
    /* history, and what has not succeeded or is no session */
    {SESSION(SUCCEEDED), KEEPS, STATUS(FORGOT(AFTER), ""), true, "", false, FOLLOWED_MAX_S, ""},
    {SESSION("'phase':'Failed'"), "null", "{}", true, "", false, 5, ""},
    {SESSION("'phase':'Skipped'"), "null", "{}", true, "", false, 5, ""},
    {SESSION("'phase':'Running'"), "null", "{}", true, "", false, LONG, ""},
    {SESSION(""), "null", "{}", true, "", false, LONG, ""},
    {"{}", "null", "{}", true, "", false, LONG, ""},
    {"{'status':{'phase':'Succeeded'}}", "null", "{}", true, "", false, LONG, ""},
    /* odd shapes count as absent */
    {SESSION(SUCCEEDED ",'conditions':7"), "null", "{'maintenance':7,'conditions':{}}", true, "",
     false, 5, RETENTION "=True/RetentionPolicyKeepsAll "},
};

START_TEST(says)
    {
        AUTO(json) json_t *session = json_row(rows[_i].session);
        AUTO(json) json_t *policy = json_row(rows[_i].policy);
        AUTO(json) json_t *repository = json_object();
        AUTO(text) struct text text = {0};
        int64_t look_s = INT64_MAX;
        const json_t *condition;
        size_t i;

        tree_put_new(repository, "status", json_row(rows[_i].status));

        const struct followed followed = {.session = session,
                                          .policy = policy,
                                          .repository = repository,
                                          .rests = rows[_i].rests,
                                          .problem = rows[_i].problem,
                                          .bad = rows[_i].bad,
                                          .now_s = END + rows[_i].after_s};
        AUTO(json) json_t *status = followed_status(&followed, &look_s);

        tree_items (tree_get(status, "conditions"), i, condition) {
            const char *reason = tree_text(condition, "reason");

            text_addf(&text, "%s=%s/%s ", tree_text(condition, "type"),
                      tree_text(condition, "status"), reason ? reason : "(null)");
        }
        ck_assert_str_eq(text_get(&text), rows[_i].said);
        ck_assert_int_eq(status != NULL, *rows[_i].said != 0);
        ck_assert(look_s == INT64_MAX || look_s == END + FOLLOWED_PATIENCE_S);

        if (!status)
            return;

        /* written, it says no more */
        AUTO(json) json_t *again = tree_copy(session);

        tree_put_new(again, "status", tree_share(status));

        const struct followed later = {.session = again,
                                       .policy = policy,
                                       .repository = repository,
                                       .rests = rows[_i].rests,
                                       .problem = rows[_i].problem,
                                       .bad = rows[_i].bad,
                                       .now_s = followed.now_s + 1};
        AUTO(json) json_t *more = followed_status(&later, &look_s);

        ck_assert_ptr_null(more);
        ck_assert_str_eq(tree_text(status, "phase"), "Succeeded");
    }
END_TEST

/* Nobody tells that time has gone by. */
START_TEST(looks_again)
    {
        AUTO(json) json_t *session = json_row(SESSION(SUCCEEDED));
        AUTO(json) json_t *policy = json_row(KEEPS);
        AUTO(json) json_t *repository = json_object();
        const struct followed followed = {.session = session,
                                          .policy = policy,
                                          .repository = repository,
                                          .problem = "",
                                          .now_s = END + 1};
        int64_t look_s = END + FOLLOWED_PATIENCE_S + 1;

        ck_assert_ptr_null(followed_status(&followed, &look_s));
        ck_assert_int_eq(look_s, END + FOLLOWED_PATIENCE_S);
        look_s = END + 3;
        ck_assert_ptr_null(followed_status(&followed, &look_s));
        ck_assert_int_eq(look_s, END + 3);
    }
END_TEST

SUITE(followed)
{
    suite_rows(tests, says, rows);
    tcase_add_test(tests, looks_again);
}
