#include "api/message.h"

#include <string.h>

#include "base/auto.h"
#include "base/scan.h"
#include "base/tree.h"

static bool read_object(const struct message_shape *shape, const json_t *object, char *out,
                        struct error *err);

static bool expected(struct error *err, const char *what)
{
    return error_set(err, ERROR_INVALID, "expected %s", what);
}

static bool read_text(const struct message_field *field, const json_t *value, const char **out,
                      struct error *err)
{
    struct span text = tree_value(value);

    if (!json_is_string(value))
        return expected(err, "a string");
    if (memchr(text.data, '\0', text.length))
        return expected(err, "a string without NUL");
    if ((int64_t)text.length > field->high)
        return error_set(err, ERROR_INVALID, "longer than %lld bytes", (long long)field->high);
    if (field->check && !field->check(text, err))
        return false;
    *out = text.data;
    return true;
}

static bool read_count(const struct message_field *field, const json_t *value, int64_t *out,
                       struct error *err)
{
    int64_t count = json_integer_value(value);

    if (!json_is_integer(value))
        return expected(err, "a whole number");
    if (count < field->low || count > field->high)
        return error_set(err, ERROR_INVALID, "not between %lld and %lld", (long long)field->low,
                         (long long)field->high);
    *out = count;
    return true;
}

static bool read_word(const struct message_field *field, const json_t *value, int *out,
                      struct error *err)
{
    struct span text = tree_value(value);

    for (int i = 0; json_is_string(value) && field->words[i]; i++) {
        if (span_is(text, field->words[i])) {
            *out = i;
            return true;
        }
    }
    return error_set(err, ERROR_INVALID, "expected a word such as %s", field->words[0]);
}

static bool read_element(const struct message_field *field, const json_t *value, char *out,
                         struct error *err)
{
    if (field->type == MESSAGE_TEXTS)
        return read_text(field, value, (const char **)(void *)out, err);
    return read_object(field->of, value, out, err);
}

static bool read_list(const struct message_field *field, const json_t *list, char *out,
                      struct error *err)
{
    size_t size = field->type == MESSAGE_TEXTS ? sizeof(char *) : field->of->size, i;
    const json_t *value;

    if (!json_is_array(list))
        return expected(err, "a list");
    if (json_array_size(list) > field->max)
        return error_set(err, ERROR_INVALID, "more than %zu elements", field->max);
    tree_items (list, i, value)
        if (!read_element(field, value, out + field->at + i * size, err))
            return error_wrap(err, "[%zu]", i);
    *(size_t *)(void *)(out + field->count_at) = json_array_size(list);
    return true;
}

static bool read_part(const struct message_field *field, const json_t *value, char *out,
                      struct error *err)
{
    if (!read_object(field->of, value, out + field->at, err))
        return false;
    if (!field->required)
        *(bool *)(void *)(out + field->count_at) = true;
    return true;
}

static bool read_flag(const json_t *value, bool *out, struct error *err)
{
    if (!json_is_boolean(value))
        return expected(err, "true or false");
    *out = json_is_true(value);
    return true;
}

static bool read_tree(const json_t *value, const json_t **out, struct error *err)
{
    if (!json_is_object(value))
        return expected(err, "an object");
    *out = value;
    return true;
}

static bool read_value(const struct message_field *field, const json_t *value, char *out,
                       struct error *err)
{
    void *at = out + field->at;

    switch (field->type) {
    case MESSAGE_TEXT:
        return read_text(field, value, (const char **)at, err);
    case MESSAGE_COUNT:
        return read_count(field, value, (int64_t *)at, err);
    case MESSAGE_FLAG:
        return read_flag(value, (bool *)at, err);
    case MESSAGE_WORD:
        return read_word(field, value, (int *)at, err);
    case MESSAGE_TREE:
        return read_tree(value, (const json_t **)at, err);
    case MESSAGE_PART:
        return read_part(field, value, out, err);
    default:
        return read_list(field, value, out, err);
    }
}

static bool read_field(const struct message_field *field, const json_t *object, char *out,
                       struct error *err)
{
    const json_t *value = tree_get(object, field->name);

    if (!value && field->required)
        return error_set(err, ERROR_INVALID, "\"%s\" is missing", field->name);
    if (!value && field->type == MESSAGE_COUNT)
        *(int64_t *)(void *)(out + field->at) = field->otherwise;
    if (!value)
        return true;
    return read_value(field, value, out, err) || error_wrap(err, "\"%s\"", field->name);
}

static bool read_object(const struct message_shape *shape, const json_t *object, char *out,
                        struct error *err)
{
    if (!json_is_object(object))
        return expected(err, "an object");
    for (size_t i = 0; i < shape->count; i++)
        if (!read_field(&shape->fields[i], object, out, err))
            return false;
    return !shape->also || shape->also(out, err);
}

json_t *message_read(const struct message_shape *shape, struct span text, size_t max_bytes,
                     void *message, struct error *err)
{
    AUTO(scan) struct scan scan = {0};

    if (text.length > max_bytes) {
        error_set(err, ERROR_TOO_LARGE, "more than %zu bytes", max_bytes);
        return NULL;
    }
    if (!scan_text(&scan, text, err))
        return NULL;

    AUTO(json) json_t *document = scan_tree(&scan, 0, NULL);
    AUTO(free) char *read = text_alloc(shape->size);

    memset(read, 0, shape->size);
    if (!read_object(shape, document, read, err))
        return NULL;
    memcpy(message, read, shape->size);
    return TAKE(document);
}

static json_t *object_of(const struct message_shape *shape, const char *message);

static json_t *list_of(const struct message_field *field, const char *message)
{
    const char *at = message + field->at;
    size_t count = *(const size_t *)(const void *)(message + field->count_at);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        if (field->type == MESSAGE_TEXTS)
            tree_push_text(list, ((const char *const *)(const void *)at)[i]);
        else
            tree_push_new(list, object_of(field->of, at + i * field->of->size));
    }
    return list;
}

static void put_count(const struct message_field *field, int64_t count, json_t *object)
{
    if (field->required || count != field->otherwise)
        tree_put_int(object, field->name, count);
}

static void put_list(const struct message_field *field, const char *message, json_t *object)
{
    if (field->required || *(const size_t *)(const void *)(message + field->count_at))
        tree_put_new(object, field->name, list_of(field, message));
}

static void put_part(const struct message_field *field, const char *message, json_t *object)
{
    if (field->required || *(const bool *)(const void *)(message + field->count_at))
        tree_put_new(object, field->name, object_of(field->of, message + field->at));
}

static void put_field(const struct message_field *field, const char *message, json_t *object)
{
    const void *at = message + field->at;

    switch (field->type) {
    case MESSAGE_TEXT:
        tree_put_text(object, field->name, *(const char *const *)at);
        return;
    case MESSAGE_COUNT:
        put_count(field, *(const int64_t *)at, object);
        return;
    case MESSAGE_FLAG:
        if (field->required || *(const bool *)at)
            tree_put_bool(object, field->name, *(const bool *)at);
        return;
    case MESSAGE_WORD:
        if (field->required || *(const int *)at)
            tree_put_text(object, field->name, field->words[*(const int *)at]);
        return;
    case MESSAGE_TREE:
        tree_put_new(object, field->name, tree_copy(*(const json_t *const *)at));
        return;
    case MESSAGE_PART:
        put_part(field, message, object);
        return;
    default:
        put_list(field, message, object);
    }
}

static json_t *object_of(const struct message_shape *shape, const char *message)
{
    json_t *object = json_object();

    for (size_t i = 0; i < shape->count; i++)
        put_field(&shape->fields[i], message, object);
    return object;
}

void message_write(const struct message_shape *shape, const void *message, struct text *out)
{
    AUTO(json) json_t *object = object_of(shape, message);

    tree_write(out, object, false);
}
