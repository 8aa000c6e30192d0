#include "cli/manual.h"

#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"

/* Spec: groff_man(7). Dots and quotes at the beginning of a line are requests, "-" is a hyphen. */
static void put_line(FILE *out, struct span line)
{
    if (line.length && (*line.data == '.' || *line.data == '\''))
        fputs("\\&", out);
    for (size_t i = 0; i < line.length; i++) {
        if (line.data[i] == '\\')
            fputs("\\e", out);
        else if (strchr("-`'~^", line.data[i]))
            fprintf(out, "\\%s",
                    line.data[i] == '-'    ? "-"
                    : line.data[i] == '`'  ? "(ga"
                    : line.data[i] == '\'' ? "(aq"
                    : line.data[i] == '~'  ? "(ti"
                                           : "(ha");
        else
            fputc(line.data[i], out);
    }
    fputc('\n', out);
}

static void put_text(FILE *out, const char *text)
{
    put_line(out, span_of(text));
}

/* Lines as they stand. */
static void put_plain(FILE *out, const char *text)
{
    struct span rest = span_of(text), line;

    fputs(".PP\n.nf\n", out);
    while (text_split(&rest, '\n', &line))
        put_line(out, line);
    fputs(".fi\n", out);
}

/* Paragraphs; those whose first line is indented are tables. */
static void put_paragraphs(FILE *out, const char *text)
{
    struct span rest = span_of(text), line;
    bool begins = true, table = false;

    while (text_split(&rest, '\n', &line)) {
        if (!line.length) {
            fputs(table ? ".fi\n" : "", out);
            begins = true;
            table = false;
            continue;
        }
        if (begins) {
            table = *line.data == ' ';
            fputs(table ? ".PP\n.nf\n" : ".PP\n", out);
        }
        begins = false;
        put_line(out, table ? line : text_trim(line));
    }
    fputs(table ? ".fi\n" : "", out);
}

static void put_option(FILE *out, const struct option_shown *option)
{
    fputs(".TP\n.B ", out);
    if (option->letter)
        fprintf(out, "\\-%c, ", option->letter);
    fprintf(out, "\\-\\-");
    for (const char *c = option->name; *c; c++)
        fprintf(out, "%s%c", *c == '-' ? "\\" : "", *c);
    fprintf(out, "%s%s\n", option->argument ? " " : "", option->argument ? option->argument : "");
    put_text(out, option->help);
}

static void put_command(FILE *out, const struct command *command)
{
    struct option_shown option;

    fprintf(out, ".SS %s%s%s\n", command->name, command->operand ? " " : "",
            command->operand ? command->operand : "");
    fputs(".PP\n", out);
    put_text(out, command->summary);
    put_paragraphs(out, command->about);
    for (size_t at = 0; arguments_option(command, &at, &option);)
        put_option(out, &option);
    put_plain(out, command->examples);
}

static enum exit_status manual_run(const struct arguments *arguments, const struct output *output)
{
    FILE *out = output->out;

    (void)arguments;
    fputs(".TH KUBECTL\\-GRANARY 1 \"\" \"granary " GRANARY_VERSION "\"\n"
          ".SH NAME\nkubectl\\-granary \\- " COMMANDS_SUMMARY "\n"
          ".SH SYNOPSIS\n.B kubectl\\-granary\n.I COMMAND\n[\\fIOPTION\\fR...]\n.br\n"
          ".B kubectl granary\n.I COMMAND\n[\\fIOPTION\\fR...]\n"
          ".SH DESCRIPTION\n"
          "Commands that ask a cluster take the kubeconfig that kubectl takes, and the rights of\n"
          "who calls them.\n"
          ".B kubectl\\-granary help\n.I COMMAND\nwrites what stands here.\n",
          out);
    for (int side = 0; side < SIDES; side++) {
        fprintf(out, ".SH COMMANDS ");
        put_text(out, commands_sides[side]);
        for (size_t i = 0; commands[i]; i++)
            if (commands[i]->side == (enum command_side)side)
                put_command(out, commands[i]);
    }
    fputs(".SH EXIT STATUS\n", out);
    put_paragraphs(out, commands_exit);
    fputs(".SH ENVIRONMENT\n"
          ".TP\n.B KUBECONFIG\nthe kubeconfig, instead of ~/.kube/config\n"
          ".TP\n.B NO_COLOR\nset to anything: no colours on a terminal\n"
          ".SH SEE ALSO\n.BR kubectl (1)\n",
          out);
    return STATUS_FINE;
}

static const char *const options[] = {NULL};

const struct command command_manual = {
    .name = "manual",
    .summary = "all of this as a man page",
    .side = SIDE_SELF,
    .about = "Writes kubectl-granary.1, which `make install` puts where man looks for it.\n"
             "\n"
             "exit: 0 fine\n",
    .examples = "  kubectl-granary manual | man -l -\n",
    .only = options,
    .run = manual_run,
};
