#include "controllers/drill.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z, a Wednesday */
#define NOW INT64_C(1714570200)
#define HOUR 3600

#define CONFIGURATION(name, spec)                                                                  \
    "{'apiVersion':'stash.appscode.com/"                                                           \
    "v1beta1','kind':'BackupConfiguration','metadata':{'name':'" name                              \
    "','namespace':'shop','uid':'u-" name                                                          \
    "'},'spec':{'target':{'ref':{'apiVersion':'apps/v1','kind':'Deployment','name':'" name         \
    "'}}" spec "}}"
#define VERIFY(more) ",'verify':{" more "}"

static const struct {
    const char *what, *list;
    bool wanted;
    int64_t next_s; /* after now */
} rows[] = {
    {"nothing", "[]", false, -1},
    {"none", "[" CONFIGURATION("a", "") "]", false, -1},
    {"odd",
     "[" CONFIGURATION("a", ",'verify':7") "," CONFIGURATION("b", VERIFY("'schedule':7")) ",7]",
     false, -1},
    {"no schedule", "[" CONFIGURATION("a", VERIFY("'schedule':'never'")) "]", false, -1},
    {"hourly", "[" CONFIGURATION("a", VERIFY("'schedule':'@hourly'")) "]", true, HOUR / 2},
    {"paused", "[" CONFIGURATION("a", VERIFY("'schedule':'@hourly'") ",'paused':true") "]", false,
     -1},
    {"the first of two",
     "[" CONFIGURATION("a", VERIFY("'schedule':'@daily'")) "," CONFIGURATION(
         "b", VERIFY("'schedule':'0 16 * * *'")) "]",
     true, 2 * HOUR + HOUR / 2},
    {"one that is paused beside",
     "[" CONFIGURATION("a", VERIFY("'schedule':'@daily'")) "," CONFIGURATION(
         "b", VERIFY("'schedule':'@hourly'") ",'paused':true") "]",
     true, 10 * HOUR + HOUR / 2},
};

START_TEST(test_next)
    {
        AUTO(json) json_t *list = json_row(rows[_i].list);
        AUTO(free) char *plan = drill_plan_of(list);
        int64_t next_s = drill_next_s(list, NOW);

        ck_assert_msg((plan != NULL) == rows[_i].wanted, "%s", rows[_i].what);
        ck_assert_msg(next_s == (rows[_i].next_s < 0 ? -1 : NOW + rows[_i].next_s), "%s: %lld",
                      rows[_i].what, (long long)(next_s - NOW));
    }
END_TEST

/* Spread by the jitter, each target at a time of its own that stays; never before its slot. */
START_TEST(test_spread)
    {
        AUTO(json)
        json_t *list =
            json_row("[" CONFIGURATION("a", VERIFY("'schedule':'@daily'") ",'jitter':'6h'") "]");
        int64_t slot_s = NOW + 10 * HOUR + HOUR / 2, first_s = drill_next_s(list, NOW);

        ck_assert(first_s > slot_s && first_s < slot_s + 6 * HOUR);
        ck_assert_int_eq(drill_next_s(list, slot_s), first_s);
        ck_assert_int_eq(drill_next_s(list, first_s - 1), first_s);
        ck_assert_int_eq(drill_next_s(list, first_s), first_s + 24 * HOUR);
    }
END_TEST

/* Other schedules are another plan; anything else is not. */
START_TEST(test_plan)
    {
        static const char *const lists[] = {
            "[" CONFIGURATION("a", VERIFY("'schedule':'@daily'")) "]",
            "[" CONFIGURATION("a", VERIFY("'schedule':'@daily','files':7")) "," CONFIGURATION(
                "b", "") "]",
            "[" CONFIGURATION("a", VERIFY("'schedule':'@hourly'")) "]",
            "[" CONFIGURATION("b", VERIFY("'schedule':'@daily'")) "]",
        };
        AUTO(json) json_t *first = json_row(lists[0]), *other = json_row(lists[_i]);
        AUTO(free) char *plan = drill_plan_of(first);
        AUTO(free) char *changed = drill_plan_of(other);

        ck_assert_uint_eq(strlen(plan), 16);
        ck_assert_int_eq(strcmp(plan, changed) == 0, _i < 2);
    }
END_TEST

static const struct {
    const char *list, *runs;
} runs[] = {
    {"[" CONFIGURATION("a", "") "]", "[]"},
    {"[" CONFIGURATION("a", VERIFY("'schedule':'@daily','files':7")) "," CONFIGURATION(
         "b", VERIFY("'schedule':'@daily','command':['true']")) "]",
     "[{'tag':'target:apps/Deployment/shop/a','folder':'shop.a','files':7},"
     "{'tag':'target:apps/Deployment/shop/b','folder':'shop.b','keep':true}]"},
};

START_TEST(test_runs)
    {
        AUTO(json) json_t *list = json_row(runs[_i].list), *wanted = json_row(runs[_i].runs);
        AUTO(json) json_t *made = drill_runs(list);
        AUTO(free) char *shown = tree_format(made, NULL);

        ck_assert_msg(tree_equal(made, wanted), "%s", shown);
    }
END_TEST

static const struct {
    const char *verify, *workload, *image; /* NULL: it is refused */
} images[] = {
    {"'image':'checks:1'", "null", "checks:1"},
    {"'image':'checks:1'", "{'spec':{'template':{'spec':{'containers':[{'image':'web:1'}]}}}}",
     "checks:1"},
    {"'files':1", "{'spec':{'template':{'spec':{'containers':[{'image':'web:1'}]}}}}", "web:1"},
    /* the sidecar is not the application */
    {"'files':1",
     "{'spec':{'template':{'spec':{'containers':[{'name':'stash','image':'agent'},{'name':'web',"
     "'image':'web:1'}]}}}}",
     "web:1"},
    {"'files':1", "null", NULL},
    {"'files':1", "{'spec':{'template':{'spec':{'containers':[{'image':7}]}}}}", NULL},
};

START_TEST(test_image)
    {
        AUTO(free)
        char *row =
            text_format(CONFIGURATION("a", VERIFY("'schedule':'@daily',%s")), images[_i].verify);
        AUTO(json) json_t *configuration = json_row(row), *workload = json_row(images[_i].workload);
        const char *image = NULL;
        struct error err;
        bool good = drill_image(configuration, workload, &image, &err);

        ck_assert_int_eq(good, images[_i].image != NULL);
        if (good)
            ck_assert_str_eq(image, images[_i].image);
        else
            ck_assert(strstr(err.message, "spec.verify.image"));
    }
END_TEST

SUITE(drill)
{
    suite_rows(tests, test_next, rows);
    tcase_add_test(tests, test_spread);
    tcase_add_loop_test(tests, test_plan, 0, 4);
    suite_rows(tests, test_runs, runs);
    suite_rows(tests, test_image, images);
}
