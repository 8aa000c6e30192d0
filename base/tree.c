#include "base/tree.h"

#include <stdlib.h>

static const char *type_name(json_type type)
{
    static const char *const names[] = {"an object", "a list",    "a string",  "a number",
                                        "a number",  "a boolean", "a boolean", "null"};

    return names[type];
}

const json_t *tree_at(const json_t *object, const char *path)
{
    while (object && *path) {
        size_t length = strcspn(path, ".");

        object = json_object_getn(object, path, length);
        path += length + (path[length] == '.');
    }
    return object;
}

struct span tree_value(const json_t *value)
{
    if (!json_is_string(value))
        return (struct span){0};
    return (struct span){json_string_value(value), json_string_length(value)};
}

bool tree_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

int64_t tree_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

long tree_item_index(const json_t *list, const char *key, const char *text)
{
    const json_t *item;
    size_t i;

    tree_items (list, i, item)
        if (tree_text(item, key) && span_is(tree_span(item, key), text))
            return (long)i;
    return -1;
}

const json_t *tree_item(const json_t *list, const char *key, const char *text)
{
    long index = tree_item_index(list, key, text);

    return index < 0 ? NULL : json_array_get(list, (size_t)index);
}

const json_t *tree_item_at(const json_t *list, const char *path, const char *text)
{
    const json_t *item;
    size_t i;

    tree_items (list, i, item)
        if (span_is(tree_value(tree_at(item, path)), text))
            return item;
    return NULL;
}

long tree_named_index(const json_t *list, const char *name)
{
    return tree_item_index(list, "name", name);
}

const json_t *tree_named(const json_t *list, const char *name)
{
    return tree_item(list, "name", name);
}

static json_t *child(json_t *object, const char *key, json_type type, struct error *err)
{
    json_t *value = json_object_get(object, key);

    if (!json_is_object(object)) {
        error_set(err, ERROR_INVALID, "what should hold \"%s\" is not an object", key);
        return NULL;
    }
    if (value && !json_is_null(value)) {
        if (json_typeof(value) == type)
            return value;
        error_set(err, ERROR_INVALID, "\"%s\" is %s, not %s", key, type_name(json_typeof(value)),
                  type_name(type));
        return NULL;
    }
    value = type == JSON_ARRAY ? json_array() : json_object();
    tree_put_new(object, key, value);
    return value;
}

json_t *tree_list(json_t *object, const char *key, struct error *err)
{
    return child(object, key, JSON_ARRAY, err);
}

json_t *tree_object(json_t *object, const char *key, struct error *err)
{
    return child(object, key, JSON_OBJECT, err);
}

json_t *tree_copy(const json_t *tree)
{
    if (!tree)
        return NULL;

    json_t *copy = json_deep_copy(tree);

    if (!copy)
        abort();
    return copy;
}

/*
 * Trees are shared between threads by jansson's own count of references. It changes atomically, but
 * json_incref() and json_decref() look before, without, whether the value is one of the constants
 * (true, null); and the last reference goes by a "release" alone, which suffices since nobody
 * writes a shared tree. ThreadSanitizer is told, for all programs.
 */
#ifdef __SANITIZE_THREAD__
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifdef TSAN
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race:json_incref\nrace:json_decref\n";
}
#endif

json_t *tree_share(const json_t *tree)
{
    return json_incref((json_t *)tree);
}

void tree_put_text(json_t *object, const char *key, const char *value)
{
    if (value)
        tree_put_span(object, key, span_of(value));
}

void tree_put_span(json_t *object, const char *key, struct span value)
{
    if (!value.data)
        return;

    json_t *string = json_stringn(value.data, value.length);

    if (!string)
        abort();
    tree_put_new(object, key, string);
}

void tree_put_int(json_t *object, const char *key, int64_t value)
{
    tree_put_new(object, key, json_integer(value));
}

void tree_put_bool(json_t *object, const char *key, bool value)
{
    tree_put_new(object, key, json_boolean(value));
}

void tree_push_new(json_t *list, json_t *value)
{
    if (value && json_array_append_new(list, value) < 0)
        abort();
}

void tree_push_text(json_t *list, const char *value)
{
    json_t *string = value ? json_string(value) : NULL;

    if (value && !string)
        abort();
    tree_push_new(list, string);
}

bool tree_equal(const json_t *a, const json_t *b)
{
    return a == b || (a && b && json_equal(a, b));
}

char *tree_format(const json_t *tree, size_t *length)
{
    struct text text = {0};

    tree_write(&text, tree, true);
    if (length)
        *length = text.length;
    return text_take(&text);
}
