#include "api/validate.h"

#include "base/auto.h"
#include "tests/unit/api/judged.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* As Stash's documentation has it: a volume of a Deployment, hooks, limits. */
static const char workload[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration',"
    " 'metadata': {'name': 'deployment-backup', 'namespace': 'demo'},"
    " 'spec': {"
    "  'driver': 'Restic', 'repository': {'name': 'gcs-repo'}, 'schedule': '*/5 * * * *',"
    "  'target': {'alias': 'app-data', 'ref': {'apiVersion': 'apps/v1', 'kind': 'Deployment',"
    "    'name': 'stash-demo'},"
    "   'volumeMounts': [{'name': 'source-data', 'mountPath': '/source/data'}],"
    "   'paths': ['/source/data'], 'exclude': ['/source/data/not-important.txt'],"
    "   'args': ['--ignore-inode', '--tag=t1,t2']},"
    "  'runtimeSettings': {"
    "   'container': {'resources': {'requests': {'memory': '256M'},"
    "     'limits': {'memory': '256M'}}, 'securityContext': {'runAsUser': 2000,"
    "     'runAsGroup': 2000}, 'nice': {'adjustment': 5}, 'ionice': {'class': 2,"
    "     'classData': 4}},"
    "   'pod': {'imagePullSecrets': [{'name': 'my-private-registry-secret'}],"
    "    'serviceAccountName': 'my-backup-sa'}},"
    "  'tempDir': {'medium': 'Memory', 'disableCaching': false},"
    "  'hooks': {'preBackup': {'exec': {'command': ['/bin/sh', '-c', 'mysql -u root -e flush']},"
    "     'containerName': 'my-app-container'},"
    "   'postBackup': {'executionPolicy': 'Always', 'httpPost': {'host': 'hooks.slack.com',"
    "     'path': '/services/x', 'port': 443, 'scheme': 'HTTPS', 'httpHeaders': [{"
    "     'name': 'Content-Type', 'value': 'application/json'}],"
    "     'body': '{{if eq .Status.Phase `Succeeded`}}ok{{else}}{{.Status.Error}}{{end}}'}}},"
    "  'retentionPolicy': {'name': 'keep-last-5', 'keepLast': 5, 'prune': true},"
    "  'paused': false, 'backupHistoryLimit': 3, 'timeOut': '10m',"
    "  'retryConfig': {'maxRetry': 3, 'delay': '10m'}}}";

static const char database[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration',"
    " 'metadata': {'name': 'sample-backup', 'namespace': 'demo'},"
    " 'spec': {'schedule': '@every 6h', 'task': {'name': 'mysql-backup-8.0.14',"
    "   'params': [{'name': 'args', 'value': '--all-databases'}, {'name': 'x', 'value': ''}]},"
    "  'repository': {'name': 'gcs-repo', 'namespace': 'storage'},"
    "  'target': {'ref': {'apiVersion': 'appcatalog.appscode.com/v1alpha1',"
    "    'kind': 'AppBinding', 'name': 'sample-mysql', 'namespace': 'other'},"
    "   'args': ['--whatever the addon knows']},"
    "  'interimVolumeTemplate': {'metadata': {'name': 'interim'}, 'spec': {"
    "   'accessModes': ['ReadWriteOnce'], 'storageClassName': 'standard',"
    "   'resources': {'requests': {'storage': '1Gi'}}}},"
    "  'retentionPolicy': {'name': 'x', 'keepDaily': 7, 'keepWithin': '2y5m7d3h',"
    "   'prune': false}}}";

static const struct judged configuration_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/repository", NULL, "spec.repository", "is required: the Repository"},
    {"/spec/repository/name", NULL, "spec.repository.name", "is required"},
    {"/spec/repository/name", "''", "spec.repository.name", "must not be empty"},
    {"/spec/repository/name", "'A'", "spec.repository.name", "lower-case"},
    {"/spec/repository", "null", "spec.repository", "is required"},
    {"/spec/repository", "'gcs-repo'", "spec.repository", "expected an object, found a string"},
    {"/spec/schedule", NULL, "spec.schedule", "unless paused"},
    {"/spec/schedule", "''", "spec.schedule", "unless paused"},
    {"/spec/schedule", "'0 25 * * *'", "spec.schedule", "hour \"25\" is out of range"},
    {"/spec/schedule", "'0 0 30 2 *'", "spec.schedule", "never fires"},
    {"/spec/schedule", "'TZ=UTC 0 0 * * *'", "spec.schedule", "spec.timeZone"},
    {"/spec/schedule", "5", "spec.schedule", "expected a string, found a number"},
    {"/spec/shedule", "'@daily'", "spec.shedule", "warning: did you mean \"schedule\""},
    {"/spec/zzz", "1", "spec.zzz", "warning: unknown field"},
    {"/specs", "{}", "specs", "warning: did you mean \"spec\""},
    {"/spec", NULL, "spec", "is required"},
    {"/spec", "[]", "spec", "expected an object, found a list"},
    {"/apiVersion", "'stash.appscode.com/v1alpha1'", "apiVersion",
     "of a BackupConfiguration is stash.appscode.com/v1beta1"},
    {"/metadata/labels", "{'a b': 'c'}", "metadata.labels[a b]", "the key: expected a key"},
    {"/metadata/labels", "{'a': 'c d'}", "metadata.labels[a]", "letters, digits"},
    {"/metadata/annotations", "{'a': '\\u0000'}", NULL, NULL}, /* J5 */
    /* driver */
    {"/spec/driver", NULL, NULL, NULL},
    {"/spec/driver", "'VolumeSnapshotter'", "spec.driver", "does not take volume snapshots"},
    {"/spec/driver", "'restic'", "spec.driver", "\"restic\" is not supported, expected Restic or"},
    /* retention */
    {"/spec/retentionPolicy", NULL, "spec.retentionPolicy", "is required"},
    {"/spec/retentionPolicy/name", NULL, "spec.retentionPolicy.name", "is required"},
    {"/spec/retentionPolicy/prune", NULL, "spec.retentionPolicy.prune", "is required"},
    {"/spec/retentionPolicy/prune", "'yes'", "spec.retentionPolicy.prune",
     "expected true or false"},
    {"/spec/retentionPolicy/keepLast", NULL, "spec.retentionPolicy", "warning: no keep rule"},
    {"/spec/retentionPolicy/keepLast", "0", "spec.retentionPolicy.keepLast",
     "warning: 0 is no rule"},
    {"/spec/retentionPolicy/keepLast", "0", "spec.retentionPolicy", "warning: no keep rule"},
    {"/spec/retentionPolicy/keepLast", "-1", "spec.retentionPolicy.keepLast", "between 0 and"},
    {"/spec/retentionPolicy/keepLast", "1.5", "spec.retentionPolicy.keepLast",
     "expected a whole number, found a number with a fraction"},
    {"/spec/retentionPolicy/keepYearly", "1", NULL, NULL},
    {"/spec/retentionPolicy/keepWithin", "'30d'", NULL, NULL},
    {"/spec/retentionPolicy/keepWithin", "'30'", "spec.retentionPolicy.keepWithin",
     "lacks its unit"},
    {"/spec/retentionPolicy", "{'name': 'a', 'keepTags': ['x'], 'prune': true}",
     "spec.retentionPolicy.keepTags", "warning: the only keep rule"},
    {"/spec/retentionPolicy/keepTags", "['--x']", "spec.retentionPolicy.keepTags[0]",
     "does not begin"},
    /* target */
    {"/spec/target", NULL, "spec.target", "is required, unless a task"},
    {"/spec/target/ref", NULL, "spec.target.ref", "is required, unless a task"},
    {"/spec/target/ref/name", NULL, "spec.target.ref.name", "is required"},
    {"/spec/target/ref/kind", "'Deploymnt'", "spec.target.ref.kind", "did you mean \"Deployment\""},
    {"/spec/target/ref/kind", "'Job'", "spec.target.ref.kind", "a workload, a Persist"},
    {"/spec/target/ref/kind", "'ReplicaSet'", NULL, NULL},
    {"/spec/target/ref/apiVersion", "'v1'", "spec.target.ref.apiVersion",
     "of a Deployment is apps/v1"},
    {"/spec/target/ref/apiVersion", "'apps/v1beta2'", NULL, NULL},
    {"/spec/target/ref/namespace", "'demo'", NULL, NULL},
    {"/spec/target/ref/namespace", "'other'", "spec.target.ref.namespace",
     "a workload in another namespace"},
    {"/spec/target/alias", "'a b'", "spec.target.alias", "expected a host"},
    {"/spec/target/paths/0", "''", "spec.target.paths[0]", "expected an absolute path"},
    {"/spec/hooks/preBackup/exec/command/2", "''", NULL, NULL},
    {"/spec/target/paths/0", "'source'", "spec.target.paths[0]", "expected an absolute path"},
    {"/spec/target/paths/0", "'/source/../etc'", "spec.target.paths[0]", "\"..\" is not allowed"},
    {"/spec/target/paths/0", "'/source/data/x'", NULL, NULL},
    {"/spec/target/paths/0", "'/source/database'", "spec.target.paths[0]",
     "warning: below none of the volumeMounts"},
    {"/spec/target/paths/1", "'/source/data'", "spec.target.paths[1]", "warning: is given twice"},
    {"/spec/target/paths/1", "7", "spec.target.paths[1]", "expected a string, found a number"},
    {"/spec/target/paths", "'/source'", "spec.target.paths", "expected a list, found a string"},
    {"/spec/target/exclude/0", "'a\\nb'", "spec.target.exclude[0]", "line breaks"},
    {"/spec/target/args/1", "'--password-command=x'", "spec.target.args[1]",
     "option --password-command is not allowed"},
    {"/spec/target/volumeMounts/0/name", NULL, "spec.target.volumeMounts[0].name", "is required"},
    {"/spec/target/volumeMounts/0/mountPath", NULL, "spec.target.volumeMounts[0].mountPath",
     "is required"},
    {"/spec/target/volumeMounts/0/mountPath", "'/'", "spec.target.volumeMounts[0].mountPath",
     "would hide"},
    {"/spec/target/volumeMounts/0/mountPath", "'/proc/1'", "spec.target.volumeMounts[0].mountPath",
     "/proc belongs to the container"},
    {"/spec/target/volumeMounts/0/mountPath", "'/var/run/secrets/'",
     "spec.target.volumeMounts[0].mountPath", "/var/run/secrets belongs"},
    {"/spec/target/volumeMounts/0/mountPath", "'/stash-tmp'",
     "spec.target.volumeMounts[0].mountPath", "/stash-tmp belongs"},
    {"/spec/target/volumeMounts/0/mountPath", "'/source'", NULL, NULL},
    {"/spec/target/volumeMounts/0/subPath", "'../x'", "spec.target.volumeMounts[0].subPath",
     "\"..\" is not allowed"},
    {"/spec/target/volumeMounts/0/subPathExpr", "'$(POD_NAME)'", NULL, NULL},
    {"/spec/target/volumeMounts/1", "{'name': 'b', 'mountPath': '/source/data'}",
     "spec.target.volumeMounts[1].mountPath", "is given twice"},
    {"/spec/target/replicas", "-1", "spec.target.replicas", "between 0 and"},
    /* limits */
    {"/spec/backupHistoryLimit", "-1", "spec.backupHistoryLimit", "between 0 and 2147483647"},
    {"/spec/backupHistoryLimit", "0", NULL, NULL},
    {"/spec/timeOut", "'0s'", "spec.timeOut", "above 0s"},
    {"/spec/timeOut", "'1d'", "spec.timeOut", "write days in hours"},
    {"/spec/retryConfig/maxRetry", "-1", "spec.retryConfig.maxRetry", "between 0"},
    {"/spec/retryConfig/delay", "'0s'", NULL, NULL},
    {"/spec/retryConfig/delay", "'-1s'", "spec.retryConfig.delay", "at least 0s"},
    {"/spec/paused", "'true'", "spec.paused", "expected true or false, found a string"},
    {"/spec/tempDir/medium", "'HugePages'", "spec.tempDir.medium", "expected \"\" or Memory"},
    {"/spec/tempDir/sizeLimit", "'1Gi'", "spec.tempDir.sizeLimit", "warning: evicts the pod"},
    {"/spec/tempDir/sizeLimit", "'0'", "spec.tempDir.sizeLimit", "must be above zero"},
    {"/spec/tempDir/sizeLimit", "'1Gb'", "spec.tempDir.sizeLimit", "unknown suffix"},
    {"/spec/task", "{'params': [{'name': 'a', 'value': '1'}, {'name': 'a', 'value': '2'}]}",
     "spec.task.params[1].name", "is given twice"},
    {"/spec/task", "{'params': [{'name': 'a'}]}", "spec.task.params[0].value", "is required"},
    /* additive */
    {"/spec/mode", "'Job'", NULL, NULL},
    {"/spec/mode", "'job'", "spec.mode", "expected Auto, Sidecar or Job"},
    {"/spec/fileAccess", "'Follow'", NULL, NULL},
    {"/spec/fileAccess", "'root'", "spec.fileAccess", "expected Auto, Follow or Root"},
    {"/spec/guard", "{'shrinkPercent': 90, 'action': 'Fail'}", NULL, NULL},
    {"/spec/guard", "{'shrinkPercent': 101}", "spec.guard.shrinkPercent", "between 1 and 100"},
    {"/spec/guard", "{'action': 'warn'}", "spec.guard.action", "expected Warn or Fail"},
    {"/spec/verify", "{'schedule': '@weekly', 'files': 5, 'command': ['true']}", NULL, NULL},
    {"/spec/verify", "{'files': 5}", "spec.verify.schedule", "is required"},
    {"/spec/verify", "{'schedule': '@weekly', 'files': 0}", "spec.verify.files", "between 1"},
    {"/spec/verify", "{'schedule': '@weekly', 'command': []}", "spec.verify.command", "at least 1"},
    {"/spec/jitter", "'5m'", NULL, NULL},
    {"/spec/jitter", "'5'", "spec.jitter", "lacks its unit"},
    /* hooks */
    {"/spec/hooks/preBackup", "{}", "spec.hooks.preBackup",
     "at least one is needed: exec, httpGet"},
    {"/spec/hooks/preBackup/exec/command", "[]", "spec.hooks.preBackup.exec.command", "at least 1"},
    {"/spec/hooks/preBackup/exec/command/2", "'{{ .Foo }}'", "spec.hooks.preBackup.exec.command[2]",
     "template: only fields"},
    {"/spec/hooks/preBackup/executionPolicy", "'Always'", "spec.hooks.preBackup.executionPolicy",
     "warning: unknown field"},
    {"/spec/hooks/preBackup/containerName", "'A'", "spec.hooks.preBackup.containerName",
     "lower-case"},
    {"/spec/hooks/preBackup/httpGet", "{'port': 'http', 'path': '/'}", NULL, NULL},
    {"/spec/hooks/preBackup/httpGet", "{'port': 0}", "spec.hooks.preBackup.httpGet.port",
     "between 1 and 65535"},
    {"/spec/hooks/preBackup/httpGet", "{'port': '80'}", "spec.hooks.preBackup.httpGet.port",
     "name of a port"},
    {"/spec/hooks/preBackup/httpGet", "{'port': 80.5}", "spec.hooks.preBackup.httpGet.port",
     "expected a port number"},
    {"/spec/hooks/preBackup/httpGet", "{'port': 80, 'scheme': 'ftp'}",
     "spec.hooks.preBackup.httpGet.scheme", "expected \"\", HTTP or HTTPS"},
    {"/spec/hooks/preBackup/tcpSocket", "{'port': 65536}", "spec.hooks.preBackup.tcpSocket.port",
     "between 1 and 65535"},
    {"/spec/hooks/postBackup/executionPolicy", "'OnFinalRetryFailure'", NULL, NULL},
    {"/spec/hooks/postBackup/executionPolicy", "'onfailure'",
     "spec.hooks.postBackup.executionPolicy", "expected Always, OnSuccess"},
    {"/spec/hooks/postBackup/httpPost", NULL, "spec.hooks.postBackup", "at least one is needed"},
    {"/spec/hooks/postBackup/httpPost/port", NULL, "spec.hooks.postBackup.httpPost.port",
     "is required"},
    {"/spec/hooks/postBackup/httpPost/form", "[{'key': 'a', 'values': ['b']}]",
     "spec.hooks.postBackup.httpPost.form", "not allowed beside body"},
    {"/spec/hooks/postBackup/httpPost", "{'port': 80, 'form': [{'key': 'a', 'values': ['b']}]}",
     NULL, NULL},
    {"/spec/hooks/postBackup/httpPost", "{'port': 80, 'form': [{'key': 'a', 'values': []}]}",
     "spec.hooks.postBackup.httpPost.form[0].values", "at least 1"},
    {"/spec/hooks/postBackup/httpPost", "{'port': 80, 'form': [{'values': ['b']}]}",
     "spec.hooks.postBackup.httpPost.form[0].key", "is required"},
    {"/spec/hooks/postBackup/httpPost/body", "'{{ range .Name }}'",
     "spec.hooks.postBackup.httpPost.body", "not understood"},
    {"/spec/hooks/postBackup/httpPost/httpHeaders/0/name", "'a b'",
     "spec.hooks.postBackup.httpPost.httpHeaders[0].name", "HTTP header"},
    {"/spec/hooks/postBackup/httpPost/httpHeaders/0/value", "'a\\r\\nb: c'",
     "spec.hooks.postBackup.httpPost.httpHeaders[0].value", "control characters"},
};

START_TEST(configurations)
    {
        judged_row(workload, &configuration_rows[_i]);
    }
END_TEST

static const struct judged database_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/paused", "true", NULL, NULL},
    /* a cluster-wide task needs no target */
    {"/spec/target", NULL, NULL, NULL},
    {"/spec/target/ref", NULL, NULL, NULL},
    {"/spec/target/ref/kind", "'Elasticsearch'", NULL, NULL},
    {"/spec/target/ref/kind", "'PersistentVolumeClaim'", "spec.target.ref.namespace",
     "a PersistentVolumeClaim in another namespace"},
    {"/spec/target/ref",
     "{'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'a', 'namespace': 'other'}", NULL,
     NULL},
    {"/spec/task/name", "'Mysql'", "spec.task.name", "lower-case"},
    {"/spec/interimVolumeTemplate/spec", NULL, "spec.interimVolumeTemplate.spec", "is required"},
    {"/spec/interimVolumeTemplate/spec/accessModes", "[]",
     "spec.interimVolumeTemplate.spec.accessModes", "at least 1"},
};

START_TEST(databases)
    {
        judged_row(database, &database_rows[_i]);
    }
END_TEST

START_TEST(a_paused_configuration_needs_no_schedule)
    {
        AUTO(json) json_t *object = json_row(workload);
        AUTO(findings) struct findings findings = {0};

        judged_set(object, "/spec/schedule", NULL);
        judged_set(object, "/spec/paused", json_true());
        validate_object(&(struct validation){object, NULL, NULL}, &findings);
        ck_assert_uint_eq(findings.count, 0);
    }
END_TEST

/* ---- what may change ---- */

static const char ready[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration',"
    " 'metadata': {'name': 'a', 'namespace': 'demo', 'labels': {%s}},"
    " 'spec': {'schedule': '@daily', 'repository': {'name': 'r'}, 'target': {'ref': {"
    "   'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'a'}, 'paths': ['/a']},"
    "  'retentionPolicy': {'name': 'x', 'keepLast': 1, 'prune': true}},"
    " 'status': {'phase': '%s'}}";

static const struct {
    const char *labels, *phase;
    struct judged row;
} ready_rows[] = {
    {"", "Ready", {"/spec/target/paths/0", "'/b'", "spec.target", "while the phase is Ready"}},
    {"", "Ready", {"/spec/target", NULL, "spec.target", "while the phase is Ready"}},
    {"", "Ready", {"/spec/schedule", "'@hourly'", NULL, NULL}},
    {"", "NotReady", {"/spec/target/paths/0", "'/b'", NULL, NULL}},
    {"'granary.dev/blueprint': 'x'", "Ready", {"/spec/target/paths/0", "'/b'", NULL, NULL}},
    /* the label must have been there before */
    {"", "Ready", {"/metadata/labels", "{'granary.dev/blueprint': 'x'}", NULL, NULL}},
};

START_TEST(a_target_in_use_stays)
    {
        AUTO(free)
        char *object = text_format(ready, ready_rows[_i].labels, ready_rows[_i].phase);

        judged_update(object, &ready_rows[_i].row);
    }
END_TEST

START_TEST(a_label_does_not_open_the_target)
    {
        AUTO(free) char *text = text_format(ready, "", "Ready");
        AUTO(json) json_t *old = json_row(text);
        AUTO(json) json_t *object = json_row(text);
        AUTO(findings) struct findings findings = {0};

        judged_set(object, "/metadata/labels/granary.dev~1blueprint", json_string("x"));
        judged_set(object, "/spec/target/paths/0", json_string("/b"));
        validate_object(&(struct validation){object, old, NULL}, &findings);
        ck_assert_uint_eq(findings.count, 1);
        ck_assert_str_eq(findings.items[0].reason, REASON_FORBIDDEN);
    }
END_TEST

/* ---- usagePolicy ---- */

static const struct {
    const char *policy;
    struct judged row;
} usage_rows[] = {
    {"null", {NULL, NULL, "spec.repository", "does not let namespace demo use it"}},
    {"{}", {NULL, NULL, "spec.repository", "does not let"}},
    {"{'allowedNamespaces': {'from': 'All'}}", {NULL, NULL, NULL, NULL}},
    {"{'allowedNamespaces': {'from': 'Same'}}", {NULL, NULL, "spec.repository", "does not let"}},
    {"{'allowedNamespaces': {'from': 'Selector', 'selector': {'matchLabels': {'a': 'b'}}}}",
     {NULL, NULL, NULL, NULL}},
    {"{'allowedNamespaces': {'from': 'Selector', 'selector': {'matchLabels': {'a': 'c'}}}}",
     {NULL, NULL, "spec.repository", "does not let"}},
    /* a Repository that is not there (yet) is nobody's mistake */
    {"null", {"/spec/repository/name", "'unknown'", NULL, NULL}},
    {"null", {"/spec/repository/namespace", "'elsewhere'", NULL, NULL}},
};

START_TEST(a_repository_says_who_may_use_it)
    {
        AUTO(free)
        char *objects =
            text_format("[{'apiVersion': 'stash.appscode.com/v1alpha1', 'kind': 'Repository',"
                        " 'metadata': {'name': 'gcs-repo', 'namespace': 'storage'},"
                        " 'spec': {'usagePolicy': %s}},"
                        " {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'demo',"
                        " 'labels': {'a': 'b'}}}]",
                        usage_rows[_i].policy);
        AUTO(json) json_t *list = json_row(objects);
        AUTO(cluster) const struct cluster *cluster = cluster_make(list);

        judged_in(database, &usage_rows[_i].row, cluster);
    }
END_TEST

/* ---- BackupSession ---- */

static const char session[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupSession',"
    " 'metadata': {'name': 'a-1', 'namespace': 'demo'},"
    " 'spec': {'invoker': {'apiGroup': 'stash.appscode.com', 'kind': 'BackupConfiguration',"
    "  'name': 'a'}, 'retryLeft': 1}}";

static const struct judged session_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/invoker", NULL, "spec.invoker", "is required: the BackupConfiguration"},
    {"/spec/invoker/apiGroup", NULL, NULL, NULL},
    {"/spec/invoker/apiGroup", "'apps'", "spec.invoker.apiGroup", "expected stash.appscode.com"},
    {"/spec/invoker/kind", "'BackupBatch'", "spec.invoker.kind", "expected BackupConfiguration"},
    {"/spec/invoker/name", NULL, "spec.invoker.name", "is required"},
    {"/spec/retryLeft", "-1", "spec.retryLeft", "between 0"},
};

START_TEST(sessions)
    {
        judged_row(session, &session_rows[_i]);
    }
END_TEST

static const struct judged session_update_rows[] = {
    {"/metadata/labels", "{'a': 'b'}", NULL, NULL},
    {"/status", "{'phase': 'Running'}", NULL, NULL},
    {"/spec/retryLeft", "0", "spec", "make a new one"},
    {"/spec/invoker/name", "'b'", "spec", "make a new one"},
};

START_TEST(a_session_stays_as_it_is)
    {
        judged_update(session, &session_update_rows[_i]);
    }
END_TEST

START_TEST(mutated_objects_crash_nothing)
    {
        ck_assert_uint_gt(judged_mutations(workload), 1000);
        ck_assert_uint_gt(judged_mutations(database), 300);
        ck_assert_uint_gt(judged_mutations(session), 100);
    }
END_TEST

SUITE(api_validate_backup)
{
    suite_rows(tests, configurations, configuration_rows);
    suite_rows(tests, databases, database_rows);
    tcase_add_test(tests, a_paused_configuration_needs_no_schedule);
    suite_rows(tests, a_target_in_use_stays, ready_rows);
    tcase_add_test(tests, a_label_does_not_open_the_target);
    suite_rows(tests, a_repository_says_who_may_use_it, usage_rows);
    suite_rows(tests, sessions, session_rows);
    suite_rows(tests, a_session_stays_as_it_is, session_update_rows);
    tcase_add_test(tests, mutated_objects_crash_nothing);
}
