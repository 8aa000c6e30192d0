#include "controllers/session_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/dump_command.h"
#include "api/selector.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/claimed_pods.h"
#include "controllers/etcd_edge.h"
#include "controllers/progress_loop.h"
#include "controllers/session_edge.h"
#include "controllers/session_jobs.h"
#include "controllers/session_keys.h"
#include "controllers/session_make.h"
#include "controllers/target_lease.h"
#include "controllers/target_pods.h"

/* Until what was written is known here too, which tells of itself; after somebody was faster. */
#define WRITTEN_MS 2000
#define CONFLICT_MS 200

/* Until a session that has to wait for others of the cluster is looked at again. */
#define CROWDED_S 10

struct sessions {
    struct loops *loops;
    struct desk *desk; /* NULL: no cluster */
    int64_t since_s;   /* of this leader */
    pthread_mutex_t mutex;
    void (*wake)(void *context); /* under the mutex */
    void *context;
};

/* ---- what the desk knows ---- */

static const enum known_kind kinds[] = {
    [VIEW_NAMESPACE] = KNOWN_NAMESPACE,
    [VIEW_CONFIGURATION] = KNOWN_CONFIGURATION,
    [VIEW_REPOSITORY] = KNOWN_REPOSITORY,
    [VIEW_SESSION] = KNOWN_SESSION,
    [VIEW_RESTORE] = KNOWN_RESTORE,
    [VIEW_FUNCTION] = KNOWN_FUNCTION,
    [VIEW_TASK] = KNOWN_TASK,
    [VIEW_LEASE] = KNOWN_LEASE,
};

static json_t *view_get(void *loops, enum view_kind kind, const char *space, const char *name)
{
    return known_get(loops_known(loops), kinds[kind], space, name);
}

static json_t *view_uid(void *loops, enum view_kind kind, const char *uid)
{
    return known_uid(loops_known(loops), kinds[kind], uid);
}

static json_t *view_of_target(void *loops, enum view_kind kind, const char *target)
{
    return known_find(loops_known(loops), kinds[kind], KNOWN_BY_TARGET, target);
}

static json_t *view_of_invoker(void *loops, const char *configuration)
{
    return known_find(loops_known(loops), KNOWN_SESSION, KNOWN_BY_INVOKER, configuration);
}

static json_t *view_all(void *loops, enum view_kind kind)
{
    return known_all(loops_known(loops), kinds[kind]);
}

static struct session_view view_of(struct loops *loops)
{
    return (struct session_view){view_get,        view_uid, view_of_target,
                                 view_of_invoker, view_all, loops};
}

static void look_at(void *context, bool restore, const char *space, const char *name)
{
    struct loops *loops = context;
    AUTO(json)
    json_t *session = known_get(loops_known(loops), restore ? KNOWN_RESTORE : KNOWN_SESSION,
                                space ? space : "", name ? name : "");
    AUTO(free) char *key = session ? session_keys_of(loops_known(loops), session) : NULL;

    if (key)
        loops_wake(loops, &session_loop, key, 0);
}

static void note_progress(void *context, const struct message_progress *message)
{
    progress_loop_note(context, message);
}

static void tell(void *context, const json_t *object, const struct kube_event *event)
{
    loops_tell(context, object, event);
}

/* ---- life ---- */

static void *make(struct loops *loops)
{
    struct sessions *sessions = text_alloc(sizeof *sessions);
    const struct desk_plan plan = {
        .client = loops_client(loops),
        .space = loops_space(loops),
        .view = view_of(loops),
        .look = look_at,
        .progress = note_progress,
        .tell = tell,
        .context = loops,
    };

    *sessions = (struct sessions){.loops = loops, .since_s = clock_now_s()};
    pthread_mutex_init(&sessions->mutex, NULL);
    sessions->desk = plan.client ? desk_make(&plan) : NULL;
    return sessions;
}

static void release(void *state)
{
    struct sessions *sessions = state;

    desk_free(sessions->desk);
    pthread_mutex_destroy(&sessions->mutex);
    free(sessions);
}

static struct sessions *state_of(struct loops *loops)
{
    return loops_state(loops, &session_loop);
}

struct desk *session_loop_desk(struct loops *loops)
{
    struct sessions *sessions = state_of(loops);

    return sessions ? sessions->desk : NULL;
}

void session_loop_attend(struct loops *loops, void (*wake)(void *context), void *context)
{
    struct sessions *sessions = state_of(loops);

    if (!sessions)
        return;
    pthread_mutex_lock(&sessions->mutex);
    sessions->wake = wake;
    sessions->context = context;
    pthread_mutex_unlock(&sessions->mutex);
}

/* ---- what is seen of a target ---- */

struct sight {
    json_t *target;         /* owned */
    json_t *configurations; /* owned, as are all lists */
    json_t *sessions, *restores, *lease;
    const json_t **session_list, **restore_list; /* owned */
    char *holder;                                /* owned; UID of who holds the Lease, "" */
    struct target_pods pods;                     /* when somebody does */
    json_t *missing;                             /* owned: see struct session_seen */
    struct session_jobs jobs;                    /* of who holds it, where Jobs do the work */
    const struct settings *settings;             /* borrowed */
    struct session_view view;
    int64_t now_s;
};

static void auto_sight(struct sight *sight)
{
    json_decref(sight->target);
    json_decref(sight->configurations);
    json_decref(sight->sessions);
    json_decref(sight->restores);
    json_decref(sight->lease);
    free((void *)sight->session_list);
    free((void *)sight->restore_list);
    free(sight->holder);
    target_pods_done(&sight->pods);
    session_jobs_done(&sight->jobs);
    json_decref(sight->missing);
}

static const json_t **array_of(const json_t *list)
{
    size_t count = json_array_size(list);
    const json_t **array = text_alloc((count + 1) * sizeof *array);

    for (size_t i = 0; i < count; i++)
        array[i] = json_array_get(list, i);
    return array;
}

/* Those of other kinds of invokers are nobody's here. */
static void add_backups(json_t *all, const json_t *sessions)
{
    const json_t *session;
    size_t i;

    tree_items (sessions, i, session)
        if (span_is(tree_span(tree_at(session, "spec.invoker"), "kind"), "BackupConfiguration"))
            tree_push_new(all, tree_share(session));
}

static json_t *sessions_of(struct known *known, const json_t *configurations)
{
    json_t *all = json_array();
    const json_t *one;
    size_t i;

    tree_items (configurations, i, one) {
        const json_t *metadata = tree_get(one, "metadata");
        AUTO(free)
        char *key =
            text_format("%s/%s", tree_text(metadata, "namespace"), tree_text(metadata, "name"));
        AUTO(json) json_t *its = known_find(known, KNOWN_SESSION, KNOWN_BY_INVOKER, key);

        add_backups(all, its);
    }
    return all;
}

/* As somebody wrote it, since its version stands in statuses. */
static json_t *target_of(const struct sight *sight, const char *text)
{
    const json_t *named = json_array_get(sight->configurations, 0);
    json_t *target = session_target(named ? named : json_array_get(sight->restores, 0));

    return target ? target : session_keys_parse(text);
}

static json_t *first_of(json_t *list_new)
{
    json_t *first = tree_share(json_array_get(list_new, 0));

    json_decref(list_new);
    return first;
}

/* From memory alone. */
static void look(struct loops *loops, const char *text, struct sight *sight)
{
    struct known *known = loops_known(loops);

    sight->now_s = clock_now_s();
    sight->configurations = known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_TARGET, text);
    sight->restores = known_find(known, KNOWN_RESTORE, KNOWN_BY_TARGET, text);
    sight->sessions = sessions_of(known, sight->configurations);
    sight->lease = first_of(known_find(known, KNOWN_LEASE, KNOWN_BY_TARGET, text));
    sight->target = target_of(sight, text);
    sight->session_list = array_of(sight->sessions);
    sight->restore_list = array_of(sight->restores);
    sight->holder = target_lease_session(sight->lease);
}

static int64_t heard_of(void *context, const char *session, const char *host)
{
    return desk_heard_s(session_loop_desk(context), session, host);
}

static struct session_edge edge_of(struct loops *loops, const struct sight *sight)
{
    return (struct session_edge){.client = loops_client(loops),
                                 .space = loops_space(loops),
                                 .view = &sight->view,
                                 .settings = sight->settings,
                                 .heard_s = heard_of,
                                 .tell = tell,
                                 .context = loops};
}

static const char *alias_of(const json_t *invoker)
{
    const char *alias = tree_text(tree_at(invoker, "spec.target"), "alias");

    return alias && *alias ? alias : NULL;
}

/* Whatever its configuration says by now. */
static bool has_jobs(const struct sight *sight, const json_t *session)
{
    return json_array_size(sight->jobs.jobs) &&
           span_is(tree_span(tree_get(session, "metadata"), "uid"), sight->holder);
}

/* How many Jobs may be at work at once in the whole cluster is the administrator's choice. Seen in
 * our memory, which may be a moment behind. */
static bool is_full_of_jobs(struct loops *loops, const struct settings *settings)
{
    AUTO(json) json_t *all = known_all(loops_known(loops), KNOWN_JOB);
    const json_t *job;
    int64_t working = 0;
    size_t i;

    tree_items (all, i, job)
        working += tree_get(tree_at(job, "metadata.labels"), LABEL_SESSION) && hosts_job_runs(job);
    return working >= settings->concurrent_jobs;
}

static struct session_seen seen_of(struct loops *loops, const struct sight *sight,
                                   const json_t *session, const json_t *invoker)
{
    struct session_seen seen = {
        .session = session,
        .sessions = sight->session_list,
        .session_count = json_array_size(sight->sessions),
        .lease = sight->lease,
        .pods_s = sight->pods.read_s,
        .missing = sight->missing,
        .watched_s = state_of(loops)->since_s,
        .now_s = sight->now_s,
        .target = {.alias = alias_of(invoker),
                   .job = session_is_job(sight->target, invoker) || has_jobs(sight, session)},
    };

    target_pods_show(&sight->pods, &seen.target);
    /* one of its pods is asked for all: it is one host, however many there are */
    if (dump_command_is_of(invoker))
        seen.target.workload = NULL;
    if (seen.target.job) {
        seen.jobs_max = sight->settings->jobs_per_session;
        seen.crowded = is_full_of_jobs(loops, sight->settings);
        session_jobs_show(&sight->jobs, &seen.target);
        seen.pods_s = sight->jobs.read_s;
    }
    return seen;
}

/* ---- one step of all there is ---- */

/* What all of a target's turns come to. */
struct round {
    bool wrote, conflict, failed;
    int64_t look_s; /* the nearest, 0: none */
};

static void note_look(struct round *round, int64_t look_s)
{
    if (look_s > 0 && (!round->look_s || look_s < round->look_s))
        round->look_s = look_s;
}

/* Somebody who was faster, or deleted it, is no failure; and what fails for one session keeps no
 * other waiting. */
static void note(struct round *round, bool done, const struct session_turn *turn,
                 const struct error *why, struct error *err)
{
    if (!done && (why->code == ERROR_CONFLICT || why->code == ERROR_NOT_FOUND)) {
        round->conflict = true;
    } else if (!done) {
        round->failed = true;
        *err = *why;
    } else {
        round->wrote |= turn->wrote;
        note_look(round, turn->look_s);
    }
}

static bool begins(const json_t *session)
{
    return session_phase_of(tree_text(tree_get(session, "status"), "phase")) <= SESSION_PENDING;
}

/* How many sessions may work at once in the whole cluster is the administrator's choice. */
static bool is_crowded(struct loops *loops, const struct sight *sight, const json_t *session)
{
    AUTO(settings_held) const struct settings *settings = loops_settings(loops);
    AUTO(json) json_t *all = NULL;
    const json_t *one;
    int64_t running = 0;
    size_t i;

    if (!begins(session) || *sight->holder)
        return false;
    all = known_all(loops_known(loops), KNOWN_SESSION);
    tree_items (all, i, one)
        running += session_phase_of(tree_text(tree_get(one, "status"), "phase")) == SESSION_RUNNING;
    return running >= settings->concurrent_sessions;
}

static void step_backup(struct loops *loops, const struct sight *sight, const json_t *session,
                        struct round *round, struct error *err)
{
    const struct session_edge edge = edge_of(loops, sight);
    const char *space = tree_text(tree_get(session, "metadata"), "namespace");
    const char *name = tree_text(tree_at(session, "spec.invoker"), "name");
    AUTO(json)
    json_t *configuration =
        known_get(loops_known(loops), KNOWN_CONFIGURATION, space ? space : "", name ? name : "");
    struct session_seen seen = seen_of(loops, sight, session, configuration);
    struct session_turn turn = {0};
    struct error why = {.message = ""};

    seen.configuration = configuration;
    if (is_crowded(loops, sight, session)) {
        note_look(round, sight->now_s + CROWDED_S);
        return;
    }
    note(round, session_edge_step(&edge, &seen, sight->target, &turn, &why), &turn, &why, err);
}

/* Why it can not work as it is, and what is missing; NULL: nothing. */
static void judge_restore(struct loops *loops, const struct sight *sight, const json_t *session,
                          struct session_seen *seen)
{
    struct known *known = loops_known(loops);
    const char *own = tree_text(tree_get(session, "metadata"), "namespace");
    AUTO(free) char *key = known_reference(session, tree_at(session, "spec.repository"));
    const char *slash = key ? strchr(key, '/') : NULL;
    AUTO(free) char *space = slash ? text_dup(key, (size_t)(slash - key)) : NULL;
    AUTO(json)
    json_t *repository = slash ? known_get(known, KNOWN_REPOSITORY, space, slash + 1) : NULL;
    AUTO(json) json_t *object = known_get(known, KNOWN_NAMESPACE, NULL, own ? own : "");
    enum known_kind kind = known_kind_of(sight->target);
    AUTO(json)
    json_t *target = kind < KNOWN_KINDS
                         ? known_get(known, kind, tree_text(sight->target, "namespace"),
                                     tree_text(sight->target, "name"))
                         : NULL;

    if (!repository)
        seen->not_ready = "the Repository is not there";
    else if (usage_of_repository(repository, own ? own : "", object) == USAGE_REFUSED)
        seen->invalid = "the Repository does not allow this namespace";
    else if (!target)
        seen->not_ready = "the target is not there";
}

static void step_restore(struct loops *loops, const struct sight *sight, const json_t *session,
                         struct round *round, struct error *err)
{
    const struct session_edge edge = edge_of(loops, sight);
    const char *uid = tree_text(tree_get(session, "metadata"), "uid");
    struct session_seen seen = seen_of(loops, sight, session, session);
    struct session_turn turn = {0};
    struct error why = {.message = ""};
    bool etcd = false;

    seen.sessions = sight->restore_list;
    seen.session_count = json_array_size(sight->restores);
    seen.target.init = !seen.target.job;
    seen.asked = uid && desk_asked(session_loop_desk(loops), uid);
    judge_restore(loops, sight, session, &seen);
    if (!etcd_edge_is(edge.client, session, sight->target, &etcd, &why)) {
        note(round, false, &turn, &why, err);
        return;
    }
    if (etcd) {
        note(round, etcd_edge_step(&edge, &seen, sight->target, &turn, &why), &turn, &why, err);
        return;
    }
    note(round, session_edge_restore(&edge, &seen, sight->target, &turn, &why), &turn, &why, err);
}

static bool has_uid(const json_t *list, const char *uid)
{
    return tree_item_at(list, "metadata.uid", uid) != NULL;
}

/* One that holds the Lease and is not there any more, or not of this target. */
static bool is_orphaned(struct loops *loops, const struct sight *sight)
{
    struct known *known = loops_known(loops);

    if (!*sight->holder || has_uid(sight->sessions, sight->holder) ||
        has_uid(sight->restores, sight->holder))
        return false;

    AUTO(json) json_t *elsewhere = known_uid(known, KNOWN_SESSION, sight->holder);

    return !elsewhere;
}

static void step_orphan(struct loops *loops, const struct sight *sight, struct round *round,
                        struct error *err)
{
    const struct session_edge edge = edge_of(loops, sight);
    AUTO(json) json_t *session = session_of_ledger(sight->lease);
    struct session_seen seen = seen_of(loops, sight, session, NULL);
    struct session_turn turn = {0};
    struct error why = {.message = ""};

    /* whose Repository its pods leave, most likely */
    seen.configuration = json_array_get(sight->configurations, 0);
    seen.target.init = span_is(tree_span(session, "kind"), "RestoreSession");
    if (json_array_size(sight->jobs.pods)) { /* whatever it was, its pods are found by its UID */
        seen.target.job = true;
        session_jobs_show(&sight->jobs, &seen.target);
    }
    note(round, session_edge_step(&edge, &seen, sight->target, &turn, &why), &turn, &why, err);
}

static void keep_history(struct loops *loops, const struct sight *sight, struct round *round,
                         struct error *err)
{
    const struct session_edge edge = edge_of(loops, sight);
    const json_t *configuration;
    size_t i;

    tree_items (sight->configurations, i, configuration) {
        const json_t *metadata = tree_get(configuration, "metadata");
        AUTO(free)
        char *key =
            text_format("%s/%s", tree_text(metadata, "namespace"), tree_text(metadata, "name"));
        AUTO(json)
        json_t *its = known_find(loops_known(loops), KNOWN_SESSION, KNOWN_BY_INVOKER, key);
        AUTO(free) const json_t **list = array_of(its);
        struct session_turn turn = {0};
        struct error why = {.message = ""};

        note(round,
             session_edge_history(&edge, configuration, list, json_array_size(its), sight->holder,
                                  &turn, &why),
             &turn, &why, err);
    }
}

static void step_all(struct loops *loops, const struct sight *sight, struct round *round,
                     struct error *err)
{
    const json_t *session;
    size_t i;

    tree_items (sight->sessions, i, session)
        step_backup(loops, sight, session, round, err);
    tree_items (sight->restores, i, session)
        step_restore(loops, sight, session, round, err);
    if (is_orphaned(loops, sight))
        step_orphan(loops, sight, round, err);
    if (!round->wrote && !round->conflict)
        keep_history(loops, sight, round, err);
}

/* Who waits is asked for again when there may be something for him. */
static void wake_agents(struct loops *loops)
{
    struct sessions *sessions = state_of(loops);

    desk_changed(sessions->desk);
    pthread_mutex_lock(&sessions->mutex);
    if (sessions->wake)
        sessions->wake(sessions->context);
    pthread_mutex_unlock(&sessions->mutex);
}

void session_loop_wake(struct loops *loops)
{
    if (session_loop_desk(loops))
        wake_agents(loops);
}

static int64_t answer_of(const struct round *round, int64_t now_s)
{
    if (round->failed)
        return LOOP_FAILED;
    if (round->conflict)
        return CONFLICT_MS;
    if (round->wrote)
        return WRITTEN_MS;
    if (!round->look_s)
        return LOOP_RESTS;
    return round->look_s > now_s ? (round->look_s - now_s) * 1000 : 0;
}

/* The namespace of who holds the Lease; of one that is gone as the Lease has it. */
static char *space_of_holder(struct loops *loops, const struct sight *sight)
{
    struct known *known = loops_known(loops);
    AUTO(json) json_t *backup = known_uid(known, KNOWN_SESSION, sight->holder);
    AUTO(json) json_t *restore = known_uid(known, KNOWN_RESTORE, sight->holder);
    AUTO(json) json_t *gone = session_of_ledger(sight->lease);
    const json_t *holder = backup ? backup : restore ? restore : gone;
    const char *space = tree_text(tree_get(holder, "metadata"), "namespace");

    return space ? text_dup(space, strlen(space)) : NULL;
}

/* Of who is gone nobody knows it; and who began with Jobs ends with them. */
static bool wants_jobs(struct loops *loops, const struct sight *sight)
{
    AUTO(json)
    json_t *made = known_find(loops_known(loops), KNOWN_JOB, KNOWN_BY_OWNER, sight->holder);
    bool wants = json_array_size(made) || target_is_job(sight->target) || is_orphaned(loops, sight);
    const json_t *configuration;
    size_t i;

    tree_items (sight->configurations, i, configuration)
        wants = wants || session_is_job(sight->target, configuration);
    return wants;
}

/* Where all who may have claimed are in one namespace: what has no pods is worked on in that of the
 * session alone. */
static bool seek_claimed(struct loops *loops, struct sight *sight, const char *space,
                         struct error *err)
{
    struct span own = tree_span(sight->target, "namespace");
    bool one = space && (span_is(own, space) || target_is_job(sight->target));

    return !one || claimed_pods_seek(loops_client(loops), space, sight->lease, sight->jobs.pods,
                                     &sight->pods, &sight->missing, err);
}

/* While somebody holds the Lease, its pods decide what becomes of it. */
static bool read_pods(struct loops *loops, struct sight *sight, struct error *err)
{
    AUTO(free) char *space = *sight->holder ? space_of_holder(loops, sight) : NULL;

    if (!*sight->holder)
        return true;
    if (!target_pods_read(loops_client(loops), sight->target, sight->now_s, &sight->pods, err))
        return false;
    if (space && wants_jobs(loops, sight) &&
        !session_jobs_read(loops_client(loops), space, sight->holder, sight->now_s, &sight->jobs,
                           err))
        return false;
    return seek_claimed(loops, sight, space, err);
}

static int64_t take(struct loops *loops, struct sight *sight, struct error *err)
{
    AUTO(settings_held) const struct settings *settings = loops_settings(loops);
    struct round round = {0};

    sight->settings = settings;
    sight->view = view_of(loops);
    if (json_array_size(sight->sessions) + json_array_size(sight->restores))
        wake_agents(loops);
    if (!read_pods(loops, sight, err))
        return LOOP_FAILED;
    step_all(loops, sight, &round, err);
    return answer_of(&round, sight->now_s);
}

/* A BackupSession of which nobody knows the target: its configuration is gone. */
static int64_t step_alone(struct loops *loops, const char *key, struct error *err)
{
    AUTO(sight) struct sight sight = {.now_s = clock_now_s(), .holder = text_dup("", 0)};
    const char *slash = strchr(key, '/');
    AUTO(free) char *space = text_dup(key, slash ? (size_t)(slash - key) : 0);
    AUTO(json)
    json_t *session = slash ? known_get(loops_known(loops), KNOWN_SESSION, space, slash + 1) : NULL;
    AUTO(json) json_t *target = session ? session_keys_target(loops_known(loops), session) : NULL;

    if (!session || target) /* it is gone, or has a key of its own again */
        return LOOP_RESTS;
    sight.sessions = json_array();
    tree_push_new(sight.sessions, tree_share(session));
    sight.session_list = array_of(sight.sessions);
    sight.restores = json_array();
    return take(loops, &sight, err);
}

/* Those whose configuration is gone, and whose status says that they worked on this target. */
static void add_left_behind(struct loops *loops, const char *key, struct sight *sight)
{
    struct known *known = loops_known(loops);
    const char *space = tree_text(sight->target, "namespace");
    AUTO(json) json_t *near = known_find(known, KNOWN_SESSION, KNOWN_BY_SPACE, space ? space : "");
    AUTO(json) json_t *holder = known_uid(known, KNOWN_SESSION, sight->holder);
    const json_t *session;
    size_t i;

    if (holder)
        tree_push_new(near, tree_share(holder));
    tree_items (near, i, session) {
        AUTO(free) char *its = session_keys_of(known, session);
        const char *uid = tree_text(tree_get(session, "metadata"), "uid");

        if (its && strcmp(its, key) == 0 && uid && !has_uid(sight->sessions, uid))
            tree_push_new(sight->sessions, tree_share(session));
    }
    free((void *)sight->session_list);
    sight->session_list = array_of(sight->sessions);
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    AUTO(sight) struct sight sight = {0};

    if (!loops_client(loops))
        return LOOP_RESTS;
    if (*key == SESSION_KEY_ALONE)
        return step_alone(loops, key + 1, err);
    look(loops, key, &sight);
    add_left_behind(loops, key, &sight);
    return take(loops, &sight, err);
}

const struct loop session_loop = {.name = "sessions",
                                  .make = make,
                                  .free = release,
                                  .keys = session_keys,
                                  .step = step,
                                  .workers = 4};
