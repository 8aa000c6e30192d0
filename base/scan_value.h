#pragma once

#include "base/scan.h"

/*
 * What the bytes of a string or number mean, for base/scan*.c only: they have been judged, or are
 * about to be.
 */

/** What stands behind a backslash -> the byte that it means; 0 for what is no such letter, and for
 *  the 'u' of "\uXXXX". Spec: RFC 8259 section 7. */
extern const char scan_escapes[256];

/** The value of four hexadecimal digits, or -1. */
int32_t scan_hex4(const char *at, const char *end);

/** Halves of a character beyond U+FFFF. Spec: RFC 2781 section 2. */
static inline bool scan_is_high(int32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static inline bool scan_is_low(int32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/** The bytes between the quotes of a string; its value, if that has no escapes. */
static inline struct span scan_inside(const struct scan *scan, const struct scan_value *string)
{
    return (struct span){scan->text.data + string->start + 1,
                         (size_t)(string->end - string->start - 2)};
}

/** Tells most values apart from a string of this length without looking at their bytes. */
static inline bool scan_may_equal(const struct scan_value *value, size_t length)
{
    size_t raw = value->end - value->start;

    if (value->type != SCAN_STRING || raw < length + 2)
        return false;
    return raw == length + 2 || value->flags & SCAN_ESCAPED;
}

/** Writes the value of a string to `out`, given the bytes between its quotes; it is never longer
 * than those. Returns its length. */
size_t scan_unescape(struct span raw, char *out);

/** True when the value of a string is this. */
bool scan_string_equals(const struct scan *scan, const struct scan_value *string,
                        struct span value);

/** The integer of these bytes, which are known to be one; false when it is beyond int64. */
bool scan_integer(struct span bytes, int64_t *value);

/** The double of these bytes, which are known to be a number; infinite when it is too large. */
double scan_real(struct span bytes);
