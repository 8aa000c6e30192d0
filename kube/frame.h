#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * JSON values out of a body that arrives in pieces: the objects of a watch, the items of a list.
 * Only the end of a value is looked for (quotes and brackets); whether it is JSON is judged by
 * base/scan.h when it is whole. So nothing half is ever handed out, wherever the pieces were cut.
 */

/** What was received and not yet taken. {0} before; append to `buffer`. Release with
 *  frames_done(). */
struct frames {
    struct text buffer;
    size_t max;       /* bytes of one value; 0: KUBE_FRAME_MAX_BYTES */
    size_t start, at; /* of the value that is being read; the next byte to look at */
    size_t depth;     /* open brackets before `at` */
    bool string, escaped;
};

enum frame {
    FRAME_READY,
    FRAME_MORE, /* not yet whole: append, and ask again */
    FRAME_BAD   /* err says why; nothing can be read any more */
};

/**
 * The next object. Between objects there may be white space, or nothing.
 *
 * @param out  Borrowed, until the next call or append.
 * @param err  ERROR_TOO_LARGE beyond the cap, ERROR_BAD_REQUEST when something else stands there.
 *
 * Spec: catalogue W8, W9.
 */
enum frame frame_object(struct frames *frames, struct span *out, struct error *err) MUST_CHECK;

/** The next value of any type. A number or word is whole when what follows it has arrived. */
enum frame frame_value(struct frames *frames, struct span *out, struct error *err) MUST_CHECK;

/** The next byte that is no white space, taken alone: a comma, a bracket between values. */
enum frame frame_mark(struct frames *frames, char *mark);

/** True when nothing but white space is left: the body ended between two values. */
bool frames_empty(const struct frames *frames);

/** Releases the bytes; {0} again, but for the cap. */
void frames_done(struct frames *frames);

static inline void auto_frames(struct frames *frames)
{
    frames_done(frames);
}
