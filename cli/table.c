#include "cli/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

/* Characters of one cell, and of a line below a row. */
#define CELL_MAX 60
#define NOTE_MAX 500

/* Characters between two columns. */
#define GAP 2

struct table_line {
    bool note;
    size_t cells;
    char *texts[TABLE_COLUMNS_MAX]; /* owned, printable; of a note the first */
    enum colour colours[TABLE_COLUMNS_MAX];
};

static struct table_line *add_line(struct table *table)
{
    table->lines = text_realloc(table->lines, (table->count + 1) * sizeof *table->lines);
    table->lines[table->count] = (struct table_line){0};
    return &table->lines[table->count++];
}

static void put(struct table_line *line, enum colour colour, const char *text, size_t most)
{
    line->texts[line->cells] = text_printable(span_of(text), most);
    line->colours[line->cells++] = colour;
}

void table_row(struct table *table)
{
    (void)add_line(table);
}

void table_cell(struct table *table, enum colour colour, const char *text)
{
    struct table_line *line = &table->lines[table->count - 1];

    if (line->cells == TABLE_COLUMNS_MAX)
        return;
    put(line, colour, text && *text ? text : "-", CELL_MAX);
    if (line->cells > table->columns)
        table->columns = line->cells;
}

void table_head(struct table *table, const char *const *names, size_t count)
{
    table_row(table);
    for (size_t i = 0; i < count; i++)
        table_cell(table, COLOUR_PLAIN, names[i]);
}

void table_note(struct table *table, enum colour colour, const char *text)
{
    struct table_line *line = add_line(table);

    line->note = true;
    put(line, colour, text, NOTE_MAX);
}

/* Characters, not bytes: it is UTF-8. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void measure(const struct table *table, size_t *widths)
{
    for (size_t i = 0; i < table->count; i++)
        for (size_t c = 0; !table->lines[i].note && c < table->lines[i].cells; c++) {
            size_t width = width_of(table->lines[i].texts[c]);

            widths[c] = width > widths[c] ? width : widths[c];
        }
}

static void write_cell(const struct output *output, enum colour colour, const char *text,
                       size_t width)
{
    bool colours = output->out_colour && colour != COLOUR_PLAIN;

    fprintf(output->out, "%s%s%s", output_begin(colours, colour), text, output_end(colours));
    for (size_t spaces = width_of(text); spaces < width; spaces++)
        fputc(' ', output->out);
}

void table_write(const struct table *table, const struct output *output)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    measure(table, widths);
    for (size_t i = 0; i < table->count; i++) {
        const struct table_line *line = &table->lines[i];

        for (size_t c = 0; c < line->cells; c++)
            write_cell(output, line->colours[c], line->texts[c],
                       c + 1 < line->cells ? widths[c] + GAP : 0);
        fputc('\n', output->out);
    }
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        for (size_t c = 0; c < table->lines[i].cells; c++)
            free(table->lines[i].texts[c]);
    free(table->lines);
    *table = (struct table){0};
}

void table_span(struct text *out, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        int64_t rest;

        if (seconds < units[i].seconds)
            continue;
        text_addf(out, "%lld%c", (long long)(seconds / units[i].seconds), units[i].letter);
        rest = seconds % units[i].seconds;
        if (i < 2 && rest >= units[i + 1].seconds)
            text_addf(out, "%lld%c", (long long)(rest / units[i + 1].seconds), units[i + 1].letter);
        return;
    }
    text_puts(out, "0s");
}
