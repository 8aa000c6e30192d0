#include "agent/database_work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/database_options.h"
#include "agent/work.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"

/* Bytes of what a helper came to. */
#define RESULT_MAX_BYTES (64u << 10)

/* A failure's word is static. */
static const char *reason_of(const char *word)
{
    static const char *const known[] = {
        "ArgumentRefused",     "DatabaseNotEmpty", "DatabaseNotNamed", "DatabaseRefused",
        "DatabaseUnreachable", "DumpFailed",       "DumpIncomplete",   "ResticFailed",
        "ResticNotStarted",    "RestoreFailed",    "RestoreIncomplete"};

    for (size_t i = 0; word && i < sizeof known / sizeof *known; i++)
        if (strcmp(word, known[i]) == 0)
            return known[i];
    return "Unknown";
}

/* Ours, by the path that it has for others, too. */
static bool own_path(struct run *run, char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (length <= 0)
        return failure_set(&run->failure, "Unknown", "/proc/self/exe: %s", strerror(errno));
    path[length] = '\0';
    return true;
}

static const struct database_options *options_of(const struct run *run)
{
    return run->agent->options->database;
}

static void helper_words(const struct run *run, const char *path, enum database_verb verb,
                         struct words *out)
{
    const struct database_options *options = options_of(run);

    words_add(out, path);
    words_add(out, database_verb_word(verb));
    for (int i = 0; i < options->word_count; i++)
        words_add(out, options->words[i]);
}

static void forget_result(const struct run *run)
{
    AUTO(free) char *path = database_result_path(options_of(run)->scratch);

    unlink(path);
}

static json_t *read_result(const struct run *run)
{
    AUTO(free) char *path = database_result_path(options_of(run)->scratch);
    AUTO(close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    AUTO(text) struct text text = {0};
    char piece[4096];
    ssize_t got;

    while (fd >= 0 && text.length < RESULT_MAX_BYTES && (got = read(fd, piece, sizeof piece)) > 0)
        text_add(&text, piece, (size_t)got);
    return json_loadb(text_get(&text), text.length, JSON_REJECT_DUPLICATES, NULL);
}

/* What a helper says counts before what restic says of it, unless that was told to end. */
static bool judge(struct run *run, const struct output *output, const char *doing)
{
    AUTO(json) json_t *result = read_result(run);
    const char *reason = tree_text(result, "reason"), *message = tree_text(result, "message"), *key;
    const json_t *value;

    if (reason && output->end.cause == RESTIC_BY_ITSELF)
        return failure_set(&run->failure, reason_of(reason), "%s: %s", doing,
                           message ? message : "");
    if (!restic_judge(&output->end, doing, &run->failure))
        return false;
    if (!run->facts)
        run->facts = json_object();
    tree_each (tree_get(result, "facts"), key, value)
        tree_put_new(run->facts, key, tree_copy(value));
    return tree_get(result, "facts") != NULL ||
           failure_set(&run->failure, "Unknown", "%s: its helper does not say what it did", doing);
}

static bool run_helper(struct run *run, const char *path, struct words *argv, const char *doing)
{
    AUTO(output) struct output output = {0};

    forget_result(run);
    run->program = path;

    bool ran = restic_run(run, argv, READ_LINES, &output);

    run->program = NULL;
    return ran && judge(run, &output, doing);
}

/* The AppBinding reaches helpers like any other variable. */
static bool begin(struct run *run, char path[PATH_MAX])
{
    const char *app = getenv(ENV_APP);

    if (app)
        words_addf(&run->environment, ENV_APP "=%s", app);
    return own_path(run, path);
}

static bool check(struct run *run, const char *path, enum database_verb verb)
{
    AUTO(words) struct words argv = {0};

    helper_words(run, path, verb, &argv);
    return run_helper(run, path, &argv, "asking the database");
}

static bool take_snapshot(struct run *run, const char *path, struct message_report *report,
                          struct words *kept)
{
    const char *file = options_of(run)->kind->dump;
    AUTO(words) struct words helper = {0}, argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(free) char *stored = text_format("/%s", file);

    helper_words(run, path, DATABASE_DUMP, &helper);
    restic_backup_output(&argv, &run->place, file, &helper);
    forget_result(run);
    if (!restic_run(run, &argv, READ_LINES, &output) || !judge(run, &output, "the dump"))
        return false;
    if (output.summary.kind != RESTIC_SUMMARY || !output.summary.id[0])
        return failure_set(&run->failure, "NoSnapshot", "the dump: restic names no snapshot");
    if (!backup_is_listed(run, output.summary.id, stored))
        return false;
    words_add(kept, stored);
    backup_add(report, kept, kept->list[kept->count - 1], &output.summary);
    return true;
}

/* What stands in the status. */
static void put_facts(struct run *run, struct message_report *report)
{
    json_t *made = json_object();

    tree_put_new(made, "database", run->facts);
    run->facts = made;
    report->dump = made;
}

bool database_backup(struct run *run, struct message_report *report, struct words *kept)
{
    char path[PATH_MAX];

    if (!begin(run, path) || !check(run, path, DATABASE_CHECK) || !repository_open(run, true))
        return false;
    run->progress.stage = MESSAGE_WORK;
    if (!run_progress(run, true))
        return failure_set(&run->failure, "Cancelled", "the session was ended: %s", run->cancelled);
    if (!take_snapshot(run, path, report, kept))
        return false;
    put_facts(run, report);
    return true;
}

/* ---- restore ---- */

static void note(struct run *run, struct message_report *report, struct words *kept)
{
    const json_t *facts = run->facts;

    words_addf(kept, "restored %lld databases, %lld tables, %lld rows, %lld bytes of a dump",
               (long long)tree_int(facts, "databases", 0), (long long)tree_int(facts, "tables", 0),
               (long long)tree_int(facts, "rows", 0), (long long)tree_int(facts, "size", 0));
    report->note = kept->list[kept->count - 1];
    log_info("database restored", LOG_S("result", report->note));
}

bool database_restore(struct run *run, const char *id, struct message_report *report,
                      struct words *kept)
{
    AUTO(words) struct words argv = {0}, restic = {0};
    AUTO(free) char *stored = text_format("/%s", options_of(run)->kind->dump);
    char path[PATH_MAX];

    if (!begin(run, path) || !check(run, path, DATABASE_READY))
        return false;
    helper_words(run, path, DATABASE_LOAD, &argv);
    restic_output(&restic, &run->place, id, stored);
    words_add(&argv, "--");
    for (size_t i = 0; i < restic.count; i++)
        words_add(&argv, restic.list[i]);
    if (!run_helper(run, path, &argv, "the restore"))
        return false;
    note(run, report, kept);
    return true;
}
