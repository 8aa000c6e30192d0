#include "controllers/configuration_edge.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "controllers/cronjob_state.h"
#include "controllers/status_send.h"
#include "controllers/write.h"
#include "kube/verbs.h"

/* A new configuration whose Repository or target is not there: these were made with it, and their
 * watches are behind. One look later, so that "not ready" is not written for nothing. */
#define SETTLE_MS 1000

/* After somebody else's write. */
#define LATE_MS 200

/* Until a CronJob that was applied is seen in the watch. */
#define SEEN_MS 1000

/* Until a CronJob that could not be written is tried again, when nothing changes: the foreign one
 * whose name it has may carry no label by which it would be seen. */
#define REFUSED_MS 60000

struct configuration_book {
    pthread_mutex_t lock;
    json_t *memories; /* by key: {refused?, settled?, waited, applied, missed} */
    struct secret_book *secrets;
    struct configuration_figures figures;
};

/* One step under way. What is owned is remembered in the end. */
struct step {
    const struct configuration_edge *edge;
    const char *key;
    const struct configuration_objects *objects;
    char *refused;      /* owned; why its CronJob could not be written; NULL */
    char *settled;      /* owned; see struct configuration_facts */
    bool waited;        /* one look was let go by */
    int64_t applied_ms; /* when its CronJob was applied last; 0: never */
    int64_t missed;     /* sessions that did not begin */
    enum seen secret;
    char *secret_message; /* owned */
    int64_t again_ms;     /* -1: when something changes */
};

static void auto_step(struct step *step)
{
    free(step->refused);
    free(step->settled);
    free(step->secret_message);
}

/* ---- the book ---- */

struct configuration_book *configuration_book_make(void)
{
    struct configuration_book *book = text_alloc(sizeof *book);

    *book = (struct configuration_book){.memories = json_object(), .secrets = secret_book_make()};
    pthread_mutex_init(&book->lock, NULL);
    return book;
}

void configuration_book_free(struct configuration_book *book)
{
    if (!book)
        return;
    secret_book_free(book->secrets);
    json_decref(book->memories);
    pthread_mutex_destroy(&book->lock);
    free(book);
}

void configuration_book_forget(struct configuration_book *book, const char *key)
{
    pthread_mutex_lock(&book->lock);
    json_object_del(book->memories, key);
    pthread_mutex_unlock(&book->lock);
}

struct configuration_figures configuration_book_look(struct configuration_book *book)
{
    struct configuration_figures figures;

    pthread_mutex_lock(&book->lock);
    figures = book->figures;
    pthread_mutex_unlock(&book->lock);
    figures.secret_reads = secret_book_reads(book->secrets);
    return figures;
}

int64_t configuration_book_missed(struct configuration_book *book, const char *key)
{
    int64_t missed;

    pthread_mutex_lock(&book->lock);
    missed = tree_int(tree_get(book->memories, key), "missed", 0);
    pthread_mutex_unlock(&book->lock);
    return missed;
}

static char *copy(const char *text)
{
    return text ? text_format("%s", text) : NULL;
}

static void recall(struct step *step)
{
    struct configuration_book *book = step->edge->book;
    const json_t *entry;

    pthread_mutex_lock(&book->lock);
    entry = tree_get(book->memories, step->key);
    step->refused = copy(tree_text(entry, "refused"));
    step->settled = copy(tree_text(entry, "settled"));
    step->waited = tree_true(entry, "waited");
    step->applied_ms = tree_int(entry, "applied", 0);
    step->missed = tree_int(entry, "missed", 0);
    pthread_mutex_unlock(&book->lock);
}

static void remember(const struct step *step)
{
    struct configuration_book *book = step->edge->book;
    json_t *entry = json_object();

    tree_put_text(entry, "refused", step->refused);
    tree_put_text(entry, "settled", step->settled);
    tree_put_bool(entry, "waited", step->waited);
    tree_put_int(entry, "applied", step->applied_ms);
    tree_put_int(entry, "missed", step->missed);
    pthread_mutex_lock(&book->lock);
    tree_put_new(book->memories, step->key, entry);
    pthread_mutex_unlock(&book->lock);
}

static void count(const struct step *step, int64_t *figure, int64_t more)
{
    pthread_mutex_lock(&step->edge->book->lock);
    *figure += more;
    pthread_mutex_unlock(&step->edge->book->lock);
}

static void replace(char **text, char *with)
{
    free(*text);
    *text = with;
}

/* ---- what there is ---- */

static void sooner(struct step *step, int64_t ms)
{
    if (ms >= 0 && (step->again_ms < 0 || ms < step->again_ms))
        step->again_ms = ms;
}

static void ask_secret(struct step *step, const char *name)
{
    struct secret_answer answer = secret_book_ask(
        step->edge->book->secrets,
        &(struct secret_question){
            .client = step->edge->client,
            .space = tree_text(tree_get(step->objects->repository, "metadata"), "namespace"),
            .name = name,
            .controller = step->edge->space,
            .now_ms = step->edge->now_ms,
        });

    step->secret = answer.seen;
    replace(&step->secret_message, answer.message);
    sooner(step, answer.again_ms);
}

/* All that are named have to be there; the first that is not says why. */
static void ask_secrets(struct step *step)
{
    step->secret = SEEN_YES;
    if (!step->edge->client)
        return;
    for (size_t i = 0; i < CONFIGURATION_SECRETS && step->secret == SEEN_YES; i++) {
        const char *name = configuration_secret(step->objects->repository, i);

        if (name)
            ask_secret(step, name);
    }
}

static struct configuration_facts facts_of(const struct step *step)
{
    const struct configuration_objects *objects = step->objects;

    return (struct configuration_facts){
        .configuration = objects->configuration,
        .repository = objects->repository,
        .space = objects->space,
        .blueprint = objects->blueprint,
        .target = objects->target,
        .pods = objects->pods,
        .cronjob = objects->cronjob,
        .secret = step->secret,
        .secret_message = step->secret_message,
        .refused = step->refused,
        .settled = step->settled,
        .said = step->edge->said,
        .session_s = objects->session_s,
        .now_s = step->edge->now_s,
        .settings = step->edge->settings,
    };
}

/* ---- events ---- */

static void tell(const struct step *step, bool warning, const char *reason, const char *note)
{
    const struct kube_event event = {warning, reason, "Reconcile", note};

    step->edge->tell(step->edge->context, step->objects->configuration, &event);
}

/* What the first condition that is not True says. */
static const char *complaint(const json_t *status)
{
    const json_t *condition;
    size_t i;

    tree_items (tree_get(status, "conditions"), i, condition) {
        const char *message = tree_text(condition, "message");

        if (!span_is(tree_span(condition, "status"), "True") && message)
            return message;
    }
    return "see its conditions";
}

static void tell_phase(const struct step *step, const json_t *status)
{
    const json_t *before = tree_get(step->objects->configuration, "status");
    bool ready = span_is(tree_span(status, "phase"), "Ready");

    if (tree_equal(tree_get(before, "phase"), tree_get(status, "phase")))
        return;
    tell(step, !ready, ready ? "BackupReady" : "BackupNotReady",
         ready ? "backups can run" : complaint(status));
}

static void tell_missed(struct step *step, const struct schedule_kept *kept)
{
    if (kept->missed == 0)
        return;
    step->missed += kept->missed;
    count(step, &step->edge->book->figures.missed, kept->missed);
    log_warn("sessions did not begin", LOG_S("configuration", step->key),
             LOG_N("missed", kept->missed));
    tell(step, true, "ScheduleMissed", kept->message);
}

/* ---- the CronJob ---- */

static struct kube_ref ref_of(const json_t *cronjob)
{
    const json_t *metadata = tree_get(cronjob, "metadata");

    return (struct kube_ref){known_resource(KNOWN_CRONJOB), tree_text(metadata, "namespace"),
                             tree_text(metadata, "name"), NULL};
}

/* Replaces all of its spec, where it is still in this state. New reference. */
static json_t *replacement(const json_t *stored, const json_t *wanted)
{
    json_t *patch = json_array(), *replace_spec = json_object();
    const json_t *metadata = tree_get(stored, "metadata");

    tree_put_text(replace_spec, "op", "replace");
    tree_put_text(replace_spec, "path", "/spec");
    tree_put_new(replace_spec, "value", tree_copy(tree_get(wanted, "spec")));
    tree_push_new(patch, replace_spec);
    kube_json_patch_test(patch, "/metadata/resourceVersion", tree_get(metadata, "resourceVersion"));
    kube_json_patch_test(patch, "/metadata/uid", tree_get(metadata, "uid"));
    return patch;
}

/* What others have added to it is taken out; what comes back even then (an admission webhook's)
 * stays, and is remembered, so that nobody fights. */
static bool settle(struct step *step, const json_t *wanted, const json_t *stored, struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *patch = NULL;
    const struct kube_options how = {.manager = WRITE_MANAGER};
    const struct kube_ref ref = ref_of(wanted);

    if (cronjob_state(stored, wanted, step->objects->configuration) == CRONJOB_OTHER) {
        patch = replacement(stored, wanted);
        if (!kube_json_patch(step->edge->client, &ref, patch, &how, &result, err)) {
            sooner(step, LATE_MS);
            return err->code == ERROR_CONFLICT || err->code == ERROR_INVALID ||
                   err->code == ERROR_NOT_FOUND;
        }
        stored = result.object;
    }
    replace(&step->settled, configuration_settled(stored, wanted));
    return true;
}

/* Without force where there is none: one that came meanwhile, or that carries no label of ours, is
 * somebody's, and shows as a conflict. */
static bool apply(struct step *step, const json_t *wanted, struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *intent = tree_copy(wanted);
    const json_t *there = step->objects->cronjob;
    const struct kube_options how = {.manager = WRITE_MANAGER, .force = there != NULL};
    const struct kube_ref ref = ref_of(wanted);

    if (!step->edge->client) {
        step->edge->show(step->edge->context, "apply", wanted,
                         there ? "it is not as planned" : "it is not there yet");
        return true;
    }
    if (there)
        kube_name_state(json_object_get(intent, "metadata"), there);
    if (!kube_apply(step->edge->client, &ref, intent, &how, &result, err))
        return false;
    count(step, &step->edge->book->figures.applied, 1);
    step->applied_ms = step->edge->now_ms;
    replace(&step->refused, NULL);
    if (there)
        tell(step, false, "CronJobApplied", "its CronJob is again as the backup needs it");
    return settle(step, wanted, result.object, err);
}

static void refuse(struct step *step, char *why)
{
    if (!step->refused || strcmp(step->refused, why) != 0) {
        count(step, &step->edge->book->figures.refused, 1);
        tell(step, true, "CronJobRefused", why);
    }
    replace(&step->refused, why);
    sooner(step, REFUSED_MS);
}

/* A write that failed. False: it is tried again with backoff. */
static bool give_up(struct step *step, const struct error *err)
{
    if (step->objects->cronjob && err->code == ERROR_CONFLICT)
        sooner(step, LATE_MS);
    else if (err->code == ERROR_CONFLICT)
        refuse(step, text_format("a CronJob of its name belongs to somebody else, and is left "
                                 "alone: %s",
                                 err->message));
    else if (err->code == ERROR_INVALID || err->code == ERROR_FORBIDDEN)
        refuse(step, text_format("%s", err->message));
    else
        return false;
    return true;
}

static bool delete_it(struct step *step, struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    const json_t *metadata = tree_get(step->objects->cronjob, "metadata");
    const struct kube_ref ref = ref_of(step->objects->cronjob);
    const struct kube_delete how = {.uid = tree_text(metadata, "uid"),
                                    .version = tree_text(metadata, "resourceVersion"),
                                    .propagation = KUBE_PROPAGATE_BACKGROUND};

    if (!step->edge->client) {
        step->edge->show(step->edge->context, "delete", step->objects->cronjob,
                         "there is no schedule any more");
        return true;
    }
    if (!kube_delete(step->edge->client, &ref, &how, NULL, &result, err))
        return err->code == ERROR_NOT_FOUND;
    count(step, &step->edge->book->figures.deleted, 1);
    return true;
}

/* It was made a moment ago, and the watch is behind. */
static bool is_on_its_way(const struct step *step)
{
    return !step->objects->cronjob && step->applied_ms &&
           step->edge->now_ms - step->applied_ms < SEEN_MS;
}

/* Carries out what is next, and shows in the reading what came of it. */
static bool act(struct step *step, struct configuration_reading *reading, struct error *err)
{
    struct configuration_seen *seen = &reading->seen;
    enum configuration_action action = configuration_next(seen);

    if (action == CONFIGURATION_WAIT)
        return true;
    if (action == CONFIGURATION_APPLY && is_on_its_way(step)) {
        seen->cronjob = CRONJOB_OURS;
        sooner(step, SEEN_MS);
        return true;
    }
    if (action == CONFIGURATION_DELETE ? delete_it(step, err) : apply(step, reading->wanted, err)) {
        seen->cronjob = action == CONFIGURATION_DELETE ? CRONJOB_ABSENT : CRONJOB_OURS;
        return true;
    }
    if (!give_up(step, err))
        return false;
    if (step->refused && !step->objects->cronjob) {
        seen->cronjob = CRONJOB_REFUSED;
        seen->cronjob_message = step->refused;
        reading->more[CONFIGURATION_KEPT].status = CONDITION_ABSENT;
    }
    return true;
}

/* ---- the status ---- */

static bool write_status(struct step *step, const struct configuration_reading *reading,
                         struct error *err)
{
    const json_t *configuration = step->objects->configuration;
    int64_t generation = tree_int(tree_get(configuration, "metadata"), "generation", 0);
    AUTO(json)
    json_t *status = configuration_status(&reading->seen, tree_get(configuration, "status"),
                                          generation, step->edge->now_s);

    switch (status_send(step->edge->client, known_resource(KNOWN_CONFIGURATION), configuration,
                        status, err)) {
    case STATUS_SAME:
        return true;
    case STATUS_SENT:
        count(step, &step->edge->book->figures.statuses, 1);
        tell_phase(step, status);
        tell_missed(step, &reading->kept);
        return true;
    case STATUS_LATE:
        sooner(step, LATE_MS);
        return true;
    case STATUS_FAILED:
        break;
    }
    return false;
}

/* ---- a step ---- */

static bool is_young(const struct step *step, const struct configuration_seen *seen)
{
    return !step->waited && !tree_text(tree_get(step->objects->configuration, "status"), "phase") &&
           (seen->repository != SEEN_YES || seen->target != SEEN_YES);
}

static bool carry_out(struct step *step, struct configuration_reading *reading, struct error *err)
{
    if (is_young(step, &reading->seen)) {
        step->waited = true;
        sooner(step, SETTLE_MS);
        return true;
    }
    if (reading->kept.look_s >= 0)
        sooner(step, (reading->kept.look_s - step->edge->now_s + 1) * 1000);
    return act(step, reading, err) && (!step->edge->client || write_status(step, reading, err));
}

bool configuration_edge_step(const struct configuration_edge *edge, const char *key,
                             const struct configuration_objects *objects, int64_t *again_ms,
                             struct error *err)
{
    AUTO(step) struct step step = {.edge = edge, .key = key, .objects = objects, .again_ms = -1};
    AUTO(configuration_reading) struct configuration_reading reading = {0};
    bool good;

    recall(&step);
    ask_secrets(&step);

    const struct configuration_facts facts = facts_of(&step);

    configuration_read(&facts, &reading);
    good = carry_out(&step, &reading, err);
    remember(&step);
    if (good)
        *again_ms = step.again_ms;
    return good;
}
