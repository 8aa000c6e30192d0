#include "cli/line_diff.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/auto.h"

#define CONTEXT 3

/* One line of the result: what happens to it (' ', '-', '+'), and which lines were passed before.
 */
struct edit {
    char sign;
    struct span line;
    size_t before, after;
};

struct lines {
    struct span *items;
    size_t count;
};

struct edits {
    struct edit *items;
    size_t count;
};

static void auto_lines(struct lines *lines)
{
    free(lines->items);
}

static void auto_edits(struct edits *edits)
{
    free(edits->items);
}

static struct lines split(struct span text)
{
    struct lines lines = {0};
    size_t room = 1;
    struct span line;

    for (size_t i = 0; i < text.length; i++)
        room += text.data[i] == '\n';
    lines.items = text_alloc(room * sizeof *lines.items);
    while (lines.count < room && text_split(&text, '\n', &line))
        lines.items[lines.count++] = line;
    return lines;
}

static void push(struct edits *edits, char sign, struct span line, size_t before, size_t after)
{
    edits->items[edits->count++] = (struct edit){sign, line, before, after};
}

/* The part of both texts that is neither their common beginning nor their common end. */
struct middle {
    const struct lines *before, *after;
    size_t start, before_end, after_end;
};

static struct middle middle_of(const struct lines *before, const struct lines *after)
{
    struct middle m = {before, after, 0, before->count, after->count};

    while (m.start < m.before_end && m.start < m.after_end &&
           span_equal(before->items[m.start], after->items[m.start]))
        m.start++;
    while (m.before_end > m.start && m.after_end > m.start &&
           span_equal(before->items[m.before_end - 1], after->items[m.after_end - 1])) {
        m.before_end--;
        m.after_end--;
    }
    return m;
}

/* Length of the longest common subsequence behind each pair of lines; NULL when it is too much. */
static uint16_t *common_lengths(const struct middle *m)
{
    size_t rows = m->before_end - m->start, columns = m->after_end - m->start, width = columns + 1;

    if (rows >= UINT16_MAX || columns >= UINT16_MAX || (rows + 1) * width > LINE_DIFF_MAX_CELLS)
        return NULL;

    uint16_t *cells = text_alloc((rows + 1) * width * sizeof *cells);

    memset(cells, 0, (rows + 1) * width * sizeof *cells);
    for (size_t i = rows; i-- > 0;)
        for (size_t j = columns; j-- > 0;) {
            uint16_t *cell = &cells[i * width + j], down = cell[width], right = cell[1];

            if (span_equal(m->before->items[m->start + i], m->after->items[m->start + j]))
                *cell = (uint16_t)(cell[width + 1] + 1);
            else
                *cell = down > right ? down : right;
        }
    return cells;
}

static void edit_middle(struct edits *edits, const struct middle *m)
{
    AUTO(free) uint16_t *cells = common_lengths(m);
    size_t i = m->start, j = m->start, width = m->after_end - m->start + 1;

    while (i < m->before_end || j < m->after_end) {
        const uint16_t *cell = cells ? &cells[(i - m->start) * width + (j - m->start)] : NULL;
        bool both = i < m->before_end && j < m->after_end;

        if (both && cell && span_equal(m->before->items[i], m->after->items[j])) {
            push(edits, ' ', m->before->items[i], i, j);
            i++;
            j++;
        } else if (i < m->before_end && (!both || !cell || cell[width] >= cell[1])) {
            push(edits, '-', m->before->items[i], i, j);
            i++;
        } else {
            push(edits, '+', m->after->items[j], i, j);
            j++;
        }
    }
}

static struct edits edit_script(const struct lines *before, const struct lines *after)
{
    struct middle m = middle_of(before, after);
    struct edits edits = {.items =
                              text_alloc((before->count + after->count + 1) * sizeof *edits.items)};

    for (size_t i = 0; i < m.start; i++)
        push(&edits, ' ', before->items[i], i, i);
    edit_middle(&edits, &m);
    for (size_t i = 0; m.before_end + i < before->count; i++)
        push(&edits, ' ', before->items[m.before_end + i], m.before_end + i, m.after_end + i);
    return edits;
}

/* Where the hunk ends that begins at `from`: behind the last change that has no more than twice the
 * context between it and the one before, and its context. */
static size_t hunk_end(const struct edits *edits, size_t from)
{
    size_t last = from;

    for (size_t i = from; i < edits->count && i <= last + 2 * CONTEXT + 1; i++)
        if (edits->items[i].sign != ' ')
            last = i;
    return last + CONTEXT + 1 < edits->count ? last + CONTEXT + 1 : edits->count;
}

/* Line numbers count from 1; those of a side without lines name the line before it. */
static void write_hunk(struct text *out, const struct edits *edits, size_t from, size_t end)
{
    size_t removed = 0, added = 0;

    for (size_t i = from; i < end; i++) {
        removed += edits->items[i].sign != '+';
        added += edits->items[i].sign != '-';
    }
    text_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", edits->items[from].before + (removed > 0), removed,
              edits->items[from].after + (added > 0), added);
    for (size_t i = from; i < end; i++) {
        text_putc(out, edits->items[i].sign);
        text_add(out, edits->items[i].line.data, edits->items[i].line.length);
        text_putc(out, '\n');
    }
}

void line_diff(struct text *out, struct span before, struct span after)
{
    AUTO(lines) struct lines old = split(before), new = split(after);
    AUTO(edits) struct edits edits = edit_script(&old, &new);
    size_t i = 0;

    while (i < edits.count) {
        size_t from, end;

        if (edits.items[i].sign == ' ') {
            i++;
            continue;
        }
        from = i > CONTEXT ? i - CONTEXT : 0;
        end = hunk_end(&edits, i);
        write_hunk(out, &edits, from, end);
        i = end;
    }
}
