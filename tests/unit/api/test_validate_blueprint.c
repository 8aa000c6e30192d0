#include "api/validate.h"

#include "base/auto.h"
#include "tests/unit/api/judged.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const char blueprint[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBlueprint',"
    " 'metadata': {'name': 'workload-backup-blueprint'},"
    " 'spec': {'backend': {'gcs': {'bucket': 'stash-testing',"
    "    'prefix': 'stash-backup/${TARGET_NAMESPACE}/${TARGET_KIND}/${TARGET_NAME}'},"
    "   'storageSecretName': 'gcs-secret'}, 'wipeOut': false, 'usagePolicy': {"
    "   'allowedNamespaces': {'from': 'Same'}}, 'repoNamespace': 'storage',"
    "  'schedule': '*/5 * * * *', 'task': {'name': "
    "'${TARGET_APP_RESOURCE}-backup-${TARGET_APP_VERSION}'},"
    "  'retentionPolicy': {'name': 'keep-last-5', 'keepLast': 5, 'prune': true},"
    "  'runtimeSettings': {'container': {'securityContext': {'runAsUser': 1000}}},"
    "  'tempDir': {'medium': 'Memory'}, 'interimVolumeTemplate': {'metadata': {"
    "    'name': '${TARGET_APP_RESOURCE}-${TARGET_NAME}'}, 'spec': {"
    "    'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '1Gi'}}}},"
    "  'hooks': {'preBackup': {'exec': {'command': ['sh', '-c', 'echo ${HOME} {{ x']}}},"
    "  'backupHistoryLimit': 3, 'timeOut': '1h', 'retryConfig': {'maxRetry': 1, 'delay': '1m'},"
    "  'overrides': [{'key': 'schedule', 'min': '1h'}, {'key': 'retention', 'max': 'last=5'},"
    "    {'key': 'paused'}], 'allowedNamespaces': {'from': 'Selector', 'selector': {"
    "    'matchLabels': {'a': 'b'}}}, 'enforcement': 'Deny', 'existing': 'Restart',"
    "  'rollout': {'maxPerMinute': 5}, 'mode': 'Sidecar', 'fileAccess': 'Root',"
    "  'guard': {'shrinkPercent': 50, 'action': 'Warn'}, 'verify': {'schedule': '@weekly'},"
    "  'jitter': '5m', 'agentSecretName': 'append-only'}}";

static const struct judged rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/retentionPolicy", NULL, "spec.retentionPolicy", "is required"},
    {"/spec/backend", NULL, "spec.backend", "is required"},
    {"/spec/backend/s3", "{'endpoint': 'x', 'bucket': 'y'}", "spec.backend", "only one is allowed"},
    {"/spec/backend/gcs/prefix", "'constant'", "spec.backend",
     "warning: all targets share one place"},
    {"/spec/backend/gcs/bucket", "'b-${TARGET_NAME}'", NULL, NULL},
    {"/spec/wipeOut", "true", NULL, NULL},
    {"/spec/schedule", NULL, "spec.schedule", "warning: each target must name"},
    {"/spec/schedule", "'* * * *'", "spec.schedule", "4 fields"},
    {"/spec/target", "{}", "spec.target", "warning: unknown field"},
    {"/spec/repoNamespace", "'A'", "spec.repoNamespace", "lower-case"},
    {"/spec/backupNamespace", "'a.b'", "spec.backupNamespace", "lower-case"},
    {"/spec/overrides/0/key", "'shedule'", "spec.overrides[0]", "did you mean \"schedule\""},
    {"/spec/overrides/0/key", "'zzz'", "spec.overrides[0]", "there is no such key"},
    {"/spec/overrides/0/key", NULL, "spec.overrides[0].key", "is required"},
    {"/spec/overrides/0/min", "'90m'", NULL, NULL},
    {"/spec/overrides/0/min", "'1'", "spec.overrides[0]", "lacks its unit"},
    {"/spec/overrides/0/max", "'1h'", "spec.overrides[0]", "max"},
    {"/spec/overrides/2/min", "'x'", "spec.overrides[2]", "paused has no bounds"},
    {"/spec/overrides/2/key", "'schedule'", "spec.overrides[2].key", "is given twice"},
    /* variables */
    {"/spec/backend/gcs/prefix", "'${TARGET_NAME'", "spec.backend.gcs.prefix", "${"},
    {"/spec/backend/gcs/prefix", "'${TARGET_NAM}/${TARGET_NAME}'", "spec.backend.gcs.prefix",
     "TARGET_NAM"},
    {"/spec/backend/gcs/prefix", "'$${X}/${TARGET_NAME}'", NULL, NULL},
    {"/spec/allowedNamespaces", "{'from': 'All'}", NULL, NULL},
    {"/spec/allowedNamespaces/selector", NULL, "spec.allowedNamespaces.selector", "is required"},
    {"/spec/enforcement", "'deny'", "spec.enforcement", "expected Warn or Deny"},
    {"/spec/existing", "'wait'", "spec.existing", "expected Wait or Restart"},
    {"/spec/rollout/maxPerMinute", "0", "spec.rollout.maxPerMinute", "between 1"},
    {"/spec/mode", "'sidecar'", "spec.mode", "expected Auto"},
    {"/spec/fileAccess", "''", "spec.fileAccess", "expected Auto"},
    {"/spec/jitter", "'-1s'", "spec.jitter", "at least 0s"},
    {"/spec/agentSecretName", "'A'", "spec.agentSecretName", "lower-case"},
    {"/spec/runtimeSettings/container/securityContext/runAsUser", "'x'",
     "spec.runtimeSettings.container.securityContext.runAsUser", "expected a whole number"},
    {"/metadata/name", "'A'", "metadata.name", "lower-case"},
};

START_TEST(blueprints)
    {
        judged_row(blueprint, &rows[_i]);
    }
END_TEST

/* What substitution made of one member of spec. */
static const struct {
    const char *member, *value;
    const char *field; /* NULL: nothing is said */
} resolved_rows[] = {
    {NULL, NULL, NULL},
    {"task", "{'name': 'mysql-backup-8.0.14'}", NULL},
    {"task", "{'name': 'mysql-backup-8.0 (Debian)'}", "spec.task.name"},
    {"schedule", "'0 25 * * *'", "spec.schedule"},
    {"schedule", "'${LEFT}'", "spec.schedule"},
    {"runtimeSettings", "{'container': {'env': [{'name': '1app', 'value': 'x'}]}}",
     "spec.runtimeSettings.container.env[0].name"},
    {"runtimeSettings", "{'container': {'env': [{'name': 'app', 'value': '1'}]}}", NULL},
    {"backend", "{'storageSecretName': 's', 'gcs': {'bucket': 'b', 'prefix': 'a/../b'}}",
     "spec.backend.gcs.prefix"},
    {"hooks", "{'preBackup': {'exec': {'command': ['echo ${HOME}']}}}", NULL},
};

START_TEST(what_variables_made_is_judged)
    {
        AUTO(json) json_t *object = json_row(blueprint);
        AUTO(findings) struct findings findings = {0};
        const json_t *spec = json_object_get(object, "spec");
        AUTO(json) json_t *resolved = json_copy((json_t *)spec);

        if (resolved_rows[_i].member)
            json_object_set_new(resolved, resolved_rows[_i].member,
                                json_row(resolved_rows[_i].value));
        validate_resolved(spec, resolved, &findings);
        ck_assert_uint_eq(findings.count, resolved_rows[_i].field ? 1 : 0);
        if (resolved_rows[_i].field)
            ck_assert_str_eq(findings.items[0].field, resolved_rows[_i].field);
    }
END_TEST

START_TEST(mutated_objects_crash_nothing)
    {
        ck_assert_uint_gt(judged_mutations(blueprint), 1000);
    }
END_TEST

SUITE(api_validate_blueprint)
{
    suite_rows(tests, blueprints, rows);
    suite_rows(tests, what_variables_made_is_judged, resolved_rows);
    tcase_add_test(tests, mutated_objects_crash_nothing);
}
