#include "tests/unit/api/pods.h"

#include <check.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"

static json_t *mount_row(struct span word)
{
    struct span name, path, sub;
    json_t *mount = json_object();

    ck_assert(text_split(&word, ':', &name) && text_split(&word, ':', &path));
    tree_put_span(mount, "name", name);
    tree_put_span(mount, "mountPath", path);
    if (text_split(&word, ':', &sub))
        tree_put_span(mount, memmem(sub.data, sub.length, "$(", 2) ? "subPathExpr" : "subPath",
                      sub);
    return mount;
}

static json_t *volume_row(struct span name, bool claim)
{
    json_t *volume = json_object(), *source = json_object();

    tree_put_span(volume, "name", name);
    if (claim)
        tree_put_span(source, "claimName", name);
    tree_put_new(volume, claim ? "persistentVolumeClaim" : "emptyDir", source);
    return volume;
}

static void push(json_t *spec, const char *list, json_t *item)
{
    if (!tree_get(spec, list))
        tree_put_new(spec, list, json_array());
    tree_push_new(json_object_get(spec, list), item);
}

static void put_container(json_t *spec, struct span name, struct span mounts)
{
    bool init = name.length > 5 && memcmp(name.data, "init:", 5) == 0;
    struct span word, own = init ? (struct span){name.data + 5, name.length - 5} : name;
    json_t *container = json_object();

    tree_put_span(container, "name", own);
    while (text_split(&mounts, ' ', &word))
        push(container, "volumeMounts", mount_row(word));
    push(spec, init ? "initContainers" : "containers", container);
}

static void put_part(json_t *spec, struct span part)
{
    struct span word;

    ck_assert(text_split(&part, ' ', &word));
    if (!span_is(word, "pvc") && !span_is(word, "dir")) {
        put_container(spec, word, part);
        return;
    }

    bool claim = span_is(word, "pvc");

    while (text_split(&part, ' ', &word))
        push(spec, "volumes", volume_row(word, claim));
}

static void merge_list(json_t *to, const json_t *from)
{
    const json_t *item;
    size_t i;

    tree_items (from, i, item) {
        const char *name = tree_text(item, "name");
        long index = name ? tree_named_index(to, name) : -1;

        if (index >= 0)
            merge_row(json_array_get(to, (size_t)index), item);
        else
            tree_push_new(to, tree_copy(item));
    }
}

void merge_row(json_t *to, const json_t *from)
{
    const json_t *value;
    const char *key;

    tree_each (from, key, value) {
        json_t *own = json_object_get(to, key);

        if (json_is_object(own) && json_is_object(value))
            merge_row(own, value);
        else if (json_is_array(own) && json_is_array(value))
            merge_list(own, value);
        else
            tree_put_new(to, key, tree_copy(value));
    }
}

json_t *pod_row(const char *row)
{
    const char *plus = strstr(row, " + ");
    struct span rest = {row, plus ? (size_t)(plus - row) : strlen(row)}, part;
    json_t *template = json_object(), *spec = json_object();

    while (text_split(&rest, ';', &part))
        put_part(spec, text_trim(part));
    if (plus) {
        AUTO(json) json_t *more = json_row(plus + 3);

        merge_row(spec, more);
    }
    tree_put_new(template, "metadata", json_object());
    tree_put_new(template, "spec", spec);
    return template;
}

char *mounts_text(const json_t *mounts)
{
    AUTO(text) struct text out = {0};
    const json_t *mount;
    size_t i;

    tree_items (mounts, i, mount) {
        const char *sub = tree_text(mount, "subPath"), *expr = tree_text(mount, "subPathExpr");

        ck_assert(!sub || !expr);
        text_addf(&out, "%s%s:%s", i ? " " : "", tree_text(mount, "name"),
                  tree_text(mount, "mountPath"));
        if (sub || expr)
            text_addf(&out, ":%s", sub ? sub : expr);
        if (tree_true(mount, "readOnly"))
            text_putc(&out, '!');
    }
    return text_take(&out);
}

char *findings_text(const struct findings *findings)
{
    AUTO(text) struct text out = {0};

    for (size_t i = 0; i < findings->count; i++)
        text_addf(&out, "%s\n", findings->items[i].message);
    return text_take(&out);
}

void findings_say(const struct findings *findings, const char *part)
{
    AUTO(free) char *said = findings_text(findings);

    if (*part)
        ck_assert_msg(strstr(said, part) != NULL, "\"%s\" is not in: %s", part, said);
    else
        ck_assert_msg(!*said, "%s", said);
}
