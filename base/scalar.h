#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/span.h"

/** What a plain (unquoted) scalar of YAML means. */
enum scalar_kind {
    SCALAR_STRING,
    SCALAR_NULL,
    SCALAR_TRUE,
    SCALAR_FALSE,
    SCALAR_INTEGER, /* also hexadecimal 0x1F and octal 0o17 */
    SCALAR_OCTAL,   /* 0644: kubectl, as YAML 1.1, reads 420, and file modes are written so */
    SCALAR_REAL,
    SCALAR_NOT_FINITE, /* .inf, .nan: numbers that JSON can not hold */
};

/**
 * Tells plain scalars apart by the core schema, with the one deviation of SCALAR_OCTAL.
 *
 * Spec: YAML 1.2.2 section 10.3.2.
 */
enum scalar_kind scalar_kind(struct span plain);

/** True for what is a boolean in YAML 1.1, and so for kubectl, but a string in 1.2: y, No, ON... */
bool scalar_is_legacy_boolean(struct span plain);

/** True for what is a number for kubectl but a string in YAML 1.2: 1_000, 0b101, -0x1F, 0X1F. */
bool scalar_is_legacy_number(struct span plain);

/**
 * The value of an integer, octal or real scalar; new reference. NULL when it is beyond int64 or
 * the largest double. Must not be called for other kinds.
 */
json_t *scalar_number(struct span plain, enum scalar_kind kind);
