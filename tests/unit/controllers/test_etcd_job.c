#include "controllers/etcd_job.h"

#include <string.h>

#include "api/settings.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define SESSION                                                                                    \
    "{'metadata':{'name':'r','namespace':'shop','uid':'0a0a0a0a-2fa1-11d2-883f-0016d3cca427'},"    \
    "'spec':{'target':{'ref':{'kind':'AppBinding','name':'etcd'}}}}"
#define S3 "{'spec':{'backend':{'storageSecretName':'keys','s3':{'bucket':'b'}}}}"
#define LOCAL                                                                                      \
    "{'spec':{'backend':{'storageSecretName':'keys','local':{'mountPath':'/m','hostPath':{'path':" \
    "'/x'}}}}}"
#define USER(user)                                                                                 \
    "{'metadata':{'name':'etcd'},'spec':{'replicas':1,'volumeClaimTemplates':[{'metadata':{"       \
    "'name':'data','labels':{'a':'b'}},'spec':{'x':1}}],'selector':{'matchLabels':{'app':'etcd'}}" \
    ",'template':{'spec':{'nodeSelector':{'disk':'fast'},'securityContext':{'fsGroup':7" user      \
    "},'containers':[{'name':'etcd','image':'etcd:3.6.1','args':['--data-dir=/d/$(HOSTNAME)'],"    \
    "'volumeMounts':[{'name':'data','mountPath':'/d','subPath':'s'}]}]}}}}"

/* Stash's weak spots 46 to 51. Paths below the pod's spec; NULL: not there. */
static const struct {
    const char *what;
    enum etcd_job_kind kind;
    const char *repository, *set;
    const char *path, *value;
} rows[] = {
    {"a proof runs as nobody", ETCD_JOB_PROVE, S3, USER(",'runAsUser':1000"),
     "containers.0.securityContext.runAsUser", "65532"},
    {"and has no data", ETCD_JOB_PROVE, S3, USER(""), "containers.0.volumeMounts.1", NULL},
    {"a local repository may be of any user", ETCD_JOB_PROVE, LOCAL, USER(""),
     "initContainers.0.securityContext.runAsUser", "0"},
    {"it restores as etcd", ETCD_JOB_RESTORE, LOCAL, USER(",'runAsUser':1000"),
     "containers.0.securityContext.runAsUser", "1000"},
    {"with its groups", ETCD_JOB_RESTORE, S3, USER(",'runAsUser':1000"), "securityContext.fsGroup",
     "7"},
    {"and its own", ETCD_JOB_RESTORE, S3, USER(",'runAsUser':1000,'runAsGroup':8"),
     "containers.0.securityContext.runAsGroup", "8"},
    {"which is no group of the pod's", ETCD_JOB_RESTORE, S3,
     USER(",'runAsUser':1000,'runAsGroup':8"), "securityContext.runAsGroup", NULL},
    {"where its pods may be", ETCD_JOB_RESTORE, S3, USER(""), "nodeSelector.disk", "\"fast\""},
    {"nobody said as whom", ETCD_JOB_RESTORE, S3, USER(""),
     "containers.0.securityContext.runAsUser", "0"},
    {"root gives data to their owner", ETCD_JOB_RESTORE, S3, USER(""),
     "containers.0.securityContext.capabilities.add.0", "\"CHOWN\""},
    {"others can not", ETCD_JOB_RESTORE, S3, USER(",'runAsUser':1000"),
     "containers.0.securityContext.capabilities.add", NULL},
    {"the claim of the member", ETCD_JOB_RESTORE, S3, USER(""),
     "volumes.3.persistentVolumeClaim.claimName", "\"data-etcd-0\""},
    {"the same part of it", ETCD_JOB_RESTORE, S3, USER(""), "containers.0.volumeMounts.1.subPath",
     "\"s\""},
    {"undoing needs no storage", ETCD_JOB_UNDO, S3, USER(""), "initContainers", NULL},
    {"health needs no data", ETCD_JOB_HEALTH, S3, USER(""), "containers.0.volumeMounts.1", NULL},
    {"no token of the API", ETCD_JOB_RESTORE, S3, USER(""), "automountServiceAccountToken",
     "false"},
    {"and no more rights", ETCD_JOB_RESTORE, S3, USER(""),
     "containers.0.securityContext.allowPrivilegeEscalation", "false"},
};

static json_t *make(enum etcd_job_kind kind, const char *repository_row, const char *set_row,
                    const struct etcd_asked *given)
{
    AUTO(json) json_t *session = json_row(SESSION), *repository = json_row(repository_row);
    AUTO(json) json_t *set = json_row(set_row);
    AUTO(etcd_plan) struct etcd_plan plan = {0};
    struct etcd_asked asked = *given;
    struct settings settings;
    struct job_app app = {0};
    struct error err = {.message = ""};
    const struct etcd_job_request request = {.kind = kind,
                                             .session = session,
                                             .repository = repository,
                                             .settings = &settings,
                                             .plan = kind == ETCD_JOB_PROVE ? NULL : &plan,
                                             .asked = &asked,
                                             .app = &app,
                                             .snapshot = "1aaa",
                                             .host = "host-0",
                                             .revision = 1100};
    json_t *job;

    asked.initial_cluster = "m=http://etcd-0.p:2380";
    settings_default(&settings);
    ck_assert_msg(etcd_plan_make(&asked, set, &plan, &err), "%s", err.message);
    job = etcd_job_make(&request);
    settings_done(&settings);
    return job;
}

/* tree_at() knows no numbers. */
static const json_t *at(const json_t *tree, const char *path)
{
    struct span rest = span_of(path), part;

    while (tree && text_split(&rest, '.', &part)) {
        AUTO(free) char *key = text_dup(part.data, part.length);

        tree = json_is_array(tree) ? json_array_get(tree, (size_t)strtoul(key, NULL, 10))
                                   : tree_get(tree, key);
    }
    return tree;
}

START_TEST(what_a_pod_has)
    {
        const struct etcd_asked none = {0};
        AUTO(json) json_t *job = make(rows[_i].kind, rows[_i].repository, rows[_i].set, &none);
        const json_t *found = at(tree_at(job, "spec.template.spec"), rows[_i].path);
        AUTO(free)
        char *text = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

        ck_assert_msg(!text == !rows[_i].value && (!text || strcmp(text, rows[_i].value) == 0),
                      "%s: %s", rows[_i].what, text ? text : "nothing");
    }
END_TEST

static const struct {
    enum etcd_job_kind kind;
    struct etcd_asked asked;
    const char *name, *words;
} words[] = {
    {ETCD_JOB_PROVE,
     {0},
     "granary-etcd-prove-0a0a0a0a-2fa1-r",
     "etcd-restore --tools=/usr/lib/etcd --result=/dev/termination-log --scratch=/stash-tmp "
     "--fetched=/stash-tmp/dump --prove "},
    {ETCD_JOB_RESTORE,
     {.token = "$t", .bump = "0", .keep = "720h"},
     "granary-etcd-restore-0-0a0a0a0a-2fa1-r",
     "etcd-restore --tools=/usr/lib/etcd --result=/dev/termination-log --scratch=/stash-tmp "
     "--fetched=/stash-tmp/dump --etcd-version=3.6.1 --data-dir=/d/etcd-0 "
     "--session=0a0a0a0a-2fa1-11d2-883f-0016d3cca427 --wait-stopped=300s --name=m "
     "--initial-cluster=m=http://etcd-0.p:2380 --initial-cluster-token=$$t --bump-revision=0 "
     "--keep=720h "},
    {ETCD_JOB_UNDO,
     {0},
     "granary-etcd-undo-0-0a0a0a0a-2fa1-r",
     "etcd-restore --tools=/usr/lib/etcd --result=/dev/termination-log --scratch=/stash-tmp "
     "--data-dir=/d/etcd-0 --session=0a0a0a0a-2fa1-11d2-883f-0016d3cca427 --wait-stopped=300s "
     "--rollback "},
    {ETCD_JOB_HEALTH,
     {.wait = "60"},
     "granary-etcd-health-0a0a0a0a-2fa1-r",
     "etcd-wait --tools=/usr/lib/etcd --result=/dev/termination-log --members=1 --revision=1100 "
     "--wait-timeout=60 "},
};

START_TEST(what_it_runs)
    {
        AUTO(json) json_t *job = make(words[_i].kind, S3, USER(""), &words[_i].asked);
        AUTO(text) struct text said = {0};
        const json_t *word;
        size_t i;

        tree_items (at(job, "spec.template.spec.containers.0.args"), i, word)
            text_addf(&said, "%s ", json_string_value(word));
        ck_assert_str_eq(text_get(&said), words[_i].words);
        ck_assert_str_eq(json_string_value(at(job, "metadata.name")), words[_i].name);
    }
END_TEST

START_TEST(a_claim_as_its_set_makes_it)
    {
        AUTO(json) json_t *set = json_row(USER(""));
        const struct etcd_plan_member member = {.pod = (char *)"etcd-0",
                                                .claim = (char *)"data-etcd-0"};
        AUTO(json) json_t *claim = etcd_claim_make(set, &member);

        ck_assert_str_eq(json_string_value(at(claim, "metadata.name")), "data-etcd-0");
        ck_assert_str_eq(json_string_value(at(claim, "metadata.labels.app")), "etcd");
        ck_assert_str_eq(json_string_value(at(claim, "metadata.labels.a")), "b");
        ck_assert_int_eq(json_integer_value(at(claim, "spec.x")), 1);
    }
END_TEST

SUITE(controllers_etcd_job)
{
    suite_rows(tests, what_a_pod_has, rows);
    suite_rows(tests, what_it_runs, words);
    tcase_add_test(tests, a_claim_as_its_set_makes_it);
}
