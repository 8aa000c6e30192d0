#include "controllers/agent_endpoint.h"

#include <string.h>

#include "base/auto.h"
#include "base/patch.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const struct agent_endpoint four = {"granary-system", "10.0.0.7", 9443},
                                   six = {"granary-system", "fd00::7", 9443};

static const struct {
    const char *ip;
    bool possible;
} ips[] = {
    {"10.0.0.7", true},    {"192.168.1.1", true}, {"fd00::7", true},
    {"2001:db8::1", true}, {"", false},           {"x", false},
    {"127.0.0.1", false},  {"0.0.0.0", false},    {"169.254.0.1", false},
    {"224.0.0.1", false},  {"::1", false},        {"::", false},
    {"fe80::1", false},    {"ff02::1", false},    {"10.0.0.7:1", false},
    {"[fd00::7]", false},  {"10.0.0.07x", false},
};

START_TEST(addresses_of_a_network_are_possible)
    {
        ck_assert_int_eq(agent_endpoint_possible(ips[_i].ip), ips[_i].possible);
    }
END_TEST

START_TEST(what_is_made_stands)
    {
        AUTO(json) json_t *slice = agent_endpoint_object(&four);
        AUTO(json) json_t *other = agent_endpoint_object(&six);

        ck_assert(agent_endpoint_stands(&four, slice));
        ck_assert(!agent_endpoint_stands(&six, slice));
        ck_assert_str_eq(agent_endpoint_name(&four), "granary-agents-ipv4");
        ck_assert_str_eq(agent_endpoint_name(&six), "granary-agents-ipv6");
        ck_assert_str_eq(tree_text(slice, "addressType"), "IPv4");
        ck_assert_str_eq(tree_text(other, "addressType"), "IPv6");
        ck_assert_str_eq(tree_text(tree_at(slice, "metadata"), "namespace"), "granary-system");
    }
END_TEST

/* What somebody, or another leader, made of it; removed when NULL. */
static const struct {
    const char *path, *value;
} changes[] = {
    {"/endpoints/0/addresses/0", "'10.0.0.8'"},
    {"/endpoints/0/addresses/-", "'10.0.0.8'"},
    {"/endpoints/-", "{'addresses': ['10.0.0.8']}"},
    {"/endpoints/0/conditions/ready", "false"},
    {"/endpoints/0", NULL},
    {"/endpoints", NULL},
    {"/endpoints", "7"},
    {"/ports/0/port", "1"},
    {"/ports/0/name", "'x'"},
    {"/ports", "null"},
    {"/metadata/labels", NULL},
    {"/metadata/labels/kubernetes.io~1service-name", "'granary-webhook'"},
};

START_TEST(what_is_changed_is_put_right)
    {
        AUTO(json) json_t *slice = agent_endpoint_object(&four);
        AUTO(json) json_t *change = json_array();
        json_t *operation = json_object();
        struct error err;

        tree_put_text(json_object_get(slice, "metadata"), "resourceVersion", "7");
        tree_put_text(operation, "op", changes[_i].value ? "add" : "remove");
        tree_put_text(operation, "path", changes[_i].path);
        if (strchr(changes[_i].path, '0') && changes[_i].value)
            tree_put_text(operation, "op", "replace");
        if (changes[_i].value) {
            AUTO(free) char *row = text_format("{'v': %s}", changes[_i].value);
            AUTO(json) json_t *value = json_row(row);

            tree_put_new(operation, "value", tree_copy(tree_get(value, "v")));
        }
        if (strcmp(changes[_i].path + strlen(changes[_i].path) - 1, "-") == 0)
            tree_put_text(operation, "op", "add");
        tree_push_new(change, operation);

        AUTO(json) json_t *changed = patch_apply(slice, change, &err);

        ck_assert_msg(changed != NULL, "%s", err.message);
        ck_assert(!agent_endpoint_stands(&four, changed));

        AUTO(json) json_t *patch = agent_endpoint_patch(&four, changed);
        AUTO(json) json_t *after = patch_apply(changed, patch, &err);

        ck_assert_msg(after != NULL, "%s", err.message);
        ck_assert(agent_endpoint_stands(&four, after));
        /* but only in the state that was read */
        tree_put_text(json_object_get(changed, "metadata"), "resourceVersion", "8");

        AUTO(json) json_t *late = patch_apply(changed, patch, &err);

        ck_assert_ptr_null(late);
    }
END_TEST

SUITE(controllers_agent_endpoint)
{
    suite_rows(tests, addresses_of_a_network_are_possible, ips);
    tcase_add_test(tests, what_is_made_stands);
    suite_rows(tests, what_is_changed_is_put_right, changes);
}
