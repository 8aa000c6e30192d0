#include "controllers/references.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/tree.h"

static const char configuration_kind[] = "BackupConfiguration", restore_kind[] = "RestoreSession";

static bool is_ours(const json_t *reference)
{
    struct span kind = tree_span(reference, "kind"), group = tree_span(reference, "apiGroup");

    return span_is(group, GROUP_STASH) &&
           (span_is(kind, configuration_kind) || span_is(kind, restore_kind));
}

static int compare_places(const void *a, const void *b)
{
    static const char *const keys[] = {"namespace", "name"};
    const json_t *one = tree_get(*(const json_t *const *)a, "metadata");
    const json_t *other = tree_get(*(const json_t *const *)b, "metadata");
    int order = 0;

    for (size_t i = 0; i < 2 && order == 0; i++) {
        const char *first = tree_text(one, keys[i]), *second = tree_text(other, keys[i]);

        order = strcmp(first ? first : "", second ? second : "");
    }
    return order;
}

static json_t *reference_to(const char *kind, const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");
    json_t *made = json_object();

    tree_put_text(made, "apiGroup", GROUP_STASH);
    tree_put_text(made, "kind", kind);
    tree_put_text(made, "namespace", tree_text(metadata, "namespace"));
    tree_put_text(made, "name", tree_text(metadata, "name"));
    return made;
}

/* Who is being deleted does not refer to anything any more. */
static bool refers(const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");

    return tree_text(metadata, "name") && !tree_get(metadata, "deletionTimestamp");
}

static void push(json_t *list, const char *kind, const json_t *objects)
{
    size_t count = 0, i;
    AUTO(free)
    const json_t **sorted = text_alloc((json_array_size(objects) + 1) * sizeof *sorted);
    const json_t *object;

    tree_items (objects, i, object)
        if (refers(object))
            sorted[count++] = object;
    qsort(sorted, count, sizeof *sorted, compare_places);
    for (i = 0; i < count && json_array_size(list) < REFERENCES_MAX; i++)
        tree_push_new(list, reference_to(kind, sorted[i]));
}

json_t *references_status(const struct references_seen *seen, const json_t *status)
{
    json_t *next = json_is_object(status) ? tree_copy(status) : json_object();
    json_t *list = json_array();
    const json_t *reference;
    size_t i;

    tree_items (tree_get(status, "references"), i, reference)
        if (!is_ours(reference) && json_array_size(list) < REFERENCES_MAX)
            tree_push_new(list, tree_copy(reference));
    push(list, configuration_kind, seen->configurations);
    push(list, restore_kind, seen->restores);
    json_object_del(next, "references");
    if (json_array_size(list) > 0 || tree_get(status, "references"))
        tree_put_new(next, "references", TAKE(list));
    json_decref(list);
    return next;
}
