#include "controllers/wipe_edge.h"

#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "api/findings.h"
#include "api/maintenance_result.h"
#include "api/rclone_access.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/maintenance_job.h"
#include "controllers/maintenance_pods.h"
#include "controllers/maintenance_status.h"
#include "controllers/pod_trouble.h"
#include "controllers/repository_lease.h"
#include "controllers/session_status.h"
#include "controllers/write.h"
#include "kube/meta.h"
#include "kube/verbs.h"

/* Seconds until others who still work, or the Job, are looked at again. */
#define OTHERS_S 15

#define REPOSITORIES "repositories." GROUP_STASH

static const struct kube_resource jobs = {"batch", "v1", "jobs", "Job", true};
static const struct kube_resource namespaces = {"", "v1", "namespaces", "Namespace", false};
static const struct kube_resource kinds = {
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false};
static const struct kube_resource repositories = {GROUP_STASH, "v1alpha1", "repositories",
                                                  "Repository", true};

static bool is_leaving(const json_t *object)
{
    return !object || tree_get(tree_get(object, "metadata"), "deletionTimestamp");
}

/* ---- why not ---- */

static const json_t *backend_of(const json_t *repository)
{
    return tree_at(repository, "spec.backend");
}

/* One that is being deleted itself has not gone yet: its data are still asked for. */
static const json_t *overlapping(const struct wipe_facts *facts)
{
    const json_t *other;
    size_t i;

    tree_items (facts->living, i, other)
        if (strcmp(meta_or_empty(other, "uid"), meta_or_empty(facts->repository, "uid")) != 0 &&
            backend_overlaps(backend_of(facts->repository),
                             meta_or_empty(facts->repository, "namespace"), backend_of(other),
                             meta_or_empty(other, "namespace")))
            return other;
    return NULL;
}

char *wipe_refused(const struct wipe_facts *facts)
{
    const json_t *status = tree_get(facts->repository, "status");
    const char *provider = backend_provider(backend_of(facts->repository));
    const json_t *other;

    if (is_leaving(facts->kind))
        return text_format("the CRD " REPOSITORIES " is being deleted: nobody asked for the data");
    if (is_leaving(facts->space))
        return text_format("its namespace is being deleted: nobody asked for the data");
    if (!rclone_reaches(provider))
        return text_format("nothing removes data from a backend of kind %s",
                           provider ? provider : "none");
    if (condition_status(tree_get(status, "conditions"), BACKEND_OWNED) != CONDITION_TRUE)
        return text_format("no session of this cluster has found its mark in it");
    other = overlapping(facts);
    return other ? text_format("Repository %s/%s has its data there, above or below it",
                               meta_or_empty(other, "namespace"), meta_or_empty(other, "name"))
                 : NULL;
}

/* ---- what is there ---- */

/* One look; owned, but for what was given. */
struct look {
    const struct maintenance_edge *edge;
    const struct wipe_memory *memory;
    struct wipe_turn *turn;
    int64_t now_s;
    bool restricted;
    char *key;
    struct repository_ledger ledger;
    json_t *job, *pods; /* of the holder, when that is ours */
};

static void auto_look(struct look *look)
{
    free(look->key);
    repository_ledger_done(&look->ledger);
    json_decref(look->job);
    json_decref(look->pods);
}

static const json_t *repository_of(const struct look *look)
{
    return look->memory->repository;
}

/* Everything anew, from the API server. False: not known, so nothing is done. */
static bool read_refusal(const struct look *look, char **why, struct error *err)
{
    struct kube_client *client = look->edge->client;
    AUTO(free)
    char *field = text_format("metadata.name=%s", meta_or_empty(repository_of(look), "namespace"));
    const struct kube_watched spaces = {.resource = namespaces, .fields = field};
    const struct kube_watched all = {.resource = repositories};
    const struct kube_ref kind = {&kinds, NULL, REPOSITORIES, NULL};
    AUTO(json) json_t *definition = kube_get(client, &kind, err);

    if (!definition && err->code != ERROR_NOT_FOUND)
        return error_wrap(err, "%s", "CRD of Repositories");

    AUTO(json) json_t *space = kube_list(client, &spaces, NULL, err);

    if (!space)
        return false;

    AUTO(json) json_t *living = definition ? kube_list(client, &all, NULL, err) : json_array();
    const struct wipe_facts facts = {.repository = repository_of(look),
                                     .living = living,
                                     .space = json_array_get(space, 0),
                                     .kind = definition};

    if (!living)
        return false;
    *why = wipe_refused(&facts);
    return true;
}

static bool is_held(const struct look *look)
{
    const struct holders *holders = look->ledger.holders;

    return holders->exclusive &&
           strcmp(holders->list[0].session, meta_or_empty(repository_of(look), "uid")) == 0 &&
           maintenance_job_kind(holders->list[0].pod) == MAINTENANCE_WIPE;
}

static const char *job_of(const struct look *look)
{
    return look->ledger.holders->list[0].pod;
}

/* ---- telling ---- */

static void tell(const struct look *look, bool warning, const char *reason, const char *note)
{
    const struct kube_event event = {warning, reason, "WipeOut", note};

    if (warning)
        log_warn("wipeOut", LOG_S("repository", look->key), LOG_S("reason", reason),
                 LOG_S("message", note));
    else
        log_info("wipeOut", LOG_S("repository", look->key), LOG_S("reason", reason),
                 LOG_S("message", note));
    if (look->edge->tell)
        look->edge->tell(look->edge->context, repository_of(look), &event);
    look->turn->ended = true;
}

static bool refuse(const struct look *look, const char *why)
{
    AUTO(free) char *note = text_format("the data stay (wipeOut): %s", why);

    tell(look, true, "WipeOutRefused", note);
    return true;
}

/* ---- the ledger ---- */

static bool put_ledger(const struct look *look, struct error *err)
{
    return repository_ledger_put(look->edge->client, look->edge->space, look->key, &look->ledger,
                                 err);
}

static bool release(const struct look *look, struct error *err)
{
    (void)holders_clear(look->ledger.holders);
    look->turn->let_in = true;
    return put_ledger(look, err);
}

/* Also a maintenance Job of the Repository, which went with it. */
static bool sweep(const struct look *look, struct error *err)
{
    size_t gone;

    return maintenance_sweep(look->edge, meta_or_empty(repository_of(look), "namespace"),
                             look->ledger.holders, &gone, err);
}

/* ---- the Job ---- */

static bool start(const struct look *look, struct error *err)
{
    AUTO(findings) struct findings findings = {0};
    AUTO(kube_result) struct kube_result result = {0};
    const struct kube_ref ref = {&jobs, meta_or_empty(repository_of(look), "namespace"),
                                 job_of(look), NULL};
    AUTO(json) json_t *claims = NULL;
    AUTO(json) json_t *attached = NULL;

    if (!maintenance_places(look->edge->client, repository_of(look), &claims, &attached, err))
        return false;

    const struct maintenance_job request = {.repository = repository_of(look),
                                            .kind = MAINTENANCE_WIPE,
                                            .cluster = look->edge->cluster,
                                            .since_s = look->ledger.holders->list[0].since_s,
                                            .claims = claims,
                                            .attached = attached,
                                            .restricted = look->restricted,
                                            .settings = look->edge->settings};
    AUTO(json) json_t *job = maintenance_job_make(&request, &findings);

    look->turn->again_s = OTHERS_S;
    if (job && (kube_create(look->edge->client, &ref, job, &write_ours, &result, err) ||
                strcmp(result.reason, "AlreadyExists") == 0))
        return true;
    if (job && err->code != ERROR_FORBIDDEN && err->code != ERROR_INVALID &&
        err->code != ERROR_NOT_FOUND)
        return false;

    AUTO(free)
    char *note = text_format("the data stay (wipeOut): the Job can not be made: %s",
                             job              ? err->message
                             : findings.count ? findings.items[0].message
                                              : "");

    tell(look, true, "WipeOutFailed", note);
    return release(look, err);
}

static bool begin(const struct look *look, struct error *err)
{
    AUTO(free)
    char *name = maintenance_job_name(MAINTENANCE_WIPE, meta_or_empty(repository_of(look), "name"),
                                      look->now_s);
    AUTO(free) char *why = NULL;
    enum holders_answer answer;

    if (!read_refusal(look, &why, err))
        return false;
    if (why)
        return refuse(look, why);
    if (!sweep(look, err))
        return false;
    answer = holders_exclude(look->ledger.holders, meta_or_empty(repository_of(look), "uid"), name,
                             look->now_s);
    look->turn->again_s = OTHERS_S;
    if (answer == HOLDERS_WAIT)
        return true;
    return put_ledger(look, err) && (answer == HOLDERS_WANTED || start(look, err));
}

/* Between the ledger and the Job everything may have changed. */
static bool begin_again(const struct look *look, struct error *err)
{
    AUTO(free) char *why = NULL;

    if (!read_refusal(look, &why, err))
        return false;
    if (!why)
        return start(look, err);
    return refuse(look, why) && release(look, err);
}

/* ---- how it ended ---- */

static bool is_final(const char *reason)
{
    static const char *const reasons[] = {FOREIGN_REPOSITORY, "RepositoryMissing",
                                          "WorkNotUnderstood", "NotRemoved"};

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(reason, reasons[i]) == 0)
            return true;
    return false;
}

static bool fail(const struct look *look, const char *reason, const char *message,
                 struct error *err)
{
    bool last = is_final(reason) || look->memory->failures + 1 >= WIPE_TRIES;
    AUTO(free)
    char *note = text_format("%s: %s%s", reason, message, last ? "" : ". It is tried again");

    tell(look, true, "WipeOutFailed", note);
    look->turn->ended = last;
    look->turn->failed = !last;
    return release(look, err);
}

static bool succeed(const struct look *look, const struct maintenance_result *result,
                    struct error *err)
{
    AUTO(free)
    char *note = text_format("the repository is removed (wipeOut)%s%s",
                             result->others ? "; what restic did not make stays there: " : "",
                             result->others ? result->others : "");

    tell(look, false, "WipedOut", note);
    return release(look, err);
}

static bool finish(const struct look *look, enum maintenance_run run, struct error *err)
{
    struct maintenance_result result = {.removed = -1, .snapshots = -1, .bytes = -1, .errors = -1};
    struct span word = maintenance_last_word(look->pods);
    struct error bad;
    AUTO(json)
    json_t *read = word.length ? maintenance_result_read(word, &result, &bad) : NULL;

    if (!maintenance_have_ended(look->pods))
        return true;
    if (run == RUN_SUCCEEDED && read)
        return succeed(look, &result, err);
    if (read && result.reason)
        return fail(look, result.reason, result.message ? result.message : "", err);
    return fail(look, MAINTENANCE_POD_LOST, "its pod ended without saying how", err);
}

/* No node, no image, no Secret any more: nobody waits for that. */
static bool give_up(const struct look *look, struct error *err)
{
    const struct kube_delete how = {.uid = meta_or_empty(look->job, "uid"),
                                    .propagation = KUBE_PROPAGATE_BACKGROUND};
    const struct kube_ref ref = {&jobs, meta_or_empty(repository_of(look), "namespace"),
                                 job_of(look), NULL};
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(pod_trouble)
    struct pod_trouble trouble = pod_trouble_of(json_array_get(look->pods, 0), NULL, NULL);
    AUTO(free)
    char *note = text_format("the data stay (wipeOut): %s",
                             trouble.text ? trouble.text : "the pod did not start");

    if (!kube_delete(look->edge->client, &ref, &how, NULL, &result, err) &&
        err->code != ERROR_NOT_FOUND)
        return false;
    tell(look, true, "WipeOutFailed", note);
    return true; /* the ledger's holder goes on proof: the loop of maintenance */
}

static bool watch(struct look *look, struct error *err)
{
    const char *space = meta_or_empty(repository_of(look), "namespace");
    enum maintenance_run run;

    if (!maintenance_job_get(look->edge->client, space, job_of(look), &look->job, err))
        return false;
    look->pods = maintenance_pods(look->edge->client, space, job_of(look), err);
    if (!look->pods)
        return false;
    run = maintenance_run_of(look->job, look->pods);
    look->turn->again_s = OTHERS_S;
    if (run == RUN_NONE)
        return begin_again(look, err);
    if (run != RUN_GOES_ON)
        return finish(look, run, err);
    return !maintenance_never_starts(look->job, look->pods, look->now_s) || give_up(look, err);
}

/* ---- the step ---- */

bool wipe_edge_step(const struct maintenance_edge *edge, const struct wipe_memory *memory,
                    bool restricted, int64_t now_s, struct wipe_turn *turn, struct error *err)
{
    AUTO(look)
    struct look look = {
        .edge = edge, .memory = memory, .turn = turn, .now_s = now_s, .restricted = restricted};
    int64_t first_s = memory->gone_s + WIPE_GRACE_S;

    *turn = (struct wipe_turn){0};
    if (memory->not_before_s > first_s)
        first_s = memory->not_before_s;
    if (now_s < first_s) {
        turn->again_s = first_s - now_s;
        return true;
    }
    look.key = text_format("%s/%s", meta_or_empty(memory->repository, "namespace"),
                           meta_or_empty(memory->repository, "name"));
    if (!edge->cluster)
        return error_set(err, ERROR_UNAVAILABLE, "the UID of this cluster is not known");
    if (!repository_ledger_get(edge->client, edge->space, look.key, &look.ledger, err))
        return false;
    if (is_held(&look))
        return watch(&look, err);
    return now_s > memory->gone_s + WIPE_MAX_S
               ? refuse(&look, "somebody was at work on the repository all the time")
               : begin(&look, err);
}
