#pragma once

#include "base/span.h"
#include "base/text.h"

/**
 * Appends the difference of two texts line by line, for people: hunks as `diff -u` writes them,
 * with three lines of context, without the two lines that name files. Nothing when they are equal.
 * Texts that differ in more than LINE_DIFF_MAX_CELLS pairs of lines are shown as replaced there.
 */
void line_diff(struct text *out, struct span before, struct span after);

/* Pairs of lines that are compared: two bytes each. */
#define LINE_DIFF_MAX_CELLS (4u << 20)
