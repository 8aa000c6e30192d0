#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/build.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/output.h"

/* With "help" and the end of the list. */
#define COMMANDS_MAX 32

static void help_side(FILE *out, enum command_side side)
{
    fprintf(out, "\n%s:\n", commands_sides[side]);
    for (size_t i = 0; commands[i]; i++)
        if (commands[i]->side == side)
            fprintf(out, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
}

static void help(FILE *out)
{
    fputs("kubectl-granary: " COMMANDS_SUMMARY ".\n"
          "\n"
          "usage: kubectl-granary COMMAND [OPTION...]\n"
          "       kubectl granary COMMAND [OPTION...]   (when it is in PATH)\n",
          out);
    for (int side = 0; side < SIDES; side++)
        help_side(out, (enum command_side)side);
    fputs("\n"
          "  help COMMAND, COMMAND --help   options and examples of a command\n"
          "  --version                      version and commit\n"
          "\n"
          "Colours only on a terminal, and not when NO_COLOR is set.\n"
          "\n",
          out);
    fputs(commands_exit, out);
}

static enum exit_status bad(const char *command, const char *message)
{
    fprintf(stderr, "kubectl-granary%s%s: %s\nTry: kubectl-granary %s%s--help\n",
            command ? " " : "", command ? command : "", message, command ? command : "",
            command ? " " : "");
    return STATUS_CANNOT;
}

static enum exit_status unknown(const char *name)
{
    const char *names[COMMANDS_MAX] = {"help"};
    AUTO(free) char *shown = text_printable(span_of(name), 100);

    for (size_t i = 0; commands[i] && i + 2 < COMMANDS_MAX; i++)
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
    if (asks_help && argc > 2 && commands_find(argv[2])) {
        arguments_help(stdout, commands_find(argv[2]));
        return STATUS_FINE;
    }
    if (asks_help && argc == 2) {
        help(stdout);
        return STATUS_FINE;
    }
    if (asks_help)
        return unknown(argv[2]);
    return commands_find(name) ? run(commands_find(name), argc - 1, argv + 1) : unknown(name);
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
