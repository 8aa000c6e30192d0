#include "api/selector.h"

#include "base/auto.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static json_t *parse(const char *text)
{
    return text ? json_row(text) : NULL;
}

#define LABELS "{'app': 'web', 'tier': 'db', 'empty': ''}"

static const struct {
    const char *selector, *labels;
    bool matches;
} selector_rows[] = {
    {NULL, LABELS, false},
    {"null", LABELS, false},
    {"[]", LABELS, false},
    {"'app'", LABELS, false},
    {"{}", LABELS, true},
    {"{}", NULL, true},
    {"{'matchLabels': null, 'matchExpressions': null}", LABELS, true},
    {"{'matchLabels': {}}", NULL, true},
    {"{'matchLabels': {'app': 'web'}}", LABELS, true},
    {"{'matchLabels': {'app': 'web', 'tier': 'db'}}", LABELS, true},
    {"{'matchLabels': {'app': 'web', 'tier': 'x'}}", LABELS, false},
    {"{'matchLabels': {'app': 'Web'}}", LABELS, false},
    {"{'matchLabels': {'empty': ''}}", LABELS, true},
    {"{'matchLabels': {'none': ''}}", LABELS, false},
    {"{'matchLabels': {'app': 'web'}}", NULL, false},
    {"{'matchLabels': {'app': 'web'}}", "'app'", false},
    {"{'matchLabels': {'app': 1}}", "{'app': 1}", false},
    {"{'matchLabels': []}", LABELS, false},
    {"{'matchExpressions': {}}", LABELS, false},
    {"{'matchExpressions': []}", LABELS, true},
    {"{'matchExpressions': [1]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'In', 'values': ['a', 'web']}]}", LABELS,
     true},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'In', 'values': ['a']}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'In', 'values': []}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'none', 'operator': 'In', 'values': ['a']}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'NotIn', 'values': ['a']}]}", LABELS, true},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'NotIn', 'values': ['web']}]}", LABELS,
     false},
    {"{'matchExpressions': [{'key': 'none', 'operator': 'NotIn', 'values': ['a']}]}", LABELS, true},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'NotIn'}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'Exists'}]}", LABELS, true},
    {"{'matchExpressions': [{'key': 'none', 'operator': 'Exists'}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'Exists', 'values': ['a']}]}", LABELS,
     false},
    {"{'matchExpressions': [{'key': 'none', 'operator': 'DoesNotExist'}]}", LABELS, true},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'DoesNotExist'}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'exists'}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'Gt', 'values': ['1']}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app'}]}", LABELS, false},
    {"{'matchExpressions': [{'operator': 'DoesNotExist'}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app\\u0000x', 'operator': 'Exists'}]}", LABELS, false},
    {"{'matchExpressions': [{'key': 'app', 'operator': 'Exists'}, {'key': 'tier', 'operator': "
     "'DoesNotExist'}]}",
     LABELS, false},
    {"{'matchLabels': {'app': 'web'}, 'matchExpressions': [{'key': 'tier', 'operator': 'In', "
     "'values': ['db']}]}",
     LABELS, true},
    {"{'matchLabels': {'app': 'x'}, 'matchExpressions': [{'key': 'tier', 'operator': 'In', "
     "'values': ['db']}]}",
     LABELS, false},
};

START_TEST(selectors_match)
    {
        AUTO(json) json_t *selector = parse(selector_rows[_i].selector);
        AUTO(json) json_t *labels = parse(selector_rows[_i].labels);

        ck_assert_int_eq(selector_matches(selector, labels), selector_rows[_i].matches);
    }
END_TEST

#define NAMESPACE "{'metadata': {'name': 'other', 'labels': " LABELS "}}"

static const struct {
    const char *policy;         /* usagePolicy of a Repository in namespace "storage" */
    const char *space, *object; /* the Namespace */
    enum usage usage;
} usage_rows[] = {
    /* facts that are easy to get wrong, 21 */
    {NULL, "storage", NULL, USAGE_ALLOWED},
    {NULL, "other", NULL, USAGE_REFUSED},
    {"null", "storage", NULL, USAGE_ALLOWED},
    {"{}", "storage", NULL, USAGE_REFUSED},
    {"{'allowedNamespaces': {}}", "storage", NULL, USAGE_ALLOWED},
    {"{'allowedNamespaces': {}}", "other", NULL, USAGE_REFUSED},
    {"{'allowedNamespaces': {'from': 'Same'}}", "storage", NULL, USAGE_ALLOWED},
    {"{'allowedNamespaces': {'from': 'Same'}}", "other", NULL, USAGE_REFUSED},
    {"{'allowedNamespaces': {'from': 'All'}}", "other", NULL, USAGE_ALLOWED},
    {"{'allowedNamespaces': {'from': 'all'}}", "storage", NULL, USAGE_REFUSED},
    {"{'allowedNamespaces': {'from': 1}}", "storage", NULL, USAGE_REFUSED},
    {"{'allowedNamespaces': 'All'}", "storage", NULL, USAGE_REFUSED},
    {"'All'", "storage", NULL, USAGE_REFUSED},
    {"{'allowedNamespaces': {'from': 'Selector', 'selector': {}}}", "other", "{}", USAGE_ALLOWED},
    {"{'allowedNamespaces': {'from': 'Selector', 'selector': {'matchLabels': {'app': 'web'}}}}",
     "other", NAMESPACE, USAGE_ALLOWED},
    {"{'allowedNamespaces': {'from': 'Selector', 'selector': {'matchLabels': {'app': 'x'}}}}",
     "other", NAMESPACE, USAGE_REFUSED},
    {"{'allowedNamespaces': {'from': 'Selector', 'selector': {}}}", "other", NULL, USAGE_UNKNOWN},
    {"{'allowedNamespaces': {'from': 'Selector'}}", "other", NAMESPACE, USAGE_REFUSED},
};

START_TEST(usage_policies)
    {
        AUTO(json) json_t *repository = parse("{'metadata': {'namespace': 'storage'}, 'spec': {}}");
        AUTO(json) json_t *object = parse(usage_rows[_i].object);
        json_t *policy = parse(usage_rows[_i].policy);

        if (policy)
            json_object_set_new(json_object_get(repository, "spec"), "usagePolicy", policy);
        ck_assert_int_eq(usage_of_repository(repository, usage_rows[_i].space, object),
                         usage_rows[_i].usage);
    }
END_TEST

START_TEST(a_repository_of_any_shape)
    {
        AUTO(json) json_t *repository = parse("{'spec': []}");

        ck_assert_int_eq(usage_of_repository(repository, "other", NULL), USAGE_REFUSED);
        ck_assert_int_eq(usage_of_repository(NULL, "other", NULL), USAGE_REFUSED);
    }
END_TEST

SUITE(api_selector)
{
    suite_rows(tests, selectors_match, selector_rows);
    suite_rows(tests, usage_policies, usage_rows);
    tcase_add_test(tests, a_repository_of_any_shape);
}
