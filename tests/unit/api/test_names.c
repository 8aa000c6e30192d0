#include "api/names.h"

#include <search.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "tests/unit/suite.h"

#define A10 "aaaaaaaaaa"
#define A50 A10 A10 A10 A10 A10
#define A63 A50 A10 "aaa"
#define A253 A63 "." A63 "." A63 "." A50 A10 "a"

static const struct {
    const char *text;
    bool subdomain, label, value;
} valid_rows[] = {
    {"a", true, true, true},      {"0", true, true, true},
    {"a-b", true, true, true},    {"a.b", true, false, true},
    {A63, true, true, true},      {A63 "a", true, false, false},
    {A253, true, false, false},   {A253 "a", false, false, false},
    {"", false, false, true},     {"-a", false, false, false},
    {"a-", false, false, false},  {"a.", false, false, false},
    {".a", false, false, false},  {"a..b", false, false, true},
    {"a.-b", false, false, true}, {"a_b", false, false, true},
    {"A", false, false, true},    {"_a", false, false, false},
    {"a/b", false, false, false}, {"a b", false, false, false},
    {"a\n", false, false, false}, {"d\xc3\xa9j\xc3\xa0", false, false, false},
};

START_TEST(what_may_be_a_name)
    {
        struct span text = span_of(valid_rows[_i].text);

        ck_assert_int_eq(name_is_subdomain(text), valid_rows[_i].subdomain);
        ck_assert_int_eq(name_is_label(text), valid_rows[_i].label);
        ck_assert_int_eq(name_is_label_value(text), valid_rows[_i].value);
    }
END_TEST

START_TEST(nul_is_no_part_of_a_name)
    {
        struct span text = {"a\0b", 3};

        ck_assert(!name_is_subdomain(text));
        ck_assert(!name_is_label(text));
        ck_assert(!name_is_label_value(text));
    }
END_TEST

/* stash-behaviour 2.4 */
static const struct {
    const char *kind, *name, *result;
} target_rows[] = {
    {"Deployment", "web", "deploy-web"},
    {"StatefulSet", "web", "sts-web"},
    {"DaemonSet", "web", "ds-web"},
    {"ReplicationController", "web", "rc-web"},
    {"PersistentVolumeClaim", "web", "pvc-web"},
    {"Pod", "web", "po-web"},
    {"AppBinding", "sample-postgres-1", "app-sample-postgres-1"},
    {"ReplicaSet", "web", "replicaset-web"},
    {"DeploymentConfig", "web", "deploymentconfig-web"},
    /* dots stay, as in Stash */
    {"PersistentVolumeClaim", "data.example.com", "pvc-data.example.com"},
    /* 63 characters fit, 64 do not */
    {"DaemonSet", A50 A10, "ds-" A50 A10},
    {"DaemonSet", A50 A10 "b", "ds-" A50 "a-cb0a1e8c"},
    /* a dot where the cut is would be illegal in front of "-" */
    {"DaemonSet", A50 ".bbbbbbbbbbbbb", "ds-" A50 "--f7479810"},
    /* a date is no hash, a name that looks like one gets its own */
    {"Deployment", "web-20240131", "deploy-web-20240131"},
    {"Deployment", "web-2024013a", "deploy-web-2024013a-64b01506"},
    {"Deployment", "web-2024013", "deploy-web-2024013"},
    /* admission sees names before the API server has judged them */
    {"Deployment", "", "deploy--8fcdf4c8"},
    {"Deployment", "../Etc", "deploy-----tc-3428c266"},
    {"Deployment", "a\"},{\n", "deploy-a------1817d13f"},
};

START_TEST(name_in_its_own_namespace)
    {
        AUTO(free) char *name = name_of_target(target_rows[_i].kind, target_rows[_i].name);

        ck_assert_str_eq(name, target_rows[_i].result);
        ck_assert(name_is_subdomain(span_of(name)));
        ck_assert_uint_le(strlen(name), NAME_MAX_CHARS);
    }
END_TEST

START_TEST(name_in_another_namespace)
    {
        AUTO(free) char *first = name_outside("a-b", "Deployment", "c");
        AUTO(free) char *second = name_outside("a", "Deployment", "b-c");

        ck_assert_str_eq(first, "a-b-deploy-c-466d68fb");
        ck_assert_str_eq(second, "a-deploy-b-c-53ebac48");
    }
END_TEST

START_TEST(name_of_a_further_blueprint)
    {
        AUTO(free) char *first = name_further(NULL, "Deployment", "a", "b-c");
        AUTO(free) char *second = name_further(NULL, "Deployment", "a-b", "c");
        AUTO(free) char *third = name_further("deploy", "Deployment", "a-b", "c");

        ck_assert_str_eq(first, "deploy-a-b-c-feda0fce");
        ck_assert_str_eq(second, "deploy-a-b-c-e13980b8");
        ck_assert_str_eq(third, "deploy-deploy-a-b-c-f15701d0");
    }
END_TEST

START_TEST(name_of_another_location)
    {
        AUTO(free) char *first = name_at_location("deploy-web", "s3:https://s3/bucket/a");
        AUTO(free) char *second = name_at_location("deploy-web", "s3:https://s3/bucket/b");

        ck_assert_str_eq(first, "deploy-web-c5da8857");
        ck_assert_str_eq(second, "deploy-web-c49826fb");
    }
END_TEST

static const struct {
    const char *name, *fit;
} fit_rows[] = {
    {"deploy-web", "deploy-web"},
    {A50 "bb", A50 "bb"},
    {A50 "bbb", A10 A10 A10 A10 "aaa-23ebcb57"},
};

START_TEST(name_that_must_be_shorter)
    {
        AUTO(free) char *fit = name_fit(fit_rows[_i].name, CRONJOB_NAME_MAX_CHARS);

        ck_assert_str_eq(fit, fit_rows[_i].fit);
        ck_assert_uint_le(strlen(fit), CRONJOB_NAME_MAX_CHARS);
    }
END_TEST

static const struct {
    const char *value, *label;
} label_rows[] = {
    {"Deployment", "Deployment"},
    {"", ""},
    {"a.b_c", "a.b_c"},
    {A63, A63},
    {A63 "b", A50 "aaaa-97aa7c54"},
    {"-a", "xa-c2748917"},
    {"a b", "a-b-c8687a08"},
    {"a\nb: c", "a-b--c-6f5d72b9"},
};

START_TEST(value_of_a_label)
    {
        AUTO(free) char *label = name_label_value(label_rows[_i].value);

        ck_assert_str_eq(label, label_rows[_i].label);
        ck_assert(name_is_label_value(span_of(label)));
    }
END_TEST

SUITE(api_names)
{
    suite_rows(tests, what_may_be_a_name, valid_rows);
    tcase_add_test(tests, nul_is_no_part_of_a_name);
    suite_rows(tests, name_in_its_own_namespace, target_rows);
    tcase_add_test(tests, name_in_another_namespace);
    tcase_add_test(tests, name_of_a_further_blueprint);
    tcase_add_test(tests, name_of_another_location);
    suite_rows(tests, name_that_must_be_shorter, fit_rows);
    suite_rows(tests, value_of_a_label, label_rows);
}
