#include "controllers/etcd_edge.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/task.h"
#include "api/task_variables.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/etcd_job.h"
#include "controllers/etcd_plan.h"
#include "controllers/etcd_record.h"
#include "controllers/known.h"
#include "controllers/session_jobs.h"
#include "controllers/session_make.h"
#include "controllers/status_send.h"
#include "controllers/target_lease.h"
#include "controllers/write.h"
#include "kube/meta.h"
#include "kube/verbs.h"

#define TASK_PREFIX "etcd-restore"

/* Seconds between two looks while pods end or start, and while a person has to do something. */
#define PERSON_S 15

static const struct kube_resource sets = {"apps", "v1", "statefulsets", "StatefulSet", true},
                                  pods_resource = {"", "v1", "pods", "Pod", true},
                                  claims = {"", "v1", "persistentvolumeclaims",
                                            "PersistentVolumeClaim", true},
                                  jobs_resource = {"batch", "v1", "jobs", "Job", true},
                                  restores = {GROUP_STASH, "v1beta1", "restoresessions",
                                              "RestoreSession", true};

/* ---- which sessions ---- */

static json_t *read_app(struct kube_client *client, const json_t *target, struct error *err)
{
    enum known_kind kind = known_kind_of(target);
    const struct kube_ref ref = {kind < KNOWN_KINDS ? known_resource(kind) : NULL,
                                 tree_text(target, "namespace"), tree_text(target, "name"), NULL};

    if (kind < KNOWN_KINDS)
        return kube_get(client, &ref, err);
    error_set(err, ERROR_NOT_FOUND, "the target is not there");
    return NULL;
}

static bool is_task(const char *name)
{
    return name && strncmp(name, TASK_PREFIX, strlen(TASK_PREFIX)) == 0;
}

bool etcd_edge_is(struct kube_client *client, const json_t *session, const json_t *target, bool *is,
                  struct error *err)
{
    const char *task = tree_text(tree_at(session, "spec.task"), "name");

    *is = false;
    if (!span_is(tree_span(target, "kind"), "AppBinding"))
        return true;
    *is = tree_text(tree_at(session, "status.etcd"), "stage") || is_task(task);
    if (*is || (task && *task))
        return true;

    AUTO(json) json_t *app = read_app(client, target, err);

    if (!app)
        return err->code == ERROR_NOT_FOUND;
    *is = is_task(tree_text(tree_at(app, "spec.parameters.stash.addon.restoreTask"), "name"));
    return true;
}

/* ---- what is looked at ---- */

/* One look; owned but where it says so. */
struct look {
    const struct session_edge *edge; /* borrowed, as are the next */
    const struct session_seen *seen;
    const json_t *target;
    const char *space; /* of the session, and of all that it works on */
    struct session_parts parts;
    struct restore restore;
    struct etcd_record record;
    json_t *app, *params, *repository, *set, *proof;
    struct session_jobs jobs;
    struct etcd_asked asked;
    struct etcd_plan plan;
    char *workload;
    struct text cannot;
    struct etcd_restore found;
};

static void auto_look(struct look *look)
{
    session_parts_done(&look->parts);
    json_decref(look->app);
    json_decref(look->params);
    json_decref(look->repository);
    json_decref(look->set);
    json_decref(look->proof);
    session_jobs_done(&look->jobs);
    etcd_plan_done(&look->plan);
    free(look->workload);
    text_done(&look->cannot);
}

/* The first reason counts. */
static void can_not(struct look *look, const char *why)
{
    if (!look->cannot.length)
        text_puts(&look->cannot, why);
}

/* ---- Jobs ---- */

static bool is_of(const json_t *pod, const char *job)
{
    return span_is(tree_span(tree_at(pod, "metadata.labels"), "job-name"), job);
}

static bool has_ended(const json_t *pod)
{
    struct span phase = tree_span(tree_get(pod, "status"), "phase");

    return span_is(phase, "Succeeded") || span_is(phase, "Failed");
}

static bool have_ended(const struct look *look, const char *job)
{
    const json_t *pod;
    size_t i;

    tree_items (look->jobs.pods, i, pod)
        if (is_of(pod, job) && !has_ended(pod))
            return false;
    return true;
}

/* One that is gone may have left a pod that still writes. */
static enum etcd_job state_of(const struct look *look, enum etcd_job_kind kind, size_t member)
{
    AUTO(free) char *name = etcd_job_name(kind, member, look->seen->session);
    const json_t *job = tree_item_at(look->jobs.jobs, "metadata.name", name);
    const json_t *conditions = tree_at(job, "status.conditions");

    if (!have_ended(look, name))
        return ETCD_JOB_RUNS;
    if (!job)
        return ETCD_JOB_NONE;
    if (condition_status(conditions, "Complete") == CONDITION_TRUE)
        return ETCD_JOB_DONE;
    return condition_status(conditions, "Failed") == CONDITION_TRUE ? ETCD_JOB_FAILED
                                                                    : ETCD_JOB_RUNS;
}

/* What a container has said last; absent: nothing. */
static struct span last_word(const json_t *pod, const char *list, const char *container)
{
    const json_t *one = tree_item(tree_at(pod, list), "name", container);

    return tree_span(tree_at(one, "state.terminated"), "message");
}

static json_t *word_of(const json_t *pod)
{
    struct span word = last_word(pod, "status.containerStatuses", ETCD_JOB_CONTAINER);

    if (!word.length)
        word = last_word(pod, "status.initContainerStatuses", "fetch");
    return word.length ? json_loadb(word.data, word.length, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

/* Of the Job's newest pod that said something; new reference, or NULL. */
static json_t *told_by(const struct look *look, enum etcd_job_kind kind, size_t member)
{
    AUTO(free) char *name = etcd_job_name(kind, member, look->seen->session);
    json_t *told = NULL;
    const json_t *pod;
    size_t i;

    tree_items (look->jobs.pods, i, pod) {
        json_t *word = is_of(pod, name) ? word_of(pod) : NULL;

        if (!json_is_object(word)) {
            json_decref(word);
            continue;
        }
        json_decref(told);
        told = word;
    }
    return told;
}

/* Why a Job has failed, as the agent told it; the caller frees it. NULL: it told nothing. */
static char *why_of(const struct look *look, enum etcd_job_kind kind, size_t member)
{
    AUTO(json) json_t *told = told_by(look, kind, member);
    const char *why = tree_text(told, "error");

    if (!why)
        why = tree_text(told, "message");
    return why ? text_format("%.600s", why) : NULL;
}

static void read_states(struct look *look)
{
    struct etcd_restore *found = &look->found;

    found->proof = state_of(look, ETCD_JOB_PROVE, 0);
    found->health = state_of(look, ETCD_JOB_HEALTH, 0);
    for (size_t i = 0; i < ETCD_MEMBERS_MAX; i++) {
        found->restore[i] = state_of(look, ETCD_JOB_RESTORE, i);
        found->undo[i] = state_of(look, ETCD_JOB_UNDO, i);
    }
}

/* ---- what is asked ---- */

static const char *host_of(const struct look *look)
{
    const char *alias = tree_text(tree_at(look->seen->session, "spec.target"), "alias");

    return alias && *alias ? alias : "host-0";
}

/* "latest" or an id, once it is planned that one id; NULL: it can not be. */
static const char *snapshot_of(struct look *look)
{
    const json_t *rule = task_restore_rule(look->seen->session, host_of(look));
    const json_t *snapshots = tree_get(rule, "snapshots");
    const char *first = json_string_value(json_array_get(snapshots, 0));

    if (look->record.snapshot)
        return look->record.snapshot;
    if (json_array_size(snapshots) > 1)
        can_not(look, "an etcd is restored from one snapshot, several are asked for");
    if (tree_text(rule, "asOf"))
        can_not(look, "asOf is not understood for an etcd: name the snapshot");
    return first ? first : "latest";
}

static const char *source_of(const struct look *look)
{
    const json_t *rule = task_restore_rule(look->seen->session, host_of(look));
    const char *source = tree_text(rule, "sourceHost");

    return source && *source ? source : host_of(look);
}

/* What would be passed over in silence. */
static void refuse_others(struct look *look)
{
    const json_t *spec = tree_get(look->seen->session, "spec");

    if (tree_get(spec, "hooks"))
        can_not(look, "hooks are not run around the restore of an etcd");
    if (tree_get(spec, "timeOut"))
        can_not(look, "the restore of an etcd has no timeOut: it is not broken off halfway");
}

static bool read_asked(struct look *look, struct error *err)
{
    struct error why = {.message = ""};

    look->app = read_app(look->edge->client, look->target, err);
    if (!look->app && err->code != ERROR_NOT_FOUND)
        return false;
    if (!look->app)
        can_not(look, "the AppBinding is not there");
    refuse_others(look);
    look->params = task_params(look->seen->session, look->app, true);
    if (!etcd_asked_read(look->params, &look->asked, &why))
        can_not(look, why.message);
    if (!look->asked.token)
        look->asked.token = look->record.token;
    if (!look->asked.data_dir)
        look->asked.data_dir = look->record.data_dir;
    if (look->record.initial_cluster)
        look->asked.initial_cluster = look->record.initial_cluster;
    return true;
}

/* The Job mounts the storage Secret. */
static void read_repository(struct look *look)
{
    const struct session_view *view = look->edge->view;
    const json_t *ref = tree_at(look->seen->session, "spec.repository");
    const char *space = tree_text(ref, "namespace"), *name = tree_text(ref, "name");

    space = space && *space ? space : look->space;
    look->repository = view->get(view->context, VIEW_REPOSITORY, space, name ? name : "");
    if (strcmp(space, look->space) != 0)
        can_not(look, "the Repository is in another namespace, where its Secret can not be "
                      "mounted: make one in the namespace of the etcd, with the same backend");
    if (look->target && !span_is(tree_span(look->target, "namespace"), look->space))
        can_not(look, "the AppBinding is in another namespace than the RestoreSession");
}

/* ---- the proof ---- */

/* What the Job has told, once it has ended. */
static void read_proof(struct look *look)
{
    AUTO(free) char *why = NULL;

    if (look->record.stage != ETCD_STAGE_NEW || look->found.proof < ETCD_JOB_DONE)
        return;
    look->proof = told_by(look, ETCD_JOB_PROVE, 0);
    why = why_of(look, ETCD_JOB_PROVE, 0);
    if (look->found.proof == ETCD_JOB_FAILED || !tree_text(look->proof, "snapshot") || why) {
        AUTO(free)
        char *text = text_format("the snapshot is not used, nothing was touched: %s",
                                 why ? why : "the Job that was to prove it told nothing");

        can_not(look, text);
    } else if (!look->asked.initial_cluster) {
        look->asked.initial_cluster = tree_text(look->proof, "initialCluster");
    }
    if (look->asked.bump && look->proof) /* the proof itself does not know */
        tree_put_int(look->proof, "bump",
                     tree_int(look->proof, "bump", 0) ? strtoll(look->asked.bump, NULL, 10) : 0);
}

/* ---- the StatefulSet ---- */

static bool read_set(struct look *look, struct error *err)
{
    struct error why = {.message = ""};
    struct kube_ref ref = {&sets, look->space, NULL, NULL};

    look->workload = look->record.workload ? text_format("%s", look->record.workload)
                                           : etcd_plan_workload(&look->asked, &why);
    if (!look->workload && look->record.stage > ETCD_STAGE_PLANNED)
        return error_set(err, ERROR_INVALID, "the journal does not say which StatefulSet it is");
    if (!look->workload) {
        can_not(look, why.message);
        return true;
    }
    ref.name = look->workload;
    look->set = kube_get(look->edge->client, &ref, err);
    if (!look->set && (err->code != ERROR_NOT_FOUND || look->record.stage > ETCD_STAGE_PLANNED))
        return error_wrap(err, "StatefulSet %.100s", look->workload);
    if (!look->set) {
        AUTO(free) char *text = text_format("there is no StatefulSet %.100s", look->workload);

        can_not(look, text);
    } else if (!etcd_plan_make(&look->asked, look->set, &look->plan, &why)) {
        if (look->record.stage > ETCD_STAGE_PLANNED)
            return error_set(err, ERROR_INVALID, "%s", why.message);
        can_not(look, why.message);
    }
    return true;
}

static bool mounts_one(const struct look *look, const json_t *pod)
{
    const json_t *volume;
    size_t i;

    tree_items (tree_at(pod, "spec.volumes"), i, volume) {
        struct span claim = tree_span(tree_get(volume, "persistentVolumeClaim"), "claimName");

        for (size_t k = 0; claim.length && k < look->plan.count; k++)
            if (span_is(claim, look->plan.members[k].claim))
                return true;
    }
    return false;
}

/* Whoever may write to the data dirs, but for our Jobs, which are counted as such. */
static bool is_in_the_way(const struct look *look, const json_t *pod)
{
    const json_t *owner = json_array_get(tree_at(pod, "metadata.ownerReferences"), 0);

    if (span_is(tree_span(tree_at(pod, "metadata.labels"), LABEL_SESSION),
                meta_or_empty(look->seen->session, "uid")))
        return false;
    return span_is(tree_span(owner, "uid"), meta_or_empty(look->set, "uid")) ||
           (mounts_one(look, pod) && !has_ended(pod));
}

static bool read_pods(struct look *look, struct error *err)
{
    const struct kube_watched watched = {.resource = pods_resource, .space = look->space};
    AUTO(json) json_t *pods = kube_list(look->edge->client, &watched, NULL, err);
    const json_t *pod;
    size_t i;

    if (!pods)
        return error_wrap(err, "pods of the etcd");
    tree_items (pods, i, pod)
        look->found.pods += is_in_the_way(look, pod);
    return true;
}

/* ---- the right to scale ---- */

static bool read_right(struct look *look, struct error *err)
{
    const struct kube_ref ref = {&sets, look->space, look->workload, "scale"};
    AUTO(json) json_t *scale = kube_get(look->edge->client, &ref, err);

    look->found.may_scale = scale != NULL;
    return scale || err->code == ERROR_FORBIDDEN;
}

/* ---- all of it ---- */

static bool read_cluster(struct look *look, struct error *err)
{
    enum etcd_stage stage = look->record.stage;

    if (stage == ETCD_STAGE_NEW && look->found.proof < ETCD_JOB_DONE)
        return true;
    if (look->cannot.length && stage <= ETCD_STAGE_PLANNED)
        return true;
    if (!read_set(look, err))
        return false;
    if (look->cannot.length && stage <= ETCD_STAGE_PLANNED)
        return true;
    look->found.replicas = tree_int(tree_get(look->set, "spec"), "replicas", 1);
    look->found.members = look->plan.count;
    return read_pods(look, err) && (stage != ETCD_STAGE_PLANNED || read_right(look, err));
}

static bool asks(const struct look *look, const char *annotation)
{
    return span_is(tree_span(tree_at(look->seen->session, "metadata.annotations"), annotation),
                   "true");
}

/* What stands in the session alone. */
static bool read_session(struct look *look, struct error *err)
{
    look->space = meta_or_empty(look->seen->session, "namespace");
    if (!session_read_restore(look->seen, &look->parts, &look->restore, err))
        return false;
    etcd_record_read(tree_get(look->seen->session, "status"), &look->record);
    look->found.stage = look->record.stage;
    look->found.written = look->record.written;
    look->found.undone = look->record.undone;
    look->found.recorded = look->record.replicas;
    look->found.dry_run = asks(look, KEY_DRY_RUN);
    look->found.rollback = asks(look, KEY_ROLLBACK);
    return true;
}

/* One that has ended costs nothing any more, unless it is called back. */
static bool is_over(const struct look *look)
{
    const struct etcd_restore *found = &look->found;

    return found->stage >= ETCD_STAGE_SUCCEEDED &&
           !(found->rollback && found->written && !found->undone);
}

static bool look_at(struct look *look, struct error *err)
{
    const json_t *session = look->seen->session;

    if (!read_session(look, err))
        return false;
    if (is_over(look))
        return true;
    if (!read_asked(look, err) ||
        !session_jobs_read(look->edge->client, look->space, meta_or_empty(session, "uid"),
                           look->seen->now_s, &look->jobs, err))
        return false;
    read_repository(look);
    read_states(look);
    read_proof(look);
    (void)snapshot_of(look);
    if (!read_cluster(look, err))
        return false;
    look->found.cannot = look->cannot.length ? text_get(&look->cannot) : NULL;
    return true;
}

/* ---- writes ---- */

static bool send(const struct look *look, json_t *status_new, bool *wrote, struct error *err)
{
    AUTO(json) json_t *status = status_new;
    enum status_sent sent =
        status_send(look->edge->client, &restores, look->seen->session, status, err);

    *wrote = sent == STATUS_SENT;
    return sent <= STATUS_SENT;
}

/* Why it went wrong, as the first Job that failed told it. */
static char *reason_of(const struct look *look)
{
    const struct etcd_restore *found = &look->found;

    if (found->health == ETCD_JOB_FAILED)
        return why_of(look, ETCD_JOB_HEALTH, 0);
    for (size_t i = 0; i < look->plan.count; i++) {
        bool undo = found->undo[i] == ETCD_JOB_FAILED;
        AUTO(free) char *why = NULL;

        if (!undo && found->restore[i] != ETCD_JOB_FAILED)
            continue;
        why = why_of(look, undo ? ETCD_JOB_UNDO : ETCD_JOB_RESTORE, i);
        return text_format("member %s: %s", look->plan.members[i].name,
                           why ? why : "its Job told nothing");
    }
    return NULL;
}

static void tell(const struct look *look, const struct etcd_step *step)
{
    bool bad = step->stage == ETCD_STAGE_FAILED;
    const struct kube_event event = {bad, bad ? "RestoreFailed" : "RestoreSucceeded", "Reconcile",
                                     bad ? step->message : "all members are healthy"};

    if (look->edge->tell && (bad || step->stage == ETCD_STAGE_SUCCEEDED))
        look->edge->tell(look->edge->context, look->seen->session, &event);
}

static bool record(const struct look *look, const struct etcd_step *step, struct error *err)
{
    const struct etcd_found found = {look->proof, &look->asked, &look->plan, look->workload,
                                     look->found.replicas};
    bool failed = step->stage == ETCD_STAGE_FAILED || step->stage == ETCD_STAGE_STOPPING;
    AUTO(free) char *reason = failed && look->record.written ? reason_of(look) : NULL;
    AUTO(free)
    char *whole = reason ? text_format("%s%s%s", step->message ? step->message : "",
                                       step->message ? ". " : "", reason)
                         : NULL;
    struct etcd_step said = *step;
    bool wrote = false;

    if (whole)
        said.message = whole;
    if (!send(look,
              etcd_record_stage(tree_get(look->seen->session, "status"), &said, &found,
                                look->restore.created_s, look->seen->now_s),
              &wrote, err))
        return false;
    tell(look, &said);
    return true;
}

static bool say_wait(const struct look *look, const char *message, bool may_scale, bool *wrote,
                     struct error *err)
{
    return send(look,
                etcd_record_wait(tree_get(look->seen->session, "status"), message, may_scale,
                                 look->space, look->seen->now_s),
                wrote, err);
}

/* Onto the state that was read; a right that was taken away is said, and waited for. */
static bool scale(const struct look *look, int64_t replicas, struct error *err)
{
    const struct kube_ref ref = {&sets, look->space, look->workload, "scale"};
    AUTO(json) json_t *patch = json_object();
    AUTO(kube_result) struct kube_result result = {0};
    json_t *spec = json_object(), *metadata = json_object();
    bool wrote;

    tree_put_int(spec, "replicas", replicas);
    kube_name_state(metadata, look->set);
    tree_put_new(patch, "metadata", metadata);
    tree_put_new(patch, "spec", spec);
    if (kube_merge_patch(look->edge->client, &ref, patch, &write_ours, &result, err))
        return true;
    return err->code == ERROR_FORBIDDEN &&
           say_wait(look, "the right to scale is missing", false, &wrote, err);
}

static bool is_there(const struct look *look, const struct kube_resource *resource,
                     const char *name, bool *there, struct error *err)
{
    const struct kube_ref ref = {resource, look->space, name, NULL};
    AUTO(json) json_t *found = kube_get_metadata(look->edge->client, &ref, err);

    *there = found != NULL;
    return found || err->code == ERROR_NOT_FOUND;
}

static bool create(const struct look *look, const struct kube_resource *resource,
                   const json_t *object, struct error *err)
{
    const struct kube_ref ref = {resource, look->space, meta_or_empty(object, "name"), NULL};
    AUTO(kube_result) struct kube_result result = {0};

    return kube_create(look->edge->client, &ref, object, &write_ours, &result, err) ||
           strcmp(result.reason, "AlreadyExists") == 0;
}

/* A volume that was lost comes back as its StatefulSet would make it. */
static bool ensure_claim(const struct look *look, size_t member, struct error *err)
{
    const struct etcd_plan_member *one = &look->plan.members[member];
    bool there = false;

    if (!is_there(look, &claims, one->claim, &there, err))
        return false;
    if (there)
        return true;

    AUTO(json) json_t *claim = etcd_claim_make(look->set, one);

    return claim ? create(look, &claims, claim, err)
                 : error_set(err, ERROR_INVALID, "claim %s is not there", one->claim);
}

static bool make(struct look *look, enum etcd_job_kind kind, size_t member, struct error *err)
{
    AUTO(job_app) struct job_app app = {0};
    struct etcd_job_request request = {.kind = kind,
                                       .member = member,
                                       .session = look->seen->session,
                                       .repository = look->repository,
                                       .settings = look->edge->settings,
                                       .plan = kind == ETCD_JOB_PROVE ? NULL : &look->plan,
                                       .asked = &look->asked,
                                       .app = &app,
                                       .snapshot = snapshot_of(look),
                                       .host = source_of(look),
                                       .revision = look->record.revision + look->record.bump};

    if (kind == ETCD_JOB_HEALTH && !job_app_make(&app, look->app, NULL, look->space, err))
        return false;
    if ((kind == ETCD_JOB_RESTORE || kind == ETCD_JOB_UNDO) && !ensure_claim(look, member, err))
        return false;

    AUTO(json) json_t *job = etcd_job_make(&request);

    return create(look, &jobs_resource, job, err);
}

/* ---- the Lease of the target ---- */

static bool take_lease(const struct look *look, struct error *err)
{
    const json_t *session = look->seen->session;
    AUTO(free) char *text = session_target_text(look->target);
    AUTO(free)
    char *holder = text_format("RestoreSession/%s/%s", look->space, meta_or_empty(session, "name"));
    const struct target_lease_lock lock = {
        .space = look->edge->space,
        .target = text,
        .session = meta_or_empty(session, "uid"),
        .holder = holder,
        .lease = look->seen->lease,
        .now_s = look->seen->now_s,
    };

    return target_lease_take(look->edge->client, &lock, err);
}

/* ---- steps ---- */

/* What has to be so before anything begins; NULL: it is. */
static const char *not_yet(const struct look *look)
{
    if (look->restore.work.lock == WORK_LOCK_TAKEN)
        return "another session works on this target";
    if (look->record.stage != ETCD_STAGE_NEW)
        return NULL;
    if (look->restore.invalid)
        return look->restore.invalid;
    if (look->restore.not_ready)
        return look->restore.not_ready;
    return look->restore.ahead ? "an older RestoreSession of this target comes first" : NULL;
}

static bool act(struct look *look, const struct etcd_step *step, struct session_turn *turn,
                struct error *err)
{
    turn->wrote = true;
    switch (step->action) {
    case ETCD_RECORD:
        return record(look, step, err);
    case ETCD_SCALE:
        return scale(look, step->replicas, err);
    case ETCD_PROVE:
        return make(look, ETCD_JOB_PROVE, 0, err);
    case ETCD_MAKE:
        return make(look, ETCD_JOB_RESTORE, step->member, err);
    case ETCD_UNDO:
        return make(look, ETCD_JOB_UNDO, step->member, err);
    case ETCD_ASK:
        return make(look, ETCD_JOB_HEALTH, 0, err);
    default:
        turn->look_s = step->look_s;
        return say_wait(look, step->message,
                        look->found.may_scale || look->record.stage != ETCD_STAGE_PLANNED ||
                            look->found.dry_run,
                        &turn->wrote, err);
    }
}

static bool end(const struct look *look, struct session_turn *turn, struct error *err)
{
    if (look->restore.work.lock != WORK_LOCK_OURS)
        return true;
    turn->wrote = true;
    return target_lease_give_back(look->edge->client, look->seen->lease, err);
}

/* The Lease comes first, and goes last. */
static bool go_on(struct look *look, struct session_turn *turn, struct error *err)
{
    struct etcd_step step = etcd_next(&look->found, look->seen->now_s);
    const char *waits = step.action == ETCD_END ? NULL : not_yet(look);

    if (step.action == ETCD_END)
        return end(look, turn, err);
    if (waits) {
        turn->look_s = look->seen->now_s + PERSON_S;
        return say_wait(look, waits, true, &turn->wrote, err);
    }
    if (look->restore.work.lock == WORK_LOCK_FREE) {
        turn->wrote = true;
        return take_lease(look, err);
    }
    return act(look, &step, turn, err);
}

bool etcd_edge_step(const struct session_edge *edge, const struct session_seen *seen,
                    const json_t *target, struct session_turn *turn, struct error *err)
{
    AUTO(look) struct look look = {.edge = edge, .seen = seen, .target = target};

    *turn = (struct session_turn){0};
    return look_at(&look, err) && go_on(&look, turn, err);
}
