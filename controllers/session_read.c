#include "controllers/session_read.h"

#include <string.h>

#include "api/duration.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/restore_status.h"
#include "controllers/session_make.h"
#include "controllers/slot.h"
#include "kube/time.h"

/* Characters of what a configuration says about itself: fits a step's message. */
#define OBSTACLE_MAX_CHARS 160u

void session_parts_done(struct session_parts *parts)
{
    hosts_done(&parts->hosts);
    free(parts->recorded);
    free(parts->work_hosts);
    free(parts->claims);
    json_decref(parts->ledger);
    free(parts->not_ready);
    *parts = (struct session_parts){0};
}

/* ---- members ---- */

static const json_t *spec_of(const json_t *object)
{
    return tree_get(object, "spec");
}

static const json_t *status_of(const json_t *object)
{
    return tree_get(object, "status");
}

static const char *name_of(const json_t *object)
{
    const char *name = tree_text(tree_get(object, "metadata"), "name");

    return name ? name : "";
}

static struct span uid_of(const json_t *object)
{
    return tree_span(tree_get(object, "metadata"), "uid");
}

static bool is_deleted(const json_t *object)
{
    return tree_get(tree_get(object, "metadata"), "deletionTimestamp") != NULL;
}

/* 0: none, or none that can be read. */
static int64_t moment_of(const json_t *object, const char *key)
{
    int64_t moment_s;

    return time_parse(tree_span(object, key), &moment_s) && moment_s > 0 ? moment_s : 0;
}

bool session_has_ended(const json_t *session, bool restore)
{
    const char *phase = tree_text(tree_get(session, "status"), "phase");

    return restore ? restore_phase_is_final(restore_phase_of(phase))
                   : session_phase_is_final(session_phase_of(phase));
}

static int64_t created_of(const json_t *object)
{
    return moment_of(tree_get(object, "metadata"), "creationTimestamp");
}

/* Whole seconds, a part of one counts as one; 0: none, or none that can be read. */
static int64_t duration_of(const json_t *object, const char *key)
{
    struct error err;
    int64_t ns;

    if (!duration_parse(tree_span(object, key), &ns, &err) || ns <= 0)
        return 0;
    return ns / SECOND_NS + (ns % SECOND_NS != 0);
}

static int32_t count_of(const json_t *object, const char *key, int32_t otherwise)
{
    int64_t count = tree_int(object, key, otherwise);

    return count >= 0 && count <= INT32_MAX ? (int32_t)count : otherwise;
}

/* ---- the Lease ---- */

static bool is_empty(const struct claims *claims)
{
    return !*claims->session && !claims_any(claims);
}

/* A ledger that can not be read may be that of a session that works. */
static enum work_lock read_ledger(const struct session_seen *seen, struct session_parts *parts)
{
    struct error err;

    if (!claims_are_in(seen->lease))
        return WORK_LOCK_FREE;
    parts->claims = text_alloc(sizeof *parts->claims);
    parts->ledger = claims_of_lease(seen->lease, parts->claims, &err);
    if (!parts->ledger)
        return WORK_LOCK_TAKEN;
    if (is_empty(parts->claims))
        return WORK_LOCK_FREE;
    return *parts->claims->session && span_is(uid_of(seen->session), parts->claims->session)
               ? WORK_LOCK_OURS
               : WORK_LOCK_TAKEN;
}

static void forget_ledger(struct session_parts *parts)
{
    free(TAKE(parts->claims));
    json_decref(TAKE(parts->ledger));
}

/* ---- what has become of a claim ---- */

static const json_t *pod_of(const struct session_seen *seen, const char *uid)
{
    for (size_t i = 0; i < seen->target.pod_count; i++)
        if (span_is(uid_of(seen->target.pods[i]), uid))
            return seen->target.pods[i];
    return NULL;
}

static const json_t *container_of(const struct session_seen *seen, const json_t *pod)
{
    const char *list = seen->target.init ? "initContainerStatuses" : "containerStatuses";
    const json_t *statuses = tree_get(status_of(pod), list);

    if (seen->target.job)
        return json_array_get(statuses, 0);
    return tree_named(statuses, seen->target.init ? CONTAINER_INIT : CONTAINER_SIDECAR);
}

/* Containers of one name run one after the other: what has begun or ended well after the claim
 * proves that who claimed it has ended. */
static bool has_ended_since(const json_t *container, int64_t since_s)
{
    int64_t ended_s = moment_of(tree_at(container, "state.terminated"), "finishedAt");
    int64_t before_s = moment_of(tree_at(container, "lastState.terminated"), "finishedAt");
    int64_t begun_s = moment_of(tree_at(container, "state.running"), "startedAt");
    int64_t proof_s = since_s + SESSION_SKEW_S;

    return ended_s >= proof_s || before_s >= proof_s || begun_s >= proof_s;
}

static bool is_over(const json_t *pod)
{
    struct span phase = tree_span(status_of(pod), "phase");

    return span_is(phase, "Failed") || span_is(phase, "Succeeded");
}

static bool is_missing(const struct session_seen *seen, const char *pod)
{
    const json_t *uid;
    size_t i;

    tree_items (seen->missing, i, uid)
        if (span_is(tree_value(uid), pod))
            return true;
    return false;
}

static bool is_gone(const struct session_seen *seen, const struct claim *claim)
{
    const json_t *pod = pod_of(seen, claim->pod);

    if (!pod)
        return is_missing(seen, claim->pod) || seen->pods_s >= claim->since_s + SESSION_SKEW_S;
    return is_over(pod) || has_ended_since(container_of(seen, pod), claim->since_s);
}

/* ---- hosts ---- */

/* Those that were seen, and behind them those that only status or ledger know. */
struct gathering {
    const struct hosts *seen;
    struct work_host *list;
    size_t count, room;
};

static struct work_host *find(const struct gathering *all, const char *name)
{
    long at = hosts_find(all->seen, name);

    if (at >= 0)
        return &all->list[at];
    for (size_t i = all->seen->count; i < all->count; i++)
        if (strcmp(all->list[i].name, name) == 0)
            return &all->list[i];
    return NULL;
}

static struct work_host *find_or_add(struct gathering *all, const char *name)
{
    struct work_host *host = find(all, name);

    if (host || all->count == all->room)
        return host;
    all->list[all->count] = (struct work_host){.name = name};
    return &all->list[all->count++];
}

/* What a container did before is told, and never makes anybody lose patience: it runs again. */
static struct work_host seen_host(const struct host *host, int64_t started_s, int64_t now_s)
{
    const struct pod_trouble *trouble = &host->trouble;
    bool counts = !trouble->past || (started_s && trouble->since_s >= started_s);

    return (struct work_host){
        .name = host->name,
        .expected = host->expected,
        .trouble = counts ? trouble->text : NULL,
        .trouble_since_s = trouble->past ? now_s : trouble->since_s,
        .hopeless = host->hopeless,
        .job_runs = host->job_runs,
        .busy = host->busy,
    };
}

/* From behind, so that the first result of a host counts. What is no phase is no success. */
static void put_results(struct gathering *all, const json_t *stats)
{
    for (size_t i = json_array_size(stats); i-- > 0;) {
        const json_t *stat = json_array_get(stats, i);
        struct span name = tree_span(stat, "hostname"), phase = tree_span(stat, "phase");
        struct work_host *host =
            name.length && strlen(name.data) == name.length ? find_or_add(all, name.data) : NULL;

        if (!host)
            continue;
        host->result = span_is(phase, "Succeeded") ? WORK_SUCCEEDED
                       : span_is(phase, "Running") ? WORK_OPEN
                                                   : WORK_FAILED;
    }
}

static void put_claims(struct gathering *all, const struct session_seen *seen,
                       const struct claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        struct work_host *host = find_or_add(all, claims->list[i].host);

        host->gone = claims->list[i].pod && is_gone(seen, &claims->list[i]);
    }
    claims_fill(claims, all->list, all->count);
}

static int64_t last_claim(const struct claims *claims)
{
    int64_t last_s = 0;

    for (size_t i = 0; i < claims->count; i++)
        last_s = claims->list[i].since_s > last_s ? claims->list[i].since_s : last_s;
    return last_s;
}

/* The Jobs that we made, as the ledger has them. */
static struct hosts_seen with_jobs(const struct session_seen *seen, struct session_parts *parts)
{
    struct hosts_seen target = seen->target;
    size_t count = seen->target.job && parts->claims ? parts->claims->count : 0;

    target.claim_sets = session_claim_sets(seen->session);
    target.recorded = parts->recorded = text_alloc((count + 1) * sizeof *parts->recorded);
    for (size_t i = 0; i < count; i++)
        if (parts->claims->list[i].job)
            parts->recorded[target.recorded_count++] =
                (struct host_job){parts->claims->list[i].host, parts->claims->list[i].job};
    return target;
}

static bool read_work(const struct session_seen *seen, const json_t *stats,
                      struct session_parts *parts, struct work *work, struct error *err)
{
    work->lock = read_ledger(seen, parts);
    if (work->lock != WORK_LOCK_OURS)
        forget_ledger(parts);

    struct hosts_seen target = with_jobs(seen, parts);

    if (!hosts_read(&target, &parts->hosts, err))
        return false;
    if (json_array_size(stats) > HOSTS_MAX)
        return error_set(err, ERROR_INVALID, "the status has more than %u hosts", HOSTS_MAX);

    struct gathering all = {.seen = &parts->hosts, .count = parts->hosts.count};

    all.room = all.count + json_array_size(stats) + CLAIMS_MAX;
    all.list = parts->work_hosts = text_alloc(all.room * sizeof *all.list);
    work->started_s = parts->claims ? parts->claims->since_s : 0;
    for (size_t i = 0; i < all.count; i++)
        all.list[i] = seen_host(&parts->hosts.list[i], work->started_s, seen->now_s);
    put_results(&all, stats);
    if (parts->claims)
        put_claims(&all, seen, parts->claims);
    work->moved_s = parts->claims ? last_claim(parts->claims) : 0;
    work->watched_s = seen->watched_s;
    work->needs_executor = seen->target.job;
    work->jobs_max = seen->jobs_max;
    work->crowded = seen->crowded;
    work->hosts = all.list;
    work->host_count = all.count;
    return true;
}

/* ---- other sessions ---- */

static bool is_same(const json_t *a, const json_t *b)
{
    return a == b || span_equal(uid_of(a), uid_of(b));
}

/* By creation, then by name. */
static bool is_older(const json_t *a, const json_t *b)
{
    int64_t a_s = created_of(a), b_s = created_of(b);

    return a_s != b_s ? a_s < b_s : strcmp(name_of(a), name_of(b)) < 0;
}

static const json_t *invoker_of(const json_t *session)
{
    return tree_get(spec_of(session), "invoker");
}

static struct span space_of(const json_t *object)
{
    return tree_span(tree_get(object, "metadata"), "namespace");
}

static bool is_sibling(const json_t *a, const json_t *b)
{
    return span_equal(space_of(a), space_of(b)) &&
           span_equal(tree_span(invoker_of(a), "kind"), tree_span(invoker_of(b), "kind")) &&
           span_equal(tree_span(invoker_of(a), "name"), tree_span(invoker_of(b), "name"));
}

static void compare_sessions(const struct session_seen *seen, struct session *session)
{
    const char *uid = tree_text(tree_get(seen->session, "metadata"), "uid");
    AUTO(free) char *successor = slot_name_of_uid(name_of(seen->configuration), uid ? uid : "");

    for (size_t i = 0; i < seen->session_count; i++) {
        const json_t *other = seen->sessions[i];
        enum session_phase phase = session_phase_of(tree_text(status_of(other), "phase"));

        if (is_same(other, seen->session))
            continue;
        session->sibling_running |= phase == SESSION_RUNNING && is_sibling(other, seen->session);
        session->ahead |=
            phase <= SESSION_PENDING && !is_deleted(other) && is_older(other, seen->session);
        session->has_successor |=
            is_sibling(other, seen->session) && strcmp(name_of(other), successor) == 0;
    }
}

/* ---- a BackupSession ---- */

static bool is_of_configuration(const json_t *session)
{
    const json_t *invoker = invoker_of(session);
    struct span group = tree_span(invoker, "apiGroup");

    return span_is(tree_span(invoker, "kind"), "BackupConfiguration") &&
           (!group.length || span_is(group, GROUP_STASH));
}

/* The one that made it may have been deleted, and another one be there under its name. */
static bool is_orphan(const struct session_seen *seen)
{
    const json_t *owner;
    size_t i;

    if (!seen->configuration || is_deleted(seen->configuration))
        return true;
    tree_items (tree_at(seen->session, "metadata.ownerReferences"), i, owner)
        if (tree_true(owner, "controller") &&
            span_is(tree_span(owner, "kind"), "BackupConfiguration"))
            return !span_equal(tree_span(owner, "uid"), uid_of(seen->configuration));
    return false;
}

/* The first condition that is not True says why; new text, NULL when it is Ready. */
static char *obstacle_of(const json_t *configuration)
{
    const json_t *status = status_of(configuration), *condition;
    size_t i;

    if (span_is(tree_span(status, "phase"), "Ready"))
        return NULL;
    tree_items (tree_get(status, "conditions"), i, condition) {
        struct span message = tree_span(condition, "message");
        struct span reason = tree_span(condition, "reason");

        if (!span_is(tree_span(condition, "status"), "True") && (message.length || reason.length))
            return text_printable(message.length ? message : reason, OBSTACLE_MAX_CHARS);
    }
    return text_dup("it has not been looked at yet", 29);
}

/* Retention, and what else follows, as far as the status tells. */
static void read_after(const struct session_seen *seen, struct work *work)
{
    static const char type[] = "RetentionPolicyApplied";
    static const enum work_after states[] = {[CONDITION_ABSENT] = WORK_AFTER_WAITING,
                                             [CONDITION_TRUE] = WORK_AFTER_SUCCEEDED,
                                             [CONDITION_FALSE] = WORK_AFTER_FAILED,
                                             [CONDITION_UNKNOWN] = WORK_AFTER_RUNNING};
    const json_t *conditions = tree_get(status_of(seen->session), "conditions");
    int64_t since_s = condition_since_s(conditions, type);

    if (!seen->follows)
        return;
    work->after = states[condition_status(conditions, type)];
    work->after_since_s = since_s > 0 ? since_s : 0;
}

static bool created(const json_t *session, int64_t *created_s, struct error *err)
{
    *created_s = created_of(session);
    return *created_s > 0 || error_set(err, ERROR_INVALID, "the session has no creationTimestamp");
}

bool session_read(const struct session_seen *seen, struct session_parts *parts,
                  struct session *session, struct error *err)
{
    const json_t *status = status_of(seen->session), *wanted = spec_of(seen->configuration);
    const json_t *target = json_array_get(tree_get(status, "targets"), 0);
    struct session read = {.phase = session_phase_of(tree_text(status, "phase"))};

    if (!is_of_configuration(seen->session))
        return error_set(err, ERROR_INVALID, "the invoker is no BackupConfiguration");
    if (!created(seen->session, &read.created_s, err) ||
        !read_work(seen, tree_get(target, "stats"), parts, &read.work, err))
        return false;
    parts->not_ready = obstacle_of(seen->configuration);
    read.work.removed = is_deleted(seen->session) || is_orphan(seen);
    read.work.total = count_of(target, "totalHosts", -1);
    read_after(seen, &read.work);
    read.not_ready = parts->not_ready;
    read.timeout_s = duration_of(wanted, "timeOut");
    read.retry_left = count_of(spec_of(seen->session), "retryLeft", 0);
    read.retry_delay_s = duration_of(tree_get(wanted, "retryConfig"), "delay");
    read.next_retry_s = moment_of(status, "nextRetry");
    read.retried = tree_true(status, "retried");
    compare_sessions(seen, &read);
    *session = read;
    return true;
}

/* ---- a RestoreSession ---- */

static bool is_behind(const struct session_seen *seen)
{
    for (size_t i = 0; i < seen->session_count; i++) {
        const json_t *other = seen->sessions[i];
        enum restore_phase phase = restore_phase_of(tree_text(status_of(other), "phase"));

        if (!is_same(other, seen->session) && !is_deleted(other) &&
            !restore_phase_is_final(phase) && is_older(other, seen->session))
            return true;
    }
    return false;
}

bool session_read_restore(const struct session_seen *seen, struct session_parts *parts,
                          struct restore *restore, struct error *err)
{
    const json_t *status = status_of(seen->session), *stats = tree_get(status, "stats");
    struct restore read = {.phase = restore_phase_of(tree_text(status, "phase")),
                           .invalid = seen->invalid,
                           .not_ready = seen->not_ready,
                           .asked = seen->asked || seen->target.job};

    if (!created(seen->session, &read.created_s, err) ||
        !read_work(seen, stats, parts, &read.work, err))
        return false;
    read.work.removed = is_deleted(seen->session);
    read.work.total = count_of(status, "totalHosts", -1);
    read.timeout_s = duration_of(spec_of(seen->session), "timeOut");
    read.ahead = is_behind(seen);
    read.lost = restore_status_is_lost(status);
    *restore = read;
    return true;
}
