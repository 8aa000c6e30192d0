#include "base/scalar.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/text.h"

#define DECIMAL "0123456789"
#define OCTAL "01234567"
#define HEXADECIMAL "0123456789abcdefABCDEF"

static bool one_of(struct span plain, const char *const *words)
{
    for (; *words; words++)
        if (span_is(plain, *words))
            return true;
    return false;
}

/* Takes the leading bytes that are in the set off the span. How many there were. */
static size_t skip(struct span *rest, const char *set)
{
    size_t length = 0;

    while (length < rest->length && rest->data[length] &&
           strchr(set, (unsigned char)rest->data[length]))
        length++;
    rest->data += length;
    rest->length -= length;
    return length;
}

static bool skip_one(struct span *rest, const char *set)
{
    if (!rest->length || !rest->data[0] || !strchr(set, (unsigned char)rest->data[0]))
        return false;
    rest->data++;
    rest->length--;
    return true;
}

static bool skip_prefix(struct span *rest, const char *prefix)
{
    size_t length = strlen(prefix);

    if (rest->length < length || memcmp(rest->data, prefix, length) != 0)
        return false;
    rest->data += length;
    rest->length -= length;
    return true;
}

static bool only(struct span rest, const char *set)
{
    return skip(&rest, set) > 0 && rest.length == 0;
}

static bool is_prefixed(struct span plain, const char *prefix, const char *digits)
{
    return skip_prefix(&plain, prefix) && only(plain, digits);
}

/* [-+]? [0-9]+ */
static bool is_decimal(struct span plain)
{
    skip_one(&plain, "+-");
    return only(plain, DECIMAL);
}

/* [-+]? 0 [0-7]+ */
static bool is_octal(struct span plain)
{
    skip_one(&plain, "+-");
    return skip_one(&plain, "0") && only(plain, OCTAL);
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_real(struct span plain)
{
    skip_one(&plain, "+-");

    size_t whole = skip(&plain, DECIMAL);
    size_t fraction = skip_one(&plain, ".") ? skip(&plain, DECIMAL) : 0;

    if (whole + fraction == 0)
        return false;
    if (plain.length == 0)
        return true;
    if (!skip_one(&plain, "eE"))
        return false;
    skip_one(&plain, "+-");
    return only(plain, DECIMAL);
}

static bool is_not_finite(struct span plain)
{
    static const char *const infinite[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};

    if (one_of(plain, nan))
        return true;
    skip_one(&plain, "+-");
    return one_of(plain, infinite);
}

enum scalar_kind scalar_kind(struct span plain)
{
    static const char *const null[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};

    if (one_of(plain, null))
        return SCALAR_NULL;
    if (one_of(plain, yes))
        return SCALAR_TRUE;
    if (one_of(plain, no))
        return SCALAR_FALSE;
    if (is_octal(plain))
        return SCALAR_OCTAL;
    if (is_decimal(plain) || is_prefixed(plain, "0o", OCTAL) ||
        is_prefixed(plain, "0x", HEXADECIMAL))
        return SCALAR_INTEGER;
    if (is_real(plain))
        return SCALAR_REAL;
    return is_not_finite(plain) ? SCALAR_NOT_FINITE : SCALAR_STRING;
}

bool scalar_is_legacy_boolean(struct span plain)
{
    static const char *const words[] = {"y",  "Y",  "yes", "Yes", "YES", "n",   "N",   "no", "No",
                                        "NO", "on", "On",  "ON",  "off", "Off", "OFF", NULL};

    return one_of(plain, words);
}

bool scalar_is_legacy_number(struct span plain)
{
    if (scalar_kind(plain) != SCALAR_STRING || !plain.length || plain.data[0] == '_')
        return false;

    AUTO(text) struct text digits = {0};

    for (size_t i = 0; i < plain.length; i++)
        if (plain.data[i] != '_')
            text_putc(&digits, plain.data[i]);

    struct span rest = {text_get(&digits), digits.length};

    if (is_real(rest))
        return true;
    skip_one(&rest, "+-");
    return is_prefixed(rest, "0b", "01") || is_prefixed(rest, "0B", "01") ||
           is_prefixed(rest, "0o", OCTAL) || is_prefixed(rest, "0O", OCTAL) ||
           is_prefixed(rest, "0x", HEXADECIMAL) || is_prefixed(rest, "0X", HEXADECIMAL);
}

static json_t *integer(const char *digits, int base)
{
    errno = 0;

    long long value = strtoll(digits, NULL, base);

    return errno == ERANGE ? NULL : json_integer(value);
}

static json_t *real(const char *digits)
{
    double value = strtod(digits, NULL);

    return isfinite(value) ? json_real(value) : NULL;
}

json_t *scalar_number(struct span plain, enum scalar_kind kind)
{
    AUTO(free) char *digits = text_dup(plain.data, plain.length);

    if (kind == SCALAR_REAL)
        return real(digits);
    assert(kind == SCALAR_INTEGER || kind == SCALAR_OCTAL);
    if (kind == SCALAR_OCTAL)
        return integer(digits, 8);
    if (strncmp(digits, "0o", 2) == 0)
        return integer(digits + 2, 8);
    if (strncmp(digits, "0x", 2) == 0)
        return integer(digits + 2, 16);
    return integer(digits, 10);
}
