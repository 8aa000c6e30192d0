#include "base/patch.h"

#include <string.h>

#include "base/auto.h"
#include "base/pointer.h"
#include "base/tree.h"
#include "tests/property/random.h"
#include "tests/unit/suite.h"

/* Catalogue JP4, JP5. For the 10^6 of CI. */
#define TIMEOUT_S 3600

/* Two documents, near to each other or not. */
static void make_pair(struct random *random, json_t **before, json_t **after)
{
    bool workload = random_often(random, 60);

    *before = workload ? random_workload(random) : random_tree(random, 4, 5);
    if (random_often(random, 85))
        *after = random_edited(random, *before, 1 + (unsigned)random_below(random, 6));
    else
        *after = workload ? random_workload(random) : random_tree(random, 4, 5);
}

static bool is_ours(const json_t *operation, const char *prefix)
{
    static const char *const allowed[] = {"add", "remove", "replace"};
    const char *op = tree_text(operation, "op"), *path = tree_text(operation, "path");
    size_t length = strlen(prefix);

    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(op, allowed[i]) == 0)
            return strncmp(path, prefix, length) == 0 &&
                   (path[length] == '/' || path[length] == '\0') &&
                   json_object_size(operation) == (strcmp(op, "remove") == 0 ? 2 : 3);
    return false;
}

/* The patch makes `after` of `before`, holds three kinds of operation only, and stays below its
 * place, in a document that is otherwise not touched. */
static void leads_there(struct random *random)
{
    AUTO(json) json_t *before = NULL;
    AUTO(json) json_t *after = NULL;
    const json_t *operation;
    struct error err = {0};
    size_t i;

    make_pair(random, &before, &after);

    AUTO(json) json_t *patch = patch_diff(before, after, "/spec/x~1y");
    AUTO(json)
    json_t *document = json_pack("{s:{s:O, s:i}, s:i}", "spec", "x/y", before, "x", 1, "spec2", 2);
    AUTO(json)
    json_t *wanted = json_pack("{s:{s:O, s:i}, s:i}", "spec", "x/y", after, "x", 1, "spec2", 2);
    AUTO(json) json_t *result = patch_apply(document, patch, &err);

    PROPERTY_MUST(random, result && tree_equal(result, wanted));
    tree_items (patch, i, operation)
        PROPERTY_MUST(random, is_ours(operation, "/spec/x~1y"));
    PROPERTY_MUST(random, (json_array_size(patch) == 0) == tree_equal(before, after));
}

static void nothing_to_nothing(struct random *random)
{
    AUTO(json)
    json_t *tree = random_often(random, 50) ? random_workload(random) : random_tree(random, 5, 5);
    AUTO(json) json_t *copy = tree_copy(tree);
    AUTO(json) json_t *patch = patch_diff(tree, copy, "");

    PROPERTY_MUST(random, json_array_size(patch) == 0);
}

/* All of the patch's operations are this one. */
static bool only(const json_t *patch, const char *op)
{
    const json_t *operation;
    size_t i;

    tree_items (patch, i, operation)
        if (strcmp(tree_text(operation, "op"), op) != 0)
            return false;
    return true;
}

/* One of the lists of the pod: absent, null and empty ones too. Borrowed, to be edited. */
static json_t *pod_list(struct random *random, json_t *workload)
{
    static const char *const keys[] = {"initContainers", "containers", "volumes",
                                       "imagePullSecrets"};
    const json_t *spec = tree_at(workload, "spec.template.spec");

    return json_object_get(spec, keys[random_below(random, sizeof keys / sizeof *keys)]);
}

/* So many elements put into a list are so many `add`, and the way back so many `remove`. */
static void insertions(struct random *random)
{
    AUTO(json) json_t *workload = random_workload(random);
    json_t *place = pod_list(random, workload);

    if (!json_is_array(place))
        return;

    AUTO(json) json_t *before = tree_copy(workload);
    size_t count = 1 + random_below(random, 4);

    for (size_t i = 0; i < count; i++)
        json_array_insert_new(place, random_below(random, json_array_size(place) + 1),
                              random_container(random));

    AUTO(json) json_t *there = patch_diff(before, workload, "");
    AUTO(json) json_t *back = patch_diff(workload, before, "");

    PROPERTY_MUST(random, json_array_size(there) == count && only(there, "add"));
    PROPERTY_MUST(random, json_array_size(back) == count && only(back, "remove"));
}

/* One element that stands elsewhere by now is taken out and put in: nobody else moves. */
static void moves(struct random *random)
{
    AUTO(json) json_t *workload = random_workload(random);
    json_t *place = pod_list(random, workload);
    size_t size = json_array_size(place);

    if (size == 0)
        return;

    AUTO(json) json_t *before = tree_copy(workload);
    size_t from = random_below(random, size);
    json_t *element = json_incref(json_array_get(place, from));

    json_array_remove(place, from);
    json_array_insert_new(place, random_below(random, size), element);

    AUTO(json) json_t *patch = patch_diff(before, workload, "");

    PROPERTY_MUST(random, json_array_size(patch) == (tree_equal(before, workload) ? 0 : 2));
}

static bool is_prefix(const char *prefix, const char *path)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

/* An edit inside of one named element is found there, also when others were put in around it. */
static void edits_of_named(struct random *random)
{
    AUTO(json) json_t *list = json_array();
    size_t count = 1 + random_below(random, 5), at = random_below(random, count), front;

    for (size_t i = 0; i < count; i++) {
        json_t *container = random_container(random);
        AUTO(free) char *name = text_format("container-%zu", i);

        tree_put_text(container, "name", name);
        tree_put_text(container, "purpose", "text that nobody wants to say twice in one patch");
        tree_push_new(list, container);
    }

    AUTO(json) json_t *after = tree_copy(list);
    json_t *ours = json_pack("{s:s}", "name", "ours");

    tree_put_text(json_array_get(after, at), "image", "edited");
    front = random_below(random, count + 1);
    json_array_insert_new(after, front, ours);

    AUTO(json) json_t *patch = patch_diff(list, after, "");
    AUTO(free) char *place = text_format("/%zu", front);
    AUTO(free) char *image = text_format("/%zu/image", at + (front <= at));

    PROPERTY_MUST(random, json_array_size(patch) == 2);
    for (size_t i = 0; i < 2; i++) {
        const char *path = tree_text(json_array_get(patch, i), "path");

        PROPERTY_MUST(random, strcmp(path, place) == 0 || is_prefix(image, path));
    }
}

static const struct {
    const char *name;
    void (*property)(struct random *random);
} rows[] = {
    {"a patch leads from before to after", leads_there},
    {"equal documents need no patch", nothing_to_nothing},
    {"elements put in are as many operations", insertions},
    {"an element moved is two operations", moves},
    {"an edit is found by name", edits_of_named},
};

START_TEST(property)
    {
        random_cases(rows[_i].name, rows[_i].property);
    }
END_TEST

SUITE(property_patch)
{
    tcase_set_timeout(tests, TIMEOUT_S);
    suite_rows(tests, property, rows);
}
