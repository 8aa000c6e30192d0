#include "controllers/session_edge.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "controllers/known.h"
#include "controllers/repository_lease.h"
#include "controllers/restore_status.h"
#include "controllers/session_jobs.h"
#include "controllers/session_make.h"
#include "controllers/session_status.h"
#include "controllers/slot.h"
#include "controllers/status_send.h"
#include "controllers/target_lease.h"
#include "controllers/write.h"
#include "kube/meta.h"
#include "kube/verbs.h"

static const struct kube_resource backup_sessions = {GROUP_STASH, "v1beta1", "backupsessions",
                                                     "BackupSession", true},
                                  restore_sessions = {GROUP_STASH, "v1beta1", "restoresessions",
                                                      "RestoreSession", true};

/* Each of its pods may be on a node of its own, with data of its own. */
static const char no_nodes[] = "a DaemonSet is backed up beside its pods only, not by a Job";

/* Seconds for which a Job that may not be made (a quota, a right) is tried again, before its host
 * has failed with that reason. */
#define REFUSED_S 60

/* Tries to record a Job, when agents of other hosts write to the ledger at the same time. */
#define RECORD_TRIES 4

/* ---- events ---- */

static void tell(const struct session_edge *edge, const json_t *session, bool warning,
                 const char *reason, const char *note)
{
    const struct kube_event event = {warning, reason, "Reconcile", note};

    if (edge->tell)
        edge->tell(edge->context, session, &event);
}

static void tell_work(const struct session_edge *edge, const struct session_seen *seen,
                      const struct work_step *step, const char *started, const char *done,
                      const char *failed)
{
    if (step->action == WORK_START)
        tell(edge, seen->session, false, started, "the target is worked on");
    else if (step->action == WORK_FAIL_HOST)
        tell(edge, seen->session, true, "HostFailed", step->message);
    else if (step->action == WORK_END && step->succeeded)
        tell(edge, seen->session, false, done, "all hosts are done");
    else if (step->action == WORK_END)
        tell(edge, seen->session, true, failed, step->message);
}

static void tell_step(const struct session_edge *edge, const struct session_seen *seen,
                      const struct session_step *step)
{
    if (step->action == SESSION_SKIP)
        tell(edge, seen->session, true, "BackupSkipped", step->message);
    else if (step->action == SESSION_RETRY)
        tell(edge, seen->session, false, "BackupRetried", "another session tries again");
    else if (step->action == SESSION_WORK)
        tell_work(edge, seen, &step->work, "BackupStarted", "BackupSucceeded", "BackupFailed");
}

/* ---- writes ---- */

static bool write_status(const struct session_edge *edge, const struct kube_resource *resource,
                         const json_t *session, json_t *status_new, struct error *err)
{
    AUTO(json) json_t *status = status_new;

    return status_send(edge->client, resource, session, status, err) <= STATUS_SENT;
}

static const char *or_none(const char *text)
{
    return text ? text : "";
}

/* Takes the Lease, or gives it back. */
static bool step_lease(const struct session_edge *edge, const struct session_seen *seen,
                       const json_t *target, const struct work_step *step, struct error *err)
{
    AUTO(free) char *text = session_target_text(target);
    AUTO(free)
    char *holder = text_format("%s/%s/%s", or_none(tree_text(seen->session, "kind")),
                               or_none(meta(seen->session, "namespace")),
                               or_none(meta(seen->session, "name")));
    const struct target_lease_lock lock = {
        .space = edge->space,
        .target = text,
        .session = meta(seen->session, "uid"),
        .holder = holder,
        .lease = seen->lease,
        .now_s = seen->now_s,
    };

    if (step->action == WORK_LOCK)
        return target_lease_take(edge->client, &lock, err);
    return target_lease_give_back(edge->client, seen->lease, err);
}

/* "namespace/name" of the Repository that it works on; NULL: nobody knows any more. */
static char *repository_of(const struct session_seen *seen)
{
    bool restore = span_is(tree_span(seen->session, "kind"), "RestoreSession");
    const json_t *invoker = restore ? seen->session : seen->configuration;

    return known_reference(invoker, tree_at(invoker, "spec.repository"));
}

/* The work of a host has ended, one way or another; with the last of its pod's the pod leaves the
 * Repository, so that maintenance does not wait for the dead. */
static bool drop_claim(const struct session_edge *edge, const struct session_seen *seen,
                       struct claims *claims, const char *host, struct error *err)
{
    AUTO(repository_departure) struct repository_departure departure = {0};
    const char *pod = claims_pod(claims, host);

    (void)claims_drop(claims, host);
    if (pod && !claims_has_pod(claims, pod))
        repository_departure_begin(edge->client, edge->space, repository_of(seen),
                                   meta(seen->session, "uid"), pod, &departure);
    if (!target_lease_write(edge->client, seen->lease, claims, err))
        return false;
    repository_departure_end(edge->client, &departure);
    return true;
}

static bool is_of_lease(const struct work_step *step)
{
    return step->action == WORK_LOCK || step->action == WORK_DROP || step->action == WORK_UNLOCK;
}

/* Signs of life that this leader has had of agents. */
static void put_heard(const struct session_edge *edge, const struct session_seen *seen,
                      struct session_parts *parts, const struct work *work)
{
    const char *uid = meta(seen->session, "uid");

    for (size_t i = 0; edge->heard_s && uid && i < work->host_count; i++) {
        struct work_host *host = &parts->work_hosts[i];
        int64_t heard_s = host->claimed ? edge->heard_s(edge->context, uid, host->name) : 0;

        if (heard_s > host->heard_s)
            host->heard_s = heard_s;
    }
}

/* ---- Jobs ---- */

/* What a step that is about a Job is about. */
struct job_turn {
    const struct session_edge *edge;
    const struct session_seen *seen;
    const json_t *target;
    const struct session_parts *parts;
    const struct work *work;
    const struct work_step *step;
};

static struct session_job job_of(const struct job_turn *turn)
{
    const struct session_seen *seen = turn->seen;
    bool restore = span_is(tree_span(seen->session, "kind"), "RestoreSession");

    return (struct session_job){.client = turn->edge->client,
                                .view = turn->edge->view,
                                .settings = turn->edge->settings,
                                .restore = restore,
                                .session = seen->session,
                                .invoker = restore ? seen->session : seen->configuration,
                                .target = turn->target,
                                .host = turn->work->hosts[turn->step->host].name,
                                .deadline_s = turn->work->deadline_s,
                                .now_s = seen->now_s};
}

/* The ledger as it is now, as long as this session holds it. */
static bool read_ledger(const struct job_turn *turn, json_t **lease, json_t **ledger,
                        struct claims *claims, struct error *err)
{
    AUTO(free) char *text = session_target_text(turn->target);
    const char *uid = meta(turn->seen->session, "uid");

    if (!target_lease_get(turn->edge->client, turn->edge->space, text, lease, err))
        return false;
    *ledger = claims_of_lease(*lease, claims, err);
    return (*ledger && uid && strcmp(claims->session, uid) == 0) ||
           error_set(err, ERROR_CONFLICT, "the Lease of the target has changed hands");
}

static bool record_once(const struct job_turn *turn, const char *job, struct error *err)
{
    AUTO(json) json_t *lease = NULL;
    AUTO(json) json_t *ledger = NULL;
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);

    if (!read_ledger(turn, &lease, &ledger, claims, err))
        return false;
    if (!claims_set_job(claims, turn->work->hosts[turn->step->host].name, job, turn->seen->now_s))
        return error_set(err, ERROR_INVALID, "more than %u Jobs for one target", CLAIMS_MAX);
    return target_lease_write(turn->edge->client, lease, claims, err);
}

/* From now on its pod gets work. */
static bool record(const struct job_turn *turn, const char *job, struct error *err)
{
    bool done = false;

    for (int i = 0; i < RECORD_TRIES && !done; i++) {
        done = record_once(turn, job, err);
        if (!done && err->code != ERROR_CONFLICT)
            return false;
    }
    return done;
}

/* One of the right name that nobody recorded has got nothing, so it can be made anew. Unless our
 * cache was behind. */
static bool drop_twin(const struct job_turn *turn, const char *job, struct error *err)
{
    const struct session_job what = job_of(turn);
    AUTO(json) json_t *lease = NULL;
    AUTO(json) json_t *ledger = NULL;
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);

    if (!read_ledger(turn, &lease, &ledger, claims, err))
        return false;
    return claims_host_of_job(claims, job) || session_job_delete(&what, job, err);
}

/* Until when a refusal is taken for something that passes. */
static bool is_patient(const struct job_turn *turn)
{
    int64_t since_s = turn->work->started_s;

    if (turn->work->watched_s > since_s)
        since_s = turn->work->watched_s;
    return turn->seen->now_s - since_s < REFUSED_S;
}

/* What we look at may be behind: one that was made, recorded and deleted by hand is not made again.
 */
static bool is_unmade(const struct job_turn *turn, struct error *err)
{
    AUTO(json) json_t *lease = NULL;
    AUTO(json) json_t *ledger = NULL;
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
    const char *host = turn->work->hosts[turn->step->host].name;

    if (!read_ledger(turn, &lease, &ledger, claims, err))
        return false;
    for (size_t i = 0; i < claims->count; i++)
        if (claims->list[i].job && strcmp(claims->list[i].host, host) == 0)
            return error_set(err, ERROR_CONFLICT, "its Job is recorded already");
    return true;
}

/* It goes on as in Stash: whoever mounts the claim may know what he does. */
static void tell_in_use(const struct job_turn *turn, const char *pod)
{
    AUTO(free)
    char *note =
        pod ? text_format("pod %s mounts the claim: what it writes while it is restored is "
                          "mixed with what comes back",
                          pod)
            : NULL;

    if (note)
        tell(turn->edge, turn->seen->session, true, "ClaimInUse", note);
}

/* False with ERROR_NONE: it can not be made, `failure` is what to write. */
static bool execute(const struct job_turn *turn, struct work_step *failure, struct error *err)
{
    const struct session_job what = job_of(turn);
    AUTO(session_job) struct session_job_result result = {0};
    enum session_job_end end;
    struct error why;

    if (!is_unmade(turn, err))
        return false;
    end = session_job_make(&what, &result, err);
    if (end == SESSION_JOB_MADE) {
        tell_in_use(turn, result.in_use);
        return record(turn, result.uid, err);
    }
    if (result.twin && !drop_twin(turn, result.twin, &why)) {
        *err = why;
        return false;
    }
    if (end == SESSION_JOB_LATER && (err->code != ERROR_FORBIDDEN || is_patient(turn)))
        return false;
    *failure = (struct work_step){
        .action = WORK_FAIL_HOST, .host = turn->step->host, .reason = WORK_JOB_NOT_MADE};
    (void)snprintf(failure->message, sizeof failure->message, "%.60s: %.190s", what.host,
                   err->message);
    err->code = ERROR_NONE;
    return false;
}

static bool dismiss(const struct job_turn *turn, struct error *err)
{
    const struct session_job what = job_of(turn);

    for (size_t i = 0; i < turn->parts->claims->count; i++) {
        const struct claim *claim = &turn->parts->claims->list[i];

        if (claim->job && strcmp(claim->host, what.host) == 0)
            return session_job_delete(&what, claim->job, err);
    }
    return true;
}

/* The steps that write to no status: Lease and Jobs. False with ERROR_NONE: what became of it is
 * `failure`, for the status. */
static bool step_work(const struct session_edge *edge, const struct session_seen *seen,
                      const json_t *target, const struct session_parts *parts,
                      const struct work *work, const struct work_step *step,
                      struct work_step *failure, struct error *err)
{
    const struct job_turn turn = {edge, seen, target, parts, work, step};

    if (step->action == WORK_EXECUTE)
        return execute(&turn, failure, err);
    if (step->action == WORK_DISMISS)
        return dismiss(&turn, err);
    if (step->action == WORK_DROP)
        return drop_claim(edge, seen, parts->claims, work->hosts[step->host].name, err);
    return step_lease(edge, seen, target, step, err);
}

static bool is_of_work(const struct work_step *step)
{
    return is_of_lease(step) || step->action == WORK_EXECUTE || step->action == WORK_DISMISS;
}

static bool is_daemon_set(const struct session_seen *seen, const json_t *target)
{
    return seen->target.job && span_is(tree_span(target, "kind"), "DaemonSet");
}

/* ---- backups ---- */

static bool make_successor(const struct session_edge *edge, const struct session_seen *seen,
                           const struct session *session, struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(free)
    char *name = slot_name_of_uid(meta(seen->configuration, "name"), meta(seen->session, "uid"));
    AUTO(json)
    json_t *made = session_make(seen->configuration, name, session->retry_left - 1);
    const struct kube_ref ref = {&backup_sessions, meta(seen->session, "namespace"), name, NULL};

    /* there already: our caches are behind, or the answer of an earlier try was lost */
    return kube_create(edge->client, &ref, made, &write_ours, &result, err) ||
           strcmp(result.reason, "AlreadyExists") == 0;
}

static bool carry_out(const struct session_edge *edge, const struct session_seen *seen,
                      const json_t *target, const struct session_parts *parts,
                      const struct session *session, struct session_step *step, struct error *err)
{
    if (step->action == SESSION_WORK && is_of_work(&step->work)) {
        struct work_step failure = step->work;

        if (step_work(edge, seen, target, parts, &session->work, &step->work, &failure, err))
            return true;
        if (err->code != ERROR_NONE)
            return false;
        step->work = failure;
    }
    if (step->action == SESSION_RETRY)
        return make_successor(edge, seen, session, err);
    return write_status(
        edge, &backup_sessions, seen->session,
        session_status(session, step, target, tree_get(seen->session, "status"), seen->now_s), err);
}

bool session_edge_step(const struct session_edge *edge, const struct session_seen *seen,
                       const json_t *target, struct session_turn *turn, struct error *err)
{
    AUTO(session_parts) struct session_parts parts = {0};
    struct session session = {0};

    if (!session_read(seen, &parts, &session, err))
        return false;
    put_heard(edge, seen, &parts, &session.work);
    if (is_daemon_set(seen, target) && !session.not_ready)
        session.not_ready = no_nodes;

    struct session_step step = session_next(&session, seen->now_s);

    *turn = (struct session_turn){.look_s = step.look_s};
    if (step.action == SESSION_WAIT || step.action == SESSION_DONE)
        return true;
    if (!carry_out(edge, seen, target, &parts, &session, &step, err))
        return false;
    tell_step(edge, seen, &step);
    turn->wrote = true;
    return true;
}

/* ---- restores ---- */

static void tell_restore(const struct session_edge *edge, const struct session_seen *seen,
                         const struct restore_step *step)
{
    if (step->action == RESTORE_INVALIDATE)
        tell(edge, seen->session, true, "RestoreInvalid", step->message);
    else if (step->action == RESTORE_WORK)
        tell_work(edge, seen, &step->work, "RestoreStarted", "RestoreSucceeded", "RestoreFailed");
}

static bool carry_out_restore(const struct session_edge *edge, const struct session_seen *seen,
                              const json_t *target, const struct session_parts *parts,
                              const struct restore *restore, struct restore_step *step,
                              struct error *err)
{
    if (step->action == RESTORE_WORK && is_of_work(&step->work)) {
        struct work_step failure = step->work;

        if (step_work(edge, seen, target, parts, &restore->work, &step->work, &failure, err))
            return true;
        if (err->code != ERROR_NONE)
            return false;
        step->work = failure;
    }
    return write_status(
        edge, &restore_sessions, seen->session,
        restore_status(restore, step, tree_get(seen->session, "status"), seen->now_s), err);
}

bool session_edge_restore(const struct session_edge *edge, const struct session_seen *seen,
                          const json_t *target, struct session_turn *turn, struct error *err)
{
    AUTO(session_parts) struct session_parts parts = {0};
    struct restore restore = {0};

    if (!session_read_restore(seen, &parts, &restore, err))
        return false;
    put_heard(edge, seen, &parts, &restore.work);

    struct restore_step step = restore_next(&restore, seen->now_s);

    *turn = (struct session_turn){.look_s = step.look_s};
    if (step.action == RESTORE_WAIT || step.action == RESTORE_DONE)
        return true;
    if (!carry_out_restore(edge, seen, target, &parts, &restore, &step, err))
        return false;
    tell_restore(edge, seen, &step);
    turn->wrote = true;
    return true;
}

/* ---- Leases without a session ---- */

/* "Kind/namespace/name". */
static void put_identity(struct span holder, json_t *session, json_t *metadata)
{
    static const char *const keys[] = {"kind", "namespace", "name"};
    struct span part;

    for (size_t i = 0; i < 3 && text_split(&holder, '/', &part); i++)
        tree_put_span(i ? metadata : session, keys[i], part);
}

json_t *session_of_ledger(const json_t *lease)
{
    AUTO(free) char *uid = target_lease_session(lease);
    json_t *session, *metadata, *spec, *status, *invoker;

    if (!*uid)
        return NULL;
    session = json_object();
    metadata = json_object();
    spec = json_object();
    status = json_object();
    invoker = json_object();
    put_identity(tree_span(tree_get(lease, "spec"), "holderIdentity"), session, metadata);
    tree_put_text(metadata, "uid", uid);
    tree_put_text(metadata, "creationTimestamp", "1970-01-02T00:00:00Z");
    tree_put_text(invoker, "kind", "BackupConfiguration");
    tree_put_new(spec, "invoker", invoker);
    tree_put_text(status, "phase", "Failed");
    tree_put_new(session, "metadata", metadata);
    tree_put_new(session, "spec", spec);
    tree_put_new(session, "status", status);
    return session;
}

/* ---- history ---- */

static struct session_past past_of(const json_t *session, const char *holder)
{
    const json_t *status = tree_get(session, "status");
    struct session_past past = {.phase = session_phase_of(tree_text(status, "phase"))};
    bool again = past.phase == SESSION_FAILED && !tree_true(status, "retried") &&
                 tree_int(tree_get(session, "spec"), "retryLeft", 0) > 0;
    const char *name = meta(session, "name"), *uid = meta(session, "uid");

    past.name = name ? name : "";
    past.busy = again || (uid && strcmp(uid, holder) == 0) || !uid;
    if (!meta_made(session, &past.created_s))
        past.busy = true;
    return past;
}

static bool delete_session(const struct session_edge *edge, const json_t *session,
                           struct error *err)
{
    const struct kube_delete how = {.uid = meta(session, "uid"),
                                    .version = meta(session, "resourceVersion"),
                                    .propagation = KUBE_PROPAGATE_BACKGROUND};
    AUTO(kube_result) struct kube_result result = {0};
    const struct kube_ref ref = {&backup_sessions, meta(session, "namespace"),
                                 meta(session, "name"), NULL};

    return kube_delete(edge->client, &ref, &how, NULL, &result, err) ||
           err->code == ERROR_NOT_FOUND;
}

bool session_edge_history(const struct session_edge *edge, const json_t *configuration,
                          const json_t *const *sessions, size_t count, const char *holder,
                          struct session_turn *turn, struct error *err)
{
    AUTO(free) struct session_past *past = text_alloc((count ? count : 1) * sizeof *past);

    for (size_t i = 0; i < count; i++)
        past[i] = past_of(sessions[i], holder);
    session_history(past, count, session_history_limit(configuration));
    *turn = (struct session_turn){0};
    for (size_t i = 0; i < count; i++) {
        if (!past[i].surplus)
            continue;
        turn->wrote = true;
        return delete_session(edge, sessions[i], err);
    }
    return true;
}
