#include "controllers/if_exists.h"

#include <stdio.h>
#include <string.h>

#include "api/host.h"
#include "api/keys.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/restore_next.h"
#include "controllers/session_next.h"
#include "controllers/status_parts.h"
#include "kube/meta.h"

void if_exists_done(struct if_exists_step *step)
{
    free(step->host);
    step->host = NULL;
}

/* ---- sessions ---- */

static enum session_phase phase_of(const json_t *session)
{
    return session_phase_of(tree_text(tree_get(session, "status"), "phase"));
}

static int64_t made_of(const json_t *session)
{
    int64_t made_s;

    return meta_made(session, &made_s) ? made_s : 0;
}

/* By creation, then by name. */
static bool is_newer(const json_t *a, const json_t *b)
{
    int64_t a_s = made_of(a), b_s = made_of(b);

    return a_s != b_s ? a_s > b_s : strcmp(meta_or_empty(a, "name"), meta_or_empty(b, "name")) > 0;
}

static const json_t *stat_of(const json_t *session, const char *host)
{
    const json_t *target = json_array_get(tree_at(session, "status.targets"), 0);

    return status_stat(tree_get(target, "stats"), host);
}

static bool covers(const json_t *session, const char *host)
{
    const json_t *stat = stat_of(session, host);

    return span_is(tree_span(stat, "phase"), "Succeeded") &&
           json_array_size(tree_get(stat, "snapshots")) > 0;
}

/* The newest that has succeeded and, with a host, covers it. */
static const json_t *newest(const json_t *sessions, const char *host)
{
    const json_t *session, *found = NULL;
    size_t i;

    tree_items (sessions, i, session)
        if (phase_of(session) == SESSION_SUCCEEDED && (!host || covers(session, host)) &&
            (!found || is_newer(session, found)))
            found = session;
    return found;
}

/* A session under way that may be the newest one in a moment: it has this host already. */
static const json_t *coming(const struct if_exists *seen, const char *host)
{
    const json_t *session;
    size_t i;

    tree_items (seen->sessions, i, session)
        if (phase_of(session) == SESSION_RUNNING &&
            (covers(session, host) ||
             (seen->claims && if_exists_holder(seen->claims, host) &&
              strcmp(seen->claims->session, meta_or_empty(session, "uid")) == 0)))
            return session;
    return NULL;
}

/* A person has said what comes back, and that is not over: the pod is about to be replaced. */
static const json_t *asked_by_name(const json_t *restores)
{
    const json_t *restore;
    size_t i;

    tree_items (restores, i, restore)
        if (!restore_phase_is_final(
                restore_phase_of(tree_text(tree_get(restore, "status"), "phase"))))
            return restore;
    return NULL;
}

/* The one that a session is of, else the first by name. */
static const json_t *configuration_of(const json_t *configurations, const json_t *session)
{
    const char *invoker = tree_text(tree_at(session, "spec.invoker"), "name");
    const json_t *one, *found = NULL;
    size_t i;

    tree_items (configurations, i, one) {
        if (invoker && strcmp(meta_or_empty(one, "name"), invoker) == 0 &&
            strcmp(meta_or_empty(one, "namespace"), meta_or_empty(session, "namespace")) == 0)
            return one;
        if (!found || strcmp(meta_or_empty(one, "name"), meta_or_empty(found, "name")) < 0)
            found = one;
    }
    return found;
}

/* ---- pods ---- */

static const json_t *ending_of(const json_t *pod)
{
    const json_t *statuses = tree_at(pod, "status.initContainerStatuses");

    return tree_at(tree_named(statuses, CONTAINER_INIT), "state.terminated");
}

/* Its application was let start. */
static bool has_passed(const json_t *pod)
{
    const json_t *ending = ending_of(pod);

    return ending && tree_int(ending, "exitCode", 1) == 0;
}

static bool is_running(const json_t *pod)
{
    struct span phase = tree_span(tree_get(pod, "status"), "phase");

    return span_is(phase, "Running") || (span_is(phase, "Pending") && has_passed(pod));
}

static bool is_owned(const struct if_exists *seen, const json_t *pod)
{
    const json_t *owner;
    size_t i;

    tree_items (tree_at(pod, "metadata.ownerReferences"), i, owner)
        for (size_t k = 0; tree_true(owner, "controller") && k < seen->owner_count; k++)
            if (span_is(tree_span(owner, "uid"), seen->owners[k]))
                return true;
    return false;
}

/* The session that it was restored from, as it says itself; NULL: it runs on other data. */
static const char *restored_from(const json_t *pod)
{
    const char *said = tree_text(ending_of(pod), "message");
    size_t length = strlen(RESTORED_WORD);

    return said && strncmp(said, RESTORED_WORD, length) == 0 && said[length] ? said + length : NULL;
}

/* One that is leaving does not count: what takes its place is what asks. */
static bool counts(const struct if_exists *seen, const json_t *pod)
{
    return is_owned(seen, pod) && is_running(pod) &&
           !tree_get(tree_get(pod, "metadata"), "deletionTimestamp") &&
           strcmp(meta_or_empty(pod, "uid"), meta_or_empty(seen->pod, "uid")) != 0;
}

/* The pod that runs on data of its own, or NULL; of all others `beside` is what they came from. */
static const json_t *other_data(const struct if_exists *seen, const char **beside)
{
    for (size_t i = 0; i < seen->pod_count; i++) {
        const json_t *pod = seen->pods[i];
        const char *from = counts(seen, pod) ? restored_from(pod) : NULL;

        if (!counts(seen, pod))
            continue;
        if (!from || (*beside && strcmp(*beside, from) != 0))
            return pod;
        *beside = from;
    }
    return NULL;
}

/* ---- the decision ---- */

static char *host_of_pod(const struct if_exists *seen, const json_t *configuration)
{
    const char *alias = tree_text(tree_at(configuration, "spec.target"), "alias");
    const struct host_of of = {seen->kind, alias && *alias ? alias : NULL,
                               meta_or_empty(seen->pod, "name"),
                               tree_text(tree_get(seen->pod, "spec"), "nodeName")};
    AUTO(text) struct text name = {0};

    return host_name(&name, &of) ? text_take(&name) : NULL;
}

#define SAY(step, word, ...)                                                                       \
    ((step)->answer = (word), (void)snprintf((step)->message, sizeof(step)->message, __VA_ARGS__))

/* A person who wonders finds what there is. */
static void start_uncovered(const struct if_exists *seen, struct if_exists_step *step)
{
    const json_t *older = newest(seen->sessions, step->host);
    const json_t *snapshots = tree_get(stat_of(older, step->host), "snapshots");
    const char *id = tree_text(json_array_get(snapshots, 0), "name");

    SAY(step, IF_EXISTS_FRESH,
        "%s starts fresh: the newest session that succeeded, %s, did not cover it%s%s%s%s",
        step->host, meta_or_empty(step->session, "name"),
        id ? "; there is the older snapshot " : "", id ? id : "", id ? " of BackupSession " : "",
        id ? meta_or_empty(older, "name") : "");
}

static void decide(const struct if_exists *seen, struct if_exists_step *step)
{
    const json_t *running = other_data(seen, &step->beside), *under_way = coming(seen, step->host);
    const json_t *asked = asked_by_name(seen->restores);

    if (asked)
        SAY(step, IF_EXISTS_HOLD, "RestoreSession %s says what comes back",
            meta_or_empty(asked, "name"));
    else if (running)
        SAY(step, IF_EXISTS_FRESH, "%s starts fresh: pod %s of the workload runs on data already",
            step->host, meta_or_empty(running, "name"));
    else if (under_way)
        SAY(step, IF_EXISTS_HOLD, "BackupSession %s is still running and has backed %s up",
            meta_or_empty(under_way, "name"), step->host);
    else if (!step->session)
        SAY(step, IF_EXISTS_RESTORE, "%s gets the newest session that the repository holds",
            step->host);
    else if (step->beside && strcmp(step->beside, meta_or_empty(step->session, "uid")) != 0)
        SAY(step, IF_EXISTS_FRESH,
            "%s starts fresh: other pods of the workload run on data that is older than "
            "BackupSession %s",
            step->host, meta_or_empty(step->session, "name"));
    else if (!covers(step->session, step->host))
        start_uncovered(seen, step);
    else
        SAY(step, IF_EXISTS_RESTORE, "%s gets what BackupSession %s has backed up", step->host,
            meta_or_empty(step->session, "name"));
}

struct if_exists_step if_exists_next(const struct if_exists *seen)
{
    struct if_exists_step step = {.session = newest(seen->sessions, NULL)};

    step.configuration = configuration_of(seen->configurations, step.session);
    if (step.configuration)
        step.host = host_of_pod(seen, step.configuration);
    if (!step.configuration)
        SAY(&step, IF_EXISTS_HOLD, "there is no BackupConfiguration of the workload yet");
    else if (!step.host)
        SAY(&step, IF_EXISTS_HOLD, "it is not known yet whom the pod stands for");
    else
        decide(seen, &step);
    return step;
}

/* ---- who restores ---- */

char *if_exists_target(const char *target)
{
    return text_format(IF_EXISTS_LEDGER ":%s", target);
}

static struct claim *find(struct claims *claims, const char *host)
{
    for (size_t i = 0; i < claims->count; i++)
        if (strcmp(claims->list[i].host, host) == 0)
            return &claims->list[i];
    return NULL;
}

const char *if_exists_holder(const struct claims *claims, const char *host)
{
    const struct claim *claim = find((struct claims *)claims, host);

    return claim ? claim->pod : NULL;
}

static int64_t retry_s(int64_t attempt)
{
    int64_t wait_s = IF_EXISTS_RETRY_S;

    for (; attempt > 1 && wait_s < IF_EXISTS_RETRY_MAX_S; attempt--)
        wait_s *= 2;
    return wait_s < IF_EXISTS_RETRY_MAX_S ? wait_s : IF_EXISTS_RETRY_MAX_S;
}

/* An agent that holds its own claim gets it again; one that was restarted anew. */
static bool is_free(const struct claim *claim, const struct claims_caller *caller, bool gone,
                    int64_t now_s)
{
    if (!claim->pod)
        return now_s >= claim->since_s + retry_s(claim->attempt);
    return gone || strcmp(claim->pod, caller->pod) == 0;
}

int64_t if_exists_claim(struct claims *claims, const char *host, const struct claims_caller *caller,
                        bool gone, int64_t now_s)
{
    struct claim *claim = find(claims, host);

    if (claim && claim->pod && strcmp(claim->pod, caller->pod) == 0 &&
        strcmp(claim->instance, caller->instance) == 0)
        return claim->attempt;
    if (claim ? !is_free(claim, caller, gone, now_s) : claims->count == CLAIMS_MAX)
        return 0;
    if (!claim) {
        claim = &claims->list[claims->count++];
        *claim = (struct claim){.host = host};
    }
    claim->pod = caller->pod;
    claim->instance = caller->instance;
    claim->since_s = now_s;
    return ++claim->attempt;
}

void if_exists_ended(struct claims *claims, const char *host, bool succeeded, int64_t now_s)
{
    struct claim *claim = find(claims, host);

    if (!claim)
        return;
    if (succeeded) {
        *claim = claims->list[--claims->count];
        return;
    }
    claim->pod = claim->instance = NULL;
    claim->since_s = now_s;
}

bool if_exists_is_over(const json_t *const *pods, size_t count, const char *uid)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(meta_or_empty(pods[i], "uid"), uid) == 0) {
            struct span phase = tree_span(tree_get(pods[i], "status"), "phase");

            return span_is(phase, "Failed") || span_is(phase, "Succeeded") || has_passed(pods[i]);
        }
    return true;
}
