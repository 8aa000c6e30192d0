#include "api/pod.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/*
 * Every claim at its own mount path. Spec: design, Admission (target-paths and volume-mounts
 * absent), and "Two volumes at one path".
 */
static const struct {
    const char *pod, *mounts;
    const char *caution; /* a part of what is said; "": nothing at all */
} derive_rows[] = {
    {"", "", ""},
    {"dir tmp; app tmp:/tmp", "", ""},
    {"pvc a; app a:/data", "a:/data", ""},
    /* only what our container needs is mirrored */
    {"pvc a; app a:/data + {'containers': [{'name': 'app', 'volumeMounts': [{'name': 'a',"
     " 'readOnly': true, 'mountPropagation': 'HostToContainer', 'subPath': ''}]}]}",
     "a:/data", ""},
    /* mounted twice: once, at the first container's path */
    {"pvc a; app a:/data; helper a:/other", "a:/data", ""},
    {"pvc a; app a:/data a:/again", "a:/data", ""},
    /* a part in one container, the whole in another: the whole */
    {"pvc a; app a:/etc/app:etc; helper a:/all", "a:/all", ""},
    {"pvc a; app a:/all; helper a:/etc/app:etc", "a:/all", ""},
    /* parts only: each of them once */
    {"pvc a; app a:/etc:etc a:/var:var; helper a:/again:etc", "a:/etc:etc a:/var:var", ""},
    {"pvc a; app a:/data:$(POD)", "a:/data:$(POD)", ""},
    {"pvc a; app a:/one:$(POD) a:/two:x a:/three:$(POD)", "a:/one:$(POD) a:/two:x", ""},
    /* init containers come last, also when they stand first */
    {"pvc a b; init:setup a:/i b:/b; app a:/data", "a:/data b:/b", ""},
    /* in the order of containers, whatever that of the volumes is */
    {"pvc b a; one a:/a; two b:/b", "a:/a b:/b", ""},
    /* two volumes at one path: the first container's keeps it */
    {"pvc b a; one a:/data; two b:/data/", "a:/data b:/stash-volumes/b",
     "/data/ is taken by another mount: volume b is backed up at /stash-volumes/b"},
    {"pvc a b; one a:/data; two b:/data:x b:/more:y; three b:/data:z",
     "a:/data b:/stash-volumes/b:x b:/more:y b:/stash-volumes/b-2:z",
     "volume b is backed up at /stash-volumes/b-2"},
    /* a volume that stands at such a path by itself */
    {"pvc a b c; one a:/stash-volumes/c b:/data; two c:/data",
     "a:/stash-volumes/c b:/data c:/stash-volumes/c-2",
     "volume c is backed up at /stash-volumes/c-2"},
    /* the paths of our own container, and what lies below them */
    {"pvc a; app a:/stash-tmp", "a:/stash-volumes/a", "/stash-tmp is taken"},
    {"pvc a; app a:/stash-tmp/x", "a:/stash-volumes/a", "/stash-tmp/x is taken"},
    {"pvc a; app a:/var/run/secrets/kubernetes.io/serviceaccount/x", "a:/stash-volumes/a",
     "is taken"},
    {"pvc a; app a:/stash-tmp2", "a:/stash-tmp2", ""},
    {"pvc a; app a:/var", "a:/var", ""},
    /* what can not be taken is told */
    {"pvc a; app", "", "volume a is mounted by no container: left out"},
    {"pvc a; app + {'containers': [{'name': 'app', 'volumeDevices': [{'name': 'b'}, {'name':"
     " 'a'}]}]}",
     "", "volume a is a block device, which can not be backed up as files"},
    {"pvc a; app + {'containers': [{'name': 'app', 'volumeMounts': [{'name': 'a'}]}]}", "",
     "mounted by no container"},
    /* other shapes than Kubernetes allows count as absent */
    {" + {'volumes': 1, 'containers': 'x'}", "", ""},
    {" + {'volumes': [1, null, {}, {'name': 1}], 'containers': [1, {'volumeMounts': [1, {}]}]}", "",
     ""},
};

static void check_derived(const struct pod_claims *claims, const char *expected,
                          const char *caution)
{
    AUTO(findings) struct findings cautions = {0};
    AUTO(json) json_t *mounts = pod_derive_mounts(claims, &cautions);
    AUTO(free) char *got = mounts_text(mounts);

    ck_assert_str_eq(got, expected);
    findings_say(&cautions, caution);
}

START_TEST(derived_mounts)
    {
        AUTO(json) json_t *template = pod_row(derive_rows[_i].pod);

        check_derived(&(struct pod_claims){template, NULL}, derive_rows[_i].mounts,
                      derive_rows[_i].caution);
    }
END_TEST

/* Claim templates of a StatefulSet; one with the name of a volume takes its place. */
static const struct {
    const char *pod, *claim_templates, *mounts;
} set_rows[] = {
    {"app a:/data", "[{'metadata': {'name': 'a'}}]", "a:/data"},
    {"dir a; app a:/data", "[{'metadata': {'name': 'a'}}]", "a:/data"},
    {"dir a; app a:/data", "[{}, 1, {'metadata': {'name': 1}}]", ""},
    {"pvc b; app b:/b a:/a", "[{'metadata': {'name': 'a'}}]", "b:/b a:/a"},
    {"app a:/data", "{}", ""},
};

START_TEST(derived_mounts_of_claim_templates)
    {
        AUTO(json)
        json_t *template = pod_row(set_rows[_i].pod),
               *claim_templates = json_row(set_rows[_i].claim_templates);

        check_derived(&(struct pod_claims){template, claim_templates}, set_rows[_i].mounts, "");
    }
END_TEST

/* 64 volumes at one path: each gets one of its own. */
START_TEST(many_volumes_at_one_path)
    {
        AUTO(text) struct text row = {0};
        AUTO(findings) struct findings cautions = {0};

        text_puts(&row, "pvc");
        for (int n = 0; n < 64; n++)
            text_addf(&row, " v%d", n);
        for (int n = 0; n < 64; n++)
            text_addf(&row, "; c%d v%d:/data", n, n);

        AUTO(json) json_t *template = pod_row(text_get(&row));
        AUTO(json)
        json_t *mounts = pod_derive_mounts(&(struct pod_claims){template, NULL}, &cautions);

        ck_assert_uint_eq(json_array_size(mounts), 64);
        ck_assert_uint_eq(cautions.count, 63);
        for (size_t a = 0; a < 64; a++)
            for (size_t b = 0; b < a; b++)
                ck_assert_str_ne(tree_text(json_array_get(mounts, a), "mountPath"),
                                 tree_text(json_array_get(mounts, b), "mountPath"));
    }
END_TEST

#define TWO_VOLUMES                                                                                \
    "pvc a; dir e; app a:/data a:/data/deep:x e:/tmp/; other e:/data gone:/gone; init:setup"       \
    " a:/init:$(X) + {'containers': [{'name': 'other', 'volumeMounts': [{}, {'name': 'a'},"        \
    " {'mountPath': '/nameless'}]}]}"

/* The mount that covers a path, by components. */
static const struct {
    const char *path, *mount; /* "": none */
} cover_rows[] = {
    {"/data", "a:/data"},
    {"/data/", "a:/data"},
    {"/data/file", "a:/data"},
    {"/data/deep", "a:/data/deep:x"},
    {"/data/deep/file", "a:/data/deep:x"},
    {"/data/deeper", "a:/data"},
    {"/tmp", "e:/tmp/"},
    {"/tmp/x", "e:/tmp/"},
    {"/init/x", "a:/init:$(X)"},
    {"/data2", ""},
    {"/", ""},
    {"/gone/x", ""},
    {"/nameless", ""},
    {"data", ""},
    {"", ""},
};

START_TEST(covering_mounts)
    {
        AUTO(json) json_t *template = pod_row(TWO_VOLUMES), *found = json_array();
        struct pod_claims claims = {template, NULL};

        tree_push_new(found, pod_covering_mount(&claims, cover_rows[_i].path));

        AUTO(free) char *mounts = mounts_text(found);

        ck_assert_str_eq(mounts, cover_rows[_i].mount);
    }
END_TEST

START_TEST(a_mount_of_the_root_covers_all)
    {
        AUTO(json)
        json_t *template = pod_row("pvc a; app a:/"),
               *mount = pod_covering_mount(&(struct pod_claims){template, NULL}, "/any/where");

        ck_assert_str_eq(tree_text(mount, "mountPath"), "/");
    }
END_TEST

/* Which volumes there are, and which of them are claims. */
START_TEST(volumes)
    {
        AUTO(json)
        json_t *template = pod_row(TWO_VOLUMES),
               *templates = json_row("[{'metadata': {'name': 't'}}, {'metadata': {}}]"),
               *odd = pod_row(" + {'volumes': [{'name': 'a', 'persistentVolumeClaim': 1}]}");
        struct pod_claims claims = {template, templates}, alone = {template, NULL},
                          none = {odd, NULL}, nothing = {NULL, NULL};
        AUTO(free) const char **names = pod_volume_names(&claims);

        ck_assert_str_eq(names[0], "a");
        ck_assert_str_eq(names[1], "e");
        ck_assert_str_eq(names[2], "t");
        ck_assert_ptr_null(names[3]);
        ck_assert(pod_is_claim(&claims, "a") && pod_is_claim(&claims, "t"));
        ck_assert(!pod_is_claim(&claims, "e") && !pod_is_claim(&claims, "x"));
        ck_assert(pod_has_volume(&claims, "e") && pod_has_volume(&claims, "t"));
        ck_assert(!pod_has_volume(&alone, "t") && !pod_has_volume(&claims, ""));
        ck_assert(pod_has_claims(&claims) && pod_has_claims(&alone));
        ck_assert(!pod_has_claims(&none) && !pod_has_claims(&nothing));
        ck_assert_uint_eq(pod_size(&nothing), 0);
        /* 2 volumes, 2 claim templates, 3 containers, 8 + 1 mounts */
        ck_assert_uint_eq(pod_size(&claims), 16);
    }
END_TEST

static const struct {
    const char *path, *mount;
    bool within;
} within_rows[] = {
    {"/data", "/data", true},
    {"/data/", "/data", true},
    {"/data", "/data/", true},
    {"/data/x", "/data", true},
    {"/data/x", "/data//", true},
    {"/data2", "/data", false},
    {"/dat", "/data", false},
    {"/", "/data", false},
    {"/data", "/", true},
    {"data", "/", false},
    {"", "/", false},
    {"/x", "", true}, /* an empty path holds what begins with a slash */
};

START_TEST(paths_within)
    {
        ck_assert_int_eq(pod_path_within(within_rows[_i].path, within_rows[_i].mount),
                         within_rows[_i].within);
    }
END_TEST

#define LIMITS(cpu, memory) "'limits': {'cpu': " cpu ", 'memory': " memory "}"
#define REQUESTS(cpu, memory) "'requests': {'cpu': " cpu ", 'memory': " memory "}"
#define USES(resources) " + {'containers': [{'resources': {" resources "}}]}"

enum { WINDOWS = 1, RESOURCES = 2, SHARES = 4, GUARANTEED = 8, WHOLE = 16 };

static const struct {
    const char *pod;
    unsigned answers;
} question_rows[] = {
    {"", 0},
    /* Windows */
    {" + {'os': {'name': 'windows'}}", WINDOWS},
    {" + {'os': {'name': 'linux'}}", 0},
    {" + {'nodeSelector': {'kubernetes.io/os': 'windows'}}", WINDOWS},
    {" + {'nodeSelector': {'beta.kubernetes.io/os': 'windows'}}", WINDOWS},
    {" + {'nodeSelector': {'kubernetes.io/os': 'linux'}}", 0},
    /* resources of the whole pod */
    {" + {'resources': {'limits': {'cpu': '1'}}}", RESOURCES},
    {" + {'resources': {'requests': {'cpu': '1'}}}", RESOURCES},
    {" + {'resources': {'limits': {}, 'requests': {}}}", 0},
    {" + {'resources': []}", 0},
    /* processes that see each other */
    {" + {'shareProcessNamespace': true}", SHARES},
    {" + {'hostPID': true}", SHARES},
    {" + {'shareProcessNamespace': false, 'hostPID': false}", 0},
    /* Guaranteed: limits of both, requests absent or equal */
    {USES(LIMITS("'1'", "'1Gi'")), GUARANTEED | WHOLE},
    {USES(LIMITS("'1'", "'1Gi'") ", " REQUESTS("'1000m'", "'1024Mi'")), GUARANTEED | WHOLE},
    {USES(LIMITS("'500m'", "'1Gi'")), GUARANTEED},
    {USES(LIMITS("1", "1073741824") ", " REQUESTS("1", "'1Gi'")), GUARANTEED | WHOLE},
    {USES(LIMITS("'1'", "'1Gi'") ", " REQUESTS("'500m'", "'1Gi'")), WHOLE},
    {USES(LIMITS("'1'", "'1Gi'") ", " REQUESTS("'1'", "'x'")), WHOLE},
    {USES("'limits': {'cpu': '1'}"), WHOLE},
    {USES("'limits': {'memory': '1Gi'}"), 0},
    {USES(REQUESTS("'1'", "'1Gi'")), 0},
    {USES(""), 0},
    {" + {'containers': [{}, 1]}", 0},
    /* all containers, and those of the start too */
    {" + {'containers': [{'resources': {" LIMITS("'1'", "'1Gi'") "}}, {}]}", WHOLE},
    {" + {'containers': [{'resources': {" LIMITS("'1'", "'1Gi'") "}}], 'initContainers': [{}]}",
     WHOLE},
    {" + {'containers': [{'resources': {" LIMITS(
         "'500m'", "'1Gi'") "}}], 'initContainers': [{'resources': {" LIMITS("'2'", "'1Gi'") "}}]}",
     GUARANTEED | WHOLE},
};

static unsigned answers(const json_t *template)
{
    return (pod_is_windows(template) ? WINDOWS : 0) |
           (pod_has_resources(template) ? RESOURCES : 0) |
           (pod_shares_processes(template) ? SHARES : 0) |
           (pod_is_guaranteed(template) ? GUARANTEED : 0) |
           (pod_has_whole_cpus(template) ? WHOLE : 0);
}

START_TEST(questions)
    {
        AUTO(json) json_t *template = pod_row(question_rows[_i].pod);

        ck_assert_uint_eq(answers(template), question_rows[_i].answers);
    }
END_TEST

SUITE(api_pod)
{
    suite_rows(tests, derived_mounts, derive_rows);
    suite_rows(tests, derived_mounts_of_claim_templates, set_rows);
    tcase_add_test(tests, many_volumes_at_one_path);
    suite_rows(tests, covering_mounts, cover_rows);
    tcase_add_test(tests, a_mount_of_the_root_covers_all);
    tcase_add_test(tests, volumes);
    suite_rows(tests, paths_within, within_rows);
    suite_rows(tests, questions, question_rows);
}
