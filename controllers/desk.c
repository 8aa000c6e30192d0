#include "controllers/desk_parts.h"

#include "api/keys.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/desk_trigger.h"
#include "controllers/session_make.h"
#include "controllers/status_send.h"
#include "kube/meta.h"
#include "kube/verbs.h"

/* Seconds for which an init container that asked is taken to wait still: it asks again before. */
#define ASKED_S 180

static const struct kube_resource backup_sessions = {GROUP_STASH, "v1beta1", "backupsessions",
                                                     "BackupSession", true},
                                  restore_sessions = {GROUP_STASH, "v1beta1", "restoresessions",
                                                      "RestoreSession", true};

struct desk *desk_make(const struct desk_plan *plan)
{
    struct desk *desk = text_alloc(sizeof *desk);

    *desk = (struct desk){.plan = *plan,
                          .memory = desk_memory_make(),
                          .hooks = hook_book_make(plan->client),
                          .streams = stream_book_make(plan->client)};
    return desk;
}

void desk_free(struct desk *desk)
{
    if (!desk)
        return;
    hook_book_free(desk->hooks);
    stream_book_free(desk->streams);
    desk_memory_free(desk->memory);
    free(desk);
}

int64_t desk_now_s(const struct desk *desk)
{
    return desk->plan.now_s ? desk->plan.now_s() : clock_now_s();
}

enum desk_answer desk_refuse(struct error *err, enum error_code code, const char *why)
{
    error_set(err, code, "%s", why);
    return DESK_REFUSED;
}

enum desk_answer desk_failed(struct error *err)
{
    if (err->code != ERROR_FORBIDDEN && err->code != ERROR_GONE && err->code != ERROR_CONFLICT)
        err->code = ERROR_UNAVAILABLE;
    return DESK_REFUSED;
}

void desk_look(const struct desk *desk, const json_t *session, bool restore)
{
    if (desk->plan.look)
        desk->plan.look(desk->plan.context, restore, meta(session, "namespace"),
                        meta(session, "name"));
}

json_t *desk_read_session(const struct desk *desk, bool restore, const json_t *known,
                          struct error *err)
{
    const struct kube_ref ref = {restore ? &restore_sessions : &backup_sessions,
                                 meta(known, "namespace"), meta(known, "name"), NULL};
    AUTO(json) json_t *session = kube_get(desk->plan.client, &ref, err);

    if (session && !span_equal(tree_span(tree_get(session, "metadata"), "uid"),
                               tree_span(tree_get(known, "metadata"), "uid"))) {
        error_set(err, ERROR_NOT_FOUND, "the session is not there any more");
        return NULL;
    }
    return TAKE(session);
}

bool desk_write_status(const struct desk *desk, bool restore, const json_t *session,
                       const json_t *status, struct error *err)
{
    return status_send(desk->plan.client, restore ? &restore_sessions : &backup_sessions, session,
                       status, err) <= STATUS_SENT;
}

char *desk_repository_key(const json_t *repository)
{
    const char *space = meta(repository, "namespace"), *name = meta(repository, "name");

    return text_format("%s/%s", space ? space : "", name ? name : "");
}

json_t *desk_invoker_of(const struct desk *desk, const json_t *session, bool restore)
{
    const struct session_view *view = &desk->plan.view;
    const char *name = tree_text(tree_at(session, "spec.invoker"), "name");

    return restore ? tree_share(session)
                   : view->get(view->context, VIEW_CONFIGURATION, meta(session, "namespace"),
                               name ? name : "");
}

bool desk_session_of_job(const struct desk *desk, const struct desk_pod *pod, json_t **session,
                         json_t **invoker, struct error *err)
{
    const json_t *owner = tree_get(pod->job, "session");
    bool restore = span_is(tree_span(owner, "kind"), "RestoreSession");
    AUTO(json) json_t *known = json_object();
    json_t *metadata = tree_copy(owner);

    tree_put_text(metadata, "namespace", meta(pod->pod, "namespace"));
    tree_put_new(known, "metadata", metadata);
    *session = desk_read_session(desk, restore, known, err);
    *invoker = *session ? desk_invoker_of(desk, *session, restore) : NULL;
    if (*invoker)
        return true;
    return *session || err->code == ERROR_NOT_FOUND
               ? error_set(err, ERROR_GONE, "the session of this Job is not there any more")
               : false;
}

/* From the session that owns the Job. */
static bool find_target(const struct desk *desk, struct desk_pod *pod, struct error *err)
{
    AUTO(json) json_t *session = NULL;
    AUTO(json) json_t *invoker = NULL;

    if (!desk_session_of_job(desk, pod, &session, &invoker, err))
        return false;
    pod->target = session_target(invoker);
    if (!pod->target)
        return error_set(err, ERROR_FORBIDDEN, "the session names no target");
    pod->text = session_target_text(pod->target);
    return true;
}

bool desk_find_pod(const struct desk *desk, const struct agent_caller *caller, bool init,
                   struct desk_pod *pod, struct error *err)
{
    AUTO(json) json_t *chain = desk_memory_chain(desk->memory, caller->pod_uid);

    if (!desk_pod_read(desk->plan.client, caller, init, chain, pod, err) ||
        (!pod->target && !find_target(desk, pod, err)))
        return false;
    if (!chain)
        desk_memory_put_chain(desk->memory, caller->pod_uid, desk_pod_chain(pod));
    return true;
}

static bool expects(void *context, const struct agent_caller *presumed,
                    const struct message_claim *message)
{
    const struct desk *desk = context;

    return desk_memory_expects(desk->memory, &desk->plan.view, presumed, message, desk_now_s(desk));
}

/* ---- all of it ---- */

static enum desk_answer trigger(void *context, const struct agent_caller *caller,
                                const struct message_trigger *message, struct text *answer,
                                struct error *err)
{
    const struct desk *desk = context;

    (void)message;
    return desk_trigger(desk->plan.client, &desk->plan.view, caller, answer, err)
               ? DESK_ANSWERED
               : desk_failed(err);
}

struct agent_desk desk_callbacks(struct desk *desk)
{
    return (struct agent_desk){.expects = expects,
                               .claim = desk_claim,
                               .progress = desk_progress,
                               .report = desk_report,
                               .trigger = trigger,
                               .stream = desk_stream,
                               .context = desk};
}

void desk_changed(struct desk *desk)
{
    desk_memory_changed(desk->memory);
}

int64_t desk_heard_s(struct desk *desk, const char *session_uid, const char *host)
{
    return desk_memory_heard_s(desk->memory, session_uid, host);
}

bool desk_asked(struct desk *desk, const char *session_uid)
{
    return desk_memory_asked(desk->memory, session_uid, desk_now_s(desk) - ASKED_S);
}
