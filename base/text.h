#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/** A string that grows. {0} is an empty one. `data` is NULL or ends in NUL. */
struct text {
    char *data;
    size_t length;
    size_t room;
};

/** Releases the bytes; the text is empty afterwards. */
void text_done(struct text *text);

static inline void auto_text(struct text *text)
{
    text_done(text);
}

/** The same of a text with a secret in it: its bytes are overwritten first. */
void text_wipe(struct text *text);

static inline void auto_secret_text(struct text *text)
{
    text_wipe(text);
}

/** Makes room for so many bytes more, for those who know how many will come. */
void text_reserve(struct text *text, size_t more);

/** Appends bytes, a C string, one character, or a formatted piece. Memory exhausted: aborts. */
void text_add(struct text *text, const char *data, size_t length);
static inline void text_puts(struct text *text, const char *piece)
{
    text_add(text, piece, strlen(piece));
}
static inline void text_putc(struct text *text, char c)
{
    if (text->length + 1 >= text->room)
        text_reserve(text, 1);
    text->data[text->length++] = c;
    text->data[text->length] = '\0';
}
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_addv(struct text *text, const char *format, va_list args);

/** The text as C string, "" when empty. Borrowed until the text changes. */
const char *text_get(const struct text *text);

/** Hands the bytes over (malloc'ed, ends in NUL, never NULL) and leaves an empty text. */
char *text_take(struct text *text);

/**
 * Appends bytes as the inside of a JSON string: quotes, backslashes and control characters
 * escaped, everything else as it is (it must be UTF-8). Spec: RFC 8259 section 7.
 */
void text_add_json(struct text *text, const char *data, size_t length);

/** A formatted string on the heap; the caller frees it. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** malloc(), calloc(), realloc() and strndup() that abort instead of failing. */
void *text_alloc(size_t size);
void *text_realloc(void *pointer, size_t size);
char *text_dup(const char *data, size_t length);

/** The span without white space (blank, tab, CR, LF) at both ends. */
struct span text_trim(struct span span);

/**
 * The next element of a list: returns the bytes up to `separator` and moves `rest` behind it.
 * False when nothing is left. "a,,b" has three elements, "" has none.
 */
bool text_split(struct span *rest, char separator, struct span *element);

/**
 * Distance between two strings by Levenshtein: insert, delete, replace one byte, each 1.
 * Strings longer than 64 bytes count as far apart (SIZE_MAX).
 */
size_t text_distance(struct span a, struct span b);

/** True when that distance is at most `limit`; far less work when it is not. */
bool text_is_near(struct span a, struct span b, size_t limit);

/**
 * The candidate that was probably meant: the nearest one at a distance of at most a third of the
 * word's length (at least 1, at most 3), or NULL. Candidates end with NULL.
 */
const char *text_did_you_mean(struct span word, const char *const *candidates);

/**
 * Copies for people to read on one line: control characters (C0, DEL, C1 and the bidirectional
 * overrides U+202A..E, U+2066..9), bad UTF-8 and line separators become '?'; at most max_chars
 * characters, the last three "..." when it was cut. The caller frees it.
 */
char *text_printable(struct span span, size_t max_chars);

/** 64-character lower-case hex of SHA-256 and a NUL. Spec: FIPS 180-4. */
void text_sha256(struct span span, char hex[65]);
