#include <stdlib.h>
#include <string.h>

#include "api/findings.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/job_make.h"
#include "tests/property/random.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/*
 * Jobs from whatever stands in objects: owners' texts never become structure, and odd shapes are
 * findings or nothing, never an abort. Security 5.2, PE1 and PE2.
 */

#define CASES 2000

static const char *const invokers[] = {
    "{'metadata': {'name': 'bc', 'namespace': 'shop', 'uid': 'u', 'labels': {'a': 'b'}}, 'spec': "
    "{'target': {'alias': 'x', 'ref': {'apiVersion': 'appcatalog.appscode.com/v1alpha1', 'kind': "
    "'AppBinding', 'name': 'pg'}, 'paths': ['/a'], 'args': ['x']}, 'task': {'name': "
    "'pg-backup-15.3', 'params': [{'name': 'args', 'value': 'x'}, {'name': 'user', 'value': "
    "'y'}]}, 'runtimeSettings': {'pod': {'affinity': {}, 'securityContext': {'fsGroup': 1}, "
    "'podLabels': {'c': 'd'}}, 'container': {'env': [{'name': 'A', 'value': 'b'}], 'resources': "
    "{'limits': {'cpu': '1'}}}}, 'interimVolumeTemplate': {'metadata': {'name': 'i'}, 'spec': "
    "{}}, 'tempDir': {'medium': 'Memory'}}}",
    "{'metadata': {'name': 'bc', 'namespace': 'shop', 'uid': 'u'}, 'spec': {'target': {'ref': "
    "{'apiVersion': 'apps/v1', 'kind': 'StatefulSet', 'name': 'db'}, 'volumeMounts': [{'name': "
    "'data', 'mountPath': '/data'}], 'rules': [{'targetHosts': ['h'], 'paths': ['/a']}]}}}",
    "{'metadata': {'name': 'bc', 'namespace': 'shop', 'uid': 'u'}, 'spec': {'target': {'ref': "
    "{'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'name': 'data'}}, 'fileAccess': "
    "'Auto'}}",
};

static const char tasks[] =
    "[{'metadata': {'name': 'pg-backup-15.3'}, 'spec': {'steps': [{'name': 'dump', 'params': "
    "[{'name': 'out', 'value': '/o'}]}, {'name': 'up'}], 'volumes': [{'name': 'work', "
    "'emptyDir': {}}]}}]";
static const char functions[] =
    "[{'metadata': {'name': 'dump'}, 'spec': {'image': 'pg:15', 'command': ['pg_dump'], 'args': "
    "['${args:=}', '--user=${user:=}', '--host=${HOSTNAME}', '${DRIVER_ARGS}', '${out}'], "
    "'workingDir': '/work', 'volumeMounts': [{'name': 'work', 'mountPath': '/work'}], "
    "'runtimeSettings': {'env': [{'name': 'U', 'value': '${user:=}'}], 'securityContext': "
    "{'runAsUser': 3}}}}, {'metadata': {'name': 'up'}, 'spec': {'image': "
    "'${GRANARY_AGENT_IMAGE}', 'args': ['step']}}]";
static const char target[] =
    "{'metadata': {'name': 'db', 'namespace': 'shop'}, 'spec': {'type': 'postgres', 'version': "
    "'15.3', 'volumeClaimTemplates': [{'metadata': {'name': 'data'}}], 'template': {'spec': "
    "{'securityContext': {'runAsUser': 7}, 'tolerations': [], 'containers': [{'name': 'c', "
    "'volumeMounts': [{'name': 'data', 'mountPath': '/data', 'subPathExpr': 'a'}]}]}}}}";
static const char session[] = "{'metadata': {'name': 'bc-1', 'namespace': 'shop', 'uid': 'v'}}";
static const char repository[] =
    "{'metadata': {'name': 'r', 'namespace': 'shop'}, 'spec': {'backend': {'storageSecretName': "
    "'k', 's3': {'bucket': 'b', 'prefix': 'p'}}}}";

static json_t *make(const json_t *const in[6], bool restore, int64_t ordinal,
                    struct findings *findings)
{
    char image[] = "reg/agent:1", policy[] = "Always";
    AUTO(json) json_t *resources = json_row("{'requests': {'cpu': '1'}}");
    struct settings settings = {
        .agent_image = image, .agent_image_pull_policy = policy, .agent_resources = resources};
    struct job_request request = {.restore = restore,
                                  .invoker = in[0],
                                  .session = in[1],
                                  .repository = in[2],
                                  .target = in[3],
                                  .tasks = in[4],
                                  .functions = in[5],
                                  .ordinal = ordinal,
                                  .settings = &settings};
    AUTO(job_made) struct job_made made = {0};

    return job_make(&request, &made, findings) ? tree_copy(made.job) : NULL;
}

static void read_all(struct random *random, json_t *all[6])
{
    all[0] = json_row(invokers[random_below(random, 3)]);
    all[1] = json_row(session);
    all[2] = json_row(repository);
    all[3] = json_row(target);
    all[4] = json_row(tasks);
    all[5] = json_row(functions);
}

static void free_all(json_t *all[6])
{
    for (size_t i = 0; i < 6; i++)
        json_decref(all[i]);
}

static size_t made_of_odd;

/* Some of them edited: other types, members gone, moved or doubled. */
static void odd_shapes(struct random *random)
{
    json_t *all[6];

    read_all(random, all);
    for (size_t i = 0; i < 6; i++) {
        json_t *plain = all[i];

        if (!random_often(random, 40))
            continue;
        all[i] = random_edited(random, plain, 1 + (unsigned)random_below(random, 3));
        json_decref(plain);
    }

    AUTO(findings) struct findings findings = {0};
    const json_t *in[6] = {all[0], all[1], all[2], all[3], all[4], all[5]};
    AUTO(json)
    json_t *job = make(in, random_often(random, 50), random_often(random, 50) ? 1 : -1, &findings);

    made_of_odd += job != NULL;
    PROPERTY_MUST(random, job || findings_count(&findings, FINDING_ERROR) > 0);
    PROPERTY_MUST(random, !job || findings_count(&findings, FINDING_ERROR) == 0);
    free_all(all);
}

START_TEST(test_odd_shapes)
    {
        made_of_odd = 0;
        random_some_cases("odd shapes become Jobs or findings", odd_shapes, CASES);
        ck_assert_uint_gt(made_of_odd, 0);
    }
END_TEST

/* What an owner may choose in an application's backup. */
static void put_hostile(json_t *invoker, const char *text, size_t length)
{
    json_t *of = json_object_get(json_object_get(invoker, "spec"), "target");
    json_t *params =
        json_object_get(json_object_get(json_object_get(invoker, "spec"), "task"), "params");
    struct span value = {text, length};

    tree_put_span(json_array_get(params, 0), "value", value);
    tree_put_span(json_array_get(params, 1), "value", value);
    tree_put_span(of, "alias", value);
    json_array_set_new(json_object_get(of, "args"), 0, json_stringn(text, length));
}

/* Arguments and values of the environment, gone: all that is left is structure. */
static void blank(json_t *job)
{
    json_t *spec =
        json_object_get(json_object_get(json_object_get(job, "spec"), "template"), "spec");
    json_t *containers = json_object_get(spec, "initContainers");

    for (size_t i = 0; i < json_array_size(containers); i++) {
        json_t *args = json_object_get(json_array_get(containers, i), "args");
        json_t *env = json_object_get(json_array_get(containers, i), "env");

        for (size_t k = 0; k < json_array_size(args); k++)
            json_array_set_new(args, k, json_string(""));
        for (size_t k = 0; k < json_array_size(env); k++)
            if (tree_text(json_array_get(env, k), "value"))
                tree_put_text(json_array_get(env, k), "value", "");
    }
}

static size_t made_of_hostile;

static void hostile_texts(struct random *random)
{
    static const char *const pieces[] = {"\",\"image\":\"evil",
                                         "${TARGET_NAME}",
                                         "$(SECRET)",
                                         "$$",
                                         "}",
                                         "${",
                                         "--flag",
                                         "\\",
                                         "' OR 1"};
    AUTO(text) struct text text = {0};
    json_t *plain[6], *hostile[6];

    while (random_often(random, 70)) {
        if (random_often(random, 30))
            random_add_text(random, &text, true);
        else
            text_puts(&text, pieces[random_below(random, sizeof pieces / sizeof *pieces)]);
    }
    read_all(random, plain);
    json_decref(plain[0]);
    plain[0] = json_row(invokers[0]);
    for (size_t i = 0; i < 6; i++)
        hostile[i] = tree_copy(plain[i]);
    put_hostile(hostile[0], text_get(&text), text.length);

    AUTO(findings) struct findings findings = {0}, other = {0};
    const json_t *one[6] = {plain[0], plain[1], plain[2], plain[3], plain[4], plain[5]};
    const json_t *two[6] = {hostile[0], hostile[1], hostile[2], hostile[3], hostile[4], hostile[5]};
    AUTO(json) json_t *expected = make(one, false, -1, &findings);
    AUTO(json) json_t *made = make(two, false, -1, &other);

    PROPERTY_MUST(random, expected);
    PROPERTY_MUST(random, made || findings_count(&other, FINDING_ERROR) > 0);
    if (made) {
        made_of_hostile++;
        blank(expected);
        blank(made);
        PROPERTY_MUST(random, tree_equal(expected, made));
    }
    free_all(plain);
    free_all(hostile);
}

START_TEST(test_hostile_texts)
    {
        made_of_hostile = 0;
        random_some_cases("an owner's texts stay texts", hostile_texts, CASES);
        ck_assert_uint_gt(made_of_hostile, 0);
    }
END_TEST

SUITE(property_jobs)
{
    tcase_add_test(tests, test_odd_shapes);
    tcase_add_test(tests, test_hostile_texts);
}
