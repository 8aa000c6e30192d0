#include "controllers/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "api/host.h"
#include "api/part.h"
#include "api/target.h"
#include "base/text.h"
#include "base/tree.h"

/* Of all candidates for one host the lowest stands for it. LACKS: a pod without our agent that
 * stays as it is. */
enum rank { RANK_WORKS, RANK_TROUBLED, RANK_LEAVES, RANK_LACKS, RANK_COMES };

/* A pod, or one that will come, as a candidate. */
struct candidate {
    struct host host;
    enum rank rank;
};

struct candidates {
    struct candidate *list;
    size_t count, room;
};

static void auto_candidates(struct candidates *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->list[i].host.name);
        free(all->list[i].host.trouble.text);
    }
    free(all->list);
}

static void push(struct candidates *all, struct candidate candidate)
{
    if (all->count == all->room) {
        all->room = all->room ? 2 * all->room : 16;
        all->list = text_realloc(all->list, all->room * sizeof *all->list);
    }
    all->list[all->count++] = candidate;
}

/* ---- the workload ---- */

static const char *kind_of(const struct hosts_seen *seen)
{
    const char *kind = tree_text(seen->workload, "kind");

    return kind ? kind : "";
}

static struct place place_of(bool init)
{
    return init ? init_place : sidecar_place;
}

bool hosts_carries(const json_t *pod, bool init)
{
    return template_owner_of(pod) == TEMPLATE_OURS && template_element(pod, place_of(init));
}

/* Pods that are made from now on carry the agent. */
static bool will_carry(const struct hosts_seen *seen)
{
    return hosts_carries(tree_at(seen->workload, "spec.template"), seen->init);
}

static bool is_set(const struct hosts_seen *seen)
{
    return strcmp(kind_of(seen), "StatefulSet") == 0;
}

static bool is_daemon_set(const struct hosts_seen *seen)
{
    return strcmp(kind_of(seen), "DaemonSet") == 0;
}

static int64_t replicas_of(const struct hosts_seen *seen)
{
    return tree_int(tree_get(seen->workload, "spec"), "replicas", 1);
}

static int64_t first_ordinal(const struct hosts_seen *seen)
{
    int64_t start = tree_int(tree_at(seen->workload, "spec.ordinals"), "start", 0);

    return start > 0 && start <= INT32_MAX ? start : 0;
}

/* The ordinal of a pod as its StatefulSet names it, or -1. */
static int64_t ordinal_of(const struct hosts_seen *seen, const char *pod)
{
    const char *name = tree_text(tree_get(seen->workload, "metadata"), "name");
    size_t length = name ? strlen(name) : 0;

    if (!name || strncmp(pod, name, length) != 0 || pod[length] != '-')
        return -1;

    long long ordinal = strtoll(pod + length + 1, NULL, 10);
    AUTO(free) char *same = text_format("%s-%lld", name, ordinal);

    return strcmp(same, pod) == 0 ? ordinal : -1;
}

/* A pod of a StatefulSet that is not to be scaled away. */
static bool is_within(const struct hosts_seen *seen, const char *pod)
{
    int64_t place = ordinal_of(seen, pod) - first_ordinal(seen);

    return place >= 0 && place < replicas_of(seen);
}

/* ---- candidates ---- */

static bool is_owned(const struct hosts_seen *seen, const json_t *pod)
{
    const json_t *owner;
    size_t i;

    tree_items (tree_at(pod, "metadata.ownerReferences"), i, owner) {
        struct span uid = tree_span(owner, "uid");

        if (!tree_true(owner, "controller") || !uid.length)
            continue;
        for (size_t k = 0; k < seen->owner_count; k++)
            if (span_is(uid, seen->owners[k]))
                return true;
    }
    return false;
}

/* The node that a pod of a DaemonSet is meant for, before it is there. */
static const char *wanted_node(const json_t *pod)
{
    const json_t *terms = tree_at(pod, "spec.affinity.nodeAffinity"
                                       ".requiredDuringSchedulingIgnoredDuringExecution"
                                       ".nodeSelectorTerms");
    const json_t *field;
    size_t i;

    tree_items (tree_get(json_array_get(terms, 0), "matchFields"), i, field)
        if (span_is(tree_span(field, "key"), "metadata.name") &&
            span_is(tree_span(field, "operator"), "In"))
            return json_string_value(json_array_get(tree_get(field, "values"), 0));
    return NULL;
}

static const char *node_of(const json_t *pod)
{
    const char *node = tree_text(tree_get(pod, "spec"), "nodeName");

    return node && *node ? node : wanted_node(pod);
}

static char *name_of(const struct hosts_seen *seen, const char *pod, const char *node)
{
    const struct host_of of = {kind_of(seen), seen->alias, pod, node};
    AUTO(text) struct text name = {0};

    return host_name(&name, &of) ? text_take(&name) : NULL;
}

static bool is_leaving(const json_t *pod)
{
    return tree_get(tree_get(pod, "metadata"), "deletionTimestamp") != NULL;
}

static enum rank rank_of(const json_t *pod, const struct pod_trouble *trouble)
{
    if (is_leaving(pod))
        return RANK_LEAVES;
    return trouble->text && !trouble->past ? RANK_TROUBLED : RANK_WORKS;
}

/* One that goes is replaced by one of today's template, unless a StatefulSet is scaled down. */
static bool is_expected(const struct hosts_seen *seen, const char *pod, enum rank rank)
{
    if (rank == RANK_LACKS || (rank == RANK_LEAVES && !will_carry(seen)))
        return false;
    return !is_set(seen) || is_within(seen, pod);
}

/* A backup leaves a pod without the agent as it is, for a restore one comes in its place. */
static bool is_replaced(const struct hosts_seen *seen)
{
    return seen->init && will_carry(seen);
}

/* Of a StatefulSet a pod without the agent is known by its name; of a restore also the node of a
 * DaemonSet's; all others just have no host. */
static bool is_candidate(const struct hosts_seen *seen, const json_t *pod, const char *name)
{
    if (!is_owned(seen, pod) || (is_set(seen) && ordinal_of(seen, name) < 0))
        return false;
    return hosts_carries(pod, seen->init) || (is_daemon_set(seen) && is_replaced(seen)) ||
           (is_set(seen) && !is_replaced(seen) && !is_leaving(pod));
}

static struct pod_trouble trouble_of(const struct hosts_seen *seen, const json_t *pod)
{
    struct place place = place_of(seen->init);

    return pod_trouble_of(pod, place.list, place.name);
}

static void add_pod(const struct hosts_seen *seen, const json_t *pod, struct candidates *all)
{
    const json_t *metadata = tree_get(pod, "metadata");
    const char *pod_name = tree_text(metadata, "name");
    bool carries = hosts_carries(pod, seen->init);
    struct candidate one = {.rank = is_replaced(seen) ? RANK_COMES : RANK_LACKS};

    if (!pod_name || !is_candidate(seen, pod, pod_name))
        return;
    one.host.name = name_of(seen, pod_name, node_of(pod));
    if (!one.host.name)
        return;
    if (carries) {
        one.host.pod = pod_name;
        one.host.uid = tree_text(metadata, "uid");
        one.host.trouble = trouble_of(seen, pod);
        one.rank = rank_of(pod, &one.host.trouble);
    }
    one.host.expected = is_expected(seen, pod_name, one.rank);
    push(all, one);
}

static int compare(const void *left, const void *right);

static void add_coming(struct candidates *all, char *name_new)
{
    push(all, (struct candidate){.host = {.name = name_new, .expected = true}, .rank = RANK_COMES});
}

/* All ordinals that may be without a pod; those below the partition come back as they were. */
static void add_ordinals(const struct hosts_seen *seen, struct candidates *all)
{
    const char *name = tree_text(tree_get(seen->workload, "metadata"), "name");
    const json_t *rolling = tree_at(seen->workload, "spec.updateStrategy.rollingUpdate");
    int64_t partition = tree_int(rolling, "partition", 0), first = first_ordinal(seen);

    for (int64_t i = 0; name && i < replicas_of(seen) && i <= HOSTS_MAX; i++) {
        long long ordinal = first + i;
        AUTO(free) char *pod = text_format("%s-%lld", name, ordinal);

        if (ordinal >= partition || seen->job)
            add_coming(all, name_of(seen, pod, NULL));
    }
}

/* Between two pods of a node nobody names it, but the DaemonSet counts it: until it is named, one
 * stands for all of these. Only a restore must not miss it. */
#define NODES_UNNAMED "(a node whose pod is being replaced)"

static size_t count_names(struct candidates *all)
{
    size_t names = 0;

    if (all->count)
        qsort(all->list, all->count, sizeof *all->list, compare);
    for (size_t i = 0; i < all->count; i++)
        names += i == 0 || strcmp(all->list[i - 1].host.name, all->list[i].host.name) != 0;
    return names;
}

static void add_nodes(const struct hosts_seen *seen, struct candidates *all)
{
    int64_t wanted = tree_int(tree_get(seen->workload, "status"), "desiredNumberScheduled", 0);

    if (is_replaced(seen) && wanted > (int64_t)count_names(all))
        add_coming(all, text_dup(NODES_UNNAMED, strlen(NODES_UNNAMED)));
}

/* Nodes come with their pods. */
static void add_others(const struct hosts_seen *seen, struct candidates *all)
{
    if (is_set(seen) && will_carry(seen))
        add_ordinals(seen, all);
    else if (is_daemon_set(seen))
        add_nodes(seen, all);
    else if (!seen->workload || (!is_set(seen) && will_carry(seen) && replicas_of(seen) > 0))
        add_coming(all, name_of(seen, NULL, NULL));
}

/* ---- one of each name ---- */

static int compare(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    int names = strcmp(a->host.name, b->host.name);

    if (names)
        return names;
    if (a->rank != b->rank)
        return (int)a->rank - (int)b->rank;
    if (a->host.trouble.since_s != b->host.trouble.since_s) /* the last hope; who never failed */
        return (a->host.trouble.since_s > b->host.trouble.since_s) == (a->rank == RANK_TROUBLED)
                   ? -1
                   : 1;
    return strcmp(a->host.pod ? a->host.pod : "", b->host.pod ? b->host.pod : "");
}

/* Moves the first of each name into the list. */
static void take(struct candidates *all, struct hosts *hosts)
{
    hosts->list = text_alloc((all->count ? all->count : 1) * sizeof *hosts->list);
    hosts->count = 0;

    bool lacks = false;

    for (size_t i = 0; i < all->count; i++) {
        struct host *one = &all->list[i].host;
        struct host *last = hosts->count ? &hosts->list[hosts->count - 1] : NULL;

        if (last && strcmp(last->name, one->name) == 0) {
            last->expected = last->expected || (one->expected && !lacks);
        } else {
            lacks = all->list[i].rank == RANK_LACKS;
            hosts->list[hosts->count++] = *one;
            *one = (struct host){0};
        }
    }
}

/* ---- Jobs ---- */

static bool is_true(const json_t *job, const char *type, const json_t **found)
{
    const json_t *condition;
    size_t i;

    tree_items (tree_at(job, "status.conditions"), i, condition)
        if (span_is(tree_span(condition, "type"), type) &&
            span_is(tree_span(condition, "status"), "True")) {
            *found = condition;
            return true;
        }
    return false;
}

static const json_t *job_of(const struct hosts_seen *seen, const char *uid)
{
    return tree_item_at(seen->jobs, "metadata.uid", uid);
}

static struct pod_trouble deleted(void)
{
    static const char why[] = "its Job was deleted";

    return (struct pod_trouble){.text = text_dup(why, sizeof why - 1)};
}

bool hosts_job_runs(const json_t *job)
{
    const json_t *condition;

    return job && !is_true(job, "Failed", &condition) && !is_true(job, "Complete", &condition) &&
           !is_leaving(job);
}

/* It does not try again; why its pod failed says more than that it did. */
static void judge_job(const json_t *job, struct host *host)
{
    const json_t *condition = NULL;
    bool failed = is_true(job, "Failed", &condition);

    host->job_runs = hosts_job_runs(job);
    host->hopeless = failed || !job;
    if (!host->hopeless || (host->trouble.text && !host->trouble.past))
        return;
    free(host->trouble.text);
    host->trouble = job ? pod_trouble_said(condition, "the Job has failed") : deleted();
}

/* The pod that a Job has, as what stands for its host. */
static bool find_pod(const struct hosts_seen *seen, const char *job, struct candidate *one)
{
    for (size_t i = 0; i < seen->pod_count; i++) {
        const json_t *metadata = tree_get(seen->pods[i], "metadata");

        if (!span_is(tree_span(target_controller(metadata), "uid"), job) ||
            !tree_text(metadata, "name"))
            continue;
        one->host.pod = tree_text(metadata, "name");
        one->host.uid = tree_text(metadata, "uid");
        one->host.trouble = pod_trouble_of(seen->pods[i], NULL, NULL);
        one->host.busy = one->host.trouble.before;
        if (one->host.busy) /* that is what they are there for */
            free(TAKE(one->host.trouble.text));
        return true;
    }
    return false;
}

static void add_job(const struct hosts_seen *seen, const struct host_job *recorded,
                    struct candidates *all)
{
    const json_t *job = job_of(seen, recorded->uid);
    struct candidate one = {
        .host = {.name = text_dup(recorded->host, strlen(recorded->host)), .expected = true}};

    (void)find_pod(seen, recorded->uid, &one);
    judge_job(job, &one.host);
    push(all, one);
}

/* As the pods of a StatefulSet would be called that gets these claims. */
static void add_claim_sets(const struct hosts_seen *seen, struct candidates *all)
{
    for (int64_t i = 0; i < seen->claim_sets && i <= HOSTS_MAX; i++) {
        AUTO(free) char *pod = text_format("replica-%lld", (long long)i);
        const struct host_of of = {"StatefulSet", seen->alias, pod, NULL};
        AUTO(text) struct text name = {0};

        if (host_name(&name, &of))
            add_coming(all, text_take(&name));
    }
}

/* A host that has a Job is never left out, whatever the workload is like by now. */
static void add_jobs(const struct hosts_seen *seen, struct candidates *all)
{
    for (size_t i = 0; i < seen->recorded_count; i++)
        add_job(seen, &seen->recorded[i], all);
    if (seen->claim_sets > 0)
        add_claim_sets(seen, all);
    else if (is_set(seen))
        add_ordinals(seen, all);
    else
        add_coming(all, name_of(seen, NULL, NULL));
}

static void add_workload(const struct hosts_seen *seen, struct candidates *all)
{
    for (size_t i = 0; i < seen->pod_count; i++)
        add_pod(seen, seen->pods[i], all);
    add_others(seen, all);
}

bool hosts_read(const struct hosts_seen *seen, struct hosts *hosts, struct error *err)
{
    AUTO(candidates) struct candidates all = {0};

    (seen->job ? add_jobs : add_workload)(seen, &all);
    if (all.count)
        qsort(all.list, all.count, sizeof *all.list, compare);

    AUTO(hosts) struct hosts made = {0};

    take(&all, &made);
    if (made.count > HOSTS_MAX)
        return error_set(err, ERROR_INVALID, "the target has more than %u hosts", HOSTS_MAX);
    *hosts = made;
    made = (struct hosts){0};
    return true;
}

void hosts_done(struct hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        free(hosts->list[i].name);
        free(hosts->list[i].trouble.text);
    }
    free(hosts->list);
    *hosts = (struct hosts){0};
}

static int compare_name(const void *name, const void *host)
{
    return strcmp(name, ((const struct host *)host)->name);
}

long hosts_find(const struct hosts *hosts, const char *name)
{
    const struct host *found =
        hosts->count ? bsearch(name, hosts->list, hosts->count, sizeof *found, compare_name) : NULL;

    return found ? (long)(found - hosts->list) : -1;
}
