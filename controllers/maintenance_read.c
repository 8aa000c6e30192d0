#include "controllers/maintenance_read.h"

#include <stdlib.h>
#include <string.h>

#include "api/agent_messages.h"
#include "api/duration.h"
#include "api/keys.h"
#include "api/maintenance_args.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/drill.h"
#include "controllers/maintenance_job.h"
#include "controllers/maintenance_status.h"
#include "controllers/session_next.h"
#include "controllers/session_status.h"
#include "controllers/untagged.h"
#include "controllers/work_make.h"
#include "kube/meta.h"
#include "kube/time.h"

static const char *uid_of(const json_t *object)
{
    const char *uid = tree_text(tree_get(object, "metadata"), "uid");

    return uid ? uid : "";
}

bool maintenance_held(const struct maintenance_seen *seen, const char **job,
                      enum maintenance_kind *kind, int64_t *since_s)
{
    const char *uid = uid_of(seen->repository);

    for (size_t i = 0; *uid && i < seen->holders->count; i++) {
        const struct holder *holder = &seen->holders->list[i];

        if (strcmp(holder->session, uid) != 0)
            continue;
        *job = holder->pod;
        *kind = maintenance_job_kind(holder->pod);
        *since_s = holder->since_s;
        return true;
    }
    return false;
}

/* When a session ended so; else 0. Of one that has not said how long it took: when it was made. */
static int64_t end_of(const json_t *session, enum session_phase phase)
{
    const json_t *status = tree_get(session, "status");
    int64_t made_s, took_ns = 0;
    struct error err;

    if (session_phase_of(tree_text(status, "phase")) != phase || !meta_made(session, &made_s))
        return 0;
    if (!duration_parse(tree_span(status, "sessionDuration"), &took_ns, &err) || took_ns < 0)
        took_ns = 0;
    return made_s + took_ns / SECOND_NS;
}

int64_t maintenance_session_end(const json_t *session)
{
    return end_of(session, SESSION_SUCCEEDED);
}

static bool is_refused(const json_t *stats)
{
    const json_t *stat;
    size_t i;

    tree_items (stats, i, stat) {
        const char *error = tree_text(stat, "error");

        if (error && strncmp(error, WRONG_PASSWORD ":", sizeof WRONG_PASSWORD) == 0)
            return true;
    }
    return false;
}

/* When a session last failed for its password; 0: none did. */
static int64_t last_refused(const struct maintenance_seen *seen)
{
    const json_t *session, *target;
    int64_t last_s = 0;
    size_t i, k;

    tree_items (seen->sessions, i, session)
        tree_items (tree_at(session, "status.targets"), k, target)
            if (is_refused(tree_get(target, "stats")) && end_of(session, SESSION_FAILED) > last_s)
                last_s = end_of(session, SESSION_FAILED);
    return last_s;
}

static int64_t last_end(const struct maintenance_seen *seen)
{
    int64_t last_s = 0, made_s;
    const json_t *session;
    size_t i;

    /* sessions are kept for a while only */
    if (time_parse(tree_span(tree_get(seen->repository, "status"), "lastBackupTime"), &made_s))
        last_s = made_s;
    tree_items (seen->sessions, i, session)
        if (maintenance_session_end(session) > last_s)
            last_s = maintenance_session_end(session);
    return last_s;
}

bool maintenance_has_rules(const json_t *policy)
{
    const struct forget_of of = {.tag = "any"};
    json_t *args = NULL;
    struct error err;
    bool has = !forget_args(&of, policy, &args, &err) || args;

    json_decref(args);
    return has;
}

static void read_policies(const struct maintenance_seen *seen, struct maintenance *out)
{
    const json_t *configuration;
    size_t i;

    tree_items (seen->configurations, i, configuration) {
        const json_t *policy = tree_at(configuration, "spec.retentionPolicy");

        out->keeps = out->keeps || maintenance_has_rules(policy);
        out->prunes = out->prunes || (tree_true(policy, "prune") && !tree_true(policy, "dryRun"));
    }
}

const char *maintenance_unlock_asked(const json_t *repository)
{
    const char *asked = tree_text(tree_at(repository, "metadata.annotations"), KEY_UNLOCK);
    const char *done = maintenance_status_unlock(tree_get(repository, "status"));

    return asked && *asked && strcmp(asked, done) != 0 ? asked : NULL;
}

static enum maintenance_hold hold_of(const struct maintenance_seen *seen, struct maintenance *out)
{
    const json_t *status = tree_get(seen->repository, "status");
    const char *job;
    int64_t since_s;

    if (!maintenance_held(seen, &job, &out->held, &since_s))
        return seen->holders->wanted_s ? HOLD_WANTED : HOLD_NONE;
    out->run = seen->run;
    out->running = out->held;
    out->recorded = out->held < MAINTENANCE_KINDS && maintenance_status_has(status, out->held, job);
    return HOLD_OURS;
}

/* From when on slots count: what was missed before a schedule was known is nobody's. */
static void read_drills(const struct maintenance_seen *seen, struct maintenance *out)
{
    AUTO(free) char *plan = drill_plan_of(seen->configurations);
    int64_t since_s = 0, last_s = out->past[MAINTENANCE_VERIFY].succeeded_s;
    const char *known = maintenance_status_plan(tree_get(seen->repository, "status"), &since_s);

    out->crowded = seen->crowded;
    out->taken = seen->taken;
    out->beside = seen->beside;
    out->drills = plan != NULL;
    out->planned = plan && strcmp(plan, known) == 0;
    if (out->planned)
        out->drill_s = drill_next_s(seen->configurations, last_s > since_s ? last_s : since_s);
}

void maintenance_read(const struct maintenance_seen *seen, struct maintenance *out)
{
    const json_t *repository = seen->repository, *status = tree_get(repository, "status");

    *out = (struct maintenance){
        .held = MAINTENANCE_KINDS, .session_s = last_end(seen), .refused_s = last_refused(seen)};
    out->owned = condition_status(tree_get(status, "conditions"), BACKEND_OWNED) != CONDITION_FALSE;
    out->deleted = tree_get(tree_get(repository, "metadata"), "deletionTimestamp") != NULL;
    out->unlock_asked = maintenance_unlock_asked(repository) != NULL;
    read_policies(seen, out);
    maintenance_status_read(status, out);
    /* a password is refused by what is there */
    out->initialized = out->session_s > 0 || out->refused_s > 0;
    read_drills(seen, out);
    out->hold = hold_of(seen, out);
}

/* ---- runs ---- */

static bool push_forgets(const struct maintenance_seen *seen, json_t *runs, struct error *err)
{
    const json_t *configuration;
    size_t i;

    if (!untagged_forgets(seen, runs, err))
        return false;
    tree_items (seen->configurations, i, configuration) {
        AUTO(free) char *tag = work_tag(configuration);
        const struct forget_of of = {.tag = tag};
        json_t *args = NULL;

        if (!forget_args(&of, tree_at(configuration, "spec.retentionPolicy"), &args, err))
            return error_wrap(err, "BackupConfiguration %s",
                              tree_text(tree_get(configuration, "metadata"), "name"));
        tree_push_new(runs, args);
    }
    return true;
}

json_t *maintenance_runs(const struct maintenance_seen *seen, const struct maintenance_step *step,
                         struct error *err)
{
    AUTO(json) json_t *runs = json_array();

    /* it removes nothing, no lock either: others work there */
    if (step->kind == MAINTENANCE_VERIFY)
        return drill_runs(seen->configurations);
    /* restic itself says which locks are stale; nobody of this cluster works there now */
    tree_push_new(runs, unlock_args(step->kind == MAINTENANCE_UNLOCK && step->all));
    switch (step->kind) {
    case MAINTENANCE_FORGET:
        if (!push_forgets(seen, runs, err))
            return NULL;
        break;
    case MAINTENANCE_PRUNE:
        tree_push_new(runs, prune_args(NULL));
        break;
    case MAINTENANCE_CHECK:
        tree_push_new(runs, check_args(step->part));
        break;
    default:
        return TAKE(runs);
    }
    maintenance_look_args(runs);
    return TAKE(runs);
}
