#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "base/text.h"

/** Bytes in pieces of any length, told as lines. {0} is the beginning. Pure. */
struct lines {
    struct text part; /* of a line that has not ended yet */
    bool inside;      /* of one that is told in parts */
};

void lines_done(struct lines *lines);

/* Bytes of a line that is told as a whole. */
#define LINE_WHOLE_MAX_BYTES (64u << 10)

/**
 * Told of each line, with its newline. One that is longer than LINE_WHOLE_MAX_BYTES comes in parts.
 *
 * @param begins  It begins here.
 * @param ends    It ends here, with a newline.
 */
typedef void lines_told(void *context, struct span text, bool begins, bool ends);

void lines_add(struct lines *lines, struct span piece, lines_told *told, void *context);

/** Tells what has no newline, at the end of all. */
void lines_end(struct lines *lines, lines_told *told, void *context);
