#pragma once

#include <jansson.h>

#include "base/error.h"

/**
 * Describes the way from one value to another as JSON Patch: only `add`, `remove` and `replace`,
 * minimal, in an order that applies.
 *
 * Objects are compared member by member. Of two lists the longest common subsequence stays, and
 * of what remains, elements of the same "name", or at the same place, are entered when that takes
 * fewer bytes than replacing them. Lists that together have more than PATCH_MAX_CELLS pairs of
 * elements are compared place by place; values deeper than PATCH_MAX_DEPTH are replaced as a whole.
 *
 * @param before  Value as received; NULL when there is none (the patch then adds it). Borrowed.
 * @param after   Value as wanted; NULL when there shall be none. Borrowed, but its values are
 *                shared with the result, so it must not be edited while the result lives.
 * @param path    JSON pointer of both within the document ("" for the document itself); it is put
 *                in front of every path.
 * @return        New reference to an array of operations; empty when nothing differs. Integers and
 *                real numbers differ even when they are numerically equal.
 *
 * Spec: RFC 6902 section 4; RFC 6901 section 3 for the escapes. Catalogue JP1, JP4, JP5.
 */
json_t *patch_diff(const json_t *before, const json_t *after, const char *path);

/**
 * Applies a patch as the API server would: all six operations of RFC 6902, in order, all or
 * nothing.
 *
 * @param document  Never NULL. Borrowed, not edited.
 * @param patch     Array of operations. Borrowed.
 * @return          New reference to the changed document, which shares nothing with its inputs; or
 *                  NULL with a message that names the operation's index and what does not apply:
 *                  ERROR_INVALID, or ERROR_TOO_LARGE when `copy` would copy more than
 *                  PATCH_MAX_COPY_BYTES or the result be deeper than JSON_MAX_DEPTH.
 *
 * Spec: RFC 6902 section 4 and appendix A. Catalogue JP3.
 */
json_t *patch_apply(const json_t *document, const json_t *patch, struct error *err) MUST_CHECK;
