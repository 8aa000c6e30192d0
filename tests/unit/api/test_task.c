#include "api/task.h"

#include <stdlib.h>

#include "api/task_variables.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* ---- the variables of a run, stash-behaviour 5.3 ---- */

#define S3                                                                                         \
    "{'metadata': {'name': 'r', 'namespace': 'store'}, 'spec': {'backend': "                       \
    "{'storageSecretName': 'keys', 's3': {'endpoint': 's3.example.com', 'bucket': 'b', "           \
    "'prefix': '/a/b', 'region': 'eu', 'insecureTLS': true}}}}"
#define BACKUP(kind, version, more)                                                                \
    "{'metadata': {'name': 'bc', 'namespace': 'shop'}, 'spec': {'target': {'ref': {'apiVersion': " \
    "'" version "', 'kind': '" kind "', 'name': 'x'}" more "}}}"
#define SESSION "{'metadata': {'name': 'bc-17', 'namespace': 'shop'}}"
#define RESTORE(more)                                                                              \
    "{'metadata': {'name': 'rs', 'namespace': 'shop'}, 'spec': {'target': {'ref': {'apiVersion': " \
    "'v1', 'kind': 'PersistentVolumeClaim', 'name': 'x'}" more "}}}"

static const struct {
    const char *what;
    bool restore;
    const char *invoker, *repository, *target, *name, *value; /* value NULL: absent */
} variable_rows[] = {
#define CLAIM BACKUP("PersistentVolumeClaim", "v1", "")
#define APP BACKUP("AppBinding", "appcatalog.appscode.com/v1alpha1", "")
#define WEB BACKUP("Deployment", "apps/v1", ", 'paths': ['/a', '/b'], 'alias': 'front'")
#define ETCD "{'spec': {'type': 'kubedb.com/etcd', 'version': '3.5.0'}}"
    {"kind keeps its case", false, CLAIM, S3, "{}", "TARGET_KIND", "PersistentVolumeClaim"},
    {"resource", false, CLAIM, S3, "{}", "TARGET_RESOURCE", "persistentvolumeclaims"},
    {"api version", false, WEB, S3, "{}", "TARGET_API_VERSION", "apps/v1"},
    {"namespace of the invoker", false, WEB, S3, "{}", "TARGET_NAMESPACE", "shop"},
    {"claim: default path", false, CLAIM, S3, "{}", "TARGET_PATHS", "/stash-data"},
    {"claim: default mount", false, CLAIM, S3, "{}", "TARGET_MOUNT_PATH", "/stash-data"},
    {"claim: no application", false, CLAIM, S3, ETCD, "TARGET_APP_VERSION", NULL},
    {"workload: paths", false, WEB, S3, "{}", "TARGET_PATHS", "/a,/b"},
    {"workload: alias", false, WEB, S3, "{}", "HOSTNAME", "front"},
    {"claim: host", false, CLAIM, S3, "{}", "HOSTNAME", "host-0"},
    {"application: version", false, APP, S3, ETCD, "TARGET_APP_VERSION", "3.5.0"},
    {"application: group", false, APP, S3, ETCD, "TARGET_APP_GROUP", "kubedb.com"},
    {"application: resource", false, APP, S3, ETCD, "TARGET_APP_RESOURCE", "etcd"},
    {"application: type", false, APP, S3, ETCD, "TARGET_APP_TYPE", "kubedb.com/etcd"},
    {"application: one word", false, APP, S3, "{'spec': {'type': 'etcd'}}", "TARGET_APP_GROUP", ""},
    {"application: gone", false, APP, S3, "null", "TARGET_APP_VERSION", ""},
    {"provider", false, CLAIM, S3, "{}", "REPOSITORY_PROVIDER", "s3"},
    {"bucket", false, CLAIM, S3, "{}", "REPOSITORY_BUCKET", "b"},
    {"prefix as it is", false, CLAIM, S3, "{}", "REPOSITORY_PREFIX", "/a/b"},
    {"region", false, CLAIM, S3, "{}", "REPOSITORY_REGION", "eu"},
    {"endpoint", false, CLAIM, S3, "{}", "REPOSITORY_ENDPOINT", "s3.example.com"},
    {"insecure", false, CLAIM, S3, "{}", "REPOSITORY_INSECURE_TLS", "true"},
    {"secret", false, CLAIM, S3, "{}", "REPOSITORY_SECRET_NAME", "keys"},
    {"its namespace", false, CLAIM, S3, "{}", "REPOSITORY_SECRET_NAMESPACE", "store"},
    {"no secret", false, CLAIM, "{'spec': {'backend': {'local': {'mountPath': '/m'}}}}", "{}",
     "REPOSITORY_SECRET_NAMESPACE", NULL},
    {"local: bucket", false, CLAIM, "{'spec': {'backend': {'local': {'mountPath': '/m'}}}}", "{}",
     "REPOSITORY_BUCKET", "/m"},
    {"local: prefix", false, CLAIM, "{'spec': {'backend': {'local': {'mountPath': '/m'}}}}", "{}",
     "REPOSITORY_PREFIX", ""},
    {"gcs: connections", false, CLAIM,
     "{'spec': {'backend': {'gcs': {'bucket': 'g', 'maxConnections': 7}}}}", "{}",
     "MAX_CONNECTIONS", "7"},
    {"gcs: no region", false, CLAIM, "{'spec': {'backend': {'gcs': {'bucket': 'g'}}}}", "{}",
     "REPOSITORY_REGION", NULL},
    {"azure: container", false, CLAIM, "{'spec': {'backend': {'azure': {'container': 'c'}}}}", "{}",
     "REPOSITORY_BUCKET", "c"},
    {"rest: host", false, CLAIM, "{'spec': {'backend': {'rest': {'url': 'https://h:8000/p/q/'}}}}",
     "{}", "REPOSITORY_BUCKET", "h:8000"},
    {"rest: path", false, CLAIM, "{'spec': {'backend': {'rest': {'url': 'https://h:8000/p/q/'}}}}",
     "{}", "REPOSITORY_PREFIX", "p/q"},
    {"rest: address", false, CLAIM, "{'spec': {'backend': {'rest': {'url': 'http://h'}}}}", "{}",
     "REPOSITORY_URL", "http://h"},
    {"rest: no address", false, CLAIM, "{'spec': {'backend': {'rest': {'url': 'h'}}}}", "{}",
     "REPOSITORY_BUCKET", NULL},
    {"no repository", false, CLAIM, "null", "{}", "REPOSITORY_PROVIDER", NULL},
    {"session", false, CLAIM, S3, "{}", "BACKUP_SESSION", "bc-17"},
    {"no restore", false, CLAIM, S3, "{}", "RESTORE_SESSION", NULL},
    {"invoker", false, CLAIM, S3, "{}", "INVOKER_NAME", "bc"},
    {"job of metrics", false, CLAIM, S3, "{}", "PROMETHEUS_JOB_NAME", "bc"},
    {"cache", false, CLAIM, S3, "{}", "ENABLE_CACHE", "true"},
    {"interim", false, CLAIM, S3, "{}", "INTERIM_DATA_DIR", "/stash-tmp/stash-interim-volume/data"},
    {"interim claim", false, "{'spec': {'interimVolumeTemplate': {}}}", S3, "{}",
     "INTERIM_DATA_DIR", "/stash-interim-volume/data"},
    {"no cache", false, "{'spec': {'tempDir': {'disableCaching': true}}}", S3, "{}", "ENABLE_CACHE",
     "false"},
    {"keep", false, "{'spec': {'retentionPolicy': {'keepLast': 3}}}", S3, "{}",
     "RETENTION_KEEP_LAST", "3"},
    {"keep nothing", false, "{'spec': {'retentionPolicy': {'keepLast': 0}}}", S3, "{}",
     "RETENTION_KEEP_LAST", NULL},
    {"prune", false, "{'spec': {'retentionPolicy': {'prune': true}}}", S3, "{}", "RETENTION_PRUNE",
     "true"},
    {"no prune", false, "{'spec': {'retentionPolicy': {'prune': false}}}", S3, "{}",
     "RETENTION_PRUNE", NULL},
    {"tags", false, "{'spec': {'retentionPolicy': {'keepTags': ['a', 'b']}}}", S3, "{}",
     "RETENTION_KEEP_TAGS", "a,b"},
    {"arguments", false, "{'spec': {'target': {'args': ['--a', '--b']}}}", S3, "{}", "DRIVER_ARGS",
     "--a --b"},
    {"patterns", false, "{'spec': {'target': {'exclude': ['*.o', 'tmp']}}}", S3, "{}",
     "EXCLUDE_PATTERNS", "*.o,tmp"},
    {"odd shapes", false, "{'spec': {'target': {'args': 'x', 'ref': []}}}", "7", "[]",
     "DRIVER_ARGS", ""},
    {"nice", false, "{'spec': {'runtimeSettings': {'container': {'nice': {'adjustment': -5}}}}}",
     S3, "{}", "NICE_ADJUSTMENT", "-5"},
    {"restore: session", true, RESTORE(""), S3, "{}", "RESTORE_SESSION", "rs"},
    {"restore: kind", true, RESTORE(""), S3, "{}", "INVOKER_KIND", "RestoreSession"},
    {"restore: source", true, RESTORE(", 'rules': [{'sourceHost': 'other'}]"), S3, "{}",
     "SOURCE_HOSTNAME", "other"},
    {"restore: own host", true, RESTORE(", 'rules': [{'snapshots': ['a', 'b']}]"), S3, "{}",
     "SOURCE_HOSTNAME", "host-0"},
    {"restore: snapshots", true, RESTORE(", 'rules': [{'snapshots': ['a', 'b']}]"), S3, "{}",
     "RESTORE_SNAPSHOTS", "a,b"},
    {"restore: the rule of this host", true,
     RESTORE(", 'rules': [{'paths': ['/a']}, {'targetHosts': ['host-0'], 'paths': ['/b']}]"), S3,
     "{}", "RESTORE_PATHS", "/b"},
    {"restore: rule of another host", true,
     RESTORE(", 'rules': [{'targetHosts': ['host-1'], 'paths': ['/b']}]"), S3, "{}",
     "RESTORE_PATHS", NULL},
    {"restore: replicas", true, RESTORE(", 'replicas': 3"), S3, "{}", "TARGET_APP_REPLICAS", "3"},
    {"restore: one", true, RESTORE(""), S3, "{}", "TARGET_APP_REPLICAS", "1"},
    {"restore: no retention", true, RESTORE(""), S3, "{}", "RETENTION_PRUNE", NULL},
    {"image", false, CLAIM, S3, "{}", "GRANARY_AGENT_IMAGE", "reg:5000/a/granary-agent:1.2"},
    {"its registry", false, CLAIM, S3, "{}", "STASH_DOCKER_REGISTRY", "reg:5000/a"},
    {"its name", false, CLAIM, S3, "{}", "STASH_DOCKER_IMAGE", "granary-agent"},
    {"its tag", false, CLAIM, S3, "{}", "STASH_IMAGE_TAG", "1.2"},
};

START_TEST(test_variable)
    {
        AUTO(json) json_t *invoker = json_row(variable_rows[_i].invoker);
        AUTO(json) json_t *repository = json_row(variable_rows[_i].repository);
        AUTO(json) json_t *target = json_row(variable_rows[_i].target);
        AUTO(json) json_t *session = json_row(SESSION);
        struct settings settings = {.agent_image = (char[]){"reg:5000/a/granary-agent:1.2"}};
        struct task_run run = {.restore = variable_rows[_i].restore,
                               .invoker = invoker,
                               .session = variable_rows[_i].restore ? invoker : session,
                               .repository = repository,
                               .target = target,
                               .settings = &settings};
        AUTO(json) json_t *made = task_variables(&run);
        const char *value = tree_text(made, variable_rows[_i].name), *key;
        const json_t *any;

        ck_assert_pstr_eq(value, variable_rows[_i].value);
        tree_each (made, key, any)
            ck_assert_msg(task_variable_is_reserved(key), "%s is not reserved", key);
    }
END_TEST

START_TEST(test_image_by_digest)
    {
        struct settings settings = {.agent_image = (char[]){"granary-agent@sha256:abc"}};
        struct task_run run = {.settings = &settings};
        AUTO(json) json_t *made = task_variables(&run);

        ck_assert_str_eq(tree_text(made, "STASH_DOCKER_IMAGE"), "granary-agent@sha256");
        ck_assert_str_eq(tree_text(made, "STASH_IMAGE_TAG"), "abc");
        ck_assert_ptr_null(tree_get(made, "STASH_DOCKER_REGISTRY"));
    }
END_TEST

/* ---- resolution ---- */

#define VARIABLES                                                                                  \
    "{'TARGET_NAME': 'data', 'TARGET_APP_VERSION': '15.3', 'TARGET_APP_TYPE': 'evil/img:1', "      \
    "'EXCLUDE_PATTERNS': '$(SECRET)', 'EMPTY': '', 'TARGET_MOUNT_PATH': '/stash-data', "           \
    "'HOSTNAME': 'a/b', 'GRANARY_AGENT_IMAGE': 'reg/agent:1'}"

/* One Function named f.1, in one step with these parameters. */
static const struct {
    const char *what, *function, *step, *params;
    const char *member, *made; /* of the container */
    const char *field, *finding;
    bool fails;
} rows[] = {
#define NO_PARAMS "[]", "[]"
    {"arguments", "{'image': 'i', 'args': ['--n=${TARGET_NAME}', 'x']}", NO_PARAMS, "args",
     "['--n=data', 'x']", NULL, NULL, false},
    {"defaults", "{'image': 'i', 'args': ['${waitTimeout:=300}', '${a=b}', '${a:-c}']}", NO_PARAMS,
     "args", "['300', 'b', 'c']", NULL, NULL, false},
    {"an empty value is one", "{'image': 'i', 'args': ['${EMPTY:=d}']}", NO_PARAMS, "args", "['']",
     NULL, NULL, false},
    {"a dollar", "{'image': 'i', 'args': ['$${TARGET_NAME}']}", NO_PARAMS, "args",
     "['${TARGET_NAME}']", NULL, NULL, false},
    {"of the step", "{'image': 'i', 'args': ['${outputDir}']}",
     "[{'name': 'outputDir', 'value': '/o/${TARGET_NAME}'}]", "[]", "args", "['/o/data']", NULL,
     NULL, false},
    {"of the invoker, before the step", "{'image': 'i', 'args': ['${a}']}",
     "[{'name': 'a', 'value': 'step'}]", "[{'name': 'a', 'value': 'own'}]", "args", "['own']", NULL,
     NULL, false},
    {"a step does not take the place of a built-in", "{'image': 'i', 'args': ['${TARGET_NAME}']}",
     "[{'name': 'TARGET_NAME', 'value': 'x'}]", "[]", "args", "['data']", NULL, NULL, false},
    {"a step gives what has no value", "{'image': 'i', 'args': ['${REPOSITORY_REGION}']}",
     "[{'name': 'REPOSITORY_REGION', 'value': 'x'}]", "[]", "args", "['x']", NULL, NULL, false},
    /* PE2 */
    {"a reserved name", "{'image': 'i', 'args': ['${TARGET_NAME}']}", "[]",
     "[{'name': 'TARGET_NAME', 'value': 'x'}]", "args", "['data']", "spec.task.params[0].name",
     "TARGET_NAME is set by granary", true},
    {"a reserved name without a value here",
     "{'image': 'i', 'args': ['${REPOSITORY_SECRET_NAME:=none}']}", "[]",
     "[{'name': 'REPOSITORY_SECRET_NAME', 'value': 'x'}]", NULL, NULL, "spec.task.params[0].name",
     "REPOSITORY_SECRET_NAME is set by granary", true},
    {"unknown", "{'image': 'i', 'args': ['a', '${TARGET_NAM}']}", NO_PARAMS, NULL, NULL,
     "spec.args[1]", "Function f.1: unknown variable ${TARGET_NAM}; did you mean ${TARGET_NAME}?",
     true},
    {"known, without a value", "{'image': 'i', 'args': ['${REPOSITORY_REGION}']}", NO_PARAMS, NULL,
     NULL, "spec.args[0]", "Function f.1: variable ${REPOSITORY_REGION} has no value here", true},
    {"malformed", "{'image': 'i', 'args': ['${TARGET_NAME']}", NO_PARAMS, NULL, NULL,
     "spec.args[0]", "has no closing brace", true},
    {"nobody reads it", "{'image': 'i'}", "[]", "[{'name': 'arsg', 'value': 'x'}]", NULL, NULL,
     "spec.task.params[0].name", "no Function of the Task reads the parameter arsg", false},
    /* PE1: a value is one string, and nothing in it is read again */
    {"quotes", "{'image': 'i', 'args': ['${a}']}", "[]",
     "[{'name': 'a', 'value': 'x\\\",\\\"image\\\":\\\"evil'}]", "args",
     "['x\\\",\\\"image\\\":\\\"evil']", NULL, NULL, false},
    {"a variable in a value", "{'image': 'i', 'args': ['${a}']}", "[]",
     "[{'name': 'a', 'value': '${TARGET_NAME}'}]", "args", "['$${TARGET_NAME}']", NULL, NULL,
     false},
    {"what a kubelet would read", "{'image': 'i', 'args': ['${a}', '${EXCLUDE_PATTERNS}']}", "[]",
     "[{'name': 'a', 'value': '$(PASSWORD)'}]", "args", "['$$(PASSWORD)', '$$(SECRET)']", NULL,
     NULL, false},
    {"a control character", "{'image': 'i', 'args': ['${a}']}", "[]",
     "[{'name': 'a', 'value': 'x\\ny'}]", NULL, NULL, "spec.args[0]", "control character", true},
    {"in a variable of the environment",
     "{'image': 'i', 'runtimeSettings': {'env': [{'name': 'A', 'value': '${a}'}]}}", "[]",
     "[{'name': 'a', 'value': '$x'}]", "env", "[{'name': 'A', 'value': '$$x'}]", NULL, NULL, false},
    {"no name of a Secret",
     "{'image': 'i', 'runtimeSettings': {'env': [{'name': 'A', 'valueFrom': {'secretKeyRef': "
     "{'name': '${a}', 'key': 'k'}}}]}}",
     "[]", "[{'name': 'a', 'value': 'x'}]", NULL, NULL,
     "spec.runtimeSettings.env[0].valueFrom.secretKeyRef.name", "reaches args and env only", true},
    {"no command", "{'image': 'i', 'command': ['sh', '-c', '${a}']}", "[]",
     "[{'name': 'a', 'value': 'x'}]", NULL, NULL, "spec.command[2]", "reaches args and env only",
     true},
    {"no image", "{'image': 'reg/${a}'}", "[]", "[{'name': 'a', 'value': 'x'}]", NULL, NULL,
     "spec.image", "reaches args and env only", true},
    {"no mount", "{'image': 'i', 'volumeMounts': [{'name': 'v', 'mountPath': '${a}'}]}", "[]",
     "[{'name': 'a', 'value': '/etc'}]", NULL, NULL, "spec.volumeMounts[0].mountPath",
     "reaches args and env only", true},
    {"a step may choose volumes",
     "{'image': 'i', 'volumeMounts': [{'name': '${v}', 'mountPath': "
     "'${TARGET_MOUNT_PATH}'}]}",
     "[{'name': 'v', 'value': 'stash-volume'}]", "[]", "volumeMounts",
     "[{'mountPath': '/stash-data', 'name': 'stash-volume'}]", NULL, NULL, false},
    {"what came out is judged",
     "{'image': 'i', 'volumeMounts': [{'name': '${v}', 'mountPath': "
     "'/x'}]}",
     "[{'name': 'v', 'value': 'No Name'}]", "[]", NULL, NULL, "spec.volumeMounts[0].name",
     "Function f.1: ", true},
    {"a tag from the target", "{'image': 'reg/pg:${TARGET_APP_VERSION}'}", NO_PARAMS, "image",
     "'reg/pg:15.3'", NULL, NULL, false},
    {"no image from the target", "{'image': '${TARGET_APP_TYPE}'}", NO_PARAMS, NULL, NULL,
     "spec.image", "the value of TARGET_APP_TYPE is no tag of an image", true},
    {"no image from an alias", "{'image': '${HOSTNAME}'}", NO_PARAMS, NULL, NULL, "spec.image",
     "the value of HOSTNAME is no tag of an image", true},
    {"our image", "{'image': '${GRANARY_AGENT_IMAGE}', 'args': ['${ADDON_IMAGE:=}']}", NO_PARAMS,
     "args", "['reg/agent:1']", NULL, NULL, false},
    {"without an image", "{'args': ['x']}", NO_PARAMS, NULL, NULL, "spec.image", "has no image",
     true},
    {"its name", "{'image': 'i'}", NO_PARAMS, "name", "'f-1-0'", NULL, NULL, false},
    {"settings", "{'image': 'i', 'runtimeSettings': {'securityContext': {'runAsUser': 5}}}",
     NO_PARAMS, "securityContext", "{'runAsUser': 5}", NULL, NULL, false},
};

static bool told(const struct findings *findings, const char *field, const char *text)
{
    for (size_t i = 0; i < findings->count; i++)
        if (!strcmp(findings->items[i].field, field) && strstr(findings->items[i].message, text))
            return true;
    return false;
}

static json_t *task_of(const char *step, const char *volumes)
{
    AUTO(free)
    char *text = text_format(
        "{'metadata': {'name': 't'}, 'spec': {'steps': [{'name': 'f.1', 'params': %s}]%s%s}}", step,
        *volumes ? ", 'volumes': " : "", volumes);

    return json_row(text);
}

static json_t *functions_of(const char *spec)
{
    AUTO(free) char *text = text_format("[{'metadata': {'name': 'f.1'}, 'spec': %s}]", spec);

    return json_row(text);
}

START_TEST(test_resolve)
    {
        AUTO(json) json_t *task = task_of(rows[_i].step, "");
        AUTO(json) json_t *functions = functions_of(rows[_i].function);
        AUTO(json) json_t *variables = json_row(VARIABLES);
        AUTO(json) json_t *params = json_row(rows[_i].params);
        AUTO(task_made) struct task_made made = {0};
        AUTO(findings) struct findings findings = {0};
        struct task_request request = {task, functions, variables, params};
        bool done = task_resolve(&request, &made, &findings);
        const json_t *container = json_array_get(made.containers, 0);

        ck_assert_msg(done != rows[_i].fails, "%s: %s", rows[_i].what,
                      findings.count ? findings.items[0].message : "");
        ck_assert_msg(!rows[_i].finding || told(&findings, rows[_i].field, rows[_i].finding),
                      "%s: %s: %s", rows[_i].what, findings.count ? findings.items[0].field : "",
                      findings.count ? findings.items[0].message : "no finding");
        if (!rows[_i].finding)
            ck_assert_uint_eq(findings.count, 0);
        if (rows[_i].member) {
            AUTO(json) json_t *wanted = json_row(rows[_i].made);

            ck_assert_msg(tree_equal(tree_get(container, rows[_i].member), wanted), "%s",
                          tree_format(tree_get(container, rows[_i].member), NULL));
        }
    }
END_TEST

START_TEST(test_steps)
    {
        AUTO(json)
        json_t *task = json_row("{'metadata': {'name': 't'}, 'spec': {'steps': [{'name': "
                                "'dump'}, {'name': 'up.load'}], 'volumes': [{'name': "
                                "'stash-volume', 'persistentVolumeClaim': {'claimName': "
                                "'${TARGET_NAME}'}}]}}");
        AUTO(json)
        json_t *functions =
            json_row("[{'metadata': {'name': 'up.load'}, 'spec': {'image': 'u', 'runtimeSettings': "
                     "{'lifecycle': {}}}}, {'metadata': {'name': 'dump'}, 'spec': {'image': 'd', "
                     "'runtimeSettings': {'lifecycle': {}}}}]");
        AUTO(json) json_t *variables = json_row(VARIABLES);
        AUTO(task_made) struct task_made made = {0};
        AUTO(findings) struct findings findings = {0};
        struct task_request request = {
            .task = task, .functions = functions, .variables = variables};

        ck_assert(task_resolve(&request, &made, &findings));
        AUTO(json)
        json_t *wanted = json_row(
            "[{'name': 'dump-0', 'image': 'd', 'imagePullPolicy': 'IfNotPresent'}, {'name': "
            "'up-load-1', 'image': 'u', 'imagePullPolicy': 'IfNotPresent', 'lifecycle': {}}]");
        AUTO(json)
        json_t *volumes = json_row("[{'name': 'stash-volume', 'persistentVolumeClaim': "
                                   "{'claimName': 'data'}}]");

        ck_assert(tree_equal(made.containers, wanted));
        ck_assert(tree_equal(made.volumes, volumes));
    }
END_TEST

/* A Task that can not be run. */
static const struct {
    const char *task, *field, *finding;
} bad_tasks[] = {
    {"{'metadata': {'name': 't'}, 'spec': {'steps': []}}", "spec.steps", "1 to 32 steps"},
    {"{'metadata': {'name': 't'}, 'spec': {}}", "spec.steps", "1 to 32 steps"},
    {"null", "spec.steps", "1 to 32 steps"},
    {"{'metadata': {'name': 't'}, 'spec': {'steps': [{'name': 'f.1'}, {'name': 'none'}]}}",
     "spec.steps[1].name", "Task t: there is no Function none"},
    {"{'metadata': {'name': 't'}, 'spec': {'steps': [7]}}", "spec.steps[0].name",
     "there is no Function"},
    {"{'metadata': {'name': 't'}, 'spec': {'steps': [{'name': 'f.1'}], 'volumes': [{'name': 'v', "
     "'secret': {'secretName': '${password}'}}]}}",
     "spec.volumes[0].secret.secretName", "reaches args and env only"},
    {"{'metadata': {'name': 't'}, 'spec': {'steps': [{'name': 'f.1'}], 'volumes': [{'name': 'v', "
     "'secret': {'secretName': '${nobody}'}}]}}",
     "spec.volumes[0].secret.secretName", "Task t: unknown variable ${nobody}"},
    {"{'metadata': {'name': 't'}, 'spec': {'steps': [{'name': 'f.1', 'params': [{'name': 'a', "
     "'value': '${password}'}]}]}}",
     "spec.steps[0].params[0].value", "reaches args and env only"},
};

START_TEST(test_bad_task)
    {
        AUTO(json) json_t *task = json_row(bad_tasks[_i].task);
        AUTO(json) json_t *functions = functions_of("{'image': 'i', 'args': ['${password}']}");
        AUTO(json) json_t *variables = json_row(VARIABLES);
        AUTO(json) json_t *params = json_row("[{'name': 'password', 'value': 'x'}]");
        AUTO(task_made) struct task_made made = {0};
        AUTO(findings) struct findings findings = {0};
        struct task_request request = {task, functions, variables, params};

        ck_assert(!task_resolve(&request, &made, &findings));
        ck_assert_msg(told(&findings, bad_tasks[_i].field, bad_tasks[_i].finding), "%s: %s",
                      findings.items[0].field, findings.items[0].message);
    }
END_TEST

/* ---- which Task ---- */

#define ADDON                                                                                      \
    "{'spec': {'parameters': {'stash': {'addon': {'backupTask': {'name': 'b', 'params': "          \
    "[{'name': 'x', 'value': '1'}, {'name': 'y', 'value': '2'}]}, 'restoreTask': {'name': "        \
    "'r'}}}}}}"

static const struct {
    const char *invoker, *app, *name, *params;
    bool restore;
} name_rows[] = {
    {"{'spec': {'task': {'name': 'own'}}}", ADDON, "own",
     "[{'name': 'x', 'value': '1'}, {'name': 'y', 'value': '2'}]", false},
    {"{'spec': {'task': {'params': [{'name': 'y', 'value': '3'}]}}}", ADDON, "b",
     "[{'name': 'y', 'value': '3'}, {'name': 'x', 'value': '1'}]", false},
    {"{'spec': {}}", ADDON, "r", "[]", true},
    {"{'spec': {}}", "{}", "", "[]", false},
    {"{'spec': {'task': {'name': 'etcd-backup-${TARGET_APP_VERSION}'}}}", "{}", "etcd-backup-15.3",
     "[]", false},
    {"{'spec': {'task': {'name': 'etcd-backup-${TARGET_APP_TYPE}'}}}", "{}", NULL, "[]", false},
    {"{'spec': {'task': {'name': '${nothing}'}}}", "{}", NULL, "[]", false},
    {"{'spec': {'task': {'name': '${REPOSITORY_REGION}'}}}", "{}", NULL, "[]", false},
};

START_TEST(test_name)
    {
        AUTO(json) json_t *invoker = json_row(name_rows[_i].invoker);
        AUTO(json) json_t *app = json_row(name_rows[_i].app);
        AUTO(json) json_t *variables = json_row(VARIABLES);
        AUTO(json) json_t *wanted = json_row(name_rows[_i].params);
        struct error err = {0};
        AUTO(free) char *name = task_name(invoker, app, name_rows[_i].restore, variables, &err);
        AUTO(json) json_t *params = task_params(invoker, app, name_rows[_i].restore);

        ck_assert_pstr_eq(name, name_rows[_i].name);
        ck_assert(name || strstr(err.message, "spec.task.name"));
        ck_assert(tree_equal(params, wanted));
    }
END_TEST

static const struct {
    const char *wanted, *tasks, *found;
} nearest_rows[] = {
    {"postgres-backup-15.3", "postgres-backup-15.2 postgres-backup-16.1", "postgres-backup-15.2"},
    {"postgres-backup-15.3", "postgres-backup-15.9 postgres-backup-15.4", "postgres-backup-15.4"},
    {"postgres-backup-15.3", "postgres-backup-15.1 postgres-backup-15.2", "postgres-backup-15.2"},
    {"postgres-backup-15.3", "postgres-backup-17.0 postgres-backup-16.1", "postgres-backup-16.1"},
    {"postgres-backup-15.3", "postgres-backup-14.9 postgres-backup-9.6", NULL},
    {"postgres-backup-15.3", "postgres-restore-15.3 mysql-backup-15.3", NULL},
    {"postgres-backup-15.3-alpine", "postgres-backup-15.3", "postgres-backup-15.3"},
    {"etcd-backup-3.5.10", "etcd-backup-3.5.9 etcd-backup-3.6.0", "etcd-backup-3.5.9"},
    {"etcd-backup-3.5.10", "etcd-backup-3.4.0 etcd-backup-3.6.0", "etcd-backup-3.6.0"},
    {"etcd-backup-3.6.1", "etcd-backup-3.5.9 etcd-backup-3.5.10", "etcd-backup-3.5.10"},
    {"pvc-backup", "pvc-backup-1", NULL},
    {"x-99999999999999999999", "x-99999999999999999999", "x-99999999999999999999"},
    {"x-1", "x-backup-1 x", NULL},
    {"", "x-1", NULL},
};

START_TEST(test_nearest)
    {
        AUTO(json) json_t *tasks = json_array();
        struct span rest = span_of(nearest_rows[_i].tasks), name;

        while (text_split(&rest, ' ', &name)) {
            json_t *task = json_object(), *metadata = json_object();

            tree_put_span(metadata, "name", name);
            tree_put_new(task, "metadata", metadata);
            tree_push_new(tasks, task);
        }
        ck_assert_pstr_eq(task_nearest(nearest_rows[_i].wanted, tasks), nearest_rows[_i].found);
    }
END_TEST

SUITE(task)
{
    suite_rows(tests, test_variable, variable_rows);
    tcase_add_test(tests, test_image_by_digest);
    suite_rows(tests, test_resolve, rows);
    tcase_add_test(tests, test_steps);
    suite_rows(tests, test_bad_task, bad_tasks);
    suite_rows(tests, test_name, name_rows);
    suite_rows(tests, test_nearest, nearest_rows);
}
