#pragma once

#include <jansson.h>

#include "base/span.h"

/** Takes the next JSON value off an input that holds several, one behind the other. New reference,
 *  or NULL when there is none. */
static inline json_t *fuzz_take_json(struct span *rest)
{
    json_error_t detail;
    json_t *value = rest->length == 0
                        ? NULL
                        : json_loadb(rest->data, rest->length,
                                     JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK |
                                         JSON_REJECT_DUPLICATES,
                                     &detail);

    if (value) {
        rest->data += detail.position;
        rest->length -= (size_t)detail.position;
    }
    return value;
}
