#include "controllers/desk_parts.h"

#include <string.h>

#include "api/host.h"
#include "api/keys.h"
#include "api/restic_access.h"
#include "api/selector.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/known.h"
#include "controllers/repository_lease.h"
#include "controllers/restore_status.h"
#include "controllers/session_make.h"
#include "controllers/session_read.h"
#include "controllers/session_status.h"
#include "controllers/target_lease.h"
#include "controllers/target_pods.h"
#include "controllers/work_make.h"
#include "kube/meta.h"
#include "kube/verbs.h"

static const struct kube_resource secret_resource = {"", "v1", "secrets", "Secret", true};

/* ---- what a call is about ---- */

/* Read anew for each try. */
struct matter {
    bool restore;
    json_t *session, *invoker, *lease; /* owned; the invoker of a restore is the session */
    const json_t *pod;                 /* that asks; borrowed */
    struct target_pods pods;
    struct session_parts parts;
    struct work work; /* as it counts for claims */
    struct restore restored;
    long host; /* -1: none */
    char *host_name;
    bool kept_out; /* maintenance has the Repository alone: what ends that wakes who waits */
};

static void auto_matter(struct matter *matter)
{
    json_decref(matter->session);
    json_decref(matter->invoker);
    json_decref(matter->lease);
    target_pods_done(&matter->pods);
    session_parts_done(&matter->parts);
    free(matter->host_name);
}

static const char *alias_of(const json_t *invoker)
{
    const char *alias = tree_text(tree_at(invoker, "spec.target"), "alias");

    return alias && *alias ? alias : NULL;
}

static char *host_of_pod(const struct desk_pod *pod, const json_t *invoker)
{
    const struct host_of of = {tree_text(pod->target, "kind"), alias_of(invoker),
                               meta(pod->pod, "name"),
                               tree_text(tree_get(pod->pod, "spec"), "nodeName")};
    AUTO(text) struct text name = {0};

    return host_name(&name, &of) ? text_take(&name) : NULL;
}

static bool read_backup(const struct session_seen *seen, struct matter *matter, struct error *err)
{
    struct session session = {0};

    if (!session_read(seen, &matter->parts, &session, err))
        return false;
    matter->work = session.work;
    matter->work.phase = session.phase == SESSION_RUNNING        ? WORK_RUNNING
                         : session_phase_is_final(session.phase) ? WORK_ENDED
                                                                 : WORK_PENDING;
    matter->work.deadline_s = session_deadline_s(&session);
    return true;
}

static bool read_restore(const struct session_seen *seen, struct matter *matter, struct error *err)
{
    struct restore *restore = &matter->restored;

    if (!session_read_restore(seen, &matter->parts, restore, err))
        return false;
    matter->work = restore->work;
    matter->work.phase = restore->phase == RESTORE_RUNNING        ? WORK_RUNNING
                         : restore_phase_is_final(restore->phase) ? WORK_ENDED
                                                                  : WORK_PENDING;
    matter->work.deadline_s = restore->timeout_s > 0 ? restore->created_s + restore->timeout_s : 0;
    matter->work.begun_counts = true;
    return true;
}

/* The session as it is now, for this pod alone: its own host, and what the ledger says of all. */
static bool read_matter(const struct desk *desk, const struct desk_pod *pod, struct matter *matter,
                        struct error *err)
{
    struct session_seen seen = {
        .session = matter->session, .now_s = desk_now_s(desk), .configuration = matter->invoker};

    if (!target_pods_of(desk->plan.client, pod->target, pod->pod, &matter->pods, err) ||
        !target_lease_get(desk->plan.client, desk->plan.space, pod->text, &matter->lease, err))
        return false;
    if (!span_equal(tree_span(tree_get(matter->pods.workload, "metadata"), "uid"),
                    tree_span(pod->target, "uid")))
        return error_set(err, ERROR_FORBIDDEN, "the pod belongs to another workload of this name");
    seen.lease = matter->lease;
    seen.target.alias = alias_of(matter->invoker);
    seen.target.init = matter->restore;
    target_pods_show(&matter->pods, &seen.target);
    if (!(matter->restore ? read_restore : read_backup)(&seen, matter, err))
        return false;
    matter->pod = pod->pod;
    matter->work.attempts_max = WORK_ATTEMPTS_MAX;
    matter->host_name = host_of_pod(pod, matter->invoker);
    matter->host = matter->host_name ? hosts_find(&matter->parts.hosts, matter->host_name) : -1;
    return true;
}

/* ---- handing out work ---- */

json_t *desk_find_repository(const struct desk *desk, const json_t *invoker, struct error *err)
{
    const struct session_view *view = &desk->plan.view;
    const json_t *ref = tree_at(invoker, "spec.repository");
    const char *own = meta(invoker, "namespace"), *space = tree_text(ref, "namespace");
    AUTO(json)
    json_t *repository = view->get(view->context, VIEW_REPOSITORY, space && *space ? space : own,
                                   tree_text(ref, "name") ? tree_text(ref, "name") : "");
    AUTO(json) json_t *object = view->get(view->context, VIEW_NAMESPACE, NULL, own);

    if (!repository) {
        error_set(err, ERROR_UNAVAILABLE, "the Repository is not there");
        return NULL;
    }
    if (usage_of_repository(repository, own, object) != USAGE_ALLOWED) {
        error_set(err, ERROR_FORBIDDEN, "the Repository does not allow this namespace");
        return NULL;
    }
    return TAKE(repository);
}

static json_t *read_secret(const struct desk *desk, const json_t *repository, struct error *err)
{
    const json_t *spec = tree_get(repository, "spec");
    const char *own = tree_text(spec, "agentSecretName");
    const char *name =
        own && *own ? own : tree_text(tree_get(spec, "backend"), "storageSecretName");
    const struct kube_ref ref = {&secret_resource, meta(repository, "namespace"), name ? name : "",
                                 NULL};
    json_t *secret = kube_get(desk->plan.client, &ref, err);

    if (!secret)
        error_wrap(err, "%s", "storage Secret");
    return secret;
}

/* Its trees hold what is in the Secret. */
static void auto_secret(json_t **secret)
{
    const json_t *value;
    const char *key;

    tree_each (tree_get(*secret, "data"), key, value)
        if (json_is_string(value))
            explicit_bzero((char *)json_string_value(value), json_string_length(value));
    json_decref(*secret);
}

/* What we say has to be what an agent reads: nothing is claimed for an answer that it refuses. */
static bool say(const struct message_granted *granted, struct text *out, struct error *err)
{
    AUTO(free) struct message_granted *heard = text_alloc(sizeof *heard);

    message_write(&message_granted_shape, granted, out);

    json_t *read = message_read(&message_granted_shape, (struct span){out->data, out->length},
                                MESSAGE_ANSWER_MAX_BYTES, heard, err);
    bool good = read != NULL;

    json_decref(read);
    return good || error_wrap(err, "%s", "this work can not be told to an agent");
}

/* Which cluster this is; without that nobody would know whose the repository becomes. */
static char *cluster_uid(const struct desk *desk, struct error *err)
{
    const struct session_view *view = &desk->plan.view;
    AUTO(json) json_t *space = view->get(view->context, VIEW_NAMESPACE, NULL, "kube-system");
    const char *uid = meta(space, "uid");

    if (uid)
        return text_dup(uid, strlen(uid));
    error_set(err, ERROR_UNAVAILABLE, "the namespace kube-system is not known yet");
    return NULL;
}

static int64_t attempt_of(const struct claims *claims, const char *host)
{
    for (size_t i = 0; i < claims->count; i++)
        if (strcmp(claims->list[i].host, host) == 0)
            return claims->list[i].attempt;
    return 0;
}

bool desk_say_work(const struct desk *desk, struct work_request *request, work_maker *make,
                   struct text *out, struct error *err)
{
    const json_t *repository = request->repository;
    AUTO(secret) json_t *secret = repository ? read_secret(desk, repository, err) : NULL;
    AUTO(free) struct message_granted *granted = text_alloc(sizeof *granted);
    AUTO(free) char *cluster = secret ? cluster_uid(desk, err) : NULL;

    if (!cluster)
        return false;
    request->secret = secret;
    request->cluster = cluster;
    request->now_s = desk_now_s(desk);
    *granted = (struct message_granted){.has_work = true};

    AUTO(restic_access) json_t *kept = make(request, &granted->work, err);
    bool good = kept && say(granted, out, err);

    request->secret = NULL;
    request->cluster = NULL;
    return good;
}

static bool say_work(const struct desk *desk, const struct matter *matter, const json_t *repository,
                     struct text *out, struct error *err)
{
    const json_t *target = json_array_get(tree_at(matter->session, "status.targets"), 0);
    struct work_request request = {
        .session = matter->session,
        .invoker = matter->invoker,
        .host = matter->host_name,
        .host_count = tree_int(target, "totalHosts", (int64_t)matter->parts.hosts.count),
        .repository = repository,
        .pod = matter->pod,
        .attempt = attempt_of(matter->parts.claims, matter->host_name),
        .deadline_s = matter->work.deadline_s,
    };

    return desk_say_work(desk, &request, matter->restore ? work_make_restore : work_make_backup,
                         out, err);
}

static bool is_initialized(const struct matter *matter)
{
    const json_t *conditions = tree_at(matter->session, "status.conditions");

    return matter->restore ||
           condition_status(conditions, "BackendRepositoryInitialized") == CONDITION_TRUE;
}

static void remember(const struct desk *desk, const struct agent_caller *caller,
                     const struct message_claim *message, const struct matter *matter)
{
    const struct desk_claim claim = {meta(matter->session, "uid"), matter->host_name,
                                     caller->pod_uid, message->instance,
                                     attempt_of(matter->parts.claims, matter->host_name)};

    desk_memory_put(desk->memory, &claim, desk_now_s(desk));
}

/* What can never be worked on as it is written has failed, with the reason. */
static enum desk_answer give_up(const struct desk *desk, const struct matter *matter,
                                struct error *err)
{
    AUTO(json) json_t *status = tree_copy(tree_member(matter->session, "status", JSON_OBJECT));
    const struct message_report failure = {.host = matter->host_name,
                                           .outcome = MESSAGE_FAILED,
                                           .has_error = true,
                                           .error = {"NotPossible", err->message}};
    struct error why;

    if (!status || (err->code != ERROR_INVALID && err->code != ERROR_FORBIDDEN))
        return desk_failed(err);
    (void)(matter->restore ? restore_status_report : session_status_report)(status, &failure, false,
                                                                            desk_now_s(desk));
    if (!desk_write_status(desk, matter->restore, matter->session, status, &why)) {
        *err = why;
        return desk_failed(err);
    }
    desk_look(desk, matter->session, matter->restore);
    return DESK_WAIT;
}

bool desk_let_in(const struct desk *desk, const struct agent_caller *caller, const char *session,
                 const json_t *repository, bool *in, struct error *err)
{
    AUTO(free) char *key = desk_repository_key(repository);
    const struct repository_worker worker = {
        .space = desk->plan.space, .repository = key, .session = session, .pod = caller->pod_uid};

    return repository_lease_share(desk->plan.client, &worker, desk_now_s(desk), in, err);
}

/* The claim is in both ledgers before anybody hears of it. */
static enum desk_answer hand_out(const struct desk *desk, const struct agent_caller *caller,
                                 const struct message_claim *message, struct matter *matter,
                                 struct text *answer, struct error *err)
{
    AUTO(secret_text) struct text said = {0};
    AUTO(json) json_t *repository = desk_find_repository(desk, matter->invoker, err);
    bool in = false;

    if (!say_work(desk, matter, repository, &said, err)) {
        log_warn("work can not be handed out", LOG_S("session", meta(matter->session, "name")),
                 LOG_S("namespace", meta(matter->session, "namespace")),
                 LOG_S("error", err->message));
        return give_up(desk, matter, err);
    }
    if (!desk_let_in(desk, caller, meta(matter->session, "uid"), repository, &in, err))
        return desk_failed(err);
    matter->kept_out = !in;
    if (!in)
        return DESK_WAIT;
    if (!target_lease_write(desk->plan.client, matter->lease, matter->parts.claims, err))
        return desk_failed(err);
    remember(desk, caller, message, matter);
    text_add(answer, said.data, said.length);
    desk_look(desk, matter->session, matter->restore);
    return DESK_ANSWERED;
}

/* His work was ended by what he did, or by its session: maintenance does not wait for him. */
static enum desk_answer release(const struct desk *desk, const struct agent_caller *caller,
                                const struct matter *matter, struct error *err)
{
    const struct desk_plan *plan = &desk->plan;
    AUTO(repository_departure) struct repository_departure departure = {0};
    const json_t *ref = tree_at(matter->invoker, "spec.repository");

    if (!claims_has_pod(matter->parts.claims, caller->pod_uid))
        repository_departure_begin(plan->client, plan->space, known_reference(matter->invoker, ref),
                                   meta(matter->session, "uid"), caller->pod_uid, &departure);
    if (!target_lease_write(plan->client, matter->lease, matter->parts.claims, err))
        return desk_failed(err);
    repository_departure_end(plan->client, &departure);
    desk_look(desk, matter->session, matter->restore);
    return DESK_WAIT;
}

static enum desk_answer offer(const struct desk *desk, const struct agent_caller *caller,
                              const struct message_claim *message, struct matter *matter,
                              struct text *answer, struct error *err)
{
    const struct claims_caller who = {caller->pod_uid, message->instance};

    if (!matter->parts.claims || matter->host < 0)
        return DESK_WAIT;
    switch (claims_ask(matter->parts.claims, &matter->work, (size_t)matter->host, &who,
                       is_initialized(matter), desk_now_s(desk))) {
    case CLAIMS_NOTHING:
        return DESK_WAIT;
    case CLAIMS_RELEASE:
        return release(desk, caller, matter, err);
    default:
        return hand_out(desk, caller, message, matter, answer, err);
    }
}

/* ---- claims of backups ---- */

/* A session of this target that is in this phase, as it was known, and its configuration. */
static json_t *find_session(const struct desk *desk, const char *target, enum session_phase phase,
                            json_t **configuration)
{
    const struct session_view *view = &desk->plan.view;
    AUTO(json) json_t *all = view->of_target(view->context, VIEW_CONFIGURATION, target);
    const json_t *one, *session;
    size_t i, k;

    tree_items (all, i, one) {
        AUTO(free) char *key = text_format("%s/%s", meta(one, "namespace"), meta(one, "name"));
        AUTO(json) json_t *sessions = view->of_invoker(view->context, key);

        tree_items (sessions, k, session) {
            if (session_phase_of(tree_text(tree_get(session, "status"), "phase")) != phase)
                continue;
            *configuration = tree_share(one);
            return tree_share(session);
        }
    }
    return NULL;
}

static enum desk_answer try_backup(const struct desk *desk, const struct agent_caller *caller,
                                   const struct message_claim *message, const struct desk_pod *pod,
                                   struct text *answer, struct error *err)
{
    AUTO(matter) struct matter matter = {.host = -1};
    AUTO(json) json_t *known = find_session(desk, pod->text, SESSION_RUNNING, &matter.invoker);
    enum desk_answer what;

    if (!known)
        return DESK_WAIT;
    matter.session = desk_read_session(desk, false, known, err);
    if (!matter.session)
        return err->code == ERROR_NOT_FOUND ? DESK_WAIT : desk_failed(err);
    if (!read_matter(desk, pod, &matter, err))
        return desk_failed(err);
    what = offer(desk, caller, message, &matter, answer, err);
    if (what == DESK_WAIT && !matter.kept_out)
        desk_memory_idle(desk->memory, caller->pod_uid, matter.session, desk_now_s(desk));
    return what;
}

/* ---- claims of restores ---- */

/* A RestoreSession by its uid; what no cache knows is looked for among all there are. */
static bool find_restore(const struct desk *desk, const char *uid, json_t **known,
                         struct error *err)
{
    static const struct kube_watched watched = {
        .resource = {GROUP_STASH, "v1beta1", "restoresessions", "RestoreSession", true}};
    const struct session_view *view = &desk->plan.view;
    const json_t *session;
    size_t i;

    *known = view->uid(view->context, VIEW_RESTORE, uid);
    if (*known)
        return true;

    AUTO(json) json_t *all = kube_list(desk->plan.client, &watched, NULL, err);

    if (!all)
        return false;
    tree_items (all, i, session)
        if (span_is(tree_span(tree_get(session, "metadata"), "uid"), uid))
            *known = tree_share(session);
    return true;
}

static bool starts_anyway(const json_t *session)
{
    return span_is(tree_span(tree_at(session, "metadata.annotations"), KEY_START_ANYWAY), "true");
}

enum desk_answer desk_pass(struct text *answer)
{
    AUTO(free) struct message_granted *granted = text_alloc(sizeof *granted);

    *granted = (struct message_granted){.pass = true};
    message_write(&message_granted_shape, granted, answer);
    return DESK_ANSWERED;
}

static bool is_of_target(const json_t *session, const struct desk_pod *pod)
{
    AUTO(json) json_t *target = session_target(session);
    AUTO(free) char *text = target ? session_target_text(target) : NULL;

    return text && strcmp(text, pod->text) == 0;
}

static enum desk_answer answer_restore(const struct desk *desk, const struct agent_caller *caller,
                                       const struct message_claim *message, struct matter *matter,
                                       struct text *answer, struct error *err)
{
    bool anyway = starts_anyway(matter->session);

    switch (restore_answer(&matter->restored, matter->host, anyway, false, desk_now_s(desk))) {
    case RESTORE_PASS:
        return desk_pass(answer);
    case RESTORE_OFFER:
        return offer(desk, caller, message, matter, answer, err);
    default:
        if (!restore_phase_is_final(matter->restored.phase) &&
            desk_memory_ask(desk->memory, message->session, desk_now_s(desk)))
            desk_look(desk, matter->session, true);
        return DESK_WAIT;
    }
}

static enum desk_answer try_restore(const struct desk *desk, const struct agent_caller *caller,
                                    const struct message_claim *message, const struct desk_pod *pod,
                                    struct text *answer, struct error *err)
{
    AUTO(matter) struct matter matter = {.restore = true, .host = -1};
    AUTO(json) json_t *known = NULL;
    enum desk_answer what;

    if (!find_restore(desk, message->session, &known, err))
        return desk_failed(err);
    matter.session = known ? desk_read_session(desk, true, known, err) : NULL;
    if (!matter.session)
        return !known || err->code == ERROR_NOT_FOUND ? desk_pass(answer) : desk_failed(err);
    if (!is_of_target(matter.session, pod))
        return desk_refuse(err, ERROR_FORBIDDEN, "the session restores another workload");
    matter.invoker = tree_share(matter.session);
    if (!read_matter(desk, pod, &matter, err))
        return desk_failed(err);
    what = answer_restore(desk, caller, message, &matter, answer, err);
    if (what == DESK_WAIT && !matter.kept_out)
        desk_memory_idle(desk->memory, caller->pod_uid, matter.session, desk_now_s(desk));
    return what;
}

/* ---- claims of Jobs ---- */

static bool has_name(const struct work *work, const char *name, long *at)
{
    for (size_t i = 0; i < work->host_count; i++)
        if (strcmp(work->hosts[i].name, name) == 0) {
            *at = (long)i;
            return true;
        }
    return false;
}

/* The Job as it is taken to be: there, since a pod of it asks. */
static json_t *jobs_of(const struct desk_pod *pod)
{
    json_t *jobs = json_array(), *job = json_object(), *metadata = json_object();

    tree_put_text(metadata, "uid", tree_text(pod->job, "uid"));
    tree_put_new(job, "metadata", metadata);
    tree_push_new(jobs, job);
    return jobs;
}

/* The session, and the host that the ledger has this very Job for. */
static bool read_job_matter(const struct desk *desk, const struct desk_pod *pod,
                            struct matter *matter, struct error *err)
{
    AUTO(json) json_t *jobs = jobs_of(pod);
    const json_t *pods[] = {pod->pod};
    struct session_seen seen = {.session = matter->session,
                                .now_s = desk_now_s(desk),
                                .configuration = matter->invoker,
                                .target = {.job = true,
                                           .alias = alias_of(matter->invoker),
                                           .jobs = jobs,
                                           .pods = pods,
                                           .pod_count = 1}};

    if (!target_lease_get(desk->plan.client, desk->plan.space, pod->text, &matter->lease, err))
        return false;
    seen.lease = matter->lease;
    if (!(matter->restore ? read_restore : read_backup)(&seen, matter, err))
        return false;
    matter->work.attempts_max = WORK_ATTEMPTS_MAX;
    if (matter->work.phase == WORK_ENDED)
        return error_set(err, ERROR_GONE, "the session has ended");

    const char *host = matter->parts.claims
                           ? claims_host_of_job(matter->parts.claims, tree_text(pod->job, "uid"))
                           : NULL;

    if (!host || !has_name(&matter->work, host, &matter->host))
        return error_set(err, ERROR_FORBIDDEN, "no Job of this UID was made for this session");
    matter->host_name = text_dup(host, strlen(host));
    return true;
}

/* Its one piece of work is not wanted any more: it would wait for nothing. */
static bool is_over(const struct matter *matter)
{
    const struct work_host *host = &matter->work.hosts[matter->host];

    return matter->work.removed || host->result != WORK_OPEN ||
           (!host->claimed && host->attempt >= matter->work.attempts_max);
}

static enum desk_answer try_job(const struct desk *desk, const struct agent_caller *caller,
                                const struct message_claim *message, const struct desk_pod *pod,
                                struct text *answer, struct error *err)
{
    const char *kind = tree_text(tree_get(pod->job, "session"), "kind");
    AUTO(matter)
    struct matter matter = {.restore = kind && strcmp(kind, "RestoreSession") == 0, .host = -1};
    enum desk_answer what;

    if (!desk_session_of_job(desk, pod, &matter.session, &matter.invoker, err) ||
        !read_job_matter(desk, pod, &matter, err))
        return desk_failed(err);
    if (is_over(&matter))
        return desk_refuse(err, ERROR_GONE, "the work of this Job has ended");
    what = offer(desk, caller, message, &matter, answer, err);
    if (what == DESK_WAIT)
        desk_memory_idle(desk->memory, caller->pod_uid, matter.session, desk_now_s(desk));
    return what;
}

typedef enum desk_answer trying(const struct desk *desk, const struct agent_caller *caller,
                                const struct message_claim *message, const struct desk_pod *pod,
                                struct text *answer, struct error *err);

enum desk_answer desk_claim(void *context, const struct agent_caller *caller,
                            const struct message_claim *message, struct text *answer,
                            struct error *err)
{
    const struct desk *desk = context;
    AUTO(desk_pod) struct desk_pod pod = {0};
    bool init = message->role == MESSAGE_INIT, job = message->role == MESSAGE_JOB;
    trying *try = job ? try_job : init ? try_restore : try_backup;
    enum desk_answer what = DESK_WAIT;

    if (!desk_find_pod(desk, caller, init, &pod, err))
        return desk_failed(err);
    if (job != (pod.job != NULL))
        return desk_refuse(err, ERROR_FORBIDDEN,
                           job ? "the pod is not that of a Job" : "the pod is that of a Job");
    if (init && !message->session)
        return desk_fresh_claim(desk, caller, message, &pod, answer, err);
    if (!init && !job && !desk_let_go(desk, caller, message, &pod, err))
        return desk_failed(err);
    for (int i = 0; i < DESK_TRIES; i++) {
        what = try(desk, caller, message, &pod, answer, err);
        if (what != DESK_REFUSED || err->code != ERROR_CONFLICT)
            return what;
    }
    return desk_refuse(err, ERROR_UNAVAILABLE, "others are faster: claim again");
}
