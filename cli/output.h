#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/span.h"
#include "cli/arguments.h"

/** Where a command writes: results, and what is said beside them. */
struct output {
    FILE *out, *side;             /* standard output, standard error */
    bool out_colour, side_colour; /* each is a terminal that wants colours */
};

enum colour { COLOUR_PLAIN, COLOUR_BOLD, COLOUR_RED, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_CYAN };

/** Standard output and error; in colour on a terminal, unless NO_COLOR is set to anything or TERM
 * is "dumb". Spec: no-color.org. */
struct output output_standard(void);

/** The sequence that begins a colour, or "" when there are none. Static. */
const char *output_begin(bool colours, enum colour colour);

/** The sequence that ends every colour, or "". Static. */
const char *output_end(bool colours);

/** Writes "Warning: text" or "error: text" as kubectl does, on one line of the side channel. */
void output_warning(const struct output *output, const char *text);
void output_error(const struct output *output, const char *text);

/** Writes lines to the side channel, each of them printable. */
void output_lines(const struct output *output, const char *text);

/** Writes one of several documents: YAML with "---" between them, or indented JSON.
 *  @param first  Nothing was written before. */
void output_document(const struct output *output, enum form form, const json_t *tree, bool first);

/** Writes lines that begin with "+", "-" and "@" (a unified diff) in their colours. */
void output_diff(const struct output *output, struct span diff);
