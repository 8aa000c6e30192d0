#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/** A piece of somebody else's bytes. Never ends in NUL, may hold NUL. {NULL, 0} is "absent". */
struct span {
    const char *data;
    size_t length;
};

/** A span over a C string; it lives as long as the string. */
static inline struct span span_of(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

/** True when both hold the same bytes; an absent span equals an empty one. */
static inline bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/** True when the span holds exactly this C string. */
static inline bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_of(text));
}

/** True when the span's first bytes are the text's. */
static inline bool span_begins(struct span a, const char *with)
{
    size_t length = strlen(with);

    return a.length >= length && memcmp(a.data, with, length) == 0;
}

/** True when the span's last bytes are the text's. */
static inline bool span_ends(struct span a, const char *with)
{
    size_t length = strlen(with);

    return a.length >= length && memcmp(a.data + a.length - length, with, length) == 0;
}
