#include "controllers/target_metrics.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/exposition.h"
#include "controllers/maintenance_next.h"
#include "controllers/maintenance_status.h"
#include "controllers/schedule_kept.h"
#include "controllers/session_make.h"
#include "kube/meta.h"
#include "kube/time.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* What a series is about; each has labels and numbers of its own. */
enum about {
    STASH_SESSION,
    STASH_TARGET,
    STASH_HOST,
    STASH_REPOSITORY,
    STASH_RESTORE,
    STASH_RESTORE_TARGET,
    STASH_RESTORE_HOST,
    OUR_BACKUP,
    OUR_REPOSITORY,
    OUR_MAINTENANCE,
    OUR_PROBLEM,
    ABOUTS
};

/* Numbers, by their place in a unit. */
enum { SESSION_SUCCESS, SESSION_DURATION, SESSION_TARGETS, SESSION_LAST_SUCCESS };
enum { TARGET_SUCCESS, TARGET_HOSTS, TARGET_LAST_SUCCESS };
enum {
    HOST_SUCCESS,
    HOST_DURATION,
    HOST_BYTES,
    HOST_UPLOADED,
    HOST_PROCESSING,
    HOST_FILES,
    HOST_NEW,
    HOST_MODIFIED,
    HOST_UNMODIFIED
};
enum { REPOSITORY_INTEGRITY, REPOSITORY_SIZE, REPOSITORY_SNAPSHOTS, REPOSITORY_CLEANED };
enum {
    BACKUP_MADE,
    BACKUP_READY,
    BACKUP_PAUSED,
    BACKUP_RUNNING,
    BACKUP_LAST_SUCCESS,
    BACKUP_LAST_ATTEMPT,
    BACKUP_SUCCEEDED,
    BACKUP_DURATION,
    BACKUP_BYTES,
    BACKUP_UPLOADED,
    BACKUP_FILES,
    BACKUP_HOSTS,
    BACKUP_KEPT,
    BACKUP_MISSED,
    BACKUP_RETENTION,
    BACKUP_CHECK
};
enum { STORE_INTEGRITY, STORE_SIZE, STORE_SNAPSHOTS, STORE_LAST_BACKUP };
enum { MAINTENANCE_SUCCESS, MAINTENANCE_FAILURE, MAINTENANCE_FAILURES };
enum { PROBLEM };

#define VALUES_MAX 16

/* One thing that has series. */
struct unit {
    char *labels; /* owned */
    int64_t values[VALUES_MAX];
};

struct units {
    struct unit *list; /* owned */
    size_t count, room;
};

struct target_metrics {
    struct units about[ABOUTS];
    json_t *repositories; /* owned; labels of those that are there */
    int64_t left_out;
};

/* Every name. */
static const struct family {
    const char *name, *type, *help;
    enum about about;
    size_t value;
} families[] = {
    {"stash_backup_session_success", "gauge",
     "1: the last session of a BackupConfiguration "
     "succeeded, 0: it failed.",
     STASH_SESSION, SESSION_SUCCESS},
    {"stash_backup_session_duration_seconds", "gauge", "How long its last successful session took.",
     STASH_SESSION, SESSION_DURATION},
    {"stash_backup_session_target_count_total", "gauge", "Targets of its last successful session.",
     STASH_SESSION, SESSION_TARGETS},
    {"stash_backup_session_last_success_time_seconds", "gauge",
     "When its last successful session ended.", STASH_SESSION, SESSION_LAST_SUCCESS},
    {"stash_backup_target_success", "gauge", "1: the target was backed up, 0: that failed.",
     STASH_TARGET, TARGET_SUCCESS},
    {"stash_backup_target_host_count_total", "gauge", "Hosts of the last successful backup.",
     STASH_TARGET, TARGET_HOSTS},
    {"stash_backup_target_last_success_time_seconds", "gauge",
     "When its last successful backup ended.", STASH_TARGET, TARGET_LAST_SUCCESS},
    {"stash_backup_host_backup_success", "gauge", "1: the host was backed up, 0: that failed.",
     STASH_HOST, HOST_SUCCESS},
    {"stash_backup_host_backup_duration_seconds", "gauge",
     "How long its last successful backup "
     "took.",
     STASH_HOST, HOST_DURATION},
    {"stash_backup_host_data_size_bytes", "gauge", "Size of what its snapshots hold.", STASH_HOST,
     HOST_BYTES},
    {"stash_backup_host_data_uploaded_bytes", "gauge", "Size of what was new and had to be sent.",
     STASH_HOST, HOST_UPLOADED},
    {"stash_backup_host_data_processing_time_seconds", "gauge", "How long its data was read.",
     STASH_HOST, HOST_PROCESSING},
    {"stash_backup_host_files_total", "gauge", "Files that its snapshots hold.", STASH_HOST,
     HOST_FILES},
    {"stash_backup_host_files_new", "gauge", "Files that the snapshots before did not have.",
     STASH_HOST, HOST_NEW},
    {"stash_backup_host_files_modified", "gauge", "Files that have changed.", STASH_HOST,
     HOST_MODIFIED},
    {"stash_backup_host_files_unmodified", "gauge", "Files that are the same.", STASH_HOST,
     HOST_UNMODIFIED},
    {"stash_repository_integrity", "gauge",
     "1: the last check found the repository in order, 0: "
     "damaged.",
     STASH_REPOSITORY, REPOSITORY_INTEGRITY},
    {"stash_repository_size_bytes", "gauge", "Size of the repository.", STASH_REPOSITORY,
     REPOSITORY_SIZE},
    {"stash_repository_snapshot_count", "gauge", "Snapshots in the repository.", STASH_REPOSITORY,
     REPOSITORY_SNAPSHOTS},
    {"stash_repository_snapshot_cleaned", "gauge", "Snapshots that the last retention removed.",
     STASH_REPOSITORY, REPOSITORY_CLEANED},
    {"stash_restore_session_success", "gauge", "1: the RestoreSession succeeded, 0: it failed.",
     STASH_RESTORE, SESSION_SUCCESS},
    {"stash_restore_session_duration_seconds", "gauge", "How long it took.", STASH_RESTORE,
     SESSION_DURATION},
    {"stash_restore_session_target_count_total", "gauge", "Targets of the RestoreSession.",
     STASH_RESTORE, SESSION_TARGETS},
    {"stash_restore_target_success", "gauge", "1: the target was restored, 0: that failed.",
     STASH_RESTORE_TARGET, TARGET_SUCCESS},
    {"stash_restore_target_host_count_total", "gauge", "Hosts of the target.", STASH_RESTORE_TARGET,
     TARGET_HOSTS},
    {"stash_restore_host_restore_success", "gauge", "1: the host was restored, 0: that failed.",
     STASH_RESTORE_HOST, HOST_SUCCESS},
    {"stash_restore_host_restore_duration_seconds", "gauge", "How long that took.",
     STASH_RESTORE_HOST, HOST_DURATION},

    {"granary_backup_created_timestamp_seconds", "gauge", "When the BackupConfiguration was made.",
     OUR_BACKUP, BACKUP_MADE},
    {"granary_backup_ready", "gauge", "1: its phase is Ready.", OUR_BACKUP, BACKUP_READY},
    {"granary_backup_paused", "gauge", "1: it is paused.", OUR_BACKUP, BACKUP_PAUSED},
    {"granary_backup_running", "gauge", "1: a session of it is at work.", OUR_BACKUP,
     BACKUP_RUNNING},
    {"granary_backup_last_success_timestamp_seconds", "gauge",
     "As of when its newest backup is; 0: there never was one.", OUR_BACKUP, BACKUP_LAST_SUCCESS},
    {"granary_backup_last_attempt_timestamp_seconds", "gauge",
     "When its newest session that began was made; 0: there never was one.", OUR_BACKUP,
     BACKUP_LAST_ATTEMPT},
    {"granary_backup_last_attempt_success", "gauge",
     "1: the newest session that has ended succeeded, 0: it failed.", OUR_BACKUP, BACKUP_SUCCEEDED},
    {"granary_backup_duration_seconds", "gauge", "How long that session took.", OUR_BACKUP,
     BACKUP_DURATION},
    {"granary_backup_bytes", "gauge", "Size of the newest backup, over all hosts.", OUR_BACKUP,
     BACKUP_BYTES},
    {"granary_backup_uploaded_bytes", "gauge", "What of it was new and had to be sent.", OUR_BACKUP,
     BACKUP_UPLOADED},
    {"granary_backup_files", "gauge", "Files in the newest backup.", OUR_BACKUP, BACKUP_FILES},
    {"granary_backup_hosts", "gauge", "Hosts in the newest backup.", OUR_BACKUP, BACKUP_HOSTS},
    {"granary_backup_schedule_kept", "gauge",
     "1: sessions begin when they are due, 0: they do not.", OUR_BACKUP, BACKUP_KEPT},
    {"granary_backup_missed_runs_total", "counter",
     "Sessions that did not begin when they were due, since this leader leads.", OUR_BACKUP,
     BACKUP_MISSED},
    {"granary_backup_retention_ok", "gauge",
     "1: the last retention of its Repository went well, 0: it failed.", OUR_BACKUP,
     BACKUP_RETENTION},
    {"granary_backup_check_ok", "gauge",
     "1: the last check of its Repository went well, 0: it "
     "failed.",
     OUR_BACKUP, BACKUP_CHECK},
    {"granary_repository_integrity", "gauge", "1: the last check found it in order, 0: damaged.",
     OUR_REPOSITORY, STORE_INTEGRITY},
    {"granary_repository_size_bytes", "gauge", "Size of the Repository.", OUR_REPOSITORY,
     STORE_SIZE},
    {"granary_repository_snapshots", "gauge", "Snapshots in the Repository.", OUR_REPOSITORY,
     STORE_SNAPSHOTS},
    {"granary_repository_last_backup_timestamp_seconds", "gauge",
     "As of when its newest backup is; 0: there never was one.", OUR_REPOSITORY, STORE_LAST_BACKUP},
    {"granary_repository_maintenance_last_success_timestamp_seconds", "gauge",
     "When maintenance of this kind began last that went well; 0: never.", OUR_MAINTENANCE,
     MAINTENANCE_SUCCESS},
    {"granary_repository_maintenance_last_failure_timestamp_seconds", "gauge",
     "When it failed last, and has not gone well since.", OUR_MAINTENANCE, MAINTENANCE_FAILURE},
    {"granary_repository_maintenance_failures", "gauge", "How often it failed in a row.",
     OUR_MAINTENANCE, MAINTENANCE_FAILURES},
    {"granary_target_problem", "gauge",
     "1: this target can not be backed up as its owner wishes, see its events.", OUR_PROBLEM,
     PROBLEM},
};

/* ---- gathering ---- */

struct target_metrics *target_metrics_make(void)
{
    struct target_metrics *metrics = text_alloc(sizeof *metrics);

    *metrics = (struct target_metrics){.repositories = json_object()};
    return metrics;
}

void target_metrics_free(struct target_metrics *metrics)
{
    for (size_t i = 0; metrics && i < ABOUTS; i++) {
        for (size_t u = 0; u < metrics->about[i].count; u++)
            free(metrics->about[i].list[u].labels);
        free(metrics->about[i].list);
    }
    if (metrics)
        json_decref(metrics->repositories);
    free(metrics);
}

static bool has_room(struct target_metrics *metrics, enum about about)
{
    bool room = metrics->about[about].count < TARGET_METRICS_MAX;

    metrics->left_out += !room;
    return room;
}

/* Its numbers, all absent; valid until the next of its kind. */
static int64_t *add(struct target_metrics *metrics, enum about about, struct text *labels)
{
    struct units *units = &metrics->about[about];
    struct unit *unit;

    if (units->count == units->room) {
        units->room = units->room ? 2 * units->room : 16;
        units->list = text_realloc(units->list, units->room * sizeof *units->list);
    }
    unit = &units->list[units->count++];
    unit->labels = text_take(labels);
    for (size_t i = 0; i < VALUES_MAX; i++)
        unit->values[i] = FIGURE_ABSENT;
    return unit->values;
}

static int64_t moment(const json_t *object, const char *key, int64_t otherwise)
{
    int64_t moment_s;

    return time_parse(tree_span(object, key), &moment_s) ? moment_s : otherwise;
}

static int64_t flag(const json_t *object, const char *key)
{
    const json_t *value = tree_get(object, key);

    return json_is_boolean(value) ? json_is_true(value) : FIGURE_ABSENT;
}

/* A condition that is True or False. */
static int64_t judged(const json_t *object, const char *type)
{
    enum condition_status status = condition_status(tree_at(object, "status.conditions"), type);

    return status == CONDITION_TRUE ? 1 : status == CONDITION_FALSE ? 0 : FIGURE_ABSENT;
}

/* ---- Stash's labels ---- */

static void label_invoker(struct text *labels, const json_t *invoker, const char *kind)
{
    exposition_label(labels, "invoker_kind", kind);
    exposition_label(labels, "invoker_name", meta(invoker, "name"));
    exposition_label(labels, "namespace", meta(invoker, "namespace"));
    exposition_label(labels, "driver", "Restic");
    exposition_label(labels, "repository", tree_text(tree_at(invoker, "spec.repository"), "name"));
}

static void label_target(struct text *labels, const json_t *target)
{
    const char *version = tree_text(target, "apiVersion");
    const char *slash = version ? strchr(version, '/') : NULL;
    AUTO(free) char *group = text_dup(slash ? version : "", slash ? (size_t)(slash - version) : 0);

    exposition_label(labels, "kind", tree_text(target, "kind"));
    exposition_label(labels, "group", group);
    exposition_label(labels, "name", tree_text(target, "name"));
}

/* Where a backend keeps its data, by the fields that say so. */
static void label_backend(struct text *labels, const json_t *repository)
{
    static const struct {
        const char *provider, *bucket, *prefix;
    } rows[] = {
        {"local", "mountPath", "subPath"}, {"s3", "bucket", "prefix"},
        {"gcs", "bucket", "prefix"},       {"azure", "container", "prefix"},
        {"swift", "container", "prefix"},  {"b2", "bucket", "prefix"},
    };
    const json_t *backend = tree_at(repository, "spec.backend");
    const char *provider = backend_provider(backend);

    exposition_label(labels, "backend", provider);
    for (size_t i = 0; provider && i < COUNT(rows); i++) {
        const json_t *place = tree_get(backend, provider);
        const char *bucket = tree_text(place, rows[i].bucket);
        const char *prefix = tree_text(place, rows[i].prefix);

        if (strcmp(provider, rows[i].provider) != 0)
            continue;
        if (bucket && *bucket)
            exposition_label(labels, "bucket", bucket);
        if (prefix && *prefix)
            exposition_label(labels, "prefix", prefix);
    }
}

static void label_repository(struct text *labels, const json_t *invoker, const json_t *repository)
{
    exposition_label(labels, "invoker_kind", "BackupConfiguration");
    exposition_label(labels, "invoker_name", meta(invoker, "name"));
    exposition_label(labels, "driver", "Restic");
    exposition_label(labels, "repository", meta(repository, "name"));
    exposition_label(labels, "name", meta(repository, "name"));
    exposition_label(labels, "namespace", meta(repository, "namespace"));
    label_backend(labels, repository);
}

/* ---- Stash's numbers ---- */

static int64_t end_of(const struct run_figures *run)
{
    return run->created_s + (run->duration_s > 0 ? run->duration_s : 0);
}

static void add_session(struct target_metrics *metrics, const struct backup_seen *seen)
{
    AUTO(text) struct text labels = {0};
    int64_t *values;

    label_invoker(&labels, seen->configuration, "BackupConfiguration");
    values = add(metrics, STASH_SESSION, &labels);
    values[SESSION_SUCCESS] = seen->last->succeeded;
    if (!seen->success)
        return;
    values[SESSION_DURATION] = seen->success->duration_s;
    values[SESSION_TARGETS] = seen->success->targets;
    values[SESSION_LAST_SUCCESS] = end_of(seen->success);
}

static void add_target(struct target_metrics *metrics, const struct backup_seen *seen,
                       const json_t *target)
{
    AUTO(text) struct text labels = {0};
    int64_t *values;

    label_invoker(&labels, seen->configuration, "BackupConfiguration");
    label_target(&labels, target);
    values = add(metrics, STASH_TARGET, &labels);
    values[TARGET_SUCCESS] = seen->last->target_succeeded;
    if (!seen->success)
        return;
    values[TARGET_HOSTS] = seen->success->hosts_wanted;
    values[TARGET_LAST_SUCCESS] = end_of(seen->success);
}

static void put_host(int64_t *values, const struct host_figures *host)
{
    values[HOST_DURATION] = host->duration_s;
    values[HOST_BYTES] = host->bytes;
    values[HOST_UPLOADED] = host->uploaded;
    values[HOST_PROCESSING] = host->processing_s;
    values[HOST_FILES] = host->files;
    values[HOST_NEW] = host->files_new;
    values[HOST_MODIFIED] = host->files_modified;
    values[HOST_UNMODIFIED] = host->files_unmodified;
}

/* Of one that failed its numbers are those of its last success. */
static void add_host(struct target_metrics *metrics, const struct backup_seen *seen,
                     const json_t *target, const struct host_figures *host)
{
    const struct host_figures *good = host;
    AUTO(text) struct text labels = {0};
    int64_t *values;

    label_invoker(&labels, seen->configuration, "BackupConfiguration");
    label_target(&labels, target);
    exposition_label(&labels, "hostname", host->name);
    values = add(metrics, STASH_HOST, &labels);
    values[HOST_SUCCESS] = host->succeeded;
    if (!host->succeeded)
        good = seen->success ? run_figures_host(seen->success, host->name) : NULL;
    if (good)
        put_host(values, good);
}

/* Configurations of one name in two namespaces may share a Repository, whose namespace it is that
 * stands in the labels: these are one series. */
static void add_repository(struct target_metrics *metrics, const struct backup_seen *seen)
{
    const json_t *status = tree_get(seen->repository, "status");
    AUTO(text) struct text labels = {0};
    int64_t *values;

    label_repository(&labels, seen->configuration, seen->repository);
    if (tree_get(metrics->repositories, text_get(&labels)))
        return;
    tree_put_bool(metrics->repositories, text_get(&labels), true);
    values = add(metrics, STASH_REPOSITORY, &labels);
    values[REPOSITORY_INTEGRITY] = flag(status, "integrity");
    values[REPOSITORY_SIZE] = figure_bytes(tree_text(status, "totalSize"));
    values[REPOSITORY_SNAPSHOTS] = tree_int(status, "snapshotCount", FIGURE_ABSENT);
    values[REPOSITORY_CLEANED] = tree_int(status, "snapshotsRemovedOnLastCleanup", FIGURE_ABSENT);
}

/* ---- ours ---- */

/* By its last run; nothing was run: absent. */
static int64_t health(const json_t *repository, enum maintenance_kind kind)
{
    struct maintenance seen = {0};

    maintenance_status_read(tree_get(repository, "status"), &seen);
    if (seen.past[kind].failures > 0)
        return 0;
    return seen.past[kind].succeeded_s > 0 ? 1 : FIGURE_ABSENT;
}

static void put_success(int64_t *values, const struct run_figures *run)
{
    values[BACKUP_BYTES] = run_figures_sum(run, offsetof(struct host_figures, bytes));
    values[BACKUP_UPLOADED] = run_figures_sum(run, offsetof(struct host_figures, uploaded));
    values[BACKUP_FILES] = run_figures_sum(run, offsetof(struct host_figures, files));
    values[BACKUP_HOSTS] = run->hosts_wanted;
}

static void add_backup(struct target_metrics *metrics, const struct backup_seen *seen,
                       const json_t *target)
{
    const json_t *configuration = seen->configuration, *spec = tree_get(configuration, "spec");
    AUTO(text) struct text labels = {0};
    int64_t *values;

    exposition_label(&labels, "namespace", meta(configuration, "namespace"));
    exposition_label(&labels, "configuration", meta(configuration, "name"));
    label_target(&labels, target);
    exposition_label(&labels, "repository", tree_text(tree_get(spec, "repository"), "name"));
    values = add(metrics, OUR_BACKUP, &labels);
    values[BACKUP_MADE] = moment(tree_get(configuration, "metadata"), "creationTimestamp", 0);
    values[BACKUP_READY] = span_is(tree_span(tree_get(configuration, "status"), "phase"), "Ready");
    values[BACKUP_PAUSED] = tree_true(spec, "paused");
    values[BACKUP_RUNNING] = seen->running;
    values[BACKUP_LAST_SUCCESS] = seen->success_s;
    values[BACKUP_LAST_ATTEMPT] = seen->attempt_s;
    values[BACKUP_KEPT] = judged(configuration, CONDITION_SCHEDULE_KEPT);
    values[BACKUP_MISSED] = seen->missed;
    values[BACKUP_RETENTION] = health(seen->repository, MAINTENANCE_FORGET);
    values[BACKUP_CHECK] = health(seen->repository, MAINTENANCE_CHECK);
    if (seen->last) {
        values[BACKUP_SUCCEEDED] = seen->last->succeeded;
        values[BACKUP_DURATION] = seen->last->duration_s;
    }
    if (seen->success)
        put_success(values, seen->success);
}

bool target_metrics_backup(struct target_metrics *metrics, const struct backup_seen *seen)
{
    AUTO(json) json_t *target = session_target(seen->configuration);

    if (!has_room(metrics, OUR_BACKUP))
        return false;
    add_backup(metrics, seen, target);
    if (!seen->last)
        return true;
    add_session(metrics, seen);
    add_target(metrics, seen, target);
    for (size_t i = 0; i < seen->last->host_count && has_room(metrics, STASH_HOST); i++)
        add_host(metrics, seen, target, &seen->last->hosts[i]);
    if (seen->repository)
        add_repository(metrics, seen);
    return true;
}

static void add_restore_host(struct target_metrics *metrics, const json_t *session,
                             const json_t *target, const struct host_figures *host)
{
    AUTO(text) struct text labels = {0};
    int64_t *values;

    label_invoker(&labels, session, "RestoreSession");
    label_target(&labels, target);
    exposition_label(&labels, "hostname", host->name);
    values = add(metrics, STASH_RESTORE_HOST, &labels);
    values[HOST_SUCCESS] = host->succeeded;
    if (host->succeeded)
        values[HOST_DURATION] = host->duration_s;
}

static void add_restore(struct target_metrics *metrics, const json_t *session,
                        const struct run_figures *run)
{
    AUTO(json) json_t *target = session_target(session);
    AUTO(text) struct text whole = {0}, one = {0};
    int64_t *values;

    label_invoker(&whole, session, "RestoreSession");
    label_invoker(&one, session, "RestoreSession");
    label_target(&one, target);
    values = add(metrics, STASH_RESTORE, &whole);
    values[SESSION_SUCCESS] = run->succeeded;
    if (run->succeeded) {
        values[SESSION_DURATION] = run->duration_s;
        values[SESSION_TARGETS] = run->targets;
    }
    values = add(metrics, STASH_RESTORE_TARGET, &one);
    values[TARGET_SUCCESS] = run->succeeded;
    if (run->succeeded)
        values[TARGET_HOSTS] = run->hosts_wanted;
    for (size_t i = 0; i < run->host_count && has_room(metrics, STASH_RESTORE_HOST); i++)
        add_restore_host(metrics, session, target, &run->hosts[i]);
}

bool target_metrics_restore(struct target_metrics *metrics, const json_t *session)
{
    AUTO(run_figures) struct run_figures run = {0};

    if (!run_figures_read(&run, session))
        return true;
    if (!has_room(metrics, STASH_RESTORE))
        return false;
    add_restore(metrics, session, &run);
    return true;
}

static void add_maintenance(struct target_metrics *metrics, const json_t *repository,
                            enum maintenance_kind kind, const struct maintenance_past *past)
{
    AUTO(text) struct text labels = {0};
    int64_t *values;

    exposition_label(&labels, "namespace", meta(repository, "namespace"));
    exposition_label(&labels, "repository", meta(repository, "name"));
    exposition_label(&labels, "kind", maintenance_word(kind));
    values = add(metrics, OUR_MAINTENANCE, &labels);
    values[MAINTENANCE_SUCCESS] = past->succeeded_s;
    if (past->failed_s)
        values[MAINTENANCE_FAILURE] = past->failed_s;
    values[MAINTENANCE_FAILURES] = past->failures;
}

bool target_metrics_repository(struct target_metrics *metrics, const json_t *repository)
{
    const json_t *status = tree_get(repository, "status");
    struct maintenance seen = {0};
    AUTO(text) struct text labels = {0};
    int64_t *values;

    if (!has_room(metrics, OUR_REPOSITORY))
        return false;
    exposition_label(&labels, "namespace", meta(repository, "namespace"));
    exposition_label(&labels, "repository", meta(repository, "name"));
    values = add(metrics, OUR_REPOSITORY, &labels);
    values[STORE_INTEGRITY] = flag(status, "integrity");
    values[STORE_SIZE] = figure_bytes(tree_text(status, "totalSize"));
    values[STORE_SNAPSHOTS] = tree_int(status, "snapshotCount", FIGURE_ABSENT);
    values[STORE_LAST_BACKUP] = moment(status, "lastBackupTime", 0);
    maintenance_status_read(status, &seen);
    for (int kind = 0; kind < MAINTENANCE_KINDS; kind++)
        add_maintenance(metrics, repository, (enum maintenance_kind)kind, &seen.past[kind]);
    return true;
}

bool target_metrics_problem(struct target_metrics *metrics, const char *target, const char *reason)
{
    static const char *const names[] = {"group", "kind", "namespace", "name"};
    struct span rest = span_of(target), part;
    AUTO(text) struct text labels = {0};

    if (!has_room(metrics, OUR_PROBLEM))
        return false;
    for (size_t i = 0; i < COUNT(names) && text_split(&rest, '/', &part); i++) {
        AUTO(free) char *value = text_dup(part.data, part.length);

        exposition_label(&labels, names[i], value);
    }
    exposition_label(&labels, "reason", reason);
    add(metrics, OUR_PROBLEM, &labels)[PROBLEM] = 1;
    return true;
}

/* ---- writing ---- */

static void write_series(const struct family *family, const struct units *units, bool always,
                         struct text *text)
{
    bool headed = always;

    if (always)
        exposition_head(text, family->name, family->type, family->help);
    for (size_t u = 0; u < units->count; u++) {
        int64_t value = units->list[u].values[family->value];

        if (value == FIGURE_ABSENT)
            continue;
        if (!headed)
            exposition_head(text, family->name, family->type, family->help);
        headed = true;
        exposition_series(text, family->name, units->list[u].labels, value);
    }
}

void target_metrics_write(const struct target_metrics *metrics, enum metric_set set,
                          struct text *text)
{
    static const char left_out[] = "granary_controller_series_left_out";

    for (size_t i = 0; i < COUNT(families); i++) {
        const struct family *family = &families[i];

        if ((family->about >= OUR_BACKUP) == (set == METRICS_OURS))
            write_series(family, &metrics->about[family->about], set != METRICS_PUSHED, text);
    }
    if (set == METRICS_OURS) {
        exposition_head(text, left_out, "gauge", "What has no series, since there are too many.");
        exposition_series(text, left_out, "", metrics->left_out);
    }
}
