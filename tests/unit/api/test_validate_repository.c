#include "api/validate.h"

#include "base/auto.h"
#include "tests/unit/api/judged.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const char s3[] =
    "{'apiVersion': 'stash.appscode.com/v1alpha1', 'kind': 'Repository',"
    " 'metadata': {'name': 's3-repo', 'namespace': 'demo'},"
    " 'spec': {'backend': {'s3': {'endpoint': 's3.amazonaws.com', 'bucket': 'stash-demo',"
    "   'region': 'us-west-1', 'prefix': '/backup/demo/deployment/stash-demo',"
    "   'insecureTLS': false}, 'storageSecretName': 's3-secret'}, 'wipeOut': false,"
    "  'usagePolicy': {'allowedNamespaces': {'from': 'Selector', 'selector': {"
    "   'matchLabels': {'team': 'a'}, 'matchExpressions': [{'key': 'env', 'operator': 'In',"
    "    'values': ['prod']}]}}}, 'agentSecretName': 'append-only'}}";

#define SECRET "hunter2"

static const struct judged s3_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/apiVersion", "'stash.appscode.com/v1beta1'", "apiVersion",
     "of a Repository is stash.appscode.com/v1alpha1"},
    {"/spec/backend", NULL, "spec.backend", "is required"},
    {"/spec/backend/storageSecretName", NULL, "spec.backend.storageSecretName", "RESTIC_PASSWORD"},
    {"/spec/backend/s3", NULL, "spec.backend",
     "exactly one is needed: local, s3, gcs, azure, swift, b2 or rest"},
    {"/spec/backend/s3", "null", "spec.backend", "exactly one is needed"},
    {"/spec/backend/gcs", "{'bucket': 'b'}", "spec.backend", "only one is allowed, found s3, gcs"},
    {"/spec/backend/s3/endpoint", NULL, "spec.backend.s3.endpoint", "is required: the address"},
    {"/spec/backend/s3/bucket", NULL, "spec.backend.s3.bucket", "is required"},
    {"/spec/backend/s3/bucket", "'a/b'", "spec.backend.s3.bucket", "goes into prefix"},
    {"/spec/backend/s3/prefix", "'a/../b'", "spec.backend.s3.prefix", "\"..\" is not allowed"},
    {"/spec/backend/s3/prefix", "''", NULL, NULL},
    {"/spec/backend/s3/endpoint", "'https://key:" SECRET "@s3.example.com'",
     "spec.backend.s3.endpoint", "they belong into the Secret"},
    {"/spec/backend/s3/endpoint", "'ftp://s3.example.com'", "spec.backend.s3.endpoint",
     "begins with https:// or http://"},
    {"/spec/backend/s3/endpoint", "'http://localhost:9000'", "spec.backend.s3.endpoint",
     "warning: this is the pod itself"},
    {"/spec/backend/s3/endpoint", "'127.0.0.1:9000'", "spec.backend.s3.endpoint",
     "warning: this is the pod itself"},
    {"/spec/backend/s3/endpoint", "'[::1]'", "spec.backend.s3.endpoint",
     "warning: this is the pod itself"},
    {"/spec/backend/s3/endpoint", "'localhost.example.com'", NULL, NULL},
    {"/spec/backend/s3/insecureTls", "true", "spec.backend.s3.insecureTls",
     "warning: did you mean \"insecureTLS\""},
    {"/spec/wipeOut", "true", NULL, NULL},
    {"/spec/wipeOut", "1", "spec.wipeOut", "expected true or false"},
    {"/spec/agentSecretName", "'A_b'", "spec.agentSecretName", "lower-case"},
    /* usagePolicy */
    {"/spec/usagePolicy", NULL, NULL, NULL},
    {"/spec/usagePolicy", "{}", "spec.usagePolicy.allowedNamespaces", "warning: nobody may use"},
    {"/spec/usagePolicy/allowedNamespaces", "{}", NULL, NULL},
    {"/spec/usagePolicy/allowedNamespaces/from", "'all'", "spec.usagePolicy.allowedNamespaces.from",
     "expected All, Same or Selector"},
    {"/spec/usagePolicy/allowedNamespaces/from", "'All'",
     "spec.usagePolicy.allowedNamespaces.selector", "only when from is Selector"},
    {"/spec/usagePolicy/allowedNamespaces/selector", NULL,
     "spec.usagePolicy.allowedNamespaces.selector", "is required when from is Selector"},
    {"/spec/usagePolicy/allowedNamespaces/selector", "{}", NULL, NULL},
    {"/spec/usagePolicy/allowedNamespaces/selector/matchLabels", "{'a b': 'c'}",
     "spec.usagePolicy.allowedNamespaces.selector.matchLabels[a b]", "the key"},
    {"/spec/usagePolicy/allowedNamespaces/selector/matchLabels", "{'a': 1}",
     "spec.usagePolicy.allowedNamespaces.selector.matchLabels[a]", "expected a string"},
    {"/spec/usagePolicy/allowedNamespaces/selector/matchExpressions/0/values", "[]",
     "spec.usagePolicy.allowedNamespaces.selector.matchExpressions[0].values",
     "operator In needs at least one value"},
    {"/spec/usagePolicy/allowedNamespaces/selector/matchExpressions/0/operator", "'Exists'",
     "spec.usagePolicy.allowedNamespaces.selector.matchExpressions[0].values", "takes no values"},
    {"/spec/usagePolicy/allowedNamespaces/selector/matchExpressions/0/operator", "'is'",
     "spec.usagePolicy.allowedNamespaces.selector.matchExpressions[0].operator", "expected In"},
    {"/spec/usagePolicy/allowedNamespaces/selector/matchExpressions/0/key", NULL,
     "spec.usagePolicy.allowedNamespaces.selector.matchExpressions[0].key", "is required"},
};

START_TEST(s3_repositories)
    {
        judged_row(s3, &s3_rows[_i]);
    }
END_TEST

START_TEST(no_secret_is_repeated)
    {
        AUTO(json) json_t *object = json_row(s3);
        AUTO(findings) struct findings findings = {0};

        judged_set(object, "/spec/backend/s3/endpoint",
                   json_string("https://key:" SECRET "@s3.example.com"));
        judged_set(object, "/spec/backend/s3/bucket", json_string(SECRET "/x"));
        judged_set(object, "/spec/backend/s3/prefix", json_string("../" SECRET));
        judged_set(object, "/spec/backend/storageSecretName", json_string(SECRET "!"));
        validate_object(&(struct validation){object, NULL, NULL}, &findings);
        ck_assert_uint_eq(findings.count, 4);
        for (size_t i = 0; i < findings.count; i++)
            ck_assert_ptr_null(strstr(findings.items[i].message, SECRET));
    }
END_TEST

#define BACKEND(inside)                                                                            \
    "{'apiVersion': 'stash.appscode.com/v1alpha1', 'kind': 'Repository',"                          \
    " 'metadata': {'name': 'r', 'namespace': 'demo'},"                                             \
    " 'spec': {'backend': {'storageSecretName': 's', " inside "}}}"

static const struct {
    const char *object;
    struct judged row;
} backend_rows[] = {
    {BACKEND("'local': {'mountPath': '/safe/data', 'nfs': {'server': 'n', 'path': '/'}}"),
     {NULL, NULL, NULL, NULL}},
    {BACKEND("'local': {'mountPath': '/safe', 'subPath': 'a/b', 'hostPath': {'path': '/x'}}"),
     {NULL, NULL, NULL, NULL}},
    {BACKEND("'local': {'mountPath': '/safe', 'persistentVolumeClaim': {'claimName': 'c'}}"),
     {NULL, NULL, NULL, NULL}},
    {BACKEND("'local': {'mountPath': '/safe'}"),
     {NULL, NULL, "spec.backend.local", "exactly one is needed: persistentVolumeClaim, nfs"}},
    {BACKEND("'local': {'mountPath': '/safe', 'nfs': {'server': 'n', 'path': '/'}, 'hostPath': "
             "{'path': '/x'}}"),
     {NULL, NULL, "spec.backend.local", "only one is allowed, found nfs, hostPath"}},
    {BACKEND("'local': {'nfs': {'server': 'n', 'path': '/'}}"),
     {NULL, NULL, "spec.backend.local.mountPath", "is required"}},
    {BACKEND("'local': {'mountPath': 'safe', 'nfs': {'server': 'n', 'path': '/'}}"),
     {NULL, NULL, "spec.backend.local.mountPath", "expected an absolute path"}},
    {BACKEND("'local': {'mountPath': '/stash', 'nfs': {'server': 'n', 'path': '/'}}"),
     {NULL, NULL, "spec.backend.local.mountPath", "/stash belongs to the agent"}},
    {BACKEND("'local': {'mountPath': '//./stash/x', 'nfs': {'server': 'n', 'path': '/'}}"),
     {NULL, NULL, "spec.backend.local.mountPath", "/stash belongs to the agent"}},
    {BACKEND("'local': {'mountPath': '/stash-tmp/x', 'nfs': {'server': 'n', 'path': '/'}}"),
     {NULL, NULL, "spec.backend.local.mountPath", "/stash-tmp belongs to the agent"}},
    {BACKEND("'local': {'mountPath': '/stashed', 'nfs': {'server': 'n', 'path': '/'}}"),
     {NULL, NULL, NULL, NULL}},
    {BACKEND("'local': {'mountPath': '/a', 'subPath': '../b', 'nfs': {'server': 'n', 'path': "
             "'/'}}"),
     {NULL, NULL, "spec.backend.local.subPath", "\"..\" is not allowed"}},
    {BACKEND("'local': {'mountPath': '/a', 'nfs': {'server': 'n'}}"),
     {NULL, NULL, "spec.backend.local.nfs.path", "is required"}},
    {BACKEND("'local': {'mountPath': '/a', 'emptyDir': {}}"),
     {NULL, NULL, "spec.backend.local", "warning: goes with its pod"}},
    {BACKEND("'local': {'mountPath': '/a', 'configMap': {'name': 'x'}}"),
     {NULL, NULL, "spec.backend.local.configMap", "nothing can be written"}},
    {BACKEND("'local': {'mountPath': '/a', 'nfs': {'server': 'n', 'path': '/'}}"),
     {"/spec/wipeOut", "true", NULL, NULL}},
    {BACKEND("'gcs': {'bucket': 'b', 'prefix': 'p', 'maxConnections': 5}"),
     {NULL, NULL, NULL, NULL}},
    {BACKEND("'gcs': {'prefix': 'p'}"), {NULL, NULL, "spec.backend.gcs.bucket", "is required"}},
    {BACKEND("'gcs': {'bucket': 'b', 'maxConnections': -1}"),
     {NULL, NULL, "spec.backend.gcs.maxConnections", "between 0"}},
    {BACKEND("'azure': {'container': 'b', 'prefix': 'p'}"), {NULL, NULL, NULL, NULL}},
    {BACKEND("'azure': {'bucket': 'b'}"),
     {NULL, NULL, "spec.backend.azure.container", "is required"}},
    {BACKEND("'swift': {'container': 'b'}"), {NULL, NULL, NULL, NULL}},
    {BACKEND("'b2': {'bucket': 'b'}"), {NULL, NULL, NULL, NULL}},
    {BACKEND("'b2': {'bucket': 'b'}"), {"/spec/wipeOut", "true", NULL, NULL}},
    {BACKEND("'rest': {'url': 'https://rest.example.com:8000/demo'}"), {NULL, NULL, NULL, NULL}},
    {BACKEND("'rest': {'url': 'http://rest.example.com:8000/demo'}"),
     {NULL, NULL, "spec.backend.rest.url", "warning: http sends user and password unprotected"}},
    {BACKEND("'rest': {'url': 'https://localhost/'}"),
     {NULL, NULL, "spec.backend.rest.url", "warning: this is the pod itself"}},
    {BACKEND("'rest': {}"), {NULL, NULL, "spec.backend.rest.url", "is required"}},
    {BACKEND("'rest': {'url': 'rest:https://x'}"),
     {NULL, NULL, "spec.backend.rest.url", "begins with https://"}},
    {BACKEND("'rest': {'url': 'https://a:b@x'}"),
     {NULL, NULL, "spec.backend.rest.url", "credentials"}},
    {BACKEND("'rest': {'url': 'https://x'}"),
     {"/spec/wipeOut", "true", "spec.wipeOut", "a rest backend can not be wiped"}},
    {BACKEND("'S3': {}"), {NULL, NULL, "spec.backend", "exactly one is needed"}},
};

START_TEST(backends)
    {
        judged_row(backend_rows[_i].object, &backend_rows[_i].row);
    }
END_TEST

#define MOVED "the location of a Repository can not change"

static const struct {
    const char *object;
    struct judged row;
} move_rows[] = {
    {s3, {"/spec/backend/s3/prefix", "'backup/demo/deployment/stash-demo/'", NULL, NULL}},
    {s3, {"/spec/backend/s3/region", "'us-east-1'", NULL, NULL}},
    {s3, {"/spec/backend/storageSecretName", "'other'", NULL, NULL}},
    {s3, {"/spec/wipeOut", "true", NULL, NULL}},
    {s3, {"/spec/backend/s3/prefix", "'x'", "spec.backend", MOVED}},
    {s3, {"/spec/backend/s3/bucket", "'x'", "spec.backend", MOVED}},
    {s3, {"/spec/backend/s3/endpoint", "'x'", "spec.backend", MOVED}},
    {s3, {"/spec/backend/s3", NULL, "spec.backend", MOVED}},
    {s3, {"/spec/backend", NULL, "spec.backend", MOVED}},
    {s3,
     {"/spec/backend", "{'storageSecretName': 's', 'gcs': {'bucket': 'stash-demo'}}",
      "spec.backend", MOVED}},
    {BACKEND("'rest': {'url': 'https://x/a'}"),
     {"/spec/backend/rest/url", "'https://x/a/'", NULL, NULL}},
    {BACKEND("'rest': {'url': 'https://x/a'}"),
     {"/spec/backend/rest/url", "'https://x/b'", "spec.backend", MOVED}},
    {BACKEND("'local': {'mountPath': '/a', 'nfs': {'server': 'n', 'path': '/'}}"),
     {"/spec/backend/local/mountPath", "'/b'", NULL, NULL}},
    {BACKEND("'local': {'mountPath': '/a', 'nfs': {'server': 'n', 'path': '/'}}"),
     {"/spec/backend/local/subPath", "'b'", "spec.backend", MOVED}},
    {BACKEND("'local': {'mountPath': '/a', 'nfs': {'server': 'n', 'path': '/'}}"),
     {"/spec/backend/local/nfs/server", "'m'", "spec.backend", MOVED}},
    /* one that never had a backend may be given one */
    {BACKEND("'x': 1"),
     {"/spec/backend/b2", "{'bucket': 'b'}", "spec.backend.x", "warning: unknown field"}},
};

START_TEST(a_location_stays)
    {
        judged_update(move_rows[_i].object, &move_rows[_i].row);
    }
END_TEST

START_TEST(mutated_objects_crash_nothing)
    {
        ck_assert_uint_gt(judged_mutations(s3), 300);
        ck_assert_uint_gt(judged_mutations(BACKEND("'local': {'mountPath': '/a', 'subPath': 'b',"
                                                   " 'nfs': {'server': 'n', 'path': '/'}}")),
                          100);
    }
END_TEST

SUITE(api_validate_repository)
{
    suite_rows(tests, s3_repositories, s3_rows);
    tcase_add_test(tests, no_secret_is_repeated);
    suite_rows(tests, backends, backend_rows);
    suite_rows(tests, a_location_stays, move_rows);
    tcase_add_test(tests, mutated_objects_crash_nothing);
}
