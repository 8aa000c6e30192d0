#include "api/demand.h"

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define CLAIM "'persistentVolumeClaim': {'claimName': 'store'}"
#define LOCAL(path, source) "{'local': {'mountPath': '" path "', " source "}}"
#define REMOTE "{'gcs': {'bucket': 'b'}}"

/* A demand with all that it borrows. */
struct held {
    json_t *template, *spec, *own, *backend;
    struct selection selection;
    struct demand demand;
};

static json_t *tree_of(const char *text)
{
    return text ? json_row(text) : NULL;
}

static void hold(struct held *held, const char *pod, const char *spec, const char *backend)
{
    struct findings ignored = {0};

    *held =
        (struct held){.template = pod_row(pod), .spec = tree_of(spec), .backend = tree_of(backend)};
    selection_make(&held->selection, &(struct selecting){.claims = {held->template, NULL}},
                   &ignored, &ignored);
    findings_done(&ignored);
    held->demand = (struct demand){.spec = held->spec,
                                   .backend = held->backend,
                                   .selection = &held->selection,
                                   .name = "mine"};
}

static void auto_held(struct held *held)
{
    json_decref(held->template);
    json_decref(held->spec);
    json_decref(held->own);
    json_decref(held->backend);
    selection_done(&held->selection);
}

#define PLAIN "pvc a; app a:/data"
#define RESTRICTED                                                                                 \
    "pvc a; app a:/data + {'securityContext': {'runAsNonRoot': true, 'seccompProfile': {'type':"   \
    " 'RuntimeDefault'}}, 'containers': [{'name': 'app', 'securityContext':"                       \
    " {'allowPrivilegeEscalation': false, 'capabilities': {'drop': ['ALL']}}}]}"
#define PRIVILEGED PLAIN " + {'hostNetwork': true}"

#define SECURITY "break the Pod Security level"
#define BAD_PATH "the local backend can not be mounted where it wants to be"
#define AT_LOCAL "a volume of the pod is mounted where the local backend has to be"

/* Why there can be no sidecar. Spec: design, "Local backend", "Our part never makes ...". */
static const struct {
    const char *pod, *backend;
    const char *obstacle; /* a part of it; NULL: none */
} obstacle_rows[] = {
    {PLAIN, REMOTE, NULL},
    {PLAIN, NULL, NULL},
    {"", REMOTE, NULL},
    {RESTRICTED, REMOTE, NULL},
    /* processes that see each other */
    {PLAIN " + {'shareProcessNamespace': true}", REMOTE, "shares its process namespace"},
    {PLAIN " + {'hostPID': true}", REMOTE, "shares its process namespace"},
    /* paths that depend on what can not be copied */
    {"pvc a; app a:/data:$(X)", REMOTE, "a subPathExpr of the pod depends on variables"},
    {"pvc a; app a:/data:$(X) + {'containers': [{'name': 'app', 'env': [{'name': 'X', 'value':"
     " 'x'}]}]}",
     REMOTE, NULL},
    /* a local backend in a pod of each level */
    {PLAIN, LOCAL("/safe", CLAIM), NULL},
    {RESTRICTED, LOCAL("/safe", CLAIM), NULL},
    {PRIVILEGED, LOCAL("/safe", CLAIM), NULL},
    {PLAIN, LOCAL("/safe", "'hostPath': {'path': '/x'}"), SECURITY},
    {RESTRICTED, LOCAL("/safe", "'hostPath': {'path': '/x'}"), SECURITY},
    {PRIVILEGED, LOCAL("/safe", "'hostPath': {'path': '/x'}"), NULL},
    {PLAIN, LOCAL("/safe", "'nfs': {'server': 's', 'path': '/x'}"), NULL},
    {RESTRICTED, LOCAL("/safe", "'nfs': {'server': 's', 'path': '/x'}"), SECURITY},
    {RESTRICTED, LOCAL("/safe", "'csi': {'driver': 'd'}"), NULL},
    {RESTRICTED, LOCAL("/safe", "'ephemeral': {}"), NULL},
    {RESTRICTED, LOCAL("/safe", "'emptyDir': {}"), NULL},
    /* where it has to be */
    {PLAIN, LOCAL("/data", CLAIM), AT_LOCAL},
    {PLAIN, LOCAL("/data/", CLAIM), AT_LOCAL},
    {PLAIN, LOCAL("/data/x", CLAIM), NULL},
    {PLAIN, LOCAL("/", CLAIM), BAD_PATH},
    {PLAIN, LOCAL("safe", CLAIM), BAD_PATH},
    {PLAIN, LOCAL("/a/../b", CLAIM), BAD_PATH},
    {PLAIN, LOCAL("/a:b", CLAIM), BAD_PATH},
    {PLAIN, LOCAL("/stash-tmp", CLAIM), BAD_PATH},
    {PLAIN, LOCAL("/stash-tmp/x", CLAIM), BAD_PATH},
    {PLAIN, LOCAL("/var/run/secrets/kubernetes.io/serviceaccount", CLAIM), BAD_PATH},
    {PLAIN, LOCAL("/safe", "'subPath': '../x', " CLAIM), BAD_PATH},
    {PLAIN, LOCAL("/safe", "'subPath': 'x', " CLAIM), NULL},
    {PLAIN, "{'local': {" CLAIM "}}", NULL},
};

START_TEST(obstacles)
    {
        AUTO(held) struct held held = {0};
        const char *obstacle;

        hold(&held, obstacle_rows[_i].pod, "{}", obstacle_rows[_i].backend);
        obstacle = demand_obstacle(&held.demand, held.template);
        if (obstacle_rows[_i].obstacle)
            ck_assert_msg(obstacle && strstr(obstacle, obstacle_rows[_i].obstacle), "%s",
                          obstacle ? obstacle : "none");
        else
            ck_assert_pstr_eq(obstacle, NULL);
    }
END_TEST

static const struct {
    const char *spec;
    bool job;
} job_rows[] = {
    {"{}", false},
    {"{'mode': 'Auto'}", false},
    {"{'mode': 'Sidecar'}", false},
    {"{'mode': 'Job'}", true},
    {"{'mode': 1}", false},
    {"{'task': {'name': 'pg'}}", true},
    {"{'task': {'name': ''}}", false},
    {"{'task': {}}", false},
    {"{'mode': 'Sidecar', 'task': {'name': 'pg'}}", true},
};

START_TEST(jobs)
    {
        AUTO(json) json_t *spec = json_row(job_rows[_i].spec);

        ck_assert_int_eq(demand_wants_job(&(struct demand){.spec = spec}), job_rows[_i].job);
    }
END_TEST

#define SETTLED "[{'name': 's', 'mountPath': '/settled'}]"

/*
 * What goes into the mark. The encoding is frozen: an agent of an old release carries its hash, and
 * one that differs is a reason to restart a workload. A row here is never edited.
 */
static const struct {
    const char *spec, *own, *backend, *paths, *mounts, *inputs;
} input_rows[] = {
    {"{}", NULL, REMOTE, NULL, NULL, "{}"},
    {"{'mode': 'Auto', 'fileAccess': 'Auto', 'tempDir': {}, 'runtimeSettings': {'container': {}}}",
     NULL, NULL, NULL, NULL, "{}"},
    /* what does not touch the container is not in it */
    {"{'schedule': '@daily', 'retentionPolicy': {'keepLast': 5}, 'timeOut': '1h', 'hooks': {'x':"
     " 1}, 'runtimeSettings': {'pod': {'nodeName': 'n'}, 'container': {'nice': {'adjustment': 5},"
     " 'ionice': {'class': 2}}}, 'guard': {}, 'jitter': '1m', 'tempDir': {'disableCaching':"
     " true}}",
     NULL, REMOTE, NULL, NULL, "{}"},
    {"{'mode': 'Job'}", NULL, NULL, NULL, NULL, "{'mode': 'Job'}"},
    {"{'fileAccess': 'Root'}", NULL, NULL, NULL, NULL, "{'fileAccess': 'Root'}"},
    {"{'tempDir': {'medium': 'Memory', 'sizeLimit': '1Gi'}}", NULL, NULL, NULL, NULL,
     "{'tempDir': {'medium': 'Memory', 'sizeLimit': '1Gi'}}"},
    {"{'tempDir': {'medium': '', 'sizeLimit': null}}", NULL, NULL, NULL, NULL, "{}"},
    {"{'runtimeSettings': {'container': {'resources': {'limits': {'cpu': '1'}}, 'securityContext':"
     " {'runAsUser': 5}, 'env': [{'name': 'X'}], 'envFrom': [{'prefix': 'x'}], 'lifecycle':"
     " {'preStop': {}}, 'livenessProbe': {'exec': {}}, 'readinessProbe': {'exec': {}}}}}",
     NULL, NULL, NULL, NULL,
     "{'container': {'resources': {'limits': {'cpu': '1'}}, 'securityContext': {'runAsUser': 5},"
     " 'env': [{'name': 'X'}], 'envFrom': [{'prefix': 'x'}], 'lifecycle': {'preStop': {}},"
     " 'livenessProbe': {'exec': {}}, 'readinessProbe': {'exec': {}}}}"},
    /* the owner's over the blueprint's */
    {"{'runtimeSettings': {'container': {'resources': {'limits': {'cpu': '1'}}}}}",
     "{'runtimeSettings': {'container': {'resources': {'limits': {'cpu': '2'}}}}}", NULL, NULL,
     NULL, "{'container': {'resources': {'limits': {'cpu': '2'}}}}"},
    /* mounts as asked for, else those that the paths need: which paths below them is no matter */
    {"{}", NULL, NULL, "['/settled/a', '/settled/b']", NULL, "{'mounts': " SETTLED "}"},
    {"{}", NULL, NULL, NULL, "[{'name': 'a', 'mountPath': '/x'}]",
     "{'mounts': [{'name': 'a', 'mountPath': '/x'}]}"},
    {"{}", NULL, NULL, "['/x/y']", "[{'name': 'a', 'mountPath': '/x'}]",
     "{'mounts': [{'name': 'a', 'mountPath': '/x'}]}"},
    /* the volume of a local backend */
    {"{}", NULL, LOCAL("/safe", CLAIM), NULL, NULL,
     "{'local': {'volume': {" CLAIM "}, 'mountPath': '/safe'}}"},
    {"{}", NULL, LOCAL("/safe", "'subPath': 'x', " CLAIM), NULL, NULL,
     "{'local': {'volume': {" CLAIM "}, 'mountPath': '/safe', 'subPath': 'x'}}"},
    {"{}", NULL, "{'local': {" CLAIM "}}", NULL, NULL, "{}"},
};

START_TEST(inputs)
    {
        AUTO(json)
        json_t *spec = json_row(input_rows[_i].spec), *own = tree_of(input_rows[_i].own),
               *backend = tree_of(input_rows[_i].backend), *paths = tree_of(input_rows[_i].paths),
               *mounts = tree_of(input_rows[_i].mounts),
               *expected = json_row(input_rows[_i].inputs);
        AUTO(selection) struct selection selection = {.mounts = json_row(SETTLED)};
        struct demand demand = {.spec = spec,
                                .own = own,
                                .backend = backend,
                                .paths = paths,
                                .mounts = mounts,
                                .selection = &selection};
        AUTO(json) json_t *made = demand_inputs(&demand);
        AUTO(free) char *got = tree_format(made, NULL);

        ck_assert_msg(tree_equal(made, expected), "%s", got);
    }
END_TEST

/* Two backups of one pod, the second beside the first. */
static const struct {
    const char *pod, *other_pod; /* of which the mounts are taken; NULL: the same */
    const char *backend, *other_backend;
    const char *conflict; /* a part of it; NULL: they go together */
    bool restore_too;     /* it is one between a backup and a restore as well */
} conflict_rows[] = {
    {PLAIN, NULL, REMOTE, REMOTE, NULL, false},
    {PLAIN, NULL, LOCAL("/safe", CLAIM), LOCAL("/safe", CLAIM), NULL, false},
    {PLAIN, NULL, LOCAL("/safe", CLAIM), REMOTE, NULL, false},
    {PLAIN, NULL, REMOTE, LOCAL("/safe", CLAIM), NULL, false},
    {PLAIN, NULL, LOCAL("/safe", CLAIM), LOCAL("/other", CLAIM), "uses another local backend",
     true},
    {PLAIN, NULL, LOCAL("/safe", CLAIM), LOCAL("/safe", "'emptyDir': {}"),
     "uses another local backend", true},
    /* a volume where the other one's store has to be */
    {PLAIN, "pvc a; app a:/safe", LOCAL("/safe", CLAIM), REMOTE, AT_LOCAL, true},
    {"pvc a; app a:/safe", PLAIN, REMOTE, LOCAL("/safe", CLAIM), AT_LOCAL, true},
    /* two things at one path of one container */
    {"pvc a; app a:/data", "pvc b; app b:/data/", REMOTE, REMOTE,
     "mounts something else at the same path", false},
    {"pvc a; app a:/data:x", "pvc a; app a:/data:y", REMOTE, REMOTE,
     "mounts something else at the same path", false},
    {"pvc a; app a:/data", "pvc a; app a:/data:$(X)", REMOTE, REMOTE,
     "mounts something else at the same path", false},
    {"pvc a; app a:/data", "pvc b; app b:/other", REMOTE, REMOTE, NULL, false},
};

START_TEST(conflicts)
    {
        const char *other =
            conflict_rows[_i].other_pod ? conflict_rows[_i].other_pod : conflict_rows[_i].pod;
        AUTO(held) struct held first = {0}, second = {0};
        AUTO(carry) struct carry carry = {0};
        AUTO(findings) struct findings cautions = {0};

        hold(&first, conflict_rows[_i].pod, "{}", conflict_rows[_i].backend);
        hold(&second, other, "{}", conflict_rows[_i].other_backend);
        ck_assert_pstr_eq(demand_conflict(&carry, &first.demand, first.template), NULL);
        demand_add(&carry, &first.demand, &cautions);

        const char *conflict = demand_conflict(&carry, &second.demand, first.template);
        const char *local = demand_local_conflict(&carry, &second.demand);

        ck_assert_msg(conflict_rows[_i].conflict
                          ? conflict && strstr(conflict, conflict_rows[_i].conflict)
                          : !conflict,
                      "%s", conflict ? conflict : "none");
        ck_assert_int_eq(local != NULL, conflict_rows[_i].restore_too);
        ck_assert_uint_eq(cautions.count, 0);
    }
END_TEST

/* One variable that means two things to two volumes. */
START_TEST(conflict_of_variables)
    {
#define BOTH                                                                                       \
    "pvc a b; one a:/a:$(X); two b:/b:$(X) + {'containers': [{'name': 'one', 'env': [{'name':"     \
    " 'X', 'value': '1'}]}, {'name': 'two', 'env': [{'name': 'X', 'value': '2'}]}]}"
        AUTO(held) struct held first = {0}, second = {0};
        AUTO(carry) struct carry carry = {0};
        AUTO(findings) struct findings cautions = {0};

        hold(&first, BOTH, "{}", REMOTE);
        hold(&second, BOTH, "{}", REMOTE);
        json_array_remove(first.selection.mounts, 1);
        json_array_remove(second.selection.mounts, 0);
        ck_assert_pstr_eq(demand_obstacle(&first.demand, first.template), NULL);
        ck_assert_pstr_eq(demand_obstacle(&second.demand, first.template), NULL);
        demand_add(&carry, &first.demand, &cautions);
        ck_assert_ptr_nonnull(
            strstr(demand_conflict(&carry, &second.demand, first.template), "subPathExpr"));
    }
END_TEST

/* As many mounts as one container should have, and one more. */
START_TEST(many_mounts)
    {
        AUTO(text) struct text pod = {0};
        AUTO(held) struct held most = {0}, one = {0};
        AUTO(carry) struct carry carry = {0};
        AUTO(findings) struct findings cautions = {0};

        text_puts(&pod, "pvc a; app");
        for (unsigned n = 0; n < MOUNTS_MAX; n++)
            text_addf(&pod, " a:/%u:%u", n, n);
        hold(&most, text_get(&pod), "{}", REMOTE);
        hold(&one, PLAIN, "{}", REMOTE);
        ck_assert_uint_eq(json_array_size(most.selection.mounts), MOUNTS_MAX);
        ck_assert_pstr_eq(demand_obstacle(&most.demand, most.template), NULL);
        ck_assert_pstr_eq(demand_conflict(&carry, &most.demand, most.template), NULL);
        demand_add(&carry, &most.demand, &cautions);
        ck_assert_ptr_nonnull(
            strstr(demand_conflict(&carry, &one.demand, most.template), "more mounts"));
        json_array_append(most.selection.mounts, json_array_get(one.selection.mounts, 0));
        ck_assert_ptr_nonnull(strstr(demand_obstacle(&most.demand, most.template), "more mounts"));
    }
END_TEST

/* What the pods carry after two backups, and what is said where they disagree. */
static const struct {
    const char *one, *other;          /* specs */
    const char *container, *temp_dir; /* NULL: none */
    enum file_access access;
    const char *caution; /* a part of it; "": none */
} add_rows[] = {
    {"{}", "{}", NULL, NULL, FILE_ACCESS_AUTO, ""},
    {"{'fileAccess': 'Root'}", "{'fileAccess': 'Root'}", NULL, NULL, FILE_ACCESS_ROOT, ""},
    {"{'fileAccess': 'Follow'}", "{}", NULL, NULL, FILE_ACCESS_FOLLOW,
     "mine asks for other fileAccess than the backup before it"},
    {"{}", "{'fileAccess': 'Root'}", NULL, NULL, FILE_ACCESS_AUTO, "other fileAccess"},
    /* the first that says something holds */
    {"{'runtimeSettings': {'container': {'env': [{'name': 'A'}]}}}", "{}",
     "{'env': [{'name': 'A'}]}", NULL, FILE_ACCESS_AUTO, ""},
    {"{}", "{'runtimeSettings': {'container': {'env': [{'name': 'A'}]}}}",
     "{'env': [{'name': 'A'}]}", NULL, FILE_ACCESS_AUTO, ""},
    {"{'runtimeSettings': {'container': {'env': [{'name': 'A'}]}}}",
     "{'runtimeSettings': {'container': {'env': [{'name': 'B'}]}}}", "{'env': [{'name': 'A'}]}",
     NULL, FILE_ACCESS_AUTO, "other container settings"},
    {"{'tempDir': {'medium': 'Memory'}}", "{'tempDir': {'sizeLimit': '1Gi'}}", NULL,
     "{'medium': 'Memory'}", FILE_ACCESS_AUTO, "other tempDir settings"},
};

START_TEST(added)
    {
        AUTO(held) struct held first = {0}, second = {0};
        AUTO(carry) struct carry carry = {0};
        AUTO(findings) struct findings cautions = {0};
        AUTO(json)
        json_t *container = tree_of(add_rows[_i].container),
               *temp_dir = tree_of(add_rows[_i].temp_dir);

        hold(&first, PLAIN, add_rows[_i].one, REMOTE);
        hold(&second, "pvc a b; app a:/data b:/b", add_rows[_i].other, LOCAL("/safe", CLAIM));
        demand_add(&carry, &first.demand, &cautions);
        ck_assert(carry.backup && !carry.local);
        demand_add(&carry, &second.demand, &cautions);

        AUTO(free) char *mounts = mounts_text(carry.mounts);

        ck_assert_str_eq(mounts, "a:/data b:/b");
        ck_assert_str_eq(tree_text(carry.local, "mountPath"), "/safe");
        ck_assert(tree_equal(carry.container, container));
        ck_assert(tree_equal(carry.temp_dir, temp_dir));
        ck_assert_int_eq(carry.file_access, add_rows[_i].access);
        findings_say(&cautions, add_rows[_i].caution);
    }
END_TEST

SUITE(api_demand)
{
    suite_rows(tests, obstacles, obstacle_rows);
    suite_rows(tests, jobs, job_rows);
    suite_rows(tests, inputs, input_rows);
    suite_rows(tests, conflicts, conflict_rows);
    tcase_add_test(tests, conflict_of_variables);
    tcase_add_test(tests, many_mounts);
    suite_rows(tests, added, add_rows);
}
