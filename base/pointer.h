#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/** Appends "/" and the key as one reference token: "~" becomes "~0", "/" becomes "~1".
 *  Spec: RFC 6901 section 3. */
void pointer_add_key(struct text *pointer, struct span key);

/** Appends "/" and a list index. */
void pointer_add_index(struct text *pointer, size_t index);

/**
 * Takes the first reference token off a pointer and unescapes it.
 *
 * @param rest   In: a pointer ("" is the whole document). Out: what follows.
 * @param token  Replaced by the token; it may hold NUL when the pointer does.
 * @param err    Must hold no failure before, so that the two ways to end can be told apart.
 * @return       False with err untouched when the pointer is "" (nothing left); false with
 *               err->code ERROR_INVALID when it is malformed (no "/" in front, "~" without 0 or 1).
 */
bool pointer_token(struct span *rest, struct text *token, struct error *err);

/** Reads an unescaped token as list index: digits without leading zeros, at most 18 of them.
 *  "-" is none. False leaves *index untouched. Spec: RFC 6901 section 4. */
bool pointer_index(struct span token, size_t *index) MUST_CHECK;

/** The member or element that one unescaped token names; NULL when there is none, or when the value
 *  is neither object nor list. Borrowed. Spec: RFC 6901 section 4. */
const json_t *pointer_step(const json_t *value, struct span token);

/** The value that a pointer names, or NULL (malformed pointers name nothing). Borrowed.
 *  Spec: RFC 6901 section 4; list indexes without leading zeros, "-" names nothing. */
const json_t *pointer_get(const json_t *document, const char *pointer);
