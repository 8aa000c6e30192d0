#include "controllers/desk_parts.h"

#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "controllers/if_exists.h"
#include "controllers/repository_lease.h"
#include "controllers/session_make.h"
#include "controllers/session_read.h"
#include "controllers/target_lease.h"
#include "controllers/target_pods.h"
#include "kube/meta.h"
#include "kube/verbs.h"

/* The label of the Leases of restores that nobody asked for by name. */
#define LEASE_LABEL IF_EXISTS_LEDGER

bool desk_is_fresh(const struct agent_caller *caller, const char *session)
{
    return strcmp(caller->pod_uid, session) == 0;
}

static void tell(const struct desk *desk, const json_t *pod, bool warning, const char *reason,
                 const char *note)
{
    const struct kube_event event = {warning, reason, "RestoreIfExists", note};

    log_info("restore if exists", LOG_S("namespace", meta(pod, "namespace")),
             LOG_S("pod", meta(pod, "name")), LOG_S("reason", reason), LOG_S("note", note));
    if (desk->plan.tell)
        desk->plan.tell(desk->plan.context, pod, &event);
}

/* ---- what is found ---- */

struct found {
    json_t *configurations, *sessions, *restores, *lease, *ledger; /* owned */
    struct claims *claims; /* owned; NULL: nobody holds the target */
    struct target_pods pods;
};

static void auto_found(struct found *found)
{
    json_decref(found->configurations);
    json_decref(found->sessions);
    json_decref(found->restores);
    json_decref(found->lease);
    json_decref(found->ledger);
    free(found->claims);
    target_pods_done(&found->pods);
}

static bool is_of(const json_t *session, const json_t *configuration)
{
    const json_t *invoker = tree_at(session, "spec.invoker");

    return span_is(tree_span(invoker, "kind"), "BackupConfiguration") &&
           span_equal(tree_span(invoker, "name"),
                      tree_span(tree_get(configuration, "metadata"), "name"));
}

/* As the API server has them now: a session that is known too late would be the newest one. */
static bool read_sessions(const struct desk *desk, struct found *found, struct error *err)
{
    struct kube_watched watched = {
        .resource = {GROUP_STASH, "v1beta1", "backupsessions", "BackupSession", true}};
    const json_t *configuration, *session;
    size_t i, k;

    found->sessions = json_array();
    tree_items (found->configurations, i, configuration) {
        watched.space = meta(configuration, "namespace");

        AUTO(json) json_t *all = kube_list(desk->plan.client, &watched, NULL, err);

        if (!all)
            return error_wrap(err, "%s", "BackupSessions");
        tree_items (all, k, session)
            if (is_of(session, configuration))
                tree_push_new(found->sessions, tree_share(session));
    }
    return true;
}

static bool read_ledger(const json_t *lease, json_t **ledger, struct claims **claims,
                        struct error *err)
{
    if (!claims_are_in(lease))
        return true;
    *claims = text_alloc(sizeof **claims);
    *ledger = claims_of_lease(lease, *claims, err);
    return *ledger || error_wrap(err, "%s", "the ledger of the target");
}

static bool find(const struct desk *desk, const struct desk_pod *pod, struct found *found,
                 struct error *err)
{
    const struct session_view *view = &desk->plan.view;

    found->configurations = view->of_target(view->context, VIEW_CONFIGURATION, pod->text);
    found->restores = view->of_target(view->context, VIEW_RESTORE, pod->text);
    return read_sessions(desk, found, err) &&
           target_pods_read(desk->plan.client, pod->target, desk_now_s(desk), &found->pods, err) &&
           target_lease_get(desk->plan.client, desk->plan.space, pod->text, &found->lease, err) &&
           read_ledger(found->lease, &found->ledger, &found->claims, err);
}

static struct if_exists_step decide(const struct desk_pod *pod, const struct found *found)
{
    const struct if_exists seen = {
        .kind = tree_text(pod->target, "kind"),
        .configurations = found->configurations,
        .sessions = found->sessions,
        .restores = found->restores,
        .pod = pod->pod,
        .pods = found->pods.pod_list,
        .pod_count = json_array_size(found->pods.pods),
        .owners = found->pods.owners,
        .owner_count = found->pods.owner_count,
        .claims = found->claims,
    };

    return if_exists_next(&seen);
}

/* ---- the ledger of these restores ---- */

struct book {
    char *target;           /* owned */
    json_t *lease, *ledger; /* owned */
    struct claims *claims;  /* owned */
};

static void auto_book(struct book *book)
{
    free(book->target);
    json_decref(book->lease);
    json_decref(book->ledger);
    free(book->claims);
}

/* Without a Lease there is none: no claims. */
static bool open_book(const struct desk *desk, const struct desk_pod *pod, struct book *book,
                      struct error *err)
{
    book->target = if_exists_target(pod->text);
    return target_lease_get(desk->plan.client, desk->plan.space, book->target, &book->lease, err) &&
           read_ledger(book->lease, &book->ledger, &book->claims, err);
}

static bool is_empty(const json_t *lease, struct error *err)
{
    AUTO(book) struct book book = {0};

    if (!read_ledger(lease, &book.ledger, &book.claims, err))
        return false;
    return (book.claims && book.claims->count == 0) ||
           error_set(err, ERROR_CONFLICT, "somebody else has claimed it");
}

/* Makes the Lease. Whoever else does so at the same time gets a conflict: again. */
static bool make_lease(const struct desk *desk, const struct desk_pod *pod, struct book *book,
                       struct error *err)
{
    AUTO(free)
    char *holder = text_format("Pod/%s/%s", meta(pod->pod, "namespace"), meta(pod->pod, "name"));
    const struct target_lease_lock lock = {.space = desk->plan.space,
                                           .target = book->target,
                                           .session = IF_EXISTS_LEDGER,
                                           .holder = holder,
                                           .label = LEASE_LABEL,
                                           .now_s = desk_now_s(desk)};

    return target_lease_take(desk->plan.client, &lock, err) &&
           target_lease_get(desk->plan.client, desk->plan.space, book->target, &book->lease, err) &&
           is_empty(book->lease, err);
}

static bool write_book(const struct desk *desk, const struct desk_pod *pod, struct book *book,
                       struct error *err)
{
    return (book->lease || make_lease(desk, pod, book, err)) &&
           target_lease_write(desk->plan.client, book->lease, book->claims, err);
}

/* ---- claims ---- */

static enum desk_answer hold(const struct desk *desk, const struct desk_pod *pod, const char *why,
                             struct error *err)
{
    tell(desk, pod->pod, true, "RestoreIfExistsWaits", why);
    return desk_refuse(err, ERROR_UNAVAILABLE, why);
}

static bool is_over(const struct found *found, const struct claims *claims, const char *host)
{
    const char *holder = if_exists_holder(claims, host);

    return holder &&
           if_exists_is_over(found->pods.pod_list, json_array_size(found->pods.pods), holder);
}

static void remember(const struct desk *desk, const struct agent_caller *caller,
                     const struct message_claim *message, const char *host, int64_t attempt)
{
    const struct desk_claim claim = {caller->pod_uid, host, caller->pod_uid, message->instance,
                                     attempt};

    desk_memory_put(desk->memory, &claim, desk_now_s(desk));
}

/* The claim is in the ledger before anybody hears of it. */
static enum desk_answer hand_out(const struct desk *desk, const struct agent_caller *caller,
                                 const struct message_claim *message, const struct desk_pod *pod,
                                 const struct found *found, const struct if_exists_step *step,
                                 struct text *answer, struct error *err)
{
    const struct claims_caller who = {caller->pod_uid, message->instance};
    AUTO(book) struct book book = {0};
    AUTO(secret_text) struct text said = {0};
    int64_t attempt;

    if (!open_book(desk, pod, &book, err))
        return desk_failed(err);
    if (!book.claims) {
        book.claims = text_alloc(sizeof *book.claims);
        *book.claims = (struct claims){.session = IF_EXISTS_LEDGER, .since_s = desk_now_s(desk)};
    }
    attempt = if_exists_claim(book.claims, step->host, &who,
                              is_over(found, book.claims, step->host), desk_now_s(desk));
    if (!attempt)
        return desk_refuse(err, ERROR_UNAVAILABLE,
                           "another pod restores it, or the last try has just failed");

    AUTO(json) json_t *repository = desk_find_repository(desk, step->configuration, err);
    bool in = false;
    struct work_request request = {.session = pod->pod,
                                   .repository = repository,
                                   .invoker = step->configuration,
                                   .host = step->host,
                                   .attempt = attempt,
                                   .from = step->session,
                                   .beside = step->beside};

    if (!desk_say_work(desk, &request, work_make_if_exists, &said, err))
        return hold(desk, pod, err->message, err);
    if (!desk_let_in(desk, caller, caller->pod_uid, repository, &in, err))
        return desk_failed(err);
    if (!in)
        return hold(desk, pod, "maintenance has the Repository alone", err);
    if (!write_book(desk, pod, &book, err))
        return desk_failed(err);
    remember(desk, caller, message, step->host, attempt);
    text_add(answer, said.data, said.length);
    tell(desk, pod->pod, false, "RestoreIfExists", step->message);
    return DESK_ANSWERED;
}

static enum desk_answer try_claim(const struct desk *desk, const struct agent_caller *caller,
                                  const struct message_claim *message, const struct desk_pod *pod,
                                  struct text *answer, struct error *err)
{
    AUTO(found) struct found found = {0};

    if (!find(desk, pod, &found, err))
        return desk_failed(err);

    AUTO(if_exists_step) struct if_exists_step step = decide(pod, &found);

    if (step.answer == IF_EXISTS_HOLD)
        return hold(desk, pod, step.message, err);
    if (step.answer == IF_EXISTS_RESTORE)
        return hand_out(desk, caller, message, pod, &found, &step, answer, err);
    tell(desk, pod->pod, false, "StartsFresh", step.message);
    return desk_pass(answer);
}

enum desk_answer desk_fresh_claim(const struct desk *desk, const struct agent_caller *caller,
                                  const struct message_claim *message, const struct desk_pod *pod,
                                  struct text *answer, struct error *err)
{
    for (int i = 0; i < DESK_TRIES; i++) {
        enum desk_answer what = try_claim(desk, caller, message, pod, answer, err);

        if (what != DESK_REFUSED || err->code != ERROR_CONFLICT)
            return what;
    }
    return desk_refuse(err, ERROR_UNAVAILABLE, "others are faster: claim again");
}

/* ---- progress, reports ---- */

static bool is_his(const struct book *book, const struct agent_caller *caller, const char *host,
                   const char *instance, int64_t attempt)
{
    const struct claims_caller who = {caller->pod_uid, instance};

    return book->claims && claims_is_of(book->claims, host, &who, attempt);
}

enum desk_answer desk_fresh_progress(const struct desk *desk, const struct agent_caller *caller,
                                     const struct message_progress *message, struct text *answer,
                                     struct error *err)
{
    const struct desk_claim claim = {message->session, message->host, caller->pod_uid,
                                     message->instance, message->attempt};
    const struct message_verdict verdict = {.go_on = true, .reason = NULL};

    if (!desk_memory_is_of(desk->memory, &claim, desk_now_s(desk))) {
        AUTO(desk_pod) struct desk_pod pod = {0};
        AUTO(book) struct book book = {0};

        if (!desk_find_pod(desk, caller, true, &pod, err) || !open_book(desk, &pod, &book, err))
            return desk_failed(err);
        if (!is_his(&book, caller, message->host, message->instance, message->attempt))
            return desk_refuse(err, ERROR_CONFLICT, "another pod or instance restores it");
        desk_memory_put(desk->memory, &claim, desk_now_s(desk));
    }
    message_write(&message_verdict_shape, &verdict, answer);
    return DESK_ANSWERED;
}

/* The last one takes the Lease away. */
static bool close_book(const struct desk *desk, const struct book *book, struct error *err)
{
    return book->claims->count > 0
               ? target_lease_write(desk->plan.client, book->lease, book->claims, err)
               : target_lease_give_back(desk->plan.client, book->lease, err);
}

/* Until then maintenance waits; should it fail, until it is proven that the pod is gone. */
static void leave_repository(const struct desk *desk, const struct agent_caller *caller,
                             const struct desk_pod *pod)
{
    const struct session_view *view = &desk->plan.view;
    AUTO(json) json_t *all = view->of_target(view->context, VIEW_CONFIGURATION, pod->text);
    const json_t *configuration;
    size_t i;

    tree_items (all, i, configuration) {
        struct error err = {.message = ""};
        AUTO(json) json_t *repository = desk_find_repository(desk, configuration, &err);
        AUTO(free) char *key = repository ? desk_repository_key(repository) : NULL;
        const struct repository_worker worker = {.space = desk->plan.space,
                                                 .repository = key,
                                                 .session = caller->pod_uid,
                                                 .pod = caller->pod_uid};

        if (key && !repository_lease_leave(desk->plan.client, &worker, &err))
            log_warn("the Lease of a Repository still names a pod",
                     LOG_S("pod", meta(pod->pod, "name")), LOG_S("error", err.message));
    }
}

static void tell_result(const struct desk *desk, const struct desk_pod *pod,
                        const struct message_report *report)
{
    bool good = report->outcome == MESSAGE_SUCCEEDED;
    AUTO(free)
    char *failure = text_format("%s: %s It is tried again; the application does not start.",
                                report->error.reason ? report->error.reason : "",
                                report->error.message ? report->error.message : "");

    if (!good)
        tell(desk, pod->pod, true, "RestoreIfExistsFailed", failure);
    else
        tell(desk, pod->pod, false, report->snapshot_count ? "Restored" : "StartsFresh",
             report->note             ? report->note
             : report->snapshot_count ? "restored"
                                      : "its volumes are in use: nothing was restored");
}

static enum desk_answer try_report(const struct desk *desk, const struct agent_caller *caller,
                                   const struct message_report *report, struct error *err)
{
    const struct desk_claim claim = {report->session, report->host, caller->pod_uid,
                                     report->instance, report->attempt};
    bool good = report->outcome == MESSAGE_SUCCEEDED;
    AUTO(desk_pod) struct desk_pod pod = {0};
    AUTO(book) struct book book = {0};

    if (!desk_find_pod(desk, caller, true, &pod, err) || !open_book(desk, &pod, &book, err))
        return desk_failed(err);
    if (!is_his(&book, caller, report->host, report->instance, report->attempt))
        return desk_refuse(err, ERROR_GONE, "another pod or instance restores it, or it is known");
    if_exists_ended(book.claims, report->host, good, desk_now_s(desk));
    if (!close_book(desk, &book, err))
        return err->code == ERROR_CONFLICT ? DESK_WAIT : desk_failed(err);
    desk_memory_drop(desk->memory, &claim);
    leave_repository(desk, caller, &pod);
    tell_result(desk, &pod, report);
    return DESK_ANSWERED;
}

enum desk_answer desk_fresh_report(const struct desk *desk, const struct agent_caller *caller,
                                   const struct message_report *message, struct text *answer,
                                   struct error *err)
{
    const struct message_receipt receipt = {true};

    for (int i = 0; i < DESK_TRIES; i++) {
        enum desk_answer what = try_report(desk, caller, message, err);

        if (what == DESK_ANSWERED)
            message_write(&message_receipt_shape, &receipt, answer);
        if (what != DESK_WAIT)
            return what;
    }
    return desk_refuse(err, ERROR_UNAVAILABLE, "it could not be written: report again");
}
