#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/drill.h"
#include "agent/etcd_fetch.h"
#include "agent/key_exchange.h"
#include "agent/secret_folder.h"
#include "agent/wipe.h"
#include "agent/work.h"
#include "api/maintenance_result.h"
#include "api/restic_access.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"

/* ---- the storage Secret ---- */

static void auto_secret(json_t **secret)
{
    secret_folder_done(*secret);
}

/* A Secret as the API has it, from a file for each key. */
static json_t *read_secret(const char *path, struct error *err)
{
    json_t *data = secret_folder_read(path, err), *secret = data ? json_object() : NULL;

    tree_put_new(secret, "data", data);
    return secret;
}

/* ---- runs ---- */

static const char *command_of(const json_t *vector)
{
    const char *command = json_string_value(json_array_get(vector, 0));

    return command ? command : "";
}

/* What a check names is in its words; that there is something is a finding, not a failure of ours.
 */
static void judge_check(const struct output *output, struct run *run,
                        struct maintenance_result *result)
{
    if (!restic_found_damage(&output->end))
        return;
    result->errors = tree_int(output->document, "num_errors", 0);
    if (result->errors > 0)
        failure_set(&run->failure, "RepositoryDamaged",
                    "restic check found %lld errors: %s. What to do: keep the repository as it is, "
                    "see restic's manual on troubleshooting; nothing is removed from it meanwhile.",
                    (long long)result->errors, text_get(&output->message));
}

/* Snapshots that restic says it has removed, {id: true}. */
static void note_removed(const json_t *groups, json_t *removed)
{
    const json_t *group, *snapshot;
    size_t i, k;

    tree_items (groups, i, group)
        tree_items (tree_get(group, "remove"), k, snapshot)
            if (tree_text(snapshot, "id"))
                tree_put_bool(removed, tree_text(snapshot, "id"), true);
}

/* A storage that only takes appends lets restic 0.18 end well, and keeps them all. */
static bool are_gone(const json_t *listed, const json_t *removed, struct failure *failure)
{
    const json_t *snapshot;
    size_t i;

    tree_items (listed, i, snapshot)
        if (tree_text(snapshot, "id") && tree_get(removed, tree_text(snapshot, "id")))
            return failure_set(failure, "NotRemoved",
                               "the storage still lists the snapshot %s that was to be removed. "
                               "What to do: give maintenance credentials that may delete, apart "
                               "from those of agentSecretName",
                               tree_text(snapshot, "id"));
    return true;
}

static bool is_dry(const json_t *vector)
{
    const json_t *word;
    size_t i;

    tree_items (vector, i, word)
        if (span_is(tree_value(word), "--dry-run"))
            return true;
    return false;
}

/* What a run has said is counted, once it is known to be true. */
static bool count(const json_t *vector, const json_t *document, json_t *removed,
                  struct maintenance_result *result, struct failure *failure)
{
    const char *command = command_of(vector);

    if (is_dry(vector))
        return true;
    if (strcmp(command, "forget") == 0)
        note_removed(document, removed);
    if (strcmp(command, "snapshots") == 0 && !are_gone(document, removed, failure))
        return false;
    maintenance_result_add(result, command, document);
    return true;
}

static bool do_run(struct run *run, const json_t *vector, json_t *removed,
                   struct maintenance_result *result)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(free) char *doing = text_format("restic %s", command_of(vector));
    struct error err = {.message = ""};

    if (!restic_maintenance(&argv, &run->place, vector, &err))
        return failure_set(&run->failure, "ArgumentRefused", "%s", err.message);
    log_info("run begins", LOG_S("command", command_of(vector)));
    if (!restic_run(run, &argv, READ_DOCUMENT, &output))
        return false;
    if (strcmp(command_of(vector), "check") == 0)
        judge_check(&output, run, result);
    if (!restic_judge(&output.end, doing, &run->failure) || run->failure.reason)
        return false;
    return count(vector, output.document, removed, result, &run->failure);
}

/* Who locks alone is the only one with a lock: removing all of them removes his. `pods`: what the
 * names of those begin with that can only be dead. */
static bool is_his(const char *words, const char *pods)
{
    const char *alone = strstr(words, "locked exclusively by PID ");
    size_t line = alone ? strcspn(alone, "\n") : 0;
    const char *where = alone ? strstr(alone, " on ") : NULL;

    return where && where < alone + line && strncmp(where + 4, pods, strlen(pods)) == 0;
}

/* True when the lock that keeps others out is of this pod, which has ended. */
static bool is_locked_by(struct run *run, const char *pod)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(json) json_t *vector = json_array();
    struct error err = {.message = ""};

    tree_push_text(vector, "snapshots");
    return pod && restic_maintenance(&argv, &run->place, vector, &err) &&
           restic_run(run, &argv, READ_DOCUMENT, &output) && is_his(text_get(&output.message), pod);
}

/* The lock of one that is proven to be dead is removed whatever its age. */
static void add_unlock(struct run *run, const struct agent_options *options, json_t *runs)
{
    json_t *vector;

    if (!is_locked_by(run, options->dead))
        return;
    log_info("the lock of a pod that has ended is removed", LOG_S("pod", options->dead));
    vector = json_array();
    tree_push_text(vector, "unlock");
    tree_push_text(vector, "--remove-all");
    json_array_insert_new(runs, 0, vector);
}

static json_t *read_runs(const struct agent_options *options, struct error *err)
{
    AUTO(json) json_t *runs = json_array();

    for (size_t i = 0; i < options->run_count; i++) {
        json_t *vector = json_loads(options->runs[i], JSON_REJECT_DUPLICATES, NULL);

        json_array_append_new(runs, vector ? vector : json_null());
        if (!json_is_array(vector)) {
            error_set(err, ERROR_INVALID, "run %zu is no list", i);
            return NULL;
        }
    }
    return TAKE(runs);
}

static bool do_wipe(struct run *run, struct text *others)
{
    AUTO(json) json_t *backend = json_loads(run->agent->options->backend, 0, NULL);

    return wipe_do(run, backend, others);
}

/* `exchange`: of the keys; NULL: nothing is exchanged. */
static bool do_runs(struct run *run, struct key_exchange *exchange,
                    struct maintenance_result *result)
{
    struct error err = {.message = ""};
    AUTO(json) json_t *runs = read_runs(run->agent->options, &err), *removed = json_object();
    const json_t *vector;
    size_t i;

    if (!runs)
        return failure_set(&run->failure, "WorkNotUnderstood", "%s", err.message);
    if ((exchange && !key_exchange_open(exchange)) || !repository_open(run, true))
        return false;
    run->progress.stage = MESSAGE_WORK;
    if (run->agent->options->drill_count > 0)
        return drill_do(run, result);
    add_unlock(run, run->agent->options, runs);
    tree_items (runs, i, vector)
        if (!do_run(run, vector, removed, result))
            return false;
    return !exchange || key_exchange_do(exchange);
}

/* ---- all of it ---- */

static bool is_kind(const struct agent_options *options, const char *kind)
{
    return strcmp(options->kind, kind) == 0;
}

/* `before`: access with the previous password; NULL: there is none. */
static bool do_all(struct run *run, const struct message_work *before,
                   struct maintenance_result *result, struct text *others)
{
    AUTO(key_exchange) struct key_exchange exchange = {0};

    if (run->agent->options->fetch)
        return etcd_fetch_do(run);
    key_exchange_init(&exchange, run, before);
    if (!is_kind(run->agent->options, "wipe"))
        return do_runs(run, is_kind(run->agent->options, "key") ? &exchange : NULL, result);

    bool good = do_wipe(run, others);

    result->others = good && others->length ? text_get(others) : NULL;
    return good;
}

static void prepare(const struct agent_options *options, struct message_work *work)
{
    *work = (struct message_work){
        .kind = MESSAGE_BACKUP,
        .session = {.space = "", .name = options->kind, .uid = ""},
        .host = "",
        .deadline_s = -1,
        .has_limits = true,
        .limits = {.cache = true, .ionice_class = -1, .ionice_data = -1},
    };
}

/* The access to the repository, which `work` borrows from. */
static json_t *access_of(const struct agent_options *options, const json_t *secret,
                         struct message_work *work, struct error *err)
{
    AUTO(json) json_t *backend = json_loads(options->backend, JSON_REJECT_DUPLICATES, NULL);

    prepare(options, work);

    json_t *access = restic_access_make(backend, secret, work, err);

    if (access)
        work->repository.cluster = options->cluster;
    return access;
}

/* The Secret as it was, as far as the password goes; NULL: it does not say. */
static json_t *secret_before(const json_t *secret)
{
    const json_t *old = tree_get(tree_get(secret, "data"), RESTIC_PASSWORD_OLD_KEY);
    json_t *before = old && json_string_length(old) ? tree_copy(secret) : NULL;

    if (before)
        tree_put_new(json_object_get(before, "data"), RESTIC_PASSWORD_KEY, tree_copy(old));
    return before;
}

/* Both accesses; *before_kept is NULL where nothing is exchanged. False: with err. */
static bool take_access(const struct agent_options *options, struct message_work *work,
                        json_t **kept, struct message_work *before, json_t **before_kept,
                        struct error *err)
{
    AUTO(secret) json_t *secret = read_secret(options->secret, err);
    AUTO(secret) json_t *old = is_kind(options, "key") ? secret_before(secret) : NULL;

    *kept = secret ? access_of(options, secret, work, err) : NULL;
    if (!*kept)
        return false;
    *before_kept = old ? access_of(options, old, before, err) : NULL;
    return !old || *before_kept || error_wrap(err, RESTIC_PASSWORD_OLD_KEY);
}

/* The kubelet keeps 4096 bytes of it. */
static bool write_result(const char *path, const struct maintenance_result *result)
{
    AUTO(text) struct text text = {0};
    AUTO(close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    maintenance_result_write(result, &text);
    if (fd >= 0 && write(fd, text.data, text.length) == (ssize_t)text.length)
        return true;
    log_error("the result can not be written", LOG_S("file", path),
              LOG_S("reason", strerror(errno)));
    return false;
}

static bool finish(const struct agent_options *options, const struct failure *failure,
                   struct maintenance_result *result)
{
    result->kind = options->kind;
    result->reason = failure->reason;
    result->message = failure->reason ? text_get(&failure->message) : NULL;
    if (failure->reason)
        log_error("maintenance failed", LOG_S("kind", options->kind),
                  LOG_S("reason", failure->reason), LOG_S("message", text_get(&failure->message)));
    else
        log_info("maintenance succeeded", LOG_S("kind", options->kind));
    return write_result(options->result, result) && !failure->reason;
}

enum agent_exit agent_maintain(struct agent *agent)
{
    const struct agent_options *options = agent->options;
    AUTO(free) struct message_work *work = text_alloc(sizeof *work);
    AUTO(free) struct message_work *before = text_alloc(sizeof *before);
    AUTO(restic_access) json_t *kept = NULL;
    AUTO(restic_access) json_t *before_kept = NULL;
    struct maintenance_result result = MAINTENANCE_RESULT_NONE;
    AUTO(text) struct text others = {0};
    struct error err = {.message = ""};
    struct run run;
    bool good;

    if (!take_access(options, work, &kept, before, &before_kept, &err)) {
        AUTO(failure) struct failure failure = {0};

        failure_set(&failure, "StorageSecretUnusable", "%s", err.message);
        (void)finish(options, &failure, &result);
        return AGENT_ENDED;
    }
    if (run_begin(&run, agent, work))
        (void)do_all(&run, before_kept ? before : NULL, &result, &others);
    good = finish(options, &run.failure, &result);
    run_done(&run);
    return good ? AGENT_FINE : AGENT_ENDED;
}
