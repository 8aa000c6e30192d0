#include "api/annotation.h"
#include "api/keys.h"
#include "api/own.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static json_t *blueprint_with(const char *overrides)
{
    json_t *blueprint = json_row("{'metadata': {'name': 'daily'}, 'spec': {}}");

    if (overrides)
        tree_put_new(json_object_get(blueprint, "spec"), "overrides", json_row(overrides));
    return blueprint;
}

static const char *const everything =
    "{'stash.appscode.com/backup-blueprint': 'daily', 'stash.appscode.com/schedule': '@hourly',"
    " 'stash.appscode.com/target-paths': '/a', 'stash.appscode.com/volume-mounts': 'v:/a',"
    " 'params.stash.appscode.com/x': 'y', 'granary.dev/paused': 'true',"
    " 'granary.dev/exclude': '*.tmp', 'granary.dev/restore-if-exists': 'true',"
    " 'granary.dev/retention': 'last=5', 'granary.dev/resources': 'cpu=1',"
    " 'granary.dev/timeout': '1h', 'granary.dev/priority': 'nice=1',"
    " 'granary.dev/dump-command': '[\\'true\\']', 'granary.dev/dump-container': 'db',"
    " 'granary.dev/backup': 'false', 'granary.dev/refresh': '1'}";

/* The override key of each thing that is there. */
static char *what_counts(const struct annotations *a)
{
    struct text out = {0};
    const struct {
        const char *key;
        bool there;
    } things[] = {
        {"schedule", a->schedule != NULL},
        {"paths", a->paths != NULL && a->mounts != NULL},
        {"params", a->params != NULL},
        {"paused", a->paused},
        {"exclude", a->exclude != NULL},
        {"restore-if-exists", a->restore_if_exists},
        {"retention", a->has_retention},
        {"resources", a->has_resources},
        {"timeout", a->timeout_ns != 0},
        {"priority", a->has_priority},
        {"dump", a->dump_command != NULL && a->dump_container != NULL},
    };

    for (size_t i = 0; i < sizeof things / sizeof *things; i++)
        if (things[i].there)
            text_addf(&out, "%s%s", out.length ? "," : "", things[i].key);
    return text_take(&out);
}

static const struct {
    const char *overrides; /* NULL: the blueprint has none */
    const char *counts;
} allowed_rows[] = {
    {NULL, "schedule,paths,params,paused,exclude,restore-if-exists"},
    {"null", "schedule,paths,params,paused,exclude,restore-if-exists"},
    {"[]", ""},
    {"[{'key': 'retention'}]", "retention"},
    {"[{'key': 'schedule'}, {'key': 'dump'}, {'key': 'timeout'}]", "schedule,timeout,dump"},
    {"[{'key': 'schedule'}, {'key': 'paths'}, {'key': 'params'}, {'key': 'paused'},"
     " {'key': 'exclude'}, {'key': 'restore-if-exists'}, {'key': 'retention'},"
     " {'key': 'resources'}, {'key': 'timeout'}, {'key': 'priority'}, {'key': 'dump'}]",
     "schedule,paths,params,paused,exclude,restore-if-exists,retention,resources,timeout,priority,"
     "dump"},
    /* no list at all, or one of other things: nothing is allowed by accident */
    {"'all'", ""},
    {"{'key': 'retention'}", ""},
    {"[1, null, {'key': 2}, {}]", ""},
};

START_TEST(what_owners_may_set)
    {
        AUTO(json) json_t *tree = json_row(everything);
        AUTO(json) json_t *blueprint = json_row("{'metadata': {'name': 'daily'}, 'spec': {}}");
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        if (allowed_rows[_i].overrides) {
            AUTO(free) char *spec = text_format("{'overrides': %s}", allowed_rows[_i].overrides);

            tree_put_new(blueprint, "spec", json_row(spec));
        }
        annotations_parse(&annotations, tree, &findings);
        ck_assert_uint_eq(findings.count, 0);
        annotations_bound(&annotations, blueprint, &findings);

        AUTO(free) char *counts = what_counts(&annotations);

        ck_assert_str_eq(counts, allowed_rows[_i].counts);
        /* what always counts */
        ck_assert(annotations.opted_out);
        ck_assert_str_eq(annotations.blueprints[0], "daily");
        /* each thing that does not count was told */
        struct span rest = span_of(counts), key;
        size_t kept = 0;

        while (text_split(&rest, ',', &key))
            kept++;
        ck_assert_uint_eq(kept + findings.count, 11);
        for (size_t i = 0; i < findings.count; i++) {
            ck_assert_int_eq(findings.items[i].level, FINDING_WARNING);
            ck_assert_str_eq(
                findings.items[i].message,
                "BackupBlueprint \"daily\" does not let owners set this: it is ignored");
        }
    }
END_TEST

START_TEST(nothing_set_nothing_told)
    {
        AUTO(json) json_t *blueprint = blueprint_with("[]");
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_bound(&annotations, blueprint, &findings);
        annotations_bound(&annotations, NULL, &findings);
        ck_assert_uint_eq(findings.count, 0);
    }
END_TEST

START_TEST(findings_point_at_the_annotation)
    {
        AUTO(json) json_t *tree = json_row("{'stash.appscode.com/volume-mounts': 'v:/a'}");
        AUTO(json) json_t *blueprint = blueprint_with("[]");
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);
        annotations_bound(&annotations, blueprint, &findings);
        ck_assert_str_eq(findings.items[0].field,
                         "metadata.annotations[stash.appscode.com/volume-mounts]");
        ck_assert_str_eq(findings.items[0].reason, REASON_FORBIDDEN);
    }
END_TEST

/* The value, then what BackupBlueprint.spec has, then what holds in the BackupConfiguration. */
static const struct {
    const char *key, *value, *override, *own, *told;
} bound_rows[] = {
    /* schedule: a plan of the blueprint's own replaces one that is too often */
    {KEY_SCHEDULE, "*/5 * * * *", "{'key': 'schedule', 'min': '1h'}", "{}",
     "BackupBlueprint \"daily\" allows: at most one run in 1h0m0s, so its own schedule holds"},
    {KEY_SCHEDULE, "0 * * * *", "{'key': 'schedule', 'min': '1h'}", "{'schedule': '0 * * * *'}",
     NULL},
    {KEY_SCHEDULE, "0,1 4 1 1 *", "{'key': 'schedule', 'min': '1h'}", "{}", "at most one run"},
    {KEY_SCHEDULE, "@every 30m", "{'key': 'schedule', 'min': '1h'}", "{}", "at most one run"},
    {KEY_SCHEDULE, "@daily", "{'key': 'schedule', 'min': 'often'}", "{}", "can not be read (min: "},
    {KEY_SCHEDULE, "@daily", "{'key': 'schedule', 'max': '1h'}", "{}", "can not be read (max: "},
    {KEY_SCHEDULE, "@daily", "{'key': 'schedule', 'min': 5}", "{'schedule': '@daily'}", NULL},
    /* retention */
    {KEY_RETENTION, "last=5,daily=7", "{'key': 'retention'}",
     "{'retentionPolicy': {'name': 'p', 'prune': false, 'keepTags': ['t'], 'keepLast': 5,"
     " 'keepDaily': 7}}",
     NULL},
    {KEY_RETENTION, "last=500,within=90d",
     "{'key': 'retention', 'min': 'daily=3', 'max': 'last=10,within=30d'}",
     "{'retentionPolicy': {'name': 'p', 'prune': false, 'keepTags': ['t'], 'keepLast': 10,"
     " 'keepDaily': 3, 'keepWithin': '30d'}}",
     "allows: last=10 instead of 500, daily=3 instead of 0, within=30d instead of 90d"},
    {KEY_RETENTION, "last=5", "{'key': 'retention', 'min': 'last=3,within=7d'}",
     "{'retentionPolicy': {'name': 'p', 'prune': false, 'keepTags': ['t'], 'keepLast': 5,"
     " 'keepWithin': '7d'}}",
     "allows: within=7d instead of none"},
    {KEY_RETENTION, "within=1y", "{'key': 'retention', 'max': 'last=5'}",
     "{'retentionPolicy': {'name': 'p', 'prune': false, 'keepTags': ['t'], 'keepWithin': '1y'}}",
     NULL},
    {KEY_RETENTION, "last=5", "{'key': 'retention', 'min': 'last=x'}", "{}", "can not be read"},
    {KEY_RETENTION, "last=5", "{'key': 'retention', 'max': 'x'}", "{}", "can not be read"},
    /* resources */
    {KEY_RESOURCES, "cpu=4,memory=1Gi", "{'key': 'resources', 'max': 'cpu=1,memory=0.5Gi'}",
     "{'runtimeSettings': {'pod': {'a': 'b'}, 'container': {'nice': {'adjustment': 3},"
     " 'resources': {'requests': {'cpu': '1', 'memory': '0.5Gi'},"
     " 'limits': {'cpu': '1', 'memory': '1Gi'}}}}}",
     "allows: cpu=1 instead of 4, memory=0.5Gi instead of 1Gi"},
    {KEY_RESOURCES, "cpu=1m", "{'key': 'resources', 'min': 'cpu=10m'}",
     "{'runtimeSettings': {'pod': {'a': 'b'}, 'container': {'nice': {'adjustment': 3},"
     " 'resources': {'requests': {'cpu': '10m', 'memory': '10Mi'},"
     " 'limits': {'cpu': '500m', 'memory': '1Gi'}}}}}",
     "allows: cpu=10m instead of 1m"},
    /* the blueprint's limit gives way, the pod would be refused otherwise */
    {KEY_RESOURCES, "cpu=2", "{'key': 'resources'}",
     "{'runtimeSettings': {'pod': {'a': 'b'}, 'container': {'nice': {'adjustment': 3},"
     " 'resources': {'requests': {'cpu': '2', 'memory': '10Mi'},"
     " 'limits': {'cpu': '2', 'memory': '1Gi'}}}}}",
     NULL},
    {KEY_RESOURCES, "limits.memory=5Mi", "{'key': 'resources'}",
     "{'runtimeSettings': {'pod': {'a': 'b'}, 'container': {'nice': {'adjustment': 3},"
     " 'resources': {'requests': {'memory': '5Mi'},"
     " 'limits': {'cpu': '500m', 'memory': '5Mi'}}}}}",
     NULL},
    /* a bound on the limit takes the request with it */
    {KEY_RESOURCES, "cpu=3,limits.cpu=4", "{'key': 'resources', 'max': 'limits.cpu=2'}",
     "{'runtimeSettings': {'pod': {'a': 'b'}, 'container': {'nice': {'adjustment': 3},"
     " 'resources': {'requests': {'cpu': '2', 'memory': '10Mi'},"
     " 'limits': {'cpu': '2', 'memory': '1Gi'}}}}}",
     "allows: limits.cpu=2 instead of 4, cpu=2 instead of 3"},
    {KEY_RESOURCES, "cpu=3", "{'key': 'resources', 'max': 'cpus=2'}", "{}", "can not be read"},
    {KEY_RESOURCES, "cpu=3", "{'key': 'resources', 'min': 'cpu=-2'}", "{}", "can not be read"},
    /* timeout */
    {KEY_TIMEOUT, "90m", "{'key': 'timeout'}", "{'timeOut': '1h30m0s'}", NULL},
    {KEY_TIMEOUT, "90m", "{'key': 'timeout', 'max': '1h'}", "{'timeOut': '1h0m0s'}",
     "allows: 1h0m0s instead of 1h30m0s"},
    {KEY_TIMEOUT, "10s", "{'key': 'timeout', 'min': '1m', 'max': '1h'}", "{'timeOut': '1m0s'}",
     "allows: 1m0s instead of 10s"},
    {KEY_TIMEOUT, "10s", "{'key': 'timeout', 'min': '1d'}", "{}", "can not be read"},
    {KEY_TIMEOUT, "10s", "{'key': 'timeout', 'max': '0'}", "{}", "can not be read"},
    {KEY_TIMEOUT, "10s", "{'key': 'timeout', 'max': '1x'}", "{}", "can not be read"},
    {KEY_TIMEOUT, "10s", "{'key': 'timeout', 'min': '2h', 'max': '1h'}", "{}", "can not be read"},
    /* priority */
    {KEY_PRIORITY, "nice=-5,ionice=realtime:0",
     "{'key': 'priority', 'min': 'nice=0,ionice=best-effort:4'}",
     "{'runtimeSettings': {'pod': {'a': 'b'}, 'container': {'nice': {'adjustment': 0},"
     " 'ionice': {'class': 2, 'classData': 4},"
     " 'resources': {'requests': {'memory': '10Mi'}, 'limits': {'cpu': '500m', 'memory': "
     "'1Gi'}}}}}",
     "allows: nice=0 instead of -5, ionice=best-effort:4 instead of realtime:0"},
    {KEY_PRIORITY, "ionice=idle", "{'key': 'priority', 'max': 'nice=5,ionice=best-effort:7'}",
     "{'runtimeSettings': {'pod': {'a': 'b'}, 'container': {'nice': {'adjustment': 3},"
     " 'ionice': {'class': 2, 'classData': 7},"
     " 'resources': {'requests': {'memory': '10Mi'}, 'limits': {'cpu': '500m', 'memory': "
     "'1Gi'}}}}}",
     "allows: ionice=best-effort:7 instead of idle"},
    {KEY_PRIORITY, "nice=19,ionice=idle", "{'key': 'priority', 'max': 'nice=5'}",
     "{'runtimeSettings': {'pod': {'a': 'b'}, 'container': {'nice': {'adjustment': 5},"
     " 'ionice': {'class': 3},"
     " 'resources': {'requests': {'memory': '10Mi'}, 'limits': {'cpu': '500m', 'memory': "
     "'1Gi'}}}}}",
     "allows: nice=5 instead of 19"},
    {KEY_PRIORITY, "nice=1", "{'key': 'priority', 'min': 'x'}", "{}", "can not be read"},
    {KEY_PRIORITY, "nice=1", "{'key': 'priority', 'max': 'x'}", "{}", "can not be read"},
    /* what has no bounds */
    {KEY_PAUSED, "true", "{'key': 'paused', 'min': 'x'}", "{'paused': true}", NULL},
    {KEY_EXCLUDE, "a,b", "{'key': 'exclude'}", "{'exclude': ['a', 'b']}", NULL},
};

START_TEST(bounds)
    {
        AUTO(free) char *overrides = text_format("[%s]", bound_rows[_i].override);
        AUTO(json) json_t *blueprint = blueprint_with(overrides);
        AUTO(json)
        json_t *spec = json_row(
            "{'retentionPolicy': {'name': 'p', 'prune': false, 'keepTags': ['t'],"
            " 'keepWeekly': 9, 'keepWithin': '2d'}, 'schedule': '@weekly',"
            " 'runtimeSettings': {'pod': {'a': 'b'}, 'container': {'nice': {'adjustment': 3},"
            " 'resources': {'requests': {'memory': '10Mi'},"
            " 'limits': {'cpu': '500m', 'memory': '1Gi'}}}}}");
        AUTO(json) json_t *untouched = tree_copy(spec);
        AUTO(json) json_t *tree = json_object();
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        tree_put_text(tree, bound_rows[_i].key, bound_rows[_i].value);
        annotations_parse(&annotations, tree, &findings);
        ck_assert_uint_eq(findings.count, 0);
        annotations_bound(&annotations, blueprint, &findings);

        AUTO(json) json_t *own = own_settings(&annotations, spec);
        AUTO(json) json_t *wanted = json_row(bound_rows[_i].own);
        AUTO(free) char *got = tree_format(own, NULL);

        ck_assert_msg(tree_equal(own, wanted), "%s", got);
        ck_assert(tree_equal(spec, untouched));
        ck_assert_uint_eq(findings.count, bound_rows[_i].told != NULL);
        if (bound_rows[_i].told)
            ck_assert_msg(strstr(findings.items[0].message, bound_rows[_i].told) != NULL, "%s",
                          findings.items[0].message);
    }
END_TEST

START_TEST(own_settings_without_a_blueprints)
    {
        AUTO(json)
        json_t *tree = json_row("{'granary.dev/retention': 'last=1',"
                                " 'granary.dev/resources': 'cpu=1,memory=1Gi'}");
        AUTO(json) json_t *spec = json_row("{'runtimeSettings': [], 'retentionPolicy': null}");
        AUTO(json)
        json_t *wanted =
            json_row("{'retentionPolicy': {'name': 'owner', 'prune': true, 'keepLast': 1},"
                     " 'runtimeSettings': {'container': {'resources': {'requests': {'cpu': '1',"
                     " 'memory': '1Gi'}}}}}");
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);

        AUTO(json) json_t *own = own_settings(&annotations, spec);

        ck_assert(tree_equal(own, wanted));
    }
END_TEST

/* Bounding the copy leaves what it is a copy of. */
START_TEST(a_copy_is_its_own)
    {
        AUTO(json) json_t *tree = json_row(everything);
        AUTO(json) json_t *blueprint = blueprint_with("[]");
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(annotations) struct annotations copy = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);
        annotations_copy(&copy, &annotations);
        annotations_bound(&copy, blueprint, &findings);

        AUTO(free) char *counts = what_counts(&annotations);

        ck_assert_str_eq(counts, "schedule,paths,params,paused,exclude,restore-if-exists,retention,"
                                 "resources,timeout,priority,dump");
        annotations_done(&annotations);
        ck_assert_str_eq(copy.blueprints[0], "daily");
    }
END_TEST

static const struct {
    const char *override, *error; /* NULL: fine */
} override_rows[] = {
    {"{'key': 'schedule'}", NULL},
    {"{'key': 'schedule', 'min': '1h'}", NULL},
    {"{'key': 'schedule', 'min': '1d'}", "min: "},
    {"{'key': 'schedule', 'min': '-1h'}", "min: must not be negative"},
    {"{'key': 'schedule', 'max': '1h'}", "max: "},
    {"{'key': 'paths'}", NULL},
    {"{'key': 'paths', 'min': 'x'}", "paths has no bounds"},
    {"{'key': 'dump', 'max': ''}", "dump has no bounds"},
    {"{'key': 'retention', 'min': 'last=1', 'max': 'last=10,within=1y'}", NULL},
    {"{'key': 'retention', 'min': 'last=11', 'max': 'last=10'}", "min is above max"},
    {"{'key': 'retention', 'min': 'within=2w', 'max': 'within=13d'}", "min is above max"},
    {"{'key': 'retention', 'min': 'lost=1'}", "min: unknown key \"lost\": did you mean \"last\"?"},
    {"{'key': 'retention', 'max': ''}", "max: it is empty"},
    {"{'key': 'resources', 'min': 'cpu=10m', 'max': 'cpu=1,memory=1Gi'}", NULL},
    {"{'key': 'resources', 'min': 'cpu=2', 'max': 'cpu=1'}", "min is above max"},
    {"{'key': 'resources', 'max': 'cpu=-1'}", "max: cpu: "},
    {"{'key': 'timeout', 'min': '1m', 'max': '1h'}", NULL},
    {"{'key': 'timeout', 'min': '1h', 'max': '1m'}", "min is above max"},
    {"{'key': 'timeout', 'max': '1ms'}", "less than a second"},
    {"{'key': 'priority', 'min': 'nice=0'}", NULL},
    {"{'key': 'priority', 'min': 'nice=10', 'max': 'nice=0'}", "min is above max"},
    {"{'key': 'priority', 'min': 'ionice=idle', 'max': 'ionice=realtime'}", "min is above max"},
    {"{'key': 'retenton'}", "did you mean \"retention\"?"},
    {"{'key': 'image'}", "there is no such key"},
    {"{'key': ''}", "there is no such key"},
    {"{}", "there is no such key"},
    {"{'key': null}", "there is no such key"},
};

START_TEST(overrides)
    {
        AUTO(json) json_t *override = json_row(override_rows[_i].override);
        struct error err = {0};

        ck_assert_int_eq(override_check(override, &err), override_rows[_i].error == NULL);
        if (override_rows[_i].error)
            ck_assert_msg(strstr(err.message, override_rows[_i].error) != NULL, "%s", err.message);
    }
END_TEST

START_TEST(each_key_is_known)
    {
        for (const char *const *key = override_keys; *key; key++) {
            AUTO(json) json_t *override = json_object();
            struct error err = {0};

            tree_put_text(override, "key", *key);
            ck_assert_msg(override_check(override, &err), "%s", *key);
        }
    }
END_TEST

SUITE(api_annotation_bound)
{
    suite_rows(tests, what_owners_may_set, allowed_rows);
    tcase_add_test(tests, nothing_set_nothing_told);
    tcase_add_test(tests, findings_point_at_the_annotation);
    suite_rows(tests, bounds, bound_rows);
    tcase_add_test(tests, own_settings_without_a_blueprints);
    tcase_add_test(tests, a_copy_is_its_own);
    suite_rows(tests, overrides, override_rows);
    tcase_add_test(tests, each_key_is_known);
}
