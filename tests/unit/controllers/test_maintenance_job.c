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

SUITE(maintenance_job)
{
    suite_rows(tests, test_made, rows);
    suite_rows(tests, test_bad, bad);
}
