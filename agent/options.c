#include "agent/options.h"

#include <getopt.h>
#include <string.h>

#include "api/keys.h"
#include "base/build.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

enum { KEY_FIRST = 1000, KEY_HELP, KEY_VERSION };

/* The name that argv's first word has, and what the mode is for. */
static const struct {
    const char *name, *help;
} modes[] = {
    [AGENT_SIDECAR] = {"sidecar", "beside an application: waits for work until it is told to end"},
    [AGENT_INIT] = {"init", "before an application: ends when that may start"},
};

enum value { VALUE_TEXT, VALUE_HOST, VALUE_SWITCH };

static const struct row {
    const char *name;
    enum value value;
    bool init; /* of that mode only */
    size_t offset;
    const char *argument, *help;
} rows[] = {
#define AT(member) offsetof(struct agent_options, member)
    {"identity", VALUE_TEXT, false, AT(identity), "DIR",
     "token, ca.crt and addresses (default " MOUNT_IDENTITY ")"},
    {"target-kind", VALUE_TEXT, true, AT(target_kind), "KIND", "of the workload: StatefulSet"},
    {"session", VALUE_TEXT, true, AT(session), "NAME", "the RestoreSession to wait for"},
    {"session-namespace", VALUE_TEXT, true, AT(session_namespace), "NAME", "where it is"},
    {"session-uid", VALUE_TEXT, true, AT(session_uid), "UID", "which of that name it is"},
    {"alias", VALUE_TEXT, true, AT(alias), "NAME", "under which snapshots of it are filed"},
    {"host", VALUE_HOST, true, AT(hosts), "HOST", "one that it covers; again for more"},
    {"restore-if-exists", VALUE_SWITCH, true, AT(restore_if_exists), NULL,
     "an empty volume is restored from the newest backup, if there is one"},
#undef AT
};

static bool take_value(struct agent_options *options, const struct row *row, const char *text,
                       struct error *err)
{
    void *member = (char *)options + row->offset;

    if (row->init && options->mode != AGENT_INIT)
        return error_set(err, ERROR_INVALID, "--%s is for init only", row->name);
    if (row->value == VALUE_SWITCH)
        return *(bool *)member = true;
    if (!*text)
        return error_set(err, ERROR_INVALID, "--%s: its value is empty", row->name);
    if (row->value == VALUE_TEXT) {
        *(const char **)member = text;
        return true;
    }
    if (options->host_count == RESTORE_HOSTS_MAX)
        return error_set(err, ERROR_INVALID, "--host: more than %u", RESTORE_HOSTS_MAX);
    options->hosts[options->host_count++] = text;
    return true;
}

static void describe_to_getopt(struct option *list)
{
    size_t i;

    for (i = 0; i < COUNT(rows); i++)
        list[i] = (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument,
                                  NULL, KEY_FIRST + 10 + (int)i};
    list[i++] = (struct option){"help", no_argument, NULL, KEY_HELP};
    list[i++] = (struct option){"version", no_argument, NULL, KEY_VERSION};
    list[i] = (struct option){0};
}

static bool take_mode(const char *word, struct agent_options *options, struct error *err)
{
    for (size_t i = 0; word && i < COUNT(modes); i++)
        if (strcmp(word, modes[i].name) == 0) {
            options->mode = (enum agent_mode)i;
            return true;
        }
    return error_set(err, ERROR_INVALID, "the first word must be sidecar or init");
}

static bool check(const struct agent_options *options, struct error *err)
{
    bool any = options->session || options->session_namespace || options->session_uid;
    bool all = options->session && options->session_namespace && options->session_uid;

    if (any && !all)
        return error_set(err, ERROR_INVALID,
                         "--session, --session-namespace and --session-uid belong together");
    if ((options->host_count > 0 || options->alias) && !all)
        return error_set(err, ERROR_INVALID, "--%s needs --session",
                         options->alias ? "alias" : "host");
    if (options->host_count > 0 && !options->target_kind)
        return error_set(err, ERROR_INVALID, "--host needs --target-kind");
    return true;
}

/* argv from its second word on. */
static enum agent_verdict take_options(int argc, char **argv, struct agent_options *options,
                                       struct error *err)
{
    struct option list[COUNT(rows) + 3];
    int key;

    describe_to_getopt(list);
    opterr = 0;
    optind = 0;
    while ((key = getopt_long(argc, argv, ":h", list, NULL)) != -1) {
        if (key == KEY_HELP || key == 'h')
            return AGENT_HELP;
        if (key == KEY_VERSION)
            return AGENT_VERSION;
        if (key == '?' || key == ':') {
            error_set(err, ERROR_INVALID, "%s: %s", argv[optind - 1],
                      key == ':' ? "its value is missing" : "no such option");
            return AGENT_BAD;
        }
        if (!take_value(options, &rows[key - KEY_FIRST - 10], optarg, err))
            return AGENT_BAD;
    }
    if (optind < argc) {
        error_set(err, ERROR_INVALID, "\"%s\" is not expected", argv[optind]);
        return AGENT_BAD;
    }
    return check(options, err) ? AGENT_RUN : AGENT_BAD;
}

enum agent_verdict agent_options_parse(int argc, char **argv, struct agent_options *options,
                                       struct error *err)
{
    struct agent_options read = {.identity = MOUNT_IDENTITY};
    const char *first = argc > 1 ? argv[1] : NULL;

    if (first && (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0))
        return AGENT_HELP;
    if (first && strcmp(first, "--version") == 0)
        return AGENT_VERSION;
    if (!take_mode(first, &read, err))
        return AGENT_BAD;

    enum agent_verdict verdict = take_options(argc - 1, argv + 1, &read, err);

    if (verdict == AGENT_RUN)
        *options = read;
    return verdict;
}

void agent_help(FILE *out)
{
    fputs("granary-agent: takes and restores backups from inside a pod.\n"
          "\n"
          "usage: granary-agent sidecar|init [OPTION...]\n"
          "\n",
          out);
    for (size_t i = 0; i < COUNT(modes); i++)
        fprintf(out, "  %-24s %s\n", modes[i].name, modes[i].help);
    fputs("\n", out);
    for (size_t i = 0; i < COUNT(rows); i++) {
        int used = fprintf(out, "  --%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                           rows[i].argument ? rows[i].argument : "");

        fprintf(out, "%*s%s\n", used < 27 ? 27 - used : 1, "", rows[i].help);
    }
    fputs("  --help, -h               this text\n"
          "  --version                version and commit\n"
          "\n"
          "It starts without the controller, and waits until its identity is there: a kubelet may\n"
          "take two minutes to show it. This release finds no work yet: sidecar only waits, and\n"
          "init lets an application start for which no restore is asked, and holds every other\n"
          "one, since a start into an empty volume could not be taken back.\n"
          "\n"
          "exit: 0 told to end (sidecar), the application may start (init)\n"
          "      1 told to end before that was known (init), 2 could not run\n",
          out);
}

void agent_version(FILE *out)
{
    fprintf(out, "granary-agent %s (%s)\n", GRANARY_VERSION, build_commit);
}
