#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/schedule_kept.h"
#include "kube/time.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2026-02-17 00:00:00 UTC, a Tuesday */
#define DAY INT64_C(1771286400)

#define MADE "'metadata':{'creationTimestamp':'2026-02-10T00:00:00Z'}"
#define CRONJOB "{" MADE "}"
#define KEPT(schedule, since)                                                                      \
    "[{'type':'ScheduleKept','status':'True','reason':'SessionsBegin','message':'the schedule "    \
    "is " schedule "','lastTransitionTime':'" since "'}]"
#define MISSED(count, slot)                                                                        \
    "[{'type':'ScheduleKept','status':'False','reason':'SessionsMissed','message':'" count         \
    " sessions of the schedule did not begin, the last one at " slot                               \
    ": see its CronJob, the Jobs of that and their "                                               \
    "pods','lastTransitionTime':'2026-02-16T01:00:00Z'}]"
#define PAUSED "[{'type':'ScheduleKept','status':'Unknown','reason':'Paused'}]"

static const struct {
    const char *what, *spec, *conditions, *cronjob;
    int64_t session_s, now_s;
    enum condition_status status;
    int missed;
    int64_t look_s;
} rows[] = {
    {"no CronJob", "{'schedule':'0 * * * *'}", "[]", "null", -1, DAY, CONDITION_ABSENT, 0, -1},
    {"no schedule", "{}", "[]", CRONJOB, -1, DAY, CONDITION_ABSENT, 0, -1},
    {"a schedule that can not be read", "{'schedule':'x'}", "[]", CRONJOB, -1, DAY,
     CONDITION_ABSENT, 0, -1},
    {"a CronJob without a moment of creation", "{'schedule':'0 * * * *'}", "[]", "{}", -1, DAY,
     CONDITION_ABSENT, 0, -1},
    {"the first look counts nothing", "{'schedule':'0 * * * *'}", "[]", CRONJOB, -1, DAY + 600,
     CONDITION_TRUE, 0, DAY + 3600 + 300},
    {"in time", "{'schedule':'0 * * * *'}", KEPT("0 * * * *", "2026-02-16T00:10:00Z"), CRONJOB,
     DAY + 3, DAY + 600, CONDITION_TRUE, 0, DAY + 3600 + 300},
    {"not yet late", "{'schedule':'0 * * * *'}", KEPT("0 * * * *", "2026-02-16T00:10:00Z"), CRONJOB,
     DAY - 3600, DAY + 299, CONDITION_TRUE, 0, DAY + 300},
    {"late", "{'schedule':'0 * * * *'}", KEPT("0 * * * *", "2026-02-16T00:10:00Z"), CRONJOB,
     DAY - 3597, DAY + 300, CONDITION_FALSE, 1, DAY + 3900},
    {"several", "{'schedule':'0 * * * *'}", KEPT("0 * * * *", "2026-02-16T00:10:00Z"), CRONJOB,
     DAY - 3 * 3600 + 2, DAY + 300, CONDITION_FALSE, 3, DAY + 3900},
    {"one more than was told", "{'schedule':'0 * * * *'}", MISSED("3", "2026-02-16T23:00:00Z"),
     CRONJOB, DAY - 4 * 3600 + 2, DAY + 300, CONDITION_FALSE, 1, DAY + 3900},
    {"told already", "{'schedule':'0 * * * *'}", MISSED("4", "2026-02-17T00:00:00Z"), CRONJOB,
     DAY - 4 * 3600 + 2, DAY + 310, CONDITION_FALSE, 0, DAY + 3900},
    {"words of somebody else", "{'schedule':'0 * * * *'}", MISSED("999", "2026-02-16T23:00:00Z"),
     CRONJOB, DAY - 3600 + 2, DAY + 300, CONDITION_TRUE, 0, DAY + 3900},
    {"no moment", "{'schedule':'0 * * * *'}", MISSED("9", "noon"), CRONJOB, DAY - 3600 + 2,
     DAY + 300, CONDITION_TRUE, 0, DAY + 3900},
    {"begun between", "{'schedule':'0 * * * *'}", MISSED("3", "2026-02-16T20:00:00Z"), CRONJOB,
     DAY - 3 * 3600 + 2, DAY + 300, CONDITION_FALSE, 3, DAY + 3900},
    {"never one, for years", "{'schedule':'* * * * *'}", MISSED("7", "2026-02-10T23:00:00Z"),
     CRONJOB, -1, DAY + 30, CONDITION_FALSE, 93, DAY + 90},
    {"late, and made at last", "{'schedule':'0 * * * *'}", MISSED("3", "2026-02-17T00:00:00Z"),
     CRONJOB, DAY + 900, DAY + 901, CONDITION_TRUE, 0, DAY + 3900},
    /* history limits and people delete sessions; the Job has succeeded */
    {"the session is gone", "{'schedule':'0 * * * *'}", KEPT("0 * * * *", "2026-02-16T00:10:00Z"),
     "{" MADE ",'status':{'lastSuccessfulTime':'2026-02-17T00:00:07Z'}}", -1, DAY + 600,
     CONDITION_TRUE, 0, DAY + 3900},
    /* a minute is noticed within the next one */
    {"frequent", "{'schedule':'* * * * *'}", KEPT("* * * * *", "2026-02-16T00:10:00Z"), CRONJOB,
     DAY - 58, DAY + 30, CONDITION_FALSE, 1, DAY + 90},
    {"jitter is waited for", "{'schedule':'0 * * * *','jitter':'10m'}",
     KEPT("0 * * * *", "2026-02-16T00:10:00Z"), CRONJOB, DAY - 3597, DAY + 899, CONDITION_TRUE, 0,
     DAY + 900},
    {"jitter is over", "{'schedule':'0 * * * *','jitter':'10m'}",
     KEPT("0 * * * *", "2026-02-16T00:10:00Z"), CRONJOB, DAY - 3597, DAY + 900, CONDITION_FALSE, 1,
     DAY + 4500},
    {"odd jitter", "{'schedule':'0 * * * *','jitter':'-1h'}",
     KEPT("0 * * * *", "2026-02-16T00:10:00Z"), CRONJOB, DAY - 3597, DAY + 300, CONDITION_FALSE, 1,
     DAY + 3900},
    {"paused", "{'schedule':'0 * * * *','paused':true}", KEPT("0 * * * *", "2026-02-10T00:10:00Z"),
     CRONJOB, -1, DAY, CONDITION_UNKNOWN, 0, -1},
    {"the pause has ended", "{'schedule':'0 * * * *'}", PAUSED, CRONJOB, -1, DAY + 600,
     CONDITION_TRUE, 0, DAY + 3900},
    {"another schedule", "{'schedule':'0 * * * *'}", KEPT("0 2 * * *", "2026-02-10T00:10:00Z"),
     CRONJOB, -1, DAY + 600, CONDITION_TRUE, 0, DAY + 3900},
    {"since that schedule", "{'schedule':'0 * * * *'}", KEPT("0 * * * *", "2026-02-17T00:10:00Z"),
     CRONJOB, -1, DAY + 3600 + 299, CONDITION_TRUE, 0, DAY + 3900},
    {"and then", "{'schedule':'0 * * * *'}", KEPT("0 * * * *", "2026-02-17T00:10:00Z"), CRONJOB, -1,
     DAY + 3600 + 300, CONDITION_FALSE, 1, DAY + 2 * 3600 + 300},
    {"every", "{'schedule':'@every 1h'}", KEPT("@every 1h", "2026-02-16T00:10:00Z"), CRONJOB,
     DAY - 3600 + 2, DAY + 300, CONDITION_FALSE, 1, DAY + 3900},
    {"a clock that was set back", "{'schedule':'0 * * * *'}",
     KEPT("0 * * * *", "2026-02-18T00:10:00Z"), CRONJOB, DAY + 7200, DAY, CONDITION_TRUE, 0,
     DAY + 300},
    {"odd conditions", "{'schedule':'0 * * * *'}", "'odd'", CRONJOB, -1, DAY + 600, CONDITION_TRUE,
     0, DAY + 3900},
};

static json_t *configuration_of(int row)
{
    json_t *made = json_object(), *status = json_object();

    tree_put_new(made, "spec", json_row(rows[row].spec));
    tree_put_new(status, "conditions", json_row(rows[row].conditions));
    tree_put_new(made, "status", status);
    return made;
}

static int64_t made_of(const json_t *cronjob)
{
    int64_t made_s;

    return time_parse(tree_span(tree_get(cronjob, "metadata"), "creationTimestamp"), &made_s)
               ? made_s
               : -1;
}

START_TEST(what_is_missed)
    {
        AUTO(json) json_t *configuration = configuration_of(_i);
        AUTO(json) json_t *cronjob = json_row(rows[_i].cronjob);
        const struct schedule_seen seen = {configuration, json_is_null(cronjob) ? NULL : cronjob,
                                           made_of(cronjob), rows[_i].session_s, rows[_i].now_s};
        AUTO(schedule_kept) struct schedule_kept kept = schedule_kept_read(&seen);

        ck_assert_msg(kept.condition.status == rows[_i].status, "%s", rows[_i].what);
        ck_assert_msg(kept.missed == rows[_i].missed, "%s: %d", rows[_i].what, kept.missed);
        ck_assert_msg(kept.look_s == rows[_i].look_s, "%s: %lld", rows[_i].what,
                      (long long)(kept.look_s - DAY));
        ck_assert_str_eq(kept.condition.type, CONDITION_SCHEDULE_KEPT);
    }
END_TEST

/* What is decided is decided again from its own words. */
START_TEST(the_same_again)
    {
        AUTO(json) json_t *configuration = configuration_of(_i);
        AUTO(json) json_t *cronjob = json_row(rows[_i].cronjob);
        json_t *conditions =
            json_object_get(json_object_get(configuration, "status"), "conditions");
        const struct schedule_seen seen = {configuration, json_is_null(cronjob) ? NULL : cronjob,
                                           made_of(cronjob), rows[_i].session_s, rows[_i].now_s};
        AUTO(schedule_kept) struct schedule_kept first = schedule_kept_read(&seen);

        if (!json_is_array(conditions))
            return;
        (void)condition_set(conditions, &first.condition, seen.now_s);

        AUTO(schedule_kept) struct schedule_kept second = schedule_kept_read(&seen);

        ck_assert_msg(!condition_set(conditions, &second.condition, seen.now_s + 1), "%s",
                      rows[_i].what);
        ck_assert_int_eq(second.missed, 0);
    }
END_TEST

SUITE(controllers_schedule_kept)
{
    suite_rows(tests, what_is_missed, rows);
    suite_rows(tests, the_same_again, rows);
}
