#pragma once

#include <check.h>
#include <jansson.h>
#include <string.h>

#include "base/text.h"

/** Reads a row of a table: JSON with single quotes in place of double ones. A mistake in it fails
 *  the test. New reference. */
static inline json_t *json_row(const char *row)
{
    char *text = text_dup(row, strlen(row));
    json_error_t detail;

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';

    json_t *tree =
        json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &detail);

    free(text);
    ck_assert_msg(tree != NULL, "%s in %s", detail.text, row);
    return tree;
}
