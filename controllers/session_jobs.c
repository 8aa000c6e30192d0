#include "controllers/session_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "api/demand.h"
#include "api/keys.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/job_make.h"
#include "controllers/job_parts.h"
#include "controllers/job_volumes.h"
#include "controllers/known.h"
#include "controllers/session_make.h"
#include "controllers/target_pods.h"
#include "controllers/write.h"
#include "kube/meta.h"
#include "kube/verbs.h"

static const struct kube_resource jobs_resource = {"batch", "v1", "jobs", "Job", true},
                                  pods_resource = {"", "v1", "pods", "Pod", true},
                                  claims_resource = {"", "v1", "persistentvolumeclaims",
                                                     "PersistentVolumeClaim", true};

/* ---- those that there are ---- */

void session_jobs_done(struct session_jobs *jobs)
{
    json_decref(jobs->jobs);
    json_decref(jobs->pods);
    free((void *)jobs->pod_list);
    *jobs = (struct session_jobs){0};
}

static json_t *list(struct kube_client *client, const struct kube_resource *resource,
                    const char *space, const char *labels, struct error *err)
{
    const struct kube_watched watched = {.resource = *resource, .space = space, .labels = labels};

    return kube_list(client, &watched, NULL, err);
}

bool session_jobs_read(struct kube_client *client, const char *space, const char *session,
                       int64_t now_s, struct session_jobs *jobs, struct error *err)
{
    AUTO(free) char *labels = text_format(LABEL_SESSION "=%s", session);
    AUTO(session_jobs) struct session_jobs read = {.read_s = now_s};
    size_t count;

    /* Jobs last: a pod of one that is not there yet is nobody's, which changes nothing */
    read.pods = list(client, &pods_resource, space, labels, err);
    read.jobs = read.pods ? list(client, &jobs_resource, space, labels, err) : NULL;
    if (!read.jobs)
        return error_wrap(err, "%s", "Jobs of the session");
    count = json_array_size(read.pods);
    read.pod_list = text_alloc((count + 1) * sizeof *read.pod_list);
    for (size_t i = 0; i < count; i++)
        read.pod_list[i] = json_array_get(read.pods, i);
    *jobs = read;
    read = (struct session_jobs){0};
    return true;
}

void session_jobs_show(const struct session_jobs *jobs, struct hosts_seen *seen)
{
    seen->jobs = jobs->jobs;
    seen->pods = jobs->pod_list;
    seen->pod_count = json_array_size(jobs->pods);
}

bool session_is_job(const json_t *target, const json_t *invoker)
{
    const struct demand demand = {.spec = tree_get(invoker, "spec")};
    bool backup = span_is(tree_span(invoker, "kind"), "BackupConfiguration");

    return target_is_job(target) || (backup && demand_wants_job(&demand));
}

/* ---- what one is made from ---- */

/* Owned. */
struct sources {
    json_t *repository, *object, *space, *tasks, *functions, *claims, *pods, *sets, *attached;
    const json_t *neighbour; /* among the pods */
};

static void auto_sources(struct sources *sources)
{
    json_decref(sources->repository);
    json_decref(sources->object);
    json_decref(sources->space);
    json_decref(sources->tasks);
    json_decref(sources->functions);
    json_decref(sources->claims);
    json_decref(sources->pods);
    json_decref(sources->sets);
    json_decref(sources->attached);
}

static bool is_over(const json_t *pod)
{
    struct span phase = tree_span(tree_get(pod, "status"), "phase");

    return span_is(phase, "Failed") || span_is(phase, "Succeeded");
}

/* Which node has which claim, and whose files are in the one that is the target. */
static void note_pod(const struct session_job *what, struct sources *sources, const json_t *pod)
{
    bool is_claim = span_is(tree_span(what->target, "kind"), "PersistentVolumeClaim");
    struct span target = tree_span(what->target, is_claim ? "name" : "");
    const json_t *volume;
    size_t i;

    job_note_attached(sources->attached, pod);
    tree_items (tree_at(pod, "spec.volumes"), i, volume) {
        const char *claim = tree_text(tree_get(volume, "persistentVolumeClaim"), "claimName");

        if (claim && span_is(target, claim) && !sources->neighbour &&
            !tree_get(tree_at(pod, "metadata.labels"), LABEL_SESSION))
            sources->neighbour = pod;
    }
}

static bool read_space(const struct session_job *what, struct sources *sources, struct error *err)
{
    const char *space = meta(what->session, "namespace");
    const json_t *pod;
    size_t i;

    sources->claims = list(what->client, &claims_resource, space, NULL, err);
    sources->pods = sources->claims ? list(what->client, &pods_resource, space, NULL, err) : NULL;
    sources->attached = json_object();
    tree_items (sources->pods, i, pod)
        if (!is_over(pod))
            note_pod(what, sources, pod);
    return sources->pods != NULL;
}

/* What is not there is job_make()'s to say. */
static bool read_target(const struct session_job *what, struct sources *sources, struct error *err)
{
    enum known_kind kind = known_kind_of(what->target);
    const struct kube_ref ref = {kind < KNOWN_KINDS ? known_resource(kind) : NULL,
                                 tree_text(what->target, "namespace"),
                                 tree_text(what->target, "name"), NULL};

    if (kind == KNOWN_KINDS)
        return true;
    sources->object = kube_get(what->client, &ref, err);
    if (kind == KNOWN_APP && sources->object &&
        !(sources->sets =
              list(what->client, known_resource(KNOWN_STATEFULSET), ref.space, NULL, err)))
        return false;
    return sources->object || err->code == ERROR_NOT_FOUND;
}

static bool read_known(const struct session_job *what, struct sources *sources, struct error *err)
{
    const struct session_view *view = what->view;
    const json_t *ref = tree_at(what->invoker, "spec.repository");
    const char *own = meta(what->session, "namespace"), *space = tree_text(ref, "namespace");
    const char *name = tree_text(ref, "name");

    sources->repository =
        view->get(view->context, VIEW_REPOSITORY, space && *space ? space : own, name ? name : "");
    sources->space = view->get(view->context, VIEW_NAMESPACE, NULL, own);
    sources->tasks = view->all(view->context, VIEW_TASK);
    sources->functions = view->all(view->context, VIEW_FUNCTION);
    return sources->repository || error_set(err, ERROR_UNAVAILABLE, "the Repository is not there");
}

/* Of "host-3" 3; -1 where no claims are told apart by it. */
static int64_t ordinal_of(const struct session_job *what)
{
    const char *dash = strrchr(what->host, '-');

    if (!dash || (!span_is(tree_span(what->target, "kind"), "StatefulSet") &&
                  session_claim_sets(what->invoker) == 0))
        return -1;
    return strtoll(dash + 1, NULL, 10);
}

static struct job_request request_of(const struct session_job *what, const struct sources *sources)
{
    int64_t left_s = what->deadline_s - what->now_s;

    return (struct job_request){
        .restore = what->restore,
        .invoker = what->invoker,
        .session = what->session,
        .repository = sources->repository,
        .target = sources->object,
        .host = what->host,
        .ordinal = ordinal_of(what),
        .tasks = sources->tasks,
        .functions = sources->functions,
        .sets = sources->sets,
        .claims = sources->claims,
        .attached = sources->attached,
        .neighbour = sources->neighbour,
        .restricted = job_is_restricted(sources->space),
        .account_allowed = true, /* policy granary-create-pods has judged who wrote it */
        .deadline_s = !what->deadline_s ? 0
                      : left_s > 0      ? left_s
                                        : 1,
        .settings = what->settings,
    };
}

/* ---- making it ---- */

static void say_findings(const struct findings *findings, struct error *err)
{
    error_set(err, ERROR_INVALID, "%s", "no Job can be made");
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].level == FINDING_ERROR) {
            error_set(err, ERROR_INVALID, "%s%s%s", findings->items[i].field,
                      *findings->items[i].field ? ": " : "", findings->items[i].message);
            return;
        }
}

/* Claims that are restored into outlive the session, so they only say whose they are. */
static bool is_owned(const struct session_job *what, const struct kube_resource *resource,
                     const json_t *object)
{
    struct span uid = tree_span(tree_get(what->session, "metadata"), "uid");
    struct span label = tree_span(tree_at(object, "metadata.labels"), LABEL_SESSION);

    return span_equal(tree_span(target_controller(tree_get(object, "metadata")), "uid"), uid) ||
           (resource == &claims_resource && span_equal(label, uid));
}

/* What is refused for what it is stays refused; where a right or room is missing it may come. */
static enum session_job_end judge_refusal(const struct error *err)
{
    return err->code == ERROR_INVALID || err->code == ERROR_TOO_LARGE ? SESSION_JOB_NOT_POSSIBLE
                                                                      : SESSION_JOB_LATER;
}

/* One of that name is ours when this session owns it. */
static enum session_job_end take_twin(const struct session_job *what,
                                      const struct kube_resource *resource, const char *name,
                                      char **uid, struct error *err)
{
    const struct kube_ref ref = {resource, meta(what->session, "namespace"), name, NULL};
    AUTO(json) json_t *found = kube_get(what->client, &ref, err);
    const char *its = meta(found, "uid");

    if (!found || !its)
        return SESSION_JOB_LATER;
    if (!is_owned(what, resource, found)) {
        error_set(err, ERROR_INVALID, "there is a %s %s that granary did not make", resource->kind,
                  name);
        return SESSION_JOB_NOT_POSSIBLE;
    }
    *uid = text_dup(its, strlen(its));
    return SESSION_JOB_MADE;
}

static enum session_job_end create(const struct session_job *what,
                                   const struct kube_resource *resource, const json_t *object,
                                   char **uid, bool *was_there, struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    const char *name = meta(object, "name");
    const struct kube_ref ref = {resource, meta(what->session, "namespace"), name, NULL};
    bool made = kube_create(what->client, &ref, object, &write_ours, &result, err);
    const char *its = meta(result.object, "uid");

    *was_there = !made && strcmp(result.reason, "AlreadyExists") == 0;
    if (*was_there)
        return take_twin(what, resource, name, uid, err);
    if (!made || !its) {
        error_wrap(err, "%s %s", resource->kind, name);
        return made ? SESSION_JOB_LATER : judge_refusal(err);
    }
    *uid = text_dup(its, strlen(its));
    return SESSION_JOB_MADE;
}

static enum session_job_end create_claim(const struct session_job *what, const json_t *claim,
                                         struct error *err)
{
    AUTO(free) char *uid = NULL;
    bool was_there;

    return create(what, &claims_resource, claim, &uid, &was_there, err);
}

static enum session_job_end create_all(const struct session_job *what, const struct job_made *made,
                                       struct session_job_result *result, struct error *err)
{
    enum session_job_end end = SESSION_JOB_MADE;
    AUTO(free) char *its = NULL;
    const json_t *claim;
    bool was_there = false;
    size_t i;

    tree_items (made->claims, i, claim)
        if (end == SESSION_JOB_MADE)
            end = create_claim(what, claim, err);
    if (made->interim && end == SESSION_JOB_MADE)
        end = create_claim(what, made->interim, err);
    if (end == SESSION_JOB_MADE)
        end = create(what, &jobs_resource, made->job, &its, &was_there, err);
    if (end != SESSION_JOB_MADE)
        return end;
    *(was_there ? &result->twin : &result->uid) = TAKE(its);
    if (!was_there)
        return SESSION_JOB_MADE;
    error_set(err, ERROR_CONFLICT, "a Job that was not recorded is made anew");
    return SESSION_JOB_LATER;
}

void session_job_done(struct session_job_result *result)
{
    free(result->uid);
    free(result->twin);
    free(result->in_use);
    *result = (struct session_job_result){0};
}

enum session_job_end session_job_make(const struct session_job *what,
                                      struct session_job_result *result, struct error *err)
{
    AUTO(sources) struct sources sources = {0};
    AUTO(findings) struct findings findings = {0};
    AUTO(job_made) struct job_made made = {0};

    if (!read_known(what, &sources, err) || !read_space(what, &sources, err) ||
        !read_target(what, &sources, err))
        return SESSION_JOB_LATER;

    const struct job_request request = request_of(what, &sources);
    const char *user = meta(sources.neighbour, "name");

    if (what->restore && user)
        result->in_use = text_dup(user, strlen(user));

    if (job_make(&request, &made, &findings))
        return create_all(what, &made, result, err);
    say_findings(&findings, err);
    return SESSION_JOB_NOT_POSSIBLE;
}

bool session_job_delete(const struct session_job *what, const char *uid, struct error *err)
{
    const char *session = meta(what->session, "name");
    AUTO(free) char *name = job_name(what->restore, session ? session : "", ordinal_of(what));
    const struct kube_ref ref = {&jobs_resource, meta(what->session, "namespace"), name, NULL};
    const struct kube_delete how = {.uid = uid, .propagation = KUBE_PROPAGATE_BACKGROUND};
    AUTO(kube_result) struct kube_result result = {0};

    return kube_delete(what->client, &ref, &how, NULL, &result, err) ||
           err->code == ERROR_NOT_FOUND;
}
