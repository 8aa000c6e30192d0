#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "cli/output.h"

#define TABLE_COLUMNS_MAX 12

/** Rows of cells in columns, with lines between them that belong to the row before. {0} is empty.
 *  What comes from a cluster is made printable here. */
struct table {
    struct table_line *lines; /* owned */
    size_t count;
    size_t columns;
};

/** Begins a row: the first one is the head. */
void table_row(struct table *table);

/** The head: a row of `count` names. */
void table_head(struct table *table, const char *const *names, size_t count);

/** The next cell of the row; NULL is "-". */
void table_cell(struct table *table, enum colour colour, const char *text);

/** A line of its own, below the row. */
void table_note(struct table *table, enum colour colour, const char *text);

void table_write(const struct table *table, const struct output *output);

void table_done(struct table *table);

static inline void auto_table(struct table *table)
{
    table_done(table);
}

/** Appends a span of time in its two largest units: "45s", "12m", "3h5m", "2d4h"; below zero "0s".
 */
void table_span(struct text *out, int64_t seconds);
