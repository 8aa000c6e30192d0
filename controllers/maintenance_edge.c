#include "controllers/maintenance_edge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/findings.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/claims.h"
#include "controllers/condition.h"
#include "controllers/drill.h"
#include "controllers/followed.h"
#include "controllers/known.h"
#include "controllers/maintenance_job.h"
#include "controllers/maintenance_pods.h"
#include "controllers/maintenance_read.h"
#include "controllers/maintenance_status.h"
#include "controllers/pod_trouble.h"
#include "controllers/repository_lease.h"
#include "controllers/session_read.h"
#include "controllers/status_send.h"
#include "controllers/write.h"
#include "kube/meta.h"
#include "kube/verbs.h"

/* What the names of pods of maintenance begin with: of this cluster none but the one that has the
 * Repository alone lives, and of another cluster none writes to what is marked as ours. */
#define PODS "granary-"

/* Seconds until others who still work are looked at again; and a pod that is about to end. */
#define OTHERS_S 15
#define ENDING_S 3

static const struct kube_resource jobs = {"batch", "v1", "jobs", "Job", true};
static const struct kube_resource repositories = {GROUP_STASH, "v1alpha1", "repositories",
                                                  "Repository", true};
static const struct kube_resource backup_sessions = {GROUP_STASH, "v1beta1", "backupsessions",
                                                     "BackupSession", true};

/* One look at a Repository; owned, but for edge and sight. */
struct look {
    const struct maintenance_edge *edge;
    const struct maintenance_sight *sight;
    struct maintenance_turn *turn;
    struct repository_ledger ledger;
    struct maintenance_seen seen;
    struct maintenance found;
    const char *job; /* that works there; NULL: none */
    int64_t since_s;
    json_t *job_object, *pods; /* of it, when it has */
};

static void auto_look(struct look *look)
{
    repository_ledger_done(&look->ledger);
    json_decref(look->job_object);
    json_decref(look->pods);
}

/* ---- what is there ---- */

enum holder_state maintenance_state_of(const json_t *leases, const struct holder *holder,
                                       int64_t now_s)
{
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
    const json_t *lease;
    size_t i;

    tree_items (leases, i, lease) {
        struct error err;

        if (!claims_are_in(lease))
            continue;

        AUTO(json) json_t *ledger = claims_of_lease(lease, claims, &err);

        if (!ledger)
            return HOLDER_UNKNOWN; /* it may be there */
        for (size_t k = 0; k < claims->count; k++)
            if (strcmp(claims->session, holder->session) == 0 && claims->list[k].pod &&
                strcmp(claims->list[k].pod, holder->pod) == 0)
                return HOLDER_WORKS;
    }
    /* he is let in before he claims, and what we know may be behind */
    return now_s - holder->since_s < SESSION_SKEW_S ? HOLDER_UNKNOWN : HOLDER_ENDED;
}

bool maintenance_is_pod(const struct holder *holder)
{
    return strcmp(holder->session, holder->pod) == 0;
}

enum holder_state maintenance_state_of_pod(const json_t *pods, const struct holder *holder,
                                           int64_t now_s)
{
    if (tree_item_at(pods, "metadata.uid", holder->pod))
        return HOLDER_WORKS;
    return now_s - holder->since_s < SESSION_SKEW_S ? HOLDER_UNKNOWN : HOLDER_GONE;
}

static json_t *pods_of(const struct look *look, const char *job, struct error *err)
{
    return maintenance_pods(look->edge->client, meta(look->sight->repository, "namespace"), job,
                            err);
}

static bool read_job(struct look *look, struct error *err)
{
    if (!maintenance_job_get(look->edge->client, meta(look->sight->repository, "namespace"),
                             look->job, &look->job_object, err))
        return false;
    look->pods = pods_of(look, look->job, err);
    return look->pods != NULL;
}

static bool look_at(struct look *look, struct error *err)
{
    const struct maintenance_sight *sight = look->sight;
    enum maintenance_kind kind;

    if (!repository_ledger_take(sight->lease, &look->ledger, err))
        return false;
    look->seen = (struct maintenance_seen){.repository = sight->repository,
                                           .configurations = sight->configurations,
                                           .sessions = sight->sessions,
                                           .holders = look->ledger.holders,
                                           .crowded = sight->crowded,
                                           .taken = sight->taken,
                                           .beside = sight->beside,
                                           .shared = sight->shared};
    if (maintenance_held(&look->seen, &look->job, &kind, &look->since_s)) {
        if (!read_job(look, err))
            return false;
        look->seen.run = maintenance_run_of(look->job_object, look->pods);
    }
    maintenance_read(&look->seen, &look->found);
    return true;
}

/* ---- the ledger ---- */

static bool put_ledger(struct look *look, struct error *err)
{
    look->turn->wrote = true;
    return repository_ledger_put(look->edge->client, look->edge->space, look->sight->key,
                                 &look->ledger, err);
}

bool maintenance_sweep(const struct maintenance_edge *edge, const char *space,
                       struct holders *holders, size_t *gone, struct error *err)
{
    if (holders->exclusive)
        return maintenance_sweep_job(edge->client, space, holders, gone, err);
    *gone = holders_sweep(holders, edge->state, edge->context);
    return true;
}

/* Also the Job of a Repository that was deleted and made again goes. */
static bool sweep(struct look *look, size_t *gone, struct error *err)
{
    return maintenance_sweep(look->edge, meta(look->sight->repository, "namespace"),
                             look->ledger.holders, gone, err);
}

static char *name_of(const struct look *look, enum maintenance_kind kind)
{
    return maintenance_job_name(kind, meta(look->sight->repository, "name"), look->sight->now_s);
}

/* A drill reads, as a restore does: it works beside backups, and keeps only maintenance out. */
static bool share(struct look *look, struct error *err)
{
    AUTO(free) char *name = name_of(look, MAINTENANCE_VERIFY);
    const char *uid = meta(look->sight->repository, "uid");
    size_t gone = 0;

    if (!sweep(look, &gone, err))
        return false;
    look->turn->look_s = look->sight->now_s + OTHERS_S;
    return (holders_share(look->ledger.holders, uid, name, look->sight->now_s) < HOLDERS_LET_IN &&
            !gone) ||
           put_ledger(look, err);
}

static bool want(struct look *look, enum maintenance_kind kind, struct error *err)
{
    AUTO(free) char *name = name_of(look, kind);
    const char *uid = meta(look->sight->repository, "uid");
    size_t gone = 0;

    if (!sweep(look, &gone, err))
        return false;
    look->turn->look_s = look->sight->now_s + OTHERS_S;
    return (holders_exclude(look->ledger.holders, uid, name, look->sight->now_s) == HOLDERS_WAIT &&
            !gone) ||
           put_ledger(look, err);
}

static bool again(struct look *look, enum maintenance_kind kind, struct error *err)
{
    AUTO(free) char *name = name_of(look, kind);

    if (!maintenance_have_ended(look->pods)) {
        look->turn->look_s = look->sight->now_s + ENDING_S;
        return true;
    }
    look->ledger.holders->list[0].pod = name;
    look->ledger.holders->list[0].since_s = look->sight->now_s;
    return put_ledger(look, err);
}

static enum holder_state ours_gone(void *context, const struct holder *holder)
{
    return strcmp(holder->session, context) == 0 ? HOLDER_GONE : HOLDER_UNKNOWN;
}

static bool give_back(struct look *look, struct error *err)
{
    AUTO(free) char *uid = text_format("%s", meta(look->sight->repository, "uid"));

    if (!maintenance_have_ended(look->pods)) {
        look->turn->look_s = look->sight->now_s + ENDING_S;
        return true;
    }
    (void)holders_sweep(look->ledger.holders, ours_gone, uid);
    look->turn->let_in = true;
    return put_ledger(look, err);
}

static bool unwant(struct look *look, struct error *err)
{
    (void)holders_unwant(look->ledger.holders);
    look->turn->let_in = true;
    return put_ledger(look, err);
}

/* ---- what came of it ---- */

static void tell(const struct look *look, const struct maintenance_outcome *outcome)
{
    AUTO(free)
    char *note = text_format("%s: %s", outcome->reason ? outcome->reason : "",
                             outcome->message ? outcome->message : "");
    const struct kube_event event = {true, maintenance_failed_word(outcome->kind), "Maintain",
                                     note};

    if (look->edge->tell && outcome->reason)
        look->edge->tell(look->edge->context, look->sight->repository, &event);
}

static json_t *status_of(const struct look *look)
{
    const json_t *now = tree_member(look->sight->repository, "status", JSON_OBJECT);

    return now ? tree_copy(now) : json_object();
}

/* `outcome`: what people are told of once it stands there; NULL: nothing. */
static bool send_status(struct look *look, const json_t *status,
                        const struct maintenance_outcome *outcome, struct error *err)
{
    look->turn->wrote = true;
    switch (status_send(look->edge->client, &repositories, look->sight->repository, status, err)) {
    case STATUS_SAME:
        return true;
    case STATUS_SENT:
        if (outcome)
            tell(look, outcome);
        return true;
    case STATUS_LATE:
        return error_set(err, ERROR_CONFLICT, "the Repository has changed");
    default:
        return false;
    }
}

static bool put_status(struct look *look, const struct maintenance_outcome *outcome,
                       struct error *err)
{
    AUTO(json) json_t *status = status_of(look);

    maintenance_status_put(status, outcome, look->sight->now_s);
    return send_status(look, status, outcome, err);
}

static bool put_plan(struct look *look, struct error *err)
{
    AUTO(json) json_t *status = status_of(look);
    AUTO(free) char *plan = drill_plan_of(look->sight->configurations);

    maintenance_status_put_plan(status, plan ? plan : "", look->sight->now_s);
    return send_status(look, status, NULL, err);
}

static bool put_refused(struct look *look, struct error *err)
{
    AUTO(json) json_t *status = status_of(look);

    maintenance_status_put_refused(status, look->sight->now_s);
    return send_status(look, status, NULL, err);
}

static struct maintenance_outcome outcome_of(const struct look *look)
{
    return (struct maintenance_outcome){
        .kind = look->found.held,
        .job = look->job,
        .since_s = look->since_s,
        .unlock =
            look->found.held == MAINTENANCE_UNLOCK
                ? tree_text(tree_at(look->sight->repository, "metadata.annotations"), KEY_UNLOCK)
                : NULL,
        .result = MAINTENANCE_RESULT_NONE,
    };
}

static const json_t *last_pod(const struct look *look)
{
    size_t count = json_array_size(look->pods);

    return json_array_get(look->pods, count ? count - 1 : 0);
}

/* How the first command ended that did not end well; NULL: none did, as far as is known. */
static const json_t *failed_command(const struct look *look)
{
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};
    const json_t *status;
    size_t k;

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        tree_items (tree_at(last_pod(look), lists[i]), k, status) {
            const char *name = tree_text(status, "name");
            const json_t *end = tree_at(status, "state.terminated");

            if (name && strncmp(name, MAINTENANCE_COMMAND, strlen(MAINTENANCE_COMMAND)) == 0 &&
                tree_int(end, "exitCode", 0) != 0)
                return end;
        }
    return NULL;
}

/* A shell says 126 and 127 when there is no such program, and more stands for signals. */
#define COMMAND_EXIT_MAX 125

static void judge_command(const struct look *look, const json_t *end,
                          struct maintenance_outcome *outcome, char *words, size_t room)
{
    int64_t code = tree_int(end, "exitCode", 0);
    bool judged =
        code > 0 && code <= COMMAND_EXIT_MAX && span_is(tree_span(end, "reason"), "Error");
    const char *pod = meta(last_pod(look), "name");

    snprintf(words, room,
             "all was restored as it was taken, and the command of spec.verify %s %lld (%.64s). "
             "What to do: see the log of pod %.253s",
             judged ? "says that it is not right, with exit code" : "could not judge it: exit code",
             (long long)code, tree_text(end, "reason") ? tree_text(end, "reason") : "",
             pod ? pod : "");
    outcome->reason = judged ? MAINTENANCE_COMMAND_FAILED : "VerifyCommandNotRun";
    outcome->message = words;
}

/* Of a Job that failed, and whose agent did not say why. */
static void judge_end(const struct look *look, struct maintenance_outcome *outcome, char *words,
                      size_t room)
{
    const json_t *failed =
        tree_item(tree_at(look->job_object, "status.conditions"), "type", "Failed");
    const json_t *end = failed_command(look);

    if (span_is(tree_span(failed, "reason"), "DeadlineExceeded")) {
        outcome->reason = "DeadlineExceeded";
        outcome->message = "its Job took longer than it may";
    } else if (end) {
        judge_command(look, end, outcome, words, room);
    } else {
        outcome->reason = MAINTENANCE_POD_LOST;
        outcome->message = "its pod ended without saying how: it was killed, evicted or deleted";
    }
}

static bool record(struct look *look, struct error *err)
{
    struct maintenance_outcome outcome = outcome_of(look);
    struct span word = maintenance_last_word(look->pods);
    struct error bad;
    char words[512];
    AUTO(json)
    json_t *read = word.length ? maintenance_result_read(word, &outcome.result, &bad) : NULL;

    outcome.reason = read ? outcome.result.reason : NULL;
    outcome.message = read ? outcome.result.message : NULL;
    if (look->found.run == RUN_FAILED && !outcome.reason)
        judge_end(look, &outcome, words, sizeof words);
    return put_status(look, &outcome, err);
}

static bool record_failure(struct look *look, const char *reason, const char *message,
                           struct error *err)
{
    struct maintenance_outcome outcome = outcome_of(look);

    outcome.reason = reason;
    outcome.message = message;
    return put_status(look, &outcome, err);
}

/* ---- Jobs ---- */

/* The object that a configuration is about, whole; NULL with *good: none that has an image. */
static json_t *workload_of(const struct look *look, const json_t *configuration, bool *good,
                           struct error *err)
{
    const json_t *ref = tree_at(configuration, "spec.target.ref");
    enum known_kind kind = known_kind_of(ref);
    const struct kube_ref at = {kind < KNOWN_KINDS ? known_resource(kind) : NULL,
                                meta(configuration, "namespace"), tree_text(ref, "name"), NULL};

    *good = true;
    if (kind < KNOWN_TARGET_FIRST || kind >= KNOWN_CLAIM || !at.name)
        return NULL;

    json_t *workload = kube_get(look->edge->client, &at, err);

    *good = workload || err->code == ERROR_NOT_FOUND;
    return workload;
}

/* A command runs in the Repository's namespace: whoever writes one must be allowed to make pods
 * there, and that was asked in his own. */
static bool add_command(const struct look *look, const json_t *configuration, json_t *commands,
                        struct error *err)
{
    AUTO(free) char *folder = drill_folder_of(configuration);
    json_t *command = json_object();
    const char *image;
    bool good = true;

    tree_push_new(commands, command);
    if (strcmp(meta(configuration, "namespace"), meta(look->sight->repository, "namespace")) != 0)
        return error_set(
            err, ERROR_INVALID,
            "spec.verify.command of BackupConfiguration %s/%s is not run, and no drill "
            "is made: the Repository is in another namespace",
            meta(configuration, "namespace"), meta(configuration, "name"));

    AUTO(json)
    json_t *workload = tree_at(configuration, "spec.verify.image")
                           ? NULL
                           : workload_of(look, configuration, &good, err);

    if (!good || !drill_image(configuration, workload, &image, err))
        return false;
    tree_put_text(command, "folder", folder);
    tree_put_text(command, "image", image);
    tree_put_new(command, "command", tree_copy(drill_command(configuration)));
    tree_put_new(command, "template", tree_copy(tree_at(workload, "spec.template")));
    return true;
}

/* Of a drill: what is run over what was restored. NULL: with err. */
static json_t *commands_of(const struct look *look, const struct maintenance_step *step,
                           struct error *err)
{
    AUTO(json) json_t *commands = json_array();
    const json_t *configuration;
    size_t i;

    tree_items (look->sight->configurations, i, configuration)
        if (step->kind == MAINTENANCE_VERIFY && drill_command(configuration) &&
            !add_command(look, configuration, commands, err))
            return NULL;
    return TAKE(commands);
}

static json_t *make_job(const struct look *look, const struct maintenance_step *step,
                        int64_t since_s, struct error *err)
{
    AUTO(findings) struct findings findings = {0};
    AUTO(json) json_t *runs = maintenance_runs(&look->seen, step, err);
    AUTO(json) json_t *commands = runs ? commands_of(look, step, err) : NULL;
    AUTO(json) json_t *claims = NULL;
    AUTO(json) json_t *attached = NULL;

    if (!commands ||
        !maintenance_places(look->edge->client, look->sight->repository, &claims, &attached, err))
        return NULL;

    const struct maintenance_job request = {.repository = look->sight->repository,
                                            .kind = step->kind,
                                            .runs = runs,
                                            .commands = commands,
                                            .claim = drill_claim(look->sight->configurations),
                                            .cluster = look->edge->cluster,
                                            .dead = PODS,
                                            .since_s = since_s,
                                            .claims = claims,
                                            .attached = attached,
                                            .restricted = look->sight->restricted,
                                            .settings = look->edge->settings};
    json_t *job = maintenance_job_make(&request, &findings);

    if (!job)
        error_set(err, ERROR_INVALID, "%s",
                  findings.count ? findings.items[0].message : "no Job can be made");
    return job;
}

static bool is_final(const struct error *err)
{
    return err->code == ERROR_FORBIDDEN || err->code == ERROR_INVALID ||
           err->code == ERROR_NOT_FOUND;
}

/* What is refused is not repeated while others are kept out. */
static bool start(struct look *look, const struct maintenance_step *step, struct error *err)
{
    AUTO(json) json_t *job = make_job(look, step, look->since_s, err);
    const struct kube_ref ref = {&jobs, meta(look->sight->repository, "namespace"), look->job,
                                 NULL};
    AUTO(kube_result) struct kube_result result = {0};
    struct error why;

    look->turn->wrote = true;
    if (job && (kube_create(look->edge->client, &ref, job, &write_ours, &result, err) ||
                strcmp(result.reason, "AlreadyExists") == 0))
        return true;
    if (!is_final(err))
        return false;
    why = *err;
    return record_failure(look, MAINTENANCE_JOB_REFUSED, why.message, err);
}

/* Nobody makes a Job that can not be made, and nobody is kept out for it. */
static bool begin(struct look *look, const struct maintenance_step *step, struct error *err)
{
    struct error why;
    AUTO(json) json_t *job = make_job(look, step, look->sight->now_s, &why);

    if (job)
        return step->kind == MAINTENANCE_VERIFY ? share(look, err) : want(look, step->kind, err);
    if (!is_final(&why)) {
        *err = why;
        return false;
    }
    snprintf(look->turn->problem, sizeof look->turn->problem, "%s", why.message);
    look->turn->bad = true;
    look->turn->look_s = look->sight->now_s + MAINTENANCE_LOOK_S;
    return look->found.hold != HOLD_WANTED || unwant(look, err);
}

/* A pod that has no node, or no image, keeps everybody out for nothing. */
static bool never_starts(const struct look *look)
{
    return look->found.run == RUN_GOES_ON &&
           maintenance_never_starts(look->job_object, look->pods, look->sight->now_s);
}

static bool give_up(struct look *look, struct error *err)
{
    const struct kube_delete how = {.uid = meta(look->job_object, "uid"),
                                    .propagation = KUBE_PROPAGATE_BACKGROUND};
    const struct kube_ref ref = {&jobs, meta(look->sight->repository, "namespace"), look->job,
                                 NULL};
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(pod_trouble)
    struct pod_trouble trouble = pod_trouble_of(json_array_get(look->pods, 0), NULL, NULL);

    if (!look->found.recorded)
        return record_failure(look, "PodNotStarted",
                              trouble.text ? trouble.text : "its pod did not start", err);
    look->turn->wrote = true;
    return kube_delete(look->edge->client, &ref, &how, NULL, &result, err) ||
           err->code == ERROR_NOT_FOUND;
}

/* ---- the step ---- */

static bool carry_out(struct look *look, const struct maintenance_step *step, struct error *err)
{
    switch (step->action) {
    case MAINTENANCE_WANT:
        return begin(look, step, err);
    case MAINTENANCE_UNWANT:
        return unwant(look, err);
    case MAINTENANCE_RUN:
        return start(look, step, err);
    case MAINTENANCE_REFUSED:
        return put_refused(look, err);
    case MAINTENANCE_PLAN:
        return put_plan(look, err);
    case MAINTENANCE_RECORD:
        return record(look, err);
    case MAINTENANCE_AGAIN:
        return again(look, step->kind, err);
    case MAINTENANCE_RELEASE:
        return give_back(look, err);
    default:
        snprintf(look->turn->problem, sizeof look->turn->problem, "%s",
                 step->message ? step->message : "");
        return true;
    }
}

/* ---- what another Repository has left ---- */

/* Of the same name, deleted while it was maintained: its Job went with it. A removal (wipeOut) says
 * by itself when it is over. */
static bool is_left(const struct look *look)
{
    const struct holders *holders = look->ledger.holders;

    return holders->exclusive &&
           strcmp(holders->list[0].session, meta(look->sight->repository, "uid")) != 0 &&
           maintenance_job_kind(holders->list[0].pod) != MAINTENANCE_WIPE;
}

/* It would keep everybody out until maintenance is due, which a backup has to come before. */
static bool sweep_left(struct look *look, struct error *err)
{
    size_t gone = 0;

    look->turn->look_s = look->sight->now_s + OTHERS_S;
    if (!sweep(look, &gone, err))
        return false;
    look->turn->let_in = gone > 0;
    return !gone || put_ledger(look, err);
}

/* ---- what the sessions say of it ---- */

/* Nothing is to be done now; a drill, which takes hours, is beside the matter. */
static bool rests(const struct look *look, const struct maintenance_step *step)
{
    bool drill = look->found.run == RUN_GOES_ON && look->found.held == MAINTENANCE_VERIFY;

    return drill || (step->action == MAINTENANCE_WAIT && look->found.run != RUN_GOES_ON);
}

static const json_t *policy_of(const struct look *look, const json_t *session)
{
    const char *space = meta(session, "namespace");
    const char *name = tree_text(tree_at(session, "spec.invoker"), "name");
    const json_t *configuration;
    size_t i;

    tree_items (look->sight->configurations, i, configuration)
        if (span_is(tree_span(tree_get(configuration, "metadata"), "namespace"), space) &&
            span_is(tree_span(tree_get(configuration, "metadata"), "name"), name))
            return tree_at(configuration, "spec.retentionPolicy");
    return NULL;
}

/* One session at a time, as any step is one write. */
static bool tell_sessions(struct look *look, const struct maintenance_step *step, struct error *err)
{
    struct maintenance_turn *turn = look->turn;
    const json_t *session;
    size_t i;

    tree_items (look->sight->sessions, i, session) {
        const struct followed followed = {.session = session,
                                          .policy = policy_of(look, session),
                                          .repository = look->sight->repository,
                                          .rests = rests(look, step),
                                          .problem = turn->problem,
                                          .bad = turn->bad,
                                          .now_s = look->sight->now_s};
        AUTO(json) json_t *status = followed_status(&followed, &turn->look_s);

        if (!status)
            continue;
        turn->wrote = true;
        return status_send(look->edge->client, &backup_sessions, session, status, err) <=
               STATUS_SENT;
    }
    return true;
}

bool maintenance_edge_step(const struct maintenance_edge *edge,
                           const struct maintenance_sight *sight, struct maintenance_turn *turn,
                           struct error *err)
{
    AUTO(look) struct look look = {.edge = edge, .sight = sight, .turn = turn};
    struct maintenance_step step;

    *turn = (struct maintenance_turn){0};
    if (!look_at(&look, err))
        return false;
    if (is_left(&look))
        return sweep_left(&look, err);
    if (never_starts(&look))
        return give_up(&look, err);
    step = maintenance_next(&look.found, sight->now_s);
    turn->look_s = step.look_s;
    return carry_out(&look, &step, err) && (turn->wrote || tell_sessions(&look, &step, err));
}
