#include "cli/output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/tree.h"
#include "base/yaml.h"

/* Characters of a line of what is told. */
#define LINE_MAX_CHARS 1000

static bool wants_colour(FILE *file)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return isatty(fileno(file)) && !(no_color && *no_color) && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

struct output output_standard(void)
{
    return (struct output){.out = stdout,
                           .side = stderr,
                           .out_colour = wants_colour(stdout),
                           .side_colour = wants_colour(stderr)};
}

const char *output_begin(bool colours, enum colour colour)
{
    static const char *const sequences[] = {
        [COLOUR_PLAIN] = "",         [COLOUR_BOLD] = "\033[1m",    [COLOUR_RED] = "\033[31m",
        [COLOUR_GREEN] = "\033[32m", [COLOUR_YELLOW] = "\033[33m", [COLOUR_CYAN] = "\033[36m",
    };

    return colours ? sequences[colour] : "";
}

const char *output_end(bool colours)
{
    return colours ? "\033[0m" : "";
}

static void say(const struct output *output, enum colour colour, const char *word, const char *text)
{
    fflush(output->out);
    fprintf(output->side, "%s%s:%s %s\n", output_begin(output->side_colour, colour), word,
            output_end(output->side_colour), text);
}

void output_warning(const struct output *output, const char *text)
{
    say(output, COLOUR_YELLOW, "Warning", text);
}

void output_error(const struct output *output, const char *text)
{
    say(output, COLOUR_RED, "error", text);
}

void output_lines(const struct output *output, const char *text)
{
    struct span rest = span_of(text), line;

    while (text_split(&rest, '\n', &line)) {
        AUTO(free) char *shown = text_printable(line, LINE_MAX_CHARS);

        fprintf(output->side, "%s\n", shown);
    }
}

void output_document(const struct output *output, enum form form, const json_t *tree, bool first)
{
    AUTO(text) struct text text = {0};

    if (form == FORM_YAML) {
        text_puts(&text, first ? "" : "---\n");
        yaml_write(&text, tree);
    } else {
        AUTO(free) char *json = json_dumps(tree, JSON_INDENT(2));

        if (!json)
            abort();
        text_addf(&text, "%s\n", json);
    }
    fwrite(text_get(&text), 1, text.length, output->out);
}

static enum colour colour_of(struct span line)
{
    static const struct {
        const char *begins;
        enum colour colour;
    } rows[] = {
        {"--- ", COLOUR_BOLD}, {"+++ ", COLOUR_BOLD}, {"@@", COLOUR_CYAN},
        {"+", COLOUR_GREEN},   {"-", COLOUR_RED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t length = strlen(rows[i].begins);

        if (line.length >= length && !memcmp(line.data, rows[i].begins, length))
            return rows[i].colour;
    }
    return COLOUR_PLAIN;
}

void output_diff(const struct output *output, struct span diff)
{
    struct span line;

    while (text_split(&diff, '\n', &line)) {
        enum colour colour = colour_of(line);
        bool colours = output->out_colour && colour != COLOUR_PLAIN;

        fprintf(output->out, "%s%.*s%s\n", output_begin(colours, colour), (int)line.length,
                line.data, output_end(colours));
    }
}
