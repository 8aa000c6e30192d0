#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * Messages between programs of ours as structs: a table says how the members of a JSON object and
 * of a struct belong together, and is read in both directions. Members that no table knows are
 * ignored, so that a newer program may add some; what is known has to be right.
 *
 * Strings of a struct that was read are borrowed from the document that came with it; none of them
 * holds NUL.
 */

struct message_shape;

enum message_type {
    MESSAGE_TEXT,  /* const char *; NULL when absent; `high`: bytes */
    MESSAGE_COUNT, /* int64_t from `low` to `high`; `otherwise` when absent */
    MESSAGE_FLAG,  /* bool */
    MESSAGE_WORD,  /* int: which of `words`; the first one when absent */
    MESSAGE_TREE,  /* const json_t *, an object; NULL when absent */
    MESSAGE_TEXTS, /* const char *[max], size_t at `count_at`; `high`: bytes of each */
    MESSAGE_PART,  /* a struct; bool at `count_at` says whether it is there */
    MESSAGE_PARTS, /* structs [max], size_t at `count_at` */
};

struct message_field {
    const char *name;
    enum message_type type;
    bool required;
    size_t at;       /* offset in the struct */
    size_t count_at; /* likewise, of a list's count or a part's flag */
    size_t max;      /* elements of a list */
    int64_t low, high, otherwise;
    bool (*check)(struct span text, struct error *err); /* of texts, or NULL */
    const char *const *words;                           /* ends with NULL */
    const struct message_shape *of;                     /* of parts */
};

struct message_shape {
    const struct message_field *fields;
    size_t count;
    size_t size;                                          /* of the struct */
    bool (*also)(const void *message, struct error *err); /* what holds between members, or NULL */
};

#define MESSAGE_SHAPE(type, rows, rule)                                                            \
    {                                                                                              \
        .fields = (rows), .count = sizeof(rows) / sizeof *(rows), .size = sizeof(type),            \
        .also = (rule)                                                                             \
    }

/**
 * Reads one message.
 *
 * @param max_bytes  Of the text.
 * @param message    The struct of this shape; untouched on failure.
 * @return           New reference that must live as long as the struct is used. NULL:
 *                   ERROR_TOO_LARGE, ERROR_BAD_REQUEST (no JSON, a key twice), ERROR_INVALID (a
 *                   member, which the message names without its value).
 */
json_t *message_read(const struct message_shape *shape, struct span text, size_t max_bytes,
                     void *message, struct error *err) MUST_CHECK;

/** Appends a message as compact JSON. What is absent, or equals its default, is left out unless it
 *  is required. The struct must be one that message_read() would accept: our own mistakes abort in
 *  tree_put_text() (bad UTF-8) or are refused by the reader. */
void message_write(const struct message_shape *shape, const void *message, struct text *out);
