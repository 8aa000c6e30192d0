#include "controllers/desk_memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/desk_left.h"
#include "controllers/progress_status.h"
#include "controllers/session_make.h"
#include "controllers/session_next.h"

struct desk_memory {
    pthread_mutex_t mutex;
    json_t *pods;    /* by uid: {maker, target, text, idle, idleSince} */
    json_t *works;   /* by "session/host": {pod, instance, attempt, heard} */
    json_t *asked;   /* by session: when */
    json_t *running; /* by text of a target: a session's state; NULL: to be looked up */
    json_t *spaces;  /* by namespace of these targets: true */
    json_t *left;    /* by uid of a pod: when it claimed what nobody waits for any more */
};

struct desk_memory *desk_memory_make(void)
{
    struct desk_memory *memory = text_alloc(sizeof *memory);

    *memory =
        (struct desk_memory){.pods = json_object(), .works = json_object(), .asked = json_object()};
    pthread_mutex_init(&memory->mutex, NULL);
    return memory;
}

void desk_memory_free(struct desk_memory *memory)
{
    if (!memory)
        return;
    json_decref(memory->pods);
    json_decref(memory->works);
    json_decref(memory->asked);
    json_decref(memory->running);
    json_decref(memory->spaces);
    json_decref(memory->left);
    pthread_mutex_destroy(&memory->mutex);
    free(memory);
}

static void forget_running(struct desk_memory *memory)
{
    json_decref(TAKE(memory->running));
    json_decref(TAKE(memory->spaces));
    json_decref(TAKE(memory->left));
}

void desk_memory_changed(struct desk_memory *memory)
{
    pthread_mutex_lock(&memory->mutex);
    forget_running(memory);
    pthread_mutex_unlock(&memory->mutex);
}

static void put(json_t *map, const char *key, json_t *value_new)
{
    if (json_object_size(map) >= DESK_MEMORY_MAX && !tree_get(map, key))
        json_object_clear(map);
    tree_put_new(map, key, value_new);
}

/* ---- pods ---- */

json_t *desk_memory_chain(struct desk_memory *memory, const char *pod_uid)
{
    pthread_mutex_lock(&memory->mutex);

    json_t *chain = tree_copy(tree_get(memory->pods, pod_uid));

    pthread_mutex_unlock(&memory->mutex);
    return chain;
}

void desk_memory_put_chain(struct desk_memory *memory, const char *pod_uid, json_t *chain_new)
{
    pthread_mutex_lock(&memory->mutex);
    put(memory->pods, pod_uid, chain_new);
    pthread_mutex_unlock(&memory->mutex);
}

/* A session in one state, whatever its progress is: that makes a new version now and then, and
 * nobody who waits is to be looked at again for it. */
static char *state_of(const json_t *session)
{
    AUTO(json) json_t *parts = progress_without(session);
    AUTO(text) struct text text = {0};
    char hex[65];

    if (parts)
        tree_write(&text, parts, true);
    text_sha256((struct span){text_get(&text), text.length}, hex);
    return text_dup(hex, sizeof hex - 1);
}

void desk_memory_idle(struct desk_memory *memory, const char *pod_uid, const json_t *session,
                      int64_t now_s)
{
    AUTO(free) char *state = state_of(session);

    pthread_mutex_lock(&memory->mutex);

    json_t *pod = json_object_get(memory->pods, pod_uid);

    if (pod) {
        tree_put_text(pod, "idle", state);
        tree_put_int(pod, "idleSince", now_s);
    }
    pthread_mutex_unlock(&memory->mutex);
}

static bool is_idle(const json_t *pod, const char *state, int64_t now_s)
{
    return span_is(tree_span(pod, "idle"), state) &&
           now_s - tree_int(pod, "idleSince", 0) < DESK_IDLE_S;
}

/* ---- sessions that run ---- */

static void note_running(struct desk_memory *memory, const struct session_view *view,
                         const json_t *session)
{
    const char *space = tree_text(tree_get(session, "metadata"), "namespace");
    const char *name = tree_text(tree_at(session, "spec.invoker"), "name");
    const char *phase = tree_text(tree_get(session, "status"), "phase");

    if (session_phase_of(phase) != SESSION_RUNNING || !space || !name)
        return;

    AUTO(json)
    json_t *configuration = view->get(view->context, VIEW_CONFIGURATION, space, name);
    AUTO(json) json_t *target = session_target(configuration);

    if (!target)
        return;

    AUTO(free) char *text = session_target_text(target);
    AUTO(free) char *state = state_of(session);

    tree_put_text(memory->running, text, state);
    tree_put_bool(memory->spaces, tree_text(target, "namespace"), true);
}

static void note_left(struct desk_memory *memory, const struct session_view *view,
                      const json_t *lease)
{
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
    AUTO(json) json_t *ledger = desk_left_ledger(view, lease, claims);

    for (size_t i = 0; ledger && i < claims->count; i++)
        if (claims->list[i].pod)
            tree_put_int(memory->left, claims->list[i].pod, claims->list[i].since_s);
}

static void look_up_running(struct desk_memory *memory, const struct session_view *view)
{
    AUTO(json) json_t *sessions = view->all(view->context, VIEW_SESSION);
    AUTO(json) json_t *leases = view->all(view->context, VIEW_LEASE);
    const json_t *session, *lease;
    size_t i;

    memory->running = json_object();
    memory->spaces = json_object();
    memory->left = json_object();
    tree_items (sessions, i, session)
        note_running(memory, view, session);
    tree_items (leases, i, lease)
        note_left(memory, view, lease);
}

static bool has_left(const struct desk_memory *memory, const struct agent_caller *caller,
                     const struct message_claim *message, int64_t now_s)
{
    int64_t since_s = tree_int(memory->left, caller->pod_uid, 0);

    return since_s > 0 && desk_is_younger(message, since_s, now_s);
}

bool desk_memory_has_left(struct desk_memory *memory, const struct session_view *view,
                          const struct agent_caller *caller, const struct message_claim *message,
                          int64_t now_s)
{
    bool has;

    pthread_mutex_lock(&memory->mutex);
    if (!memory->running)
        look_up_running(memory, view);
    has = has_left(memory, caller, message, now_s);
    pthread_mutex_unlock(&memory->mutex);
    return has;
}

static bool expects_backup(struct desk_memory *memory, const struct session_view *view,
                           const struct agent_caller *caller, const struct message_claim *message,
                           int64_t now_s)
{
    const json_t *pod = tree_get(memory->pods, caller->pod_uid);

    if (!memory->running)
        look_up_running(memory, view);
    if (has_left(memory, caller, message, now_s))
        return true;
    if (!pod)
        return tree_true(memory->spaces, caller->space);

    const char *state = tree_text(memory->running, tree_text(pod, "text"));

    return state && !is_idle(pod, state, now_s);
}

/* What is not known may be gone: then its application may start. */
static bool expects_restore(struct desk_memory *memory, const struct session_view *view,
                            const struct agent_caller *caller, const char *session, int64_t now_s)
{
    AUTO(json) json_t *known = session ? view->uid(view->context, VIEW_RESTORE, session) : NULL;
    AUTO(free) char *state = state_of(known);

    return !known || !is_idle(tree_get(memory->pods, caller->pod_uid), state, now_s);
}

bool desk_memory_expects(struct desk_memory *memory, const struct session_view *view,
                         const struct agent_caller *caller, const struct message_claim *message,
                         int64_t now_s)
{
    bool expects = true;

    pthread_mutex_lock(&memory->mutex);
    if (message->role == MESSAGE_SIDECAR)
        expects = expects_backup(memory, view, caller, message, now_s);
    else if (message->role == MESSAGE_INIT)
        expects = expects_restore(memory, view, caller, message->session, now_s);
    pthread_mutex_unlock(&memory->mutex);
    return expects;
}

/* ---- work ---- */

static char *key_of(const char *session, const char *host)
{
    return text_format("%s/%s", session, host);
}

static bool is_same(const json_t *work, const struct desk_claim *claim)
{
    return work && span_is(tree_span(work, "pod"), claim->pod_uid) &&
           span_is(tree_span(work, "instance"), claim->instance) &&
           tree_int(work, "attempt", 0) == claim->attempt;
}

void desk_memory_put(struct desk_memory *memory, const struct desk_claim *claim, int64_t now_s)
{
    AUTO(free) char *key = key_of(claim->session, claim->host);
    json_t *work = json_object();

    tree_put_text(work, "pod", claim->pod_uid);
    tree_put_text(work, "instance", claim->instance);
    tree_put_int(work, "attempt", claim->attempt);
    tree_put_int(work, "heard", now_s);
    pthread_mutex_lock(&memory->mutex);
    put(memory->works, key, work);
    pthread_mutex_unlock(&memory->mutex);
}

bool desk_memory_is_of(struct desk_memory *memory, const struct desk_claim *claim, int64_t now_s)
{
    AUTO(free) char *key = key_of(claim->session, claim->host);

    pthread_mutex_lock(&memory->mutex);

    json_t *work = json_object_get(memory->works, key);
    bool same = is_same(work, claim);

    if (same)
        tree_put_int(work, "heard", now_s);
    pthread_mutex_unlock(&memory->mutex);
    return same;
}

void desk_memory_drop(struct desk_memory *memory, const struct desk_claim *claim)
{
    AUTO(free) char *key = key_of(claim->session, claim->host);

    pthread_mutex_lock(&memory->mutex);
    if (is_same(tree_get(memory->works, key), claim))
        json_object_del(memory->works, key);
    pthread_mutex_unlock(&memory->mutex);
}

int64_t desk_memory_heard_s(struct desk_memory *memory, const char *session, const char *host)
{
    AUTO(free) char *key = key_of(session, host);

    pthread_mutex_lock(&memory->mutex);

    int64_t heard_s = tree_int(tree_get(memory->works, key), "heard", 0);

    pthread_mutex_unlock(&memory->mutex);
    return heard_s;
}

/* ---- who waits for a restore ---- */

bool desk_memory_ask(struct desk_memory *memory, const char *session, int64_t now_s)
{
    pthread_mutex_lock(&memory->mutex);

    bool fresh = !tree_get(memory->asked, session);

    put(memory->asked, session, json_integer(now_s));
    pthread_mutex_unlock(&memory->mutex);
    return fresh;
}

bool desk_memory_asked(struct desk_memory *memory, const char *session, int64_t since_s)
{
    pthread_mutex_lock(&memory->mutex);

    int64_t asked_s = tree_int(memory->asked, session, 0);

    pthread_mutex_unlock(&memory->mutex);
    return asked_s > 0 && asked_s >= since_s;
}
