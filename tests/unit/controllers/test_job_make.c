#include "controllers/job_make.h"

#include <stdlib.h>

#include "api/pod.h"
#include "base/auto.h"
#include "base/pointer.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define NO_NODE "{}"

#define OF(kind, version, name, spec)                                                              \
    "{'metadata': {'name': 'bc', 'namespace': 'shop', 'uid': 'u1', 'labels': {'team': 'a'}}, "     \
    "'spec': {'target': {'ref': {'apiVersion': '" version "', 'kind': '" kind "', 'name': '" name  \
    "'}" spec "}}"
#define CLAIM(spec) OF("PersistentVolumeClaim", "v1", "data", spec)
#define WEB(spec) OF("Deployment", "apps/v1", "web", spec)
#define SET(spec) OF("StatefulSet", "apps/v1", "db", spec)
#define APP(spec) OF("AppBinding", "appcatalog.appscode.com/v1alpha1", "pg", spec)

#define S3 "{'metadata': {'name': 'r', 'namespace': 'shop'}, 'spec': {'backend': {'s3': {}}}}"
#define LOCAL                                                                                      \
    "{'metadata': {'name': 'r', 'namespace': 'store'}, 'spec': {'backend': {'local': "             \
    "{'mountPath': '/repo', 'persistentVolumeClaim': {'claimName': 'repo'}}}}}"

#define WEB_OBJECT                                                                                 \
    "{'metadata': {'name': 'web', 'namespace': 'shop'}, 'spec': {'template': {'spec': "            \
    "{'securityContext': {'runAsUser': 1000, 'runAsGroup': 1001, 'runAsNonRoot': true, 'fsGroup':" \
    " 7, 'seLinuxOptions': {'level': 's0'}}, 'tolerations': [{'operator': 'Exists'}], "            \
    "'containers': [{'name': 'c', 'volumeMounts': [{'name': 'www', 'mountPath': '/var/www'}, "     \
    "{'name': 'tmp', 'mountPath': '/tmp'}]}], 'volumes': [{'name': 'www', "                        \
    "'persistentVolumeClaim': {'claimName': 'www-claim'}}, {'name': 'tmp', 'emptyDir': {}}]}}}}"
#define SET_WITH(mount)                                                                            \
    "{'metadata': {'name': 'db', 'namespace': 'shop'}, 'spec': {'volumeClaimTemplates': "          \
    "[{'metadata': {'name': 'data'}}], 'template': {'spec': {'containers': [{'name': 'c', 'env': " \
    "[{'name': 'POD', 'valueFrom': {'fieldRef': {'fieldPath': 'metadata.name'}}}, {'name': 'IP', " \
    "'valueFrom': {'fieldRef': {'fieldPath': 'status.podIP'}}}], 'volumeMounts': [{'name': "       \
    "'data', 'mountPath': '/data'" mount "}]}]}}}}"
#define SET_OBJECT SET_WITH("")
#define SET_PATH(path) SET("}"), SET_WITH(", 'subPathExpr': '" path "'"), NO_NODE, 2
#define APP_OBJECT "{'spec': {'type': 'postgres', 'version': '15.3'}}"

#define TASKS                                                                                      \
    "[{'metadata': {'name': 'pg-backup-15.2'}, 'spec': {'steps': [{'name': 'dump'}, {'name': "     \
    "'upload'}], 'volumes': [{'name': 'work', 'emptyDir': {}}]}}, {'metadata': {'name': "          \
    "'taken-1'}, 'spec': {'steps': [{'name': 'upload'}], 'volumes': [{'name': 'stash-tmp-dir', "   \
    "'emptyDir': {}}]}}, {'metadata': {'name': 'broken-1'}, 'spec': {'steps': [{'name': "          \
    "'nobody'}]}}, {'metadata': {'name': 'pvc-backup'}, 'spec': {'steps': [{'name': "              \
    "'nobody'}]}}, {'metadata': {'name': 'database-1'}, 'spec': {'steps': [{'name': "              \
    "'database'}]}}, "                                                                             \
    "{'metadata': {'name': 'pvc-restore', 'labels': {'app.kubernetes.io/name': 'granary'}}, "      \
    "'spec': "                                                                                     \
    "{'steps': [{'name': 'upload'}, {'name': 'nobody'}]}}]"
#define FUNCTIONS                                                                                  \
    "[{'metadata': {'name': 'dump'}, 'spec': {'image': 'pg:15', 'args': "                          \
    "['--dir=${INTERIM_DATA_DIR}', '${args:=}'], 'volumeMounts': [{'name': 'work', 'mountPath': "  \
    "'/work'}], 'runtimeSettings': {'env': [{'name': 'A', 'value': '1'}]}}}, {'metadata': "        \
    "{'name': 'upload'}, 'spec': {'image': '${GRANARY_AGENT_IMAGE}', 'args': ['step']}}, "         \
    "{'metadata': {'name': 'database'}, 'spec': {'image': '${GRANARY_POSTGRES_IMAGE}', 'args': "   \
    "['database-backup']}}]"

#define SPEC "/spec/template/spec"
#define MAIN SPEC "/containers/0"
#define INIT SPEC "/initContainers/0"
#define TERMS                                                                                      \
    SPEC "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms"
#define POD_SETTINGS(what) "}, 'runtimeSettings': {'pod': {" what "}}"
#define CONTAINER_SETTINGS(what) "}, 'runtimeSettings': {'container': {" what "}}"

/* What is made: a place in the Job, and what is there; "" when nothing is. */
static const struct {
    const char *what, *invoker, *target, *attached;
    int64_t ordinal;
    const char *at, *made;
} rows[] = {
#define BARE(spec) CLAIM(spec), NULL, NO_NODE, -1
#define WEBS(spec) WEB(spec), WEB_OBJECT, NO_NODE, -1
#define SETS(spec) SET(spec), SET_OBJECT, NO_NODE, 2
#define APPS(spec) APP(spec), APP_OBJECT, NO_NODE, -1
#define TASK "}, 'task': {'name': 'pg-backup-${TARGET_APP_VERSION}'}"
    {"name", BARE("}"), "/metadata/name", "'stash-backup-bc-17-0'"},
    {"namespace", BARE("}"), "/metadata/namespace", "'shop'"},
    {"owner", BARE("}"), "/metadata/ownerReferences",
     "[{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupSession', 'name': 'bc-17', "
     "'uid': 'u2', 'controller': true, 'blockOwnerDeletion': false}]"},
    {"labels of the invoker", BARE("}"), "/metadata/labels/team", "'a'"},
    {"labels of ours", BARE("}"), "/metadata/labels/stash.appscode.com~1invoker-name", "'bc'"},
    {"labels of the pod", BARE("}"), "/spec/template/metadata/labels/team", "'a'"},
    {"whose Job it is", BARE("}"), "/metadata/labels/granary.dev~1session", "'u2'"},
    {"whose pod it is", BARE("}"), "/spec/template/metadata/labels/granary.dev~1session", "'u2'"},
    {"tried once", BARE("}"), "/spec/backoffLimit", "0"},
    {"one pod at a time", BARE("}"), "/spec/podReplacementPolicy", "'Failed'"},
    {"kept an hour", BARE("}"), "/spec/ttlSecondsAfterFinished", "3600"},
    {"its deadline", BARE("}"), "/spec/activeDeadlineSeconds", "900"},
    {"never restarted", BARE("}"), SPEC "/restartPolicy", "'Never'"},
    {"no token", BARE("}"), SPEC "/automountServiceAccountToken", "false"},
    {"nothing before", BARE("}"), SPEC "/initContainers", ""},
    {"our image", BARE("}"), MAIN "/image", "'reg/agent:1'"},
    {"our step", BARE("}"), MAIN "/args", "['step']"},
    /* a claim */
    {"its mount", BARE("}"), MAIN "/volumeMounts/2",
     "{'name': 'stash-volume', 'mountPath': '/stash-data', 'readOnly': true}"},
    {"its own path", BARE(", 'volumeMounts': [{'name': 'x', 'mountPath': '/in', 'subPath': 's'}]}"),
     MAIN "/volumeMounts/2",
     "{'name': 'stash-volume', 'mountPath': '/in', 'subPath': 's', 'readOnly': true}"},
    {"its volume", BARE("}"), SPEC "/volumes/2",
     "{'name': 'stash-volume', 'persistentVolumeClaim': {'claimName': 'data'}}"},
    {"identity", BARE("}"), MAIN "/volumeMounts/0/name", "'granary-identity'"},
    {"nobody knows whose files", BARE("}"), MAIN "/securityContext/runAsUser", "0"},
    {"that needs no more", BARE("}"), MAIN "/securityContext/capabilities",
     "{'drop': ['ALL'], 'add': ['DAC_OVERRIDE']}"},
    {"never as root", BARE("}, 'fileAccess': 'Follow'"), MAIN "/securityContext/runAsNonRoot",
     "true"},
    {"scratch", BARE("}, 'tempDir': {'medium': 'Memory', 'sizeLimit': '1Gi'}"),
     SPEC "/volumes/1/emptyDir", "{'medium': 'Memory', 'sizeLimit': '1Gi'}"},
    {"requests", BARE("}"), MAIN "/resources/requests/cpu", "'100m'"},
    {"chosen requests", BARE(CONTAINER_SETTINGS("'resources': {'requests': {'cpu': '2'}}")),
     MAIN "/resources/requests/cpu", "'2'"},
    {"the other stays", BARE(CONTAINER_SETTINGS("'resources': {'requests': {'cpu': '2'}}")),
     MAIN "/resources/requests/memory", "'64Mi'"},
    {"chosen user", BARE(CONTAINER_SETTINGS("'securityContext': {'runAsUser': 5}")),
     MAIN "/securityContext/runAsUser", "5"},
    {"chosen environment", BARE(CONTAINER_SETTINGS("'env': [{'name': 'B', 'value': '2'}]")),
     MAIN "/env/3", "{'name': 'B', 'value': '2'}"},
    /* runtimeSettings.pod, field by field */
    {"labels", BARE(POD_SETTINGS("'podLabels': {'l': '1', 'team': 'other'}")),
     "/spec/template/metadata/labels/l", "'1'"},
    {"labels that are there", BARE(POD_SETTINGS("'podLabels': {'l': '1', 'team': 'other'}")),
     "/spec/template/metadata/labels/team", "'a'"},
    {"annotations", BARE(POD_SETTINGS("'podAnnotations': {'x': 'y'}")),
     "/spec/template/metadata/annotations", "{'x': 'y'}"},
    {"account", BARE(POD_SETTINGS("'serviceAccountName': 'me'")), SPEC "/serviceAccountName",
     "'me'"},
    {"account without use", BARE(POD_SETTINGS("'serviceAccountName': 'me'")),
     SPEC "/automountServiceAccountToken", "false"},
    {"account of a Task",
     APPS(POD_SETTINGS("'serviceAccountName': 'me'") ", 'task': {'name': 'pg-backup-15.2'}"),
     SPEC "/automountServiceAccountToken", "true"},
    {"selector", BARE(POD_SETTINGS("'nodeSelector': {'a': 'b'}")), SPEC "/nodeSelector",
     "{'a': 'b'}"},
    {"priority", BARE(POD_SETTINGS("'priorityClassName': 'low'")), SPEC "/priorityClassName",
     "'low'"},
    {"pull secrets", BARE("}"), SPEC "/imagePullSecrets", "[{'name': 'pull'}]"},
    {"own pull secrets", BARE(POD_SETTINGS("'imagePullSecrets': [{'name': 'o'}]")),
     SPEC "/imagePullSecrets", "[{'name': 'o'}]"},
    {"tolerations", BARE(POD_SETTINGS("'tolerations': [{'key': 'k'}]")), SPEC "/tolerations",
     "[{'key': 'k'}]"},
    /* the node */
    {"anywhere", BARE("}"), SPEC "/affinity", ""},
    {"where it is attached", CLAIM("}"), NULL, "{'data': 'n1'}", -1, TERMS,
     "[{'matchFields': [{'key': 'metadata.name', 'operator': 'In', 'values': ['n1']}]}]"},
    {"and where people want it",
     CLAIM(POD_SETTINGS("'affinity': {'nodeAffinity': "
                        "{'requiredDuringSchedulingIgnoredDuringExecution': {'nodeSelectorTerms': "
                        "[{'matchExpressions': []}, {}]}}}")),
     NULL, "{'data': 'n1'}", -1, TERMS,
     "[{'matchExpressions': [], 'matchFields': [{'key': 'metadata.name', 'operator': 'In', "
     "'values': ['n1']}]}, {'matchFields': [{'key': 'metadata.name', 'operator': 'In', 'values': "
     "['n1']}]}]"},
    {"many nodes can have it", CLAIM("}, 'x': 'RWX'"), NULL, "{'shared': 'n1'}", -1,
     SPEC "/affinity", ""},
    {"the node was chosen", CLAIM(POD_SETTINGS("'nodeName': 'n1'")), NULL, "{'data': 'n1'}", -1,
     SPEC "/affinity", ""},
    /* a workload in Job mode: paths and user as the sidecar has them */
    {"the same path", WEBS("}"), MAIN "/volumeMounts/2",
     "{'name': 'www', 'mountPath': '/var/www', 'readOnly': true}"},
    {"only claims", WEBS("}"), MAIN "/volumeMounts/3", ""},
    {"its claim", WEBS("}"), SPEC "/volumes/2",
     "{'name': 'www', 'persistentVolumeClaim': {'claimName': 'www-claim'}}"},
    {"its user", WEBS("}"), MAIN "/securityContext/runAsUser", "1000"},
    {"its group", WEBS("}"), MAIN "/securityContext/runAsGroup", "1001"},
    {"its groups and labels", WEBS("}"), SPEC "/securityContext",
     "{'fsGroup': 7, 'seLinuxOptions': {'level': 's0'}}"},
    {"before them", WEBS(POD_SETTINGS("'securityContext': {'fsGroup': 9}")),
     SPEC "/securityContext", "{'fsGroup': 9, 'seLinuxOptions': {'level': 's0'}}"},
    {"its tolerations", WEBS("}"), SPEC "/tolerations", "[{'operator': 'Exists'}]"},
    {"what was asked for", WEBS(", 'volumeMounts': [{'name': 'tmp', 'mountPath': '/t'}]}"),
     MAIN "/volumeMounts/2", "{'name': 'tmp', 'mountPath': '/t', 'readOnly': true}"},
    {"of an ordinal", SETS("}"), SPEC "/volumes/2",
     "{'name': 'data', 'persistentVolumeClaim': {'claimName': 'data-db-2'}}"},
    {"its name", SETS("}"), "/metadata/name", "'stash-backup-bc-17-0-2'"},
    {"a path of an ordinal", SET_PATH("x/$(POD)/y"), MAIN "/volumeMounts/2",
     "{'name': 'data', 'mountPath': '/data', 'subPath': 'x/db-2/y', 'readOnly': true}"},
    /* an application */
    {"the version's neighbour", APPS(TASK), INIT "/name", "'dump-0'"},
    {"its image", APPS(TASK), INIT "/image", "'pg:15'"},
    {"its arguments",
     APPS("}, 'task': {'name': 'pg-backup-15.2', 'params': [{'name': 'args', "
          "'value': '--x'}]}"),
     INIT "/args", "['--dir=/stash-tmp/stash-interim-volume/data', '--x']"},
    {"its settings", APPS(TASK), INIT "/env/3", "{'name': 'A', 'value': '1'}"},
    {"no identity of ours", APPS(TASK), INIT "/volumeMounts",
     "[{'name': 'stash-tmp-dir', 'mountPath': '/stash-tmp'}, {'name': 'work', 'mountPath': "
     "'/work'}]"},
    {"nobody's user", APPS(TASK), INIT "/securityContext/runAsUser", "65535"},
    {"it may write", APPS(TASK), INIT "/securityContext/readOnlyRootFilesystem", ""},
    {"the last one", APPS(TASK), MAIN "/name", "'upload-1'"},
    {"is ours", APPS(TASK), MAIN "/volumeMounts/0/name", "'granary-identity'"},
    {"one user for both", APPS(TASK), MAIN "/securityContext/runAsUser", "65535"},
    {"volumes of the Task", APPS(TASK), SPEC "/volumes/2", "{'name': 'work', 'emptyDir': {}}"},
    {"interim", APPS(TASK ", 'interimVolumeTemplate': {'metadata': {'name': 'i'}, 'spec': {}}"),
     SPEC "/volumes/2",
     "{'name': 'stash-interim-volume', 'persistentVolumeClaim': {'claimName': 'bc-17-i'}}"},
    {"interim mount",
     APPS(TASK ", 'interimVolumeTemplate': {'metadata': {'name': 'i'}, 'spec': {}}"),
     INIT "/volumeMounts/2",
     "{'name': 'stash-interim-volume', 'mountPath': '/stash-interim-volume'}"},
    {"a Task of a claim that is built in", BARE("}, 'task': {'name': 'pvc-backup'}"), MAIN "/args",
     "['step']"},
};

static char pull_policy[] = "Always", image[] = "reg/agent:1";

/* Filled from rows; what a request borrows. */
struct scene {
    json_t *invoker, *session, *repository, *target, *attached, *tasks, *functions, *claims,
        *neighbour, *pull, *resources;
    struct settings settings;
    struct job_request request;
};

static void scene_done(struct scene *scene)
{
    json_t **all[] = {&scene->invoker,   &scene->session, &scene->repository, &scene->target,
                      &scene->attached,  &scene->tasks,   &scene->functions,  &scene->claims,
                      &scene->neighbour, &scene->pull,    &scene->resources};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        json_decref(*all[i]);
}

static inline void auto_scene(struct scene *scene)
{
    scene_done(scene);
}

static void scene_make(struct scene *scene, const char *invoker, const char *target,
                       const char *attached, int64_t ordinal)
{
    *scene = (struct scene){
        .invoker = json_row(invoker),
        .session = json_row("{'metadata': {'name': 'bc-17', 'namespace': 'shop', 'uid': 'u2'}}"),
        .repository = json_row(S3),
        .target = target ? json_row(target) : NULL,
        .attached = json_row(attached),
        .tasks = json_row(TASKS),
        .functions = json_row(FUNCTIONS),
        .pull = json_row("[{'name': 'pull'}]"),
        .resources = json_row("{'requests': {'cpu': '100m', 'memory': '64Mi'}, 'limits': {'cpu': "
                              "'1', 'memory': '512Mi'}}"),
    };
    scene->settings = (struct settings){.agent_image = image,
                                        .agent_image_pull_policy = pull_policy,
                                        .agent_pull_secrets = scene->pull,
                                        .agent_resources = scene->resources};
    scene->request = (struct job_request){.invoker = scene->invoker,
                                          .session = scene->session,
                                          .repository = scene->repository,
                                          .target = scene->target,
                                          .ordinal = ordinal,
                                          .tasks = scene->tasks,
                                          .functions = scene->functions,
                                          .attached = scene->attached,
                                          .account_allowed = true,
                                          .deadline_s = 600,
                                          .settings = &scene->settings};
}

START_TEST(test_made)
    {
        AUTO(scene) struct scene scene;
        AUTO(job_made) struct job_made made = {0}, again = {0};
        AUTO(findings) struct findings findings = {0};

        scene_make(&scene, rows[_i].invoker, rows[_i].target, rows[_i].attached, rows[_i].ordinal);
        ck_assert_msg(job_make(&scene.request, &made, &findings), "%s: %s", rows[_i].what,
                      findings.count ? findings.items[findings.count - 1].message : "");

        const json_t *there = pointer_get(made.job, rows[_i].at);
        AUTO(json) json_t *wanted = *rows[_i].made ? json_row(rows[_i].made) : NULL;
        AUTO(free) char *shown = tree_format(there, NULL);

        ck_assert_msg(tree_equal(there, wanted), "%s: %s", rows[_i].what,
                      shown ? shown : "nothing");
        ck_assert(job_make(&scene.request, &again, &findings));
        ck_assert(tree_equal(made.job, again.job));
    }
END_TEST

#define POD(user)                                                                                  \
    "{'spec': {'securityContext': {'runAsUser': " user ", 'runAsNonRoot': true}, 'containers': "   \
    "[{'name': 'c', 'volumeMounts': [{'name': 'v', 'mountPath': '/d'}]}], 'volumes': [{'name': "   \
    "'v', 'persistentVolumeClaim': {'claimName': 'data'}}]}}"

/* ---- what can not be made, or is doubtful ---- */

static const struct {
    const char *what, *invoker, *target, *attached;
    int64_t ordinal;
    const char *repository, *claims;
    bool refused; /* the ServiceAccount */
    const char *finding;
    bool made;
} bad[] = {
#define HERE S3, NULL, false
    {"no target", "{'spec': {}}", NULL, NO_NODE, -1, HERE, "is no kind", false},
    {"another kind", OF("Pod", "v1", "x", "}"), NULL, NO_NODE, -1, HERE, "is no kind", false},
    {"no invoker", "null", NULL, NO_NODE, -1, HERE, "is no kind", false},
    {"application without Task", APP("}"), APP_OBJECT, NO_NODE, -1, HERE, "names a Task", false},
    {"application gone", APP(TASK), NULL, NO_NODE, -1, HERE, "the target is not there", false},
    {"no such Task", APP("}, 'task': {'name': 'redis-backup-7'}"), APP_OBJECT, NO_NODE, -1, HERE,
     "there is no Task redis-backup-7", false},
    {"no such Task of a claim", CLAIM("}, 'task': {'name': 'pvc-dump'}"), NULL, NO_NODE, -1, HERE,
     "there is no Task pvc-dump", false},
    {"Stash's Task of a claim", CLAIM("}, 'task': {'name': 'pvc-backup'}"), NULL, NO_NODE, -1, HERE,
     NULL, true},
    {"ours, changed", CLAIM("}, 'task': {'name': 'pvc-restore'}"), NULL, NO_NODE, -1, HERE,
     "there is no Function nobody", false},
    {"of an older version", APP("}, 'task': {'name': 'pg-backup-16.0'}"), APP_OBJECT, NO_NODE, -1,
     HERE, "there is no Task pg-backup-16.0", false},
    {"of the same major version", APP(TASK), APP_OBJECT, NO_NODE, -1, HERE,
     "there is no Task pg-backup-15.3: pg-backup-15.2 does its work", true},
    {"variable of the name", APP("}, 'task': {'name': 'x-${NOBODY}'}"), APP_OBJECT, NO_NODE, -1,
     HERE, "unknown variable ${NOBODY}", false},
    {"no Function", APP("}, 'task': {'name': 'broken-1'}"), APP_OBJECT, NO_NODE, -1, HERE,
     "there is no Function nobody", false},
    {"a volume of our name", APP("}, 'task': {'name': 'taken-1'}"), APP_OBJECT, NO_NODE, -1, HERE,
     "which is a name of granary's own", false},
    {"a reserved parameter",
     APP("}, 'task': {'name': 'pg-backup-15.2', 'params': [{'name': 'HOSTNAME', 'value': 'x'}]}"),
     APP_OBJECT, NO_NODE, -1, HERE, "HOSTNAME is set by granary", false},
    {"account", CLAIM(POD_SETTINGS("'serviceAccountName': 'admin'")), NULL, NO_NODE, -1, S3, NULL,
     true, "may not choose their ServiceAccount", false},
    {"no account, nothing asked", CLAIM("}"), NULL, NO_NODE, -1, S3, NULL, true, NULL, true},
    {"claim not there", CLAIM("}"), NULL, NO_NODE, -1, S3, "[]", false,
     "there is no PersistentVolumeClaim data", false},
    {"claim there", CLAIM("}"), NULL, NO_NODE, -1, S3, "[{'metadata': {'name': 'data'}}]", false,
     NULL, true},
    {"claim for one pod", CLAIM("}"), NULL, "{'data': 'n1'}", -1, S3,
     "[{'metadata': {'name': 'data'}, 'spec': {'accessModes': ['ReadWriteOncePod']}}]", false,
     "is ReadWriteOncePod and mounted on node n1", false},
    {"claim for one pod that is free", CLAIM("}"), NULL, NO_NODE, -1, S3,
     "[{'metadata': {'name': 'data'}, 'spec': {'accessModes': ['ReadWriteOncePod']}}]", false, NULL,
     true},
    {"two nodes",
     WEB(", 'volumeMounts': [{'name': 'www', 'mountPath': '/a'}, {'name': 'two', "
         "'mountPath': '/b'}]}"),
     "{'metadata': {'name': 'web'}, 'spec': {'template': {'spec': {'volumes': [{'name': 'www', "
     "'persistentVolumeClaim': {'claimName': 'a'}}, {'name': 'two', 'persistentVolumeClaim': "
     "{'claimName': 'b'}}]}}}}",
     "{'a': 'n1', 'b': 'n2'}", -1, HERE, "one pod can not have both", false},
    {"another node was chosen", CLAIM(POD_SETTINGS("'nodeName': 'n2'")), NULL, "{'data': 'n1'}", -1,
     HERE, "runtimeSettings.pod.nodeName is on node n2", false},
    {"workload without claims", WEB("}"),
     "{'metadata': {'name': 'web'}, 'spec': {'template': {'spec': {}}}}", NO_NODE, -1, HERE,
     "no claims that a Job could mount", false},
    {"workload without that volume", WEB(", 'volumeMounts': [{'name': 'x', 'mountPath': '/x'}]}"),
     WEB_OBJECT, NO_NODE, -1, HERE, "have no volume x", false},
    {"set without ordinal", SET("}"), SET_OBJECT, NO_NODE, -1, HERE, "have no volume data", false},
    {"a path that only a pod knows", SET_PATH("$(IP)"), HERE,
     "subPathExpr of volume data depends on a pod", false},
    {"a path that leads out", SET_PATH("../$(POD)"), HERE, "subPathExpr of volume data", false},
    {"a path with an escape", SET_PATH("a$$(POD)"), HERE, "subPathExpr of volume data", false},
    {"local claim elsewhere", CLAIM("}"), NULL, NO_NODE, -1, LOCAL, NULL, false,
     "is in namespace store, where this Job is not", false},
};

START_TEST(test_bad)
    {
        AUTO(scene) struct scene scene;
        AUTO(job_made) struct job_made made = {0};
        AUTO(findings) struct findings findings = {0};
        bool told = !bad[_i].finding;

        scene_make(&scene, bad[_i].invoker, bad[_i].target, bad[_i].attached, bad[_i].ordinal);
        json_decref(scene.repository);
        scene.request.repository = scene.repository = json_row(bad[_i].repository);
        scene.request.claims = scene.claims = bad[_i].claims ? json_row(bad[_i].claims) : NULL;
        scene.request.account_allowed = !bad[_i].refused;
        ck_assert_msg(job_make(&scene.request, &made, &findings) == bad[_i].made, "%s: %s",
                      bad[_i].what, findings.count ? findings.items[0].message : "nothing");
        ck_assert((made.job != NULL) == bad[_i].made);
        for (size_t i = 0; i < findings.count; i++)
            told = told || strstr(findings.items[i].message, bad[_i].finding);
        ck_assert_msg(told, "%s: %s", bad[_i].what,
                      findings.count ? findings.items[0].message : "-");
    }
END_TEST

/* ---- users, Pod Security ---- */

static const struct {
    const char *neighbour;
    bool restore, restricted;
    int64_t uid; /* -1: the image's */
    enum pod_security level;
    const char *add;
} users[] = {
    {NULL, false, false, 0, POD_BASELINE, "['DAC_OVERRIDE']"},
    {NULL, true, false, 0, POD_BASELINE, "['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID']"},
    {NULL, false, true, -1, POD_RESTRICTED, ""},
    {NULL, true, true, -1, POD_RESTRICTED, ""},
    {POD("1000"), false, false, 1000, POD_RESTRICTED, ""},
    {POD("1000"), true, false, 1000, POD_RESTRICTED, ""},
    {POD("1000"), true, true, 1000, POD_RESTRICTED, ""},
};

START_TEST(test_user)
    {
        AUTO(scene) struct scene scene;
        AUTO(job_made) struct job_made made = {0};
        AUTO(findings) struct findings findings = {0};

        scene_make(&scene, CLAIM("}"), NULL, NO_NODE, -1);
        scene.request.restore = users[_i].restore;
        scene.request.restricted = users[_i].restricted;
        scene.neighbour = users[_i].neighbour ? json_row(users[_i].neighbour) : NULL;
        scene.request.neighbour = scene.neighbour;
        ck_assert(job_make(&scene.request, &made, &findings));
        ck_assert_uint_eq(findings.count, users[_i].restricted);

        const json_t *context = pointer_get(made.job, MAIN "/securityContext");
        AUTO(json) json_t *add = *users[_i].add ? json_row(users[_i].add) : NULL;

        ck_assert_int_eq(tree_int(context, "runAsUser", -1), users[_i].uid);
        ck_assert(tree_equal(tree_at(context, "capabilities.add"), add));
        ck_assert_int_eq(pod_security_level(pointer_get(made.job, "/spec/template")),
                         users[_i].level);
        ck_assert(tree_true(pointer_get(made.job, MAIN "/volumeMounts/2"), "readOnly") !=
                  users[_i].restore);
    }
END_TEST

START_TEST(test_interim)
    {
        AUTO(scene) struct scene scene;
        AUTO(job_made) struct job_made made = {0};
        AUTO(findings) struct findings findings = {0};

        scene_make(
            &scene,
            APP("}, 'task': {'name': 'pg-backup-15.2'}, 'interimVolumeTemplate': {'metadata': "
                "{'name': 'i', 'labels': {'team': 'x', 'own': 'y'}}, 'spec': {'resources': {}}}"),
            APP_OBJECT, NO_NODE, -1);
        /* the claim is made with the Job, so nobody misses it */
        scene.request.claims = scene.claims = json_array();
        ck_assert_msg(job_make(&scene.request, &made, &findings), "%s",
                      findings.count ? findings.items[0].message : "");
        ck_assert_str_eq(tree_text(tree_get(made.interim, "metadata"), "name"), "bc-17-i");
        ck_assert_str_eq(tree_text(tree_at(made.interim, "metadata.labels"), "team"), "a");
        ck_assert_str_eq(tree_text(tree_at(made.interim, "metadata.labels"), "own"), "y");
        ck_assert(tree_equal(pointer_get(made.interim, "/metadata/ownerReferences"),
                             pointer_get(made.job, "/metadata/ownerReferences")));
        ck_assert_ptr_nonnull(tree_at(made.interim, "spec.resources"));
    }
END_TEST

START_TEST(test_restore)
    {
        AUTO(scene) struct scene scene;
        AUTO(job_made) struct job_made made = {0};
        AUTO(findings) struct findings findings = {0};

        scene_make(&scene, CLAIM("}"), NULL, NO_NODE, -1);
        scene.request.restore = true;
        scene.request.session = scene.invoker;
        ck_assert(job_make(&scene.request, &made, &findings));
        ck_assert_str_eq(tree_text(tree_get(made.job, "metadata"), "name"), "stash-restore-bc-0");
        ck_assert_str_eq(tree_text(pointer_get(made.job, "/metadata/ownerReferences/0"), "kind"),
                         "RestoreSession");
        ck_assert_str_eq(
            tree_text(pointer_get(made.job, "/metadata/labels"), "app.kubernetes.io/component"),
            "stash-restore");
    }
END_TEST

/* ---- a restore into claims of its own ---- */

#define NEW(name, mounts)                                                                          \
    "{'metadata': {'name': 'rs', 'namespace': 'shop', 'uid': 'u1'}, 'spec': {'target': {"          \
    "'volumeMounts': [" mounts "], 'volumeClaimTemplates': [{'metadata': {'name': '" name "', "    \
    "'labels': {'a': 'b'}}, 'spec': {'storageClassName': 'x'}}]}}}"
#define AT_DATA "{'name': 'data', 'mountPath': '/data', 'subPath': 's'}"

static const struct {
    const char *session;
    int64_t ordinal;
    const char *claim, *finding; /* of the two one is NULL */
} new_claims[] = {
    {NEW("data-${POD_ORDINAL}", AT_DATA), 2, "data-2", NULL},
    {NEW("data-x${POD_ORDINAL:=y}-${POD_ORDINAL}", "{'name': 'data-x2', 'mountPath': '/d'}"), 2,
     "data-x2-2", NULL},
    {NEW("data", AT_DATA), -1, "data", NULL},
    {NEW("data", AT_DATA), 2, NULL, "needs -${POD_ORDINAL} at its end"},
    {NEW("data-${POD_ORDINAL}", AT_DATA), -1, NULL, "unknown variable ${POD_ORDINAL}"},
    {NEW("data-${TARGET_NAME}", AT_DATA), 2, NULL, "${TARGET_NAME}"},
    {NEW("No-${POD_ORDINAL}", AT_DATA), 2, NULL, "is no name of a claim"},
    {NEW("", AT_DATA), -1, NULL, "is no name of a claim"},
    {NEW("data-${POD_ORDINAL}", ""), 2, NULL, "says where the new claims are mounted"},
    {NEW("data-${POD_ORDINAL}", "{'name': 'other', 'mountPath': '/d'}"), 2, NULL,
     "no claim of the restore is called other"},
};

START_TEST(test_new_claims)
    {
        AUTO(scene) struct scene scene;
        AUTO(job_made) struct job_made made = {0};
        AUTO(findings) struct findings findings = {0};
        bool told = false;

        scene_make(&scene, new_claims[_i].session, NULL, NO_NODE, new_claims[_i].ordinal);
        scene.request.restore = true;
        scene.request.session = scene.invoker;
        /* nobody misses what is made with the Job */
        scene.request.claims = scene.claims = json_array();
        ck_assert(job_make(&scene.request, &made, &findings) == !new_claims[_i].finding);
        for (size_t i = 0; i < findings.count; i++)
            told = told || strstr(findings.items[i].message, new_claims[_i].finding);
        ck_assert(told == (new_claims[_i].finding != NULL));
        if (told)
            return;
        ck_assert_str_eq(tree_text(pointer_get(made.claims, "/0/metadata"), "name"),
                         new_claims[_i].claim);
        ck_assert_ptr_null(pointer_get(made.claims, "/0/metadata/ownerReferences"));
        ck_assert_str_eq(tree_text(pointer_get(made.claims, "/0/metadata/labels"), "a"), "b");
        ck_assert_str_eq(tree_text(pointer_get(made.claims, "/0/spec"), "storageClassName"), "x");
        ck_assert_str_eq(
            tree_text(pointer_get(made.job, SPEC "/volumes/2/persistentVolumeClaim"), "claimName"),
            new_claims[_i].claim);
        ck_assert(!tree_true(pointer_get(made.job, MAIN "/volumeMounts/2"), "readOnly"));
    }
END_TEST

START_TEST(test_local)
    {
        AUTO(scene) struct scene scene;
        AUTO(job_made) struct job_made made = {0};
        AUTO(findings) struct findings findings = {0};

        scene_make(&scene, APP("}, 'task': {'name': 'pg-backup-15.2'}"), APP_OBJECT, NO_NODE, -1);
        json_decref(scene.repository);
        scene.request.repository = scene.repository = json_row(
            "{'metadata': {'namespace': 'shop'}, 'spec': {'backend': {'local': {'mountPath': "
            "'/repo', 'persistentVolumeClaim': {'claimName': 'repo'}}}}}");
        ck_assert(job_make(&scene.request, &made, &findings));
        ck_assert_ptr_nonnull(
            tree_named(pointer_get(made.job, MAIN "/volumeMounts"), "stash-local"));
        ck_assert_ptr_null(tree_named(pointer_get(made.job, INIT "/volumeMounts"), "stash-local"));
        ck_assert_ptr_nonnull(tree_named(pointer_get(made.job, SPEC "/volumes"), "stash-local"));
    }
END_TEST

START_TEST(test_name)
    {
        char longest[254];

        memset(longest, 'a', 253);
        longest[253] = '\0';

        AUTO(free) char *one = job_name(false, longest, -1), *two = job_name(false, longest, 1);
        AUTO(free) char *three = job_name(true, longest, -1);

        ck_assert_uint_le(strlen(one), 63);
        ck_assert_str_ne(one, two);
        ck_assert_str_ne(one, three);
    }
END_TEST

/* It is ours, and is told of the application, too. */
START_TEST(test_database)
    {
        AUTO(scene) struct scene scene;
        AUTO(job_made) struct job_made made = {0};
        AUTO(findings) struct findings findings = {0};

        scene_make(&scene, APP("}, 'task': {'name': 'database-1'}"),
                   "{'metadata': {'namespace': 'shop'}, 'spec': {'secret': {'name': 'word'}}}",
                   NO_NODE, -1);
        ck_assert_msg(job_make(&scene.request, &made, &findings), "%s",
                      findings.count ? findings.items[0].message : "");

        const json_t *mounts = pointer_get(made.job, MAIN "/volumeMounts");

        ck_assert_ptr_nonnull(tree_named(mounts, "granary-identity"));
        ck_assert_ptr_nonnull(tree_named(mounts, "granary-app-secret"));
        ck_assert_ptr_nonnull(tree_named(pointer_get(made.job, MAIN "/env"), "GRANARY_APP"));
        ck_assert(
            json_is_true(pointer_get(made.job, MAIN "/securityContext/readOnlyRootFilesystem")));
        ck_assert_ptr_null(pointer_get(made.job, SPEC "/initContainers"));
    }
END_TEST

/* What a command writes comes to it: it mounts nothing of the workload's. */
START_TEST(test_dump)
    {
        AUTO(scene) struct scene scene;
        AUTO(job_made) struct job_made made = {0};
        AUTO(findings) struct findings findings = {0};

        scene_make(&scene, WEB(", 'paths': ['/dump']}, 'mode': 'Job'"), WEB_OBJECT, NO_NODE, -1);
        json_object_set_new(json_object_get(scene.invoker, "metadata"), "annotations",
                            json_row("{'granary.dev/dump-command': '[]'}"));
        ck_assert_msg(job_make(&scene.request, &made, &findings), "%s",
                      findings.count ? findings.items[0].message : "");
        ck_assert_ptr_null(tree_named(pointer_get(made.job, MAIN "/volumeMounts"), "www"));
        ck_assert_ptr_null(tree_named(pointer_get(made.job, SPEC "/volumes"), "www"));
        ck_assert_ptr_nonnull(
            tree_named(pointer_get(made.job, MAIN "/volumeMounts"), "granary-identity"));
    }
END_TEST

SUITE(job_make)
{
    tcase_add_test(tests, test_dump);
    suite_rows(tests, test_made, rows);
    suite_rows(tests, test_bad, bad);
    suite_rows(tests, test_user, users);
    tcase_add_test(tests, test_interim);
    tcase_add_test(tests, test_restore);
    suite_rows(tests, test_new_claims, new_claims);
    tcase_add_test(tests, test_local);
    tcase_add_test(tests, test_name);
    tcase_add_test(tests, test_database);
}
