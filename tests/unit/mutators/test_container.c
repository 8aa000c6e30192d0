#include "mutators/container.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* What our containers are made of. Spec: design, What is put into a pod. */

struct row {
    const char *pod;       /* the owner's, see pods.h */
    const char *mounts;    /* of the carry; NULL: volume a at /data */
    const char *container; /* runtimeSettings.container */
    const char *settings;  /* of the installation */
    enum file_access access;
    bool init;
    const char *path;     /* into the container */
    const char *expected; /* NULL: absent */
};

#define POD(rest) "pvc a; app a:/data + {" rest "}"
#define CONTEXT(rest) "'securityContext': {" rest "}"
#define APP(rest) "'containers': [{'name': 'app', " rest "}]"
#define REST                                                                                       \
    "'allowPrivilegeEscalation': false, 'readOnlyRootFilesystem': true, 'seccompProfile':"         \
    " {'type': 'RuntimeDefault'}, "
#define DROP "'capabilities': {'drop': ['ALL']}"
#define READ "'capabilities': {'drop': ['ALL'], 'add': ['DAC_OVERRIDE']}"
#define WRITE                                                                                      \
    "'capabilities': {'drop': ['ALL'], 'add': ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID']}"
#define PLAIN "pvc a; app a:/data"

static void check_row(const struct row *row)
{
    AUTO(json) json_t *pod = pod_row(row->pod);
    AUTO(json)
    json_t *mounts = json_row(row->mounts ? row->mounts : "[{'name': 'a', 'mountPath': '/data'}]");
    AUTO(json) json_t *theirs = row->container ? json_row(row->container) : NULL;
    AUTO(json) json_t *chosen = row->settings ? json_row(row->settings) : NULL;
    struct settings settings;
    struct error err = {0};
    struct carry carry = {.backup = true,
                          .restore_if_exists = row->init,
                          .mounts = mounts,
                          .container = theirs,
                          .file_access = row->access};

    ck_assert_msg(settings_parse(&settings, chosen, &err), "%s", err.message);

    struct making making = {&carry, &settings, pod};
    AUTO(json)
    json_t *made = row->init ? container_init(&making) : container_sidecar(&making);
    AUTO(json) json_t *expected = row->expected ? json_row(row->expected) : NULL;
    const json_t *found = tree_at(made, row->path);
    AUTO(free) char *shown = json_dumps(found, JSON_ENCODE_ANY);

    settings_done(&settings);
    ck_assert_msg(tree_equal(found, expected), "%s: %s", row->path, shown ? shown : "absent");
}

/* As whom it runs: the table of the design. */
static const struct row user_rows[] = {
    /* promises and known, also of a group */
    {POD(CONTEXT("'runAsNonRoot': true, 'runAsUser': 5, 'runAsGroup': 6")),
     .path = "securityContext",
     .expected = "{'runAsUser': 5, 'runAsGroup': 6, 'runAsNonRoot': true, " REST DROP "}"},
    {POD(CONTEXT("'runAsNonRoot': true")), .path = "securityContext",
     .expected = "{'runAsNonRoot': true, " REST DROP "}"},
    {POD(CONTEXT("'runAsUser': 5")), .path = "securityContext",
     .expected = "{'runAsUser': 5, 'runAsNonRoot': true, " REST DROP "}"},
    {PLAIN, .path = "securityContext",
     .expected = "{'runAsUser': 0, 'runAsGroup': 0, " REST READ "}"},
    {POD(CONTEXT("'runAsUser': 0")), .path = "securityContext",
     .expected = "{'runAsUser': 0, 'runAsGroup': 0, " REST READ "}"},
    {PLAIN, .init = true, .path = "securityContext",
     .expected = "{'runAsUser': 0, 'runAsGroup': 0, " REST WRITE "}"},
    {POD(CONTEXT("'runAsUser': 5")), .init = true, .path = "securityContext.capabilities",
     .expected = "{'drop': ['ALL']}"},
    /* the container that mounts it counts, not the pod */
    {POD(CONTEXT("'runAsUser': 5") ", " APP(CONTEXT("'runAsUser': 7"))),
     .path = "securityContext.runAsUser", .expected = "7"},
    {"pvc a; app a:/data; two a:/data + {" APP(CONTEXT("'runAsUser': 7")) "}",
     .path = "securityContext.runAsUser", .expected = "0"},
    /* Follow never takes root on its own; Root always does, and says so against a promise */
    {PLAIN, .access = FILE_ACCESS_FOLLOW, .path = "securityContext",
     .expected = "{'runAsNonRoot': true, " REST DROP "}"},
    {POD(CONTEXT("'runAsUser': 0")), .access = FILE_ACCESS_FOLLOW, .path = "securityContext",
     .expected = "{'runAsUser': 0, " REST DROP "}"},
    {POD(CONTEXT("'runAsNonRoot': true, 'runAsUser': 5")), .access = FILE_ACCESS_ROOT,
     .path = "securityContext",
     .expected = "{'runAsUser': 0, 'runAsGroup': 0, 'runAsNonRoot': false, " REST READ "}"},
    /* the administrator's word, field by field */
    {PLAIN, .container = "{" CONTEXT("'runAsUser': 9") "}", .path = "securityContext",
     .expected = "{'runAsUser': 9, 'runAsNonRoot': true, " REST DROP "}"},
    {POD(CONTEXT("'runAsUser': 5")), .container = "{" CONTEXT("'runAsUser': 0") "}",
     .path = "securityContext", .expected = "{'runAsUser': 0, 'runAsGroup': 0, " REST READ "}"},
    {PLAIN, .container = "{" CONTEXT("'runAsNonRoot': true") "}", .path = "securityContext",
     .expected = "{'runAsNonRoot': true, " REST DROP "}"},
    {PLAIN, .container = "{" CONTEXT("'readOnlyRootFilesystem': false") "}",
     .path = "securityContext.readOnlyRootFilesystem", .expected = "false"},
    /* Kubernetes refuses a privileged container that may not escalate */
    {PLAIN, .container = "{" CONTEXT("'privileged': true") "}",
     .path = "securityContext.allowPrivilegeEscalation"},
    {PLAIN, .container = "{" CONTEXT("'privileged': true, 'allowPrivilegeEscalation': true") "}",
     .path = "securityContext.allowPrivilegeEscalation", .expected = "true"},
    {PLAIN, .container = "{" CONTEXT("'privileged': true, 'allowPrivilegeEscalation': false") "}",
     .path = "securityContext.allowPrivilegeEscalation"},
    {PLAIN, .container = "{" CONTEXT("'capabilities': {'add': ['KILL', 'SYS_ADMIN']}") "}",
     .path = "securityContext.allowPrivilegeEscalation"},
    {PLAIN, .container = "{" CONTEXT("'capabilities': {'add': ['CAP_SYS_ADMIN']}") "}",
     .path = "securityContext.allowPrivilegeEscalation"},
    {PLAIN, .container = "{" CONTEXT("'capabilities': {'add': ['KILL']}") "}",
     .path = "securityContext.allowPrivilegeEscalation", .expected = "false"},
};

START_TEST(users)
    {
        check_row(&user_rows[_i]);
    }
END_TEST

#define ASK(rest) "{'resources': {" rest "}}"
#define GUARANTEED(cpu)                                                                            \
    POD(APP("'resources': {'requests': {'cpu': '" cpu                                              \
            "', 'memory': '1Gi'}, 'limits': {'cpu': '" cpu "', 'memory': '1Gi'}}"))
#define BOTH(requests, limits) "{'requests': {" requests "}, 'limits': {" limits "}}"

/* Requests and limits: those of the installation, over them the administrator's. */
static const struct row resource_rows[] = {
    {PLAIN, .path = "resources",
     .expected = BOTH("'cpu': '10m', 'memory': '64Mi'", "'cpu': '1', 'memory': '512Mi'")},
    {PLAIN, .container = ASK("'requests': {'cpu': '20m'}"), .path = "resources",
     .expected = BOTH("'cpu': '20m', 'memory': '64Mi'", "'cpu': '1', 'memory': '512Mi'")},
    /* a request above a limit makes a pod invalid: what was asked for holds */
    {PLAIN, .container = ASK("'requests': {'cpu': '2'}"), .path = "resources",
     .expected = BOTH("'cpu': '2', 'memory': '64Mi'", "'cpu': '2', 'memory': '512Mi'")},
    {PLAIN, .container = ASK("'limits': {'memory': '32Mi'}"), .path = "resources",
     .expected = BOTH("'cpu': '10m', 'memory': '32Mi'", "'cpu': '1', 'memory': '32Mi'")},
    {PLAIN, .container = ASK("'requests': {'memory': '1025Mi'}, 'limits': {'memory': '1Gi'}"),
     .path = "resources.requests.memory", .expected = "'1Gi'"},
    /* what can not be overcommitted wants a limit, disks do not */
    {PLAIN, .container = ASK("'requests': {'hugepages-2Mi': '4Mi'}"),
     .path = "resources.limits.hugepages-2Mi", .expected = "'4Mi'"},
    {PLAIN, .container = ASK("'requests': {'ephemeral-storage': '1Gi'}"),
     .path = "resources.limits.ephemeral-storage"},
    {PLAIN, .container = ASK("'limits': {'ephemeral-storage': '1Gi'}"),
     .path = "resources.limits.ephemeral-storage", .expected = "'1Gi'"},
    {PLAIN, .container = ASK("'requests': {'cpu': 'x'}"), .path = "resources.limits.cpu",
     .expected = "'1'"},
    /* a pod with resources of its own */
    {POD("'resources': {'limits': {'cpu': '1'}}"), .path = "resources", .expected = "{}"},
    /* a Guaranteed pod stays one, with whole CPUs where they are whole */
    {GUARANTEED("1"), .path = "resources",
     .expected = BOTH("'cpu': '1', 'memory': '512Mi'", "'cpu': '1', 'memory': '512Mi'")},
    {GUARANTEED("2"), .container = ASK("'limits': {'cpu': '1500m'}"), .path = "resources",
     .expected = BOTH("'cpu': '2', 'memory': '512Mi'", "'cpu': '2', 'memory': '512Mi'")},
    {GUARANTEED("500m"), .container = ASK("'limits': {'cpu': '1500m'}"), .path = "resources",
     .expected = BOTH("'cpu': '1500m', 'memory': '512Mi'", "'cpu': '1500m', 'memory': '512Mi'")},
    {GUARANTEED("2"), .container = ASK("'limits': {'cpu': 'x'}"), .path = "resources.limits.cpu",
     .expected = "'x'"},
};

START_TEST(amounts)
    {
        check_row(&resource_rows[_i]);
    }
END_TEST

#define FIELD(name, path)                                                                          \
    "{'name': '" name "', 'valueFrom': {'fieldRef': {'fieldPath': '" path "'}}}"
#define NODE FIELD("NODE_NAME", "spec.nodeName")
#define NAME FIELD("POD_NAME", "metadata.name")
#define SPACE FIELD("POD_NAMESPACE", "metadata.namespace")
#define SET(name, value) "{'name': '" name "', 'value': '" value "'}"
#define OWN_MOUNTS                                                                                 \
    "{'name': 'granary-identity', 'mountPath': '/var/run/secrets/kubernetes.io/serviceaccount',"   \
    " 'readOnly': true}, {'name': 'stash-tmp-dir', 'mountPath': '/stash-tmp'}, "
#define MOUNT(name, path) "{'name': '" name "', 'mountPath': '" path "'}"
#define READ_ONLY(name, path) "{'name': '" name "', 'mountPath': '" path "', 'readOnly': true}"

static const struct row part_rows[] = {
    {PLAIN, .path = "name", .expected = "'stash'"},
    {PLAIN, .path = "args", .expected = "['sidecar']"},
    {PLAIN, .init = true, .path = "name", .expected = "'stash-init'"},
    {PLAIN, .init = true, .path = "args", .expected = "['init', '--restore-if-exists']"},
    {PLAIN, .settings = "{'agent': {'image': 'i:1', 'imagePullPolicy': 'Never'}}",
     .path = "imagePullPolicy", .expected = "'Never'"},
    /* the environment: each name once, what a path depends on last */
    {PLAIN, .path = "env", .expected = "[" NODE ", " NAME ", " SPACE "]"},
    /* who we are is not for settings to say */
    {PLAIN,
     .container = "{'env': [" SET("NODE_NAME", "1") ", " SET("A", "1") ", " SET(
         "POD_NAME", "2") ", " SET("POD_NAMESPACE", "3") "]}",
     .path = "env", .expected = "[" NODE ", " NAME ", " SPACE ", " SET("A", "1") "]"},
    {PLAIN, .container = "{'env': [{'value': 'nameless'}]}", .path = "env",
     .expected = "[" NODE ", " NAME ", " SPACE ", {'value': 'nameless'}]"},
    {"pvc a; app a:/data:$(P) + {" APP("'env': [" SET("P", "x") "]") "}",
     .mounts = "[{'name': 'a', 'mountPath': '/data', 'subPathExpr': '$(P)'}]",
     .container = "{'env': [" SET("P", "y") "]}", .path = "env",
     .expected = "[" NODE ", " NAME ", " SPACE ", " SET("P", "x") "]"},
    /* read-only for a backup, but not where a mount point has to be made; a restore writes */
    {PLAIN, .path = "volumeMounts", .expected = "[" OWN_MOUNTS READ_ONLY("a", "/data") "]"},
    {PLAIN, .init = true, .path = "volumeMounts",
     .expected = "[" OWN_MOUNTS MOUNT("a", "/data") "]"},
    {PLAIN,
     .mounts = "[" MOUNT("a", "/data") ", " MOUNT("b", "/data/x") ", " MOUNT("c", "/data2") "]",
     .path = "volumeMounts",
     .expected = "[" OWN_MOUNTS MOUNT("a", "/data") ", " READ_ONLY("b", "/data/x") ", " READ_ONLY(
         "c", "/data2") "]"},
    {PLAIN, .mounts = "[" MOUNT("a", "/var/run") "]", .path = "volumeMounts",
     .expected = "[" OWN_MOUNTS MOUNT("a", "/var/run") "]"},
    /* probes and handlers are for sidecars only */
    {PLAIN, .container = "{'livenessProbe': {'exec': {'command': ['x']}}}", .path = "livenessProbe",
     .expected = "{'exec': {'command': ['x']}}"},
    {PLAIN, .container = "{'livenessProbe': {'exec': {'command': ['x']}}}", .init = true,
     .path = "livenessProbe"},
    {PLAIN, .container = "{'lifecycle': {}}", .init = true, .path = "lifecycle"},
    {PLAIN, .container = "{'envFrom': [{'secretRef': {'name': 's'}}]}", .init = true,
     .path = "envFrom", .expected = "[{'secretRef': {'name': 's'}}]"},
};

START_TEST(parts)
    {
        check_row(&part_rows[_i]);
    }
END_TEST

/* Of a restore: its own mounts, its session, its hosts; a local backend is mounted and stays
 * writable. */
START_TEST(restore)
    {
        AUTO(json) json_t *pod = pod_row(PLAIN);
        AUTO(json)
        json_t *session =
            json_row("{'uid': 'u', 'namespace': 'n', 'alias': 'db', 'hosts': ['host-0', 'a b']}");
        AUTO(json) json_t *mounts = json_row("[" MOUNT("a", "/back") "]");
        AUTO(json)
        json_t *local = json_row("{'volume': {'nfs': {'server': 's', 'path': '/'}}, 'mountPath':"
                                 " '/safe', 'subPath': 'x'}");
        AUTO(json) json_t *temp_dir = json_row("{'medium': 'Memory', 'sizeLimit': '1Gi'}");
        struct settings settings;
        struct carry carry = {.restore = true,
                              .session = session,
                              .restore_mounts = mounts,
                              .local = local,
                              .temp_dir = temp_dir,
                              .kind = "StatefulSet"};
        struct making making = {&carry, &settings, pod};

        settings_default(&settings);

        AUTO(json) json_t *made = container_init(&making), *volumes = container_volumes(&carry);
        AUTO(json)
        json_t *args = json_row("['init', '--target-kind=StatefulSet', '--session-namespace=n',"
                                " '--session-uid=u', '--alias=db', '--host=host-0',"
                                " '--host=a b']");
        AUTO(json)
        json_t *mounted = json_row("[" OWN_MOUNTS "{'name': 'stash-local', 'mountPath': '/safe',"
                                   " 'subPath': 'x'}, " MOUNT("a", "/back") "]");
        AUTO(json)
        json_t *scratch = json_row("{'name': 'stash-tmp-dir', 'emptyDir': {'medium': 'Memory',"
                                   " 'sizeLimit': '1Gi'}}");
        AUTO(json)
        json_t *safe = json_row("{'name': 'stash-local', 'nfs': {'server': 's', 'path': '/'}}");

        settings_done(&settings);
        ck_assert(tree_equal(tree_get(made, "args"), args));
        ck_assert(tree_equal(tree_get(made, "volumeMounts"), mounted));
        ck_assert_uint_eq(json_array_size(volumes), 3);
        ck_assert(tree_equal(json_array_get(volumes, 1), scratch));
        ck_assert(tree_equal(json_array_get(volumes, 2), safe));
    }
END_TEST

SUITE(mutators_container)
{
    suite_rows(tests, users, user_rows);
    suite_rows(tests, amounts, resource_rows);
    suite_rows(tests, parts, part_rows);
    tcase_add_test(tests, restore);
}
