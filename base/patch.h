#pragma once

#include <jansson.h>

#include "base/error.h"

/**
 * Describes the way from one value to another as JSON Patch: only `add`, `remove` and `replace`,
 * minimal (lists are matched by their longest common subsequence; objects that stand at one place,
 * or carry the same "name", are entered instead of replaced), in an order that applies.
 *
 * @param before  Value as received. Borrowed.
 * @param after   Value as wanted. Borrowed, but its values are shared with the result, so it must
 *                not be edited while the result lives.
 * @param path    JSON pointer of both within the document ("" for the document itself); it is put
 *                in front of every path.
 * @return        New reference to an array of operations; empty when nothing differs.
 *
 * Spec: RFC 6902 section 4; RFC 6901 section 3 for the escapes. Catalogue JP1, JP4, JP5.
 */
json_t *patch_diff(const json_t *before, const json_t *after, const char *path);

/**
 * Applies a patch as the API server would: all six operations of RFC 6902, in order, all or
 * nothing.
 *
 * @param document  Borrowed, not edited.
 * @param patch     Array of operations. Borrowed.
 * @return          New reference to the changed document, or NULL with ERROR_INVALID and a message
 *                  that names the operation's index and what does not apply.
 *
 * Spec: RFC 6902 section 4 and appendix A. Catalogue JP3.
 */
json_t *patch_apply(const json_t *document, const json_t *patch, struct error *err) MUST_CHECK;
