#include "agent/database_work.h"

#include <stdlib.h>
#include <string.h>

#include "agent/database_options.h"
#include "agent/helper.h"
#include "agent/work.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"

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

/* What a helper says counts before what restic says of it. */
static bool judge(struct run *run, const struct output *output, const char *doing)
{
    AUTO(free) char *path = database_result_path(options_of(run)->scratch);

    return helper_judge(run, path, output, doing);
}

static void forget_result(const struct run *run)
{
    AUTO(free) char *path = database_result_path(options_of(run)->scratch);

    helper_forget(path);
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
    return helper_program(run, path);
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

    if (options_of(run)->kind->format == DATABASE_RDB)
        words_addf(kept,
                   "restored %lld databases, %lld keys (%lld more have expired), %lld libraries of "
                   "functions, %lld bytes of a dump",
                   (long long)tree_int(facts, "databases", 0),
                   (long long)tree_int(facts, "keys", 0), (long long)tree_int(facts, "expired", 0),
                   (long long)tree_int(facts, "libraries", 0),
                   (long long)tree_int(facts, "size", 0));
    else
        words_addf(kept, "restored %lld databases, %lld tables, %lld rows, %lld bytes of a dump",
                   (long long)tree_int(facts, "databases", 0),
                   (long long)tree_int(facts, "tables", 0), (long long)tree_int(facts, "rows", 0),
                   (long long)tree_int(facts, "size", 0));
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
