#include "api/pod.h"

#include "base/text.h"
#include "base/tree.h"

static const json_t *has_mount(const json_t *container, const json_t *mount)
{
    const json_t *theirs;
    size_t i;

    tree_items (tree_get(container, "volumeMounts"), i, theirs) {
        if (tree_equal(tree_get(theirs, "name"), tree_get(mount, "name")) &&
            tree_equal(tree_get(theirs, "subPathExpr"), tree_get(mount, "subPathExpr")))
            return container;
    }
    return NULL;
}

static const json_t *container_with(const json_t *template, const json_t *mount)
{
    static const char *const lists[] = {"containers", "initContainers"};
    const json_t *spec = tree_get(template, "spec"), *container;
    size_t i;

    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        tree_items (tree_get(spec, lists[l]), i, container) {
            if (has_mount(container, mount))
                return container;
        }
    }
    return NULL;
}

/* The entry that counts (the last of its name) when it can stand elsewhere too, else NULL. One
 * without a value is empty: the server leaves "" out. */
static const json_t *portable(const json_t *container, struct span name)
{
    const json_t *env = tree_get(container, "env"), *entry, *found = NULL;
    size_t i;

    tree_items (env, i, entry) {
        if (span_equal(tree_span(entry, "name"), name))
            found = entry;
    }

    const json_t *from = tree_get(found, "valueFrom"), *value = tree_get(found, "value");
    struct span text = tree_value(value);

    if (from)
        return tree_member(from, "fieldRef", JSON_OBJECT) ? found : NULL;
    if (value && !text.data)
        return NULL;
    return text.length && memmem(text.data, text.length, "$(", 2) ? NULL : found;
}

/* As the server stores it. */
static json_t *without_empty_value(const json_t *entry)
{
    json_t *copy = tree_copy(entry);

    if (tree_text(copy, "value") && !tree_span(copy, "value").length)
        json_object_del(copy, "value");
    return copy;
}

static bool put_variable(json_t *env, const json_t *container, struct span name)
{
    AUTO(json) json_t *entry = without_empty_value(portable(container, name));
    const json_t *known;
    size_t i;

    if (!entry)
        return false;
    tree_items (env, i, known) {
        if (tree_equal(tree_get(known, "name"), tree_get(entry, "name")))
            return tree_equal(known, entry);
    }
    tree_push_new(env, TAKE(entry));
    return true;
}

/* Each $(NAME) of the expression; "$$" stands for a dollar sign. */
static bool put_variables(json_t *env, const json_t *container, struct span expression)
{
    while (expression.length > 1) {
        size_t step = 1;

        if (expression.data[0] == '$' && expression.data[1] == '$') {
            step = 2;
        } else if (expression.data[0] == '$' && expression.data[1] == '(') {
            const char *end = memchr(expression.data, ')', expression.length);

            if (!end || !put_variable(env, container,
                                      (struct span){expression.data + 2,
                                                    (size_t)(end - expression.data) - 2}))
                return false;
            step = (size_t)(end - expression.data) + 1;
        }
        expression.data += step;
        expression.length -= step;
    }
    return true;
}

json_t *pod_path_variables(const json_t *template, const json_t *mounts)
{
    AUTO(json) json_t *env = json_array();
    const json_t *mount;
    size_t i;

    tree_items (mounts, i, mount) {
        struct span expression = tree_span(mount, "subPathExpr");

        if (expression.data && !put_variables(env, container_with(template, mount), expression))
            return NULL;
    }
    return TAKE(env);
}
