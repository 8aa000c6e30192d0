#include "controllers/desk_parts.h"

#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/repository_lease.h"
#include "controllers/restore_status.h"
#include "controllers/session_read.h"
#include "controllers/session_status.h"
#include "controllers/target_lease.h"
#include "controllers/work_make.h"
#include "kube/meta.h"
#include "kube/time.h"

/* ---- progress ---- */

/* A session of either kind by its uid; NULL: there is none. */
static json_t *session_of_uid(const struct desk *desk, const char *uid, bool *restore)
{
    const struct session_view *view = &desk->plan.view;
    json_t *session = view->uid(view->context, VIEW_SESSION, uid);

    *restore = !session;
    return session ? session : view->uid(view->context, VIEW_RESTORE, uid);
}

/* What the Lease of the pod's target says of a claim. */
struct holding {
    json_t *lease, *ledger; /* owned */
    struct claims *claims;  /* owned; NULL: not of this session */
    bool his;
};

static void auto_holding(struct holding *holding)
{
    json_decref(holding->lease);
    json_decref(holding->ledger);
    free(holding->claims);
}

static bool read_holding(const struct desk *desk, const char *target,
                         const struct desk_claim *claim, struct holding *holding, struct error *err)
{
    const struct claims_caller who = {claim->pod_uid, claim->instance};

    if (!target_lease_get(desk->plan.client, desk->plan.space, target, &holding->lease, err))
        return false;

    struct error bad;

    holding->claims = text_alloc(sizeof *holding->claims);
    holding->ledger = claims_of_lease(holding->lease, holding->claims, &bad);
    if (!holding->ledger || strcmp(holding->claims->session, claim->session) != 0)
        free(TAKE(holding->claims));
    holding->his =
        holding->claims && claims_is_of(holding->claims, claim->host, &who, claim->attempt);
    return true;
}

bool desk_begin_hook(const struct desk *desk, const char *target, const struct desk_claim *claim,
                     const char *hook, bool *begun, struct error *err)
{
    AUTO(holding) struct holding holding = {0};

    if (!read_holding(desk, target, claim, &holding, err))
        return false;
    if (!holding.his)
        return error_set(err, ERROR_CONFLICT, "another pod or instance has this attempt");
    *begun = !claims_begin_hook(holding.claims, claim->host, hook);
    return *begun || target_lease_write(desk->plan.client, holding.lease, holding.claims, err);
}

enum desk_answer desk_judge_claim(const struct desk *desk, const struct agent_caller *caller,
                                  const struct desk_claim *claim, bool restore, struct error *err)
{
    AUTO(desk_pod) struct desk_pod pod = {0};
    AUTO(holding) struct holding holding = {0};

    if (desk_memory_is_of(desk->memory, claim, desk_now_s(desk)))
        return DESK_ANSWERED;
    if (!desk_find_pod(desk, caller, restore, &pod, err) ||
        !read_holding(desk, pod.text, claim, &holding, err))
        return desk_failed(err);
    if (!holding.his)
        return desk_refuse(err, ERROR_CONFLICT, "another pod or instance has this attempt");
    desk_memory_put(desk->memory, claim, desk_now_s(desk));
    return DESK_ANSWERED;
}

int64_t desk_deadline_of(const json_t *session)
{
    int64_t deadline_s;

    return time_parse(tree_span(tree_get(session, "status"), "sessionDeadline"), &deadline_s)
               ? deadline_s
               : 0;
}

/* Why an agent is to end its work; NULL: it goes on. */
static const char *reason_to_end(const struct desk *desk, const json_t *session, bool restore,
                                 const char *host)
{
    const json_t *status = tree_get(session, "status");
    int64_t deadline_s = desk_deadline_of(session);

    if (session_has_ended(session, restore))
        return "the session has ended";
    if (deadline_s && desk_now_s(desk) >= deadline_s)
        return "the session is past its deadline";
    if ((restore ? restore_status_result : session_status_result)(status, host) != WORK_OPEN)
        return "this host has a result already";
    return tree_get(tree_get(session, "metadata"), "deletionTimestamp") ? "the session was deleted"
                                                                        : NULL;
}

/* The repository is there: others may begin. Said once; when that fails, with the next progress. */
static void note_initialized(const struct desk *desk, const json_t *known)
{
    static const struct condition found = {"BackendRepositoryInitialized", CONDITION_TRUE,
                                           "BackendRepositoryFound", NULL};
    struct error err = {.message = ""};

    if (condition_status(tree_at(known, "status.conditions"), found.type) == CONDITION_TRUE)
        return;

    AUTO(json) json_t *session = desk_read_session(desk, false, known, &err);
    AUTO(json) json_t *status = tree_copy(tree_member(session, "status", JSON_OBJECT));
    json_t *conditions = status ? tree_list(status, "conditions", &err) : NULL;

    if (!conditions || !condition_set(conditions, &found, desk_now_s(desk)))
        return;
    if (!desk_write_status(desk, false, session, status, &err))
        log_info("that a repository is there will be said again",
                 LOG_S("session", meta(session, "name")), LOG_S("error", err.message));
}

enum desk_answer desk_progress(void *context, const struct agent_caller *caller,
                               const struct message_progress *message, struct text *answer,
                               struct error *err)
{
    const struct desk *desk = context;
    const struct desk_claim claim = {message->session, message->host, caller->pod_uid,
                                     message->instance, message->attempt};
    bool restore;

    if (desk_is_fresh(caller, message->session))
        return desk_fresh_progress(desk, caller, message, answer, err);

    AUTO(json) json_t *session = session_of_uid(desk, message->session, &restore);

    if (!session)
        return desk_refuse(err, ERROR_NOT_FOUND, "the session is not there any more");
    if (desk_judge_claim(desk, caller, &claim, restore, err) != DESK_ANSWERED)
        return DESK_REFUSED;

    const char *reason = reason_to_end(desk, session, restore, message->host);
    const struct desk_question question = {caller, &claim, message, session, restore};
    struct message_verdict verdict = {.go_on = reason == NULL, .reason = reason};
    AUTO(text) struct text kept = {0};

    if (message->has_exec && !desk_hook(desk, &question, &verdict, &kept, err))
        return desk_failed(err);
    if (message->initialized && !restore && !reason)
        note_initialized(desk, session);
    if (desk->plan.progress && !reason && message->stage == MESSAGE_WORK)
        desk->plan.progress(desk->plan.context, message);
    message_write(&message_verdict_shape, &verdict, answer);
    return DESK_ANSWERED;
}

/* ---- reports ---- */

/* Its work has ended, whatever became of it. */
static bool drop(const struct desk *desk, const struct desk_claim *claim, struct holding *holding,
                 struct error *err)
{
    if (holding->his && claims_drop(holding->claims, claim->host) &&
        !target_lease_write(desk->plan.client, holding->lease, holding->claims, err))
        return false;
    desk_memory_drop(desk->memory, claim);
    return true;
}

/* Puts a result into the status of a session that waits for it. */
static bool record(const struct desk *desk, const struct message_report *report,
                   const json_t *session, bool restore, struct error *err)
{
    const json_t *now = tree_member(session, "status", JSON_OBJECT);
    AUTO(json) json_t *status = now ? tree_copy(now) : json_object();
    AUTO(json) json_t *invoker = desk_invoker_of(desk, session, restore);

    (void)(restore ? restore_status_report : session_status_report)(
        status, report, work_is_proven(report, invoker, restore), desk_now_s(desk));
    return desk_write_status(desk, restore, session, status, err);
}

static bool is_recorded(const json_t *session, bool restore, const char *host)
{
    const json_t *status = tree_get(session, "status");

    return (restore ? restore_status_result : session_status_result)(status, host) != WORK_OPEN;
}

/* He has said himself that his work has ended, and that stands in a status: others may have the
 * Repository alone. What fails here is done by maintenance, on the same proof. */
static void leave_repository(const struct desk *desk, const struct desk_claim *claim,
                             const json_t *session, bool restore)
{
    AUTO(json) json_t *invoker = desk_invoker_of(desk, session, restore);
    const json_t *ref = tree_at(invoker, "spec.repository");
    const char *space = tree_text(ref, "namespace"), *name = tree_text(ref, "name");
    struct error err = {.message = ""};

    if (!name)
        return;

    AUTO(free)
    char *key = text_format("%s/%s", space && *space ? space : meta(invoker, "namespace"), name);
    const struct repository_worker worker = {desk->plan.space, key, claim->session, claim->pod_uid};

    if (!repository_lease_leave(desk->plan.client, &worker, &err))
        log_info("that a pod has left its Repository is noted later", LOG_S("repository", key),
                 LOG_S("error", err.message));
}

/* A report under way. */
struct reporting {
    const struct message_report *report;
    struct desk_claim claim;
    struct desk_pod pod;
    bool restore;
    bool again; /* a write failed, such as when somebody else was faster */
};

static void auto_reporting(struct reporting *one)
{
    desk_pod_done(&one->pod);
}

/* Result first, then the claim. */
static enum desk_answer try_report(const struct desk *desk, struct reporting *one,
                                   const json_t *session, struct message_receipt *receipt,
                                   struct error *err)
{
    AUTO(holding) struct holding holding = {0};

    if (!read_holding(desk, one->pod.text, &one->claim, &holding, err))
        return desk_failed(err);
    receipt->recorded = session && is_recorded(session, one->restore, one->claim.host);
    if (session && !receipt->recorded && !holding.his)
        return desk_refuse(err, ERROR_CONFLICT, "another pod or instance has this attempt");
    if (session && !receipt->recorded && !session_has_ended(session, one->restore)) {
        one->again = !record(desk, one->report, session, one->restore, err);
        receipt->recorded = !one->again;
    }
    if (!one->again)
        one->again = !drop(desk, &one->claim, &holding, err);
    return one->again ? desk_failed(err) : DESK_ANSWERED;
}

static enum desk_answer answer_report(const struct desk *desk, struct reporting *one,
                                      const json_t *known, struct text *answer, struct error *err)
{
    AUTO(json) json_t *session = known ? desk_read_session(desk, one->restore, known, err) : NULL;
    struct message_receipt receipt = {false};

    one->again = false;
    if (!session && known && err->code != ERROR_NOT_FOUND)
        return desk_failed(err);
    if (try_report(desk, one, session, &receipt, err) != DESK_ANSWERED)
        return DESK_REFUSED;
    if (!session)
        return desk_refuse(err, ERROR_NOT_FOUND, "the session is not there any more");
    leave_repository(desk, &one->claim, session, one->restore);
    desk_look(desk, session, one->restore);
    message_write(&message_receipt_shape, &receipt, answer);
    return DESK_ANSWERED;
}

enum desk_answer desk_report(void *context, const struct agent_caller *caller,
                             const struct message_report *message, struct text *answer,
                             struct error *err)
{
    const struct desk *desk = context;

    if (desk_is_fresh(caller, message->session))
        return desk_fresh_report(desk, caller, message, answer, err);

    AUTO(reporting)
    struct reporting one = {.report = message,
                            .claim = {message->session, message->host, caller->pod_uid,
                                      message->instance, message->attempt}};
    AUTO(json) json_t *known = session_of_uid(desk, message->session, &one.restore);

    if (!desk_find_pod(desk, caller, known && one.restore, &one.pod, err))
        return desk_failed(err);
    for (int i = 0; i < DESK_TRIES; i++) {
        enum desk_answer what = answer_report(desk, &one, known, answer, err);

        if (!one.again)
            return what;
    }
    return desk_refuse(err, ERROR_UNAVAILABLE, "it could not be written: report again");
}
