#include "base/pointer.h"

#include "base/auto.h"

/* 10^18 - 1 fits every size_t that we build for, and no list is that long */
#define INDEX_MAX_DIGITS 18

void pointer_add_key(struct text *pointer, struct span key)
{
    size_t start = 0;

    text_putc(pointer, '/');
    for (size_t i = 0; i < key.length; i++) {
        if (key.data[i] != '~' && key.data[i] != '/')
            continue;
        text_add(pointer, key.data + start, i - start);
        text_puts(pointer, key.data[i] == '~' ? "~0" : "~1");
        start = i + 1;
    }
    text_add(pointer, key.data + start, key.length - start);
}

void pointer_add_index(struct text *pointer, size_t index)
{
    text_addf(pointer, "/%zu", index);
}

bool pointer_token(struct span *rest, struct text *token, struct error *err)
{
    size_t end = 1, start = 1;

    if (rest->length == 0)
        return false;
    if (rest->data[0] != '/')
        return error_set(err, ERROR_INVALID, "a JSON pointer begins with \"/\" or is empty");

    token->length = 0;
    for (; end < rest->length && rest->data[end] != '/'; end++) {
        char escape = end + 1 < rest->length ? rest->data[end + 1] : '\0';

        if (rest->data[end] != '~')
            continue;
        if (escape != '0' && escape != '1')
            return error_set(err, ERROR_INVALID, "\"~\" without 0 or 1 in a JSON pointer");
        text_add(token, rest->data + start, end - start);
        text_putc(token, escape == '0' ? '~' : '/');
        start = ++end + 1;
    }
    text_add(token, rest->data + start, end - start);
    rest->data += end;
    rest->length -= end;
    return true;
}

bool pointer_index(struct span token, size_t *index)
{
    size_t value = 0;

    if (token.length == 0 || token.length > INDEX_MAX_DIGITS)
        return false;
    if (token.data[0] == '0' && token.length > 1)
        return false;
    for (size_t i = 0; i < token.length; i++) {
        if (token.data[i] < '0' || token.data[i] > '9')
            return false;
        value = value * 10 + (size_t)(token.data[i] - '0');
    }
    *index = value;
    return true;
}

const json_t *pointer_step(const json_t *value, struct span token)
{
    size_t index;

    if (json_is_object(value))
        return json_object_getn(value, token.data, token.length);
    return pointer_index(token, &index) ? json_array_get(value, index) : NULL;
}

const json_t *pointer_get(const json_t *document, const char *pointer)
{
    AUTO(text) struct text token = {0};
    struct span rest = span_of(pointer);
    struct error err = {0};

    while (document && pointer_token(&rest, &token, &err))
        document = pointer_step(document, (struct span){text_get(&token), token.length});
    return err.code ? NULL : document;
}
