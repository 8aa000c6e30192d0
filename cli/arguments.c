#include "cli/arguments.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Who has an option: all, all of one side, or those that name it. */
#define MANIFESTS (1u << SIDE_MANIFESTS)
#define CLUSTER (1u << SIDE_CLUSTER)
#define ALL (MANIFESTS | CLUSTER | (1u << SIDE_SELF))
#define ONLY 0

static const struct option_row {
    char letter; /* 0: none */
    unsigned sides;
    const char *name, *argument, *help;
} rows[] = {
    {'f', MANIFESTS, "filename", "FILE",
     "manifest, folder of manifests, or - for standard input; may be repeated"},
    {0, MANIFESTS, "catalog", "DIR", "folder of manifests: what else is known of the cluster"},
    {0, MANIFESTS, "settings", "FILE", "settings of the installation (default: the built-in ones)"},
    {'n', MANIFESTS, "namespace", "NS", "for objects that name none (default: default)"},
    {'n', CLUSTER, "namespace", "NS", "instead of that of the kubeconfig's context"},
    {'A', ONLY, "all-namespaces", NULL, "of all namespaces"},
    {0, ONLY, "fail-on-unprotected", NULL, "exit with 1 when something is unprotected"},
    {'w', ONLY, "watch", NULL, "show it again when it changes, until Ctrl-C"},
    {0, ONLY, "snapshot", "ID", "this one, not the newest of each path; may be repeated"},
    {0, ONLY, "as-of", "TIME", "the newest of then or before, such as 2026-01-31T18:00:00Z"},
    {0, ONLY, "host", "HOST", "data of this host alone: one pod of a StatefulSet, one node"},
    {0, ONLY, "to", "KIND/NAME", "into this target, not into what was backed up"},
    {0, ONLY, "param", "NAME=VALUE", "for the Task of an AppBinding; may be repeated"},
    {0, ONLY, "from", "UID", "of the cluster that owns it"},
    {0, ONLY, "dry-run", NULL, "only show what would be done"},
    {'y', ONLY, "yes", NULL, "it is meant: do not ask"},
    {0, ONLY, "wait", NULL, "follow it to its end; Ctrl-C ends the watching only"},
    {'o', ALL, "output", "FORM", NULL},
    {0, CLUSTER, "kubeconfig", "FILE", "instead of $KUBECONFIG or ~/.kube/config"},
    {0, CLUSTER, "context", "NAME", "of the kubeconfig, instead of the current one"},
    {0, ONLY, "answer", "FILE", "show this recorded AdmissionReview answer, and compare it"},
    {0, ONLY, "strict", NULL, "count warnings as errors"},
    {'h', ALL, "help", NULL, "this text"},
    {'V', ALL, "version", NULL, "version and commit"},
};

static const char *const form_names[] = {
    [FORM_YAML] = "yaml",     [FORM_JSON] = "json", [FORM_PATCH] = "patch", [FORM_DIFF] = "diff",
    [FORM_REVIEW] = "review", [FORM_TEXT] = "text", [FORM_WIDE] = "wide",
};

static bool belongs(const struct command *command, const struct option_row *row)
{
    if (!strcmp(row->name, "output"))
        return command->form_count > 0;
    if (row->sides)
        return row->sides & (1u << command->side);
    for (const char *const *name = command->only; *name; name++)
        if (!strcmp(*name, row->name))
            return true;
    return false;
}

static void describe_to_getopt(const struct command *command, struct option *list, char *letters)
{
    *letters++ = ':';
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct option_row *row = &rows[i];

        if (!belongs(command, row))
            continue;
        *list++ = (struct option){row->name, row->argument ? required_argument : no_argument, NULL,
                                  (int)i + 256};
        if (row->letter)
            *letters++ = row->letter;
        if (row->letter && row->argument)
            *letters++ = ':';
    }
    *list = (struct option){0};
    *letters = '\0';
}

static const struct option_row *row_of(const struct command *command, int key)
{
    if (key >= 256)
        return &rows[key - 256];
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].letter && rows[i].letter == key && belongs(command, &rows[i]))
            return &rows[i];
    return NULL;
}

static bool take_form(const struct command *command, struct arguments *arguments, const char *text,
                      struct error *err)
{
    AUTO(text) struct text known = {0};

    for (size_t i = 0; i < command->form_count; i++) {
        const char *name = form_names[command->forms[i]];

        if (!strcmp(name, text)) {
            arguments->form = command->forms[i];
            return true;
        }
        text_addf(&known, "%s%s", i ? ", " : "", name);
    }
    return error_set(err, ERROR_INVALID, "-o %s: %s writes %s", text, command->name,
                     text_get(&known));
}

static bool take_word(struct words *words, const char *option, const char *word, struct error *err)
{
    for (size_t i = 0; i < words->count; i++)
        if (!strcmp(words->items[i], word))
            return error_set(err, ERROR_INVALID, "%s %s is given twice", option, word);
    words->items = text_realloc(words->items, (words->count + 1) * sizeof *words->items);
    words->items[words->count++] = word;
    return true;
}

static bool take_value(const struct command *command, const struct option_row *row,
                       struct arguments *arguments, const char *text, struct error *err)
{
    const struct {
        const char *name, **to;
    } texts[] = {{"catalog", &arguments->catalog},
                 {"settings", &arguments->settings},
                 {"namespace", &arguments->space},
                 {"answer", &arguments->answer},
                 {"kubeconfig", &arguments->kubeconfig},
                 {"context", &arguments->context},
                 {"as-of", &arguments->as_of},
                 {"host", &arguments->host},
                 {"to", &arguments->to},
                 {"from", &arguments->from}};
    const struct {
        const char *name, *shown;
        struct words *to;
    } lists[] = {{"filename", "-f", &arguments->files},
                 {"snapshot", "--snapshot", &arguments->snapshots},
                 {"param", "--param", &arguments->params}};
    const struct {
        const char *name;
        bool *to;
    } switches[] = {{"strict", &arguments->strict},
                    {"all-namespaces", &arguments->all_spaces},
                    {"watch", &arguments->watch},
                    {"wait", &arguments->wait},
                    {"dry-run", &arguments->dry_run},
                    {"yes", &arguments->yes},
                    {"fail-on-unprotected", &arguments->fail_on_unprotected}};

    if (row->argument && !*text)
        return error_set(err, ERROR_INVALID, "--%s: its value is empty", row->name);
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!strcmp(texts[i].name, row->name))
            *texts[i].to = text;
    for (size_t i = 0; i < COUNT(switches); i++)
        if (!strcmp(switches[i].name, row->name))
            *switches[i].to = true;
    for (size_t i = 0; i < COUNT(lists); i++)
        if (!strcmp(lists[i].name, row->name))
            return take_word(lists[i].to, lists[i].shown, text, err);
    return strcmp(row->name, "output") != 0 || take_form(command, arguments, text, err);
}

/* What getopt did not understand: argv[optind - 1] is the word, or holds the letter. */
static enum arguments_verdict not_understood(const struct command *command, int key, char **argv,
                                             struct error *err)
{
    const char *names[COUNT(rows) + 1] = {0}, *word = argv[optind - 1];
    size_t count = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        if (belongs(command, &rows[i]))
            names[count++] = rows[i].name;

    const char *meant =
        word[0] == '-' && word[1] == '-' ? text_did_you_mean(span_of(word + 2), names) : NULL;

    if (key == ':')
        error_set(err, ERROR_INVALID, "%s: its value is missing", word);
    else
        error_set(err, ERROR_INVALID, "%s: no such option%s%s%s", word,
                  meant ? ", did you mean --" : "", meant ? meant : "", meant ? "?" : "");
    return ARGUMENTS_BAD;
}

static bool take_operand(const struct command *command, struct arguments *arguments, int argc,
                         char **argv, struct error *err)
{
    int most = command->operand ? 1 : 0;

    if (argc - optind > most)
        return error_set(err, ERROR_INVALID, "\"%s\" is not expected%s", argv[optind + most],
                         command->side == SIDE_MANIFESTS ? ": a file is given as -f FILE" : "");
    if (optind < argc)
        arguments->operand = argv[optind];
    if (command->operand && command->operand[0] != '[' && !arguments->operand)
        return error_set(err, ERROR_INVALID, "%s is needed", command->operand);
    return !arguments->operand || *arguments->operand ||
           error_set(err, ERROR_INVALID, "%s is empty", command->operand);
}

static bool check(const struct command *command, const struct arguments *arguments,
                  struct error *err)
{
    if (command->side == SIDE_MANIFESTS && arguments->files.count == 0)
        return error_set(err, ERROR_INVALID, "-f FILE is needed (- for standard input)");
    return !arguments->all_spaces || !arguments->space ||
           error_set(err, ERROR_INVALID, "either -n or -A");
}

enum arguments_verdict arguments_parse(const struct command *command, int argc, char **argv,
                                       struct arguments *arguments, struct error *err)
{
    struct option list[COUNT(rows) + 1];
    char letters[2 * COUNT(rows) + 2];
    int key;

    *arguments = (struct arguments){.space = command->side == SIDE_MANIFESTS ? "default" : NULL,
                                    .form = command->form_count ? command->forms[0] : FORM_TEXT};
    describe_to_getopt(command, list, letters);
    opterr = 0;
    optind = 0;
    while ((key = getopt_long(argc, argv, letters, list, NULL)) != -1) {
        const struct option_row *row = row_of(command, key);

        if (key == '?' || key == ':')
            return not_understood(command, key, argv, err);
        if (row->letter == 'h')
            return ARGUMENTS_HELP;
        if (row->letter == 'V')
            return ARGUMENTS_VERSION;
        if (!take_value(command, row, arguments, optarg, err))
            return ARGUMENTS_BAD;
    }
    return take_operand(command, arguments, argc, argv, err) && check(command, arguments, err)
               ? ARGUMENTS_RUN
               : ARGUMENTS_BAD;
}

void arguments_done(struct arguments *arguments)
{
    free(arguments->files.items);
    free(arguments->snapshots.items);
    free(arguments->params.items);
    *arguments = (struct arguments){0};
}

static void help_row(FILE *out, const struct command *command, const struct option_row *row)
{
    AUTO(text) struct text left = {0}, forms = {0};

    if (row->letter)
        text_addf(&left, "-%c, ", row->letter);
    text_addf(&left, "--%s%s%s", row->name, row->argument ? " " : "",
              row->argument ? row->argument : "");
    for (size_t i = 0; i < command->form_count; i++)
        text_addf(&forms, "%s%s%s", i ? ", " : "", form_names[command->forms[i]],
                  i ? "" : " (default)");
    fprintf(out, "  %-22s  %s\n", text_get(&left), row->help ? row->help : text_get(&forms));
}

void arguments_help(FILE *out, const struct command *command)
{
    fprintf(out, "kubectl-granary %s%s%s: %s\n\n%s\noptions:\n", command->name,
            command->operand ? " " : "", command->operand ? command->operand : "", command->summary,
            command->about);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (belongs(command, &rows[i]))
            help_row(out, command, &rows[i]);
    fprintf(out, "\nexamples:\n%s", command->examples);
}

bool arguments_option(const struct command *command, size_t *at, struct option_shown *option)
{
    for (; *at < COUNT(rows); (*at)++) {
        const struct option_row *row = &rows[*at];

        if (!belongs(command, row))
            continue;
        *option = (struct option_shown){row->letter, row->name, row->argument,
                                        row->help ? row->help : "form of the output"};
        (*at)++;
        return true;
    }
    return false;
}

const char *arguments_form(enum form form)
{
    return form_names[form];
}
