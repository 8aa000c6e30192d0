#include "api/validate.h"

#include "base/auto.h"
#include "tests/unit/api/judged.h"
#include "tests/unit/suite.h"

static const char workload[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'RestoreSession',"
    " 'metadata': {'name': 'deployment-restore', 'namespace': 'demo'},"
    " 'spec': {'repository': {'name': 'gcs-repo'}, 'driver': 'Restic',"
    "  'target': {'ref': {'apiVersion': 'apps/v1', 'kind': 'StatefulSet', 'name': 'stash-demo'},"
    "   'volumeMounts': [{'name': 'source-data', 'mountPath': '/source/data'}],"
    "   'rules': [{'targetHosts': ['host-3', 'host-4'], 'sourceHost': 'host-1',"
    "     'paths': ['/source/data'], 'exclude': ['/source/data/tmp.txt']},"
    "    {'targetHosts': ['host-0'], 'snapshots': ['bde1b3e7']},"
    "    {'paths': ['/source/data'], 'asOf': '2024-05-01T13:30:00Z'}]},"
    "  'runtimeSettings': {'container': {'securityContext': {'runAsUser': 0}}},"
    "  'hooks': {'postRestore': {'executionPolicy': 'OnSuccess', 'exec': {'command': ['true']}}},"
    "  'timeOut': '30m'}}";

static const struct judged rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/repository", NULL, "spec.repository", "is required"},
    {"/spec/driver", "'VolumeSnapshotter'", "spec.driver", "takes no volume snapshots"},
    {"/spec/target", NULL, "spec.target", "is required"},
    {"/spec/target/ref/namespace", "'other'", "spec.target.ref.namespace", "another namespace"},
    {"/spec/timeOut", "'30'", "spec.timeOut", "lacks its unit"},
    /* rules: section 3.3, and the same for those of the target */
    {"/spec/target/rules/3", "{'snapshots': ['latest']}", "spec.target.rules[3].targetHosts",
     "another rule names no hosts either"},
    {"/spec/target/rules/1/targetHosts/1", "'host-3'", "spec.target.rules[1].targetHosts[1]",
     "another rule names this host"},
    {"/spec/target/rules/0/targetHosts/2", "'host-3'", "spec.target.rules[0].targetHosts[2]",
     "is given twice"},
    {"/spec/target/rules/0/targetHosts/0", "'--x'", "spec.target.rules[0].targetHosts[0]",
     "expected a host"},
    {"/spec/target/rules/0/targetHosts/0", "''", "spec.target.rules[0].targetHosts[0]",
     "expected a host"},
    {"/spec/target/rules/1/snapshots/0", "''", "spec.target.rules[1].snapshots[0]",
     "expected the ID"},
    {"/spec/target/rules/0/sourceHost", "'a b'", "spec.target.rules[0].sourceHost",
     "expected a host"},
    {"/spec/target/rules/1/paths", "['/a']", "spec.target.rules[1].paths",
     "not allowed beside snapshots"},
    {"/spec/target/rules/1/asOf", "'2024-05-01T13:30:00Z'", "spec.target.rules[1].asOf",
     "not allowed beside snapshots"},
    {"/spec/target/rules/2/asOf", "'2024-05-01'", "spec.target.rules[2].asOf",
     "expected a time with zone"},
    {"/spec/target/rules/2/paths", NULL, NULL, NULL},
    {"/spec/target/rules/1/snapshots/0", "'latest'", NULL, NULL},
    {"/spec/target/rules/1/snapshots/0", "'gcs-repo-bde1b3e7'", "spec.target.rules[1].snapshots[0]",
     "expected the ID of a snapshot"},
    {"/spec/target/rules/1/snapshots", "[]", "spec.target.rules[1]",
     "names neither snapshots nor paths: nothing would be restored"},
    {"/spec/target/rules/0/paths/0", "'data'", "spec.target.rules[0].paths[0]",
     "expected an absolute path"},
    {"/spec/target/rules/0/include", "['a']", "spec.target.rules[0].exclude",
     "not allowed beside include"},
    {"/spec/target/rules/0/path", "['/a']", "spec.target.rules[0].path",
     "warning: did you mean \"paths\""},
    {"/spec/target/rules/0", "'all'", "spec.target.rules[0]", "expected an object"},
    {"/spec/target/rules", NULL, "spec.target.rules", "at least one rule"},
    {"/spec/target/rules", "[]", "spec.target.rules", "at least one rule"},
    {"/spec/rules", "[{'paths': ['/a']}]", "spec.rules", "not allowed beside target.rules"},
    {"/spec/rules", "[]", NULL, NULL},
    {"/spec/rules", "[{'snapshots': ['x']}]", "spec.rules[0].snapshots[0]",
     "expected the ID of a snapshot"},
    /* what an init container can not have */
    {"/spec/runtimeSettings/container/livenessProbe", "{'exec': {'command': ['true']}}",
     "spec.runtimeSettings.container.livenessProbe", "warning: an init container has none"},
    {"/spec/hooks/postRestore/executionPolicy", "'OnFinalRetryFailure'",
     "spec.hooks.postRestore.executionPolicy", "expected Always, OnSuccess or OnFailure"},
    {"/spec/target/args", "['--target=/']", "spec.target.args[0]", "--target is not allowed"},
    {"/spec/target/args", "['--verify']", NULL, NULL},
    {"/spec/fileAccess", "'Root'", NULL, NULL},
    {"/spec/schedule", "'@daily'", "spec.schedule", "warning: unknown field"},
};

START_TEST(restores_of_workloads)
    {
        judged_row(workload, &rows[_i]);
    }
END_TEST

static const char deprecated[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'RestoreSession',"
    " 'metadata': {'name': 'a', 'namespace': 'demo'},"
    " 'spec': {'repository': {'name': 'r'}, 'target': {'ref': {'apiVersion': 'apps/v1',"
    "   'kind': 'Deployment', 'name': 'a'}}, 'rules': [{'paths': ['/source/data']}]}}";

static const struct judged deprecated_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/rules/1", "{'paths': ['/x']}", "spec.rules[1].targetHosts", "no hosts either"},
    {"/spec/rules/0/snapshots", "['latest']", "spec.rules[0].paths", "beside snapshots"},
    {"/spec/rules/0", "{}", "spec.rules[0]", "nothing would be restored"},
    {"/spec/rules", NULL, "spec.target.rules", "at least one rule"},
};

START_TEST(rules_in_the_old_place)
    {
        judged_row(deprecated, &deprecated_rows[_i]);
    }
END_TEST

static const char claims[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'RestoreSession',"
    " 'metadata': {'name': 'a', 'namespace': 'demo'},"
    " 'spec': {'repository': {'name': 'r'}, 'target': {'replicas': 3,"
    "   'volumeMounts': [{'name': 'source-data', 'mountPath': '/source/data'}],"
    "   'rules': [{'targetHosts': [], 'paths': ['/source/data']}],"
    "   'volumeClaimTemplates': [{'metadata': {'name': 'source-data-${POD_ORDINAL}'},"
    "    'spec': {'accessModes': ['ReadWriteOnce'], 'storageClassName': 'standard',"
    "     'resources': {'requests': {'storage': '1Gi'}}}}]}}}";

static const struct judged claims_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/target/volumeClaimTemplates/0/metadata", NULL,
     "spec.target.volumeClaimTemplates[0].metadata.name", "is required"},
    {"/spec/target/volumeClaimTemplates/0/metadata/name", "'A'",
     "spec.target.volumeClaimTemplates[0].metadata.name", "lower-case"},
    {"/spec/target/volumeClaimTemplates/0/spec/accessModes/0", "'RWO'",
     "spec.target.volumeClaimTemplates[0].spec.accessModes[0]", "expected ReadWriteOnce"},
    /* variables stand in claims only */
    {"/spec/target/rules/0/paths/0", "'${HOME}'", "spec.target.rules[0].paths[0]",
     "expected an absolute path"},
    {"/spec/target/volumeClaimTemplates", NULL, "spec.target.ref", "is required"},
};

START_TEST(restores_into_new_claims)
    {
        judged_row(claims, &claims_rows[_i]);
    }
END_TEST

static const char database[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'RestoreSession',"
    " 'metadata': {'name': 'a', 'namespace': 'demo'},"
    " 'spec': {'repository': {'name': 'r'}, 'task': {'name': 'etcd-restore-3.5.0',"
    "   'params': [{'name': 'dataDir', 'value': '/var/run/etcd'}]}, 'target': {'ref': {"
    "   'apiVersion': 'appcatalog.appscode.com/v1alpha1', 'kind': 'AppBinding', 'name': 'etcd'},"
    "   'args': ['anything']}, 'rules': [{'snapshots': ['latest']}]}}";

static const struct judged database_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/rules", NULL, NULL, NULL},
    {"/spec/rules/0", "{}", "spec.rules[0]", "warning: names neither snapshots nor paths"},
};

START_TEST(restores_of_databases)
    {
        judged_row(database, &database_rows[_i]);
    }
END_TEST

static const struct judged update_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/metadata/finalizers", "['a/b']", NULL, NULL},
    {"/status", "{'phase': 'Running'}", NULL, NULL},
    {"/spec/timeOut", "'31m'", "spec", "can not change"},
    {"/spec/target/rules/0/paths/0", "'/x'", "spec", "can not change"},
    {"/spec/timeOut", NULL, "spec", "can not change"},
};

START_TEST(a_restore_stays_as_it_is)
    {
        judged_update(workload, &update_rows[_i]);
    }
END_TEST

START_TEST(mutated_objects_crash_nothing)
    {
        ck_assert_uint_gt(judged_mutations(workload), 500);
        ck_assert_uint_gt(judged_mutations(claims), 300);
        ck_assert_uint_gt(judged_mutations(deprecated), 200);
    }
END_TEST

SUITE(api_validate_restore)
{
    suite_rows(tests, restores_of_workloads, rows);
    suite_rows(tests, rules_in_the_old_place, deprecated_rows);
    suite_rows(tests, restores_into_new_claims, claims_rows);
    suite_rows(tests, restores_of_databases, database_rows);
    suite_rows(tests, a_restore_stays_as_it_is, update_rows);
    tcase_add_test(tests, mutated_objects_crash_nothing);
}
