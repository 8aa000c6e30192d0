#include "cli/overview.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/schedule_kept.h"
#include "controllers/session_make.h"
#include "controllers/slot.h"
#include "kube/meta.h"
#include "kube/time.h"

/* ---- what objects say ---- */

static int64_t moment(const json_t *object, const char *key)
{
    int64_t moment_s;

    return time_parse(tree_span(object, key), &moment_s) ? moment_s : 0;
}

static int64_t made_s(const json_t *object)
{
    int64_t made_s;

    return meta_made(object, &made_s) ? made_s : 0;
}

static bool has_phase(const json_t *object, const char *phase)
{
    return span_is(tree_span(tree_get(object, "status"), "phase"), phase);
}

static bool is_at_work(const json_t *session)
{
    return has_phase(session, "Running") || has_phase(session, "Pending") ||
           !tree_text(tree_get(session, "status"), "phase");
}

static bool has_result(const json_t *session)
{
    return has_phase(session, "Succeeded") || has_phase(session, "Failed");
}

static bool has_succeeded(const json_t *session)
{
    return has_phase(session, "Succeeded");
}

/* A condition that tells of a fault: False, but for one whose name is the fault. */
static bool tells_a_fault(const json_t *condition)
{
    const char *type = tree_text(condition, "type");
    const char *bad = type && strcmp(type, "DeadlineExceeded") == 0 ? "True" : "False";

    return type && span_is(tree_span(condition, "status"), bad);
}

static const json_t *fault_in(const json_t *conditions)
{
    const json_t *condition;
    size_t i;

    tree_items (conditions, i, condition)
        if (tells_a_fault(condition))
            return condition;
    return NULL;
}

static const char *error_in(const json_t *stats)
{
    const json_t *stat;
    size_t i;

    tree_items (stats, i, stat) {
        const char *error = tree_text(stat, "error");

        if (error && *error)
            return error;
    }
    return NULL;
}

const char *overview_failure(const json_t *session)
{
    const json_t *status = tree_get(session, "status"), *target;
    const char *said = error_in(tree_get(status, "stats"));
    const json_t *fault = NULL;
    size_t i;

    tree_items (tree_get(status, "targets"), i, target) {
        said = said ? said : error_in(tree_get(target, "stats"));
        fault = fault ? fault : fault_in(tree_get(target, "conditions"));
    }
    if (said)
        return said;
    fault = fault ? fault : fault_in(tree_get(status, "conditions"));
    said = tree_text(fault, "message");
    return said ? said : "";
}

bool overview_is_bad(const char *health)
{
    static const char *const bad[] = {"NotReady", "Damaged", "Failing", "Late"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(bad[i], health) == 0)
            return true;
    return false;
}

/* ---- sessions ---- */

static bool is_invoked_by(const json_t *session, const json_t *configuration)
{
    const json_t *invoker = tree_at(session, "spec.invoker");

    return strcmp(meta_or_empty(session, "namespace"), meta_or_empty(configuration, "namespace")) ==
               0 &&
           span_is(tree_span(invoker, "kind"), "BackupConfiguration") &&
           span_is(tree_span(invoker, "name"), meta_or_empty(configuration, "name")) &&
           made_s(session) >= made_s(configuration);
}

static bool has_target(const json_t *session, const char *target)
{
    AUTO(json) json_t *its = session_target(session);
    AUTO(free) char *text = its ? session_target_text(its) : NULL;

    return text && target && strcmp(text, target) == 0;
}

/* Newest first; of one second the later name. */
static int compare_sessions(const void *left, const void *right)
{
    const json_t *a = *(const json_t *const *)left, *b = *(const json_t *const *)right;
    int64_t of_a = made_s(a), of_b = made_s(b);

    return of_a != of_b ? (of_a < of_b ? 1 : -1)
                        : strcmp(meta_or_empty(b, "name"), meta_or_empty(a, "name"));
}

struct session_list {
    const json_t **items; /* owned list of borrowed objects */
    size_t count;
};

static void auto_session_list(struct session_list *list)
{
    free(list->items);
}

static void add_session(struct session_list *list, const json_t *session)
{
    list->items = text_realloc(list->items, (list->count + 1) * sizeof(const json_t *));
    list->items[list->count++] = session;
}

static void gather(const struct overview_seen *seen, const json_t *configuration,
                   struct session_list *list)
{
    AUTO(json) json_t *target = session_target(configuration);
    AUTO(free) char *text = target ? session_target_text(target) : NULL;
    const json_t *session;
    size_t i;

    tree_items (seen->sessions, i, session)
        if (is_invoked_by(session, configuration))
            add_session(list, session);
    tree_items (seen->restores, i, session)
        if (has_target(session, text))
            add_session(list, session);
    if (list->count)
        qsort(list->items, list->count, sizeof(const json_t *), compare_sessions);
}

json_t *overview_backups_of(const json_t *sessions, const json_t *configuration)
{
    AUTO(session_list) struct session_list list = {0};
    const struct overview_seen seen = {.sessions = sessions};
    json_t *made = json_array();

    gather(&seen, configuration, &list);
    for (size_t i = 0; i < list.count; i++)
        tree_push_new(made, tree_share(list.items[i]));
    return made;
}

static bool is_backup(const json_t *session)
{
    return span_is(tree_span(session, "kind"), "BackupSession");
}

/* The newest backup that fits, or NULL. */
static const json_t *newest(const struct session_list *list, bool (*fits)(const json_t *session))
{
    for (size_t i = 0; i < list->count; i++)
        if (is_backup(list->items[i]) && fits(list->items[i]))
            return list->items[i];
    return NULL;
}

static void put_moment(json_t *row, const char *key, int64_t moment_s)
{
    char text[CONDITION_TIME_BYTES];

    if (moment_s <= 0)
        return;
    condition_time(moment_s, text);
    tree_put_text(row, key, text);
}

static void put_said(json_t *row, const char *key, const char *text)
{
    if (text && *text)
        tree_put_text(row, key, text);
}

static void put_snapshots(json_t *row, const json_t *status)
{
    const json_t *target, *stat, *snapshot;
    json_t *names = json_array();
    size_t i, k, m;

    tree_items (tree_get(status, "targets"), i, target)
        tree_items (tree_get(target, "stats"), k, stat)
            tree_items (tree_get(stat, "snapshots"), m, snapshot)
                if (tree_text(snapshot, "name"))
                    tree_push_text(names, tree_text(snapshot, "name"));
    if (json_array_size(names) > 0)
        tree_put_new(row, "snapshots", TAKE(names));
    json_decref(names);
}

static json_t *session_row(const json_t *session)
{
    const json_t *status = tree_get(session, "status"), *progress = tree_get(status, "progress");
    const char *phase = tree_text(status, "phase");
    json_t *row = json_object();

    put_said(row, "kind", tree_text(session, "kind"));
    tree_put_text(row, "name", meta_or_empty(session, "name"));
    tree_put_text(row, "phase", phase && *phase ? phase : "Pending");
    put_moment(row, "time", made_s(session));
    put_said(row, "duration", tree_text(status, "sessionDuration"));
    if (phase && strcmp(phase, "Succeeded") != 0 && !is_at_work(session))
        put_said(row, "message", overview_failure(session));
    if (progress) {
        tree_put_int(row, "percent", tree_int(progress, "percent", 0));
        put_said(row, "remaining", tree_text(progress, "remaining"));
    }
    put_snapshots(row, status);
    return row;
}

static json_t *session_rows(const struct session_list *list)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < list->count; i++)
        tree_push_new(rows, session_row(list->items[i]));
    return rows;
}

/* ---- the repository ---- */

static const json_t *repository_of(const struct overview_seen *seen, const json_t *configuration,
                                   const char **space)
{
    const json_t *ref = tree_at(configuration, "spec.repository"), *repository;
    const char *name = tree_text(ref, "name");
    size_t i;

    *space = tree_text(ref, "namespace");
    if (!*space || !**space)
        *space = meta_or_empty(configuration, "namespace");
    tree_items (seen->repositories, i, repository)
        if (name && strcmp(meta_or_empty(repository, "name"), name) == 0 &&
            strcmp(meta_or_empty(repository, "namespace"), *space) == 0)
            return repository;
    return NULL;
}

/* What went wrong with maintenance, each in a sentence. */
static void put_messages(json_t *row, const json_t *conditions)
{
    json_t *messages = json_array();
    const json_t *condition;
    size_t i;

    tree_items (conditions, i, condition)
        if (tells_a_fault(condition)) {
            const char *message = tree_text(condition, "message");
            json_t *text =
                json_sprintf("%s: %s", tree_text(condition, "type"), message ? message : "False");

            if (text)
                tree_push_new(messages, text);
        }
    if (json_array_size(messages) > 0)
        tree_put_new(row, "messages", TAKE(messages));
    json_decref(messages);
}

static json_t *repository_row(const json_t *repository, const char *space, const char *name)
{
    const json_t *status = tree_get(repository, "status"), *integrity;
    int64_t snapshots = tree_int(status, "snapshotCount", -1);
    json_t *row = json_object();

    put_said(row, "namespace", space);
    put_said(row, "name", name);
    integrity = tree_get(status, "integrity");
    if (json_is_boolean(integrity))
        tree_put_bool(row, "integrity", json_is_true(integrity));
    if (snapshots >= 0)
        tree_put_int(row, "snapshots", snapshots);
    put_said(row, "size", tree_text(status, "totalSize"));
    put_messages(row, tree_get(status, "conditions"));
    return row;
}

/* ---- the state of one configuration ---- */

/* One under way. */
struct sight {
    const json_t *configuration, *repository, *conditions;
    const struct session_list *sessions;
};

struct health {
    const char *word, *reason, *message; /* the last two borrowed; NULL: nothing to say */
};

static struct health fault(const char *word, const json_t *condition)
{
    return (struct health){word, tree_text(condition, "reason"), tree_text(condition, "message")};
}

static struct health not_ready(const struct sight *sight)
{
    const json_t *status = tree_get(sight->configuration, "status");
    const char *phase = tree_text(status, "phase");

    if (!phase || !*phase)
        return (struct health){"Unseen", "NoStatus",
                               "no controller has looked at it yet; does one run?"};
    return fault("NotReady", fault_in(sight->conditions));
}

/* From what a person has to know first to what can wait. */
static struct health health_of(const struct sight *sight)
{
    const json_t *configuration = sight->configuration;
    const json_t *last = newest(sight->sessions, has_result);
    const json_t *integrity = tree_at(sight->repository, "status.integrity");

    if (tree_true(tree_get(configuration, "spec"), "paused"))
        return (struct health){"Paused", NULL, NULL};
    if (!has_phase(configuration, "Ready"))
        return not_ready(sight);
    if (json_is_false(integrity))
        return (struct health){"Damaged", "RepositoryDamaged",
                               "the last check found the repository damaged"};
    if (newest(sight->sessions, is_at_work))
        return (struct health){"Running", NULL, NULL};
    if (last && !has_succeeded(last))
        return (struct health){"Failing", "BackupFailed", overview_failure(last)};
    if (condition_status(sight->conditions, CONDITION_SCHEDULE_KEPT) == CONDITION_FALSE)
        return fault("Late", tree_item(sight->conditions, "type", CONDITION_SCHEDULE_KEPT));
    return (struct health){last ? "Healthy" : "New", NULL, NULL};
}

static size_t users_of(const struct overview_seen *seen, const json_t *repository)
{
    const json_t *other;
    const char *space;
    size_t i, count = 0;

    tree_items (seen->configurations, i, other)
        count += repository_of(seen, other, &space) == repository;
    return count;
}

/* Sessions are deleted; of a repository that nobody else writes to its status remembers. */
static int64_t backup_s(const struct overview_seen *seen, const struct sight *sight)
{
    const json_t *success = newest(sight->sessions, has_succeeded);
    int64_t stored_s = sight->repository && users_of(seen, sight->repository) == 1
                           ? moment(tree_get(sight->repository, "status"), "lastBackupTime")
                           : 0;
    int64_t session_s = success ? made_s(success) : 0;

    return session_s > stored_s ? session_s : stored_s;
}

static int64_t due_s(const struct overview_seen *seen, const json_t *configuration)
{
    const json_t *spec = tree_get(configuration, "spec");
    struct slots slots = {.anchor_s = made_s(configuration)};
    struct error ignored;

    if (tree_true(spec, "paused") || !has_phase(configuration, "Ready") ||
        !cron_parse(&slots.cron, tree_span(spec, "schedule"), &ignored))
        return 0;
    return slot_next(&slots, seen->now_s);
}

static json_t *target_row(const json_t *configuration)
{
    AUTO(json) json_t *target = session_target(configuration);
    const char *space = tree_text(target, "namespace");
    json_t *row = json_object();

    put_said(row, "kind", tree_text(target, "kind"));
    put_said(row, "name", tree_text(target, "name"));
    if (space && strcmp(space, meta_or_empty(configuration, "namespace")) != 0)
        tree_put_text(row, "namespace", space);
    return row;
}

static json_t *row_of(const struct overview_seen *seen, const json_t *configuration)
{
    AUTO(session_list) struct session_list sessions = {0};
    const json_t *spec = tree_get(configuration, "spec");
    struct sight sight = {.configuration = configuration,
                          .conditions = tree_at(configuration, "status.conditions"),
                          .sessions = &sessions};
    json_t *row = json_object();
    const char *space;

    gather(seen, configuration, &sessions);
    sight.repository = repository_of(seen, configuration, &space);

    struct health health = health_of(&sight);

    tree_put_text(row, "namespace", meta_or_empty(configuration, "namespace"));
    tree_put_text(row, "configuration", meta_or_empty(configuration, "name"));
    tree_put_new(row, "target", target_row(configuration));
    put_said(row, "blueprint",
             tree_text(tree_at(configuration, "metadata.labels"), LABEL_BLUEPRINT));
    put_said(row, "schedule", tree_text(spec, "schedule"));
    tree_put_bool(row, "paused", tree_true(spec, "paused"));
    tree_put_text(row, "health", health.word);
    put_said(row, "reason", health.reason);
    put_said(row, "message", health.message);
    put_moment(row, "lastBackup", backup_s(seen, &sight));
    put_moment(row, "nextRun", due_s(seen, configuration));
    tree_put_new(
        row, "repository",
        repository_row(sight.repository, space, tree_text(tree_get(spec, "repository"), "name")));
    tree_put_new(row, "sessions", session_rows(&sessions));
    return row;
}

static int compare_objects(const void *left, const void *right)
{
    const json_t *a = *(const json_t *const *)left, *b = *(const json_t *const *)right;
    int spaces = strcmp(meta_or_empty(a, "namespace"), meta_or_empty(b, "namespace"));

    return spaces ? spaces : strcmp(meta_or_empty(a, "name"), meta_or_empty(b, "name"));
}

json_t *overview_make(const struct overview_seen *seen)
{
    AUTO(session_list) struct session_list configurations = {0};
    const json_t *configuration;
    json_t *rows = json_array();
    size_t i;

    tree_items (seen->configurations, i, configuration)
        add_session(&configurations, configuration);
    if (configurations.count)
        qsort(configurations.items, configurations.count, sizeof(const json_t *), compare_objects);
    for (i = 0; i < configurations.count; i++)
        tree_push_new(rows, row_of(seen, configurations.items[i]));
    return rows;
}
