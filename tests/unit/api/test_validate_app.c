#include "api/validate.h"

#include "base/auto.h"
#include "tests/unit/api/judged.h"
#include "tests/unit/suite.h"

static const char app[] =
    "{'apiVersion': 'appcatalog.appscode.com/v1alpha1', 'kind': 'AppBinding',"
    " 'metadata': {'name': 'etcd', 'namespace': 'demo'},"
    " 'spec': {'type': 'kubedb.com/etcd', 'version': '3.5.0',"
    "  'appRef': {'apiGroup': 'kubedb.com', 'kind': 'Etcd', 'name': 'etcd'},"
    "  'clientConfig': {'service': {'scheme': 'https', 'name': 'etcd', 'port': 2379,"
    "    'path': '/', 'query': 'a=b'}, 'caBundle': 'QUJD', 'serverName': 'x'},"
    "  'secret': {'name': 's'}, 'tlsSecret': {'apiGroup': '', 'kind': 'Secret', 'name': 't'},"
    "  'secretTransforms': [{'renameKey': {'from': 'a', 'to': 'b'}},"
    "    {'addKey': {'key': 'c', 'stringValue': 'd'}}, {'addKeysFrom': {'secretRef': {"
    "    'name': 'e'}}}, {'removeKey': {'key': 'f'}}],"
    "  'parameters': {'apiVersion': 'appcatalog.appscode.com/v1alpha1', 'kind': 'StashAddon',"
    "    'anything': 1, 'stash': {'addon': {'backupTask': {'name': 'etcd-backup-3.5.0',"
    "      'params': [{'name': 'args', 'value': '--x'}]}, 'restoreTask': {"
    "      'name': 'etcd-restore-3.5.0'}}}}}}";

static const struct judged rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/clientConfig", NULL, "spec.clientConfig", "is required"},
    {"/spec/clientConfig/service", NULL, "spec.clientConfig", "warning: neither service nor url"},
    {"/spec/clientConfig/url", "'tcp(mysql:3306)/'", NULL, NULL},
    {"/spec/clientConfig/url", "'mongodb://u:hunter2@h/x'", "spec.clientConfig.url",
     "warning: credentials in an address"},
    {"/spec/clientConfig/service/scheme", NULL, "spec.clientConfig.service.scheme", "is required"},
    {"/spec/clientConfig/service/port", NULL, "spec.clientConfig.service.port", "is required"},
    {"/spec/clientConfig/service/port", "'2379'", "spec.clientConfig.service.port",
     "expected a whole number, found a string"},
    {"/spec/clientConfig/service/port", "0", "spec.clientConfig.service.port", "between 1"},
    {"/spec/clientConfig/service/name", "'a/b'", "spec.clientConfig.service.name", "lower-case"},
    {"/spec/clientConfig/caBundle", "'-----BEGIN'", "spec.clientConfig.caBundle",
     "expected base64"},
    {"/spec/clientConfig/insecureSkipTLSVerify", "true", "spec.clientConfig.insecureSkipTLSVerify",
     "warning: makes caBundle useless"},
    {"/spec/secret/name", NULL, "spec.secret.name", "is required"},
    {"/spec/secret", NULL, NULL, NULL},
    {"/spec/tlsSecret", "{}", "spec.tlsSecret.name", "is required"},
    {"/spec/appRef/name", NULL, "spec.appRef.name", "is required"},
    {"/spec/secretTransforms/0", "{}", "spec.secretTransforms[0]", "exactly one is needed"},
    {"/spec/secretTransforms/0/removeKey", "{'key': 'x'}", "spec.secretTransforms[0]",
     "only one is allowed, found renameKey, removeKey"},
    {"/spec/secretTransforms/0/renameKey/to", "'a/b'", "spec.secretTransforms[0].renameKey.to",
     "expected a key"},
    {"/spec/secretTransforms/1/addKey/value", "'not base64'",
     "spec.secretTransforms[1].addKey.value", "expected base64"},
    {"/spec/secretTransforms/2/addKeysFrom/secretRef", NULL,
     "spec.secretTransforms[2].addKeysFrom.secretRef", "is required"},
    {"/spec/parameters", "{'kind': 'MongoDBConfiguration', 'replicaSets': {}}", NULL, NULL},
    {"/spec/parameters", "[]", "spec.parameters", "expected an object"},
    {"/spec/parameters/stash/addon/backupTask/params/0/value", "1",
     "spec.parameters.stash.addon.backupTask.params[0].value", "expected a string"},
    {"/spec/parameters/stash/addon/backupTaks", "{}", "spec.parameters.stash.addon.backupTaks",
     "warning: did you mean \"backupTask\""},
};

START_TEST(app_bindings)
    {
        judged_row(app, &rows[_i]);
    }
END_TEST

START_TEST(mutated_objects_crash_nothing)
    {
        ck_assert_uint_gt(judged_mutations(app), 600);
    }
END_TEST

SUITE(api_validate_app)
{
    suite_rows(tests, app_bindings, rows);
    tcase_add_test(tests, mutated_objects_crash_nothing);
}
