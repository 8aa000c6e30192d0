#include <string.h>

#include "api/names.h"
#include "base/auto.h"
#include "controllers/slot.h"
#include "tests/unit/suite.h"

/* 2026-02-17 00:00:00 UTC, a Tuesday */
#define DAY INT64_C(1771286400)

static struct slots slots_of(const char *schedule, int64_t anchor_s)
{
    struct slots slots = {.anchor_s = anchor_s};
    struct error err = {0};

    ck_assert_msg(cron_parse(&slots.cron, span_of(schedule), &err), "%s", err.message);
    return slots;
}

static const struct {
    const char *schedule;
    int64_t anchor_s, after_s, now_s, last_s;
    int missed;
} last_rows[] = {
    {"*/5 * * * *", 0, DAY, DAY + 299, -1, 0},
    {"*/5 * * * *", 0, DAY, DAY + 300, DAY + 300, 1},
    {"*/5 * * * *", 0, DAY, DAY + 1000, DAY + 900, 3},
    {"0 3 * * *", 0, DAY - 86400, DAY + 4 * 3600, DAY + 3 * 3600, 2},
    /* a controller that was away for years counts no further than it has to */
    {"* * * * *", 0, 1, DAY + 59, DAY, SLOTS_MISSED_MAX},
    /* nothing before the CronJob was made */
    {"0 3 * * *", DAY + 4 * 3600, 1, DAY + 5 * 3600, -1, 0},
    {"0 3 * * *", DAY, 1, DAY + 5 * 3600, DAY + 3 * 3600, 1},
    {"0 0 29 2 *", 0, DAY, DAY + 86400, -1, 0},
    /* "@every" counts from when it was made */
    {"@every 7m", DAY + 11, 1, DAY + 11 + 419, -1, 0},
    {"@every 7m", DAY + 11, 1, DAY + 11 + 420, DAY + 11 + 420, 1},
    {"@every 7m", DAY + 11, DAY + 500, DAY + 11 + 1300, DAY + 11 + 1260, 2},
    /* a clock that was set back */
    {"* * * * *", 0, DAY + 600, DAY, -1, 0},
};

START_TEST(the_last_slot_and_the_missed_ones)
    {
        struct slots slots = slots_of(last_rows[_i].schedule, last_rows[_i].anchor_s);

        ck_assert_int_eq(slot_last(&slots, last_rows[_i].after_s, last_rows[_i].now_s),
                         last_rows[_i].last_s);
        ck_assert_int_eq(slot_missed(&slots, last_rows[_i].after_s, last_rows[_i].now_s),
                         last_rows[_i].missed);
    }
END_TEST

#define LONG_NAME "a234567890b234567890c234567890d234567890e234567890f23"

static const struct {
    const char *configuration;
    int64_t slot_s;
    const char *name; /* NULL: cut, with a hash */
} name_rows[] = {
    {"deploy-web", DAY, "deploy-web-1771286400"},
    {"a.b", DAY, "a.b-1771286400"},
    {LONG_NAME, DAY, NULL},
};

START_TEST(one_slot_has_one_name)
    {
        AUTO(free)
        char *name = slot_session_name(name_rows[_i].configuration, name_rows[_i].slot_s);
        AUTO(free)
        char *next = slot_session_name(name_rows[_i].configuration, name_rows[_i].slot_s + 60);

        ck_assert(strlen(name) <= 63 && name_is_subdomain(span_of(name)));
        ck_assert_str_ne(name, next);
        ck_assert(strstr(name, "-1771286400"));
        if (name_rows[_i].name)
            ck_assert_str_eq(name, name_rows[_i].name);
        else
            ck_assert(strncmp(name, LONG_NAME, 30) == 0);
    }
END_TEST

/* Two long names that begin alike have different sessions in the same second. */
START_TEST(long_names_do_not_meet)
    {
        AUTO(free) char *a = slot_session_name(LONG_NAME "a", DAY);
        AUTO(free) char *b = slot_session_name(LONG_NAME "b", DAY);

        ck_assert_str_ne(a, b);
    }
END_TEST

START_TEST(names_of_uids)
    {
        AUTO(free) char *a = slot_name_of_uid("web", "5f0d8a3e-6b0f-4f0e-9a55-0b6f7a1c2d3e");
        AUTO(free) char *again = slot_name_of_uid("web", "5f0d8a3e-6b0f-4f0e-9a55-0b6f7a1c2d3e");
        AUTO(free) char *b = slot_name_of_uid("web", "5f0d8a3e-6b0f-4f0e-9a55-0b6f7a1c2d3f");

        ck_assert_str_eq(a, again);
        ck_assert_str_ne(a, b);
        ck_assert_uint_eq(strlen(a), strlen("web-12345678"));
        ck_assert(a[4] >= 'a' && a[4] <= 'f');
    }
END_TEST

START_TEST(spread_is_steady_and_bounded)
    {
        int64_t first_s = slot_spread_s("one", 600), other = 0;

        ck_assert_int_eq(slot_spread_s("one", 600), first_s);
        ck_assert_int_eq(slot_spread_s("one", 0), 0);
        ck_assert_int_eq(slot_spread_s("one", -5), 0);
        for (char uid[2] = "a"; *uid <= 'z'; (*uid)++) {
            int64_t spread_s = slot_spread_s(uid, 600);

            ck_assert(spread_s >= 0 && spread_s < 600);
            other += spread_s != first_s;
        }
        ck_assert_int_ge(other, 24);
    }
END_TEST

SUITE(controllers_slot)
{
    suite_rows(tests, the_last_slot_and_the_missed_ones, last_rows);
    suite_rows(tests, one_slot_has_one_name, name_rows);
    tcase_add_test(tests, long_names_do_not_meet);
    tcase_add_test(tests, names_of_uids);
    tcase_add_test(tests, spread_is_steady_and_bounded);
}
