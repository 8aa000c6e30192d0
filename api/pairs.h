#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

/** Keys that one list may know. */
#define PAIRS_MAX 16u

/** How a list such as "cpu=100m,memory=128Mi" is read. */
struct pairs {
    const char *const *keys; /* that may stand there, with NULL at the end */
    /* Takes the value of keys[key]; false with err (without the key) refuses it. */
    bool (*set)(void *into, size_t key, struct span value, struct error *err);
};

/**
 * Reads a list of key=value. Blanks around keys and values are fine, a key without value ("daily=")
 * is as if it did not stand there.
 *
 * @return False: ERROR_INVALID (no "=", an unknown key, one that stands there twice, a refused
 *         value), the message names the key; `into` may then be half filled.
 */
bool pairs_parse(const struct pairs *pairs, struct span text, void *into,
                 struct error *err) MUST_CHECK;
