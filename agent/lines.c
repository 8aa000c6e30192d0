#include "agent/lines.h"

#include <string.h>

void lines_done(struct lines *lines)
{
    text_done(&lines->part);
    *lines = (struct lines){.inside = false};
}

static void tell_part(struct lines *lines, lines_told *told, void *context, bool ends)
{
    told(context, (struct span){text_get(&lines->part), lines->part.length}, !lines->inside, ends);
    lines->inside = !ends;
    lines->part.length = 0;
}

static void add_end(struct lines *lines, struct span last, lines_told *told, void *context)
{
    if (lines->part.length) {
        text_add(&lines->part, last.data, last.length);
        tell_part(lines, told, context, true);
        return;
    }
    told(context, last, !lines->inside, true);
    lines->inside = false;
}

void lines_add(struct lines *lines, struct span piece, lines_told *told, void *context)
{
    const char *end;

    while (piece.length && (end = memchr(piece.data, '\n', piece.length))) {
        size_t length = (size_t)(end - piece.data) + 1;

        add_end(lines, (struct span){piece.data, length}, told, context);
        piece.data += length;
        piece.length -= length;
    }
    if (piece.length)
        text_add(&lines->part, piece.data, piece.length);
    if (lines->part.length > LINE_WHOLE_MAX_BYTES)
        tell_part(lines, told, context, false);
}

void lines_end(struct lines *lines, lines_told *told, void *context)
{
    if (lines->part.length)
        tell_part(lines, told, context, false);
}
