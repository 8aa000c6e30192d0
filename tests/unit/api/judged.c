#include "tests/unit/api/judged.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "api/validate.h"
#include "base/auto.h"
#include "base/pointer.h"
#include "base/tree.h"
#include "tests/unit/json.h"

static json_t *value_of(const char *text)
{
    return text ? json_row(text) : NULL;
}

static json_t *child(json_t *parent, const char *token, bool list_wanted)
{
    json_t *value = json_is_array(parent) ? json_array_get(parent, strtoul(token, NULL, 10))
                                          : json_object_get(parent, token);

    if (!value) {
        value = list_wanted ? json_array() : json_object();
        if (json_is_array(parent))
            json_array_append_new(parent, value);
        else
            json_object_set_new(parent, token, value);
    }
    return value;
}

static void put(json_t *parent, const char *token, json_t *value)
{
    size_t index = strtoul(token, NULL, 10);

    if (json_is_array(parent) && !value)
        json_array_remove(parent, index);
    else if (json_is_array(parent) && index < json_array_size(parent))
        json_array_set_new(parent, index, value);
    else if (json_is_array(parent))
        json_array_append_new(parent, value);
    else if (!value)
        json_object_del(parent, token);
    else
        json_object_set_new(parent, token, value);
}

void judged_set(json_t *object, const char *pointer, json_t *value)
{
    struct span rest = span_of(pointer);
    struct error err = {0};
    AUTO(text) struct text token = {0};

    ck_assert(pointer_token(&rest, &token, &err));
    while (rest.length) {
        AUTO(free) char *current = text_take(&token);

        ck_assert(pointer_token(&rest, &token, &err));
        object = child(object, current, text_get(&token)[0] >= '0' && text_get(&token)[0] <= '9');
    }
    put(object, text_get(&token), value);
}

static void list(struct text *out, const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        text_addf(out, "\n  %s %s: %s", findings->items[i].level == FINDING_ERROR ? "E" : "W",
                  findings->items[i].field, findings->items[i].message);
}

static bool holds(const struct findings *findings, const struct judged *row)
{
    static const char mark[] = "warning: ";
    bool warning = strncmp(row->message, mark, sizeof mark - 1) == 0;
    const char *part = row->message + (warning ? sizeof mark - 1 : 0);

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        if ((finding->level == FINDING_WARNING) == warning &&
            strcmp(finding->field, row->field) == 0 && strstr(finding->message, part))
            return !warning || !findings_count(findings, FINDING_ERROR);
    }
    return false;
}

static void judge(const json_t *object, const json_t *old, const struct judged *row,
                  const struct cluster *cluster)
{
    AUTO(findings) struct findings findings = {0};
    AUTO(text) struct text said = {0};

    validate_object(&(struct validation){object, old, cluster}, &findings);
    list(&said, &findings);
    ck_assert_msg(row->field ? holds(&findings, row) : findings.count == 0,
                  "%s = %s, wanted %s: %s, found:%s", row->pointer, row->value, row->field,
                  row->message, text_get(&said));
}

void judged_in(const char *object, const struct judged *row, const struct cluster *cluster)
{
    AUTO(json) json_t *tree = json_row(object);

    if (row->pointer)
        judged_set(tree, row->pointer, value_of(row->value));
    judge(tree, NULL, row, cluster);
}

void judged_row(const char *object, const struct judged *row)
{
    judged_in(object, row, NULL);
}

void judged_update(const char *old, const struct judged *row)
{
    AUTO(json) json_t *before = json_row(old);
    AUTO(json) json_t *after = json_row(old);

    if (row->pointer)
        judged_set(after, row->pointer, value_of(row->value));
    judge(after, before, row, NULL);
}

/* All pointers into a tree, depth first, as a list of strings. */
static void pointers(const json_t *value, struct text *path, json_t *out)
{
    size_t mark = path->length, i;
    const json_t *item;
    const char *key;

    if (mark)
        json_array_append_new(out, json_string(text_get(path)));
    tree_each (value, key, item) {
        pointer_add_key(path, span_of(key));
        pointers(item, path, out);
        path->length = mark;
        path->data[mark] = '\0';
    }
    tree_items (value, i, item) {
        pointer_add_index(path, i);
        pointers(item, path, out);
        path->length = mark;
        path->data[mark] = '\0';
    }
}

static const char *const replacements[] = {
    NULL, "null",   "'text'", "'\\u0000'", "7",        "-9223372036854775808",   "1.5", "true",
    "[]", "[null]", "[[1]]",  "{}",        "{'': {}}", "{'a': [1, {'b': null}]}"};

size_t judged_mutations(const char *object)
{
    AUTO(json) json_t *original = json_row(object);
    AUTO(json) json_t *all = json_array();
    AUTO(text) struct text path = {0};
    size_t count = 0, i;
    const json_t *pointer;

    pointers(original, &path, all);
    tree_items (all, i, pointer)
        for (size_t r = 0; r < sizeof replacements / sizeof *replacements; r++, count++) {
            AUTO(json) json_t *changed = tree_copy(original);
            AUTO(findings) struct findings findings = {0};

            judged_set(changed, json_string_value(pointer), value_of(replacements[r]));
            validate_object(&(struct validation){changed, NULL, NULL}, &findings);
            validate_object(&(struct validation){changed, original, NULL}, &findings);
            validate_object(&(struct validation){original, changed, NULL}, &findings);
        }
    return count;
}
