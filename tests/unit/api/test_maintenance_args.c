#include "api/maintenance_args.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* catalogue RS11: a policy without a rule keeps all */
static const struct {
    const char *what, *host, *tag, *paths, *policy;
    const char *args, *error; /* both NULL: nothing is to be done */
} forgets[] = {
    {"rules", "host-0", "target-1", "[]", "{'keepLast': 5, 'keepDaily': 7}",
     "['forget', '--json', '--host=host-0', '--tag=target-1', '--group-by=host,paths', "
     "'--keep-last=5', '--keep-daily=7']",
     NULL},
    {"all of them", "h", "t", "[]",
     "{'keepLast': 1, 'keepHourly': 2, 'keepDaily': 3, 'keepWeekly': 4, 'keepMonthly': 5, "
     "'keepYearly': 6, 'keepWithin': '30d', 'keepTags': ['a', 'b c']}",
     "['forget', '--json', '--host=h', '--tag=t', '--group-by=host,paths', '--keep-last=1', "
     "'--keep-hourly=2', '--keep-daily=3', '--keep-weekly=4', '--keep-monthly=5', "
     "'--keep-yearly=6', '--keep-within=30d', '--keep-tag=a', '--keep-tag=b c']",
     NULL},
    {"without a tag, by paths", "h", NULL, "['/a', '/b']", "{'keepLast': 1}",
     "['forget', '--json', '--host=h', '--path=/a', '--path=/b', '--group-by=host,paths', "
     "'--keep-last=1']",
     NULL},
    {"dry", "h", "t", "[]", "{'keepLast': 1, 'dryRun': true}",
     "['forget', '--json', '--host=h', '--tag=t', '--group-by=host,paths', '--dry-run', "
     "'--keep-last=1']",
     NULL},
    {"never prunes", "h", "t", "[]", "{'keepLast': 1, 'prune': true}",
     "['forget', '--json', '--host=h', '--tag=t', '--group-by=host,paths', '--keep-last=1']", NULL},
    {"no rule", "h", "t", "[]", "{'name': 'x', 'prune': true}", NULL, NULL},
    {"zeros", "h", "t", "[]", "{'keepLast': 0, 'keepDaily': 0}", NULL, NULL},
    {"no policy", "h", "t", "[]", "null", NULL, NULL},
    {"nobody's", "h", NULL, "[]", "{'keepLast': 1}", NULL, "neither a tag nor paths"},
    {"nobody's, with an empty tag", "h", "", "null", "{'keepLast': 1}", NULL, "neither a tag nor"},
    {"each host of a tag", NULL, "t", "[]", "{'keepLast': 1}",
     "['forget', '--json', '--tag=t', '--group-by=host,paths', '--keep-last=1']", NULL},
    {"no host", NULL, NULL, "['/a']", "{'keepLast': 1}", NULL, "no host"},
    {"no host, with an empty tag", NULL, "", "['/a']", "{'keepLast': 1}", NULL, "no host"},
    {"an empty host", "", "t", "[]", "{'keepLast': 1}", NULL, "no host"},
    {"a host that is a list of flags", "h --prune", "t", "[]", "{'keepLast': 1}", NULL, "no host"},
    {"two tags", "h", "t,u", "[]", "{'keepLast': 1}", NULL, "no comma"},
    {"no path", "h", NULL, "['a']", "{'keepLast': 1}", NULL, "path 0"},
    {"no text", "h", NULL, "[7]", "{'keepLast': 1}", NULL, "path 0"},
    {"below nothing", "h", "t", "[]", "{'keepLast': -1}", NULL, "keepLast can not be -1"},
    {"text for a number", "h", "t", "[]", "{'keepLast': '5'}", NULL, "keepLast is no number"},
    {"too large", "h", "t", "[]", "{'keepLast': 99999999999}", NULL, "keepLast can not be"},
    {"no time", "h", "t", "[]", "{'keepWithin': 'soon'}", NULL, "keepWithin"},
    {"no tags", "h", "t", "[]", "{'keepTags': ['a,b']}", NULL, "keepTags[0]"},
    {"empty tags", "h", "t", "[]", "{'keepTags': ['']}", NULL, "keepTags[0]"},
};

START_TEST(test_forget)
    {
        AUTO(json) json_t *paths = json_row(forgets[_i].paths);
        AUTO(json) json_t *policy = json_row(forgets[_i].policy);
        AUTO(json) json_t *wanted = forgets[_i].args ? json_row(forgets[_i].args) : NULL;
        AUTO(json) json_t *args = NULL;
        struct forget_of of = {forgets[_i].host, forgets[_i].tag, paths, false};
        struct error err = {0};
        bool done = forget_args(&of, policy, &args, &err);
        AUTO(free) char *shown = tree_format(args, NULL);

        ck_assert_msg(done == !forgets[_i].error, "%s: %s", forgets[_i].what, err.message);
        ck_assert_msg(done || strstr(err.message, forgets[_i].error), "%s: %s", forgets[_i].what,
                      err.message);
        ck_assert_msg(tree_equal(args, wanted), "%s: %s", forgets[_i].what,
                      shown ? shown : "nothing");
        if (args)
            ck_assert(forget_has_rules(policy));
        else if (done)
            ck_assert(!forget_has_rules(policy));
    }
END_TEST

/* Of a repository that was taken over: what has no tag, too. */
static const struct {
    const char *what, *host, *tag, *paths, *policy;
    const char *args, *error; /* both NULL: nothing is to be done */
} untagged[] = {
    {"also without a tag", "h", "t", "['/a']", "{'keepLast': 1}",
     "['forget', '--json', '--host=h', '--tag=t', '--tag=', '--path=/a', '--group-by=host,paths', "
     "'--keep-last=1']",
     NULL},
    {"also without a tag, no rule", "h", "t", "['/a']", "{}", NULL, NULL},
    {"also without a tag, of any path", "h", "t", "[]", "{'keepLast': 1}", NULL,
     "neither a tag nor paths"},
    {"also without a tag, of any host", NULL, "t", "['/a']", "{'keepLast': 1}", NULL,
     "no host whose snapshots without tags"},
    {"only without a tag", "h", NULL, "['/a']", "{'keepLast': 1}",
     "['forget', '--json', '--host=h', '--tag=', '--path=/a', '--group-by=host,paths', "
     "'--keep-last=1']",
     NULL},
};

START_TEST(test_untagged)
    {
        AUTO(json) json_t *paths = json_row(untagged[_i].paths);
        AUTO(json) json_t *policy = json_row(untagged[_i].policy);
        AUTO(json) json_t *wanted = untagged[_i].args ? json_row(untagged[_i].args) : NULL;
        AUTO(json) json_t *args = NULL;
        struct forget_of of = {untagged[_i].host, untagged[_i].tag, paths, true};
        struct error err = {0};
        bool done = forget_args(&of, policy, &args, &err);
        AUTO(free) char *shown = tree_format(args, NULL);

        ck_assert_msg(done == !untagged[_i].error, "%s: %s", untagged[_i].what, err.message);
        ck_assert_msg(done || strstr(err.message, untagged[_i].error), "%s: %s", untagged[_i].what,
                      err.message);
        ck_assert_msg(tree_equal(args, wanted), "%s: %s", untagged[_i].what,
                      shown ? shown : "nothing");
        if (args)
            ck_assert(forget_has_rules(policy));
        else if (done)
            ck_assert(!forget_has_rules(policy));
    }
END_TEST

START_TEST(test_others)
    {
        static const struct {
            int64_t part;
            const char *args;
        } checks[] = {
            {0, "['check']"},
            {1, "['check', '--read-data-subset=1/30']"},
            {30, "['check', '--read-data-subset=30/30']"},
            {31, "['check']"},
            {-1, "['check']"},
        };

        for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
            AUTO(json)
            json_t *made = check_args(checks[i].part), *wanted = json_row(checks[i].args);

            ck_assert(tree_equal(made, wanted));
        }
        AUTO(json) json_t *dry = json_row("{'dryRun': true}"), *plain = prune_args(NULL);
        AUTO(json)
        json_t *prune = prune_args(dry), *all = unlock_args(true), *some = unlock_args(false);

        ck_assert_uint_eq(json_array_size(plain), 1);
        ck_assert_str_eq(json_string_value(json_array_get(prune, 1)), "--dry-run");
        ck_assert_str_eq(json_string_value(json_array_get(all, 1)), "--remove-all");
        ck_assert_uint_eq(json_array_size(some), 1);
    }
END_TEST

/* Without locks, so that nothing waits for them. */
START_TEST(test_look)
    {
        AUTO(json) json_t *runs = json_array();
        AUTO(json)
        json_t *wanted = json_row("[['snapshots', '--no-lock'],"
                                  " ['stats', '--no-lock', '--mode=raw-data']]");

        maintenance_look_args(runs);
        ck_assert(tree_equal(runs, wanted));
    }
END_TEST

SUITE(maintenance_args)
{
    tcase_add_test(tests, test_look);
    suite_rows(tests, test_forget, forgets);
    suite_rows(tests, test_untagged, untagged);
    tcase_add_test(tests, test_others);
}
