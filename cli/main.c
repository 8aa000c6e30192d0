#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/build.h"
#include "base/text.h"
#include "cli/adopt.h"
#include "cli/arguments.h"
#include "cli/coverage.h"
#include "cli/explain.h"
#include "cli/output.h"
#include "cli/pause.h"
#include "cli/render.h"
#include "cli/restore.h"
#include "cli/status.h"
#include "cli/trigger.h"
#include "cli/unlock.h"
#include "cli/validate.h"

static const struct command *const commands[] = {
    &command_status, &command_coverage, &command_trigger, &command_restore,
    &command_pause,  &command_resume,   &command_unlock,  &command_adopt,
    &command_render, &command_validate, &command_explain};

#define COMMANDS (sizeof commands / sizeof *commands)

static void help_side(FILE *out, const char *title, enum command_side side)
{
    fprintf(out, "\n%s:\n", title);
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i]->side == side)
            fprintf(out, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
}

static void help(FILE *out)
{
    fputs("kubectl-granary: what granary does in a cluster, and what its admission would do.\n"
          "\n"
          "usage: kubectl-granary COMMAND [OPTION...]\n"
          "       kubectl granary COMMAND [OPTION...]   (when it is in PATH)\n",
          out);
    help_side(out, "in a cluster, with your own rights", SIDE_CLUSTER);
    help_side(out, "about manifests (-f FILE), without a cluster", SIDE_MANIFESTS);
    fputs("\n"
          "  help COMMAND, COMMAND --help   options and examples of a command\n"
          "  --version                      version and commit\n"
          "\n"
          "Colours only on a terminal, and not when NO_COLOR is set.\n"
          "\n"
          "exit: 0 fine, 1 findings, 2 could not run\n",
          out);
}

static enum exit_status bad(const char *command, const char *message)
{
    fprintf(stderr, "kubectl-granary%s%s: %s\nTry: kubectl-granary %s%s--help\n",
            command ? " " : "", command ? command : "", message, command ? command : "",
            command ? " " : "");
    return STATUS_CANNOT;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

static enum exit_status unknown(const char *name)
{
    const char *names[COMMANDS + 2] = {"help"};
    AUTO(free) char *shown = text_printable(span_of(name), 100);

    for (size_t i = 0; i < COMMANDS; i++)
        names[i + 1] = commands[i]->name;

    const char *meant = text_did_you_mean(span_of(name), names);
    AUTO(free)
    char *message = text_format("\"%s\" is no command%s%s%s", shown, meant ? ", did you mean " : "",
                                meant ? meant : "", meant ? "?" : "");

    return bad(NULL, message);
}

static enum exit_status version(void)
{
    printf("kubectl-granary %s (%s)\n", GRANARY_VERSION, build_commit);
    return STATUS_FINE;
}

static enum exit_status run(const struct command *command, int argc, char **argv)
{
    AUTO(arguments) struct arguments arguments = {0};
    struct output output = output_standard();
    struct error err;

    switch (arguments_parse(command, argc, argv, &arguments, &err)) {
    case ARGUMENTS_HELP:
        arguments_help(stdout, command);
        return STATUS_FINE;
    case ARGUMENTS_VERSION:
        return version();
    case ARGUMENTS_BAD:
        return bad(command->name, err.message);
    case ARGUMENTS_RUN:
        break;
    }
    return command->run(&arguments, &output);
}

static enum exit_status dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    bool asks_help = !strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h");

    if (!*name)
        return bad(NULL, "a command is needed");
    if (!strcmp(name, "--version") || !strcmp(name, "version"))
        return version();
    if (asks_help && argc > 2 && find(argv[2])) {
        arguments_help(stdout, find(argv[2]));
        return STATUS_FINE;
    }
    if (asks_help && argc == 2) {
        help(stdout);
        return STATUS_FINE;
    }
    if (asks_help)
        return unknown(argv[2]);
    return find(name) ? run(find(name), argc - 1, argv + 1) : unknown(name);
}

int main(int argc, char **argv)
{
    enum exit_status status;

    json_object_seed(0);
    status = dispatch(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "kubectl-granary: standard output: %s\n", strerror(errno));
    return STATUS_CANNOT;
}
