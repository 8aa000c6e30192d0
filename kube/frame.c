#include "kube/frame.h"

#include <ctype.h>
#include <string.h>

#include "base/limits.h"

/* Room beyond this is given back as soon as it is empty: one huge object is rare. */
#define ROOM_KEPT_BYTES (256u << 10)

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where the next byte that is no white space stands, or the end. */
static size_t behind_white(const struct frames *frames, size_t at)
{
    while (at < frames->buffer.length && is_white(frames->buffer.data[at]))
        at++;
    return at;
}

/* What has been taken makes room for what comes. */
static enum frame more(struct frames *frames)
{
    struct text *buffer = &frames->buffer;
    size_t left = buffer->length - frames->start;

    if (left == 0 && buffer->room > ROOM_KEPT_BYTES) {
        text_done(buffer);
    } else if (frames->start > 0) {
        memmove(buffer->data, buffer->data + frames->start, left);
        buffer->length = left;
        buffer->data[left] = '\0';
    }
    frames->at -= frames->start;
    frames->start = 0;
    return FRAME_MORE;
}

static enum frame ready(struct frames *frames, struct span *out)
{
    *out = (struct span){frames->buffer.data + frames->start, frames->at - frames->start};
    frames->start = frames->at;
    frames->depth = 0;
    frames->string = frames->escaped = false;
    return FRAME_READY;
}

/* One byte within a string, an object or a list. True when it ends the value. */
static bool ends_nested(struct frames *frames, char c)
{
    if (frames->escaped) {
        frames->escaped = false;
    } else if (frames->string) {
        frames->escaped = c == '\\';
        frames->string = c != '"';
        return c == '"' && frames->depth == 0;
    } else if (c == '"') {
        frames->string = true;
    } else if (c == '{' || c == '[') {
        frames->depth++;
    } else if (c == '}' || c == ']') {
        return --frames->depth == 0;
    }
    return false;
}

static bool read_nested(struct frames *frames)
{
    while (frames->at < frames->buffer.length)
        if (ends_nested(frames, frames->buffer.data[frames->at++]))
            return true;
    return false;
}

/* A number or a word ends where something follows that can not belong to it. */
static bool read_scalar(struct frames *frames)
{
    for (; frames->at < frames->buffer.length; frames->at++) {
        char c = frames->buffer.data[frames->at];

        if (is_white(c) || c == ',' || c == ']' || c == '}')
            return true;
    }
    return false;
}

static enum frame bad(const struct frames *frames, struct error *err)
{
    unsigned char c = (unsigned char)frames->buffer.data[frames->start];

    if (isprint(c))
        error_set(err, ERROR_BAD_REQUEST, "'%c' stands where a JSON value should begin", c);
    else
        error_set(err, ERROR_BAD_REQUEST, "byte 0x%02x stands where a JSON value should begin", c);
    return FRAME_BAD;
}

static enum frame read_value(struct frames *frames, const char *first, struct span *out,
                             struct error *err)
{
    size_t max = frames->max ? frames->max : KUBE_FRAME_MAX_BYTES;

    if (frames->at == frames->start) {
        frames->at = frames->start = behind_white(frames, frames->start);
        if (frames->at == frames->buffer.length)
            return more(frames);
        if (!frames->buffer.data[frames->at] || !strchr(first, frames->buffer.data[frames->at]))
            return bad(frames, err);
    }

    bool nested = strchr("{[\"", frames->buffer.data[frames->start]);
    bool whole = nested ? read_nested(frames) : read_scalar(frames);

    if (frames->at - frames->start > max) {
        error_set(err, ERROR_TOO_LARGE, "a value of more than %zu bytes", max);
        return FRAME_BAD;
    }
    return whole ? ready(frames, out) : more(frames);
}

enum frame frame_object(struct frames *frames, struct span *out, struct error *err)
{
    return read_value(frames, "{", out, err);
}

enum frame frame_value(struct frames *frames, struct span *out, struct error *err)
{
    return read_value(frames, "{[\"-0123456789tfn", out, err);
}

enum frame frame_mark(struct frames *frames, char *mark)
{
    frames->at = frames->start = behind_white(frames, frames->start);
    if (frames->at == frames->buffer.length)
        return more(frames);
    *mark = frames->buffer.data[frames->at++];
    frames->start = frames->at;
    return FRAME_READY;
}

bool frames_empty(const struct frames *frames)
{
    return behind_white(frames, frames->start) == frames->buffer.length;
}

void frames_done(struct frames *frames)
{
    text_done(&frames->buffer);
    *frames = (struct frames){.max = frames->max};
}
