#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/** Characters of one pattern: its states fit into 64 bits, so that matching is linear. */
#define PATTERN_MAX_CHARS 63u

/** A parsed pattern. Borrows the text that it was made of. */
struct pattern {
    struct span items[PATTERN_MAX_CHARS]; /* one character (UTF-8) each */
    uint64_t star, one;                   /* which of them are `*`, `?` */
    unsigned count;
};

/** Where matches that begin at the start of a text may end. */
struct pattern_ends {
    bool found;
    size_t shortest, longest; /* bytes */
};

/**
 * Reads a shell pattern: `*` is any text, `?` any character, a backslash takes the next character
 * as it is. Sets in brackets are refused rather than taken for something else.
 *
 * @return False: ERROR_INVALID.
 */
bool pattern_parse(struct pattern *pattern, struct span text, struct error *err) MUST_CHECK;

/** All ends of matches at the start of the text. Never inside of a character. */
struct pattern_ends pattern_match(const struct pattern *pattern, struct span text);

/** Bytes of the (UTF-8) character at the start; 0 of an empty text. */
size_t pattern_char(struct span text);
