#include "api/settings.h"

#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static char *describe(const struct settings *s)
{
    AUTO(free) char *secrets = tree_format(s->agent_pull_secrets, NULL);
    AUTO(free) char *resources = tree_format(s->agent_resources, NULL);
    AUTO(free) char *excluded = tree_format(s->excluded, NULL);
    char *text = text_format("%s %s %s %s %s %s %s %lld %lld %lld %lld %s %d", s->agent_image,
                             s->agent_image_pull_policy, secrets, resources,
                             s->deny ? "deny" : "warn", excluded, s->cluster_name,
                             (long long)s->concurrent_sessions, (long long)s->concurrent_jobs,
                             (long long)s->jobs_per_session, (long long)s->writes_per_second,
                             s->pushgateway_url ? s->pushgateway_url : "-", (int)s->log_level);

    for (char *c = text; *c; c++)
        *c = *c == '"' ? '\'' : *c;
    return text;
}

#define IMAGE "granary-agent:" GRANARY_VERSION
#define RESOURCES "{'limits':{'cpu':'1','memory':'512Mi'},'requests':{'cpu':'10m','memory':'64Mi'}}"
#define EXCLUDED "['kube-system','kube-node-lease','granary-system']"
#define DEFAULTS IMAGE " IfNotPresent [] " RESOURCES " warn " EXCLUDED "  20 40 5 20 - 1"

static const struct {
    const char *tree, *result;
} good_rows[] = {
    {"null", DEFAULTS},
    {"{}", DEFAULTS},
    {"{'agent': {}, 'limits': null, 'clusterName': null}", DEFAULTS},
    {"{'agent': {'image': 'registry:5000/a/b@sha256:00', 'imagePullPolicy': 'Never',"
     " 'imagePullSecrets': [{'name': 'pull'}], 'resources': {'limits': {'memory': '1Gi',"
     " 'cpu': 2}}}, 'enforcement': 'Deny', 'excludedNamespaces': ['a', 'b-c'],"
     " 'clusterName': 'prod.eu', 'limits': {'concurrentSessions': 5, 'concurrentJobs': 6, "
     "'jobsPerSession': 7, "
     "'writesPerSecond': 10000},"
     " 'pushgateway': {'url': 'http://pushgateway.monitoring.svc:9091'}, 'logLevel': 'debug'}",
     "registry:5000/a/b@sha256:00 Never [{'name':'pull'}]"
     " {'limits':{'cpu':2,'memory':'1Gi'},'requests':{'cpu':'10m','memory':'64Mi'}}"
     " deny ['a','b-c'] prod.eu 5 6 7 10000 http://pushgateway.monitoring.svc:9091 0"},
    {"{'enforcement': 'Warn', 'excludedNamespaces': [], 'logLevel': 'error'}",
     IMAGE " IfNotPresent [] " RESOURCES " warn []  20 40 5 20 - 3"},
    {"{'agent': {'imagePullPolicy': 'Always'}, 'clusterName': '', 'logLevel': 'warn'}",
     IMAGE " Always [] " RESOURCES " warn " EXCLUDED "  20 40 5 20 - 2"},
    {"{'agent': {'resources': {'requests': {'cpu': '1000m', 'memory': '512Mi'}}}}",
     IMAGE " IfNotPresent [] {'limits':{'cpu':'1','memory':'512Mi'},'requests':{'cpu':'1000m',"
           "'memory':'512Mi'}} warn " EXCLUDED "  20 40 5 20 - 1"},
};

START_TEST(good)
    {
        AUTO(json) json_t *tree = json_row(good_rows[_i].tree);
        AUTO(settings) struct settings settings = {0};
        struct error err = {0};

        ck_assert_msg(settings_parse(&settings, tree, &err), "%s", err.message);

        AUTO(free) char *got = describe(&settings);

        ck_assert_str_eq(got, good_rows[_i].result);
    }
END_TEST

static const struct {
    const char *tree, *error;
} bad_rows[] = {
    {"[]", "expected settings by name"},
    {"'x'", "expected settings by name"},
    {"{'agents': {}}", "agents: there is no such setting: did you mean agent?"},
    {"{'agent': {'imagePullPolcy': 'Always'}}",
     "agent.imagePullPolcy: there is no such setting: did you mean agent.imagePullPolicy?"},
    {"{'agent.image': 'x'}", "agent.image: there is no such setting"},
    {"{'loglevel': 'info'}", "did you mean logLevel?"},
    {"{'something': null}", "something: there is no such setting"},
    {"{'limits': {'memory': 1}}", "limits.memory: there is no such setting"},
    {"{'agent': 'x'}", "agent: expected members"},
    {"{'agent': {'resources': {'requests': []}}}", "agent.resources.requests: expected members"},
    {"{'agent': {'image': ''}}", "agent.image: expected the reference"},
    {"{'agent': {'image': 1}}", "agent.image: expected the reference"},
    {"{'agent': {'image': 'a b'}}", "agent.image: "},
    {"{'agent': {'image': 'a\\u0000b'}}", "agent.image: expected the reference"},
    {"{'agent': {'imagePullPolicy': 'always'}}", "agent.imagePullPolicy: expected Always"},
    {"{'agent': {'imagePullPolicy': 1}}", "agent.imagePullPolicy: expected Always"},
    {"{'agent': {'imagePullSecrets': {'name': 'x'}}}", "agent.imagePullSecrets: expected a list"},
    {"{'agent': {'imagePullSecrets': ['x']}}", "agent.imagePullSecrets: expected a list"},
    {"{'agent': {'imagePullSecrets': [{'name': 'X'}]}}", "agent.imagePullSecrets: expected"},
    {"{'agent': {'imagePullSecrets': [{'name': 'x', 'a': 1}]}}", "agent.imagePullSecrets: "},
    {"{'agent': {'resources': {'limits': {'cpu': 'x'}}}}", "agent.resources.limits.cpu: "},
    {"{'agent': {'resources': {'limits': {'cpu': 0}}}}", "a quantity above zero"},
    {"{'agent': {'resources': {'limits': {'cpu': true}}}}", "agent.resources.limits.cpu: "},
    {"{'agent': {'resources': {'requests': {'memory': '-1Mi'}}}}", "a quantity above zero"},
    {"{'agent': {'resources': {'limits': {'ephemeral-storage': '1Gi'}}}}", "no such setting"},
    {"{'agent': {'resources': {'limits': {'cpu': '1m'}}}}",
     "agent.resources.requests.cpu: above agent.resources.limits.cpu"},
    {"{'agent': {'resources': {'requests': {'memory': '1Gi'}}}}",
     "agent.resources.requests.memory: above agent.resources.limits.memory"},
    {"{'enforcement': 'deny'}", "enforcement: expected Warn or Deny"},
    {"{'enforcement': true}", "enforcement: expected Warn or Deny"},
    {"{'excludedNamespaces': 'kube-system'}", "excludedNamespaces: expected a list"},
    {"{'excludedNamespaces': ['a.b']}", "excludedNamespaces: expected a list"},
    {"{'excludedNamespaces': [null]}", "excludedNamespaces: expected a list"},
    {"{'clusterName': 'A'}", "clusterName: expected a name"},
    {"{'clusterName': 'a\\u0000b'}", "clusterName: expected a name"},
    {"{'limits': {'concurrentSessions': 0}}", "limits.concurrentSessions: expected a whole number"},
    {"{'limits': {'jobsPerSession': 0}}", "limits.jobsPerSession: expected a whole number"},
    {"{'limits': {'concurrentSessions': 10001}}", "limits.concurrentSessions: expected a whole"},
    {"{'limits': {'writesPerSecond': 1.5}}", "limits.writesPerSecond: expected a whole number"},
    {"{'limits': {'writesPerSecond': '5'}}", "limits.writesPerSecond: expected a whole number"},
    {"{'pushgateway': {'url': 'pushgateway:9091'}}", "pushgateway.url: expected an address"},
    {"{'pushgateway': {'url': 'http://user:secret@host'}}", "pushgateway.url: "},
    {"{'pushgateway': {'caBundle': '/etc/ca.crt'}}",
     "pushgateway.caBundle: expected certificates as PEM"},
    {"{'pushgateway': {'caBundle': ['-----BEGIN CERTIFICATE-----']}}",
     "pushgateway.caBundle: expected certificates as PEM"},
    {"{'pushgateway': {'caBundel': ''}}", "did you mean pushgateway.caBundle?"},
    {"{'pushgateway': {'url': 7}}", "pushgateway.url: expected an address"},
    {"{'logLevel': 'trace'}", "logLevel: expected debug"},
    {"{'logLevel': 1}", "logLevel: expected debug"},
};

START_TEST(bad)
    {
        AUTO(json) json_t *tree = json_row(bad_rows[_i].tree);
        struct settings settings = {.log_level = LOG_ERROR};
        struct error err = {0};

        ck_assert(!settings_parse(&settings, tree, &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
        ck_assert_msg(strstr(err.message, bad_rows[_i].error) != NULL, "%s", err.message);
        ck_assert(strstr(err.message, "secret") == NULL);
        /* untouched */
        ck_assert_ptr_null(settings.agent_image);
        ck_assert_int_eq(settings.log_level, LOG_ERROR);
    }
END_TEST

START_TEST(without_a_file)
    {
        AUTO(settings) struct settings built_in = {0};
        AUTO(settings) struct settings parsed = {0};
        struct error err = {0};

        settings_default(&built_in);
        ck_assert(settings_parse(&parsed, NULL, &err));

        AUTO(free) char *left = describe(&built_in);
        AUTO(free) char *right = describe(&parsed);

        ck_assert_str_eq(left, right);
        ck_assert_str_eq(left, DEFAULTS);
    }
END_TEST

START_TEST(what_is_excluded)
    {
        AUTO(settings) struct settings settings = {0};

        settings_default(&settings);
        ck_assert(settings_excludes(&settings, "kube-system"));
        ck_assert(settings_excludes(&settings, NAMESPACE_SYSTEM));
        ck_assert(!settings_excludes(&settings, "kube"));
        ck_assert(!settings_excludes(&settings, "default"));
        ck_assert(!settings_excludes(&settings, ""));
        ck_assert(!settings_deny(&settings));
    }
END_TEST

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static const struct {
    const char *settings, *etcd, *postgres, *wipe;
} image_rows[] = {
    {"{}", "granary-etcd:" GRANARY_VERSION, "granary-postgres:" GRANARY_VERSION,
     "granary-wipe:" GRANARY_VERSION},
    {"{'agent':{'image':'registry:5000/a/granary-agent:1'}}", "registry:5000/a/granary-etcd:1",
     "registry:5000/a/granary-postgres:1", "registry:5000/a/granary-wipe:1"},
    {"{'agent':{'image':'registry:5000/granary-agent'}}", "registry:5000/granary-etcd",
     "registry:5000/granary-postgres", "registry:5000/granary-wipe"},
    {"{'agent':{'image':'granary-agent-x:1'}}", "granary-etcd-x:1", "granary-postgres-x:1",
     "granary-wipe-x:1"},
    /* nobody can say what those would be */
    {"{'agent':{'image':'a/mine:1'}}", "a/mine:1", "a/mine:1", "a/mine:1"},
    {"{'agent':{'image':'a/granary-agent@sha256:" ZEROS "'}}", "a/granary-agent@sha256:" ZEROS,
     "a/granary-agent@sha256:" ZEROS, "a/granary-agent@sha256:" ZEROS},
    /* what is said counts */
    {"{'agent':{'image':'a/mine:1'},'etcd':{'image':'b/e:2'}}", "b/e:2", "a/mine:1", "a/mine:1"},
    {"{'wipe':{'image':'b/w:2'},'postgres':{'image':'b/p:2'}}", "granary-etcd:" GRANARY_VERSION,
     "b/p:2", "b/w:2"},
};

START_TEST(images)
    {
        AUTO(settings) struct settings settings = {0};
        AUTO(json) json_t *tree = json_row(image_rows[_i].settings);
        struct error err = {.message = ""};

        ck_assert_msg(settings_parse(&settings, tree, &err), "%s", err.message);

        AUTO(free) char *etcd = settings_image(&settings, SETTINGS_IMAGE_ETCD);
        AUTO(free) char *postgres = settings_image(&settings, SETTINGS_IMAGE_POSTGRES);
        AUTO(free) char *wipe = settings_image(&settings, SETTINGS_IMAGE_WIPE);

        ck_assert_str_eq(etcd, image_rows[_i].etcd);
        ck_assert_str_eq(postgres, image_rows[_i].postgres);
        ck_assert_str_eq(wipe, image_rows[_i].wipe);
    }
END_TEST

static const struct {
    const char *settings, *usual;
    enum settings_image which;
} database_rows[] = {
    {"{'mariadb':{'image':'b/m:2'}}", "granary-mariadb:" GRANARY_VERSION, SETTINGS_IMAGE_MARIADB},
    {"{'redis':{'image':'b/m:2'}}", "granary-redis:" GRANARY_VERSION, SETTINGS_IMAGE_REDIS},
};

START_TEST(images_of_databases)
    {
        AUTO(settings) struct settings usual = {0}, said = {0};
        AUTO(json)
        json_t *nothing = json_row("{}"), *tree = json_row(database_rows[_i].settings);
        struct error err = {.message = ""};

        ck_assert(settings_parse(&usual, nothing, &err) && settings_parse(&said, tree, &err));

        AUTO(free) char *first = settings_image(&usual, database_rows[_i].which);
        AUTO(free) char *second = settings_image(&said, database_rows[_i].which);

        ck_assert_str_eq(first, database_rows[_i].usual);
        ck_assert_str_eq(second, "b/m:2");
    }
END_TEST

SUITE(api_settings)
{
    suite_rows(tests, images, image_rows);
    suite_rows(tests, images_of_databases, database_rows);
    suite_rows(tests, good, good_rows);
    suite_rows(tests, bad, bad_rows);
    tcase_add_test(tests, without_a_file);
    tcase_add_test(tests, what_is_excluded);
}
