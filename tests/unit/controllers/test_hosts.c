#include <stdio.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/hosts.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define PODS_MAX 8

/*
 * Pods in one line: "name[@node] word ...", separated by ";". Words: agent (our container and
 * mark), unmarked (our container's name without the mark), init (the restore's), leaving, foreign
 * (of another owner), of-j, of-k (of a Job), orphan (no owner), pull (its image can not be pulled),
 * evicted, oom (once; it runs again), wanted@node (a DaemonSet's, not yet bound).
 */
static void put_words(json_t *pod, const char *word)
{
    static const struct {
        const char *word, *path, *value;
    } words[] = {
        {"agent", "spec.containers", "[{'name':'app'},{'name':'stash'}]"},
        {"unmarked", "spec.containers", "[{'name':'stash'}]"},
        {"init", "spec.initContainers", "[{'name':'stash-init'}]"},
        {"leaving", "metadata.deletionTimestamp", "'2024-05-01T13:30:00Z'"},
        {"foreign", "metadata.ownerReferences", "[{'uid':'U2','controller':true}]"},
        {"of-j", "metadata.ownerReferences", "[{'uid':'J','controller':true}]"},
        {"of-k", "metadata.ownerReferences", "[{'uid':'K','controller':true}]"},
        {"orphan", "metadata.ownerReferences", "[{'uid':'U1'}]"},
        {"pull", "status.containerStatuses",
         "[{'name':'stash','state':{'waiting':{'reason':'ErrImagePull'}}}]"},
        {"older", "status.startTime", "'2024-05-01T10:00:00Z'"},
        {"evicted", "status.phase", "'Failed'"},
        {"oom", "status.containerStatuses",
         "[{'name':'stash','state':{'running':{}},'lastState':{'terminated':{'exitCode':137,"
         "'reason':'OOMKilled','finishedAt':'2024-05-01T13:30:00Z'}}}]"},
        {"wanted", "spec.affinity",
         "{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{"
         "'matchFields':[{'key':'metadata.name','operator':'In','values':['n9']}]}]}}}"},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) != 0)
            continue;

        AUTO(free) char *path = text_dup(words[i].path, strlen(words[i].path));
        char *key = strchr(path, '.');

        *key++ = '\0';
        tree_put_new(json_object_get(pod, path), key, json_row(words[i].value));
        if (strcmp(word, "agent") == 0 || strcmp(word, "init") == 0)
            tree_put_new(json_object_get(pod, "metadata"), "annotations",
                         json_row("{'" KEY_AGENT "':'v1'}"));
        return;
    }
    ck_abort_msg("%s", word);
}

static json_t *pod_of(char *row)
{
    char *rest, *name = strtok_r(row, " ", &rest), *node = strchr(name, '@');
    json_t *pod = json_row("{'metadata':{'ownerReferences':[{'uid':'U1','controller':true}],"
                           "'uid':'u','creationTimestamp':'2024-05-01T12:00:00Z'},'spec':{},"
                           "'status':{}}");

    if (node)
        *node++ = '\0';
    tree_put_text(json_object_get(pod, "metadata"), "name", name);
    tree_put_text(json_object_get(pod, "spec"), "nodeName", node);
    for (char *word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        put_words(pod, word);
    return pod;
}

static json_t *pods_of(const char *row)
{
    AUTO(free) char *copy = text_dup(row, strlen(row));
    json_t *pods = json_array();
    char *rest;

    for (char *one = strtok_r(copy, ";", &rest); one; one = strtok_r(NULL, ";", &rest))
        tree_push_new(pods, pod_of(one));
    return pods;
}

#define AGENT                                                                                      \
    "'template':{'metadata':{'annotations':{'granary.dev/agent':'v1'}},'spec':{'containers':[{"    \
    "'name':'stash'}],'initContainers':[{'name':'stash-init'}]}}"
#define WORKLOAD(kind, spec) "{'kind':'" kind "','metadata':{'name':'web'},'spec':{" spec "}}"
#define SET(spec) WORKLOAD("StatefulSet", spec)

/* Hosts as text: name, then "-" (not expected), the pod after "=", the trouble in brackets. */
static const struct {
    const char *workload, *alias, *pods, *hosts;
} rows[] = {
    /* one host, whatever it is */
    {"null", NULL, "", "host-0"},
    {"null", "data", "", "data"},
    {WORKLOAD("Deployment", AGENT), NULL, "", "host-0"},
    {WORKLOAD("Deployment", "'replicas':0," AGENT), NULL, "", ""},
    {WORKLOAD("Deployment", ""), NULL, "", ""},
    {WORKLOAD("Deployment", ""), NULL, "a;b unmarked;c init", ""},
    {WORKLOAD("Deployment", ""), "db", "a agent;b agent", "db=a"},
    {WORKLOAD("Deployment", AGENT), NULL, "a agent foreign;b agent orphan", "host-0"},
    /* one that works; of those that do not the last hope */
    {WORKLOAD("Deployment", AGENT), NULL, "a agent pull;b agent", "host-0=b"},
    {WORKLOAD("Deployment", AGENT), NULL, "a agent oom;b agent", "host-0=b"},
    {WORKLOAD("Deployment", AGENT), NULL, "a agent pull older;b agent pull",
     "host-0=b[ErrImagePull]"},
    {WORKLOAD("Deployment", AGENT), NULL, "a agent evicted", "host-0=a[the pod has failed]"},
    {WORKLOAD("Deployment", AGENT), NULL, "a agent leaving;b agent pull", "host-0=b[ErrImagePull]"},
    {WORKLOAD("Deployment", AGENT), NULL, "a agent leaving", "host-0=a"},
    {WORKLOAD("Deployment", ""), NULL, "a agent leaving", "host-0-=a"},
    /* each ordinal */
    {SET("'replicas':3," AGENT), NULL, "web-1 agent", "host-0 host-1=web-1 host-2"},
    {SET("'replicas':2," AGENT), "db", "web-0 agent;web-1 agent pull",
     "db-0=web-0 db-1=web-1[ErrImagePull]"},
    {SET("'replicas':2,'ordinals':{'start':5}," AGENT), NULL, "web-5 agent", "host-5=web-5 host-6"},
    {SET("'replicas':1," AGENT), NULL, "web-0 agent;web-1 agent", "host-0=web-0 host-1-=web-1"},
    {SET("'replicas':0," AGENT), NULL, "", ""},
    {SET("'replicas':2"), NULL, "web-0 agent;web-1", "host-0=web-0 host-1-"},
    /* pods of before are not counted: OnDelete, a partition */
    {SET("'replicas':2," AGENT), NULL, "web-0;web-1 agent", "host-0- host-1=web-1"},
    {SET("'replicas':2," AGENT), NULL, "web-0 leaving;web-1 agent", "host-0 host-1=web-1"},
    {SET("'replicas':3,'updateStrategy':{'rollingUpdate':{'partition':2}}," AGENT), NULL,
     "web-0;web-1 agent", "host-0- host-1=web-1 host-2"},
    /* names that no StatefulSet gives */
    {SET("'replicas':1," AGENT), NULL, "web-00 agent;other-0 agent;web agent", "host-0"},
    /* each node */
    {WORKLOAD("DaemonSet", AGENT), NULL, "", ""},
    {WORKLOAD("DaemonSet", AGENT), NULL, "a@n1 agent;b@n2;c@n3 agent", "n1=a n3=c"},
    {WORKLOAD("DaemonSet", AGENT), "x", "a@n1 agent leaving;b@n1 agent", "x-n1=b"},
    {WORKLOAD("DaemonSet", AGENT), NULL, "a@n1 agent leaving", "n1=a"},
    {WORKLOAD("DaemonSet", ""), NULL, "a@n1 agent leaving", "n1-=a"},
    {WORKLOAD("DaemonSet", AGENT), NULL, "a agent wanted;b agent", "n9=a"},
    /* odd shapes */
    {"[]", NULL, "a agent", "host-0=a"},
    {"{'kind':7,'metadata':[],'spec':''}", NULL, "a agent", "host-0=a"},
    {SET("'replicas':-1,'ordinals':{'start':-3}," AGENT), NULL, "", ""},
    {SET("'replicas':'9'," AGENT), NULL, "", "host-0"},
};

static void tell(const struct hosts *hosts, struct text *out)
{
    for (size_t i = 0; i < hosts->count; i++) {
        const struct host *host = &hosts->list[i];

        text_addf(out, "%s%s%s", i ? " " : "", host->name, host->expected ? "" : "-");
        if (host->pod)
            text_addf(out, "=%s", host->pod);
        if (host->trouble.text)
            text_addf(out, "[%s]%s", host->trouble.text, host->hopeless ? "!" : "");
        text_puts(out, host->job_runs ? "~" : "");
        ck_assert_int_eq(hosts_find(hosts, host->name), (long)i);
    }
}

static struct hosts_seen see(const json_t *workload, const json_t *pods, const json_t **list)
{
    static const char *const owners[] = {"U0", "U1"};
    size_t count = json_array_size(pods);

    for (size_t i = 0; i < count; i++)
        list[i] = json_array_get(pods, i);
    return (struct hosts_seen){.workload = json_is_null(workload) ? NULL : workload,
                               .owners = owners,
                               .owner_count = 2,
                               .pods = list,
                               .pod_count = count};
}

START_TEST(hosts_of_targets)
    {
        AUTO(json) json_t *workload = json_row(rows[_i].workload);
        AUTO(json) json_t *pods = pods_of(rows[_i].pods);
        const json_t *list[PODS_MAX];
        struct hosts_seen seen = see(workload, pods, list);
        AUTO(hosts) struct hosts hosts = {0};
        AUTO(text) struct text text = {0};
        struct error err = {0};

        seen.alias = rows[_i].alias;
        ck_assert(hosts_read(&seen, &hosts, &err));
        tell(&hosts, &text);
        ck_assert_str_eq(text_get(&text), rows[_i].hosts);
        ck_assert_int_eq(hosts_find(&hosts, "nobody"), -1);
    }
END_TEST

/* A restore is not over before the pods of before are replaced. */
static const struct {
    const char *workload, *pods, *hosts;
} restores[] = {
    {SET("'replicas':2"), "web-0 agent;web-1 init", "host-0- host-1=web-1"},
    {SET("'replicas':2," AGENT), "web-0 agent;web-1 init", "host-0 host-1=web-1"},
    {SET("'replicas':2," AGENT), "web-0 leaving;web-1 init", "host-0 host-1=web-1"},
    {SET("'replicas':3,'updateStrategy':{'rollingUpdate':{'partition':2}}," AGENT),
     "web-0;web-1 init", "host-1=web-1 host-2"},
    {WORKLOAD("DaemonSet", AGENT), "a@n1 init;b@n2", "n1=a n2"},
    {WORKLOAD("DaemonSet", AGENT), "a@n1 init;b@n2 leaving", "n1=a n2"},
    {WORKLOAD("DaemonSet", ""), "a@n1 init;b@n2", "n1=a"},
    {WORKLOAD("DaemonSet", AGENT), "a@n1;b@n1 init", "n1=b"},
    {WORKLOAD("Deployment", AGENT), "a;b init", "host-0=b"},
    {WORKLOAD("Deployment", AGENT), "a", "host-0"},
};

static void hosts_of_restore(const json_t *workload, const char *pods, const char *wanted)
{
    AUTO(json) json_t *made = pods_of(pods);
    const json_t *list[PODS_MAX];
    struct hosts_seen seen = see(workload, made, list);
    AUTO(hosts) struct hosts hosts = {0};
    AUTO(text) struct text text = {0};
    struct error err = {0};

    seen.init = true;
    ck_assert(hosts_read(&seen, &hosts, &err));
    tell(&hosts, &text);
    ck_assert_str_eq(text_get(&text), wanted);
}

START_TEST(restores_count_their_own_container)
    {
        AUTO(json) json_t *workload = json_row(restores[_i].workload);

        hosts_of_restore(workload, restores[_i].pods, restores[_i].hosts);
    }
END_TEST

/* Between two pods of a node nothing but the DaemonSet's own count tells of it. */
START_TEST(a_node_without_a_pod_is_not_forgotten)
    {
        AUTO(json) json_t *workload = json_row(WORKLOAD("DaemonSet", AGENT));

        json_object_set_new(workload, "status", json_row("{'desiredNumberScheduled':2}"));
        hosts_of_restore(workload, "a@n1 init", "(a node whose pod is being replaced) n1=a");
        hosts_of_restore(workload, "a@n1 init;b@n2", "n1=a n2");
    }
END_TEST

/* Jobs that we made: the first is J, the second K. */
static const struct {
    const char *workload, *recorded, *jobs, *pods, *hosts;
} jobs[] = {
    /* to be made */
    {"null", "", "", "", "host-0"},
    {SET("'replicas':2"), "", "", "", "host-0 host-1"},
    {SET("'replicas':2,'ordinals':{'start':3}"), "", "", "web-3 agent", "host-3 host-4"},
    {SET("'replicas':0"), "", "", "", ""},
    {WORKLOAD("Deployment", "'replicas':0"), "", "", "", "host-0"},
    /* made; a pod of somebody else's has its labels */
    {"null", "host-0", "{'type':'x'}", "", "host-0~"},
    {"null", "host-0", "{'type':'x'}", "a of-j", "host-0=a~"},
    {"null", "host-0", "{'type':'x'}", "a;b agent;c of-k", "host-0~"},
    {"null", "host-0", "{'type':'x'}", "a of-j pull", "host-0=a[ErrImagePull]~"},
    {SET("'replicas':2"), "host-0 host-1", "{'type':'x'}|{'type':'x'}", "a of-k;b of-j",
     "host-0=b~ host-1=a~"},
    /* scaled down: what was begun stays */
    {SET("'replicas':1"), "host-0 host-1", "{'type':'x'}|{'type':'x'}", "", "host-0~ host-1~"},
    {"null", "host-0", "{'type':'Complete','status':'True'}", "a of-j", "host-0=a"},
    {"null", "host-0", "{'type':'Failed','status':'False'}", "a of-j", "host-0=a~"},
    {"null", "host-0", "{'type':'Failed','status':'True','reason':'DeadlineExceeded'}", "a of-j",
     "host-0=a[DeadlineExceeded]!"},
    {"null", "host-0", "{'type':'Failed','status':'True'}", "", "host-0[the Job has failed]!"},
    {"null", "host-0", "{'type':'Failed','status':'True','reason':'BackoffLimitExceeded'}",
     "a of-j evicted", "host-0=a[the pod has failed]!"},
    /* deleted, its pod may still be there */
    {"null", "host-0", "", "", "host-0[its Job was deleted]!"},
    {"null", "host-0", "", "a of-j", "host-0=a[its Job was deleted]!"},
    {SET("'replicas':2"), "host-0 host-1", "{'type':'x'}", "",
     "host-0~ host-1[its Job was deleted]!"},
};

/* "J" and "K", one condition each. */
static json_t *jobs_of(const char *row)
{
    AUTO(free) char *copy = text_dup(row, strlen(row));
    json_t *made = json_array();
    char *rest, uid[2] = "J";

    for (char *one = strtok_r(copy, "|", &rest); one; one = strtok_r(NULL, "|", &rest)) {
        json_t *job = json_row("{'metadata':{},'status':{'conditions':[]}}");

        tree_put_text(json_object_get(job, "metadata"), "uid", uid);
        json_array_append_new(json_object_get(json_object_get(job, "status"), "conditions"),
                              json_row(one));
        tree_push_new(made, job);
        uid[0]++;
    }
    return made;
}

START_TEST(jobs_have_a_host_each)
    {
        AUTO(json) json_t *workload = json_row(jobs[_i].workload);
        AUTO(json) json_t *made = jobs_of(jobs[_i].jobs), *pods = pods_of(jobs[_i].pods);
        const json_t *list[PODS_MAX];
        struct hosts_seen seen = see(workload, pods, list);
        static const struct host_job recorded[] = {{"host-0", "J"}, {"host-1", "K"}};
        AUTO(hosts) struct hosts hosts = {0};
        AUTO(text) struct text text = {0};
        struct error err = {0};

        seen.job = true;
        seen.jobs = made;
        seen.recorded = recorded;
        seen.recorded_count = (strlen(jobs[_i].recorded) + 1) / 7;
        ck_assert(hosts_read(&seen, &hosts, &err));
        tell(&hosts, &text);
        ck_assert_str_eq(text_get(&text), jobs[_i].hosts);
    }
END_TEST

START_TEST(claims_of_a_restore_have_a_host_each)
    {
        static const struct host_job recorded[] = {{"db-1", "J"}};
        struct hosts_seen seen = {
            .job = true, .alias = "db", .claim_sets = 3, .recorded = recorded, .recorded_count = 1};
        AUTO(hosts) struct hosts hosts = {0};
        AUTO(text) struct text text = {0};
        struct error err = {0};

        ck_assert(hosts_read(&seen, &hosts, &err));
        tell(&hosts, &text);
        ck_assert_str_eq(text_get(&text), "db-0 db-1[its Job was deleted]! db-2");
        hosts_done(&hosts);
        seen.claim_sets = INT64_MAX;
        ck_assert(!hosts_read(&seen, &hosts, &err));
    }
END_TEST

/* A session that left some of them out would be a success without proof. */
START_TEST(too_many_are_an_error)
    {
        AUTO(json) json_t *workload = json_row(SET("'replicas':2147483647," AGENT));
        AUTO(json) json_t *fits = json_row(SET("'replicas':5000," AGENT));
        struct hosts_seen seen = see(workload, NULL, NULL);
        AUTO(hosts) struct hosts hosts = {0};
        struct error err = {0};

        ck_assert(!hosts_read(&seen, &hosts, &err));
        ck_assert_ptr_null(hosts.list);
        ck_assert_str_eq(err.message, "the target has more than 5000 hosts");
        seen.workload = fits;
        ck_assert(hosts_read(&seen, &hosts, &err));
        ck_assert_uint_eq(hosts.count, HOSTS_MAX);
    }
END_TEST

SUITE(controllers_hosts)
{
    suite_rows(tests, hosts_of_targets, rows);
    suite_rows(tests, restores_count_their_own_container, restores);
    tcase_add_test(tests, a_node_without_a_pod_is_not_forgotten);
    suite_rows(tests, jobs_have_a_host_each, jobs);
    tcase_add_test(tests, claims_of_a_restore_have_a_host_each);
    tcase_add_test(tests, too_many_are_an_error);
}
