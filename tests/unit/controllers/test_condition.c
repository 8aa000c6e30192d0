#include <string.h>

#include "base/tree.h"
#include "controllers/condition.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z */
#define NOW_S INT64_C(1714570200)

static const struct {
    const char *before;
    struct condition condition;
    const char *after; /* NULL: unchanged */
} set_rows[] = {
    {"[]",
     {"A", CONDITION_TRUE, "R", "m"},
     "[{'type':'A','status':'True','lastTransitionTime':'2024-05-01T13:30:00Z','reason':'R',"
     "'message':'m'}]"},
    {"[]",
     {"A", CONDITION_FALSE, "", NULL},
     "[{'type':'A','status':'False','lastTransitionTime':'2024-05-01T13:30:00Z'}]"},
    {"[{'type':'A','status':'True','lastTransitionTime':'2020-01-01T00:00:00Z','reason':'R'}]",
     {"A", CONDITION_TRUE, "R", ""},
     NULL},
    /* what somebody else added to it goes with the next change, not before */
    {"[{'type':'B'},{'type':'A','status':'True','reason':'R','severity':'x'}]",
     {"A", CONDITION_UNKNOWN, "R", "m\nn"},
     "[{'type':'B'},{'type':'A','status':'Unknown','lastTransitionTime':'2024-05-01T13:30:00Z',"
     "'reason':'R','message':'m?n'}]"},
    {"[{'type':'A','status':'True'},{'type':'B'}]",
     {"A", CONDITION_ABSENT, "", ""},
     "[{'type':'B'}]"},
    {"[{'type':'B'}]", {"A", CONDITION_ABSENT, "", ""}, NULL},
    /* odd shapes are left alone */
    {"[1,null,{'type':1},{}]", {"A", CONDITION_ABSENT, "", ""}, NULL},
};

START_TEST(equal_observations_change_nothing)
    {
        AUTO(json) json_t *list = json_row(set_rows[_i].before);
        AUTO(json)
        json_t *wanted = json_row(set_rows[_i].after ? set_rows[_i].after : set_rows[_i].before);

        ck_assert_int_eq(condition_set(list, &set_rows[_i].condition, NOW_S),
                         set_rows[_i].after != NULL);
        ck_assert_msg(tree_equal(list, wanted), "%s", tree_format(list, NULL));
        ck_assert(!condition_set(list, &set_rows[_i].condition, NOW_S + 60));
    }
END_TEST

START_TEST(conditions_are_found)
    {
        AUTO(json)
        json_t *list = json_row("[{'type':'A','status':'True','reason':'R',"
                                "'lastTransitionTime':'2024-05-01T13:30:00Z'},"
                                "{'type':'B','status':'False'},{'type':'C','status':'odd'}]");

        ck_assert_int_eq(condition_status(list, "A"), CONDITION_TRUE);
        ck_assert_int_eq(condition_status(list, "B"), CONDITION_FALSE);
        ck_assert_int_eq(condition_status(list, "C"), CONDITION_UNKNOWN);
        ck_assert_int_eq(condition_status(list, "D"), CONDITION_ABSENT);
        ck_assert_int_eq(condition_status(NULL, "A"), CONDITION_ABSENT);
        ck_assert_str_eq(condition_reason(list, "A"), "R");
        ck_assert_str_eq(condition_reason(list, "D"), "");
        ck_assert_int_eq(condition_since_s(list, "A"), NOW_S);
        ck_assert_int_eq(condition_since_s(list, "B"), -1);
    }
END_TEST

SUITE(controllers_condition)
{
    suite_rows(tests, equal_observations_change_nothing, set_rows);
    tcase_add_test(tests, conditions_are_found);
}
