#include "agent/wipe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/work.h"
#include "api/backend.h"
#include "api/maintenance_args.h"
#include "api/rclone_access.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"

/* Of rclone: there is no such folder. Spec: its manual, exit code. */
#define NO_FOLDER 3

/* One removal under way. */
struct wipe {
    struct run *run;
    const json_t *backend;
    struct words environment; /* of rclone */
};

/* ---- rclone ---- */

static bool set_up(struct wipe *wipe, struct error *err)
{
    const struct restic_place *place = &wipe->run->place;
    AUTO(free) struct message_work *work = text_alloc(sizeof *work);
    AUTO(json) json_t *kept = rclone_access_make(wipe->backend, place->work, work, err);

    if (!kept)
        return false;
    command_environment(&wipe->environment, place);
    words_addf(&wipe->environment, "RCLONE_CACHE_DIR=%s/rclone-cache", place->scratch);
    for (size_t i = 0; i < work->variable_count; i++)
        if (!command_variable(&wipe->environment, work, &work->environment[i], err))
            return false;
    return true;
}

/* An empty name of a file: nothing but the variables is read. */
static void begin(struct words *argv, const char *command)
{
    words_add(argv, "rclone");
    words_add(argv, command);
    words_add(argv, "--config=");
    words_add(argv, "--log-level=ERROR");
    words_add(argv, "--retries=2");
    words_add(argv, "--low-level-retries=3");
}

static bool add_place(struct wipe *wipe, struct words *argv, const char *path)
{
    AUTO(text) struct text place = {0};
    struct error err = {.message = ""};

    if (!rclone_place(&place, wipe->backend, path, &err))
        return failure_set(&wipe->run->failure, "WorkNotUnderstood", "%s", err.message);
    words_add(argv, text_get(&place));
    return true;
}

/* As restic is run, with the variables of the other program. */
static bool call(struct wipe *wipe, struct words *argv, enum reading reading, struct output *output)
{
    struct run *run = wipe->run;
    struct words own = run->environment;
    bool good;

    run->environment = wipe->environment;
    run->program = run->agent->options->rclone;
    good = restic_run(run, argv, reading, output);
    wipe->environment = run->environment;
    run->environment = own;
    run->program = NULL;
    return good;
}

static bool is_absent(const struct restic_end *end)
{
    return end->cause == RESTIC_BY_ITSELF && WIFEXITED(end->status) &&
           WEXITSTATUS(end->status) == NO_FOLDER;
}

static bool must(struct wipe *wipe, struct words *argv, const char *doing)
{
    AUTO(output) struct output output = {0};

    return call(wipe, argv, READ_LINES, &output) &&
           (is_absent(&output.end) || rclone_judge(&output.end, doing, &wipe->run->failure));
}

/* What a command lists; nothing of a folder that is not there. */
static bool list(struct wipe *wipe, struct words *argv, json_t **listed)
{
    AUTO(output) struct output output = {0};

    if (!call(wipe, argv, READ_DOCUMENT, &output))
        return false;
    if (is_absent(&output.end)) {
        *listed = json_array();
        return true;
    }
    if (!rclone_judge(&output.end, "listing the repository", &wipe->run->failure))
        return false;
    *listed = TAKE(output.document);
    return json_is_array(*listed) ||
           failure_set(&wipe->run->failure, "StorageFailed", "rclone gave no list");
}

/* ---- what is there ---- */

/* What lies where the repository is. */
struct there {
    json_t *listed;
    const char *mark;     /* whose removal has begun; NULL: nobody's */
    bool config, folders; /* restic's */
};

static void auto_there(struct there *there)
{
    json_decref(there->listed);
}

static bool look(struct wipe *wipe, struct there *there, struct text *others)
{
    AUTO(words) struct words argv = {0};

    begin(&argv, "lsjson");
    words_add(&argv, "--no-modtime");
    words_add(&argv, "--no-mimetype");
    if (!add_place(wipe, &argv, "") || !list(wipe, &argv, &there->listed))
        return false;
    (void)rclone_beside(there->listed, &there->mark, &there->config, &there->folders, others);
    return true;
}

/* How many files of restic's are in a folder; added. */
static bool count_files(struct wipe *wipe, const char *folder, size_t *count)
{
    AUTO(words) struct words argv = {0};
    AUTO(json) json_t *listed = NULL;

    begin(&argv, "lsjson");
    words_add(&argv, "--recursive");
    words_add(&argv, "--files-only");
    words_add(&argv, "--no-modtime");
    words_add(&argv, "--no-mimetype");
    words_addf(&argv, "--include=%s", rclone_filter(folder));
    if (!add_place(wipe, &argv, folder) || !list(wipe, &argv, &listed))
        return false;
    *count += json_array_size(listed);
    return true;
}

/* In all folders, until one has some. */
static bool find_files(struct wipe *wipe, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < WIPE_FOLDERS && *count == 0; i++)
        if (!count_files(wipe, wipe_folders[i], count))
            return false;
    return true;
}

/* A configuration and nothing else: what a removal leaves that was broken off before its last
 * step. Nobody can have begun to use it, since restic writes its key first. */
static bool is_shell(struct wipe *wipe, bool *shell)
{
    size_t count;

    if (!find_files(wipe, &count))
        return false;
    *shell = count == 0;
    return true;
}

/* ---- may it go? ---- */

static bool is_ours(struct wipe *wipe)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    struct run *run = wipe->run;
    const char *us = run->work->repository.cluster, *owner;

    restic_owners(&argv, &run->place);
    if (!restic_must(run, &argv, READ_DOCUMENT, &output, "opening the repository"))
        return false;
    owner = restic_owner(output.document).uid;
    if (owner && strcmp(owner, us) == 0)
        return true;
    return failure_set(&run->failure, FOREIGN_REPOSITORY,
                       "it has the mark of %s, this cluster is %s: nothing was removed",
                       owner ? owner : "nobody", us);
}

/* Whoever works there, a person or another program, says so by a lock. */
static bool is_free(struct wipe *wipe)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(json) json_t *vector = unlock_args(false);
    struct error err = {.message = ""};
    size_t locks = 0;

    if (!restic_maintenance(&argv, &wipe->run->place, vector, &err))
        return failure_set(&wipe->run->failure, "ArgumentRefused", "%s", err.message);
    if (!restic_must(wipe->run, &argv, READ_DOCUMENT, &output, "restic unlock") ||
        !count_files(wipe, "locks", &locks))
        return false;
    return locks == 0 ||
           failure_set(&wipe->run->failure, "RepositoryLocked",
                       "somebody works on the repository: %zu locks lie in it. Nothing was removed",
                       locks);
}

/* A removal that has begun is not asked again: nothing is left that could answer. */
static bool may_go(struct wipe *wipe, const struct there *there)
{
    const char *us = wipe->run->work->repository.cluster;
    bool shell = false;

    if (there->mark && strcmp(there->mark, us) == 0)
        return true;
    if (there->mark)
        return failure_set(&wipe->run->failure, FOREIGN_REPOSITORY,
                           "cluster %s has begun to remove it, this one is %s", there->mark, us);
    if (!there->config && !there->folders)
        return failure_set(&wipe->run->failure, "RepositoryMissing",
                           "nothing of restic's lies at this address");
    return (there->config && is_shell(wipe, &shell) && shell) ||
           (!wipe->run->failure.reason && is_ours(wipe) && is_free(wipe));
}

/* ---- going ---- */

static bool put_mark(struct wipe *wipe)
{
    AUTO(words) struct words argv = {0};
    struct run *run = wipe->run;
    AUTO(free) char *name = text_format(WIPE_MARK "%s", run->work->repository.cluster);
    struct error err = {.message = ""};
    AUTO(close) int text = memory_file(span_of("This repository is being removed.\n"), &err);
    bool good;

    if (text < 0)
        return failure_set(&run->failure, "ResticNotStarted", "%s", err.message);
    begin(&argv, "rcat");
    if (!add_place(wipe, &argv, name))
        return false;
    run->input = text;
    good = must(wipe, &argv, "marking what is to be removed");
    run->input = -1;
    return good;
}

static bool empty(struct wipe *wipe, const char *folder)
{
    AUTO(words) struct words argv = {0};
    AUTO(free) char *doing = text_format("removing %s", folder);

    begin(&argv, "delete");
    words_addf(&argv, "--include=%s", rclone_filter(folder));
    return add_place(wipe, &argv, folder) && must(wipe, &argv, doing);
}

/* Only folders of a disk are things of their own. */
static bool remove_folder(struct wipe *wipe, const char *folder)
{
    AUTO(words) struct words argv = {0};

    begin(&argv, "rmdirs");
    return add_place(wipe, &argv, folder) && must(wipe, &argv, "removing empty folders");
}

static bool remove_file(struct wipe *wipe, const char *name)
{
    AUTO(words) struct words argv = {0};

    begin(&argv, "deletefile");
    return add_place(wipe, &argv, name) && must(wipe, &argv, "removing a file");
}

static bool remove_folders(struct wipe *wipe, const struct there *there)
{
    const json_t *entry;
    size_t i;

    if (strcmp(backend_provider(wipe->backend), "local") != 0)
        return true;
    for (size_t k = 0; k < WIPE_FOLDERS; k++)
        tree_items (there->listed, i, entry)
            if (tree_true(entry, "IsDir") && span_is(tree_span(entry, "Name"), wipe_folders[k]) &&
                !remove_folder(wipe, wipe_folders[k]))
                return false;
    return true;
}

/* A storage that only takes appends may say yes to everything, and keep it. */
static bool is_empty(struct wipe *wipe)
{
    size_t count;

    if (!find_files(wipe, &count))
        return false;
    return count == 0 ||
           failure_set(
               &wipe->run->failure, "NotRemoved",
               "the storage still lists %zu files that were to be removed. What to do: give "
               "credentials that may delete",
               count);
}

/* Its own mark goes before `config`, so that no repository is ever made beside one. */
static bool go(struct wipe *wipe, const struct there *there)
{
    AUTO(free) char *mark = text_format(WIPE_MARK "%s", wipe->run->work->repository.cluster);

    if ((there->folders && !there->mark && !put_mark(wipe)))
        return false;
    for (size_t i = 0; i < WIPE_FOLDERS; i++)
        if (!empty(wipe, wipe_folders[i]))
            return false;
    if (!is_empty(wipe) || !remove_folders(wipe, there))
        return false;
    if ((there->folders || there->mark) && !remove_file(wipe, mark))
        return false;
    return !there->config || remove_file(wipe, "config");
}

bool wipe_do(struct run *run, const json_t *backend, struct text *others)
{
    struct wipe wipe = {.run = run, .backend = backend};
    AUTO(there) struct there there = {0};
    struct error err = {.message = ""};
    bool good = set_up(&wipe, &err);

    if (!good)
        failure_set(&run->failure, "WorkNotUnderstood", "%s", err.message);
    good = good && look(&wipe, &there, others) && may_go(&wipe, &there) && go(&wipe, &there);
    if (good)
        log_info("the repository is removed", LOG_S("others", text_get(others)));
    words_done(&wipe.environment);
    return good;
}
