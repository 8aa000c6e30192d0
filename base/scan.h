#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/*
 * The only place that knows the bytes of a request. One strict pass over the whole text (RFC 8259)
 * judges it, bounds depth and number of values, and writes one entry per value into a table. The
 * table answers what a decision needs: "where is this member", "the bytes of that value"; a tree is
 * built only of the slices that are edited.
 */

/** One value (or key) of the text, in the order in which it stands there. */
struct scan_value {
    uint32_t start; /* offset of the first byte; of a string: its opening quote */
    uint32_t end;   /* offset behind the last byte */
    uint32_t next;  /* index of the entry behind this value and all that is in it */
    uint8_t type;   /* enum scan_type */
    uint8_t flags;  /* SCAN_ESCAPED ... */
};

enum scan_type {
    SCAN_OBJECT,
    SCAN_ARRAY,
    SCAN_STRING,
    SCAN_NUMBER,
    SCAN_TRUE,
    SCAN_FALSE,
    SCAN_NULL
};

/* the string holds a backslash, so its bytes are not yet its value */
#define SCAN_ESCAPED 1u
/* one of its escapes is NUL */
#define SCAN_NUL 2u
/* the number has a fraction or an exponent */
#define SCAN_REAL 4u

/** A judged text. {0} before scan_text(); release with scan_done(). */
struct scan {
    struct span text;          /* borrowed */
    struct scan_value *values; /* an object's members are entries in turn: key, value, key, value */
    uint32_t count, room;
};

/** Names no value. scan_*() take it and answer it, so look-ups can be chained. */
#define SCAN_NONE UINT32_MAX

/**
 * Judges a text: one JSON value, UTF-8 without BOM, nothing behind it but white space. Refused:
 * whatever RFC 8259 refuses, duplicate keys of one object (also after unescaping), lone surrogates,
 * NUL in a key (an escaped NUL in a value is legal), integers beyond int64, real numbers that
 * overflow, more than JSON_MAX_DEPTH levels of objects and lists, or more than JSON_MAX_VALUES
 * values and keys.
 *
 * The work is linear in the length of the text, but for objects of many members, whose keys are
 * sorted to find equal ones. Needs 64 KiB of stack, whatever the text holds.
 *
 * @param text  Borrowed while the scan lives. At most 4 GiB - 2.
 * @return      False: ERROR_BAD_REQUEST with line and column (both from 1), or ERROR_TOO_LARGE;
 *              the scan is then empty.
 *
 * Spec: RFC 8259; catalogue J1 to J8, J20.
 */
bool scan_text(struct scan *scan, struct span text, struct error *err) MUST_CHECK;

/** Releases the table (the text is the caller's). */
void scan_done(struct scan *scan);

static inline void auto_scan(struct scan *scan)
{
    scan_done(scan);
}

/** The member's value, or SCAN_NONE. `object` may be SCAN_NONE or no object. Keys are compared by
 *  their value (unescaped). */
uint32_t scan_member(const struct scan *scan, uint32_t object, const char *key);

/** Several steps at once, with dots: scan_path(scan, 0, "request.object.metadata"). */
uint32_t scan_path(const struct scan *scan, uint32_t object, const char *path);

/** True when some value, anywhere below (and with) this one, is a string or a key that equals
 *  `text` (unescaped). One linear walk. */
bool scan_holds(const struct scan *scan, uint32_t value, const char *text);

/** The raw bytes of a value, quotes included; {NULL, 0} of SCAN_NONE. */
struct span scan_slice(const struct scan *scan, uint32_t value);

/** True when the value is a string that equals `text` (unescaped). */
bool scan_is(const struct scan *scan, uint32_t value, const char *text);

/**
 * A tree of this value: equal to what jansson makes of the same bytes, but without its lexer.
 *
 * @param only  Names of the members to take, ending with NULL, at the first level only; NULL takes
 *              all of them.
 * @return      New reference; NULL of SCAN_NONE.
 */
json_t *scan_tree(const struct scan *scan, uint32_t value, const char *const *only);

/**
 * The same, where there is a tree of another value of the text already that is much alike: what
 * stands at the same place in both, byte for byte, is that tree's and not built again. So neither
 * of them may be edited.
 *
 * @param other  A value that may be SCAN_NONE.
 * @param tree   What scan_tree() made of it with the same names in `only`. Borrowed.
 */
json_t *scan_tree_like(const struct scan *scan, uint32_t value, const char *const *only,
                       uint32_t other, const json_t *tree);
