#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * Helpers on a JSON tree. The type says who owns: `json_t *` returned is a new reference,
 * `const json_t *` is borrowed and lives as long as its document, `_new` steals its argument also
 * when it fails. All of them accept NULL and any shape where they read: what is missing or has
 * another type is "absent", never an abort.
 */

/** The member of any type, or NULL. Borrowed. (Inline, as are some others, so that the length of a
 *  constant key is known when this is compiled: a decision asks some hundred times.) */
static inline const json_t *tree_get(const json_t *object, const char *key)
{
    return json_object_getn(object, key, key ? strlen(key) : 0);
}

/** The member of this type, or NULL when absent. Borrowed. */
static inline const json_t *tree_member(const json_t *object, const char *key, json_type type)
{
    const json_t *value = tree_get(object, key);

    return value && json_typeof(value) == type ? value : NULL;
}

/**
 * Follows members by a path with dots, such as "spec.template.metadata". NULL when any step is
 * absent. Borrowed. Not for keys that contain dots.
 */
const json_t *tree_at(const json_t *object, const char *path);

/** The string member as C string ("" is a value), or NULL when absent or not a string. Borrowed. */
static inline const char *tree_text(const json_t *object, const char *key)
{
    return json_string_value(tree_get(object, key));
}

/** The bytes of a string value; {NULL, 0} when it is no string. Borrowed. */
struct span tree_value(const json_t *value);

/** The string member with its length (it may hold NUL); {NULL, 0} when absent. Borrowed. */
static inline struct span tree_span(const json_t *object, const char *key)
{
    return tree_value(tree_get(object, key));
}

/** True when the member is the JSON value true. */
bool tree_true(const json_t *object, const char *key);

/** The member as integer, or `otherwise` when absent or no integer. */
int64_t tree_int(const json_t *object, const char *key, int64_t otherwise);

/** The first element of this list of objects whose member is this text, or NULL. Borrowed. */
const json_t *tree_item(const json_t *list, const char *key, const char *text);

/** The same by a path with dots: tree_item_at(pods, "metadata.uid", uid). */
const json_t *tree_item_at(const json_t *list, const char *path, const char *text);

/** Where that element is, or -1. */
long tree_item_index(const json_t *list, const char *key, const char *text);

/** The same with "name" as member. */
const json_t *tree_named(const json_t *list, const char *name);
long tree_named_index(const json_t *list, const char *name);

/** The list or object member to edit, made empty when absent or null. Borrowed; NULL and err
 *  (ERROR_INVALID) when it has another type or `object` is none. */
json_t *tree_list(json_t *object, const char *key, struct error *err) MUST_CHECK;
json_t *tree_object(json_t *object, const char *key, struct error *err) MUST_CHECK;

/** A deep copy, new reference; NULL of NULL. */
json_t *tree_copy(const json_t *tree);

/** A borrowed value that a document of ours will share: a new reference to the same value. The
 *  value must not be edited any more by anyone. NULL of NULL. */
json_t *tree_share(const json_t *tree);

/** Sets one member. A NULL value or text sets nothing. Out of memory or a text of bad UTF-8:
 * aborts. The key is one of ours or of another tree, so it is not looked at. */
static inline void tree_put_new(json_t *object, const char *key, json_t *value)
{
    if (value && json_object_setn_new_nocheck(object, key, key ? strlen(key) : 0, value) < 0)
        abort();
}
void tree_put_text(json_t *object, const char *key, const char *value);
void tree_put_span(json_t *object, const char *key, struct span value);
void tree_put_int(json_t *object, const char *key, int64_t value);
void tree_put_bool(json_t *object, const char *key, bool value);

/** Appends to a list. A NULL value appends nothing. */
void tree_push_new(json_t *list, json_t *value);
void tree_push_text(json_t *list, const char *value);

/** Deep equality; numbers by value and type, as jansson's json_equal(). NULL equals NULL. */
bool tree_equal(const json_t *a, const json_t *b);

/**
 * Appends compact JSON: the bytes of `jq -c` (sorted: `jq -cS`), without the cost of jansson's
 * dumper, which is a third of a decision. NULL appends nothing.
 */
void tree_write(struct text *out, const json_t *tree, bool sorted);

/** Compact JSON with sorted keys on the heap; the caller frees it. Length in *length if given. */
char *tree_format(const json_t *tree, size_t *length);

/** json_object_foreach() and json_array_foreach() for const trees; absent or another type: no turn.
 */
#define tree_each(object, key, value)                                                              \
    for (void *iter_ = json_object_iter((json_t *)(object));                                       \
         iter_ && ((key) = json_object_iter_key(iter_), (value) = json_object_iter_value(iter_),   \
                  (void)(key), (void)(value), true);                                               \
         iter_ = json_object_iter_next((json_t *)(object), iter_))
#define tree_items(list, index, value)                                                             \
    for ((index) = 0; (index) < json_array_size(list) &&                                           \
                      ((value) = json_array_get(list, index), (void)(value), true);                \
         (index)++)
