#include "cli/completion.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"

#define PROGRAM "kubectl-granary"

/* What stands in a file of the machine. */
static bool takes_file(const struct option_shown *option)
{
    return option->argument &&
           (!strcmp(option->argument, "FILE") || !strcmp(option->argument, "DIR"));
}

/* Words of -o, with blanks between them. */
static void put_forms(FILE *out, const struct command *command)
{
    for (size_t i = 0; i < command->form_count; i++)
        fprintf(out, "%s%s", i ? " " : "", arguments_form(command->forms[i]));
}

static void put_words(FILE *out, const struct command *command)
{
    for (const char *const *word = command->words; word && *word; word++)
        fprintf(out, " %s", *word);
}

/* A help text inside single quotes: these, and what the shell reads otherwise, with `before`. */
static void put_quoted(FILE *out, const char *text, const char *special, const char *before)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", out);
        else if (strchr(special, *text))
            fputs(before, out);
        fputc(*text, out);
    }
}

/* ---- bash ---- */

static void bash_values(FILE *out, const struct command *command)
{
    struct option_shown option;

    for (size_t at = 0; arguments_option(command, &at, &option);) {
        if (!option.argument)
            continue;
        fprintf(out, "    \"%s --%s\"", command->name, option.name);
        if (option.letter)
            fprintf(out, "|\"%s -%c\"", command->name, option.letter);
        if (!strcmp(option.name, "output")) {
            fputs(") given=\"", out);
            put_forms(out, command);
            fputs("\" ;;\n", out);
        } else {
            fprintf(out, ") %s ;;\n", takes_file(&option) ? "files=1" : "none=1");
        }
    }
}

static void bash_options(FILE *out, const struct command *command)
{
    struct option_shown option;

    fprintf(out, "    %s) given=\"", command->name);
    for (size_t at = 0; arguments_option(command, &at, &option);) {
        if (option.letter)
            fprintf(out, "-%c ", option.letter);
        fprintf(out, "--%s ", option.name);
    }
    put_words(out, command);
    fputs("\" ;;\n", out);
}

static void bash(FILE *out)
{
    fputs("# bash completion of " PROGRAM ", as `" PROGRAM " completion bash` writes it\n"
          "_kubectl_granary()\n{\n"
          "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
          "    local given=\"\" files=\"\" none=\"\"\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        given=\"help",
          out);
    for (size_t i = 0; commands[i]; i++)
        fprintf(out, " %s", commands[i]->name);
    fputs("\"\n    else\n    case \"${COMP_WORDS[1]} $before\" in\n", out);
    for (size_t i = 0; commands[i]; i++)
        bash_values(out, commands[i]);
    fputs("    *)\n    case \"${COMP_WORDS[1]}\" in\n", out);
    for (size_t i = 0; commands[i]; i++)
        bash_options(out, commands[i]);
    fputs("    help) given=\"", out);
    for (size_t i = 0; commands[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", commands[i]->name);
    fputs("\" ;;\n    esac ;;\n    esac\n    fi\n"
          "    if [ -n \"$files\" ]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
          "    elif [ -z \"$none\" ]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$given\" -- \"$word\")\n"
          "    fi\n"
          "}\n"
          "complete -F _kubectl_granary " PROGRAM "\n",
          out);
}

/* ---- zsh ---- */

static void zsh_option(FILE *out, const struct command *command, const struct option_shown *option)
{
    fputs(" \\\n            ", out);
    if (option->letter)
        fprintf(out, "{-%c,--%s}", option->letter, option->name);
    else
        fprintf(out, "--%s", option->name);
    fputs("'[", out);
    put_quoted(out, option->help, "[]:\\", "\\");
    fputs("]", out);
    if (option->argument) {
        fprintf(out, ":%s:", option->argument);
        if (!strcmp(option->name, "output")) {
            fputs("(", out);
            put_forms(out, command);
            fputs(")", out);
        } else if (takes_file(option)) {
            fputs("_files", out);
        }
    }
    fputs("'", out);
}

static void zsh_command(FILE *out, const struct command *command)
{
    struct option_shown option;

    fprintf(out, "    %s)\n        _arguments", command->name);
    for (size_t at = 0; arguments_option(command, &at, &option);)
        zsh_option(out, command, &option);
    if (command->words) {
        fprintf(out, " \\\n            '1:%s:(", command->operand);
        put_words(out, command);
        fputs(" )'", out);
    } else if (command->operand) {
        fputs(" \\\n            '1:name:'", out);
    }
    fputs("\n        ;;\n", out);
}

static void zsh(FILE *out)
{
    fputs("#compdef " PROGRAM "\n"
          "# zsh completion of " PROGRAM ", as `" PROGRAM " completion zsh` writes it\n"
          "_kubectl_granary()\n{\n"
          "    local -a named\n    named=(\n        'help:options and examples of a command'\n",
          out);
    for (size_t i = 0; commands[i]; i++) {
        fprintf(out, "        '%s:", commands[i]->name);
        put_quoted(out, commands[i]->summary, ":\\", "\\");
        fputs("'\n", out);
    }
    fputs("    )\n    if (( CURRENT == 2 )) || [[ ${words[2]} == help ]]; then\n"
          "        _describe command named\n        return\n    fi\n"
          "    shift words\n    (( CURRENT-- ))\n    case ${words[1]} in\n",
          out);
    for (size_t i = 0; commands[i]; i++)
        zsh_command(out, commands[i]);
    fputs("    esac\n}\n"
          "if [[ ${funcstack[1]} == _kubectl_granary ]]; then\n    _kubectl_granary \"$@\"\n"
          "else\n    compdef _kubectl_granary " PROGRAM "\nfi\n",
          out);
}

/* ---- fish ---- */

static void fish_option(FILE *out, const struct command *command, const struct option_shown *option)
{
    fprintf(out, "complete -c " PROGRAM " -n '__fish_seen_subcommand_from %s'", command->name);
    if (option->letter)
        fprintf(out, " -s %c", option->letter);
    fprintf(out, " -l %s", option->name);
    if (option->argument)
        fputs(takes_file(option) ? " -r -F" : " -x", out);
    if (!strcmp(option->name, "output")) {
        fputs(" -a '", out);
        put_forms(out, command);
        fputs("'", out);
    }
    fputs(" -d '", out);
    put_quoted(out, option->help, "\\", "\\");
    fputs("'\n", out);
}

static void fish_command(FILE *out, const struct command *command)
{
    struct option_shown option;

    fprintf(out, "complete -c " PROGRAM " -n __fish_use_subcommand -a %s -d '", command->name);
    put_quoted(out, command->summary, "\\", "\\");
    fputs("'\n", out);
    fprintf(out, "complete -c " PROGRAM " -n '__fish_seen_subcommand_from help' -a %s\n",
            command->name);
    for (size_t at = 0; arguments_option(command, &at, &option);)
        fish_option(out, command, &option);
    for (const char *const *word = command->words; word && *word; word++)
        fprintf(out, "complete -c " PROGRAM " -n '__fish_seen_subcommand_from %s' -a %s\n",
                command->name, *word);
}

static void fish(FILE *out)
{
    fputs("# fish completion of " PROGRAM ", as `" PROGRAM " completion fish` writes it\n"
          "complete -c " PROGRAM " -f\n"
          "complete -c " PROGRAM " -n __fish_use_subcommand -a help\n",
          out);
    for (size_t i = 0; commands[i]; i++)
        fish_command(out, commands[i]);
}

/* ---- kubectl, which asks a program of its own about a plugin ---- */

/* Spec: kubectl 1.26: words behind the plugin's name are arguments, answers are lines, ":4" means
 * that no names of files are wanted beside them. */
static void kubectl(FILE *out)
{
    fputs("#!/usr/bin/env bash\n"
          "# kubectl_complete-granary, as `" PROGRAM " completion kubectl` writes it\n"
          "source <(" PROGRAM " completion bash)\n"
          "COMP_WORDS=(" PROGRAM " \"$@\")\n"
          "COMP_CWORD=$#\n"
          "_kubectl_granary\n"
          "[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\\n' \"${COMPREPLY[@]}\"\n"
          "echo :4\n",
          out);
}

/* ---- the command ---- */

static const char *const shells[] = {"bash", "zsh", "fish", "kubectl", NULL};

static enum exit_status completion_run(const struct arguments *arguments,
                                       const struct output *output)
{
    static void (*const scripts[])(FILE * out) = {bash, zsh, fish, kubectl};

    for (size_t i = 0; shells[i]; i++)
        if (!strcmp(shells[i], arguments->operand)) {
            scripts[i](output->out);
            return STATUS_FINE;
        }
    output_error(output, "scripts are written for bash, zsh, fish and kubectl");
    return STATUS_CANNOT;
}

static const char *const options[] = {NULL};

const struct command command_completion = {
    .name = "completion",
    .summary = "a script with which a shell completes commands and options",
    .side = SIDE_SELF,
    .operand = "SHELL",
    .words = shells,
    .about =
        "Writes the script for bash, zsh or fish to standard output, with which they complete\n"
        "`kubectl-granary`; that for kubectl is the program kubectl_complete-granary, which\n"
        "kubectl 1.26 or later asks when `kubectl granary` is to be completed. `make install`\n"
        "puts all of them where they are looked for.\n"
        "\n"
        "exit: 0 fine, 2 another shell\n",
    .examples = "  source <(kubectl-granary completion bash)\n"
                "  kubectl-granary completion zsh > \"${fpath[1]}/_kubectl-granary\"\n"
                "  kubectl-granary completion fish > \\\n"
                "      ~/.config/fish/completions/kubectl-granary.fish\n",
    .only = options,
    .run = completion_run,
};
