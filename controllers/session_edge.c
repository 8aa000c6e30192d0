#include "controllers/session_edge.h"

#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "controllers/restore_status.h"
#include "controllers/session_make.h"
#include "controllers/session_status.h"
#include "controllers/slot.h"
#include "controllers/status_send.h"
#include "controllers/target_lease.h"
#include "kube/time.h"
#include "kube/verbs.h"

static const struct kube_resource backup_sessions = {GROUP_STASH, "v1beta1", "backupsessions",
                                                     "BackupSession", true},
                                  restore_sessions = {GROUP_STASH, "v1beta1", "restoresessions",
                                                      "RestoreSession", true};
static const struct kube_options ours = {.manager = "granary"};

/* Where a Job would do the work: granary does not make them yet, and says so. */
static const char no_jobs[] = "targets without pods of their own are not backed up yet";

static const char *meta(const json_t *object, const char *key)
{
    return tree_text(tree_get(object, "metadata"), key);
}

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

/* A step that writes the Lease. */
static bool step_lease(const struct session_edge *edge, const struct session_seen *seen,
                       const json_t *target, const struct session_parts *parts,
                       const struct work *work, const struct work_step *step, struct error *err)
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
    if (step->action == WORK_UNLOCK)
        return target_lease_give_back(edge->client, seen->lease, err);
    (void)claims_drop(parts->claims, work->hosts[step->host].name);
    return target_lease_write(edge->client, seen->lease, parts->claims, err);
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
    return kube_create(edge->client, &ref, made, &ours, &result, err) ||
           strcmp(result.reason, "AlreadyExists") == 0;
}

static bool carry_out(const struct session_edge *edge, const struct session_seen *seen,
                      const json_t *target, const struct session_parts *parts,
                      const struct session *session, const struct session_step *step,
                      struct error *err)
{
    if (step->action == SESSION_WORK && is_of_lease(&step->work))
        return step_lease(edge, seen, target, parts, &session->work, &step->work, err);
    if (step->action == SESSION_WORK && step->work.action == WORK_EXECUTE)
        return error_set(err, ERROR_INVALID, "%s", no_jobs);
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
    if (seen->target.job && !session.not_ready)
        session.not_ready = no_jobs;

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
                              const struct restore *restore, const struct restore_step *step,
                              struct error *err)
{
    if (step->action == RESTORE_WORK && is_of_lease(&step->work))
        return step_lease(edge, seen, target, parts, &restore->work, &step->work, err);
    if (step->action == RESTORE_WORK && step->work.action == WORK_EXECUTE)
        return error_set(err, ERROR_INVALID, "%s", no_jobs);
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
    if (seen->target.job && !restore.not_ready)
        restore.not_ready = no_jobs;

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

char *session_holder(const json_t *lease)
{
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
    const json_t *text = tree_get(tree_at(lease, "metadata.annotations"), KEY_LEDGER);
    struct error err;

    *claims = (struct claims){0};

    AUTO(json) json_t *ledger = text ? claims_read(tree_value(text), claims, &err) : NULL;
    const char *holder = ledger ? claims->session : "";

    return text_dup(holder, strlen(holder));
}

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
    AUTO(free) char *uid = session_holder(lease);
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
    if (!time_parse(tree_span(tree_get(session, "metadata"), "creationTimestamp"), &past.created_s))
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
