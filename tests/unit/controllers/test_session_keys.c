#include "controllers/session_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

#define TIMEOUT_MS 60000

/* A configuration and its session; the Lease of a target whose session is gone. */
static const char cluster[] =
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupConfiguration\n"
    "metadata: {name: web, namespace: shop}\n"
    "spec: {target: {ref: {apiVersion: apps/v1, kind: Deployment, name: web}}}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupSession\n"
    "metadata: {name: web-1, namespace: shop, uid: u-web-1}\n"
    "spec: {invoker: {kind: BackupConfiguration, name: web}}\n"
    "---\n"
    "apiVersion: coordination.k8s.io/v1\nkind: Lease\n"
    "metadata: {name: granary-target-1, namespace: granary-system,\n"
    "  annotations: {granary.dev/target: /PersistentVolumeClaim/shop/data,\n"
    "    granary.dev/ledger: '{\"session\": \"u-gone\", \"since\": 1, \"claims\": []}'}}\n";

#define POD(labels)                                                                                \
    "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p\", \"namespace\": "  \
    "\"shop\", " labels "\"ownerReferences\": [{\"apiVersion\": \"batch/v1\", \"kind\": \"Job\", " \
    "\"name\": \"gone\", \"uid\": \"u-job\", \"controller\": true}]}}"

#define JOB(labels)                                                                                \
    "{\"apiVersion\": \"batch/v1\", \"kind\": \"Job\", \"metadata\": {\"name\": \"j\", "           \
    "\"namespace\": \"shop\", " labels "\"uid\": \"u-job\"}}"

#define OF(uid) "\"labels\": {\"granary.dev/session\": \"" uid "\"}, "

static const struct {
    const char *what;
    enum known_kind kind;
    const char *object, *key; /* NULL: none */
} rows[] = {
    {"a Job of a session", KNOWN_JOB, JOB(OF("u-web-1")), "apps/Deployment/shop/web"},
    {"the pod of a Job that is gone", KNOWN_POD, POD(OF("u-web-1")), "apps/Deployment/shop/web"},
    {"and so is its session", KNOWN_POD, POD(OF("u-gone")), "/PersistentVolumeClaim/shop/data"},
    {"a Job whose session is gone", KNOWN_JOB, JOB(OF("u-gone")),
     "/PersistentVolumeClaim/shop/data"},
    {"a session that nobody knows", KNOWN_POD, POD(OF("u-other")), NULL},
    {"somebody's pod", KNOWN_POD, POD(""), NULL},
    {"a Job of a CronJob", KNOWN_JOB, JOB(""), NULL},
};

/* What goes leads to the target that may be free now. */
START_TEST(a_job_and_its_pod_lead_to_their_target)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct known_options options = {.folder = folder.path};
        struct error err = {0};
        AUTO(json) json_t *object = json_loads(rows[_i].object, 0, NULL), *keys = json_array();
        struct informer_change change = {.kind = rows[_i].kind, .before = object};
        struct known *known;

        folder_write(&folder, "cluster.yaml", cluster);
        known = known_start(&options, &err);
        ck_assert_msg(known != NULL, "%s", err.message);
        ck_assert(known_wait_synced(known, TIMEOUT_MS));
        ck_assert_ptr_nonnull(object);
        session_keys(known, &change, keys);
        ck_assert_msg(json_array_size(keys) == (rows[_i].key != NULL), "%s: %zu keys",
                      rows[_i].what, json_array_size(keys));
        if (rows[_i].key)
            ck_assert_str_eq(json_string_value(json_array_get(keys, 0)), rows[_i].key);
        known_stop(known);
    }
END_TEST

SUITE(session_keys)
{
    suite_rows(tests, a_job_and_its_pod_lead_to_their_target, rows);
}
