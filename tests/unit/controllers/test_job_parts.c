#include "controllers/job_parts.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const struct {
    const char *value, *args;
} flags[] = {
    {"a b", "['--name=a b']"},
    {"", "['--name=']"},
    {NULL, "[]"},
    /* for the kubelet "$(HOME)" is a variable, and "$$" is one "$" */
    {"$(HOME)", "['--name=$$(HOME)']"},
    {"a$$b$", "['--name=a$$$$b$$']"},
};

START_TEST(test_flag)
    {
        AUTO(json) json_t *args = json_array();
        AUTO(json) json_t *wanted = json_row(flags[_i].args);

        job_push_flag(args, "name", flags[_i].value);
        ck_assert(json_equal(args, wanted));
    }
END_TEST

static const struct {
    const char *space;
    bool restricted;
} spaces[] = {
    {"{'metadata': {'labels': {'pod-security.kubernetes.io/enforce': 'restricted'}}}", true},
    {"{'metadata': {'labels': {'pod-security.kubernetes.io/enforce': 'baseline'}}}", false},
    {"{'metadata': {'labels': {'pod-security.kubernetes.io/warn': 'restricted'}}}", false},
    {"{'metadata': {'labels': {'pod-security.kubernetes.io/enforce': 1}}}", false},
    {"{'metadata': {}}", false},
    {"null", false},
};

START_TEST(test_restricted)
    {
        AUTO(json) json_t *space = json_row(spaces[_i].space);

        ck_assert_int_eq(job_is_restricted(space), spaces[_i].restricted);
        ck_assert(!job_is_restricted(NULL));
    }
END_TEST

SUITE(job_parts)
{
    suite_rows(tests, test_restricted, spaces);
    suite_rows(tests, test_flag, flags);
}
