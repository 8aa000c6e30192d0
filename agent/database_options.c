#include "agent/database_options.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "agent/option_values.h"
#include "agent/run.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/text.h"

static const char *const verbs[] = {
    [DATABASE_BACKUP] = "database-backup", [DATABASE_RESTORE] = "database-restore",
    [DATABASE_CHECK] = "database-check",   [DATABASE_READY] = "database-ready",
    [DATABASE_DUMP] = "database-dump",     [DATABASE_LOAD] = "database-load",
};

#define VERBS (sizeof verbs / sizeof *verbs)

const char *database_verb_word(enum database_verb verb)
{
    return verbs[verb];
}

/* VERBS: none. */
static size_t verb_of(const char *word)
{
    size_t i = 0;

    while (i < VERBS && strcmp(word, verbs[i]) != 0)
        i++;
    return i;
}

bool database_is_verb(const char *word)
{
    return verb_of(word) < VERBS;
}

char *database_result_path(const char *scratch)
{
    return text_format("%s/database.json", scratch);
}

/* ---- options ---- */

static bool take_kind(const char *text, void *member, struct error *detail)
{
    struct database_options *options = member;

    options->kind = database_kind_of(text);
    return options->kind || error_set(detail, ERROR_INVALID, "is no database that can be dumped");
}

static bool take_overwrite(const char *text, void *member, struct error *detail)
{
    struct database_options *options = member;

    options->wish.overwrite = strcmp(text, "true") == 0;
    return options->wish.overwrite || !*text || strcmp(text, "false") == 0 ||
           error_set(detail, ERROR_INVALID, "expected true or false");
}

static const struct flag rows[] = {
#define AT(member) offsetof(struct database_options, member)
    {"kind", FLAG_BY(take_kind), 0, "KIND", "of database: mariadb, postgres, redis"},
    {"wait-timeout", FLAG_BY(option_wait), AT(wait_s), "SECONDS", "until it answers (default 300)"},
    {"database-args", FLAG_BY(option_parameter), AT(wish.args), "OPTIONS",
     "for the tool that dumps"},
    {"command", FLAG_BY(option_parameter), AT(wish.command), "TOOL",
     "that dumps, instead of the usual one: pg_dump"},
    {"user", FLAG_BY(option_parameter), AT(wish.user), "NAME", "instead of the Secret's"},
    {"database", FLAG_BY(option_parameter), AT(wish.database), "NAME", "this one alone"},
    {"overwrite", FLAG_BY(take_overwrite), 0, "BOOL", "a restore may replace what is there"},
    {"tools", FLAG_TEXT, AT(tools), "DIR", "its tools (default: where the image has them)"},
    {"app-secrets", FLAG_TEXT, AT(secrets), "DIR", "Secrets of the AppBinding"},
    {"scratch", FLAG_TEXT, AT(scratch), "DIR", "for what nobody keeps"},
    {"restic", FLAG_TEXT, AT(restic), "FILE", "the program"},
    {"identity", FLAG_TEXT, AT(identity), "DIR", "token, ca.crt and addresses"},
#undef AT
};

static const struct database_options defaults = {.wish = {"", "", "", "", false},
                                                 .wait_s = OPTION_WAIT_S,
                                                 .secrets = MOUNT_APP,
                                                 .scratch = MOUNT_SCRATCH};

static void help(void)
{
    puts("granary-agent database-backup, database-restore: the step of a Task that dumps a\n"
         "database into the repository, or gives it back.\n"
         "\n"
         "usage: granary-agent database-backup|database-restore --kind KIND [OPTION...]\n");
    flags_help(stdout, rows, sizeof rows / sizeof *rows, 27);
    puts("\n" ENV_APP " of the environment is its AppBinding, as JSON.");
}

/* ---- verbs ---- */

static enum agent_exit do_step(const struct database_options *options)
{
    static char *const step[] = {(char *)"granary-agent", (char *)"step", NULL};
    struct agent_options made;
    struct error err;

    if (agent_options_parse(2, (char **)step, &made, &err) != AGENT_RUN)
        return AGENT_CANNOT;
    made.database = options;
    made.scratch = options->scratch;
    made.restic = options->restic ? options->restic : made.restic;
    made.identity = options->identity ? options->identity : made.identity;
    return agent_run(&made);
}

/* Takes "--" and what is behind it away. */
static char **cut_behind(int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++)
        if (strcmp(argv[i], "--") == 0) {
            *argc = i;
            return argv + i + 1;
        }
    return NULL;
}

static bool check(const struct database_options *options, struct error *err)
{
    if (!options->kind)
        return error_set(err, ERROR_INVALID, "--kind is missing");
    if ((options->verb == DATABASE_LOAD) != (options->behind != NULL))
        return error_set(err, ERROR_INVALID, "only database-load has words behind --");
    return true;
}

static enum agent_exit refuse(const struct error *err)
{
    fprintf(stderr, "granary-agent: %s\ntry: granary-agent database-backup --help\n", err->message);
    return AGENT_CANNOT;
}

enum agent_exit database_main(int argc, char **argv)
{
    struct database_options options = defaults;
    struct error err = {.message = ""};

    options.verb = (enum database_verb)verb_of(argv[0]);
    options.behind = cut_behind(&argc, argv);
    options.words = argv + 1;
    options.word_count = argc - 1;
    switch (flags_parse(argc, argv, rows, sizeof rows / sizeof *rows, &options, &err)) {
    case FLAGS_HELP:
        help();
        return AGENT_FINE;
    case FLAGS_VERSION:
        agent_version(stdout);
        return AGENT_FINE;
    case FLAGS_RUN:
        break;
    default:
        return refuse(&err);
    }
    if (!check(&options, &err))
        return refuse(&err);
    options.tools = options.tools ? options.tools : options.kind->folder;
    /* it holds passwords and keys */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0);
    log_setup(LOG_TEXT, LOG_INFO);
    return options.verb <= DATABASE_RESTORE ? do_step(&options) : database_help(&options);
}
