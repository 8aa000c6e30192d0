#include "controllers/maintenance_job.h"

#include <stdlib.h>
#include <string.h>

#include "api/pod.h"
#include "base/auto.h"
#include "base/pointer.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define OF(backend)                                                                                \
    "{'metadata': {'name': 'r', 'namespace': 'store', 'uid': 'u', 'labels': {'a': 'b'}}, 'spec': " \
    "{'backend': {" backend "}}}"
#define S3 OF("'storageSecretName': 'keys', 's3': {'bucket': 'b'}")
#define LOCAL                                                                                      \
    OF("'storageSecretName': 'keys', 'local': {'mountPath': '/repo', 'persistentVolumeClaim': "    \
       "{'claimName': 'c'}}")
#define SPEC "/spec/template/spec"
#define MAIN SPEC "/containers/0"

static const struct {
    const char *repository;
    bool restricted;
    const char *at, *made;
} rows[] = {
    {S3, false, "/metadata/name", "'granary-forget-r-1714570200'"},
    {S3, false, "/metadata/namespace", "'store'"},
    {S3, false, "/metadata/labels/a", "'b'"},
    {S3, false, "/metadata/ownerReferences/0/kind", "'Repository'"},
    {S3, false, "/spec/backoffLimit", "0"},
    {S3, false, MAIN "/args",
     "['maintain', '--kind=forget', '--secret=/var/run/secrets/granary.dev/storage', "
     "'--backend={\\\"s3\\\":{\\\"bucket\\\":\\\"b\\\"},\\\"storageSecretName\\\":\\\"keys\\\"}', "
     "'--cluster=c-1', '--dead=p$$1', "
     "'--run=[\\\"forget\\\",\\\"--keep-tag=$$(X)\\\"]']"},
    {S3, false, MAIN "/volumeMounts/2",
     "{'name': 'granary-storage', 'mountPath': '/var/run/secrets/granary.dev/storage', "
     "'readOnly': true}"},
    {S3, false, SPEC "/volumes/2", "{'name': 'granary-storage', 'secret': {'secretName': 'keys'}}"},
    {S3, false, SPEC "/automountServiceAccountToken", "false"},
    {S3, false, MAIN "/securityContext/runAsNonRoot", "true"},
    {LOCAL, false, MAIN "/securityContext/runAsUser", "0"},
    {LOCAL, true, MAIN "/securityContext/runAsNonRoot", "true"},
    {LOCAL, false, MAIN "/volumeMounts/2", "{'name': 'stash-local', 'mountPath': '/repo'}"},
    {LOCAL, false, SPEC "/affinity/nodeAffinity",
     "{'requiredDuringSchedulingIgnoredDuringExecution':"
     " {'nodeSelectorTerms': [{'matchFields': [{'key':"
     " 'metadata.name', 'operator': 'In', 'values': "
     "['n1']}]}]}}"},
};

static json_t *make(const char *repository, const char *runs, bool restricted,
                    struct findings *findings)
{
    AUTO(json) json_t *object = json_row(repository), *vectors = json_row(runs);
    AUTO(json) json_t *attached = json_row("{'c': 'n1'}"), *resources = json_row("{}");
    char image[] = "reg/agent:1", policy[] = "Always";
    struct settings settings = {
        .agent_image = image, .agent_image_pull_policy = policy, .agent_resources = resources};
    struct maintenance_job request = {.repository = object,
                                      .kind = MAINTENANCE_FORGET,
                                      .runs = vectors,
                                      .cluster = "c-1",
                                      .dead = "p$1",
                                      .since_s = 1714570200,
                                      .attached = attached,
                                      .restricted = restricted,
                                      .settings = &settings};

    return maintenance_job_make(&request, findings);
}

START_TEST(test_made)
    {
        AUTO(findings) struct findings findings = {0};
        AUTO(json)
        json_t *job = make(rows[_i].repository, "[['forget', '--keep-tag=$(X)']]",
                           rows[_i].restricted, &findings);
        AUTO(json) json_t *wanted = json_row(rows[_i].made);
        AUTO(free) char *shown = tree_format(pointer_get(job, rows[_i].at), NULL);
        bool root = !rows[_i].restricted && !strcmp(rows[_i].repository, LOCAL);

        ck_assert(job && findings.count == 0);
        ck_assert_msg(tree_equal(pointer_get(job, rows[_i].at), wanted), "%s: %s", rows[_i].at,
                      shown ? shown : "nothing");
        ck_assert_int_eq(pod_security_level(pointer_get(job, "/spec/template")),
                         root ? POD_BASELINE : POD_RESTRICTED);
    }
END_TEST

static const struct {
    const char *repository, *runs, *finding;
} bad[] = {
    {"null", "[['check']]", "no backend"},
    {OF(""), "[['check']]", "no backend"},
    {OF("'s3': {'bucket': 'b'}"), "[['check']]", "without a Secret"},
    {S3, "[]", "nothing to run"},
};

START_TEST(test_bad)
    {
        AUTO(findings) struct findings findings = {0};
        AUTO(json) json_t *job = make(bad[_i].repository, bad[_i].runs, false, &findings);

        ck_assert_ptr_null(job);
        ck_assert_msg(strstr(findings.items[0].message, bad[_i].finding), "%s",
                      findings.items[0].message);
    }
END_TEST

/* ---- drills ---- */

#define RUNS "[{'tag':'t$','folder':'shop.web'}]"
#define COMMAND(template)                                                                          \
    "[{'folder':'shop.web','image':'web:1','command':['test','-s','/restored/host-0/data'],"       \
    "'template':" template "}]"
#define TEMPLATE                                                                                   \
    "{'spec':{'securityContext':{'runAsUser':5,'fsGroup':6},'imagePullSecrets':[{'name':'pull'}]," \
    "'containers':[{'securityContext':{'runAsUser':7,'privileged':true},'envFrom':[{'secretRef':"  \
    "{'name':'x'}}]}]}}"
#define CLAIM                                                                                      \
    "{'metadata':{'name':'n','labels':{'a':'b'}},'spec':{'accessModes':['ReadWriteOnce'],"         \
    "'resources':{'requests':{'storage':'1Ti'}}}}"
#define AGENT SPEC "/initContainers/0"

static const struct {
    const char *commands, *claim;
    bool restricted;
    const char *at, *made;
} drills[] = {
    {"null", "null", false, "/metadata/name", "'granary-verify-r-1714570200'"},
    {"null", "null", false, "/spec/activeDeadlineSeconds", "21600"},
    {"null", "null", false, MAIN "/args",
     "['maintain', '--kind=verify', '--secret=/var/run/secrets/granary.dev/storage', "
     "'--backend={\\\"s3\\\":{\\\"bucket\\\":\\\"b\\\"},\\\"storageSecretName\\\":\\\"keys\\\"}', "
     "'--cluster=c-1', '--drill={\\\"folder\\\":\\\"shop.web\\\",\\\"tag\\\":\\\"t$$\\\"}', "
     "'--restored=/restored', '--room=10240Mi']"},
    {"null", "null", false, MAIN "/volumeMounts/2",
     "{'name': 'granary-restored', 'mountPath': '/restored'}"},
    {"null", "null", false, SPEC "/volumes/3",
     "{'name': 'granary-restored', 'emptyDir': {'sizeLimit': '10Gi'}}"},
    {"null", "null", false, MAIN "/securityContext/runAsUser", "0"},
    {"null", "null", false, MAIN "/securityContext/capabilities",
     "{'drop':['ALL'],'add':['CHOWN','DAC_OVERRIDE','FOWNER','FSETID']}"},
    {"null", "null", true, MAIN "/securityContext/runAsNonRoot", "true"},
    {"null", "null", false, SPEC "/initContainers", "null"},
    /* what is larger than a node's disk should have */
    {"null", CLAIM, false, SPEC "/volumes/3",
     "{'name': 'granary-restored', 'ephemeral': {'volumeClaimTemplate': {'metadata': {'labels': "
     "{'a':'b'}}, 'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':"
     "'1Ti'}}}}}}"},
    {"null", CLAIM, false, MAIN "/args/7", "null"},
    {"null", CLAIM, true, SPEC "/securityContext", "{'fsGroup': 65532}"},
    /* the command has the application's image and user, what was restored, and nothing else */
    {COMMAND(TEMPLATE), "null", false, AGENT "/name", "'granary-maintain'"},
    {COMMAND(TEMPLATE), "null", false, MAIN "/name", "'granary-verify-0'"},
    {COMMAND(TEMPLATE), "null", false, MAIN "/image", "'web:1'"},
    {COMMAND(TEMPLATE), "null", false, MAIN "/command", "['test','-s','/restored/host-0/data']"},
    {COMMAND(TEMPLATE), "null", false, MAIN "/volumeMounts",
     "[{'name':'granary-restored','mountPath':'/restored','subPath':'shop.web'}]"},
    {COMMAND(TEMPLATE), "null", false, MAIN "/env",
     "[{'name':'GRANARY_RESTORED','value':'/restored'}]"},
    {COMMAND(TEMPLATE), "null", false, MAIN "/envFrom", "null"},
    {COMMAND(TEMPLATE), "null", false, MAIN "/securityContext/runAsUser", "7"},
    {COMMAND(TEMPLATE), "null", false, MAIN "/securityContext/privileged", "null"},
    {COMMAND(TEMPLATE), "null", false, SPEC "/imagePullSecrets", "[{'name':'pull'}]"},
    {COMMAND(TEMPLATE), "null", false, SPEC "/automountServiceAccountToken", "false"},
    {COMMAND("null"), "null", false, MAIN "/securityContext/runAsNonRoot", "null"},
    {COMMAND("null"), "null", true, MAIN "/securityContext/runAsNonRoot", "true"},
    {COMMAND(TEMPLATE), "null", true, MAIN "/securityContext/runAsNonRoot", "true"},
};

START_TEST(test_drill)
    {
        AUTO(findings) struct findings findings = {0};
        AUTO(json) json_t *object = json_row(S3), *runs = json_row(RUNS);
        AUTO(json) json_t *commands = json_row(drills[_i].commands);
        AUTO(json) json_t *claim = json_row(drills[_i].claim), *wanted = json_row(drills[_i].made);
        AUTO(json) json_t *resources = json_row("{'limits':{'memory':'1Gi'}}");
        char image[] = "reg/agent:1", policy[] = "Always";
        struct settings settings = {
            .agent_image = image, .agent_image_pull_policy = policy, .agent_resources = resources};
        const struct maintenance_job request = {.repository = object,
                                                .kind = MAINTENANCE_VERIFY,
                                                .runs = runs,
                                                .commands = commands,
                                                .claim = json_is_null(claim) ? NULL : claim,
                                                .cluster = "c-1",
                                                .dead = "granary-",
                                                .since_s = 1714570200,
                                                .restricted = drills[_i].restricted,
                                                .settings = &settings};
        AUTO(json) json_t *job = maintenance_job_make(&request, &findings);
        const json_t *made = pointer_get(job, drills[_i].at);
        AUTO(free) char *shown = tree_format(made, NULL);

        ck_assert(job && findings.count == 0);
        ck_assert_msg(json_is_null(wanted) ? !made : tree_equal(made, wanted), "%s: %s",
                      drills[_i].at, shown ? shown : "nothing");
        ck_assert_int_eq(pod_security_level(pointer_get(job, "/spec/template")),
                         drills[_i].restricted ? POD_RESTRICTED : POD_BASELINE);
    }
END_TEST

/* Targets that share a Repository: one command after the other, each over its own. */
START_TEST(test_commands)
    {
        AUTO(findings) struct findings findings = {0};
        AUTO(json) json_t *object = json_row(S3), *runs = json_row(RUNS);
        AUTO(json)
        json_t *commands = json_row("[{'folder':'a','image':'x','command':['1']},"
                                    "{'folder':'b','image':'y','command':['2']}]");
        AUTO(json) json_t *resources = json_row("{}");
        char image[] = "reg/agent:1", policy[] = "Always";
        struct settings settings = {
            .agent_image = image, .agent_image_pull_policy = policy, .agent_resources = resources};
        const struct maintenance_job request = {.repository = object,
                                                .kind = MAINTENANCE_VERIFY,
                                                .runs = runs,
                                                .commands = commands,
                                                .since_s = 1714570200,
                                                .settings = &settings};
        AUTO(json) json_t *job = maintenance_job_make(&request, &findings);

        ck_assert_str_eq(tree_text(pointer_get(job, SPEC "/initContainers/1"), "name"),
                         "granary-verify-0");
        ck_assert_str_eq(tree_text(pointer_get(job, MAIN), "name"), "granary-verify-1");
        ck_assert_str_eq(tree_text(pointer_get(job, MAIN "/volumeMounts/0"), "subPath"), "b");
        ck_assert_uint_eq(json_array_size(pointer_get(job, SPEC "/containers")), 1);
    }
END_TEST

/* ---- the kind in a name ---- */

static const struct {
    const char *name;
    enum maintenance_kind kind;
} names[] = {
    {"granary-wipe-r-1714570200", MAINTENANCE_WIPE},
    {"granary-verify-", MAINTENANCE_VERIFY},
    {"granary-prune-wipe-1714570200", MAINTENANCE_PRUNE},
    {"granary-wipe", MAINTENANCE_KINDS},
    {"granary-wiped-r-1714570200", MAINTENANCE_KINDS},
    {"granary-etcd-place-0", MAINTENANCE_KINDS},
    {"wipe-r-1714570200", MAINTENANCE_KINDS},
    {"granary-", MAINTENANCE_KINDS},
    {"granary", MAINTENANCE_KINDS},
    {"", MAINTENANCE_KINDS},
};

START_TEST(test_kind)
    {
        ck_assert_int_eq(maintenance_job_kind(names[_i].name), names[_i].kind);
    }
END_TEST

/* Also of the longest name, which is cut. */
START_TEST(test_kind_of_made)
    {
        char repository[254] = "";

        memset(repository, 'r', sizeof repository - 1);
        for (int kind = 0; kind < MAINTENANCE_KINDS; kind++) {
            AUTO(free)
            char *name = maintenance_job_name((enum maintenance_kind)kind, repository, 1714570200);

            ck_assert_int_eq(maintenance_job_kind(name), kind);
        }
    }
END_TEST

SUITE(maintenance_job)
{
    suite_rows(tests, test_kind, names);
    tcase_add_test(tests, test_kind_of_made);
    suite_rows(tests, test_drill, drills);
    tcase_add_test(tests, test_commands);
    suite_rows(tests, test_made, rows);
    suite_rows(tests, test_bad, bad);
}
