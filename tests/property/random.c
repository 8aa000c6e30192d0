#include "tests/property/random.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/tree.h"

#define CASES 10000
#define SEED 1
#define TEXT_MAX_PIECES 6

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

struct random random_case(uint64_t seed, size_t number)
{
    return (struct random){mix(mix(seed) + number), seed, number};
}

uint64_t random_bits(struct random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(random->state);
}

size_t random_below(struct random *random, size_t end)
{
    return (size_t)(random_bits(random) % end);
}

bool random_often(struct random *random, unsigned percent)
{
    return random_below(random, 100) < percent;
}

uint64_t random_setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

void random_cases(const char *name, void (*property)(struct random *random))
{
    random_some_cases(name, property, CASES);
}

void random_some_cases(const char *name, void (*property)(struct random *random), size_t usual)
{
    uint64_t seed = random_setting("SEED", SEED);
    size_t first = random_setting("PROPERTY_FIRST", 0);
    size_t count = random_setting("PROPERTY_COUNT", usual);

    printf("  %s: SEED=%llu, cases %zu to %zu\n", name, (unsigned long long)seed, first,
           first + count);
    fflush(stdout);
    for (size_t i = first; i < first + count; i++) {
        struct random random = random_case(seed, i);

        property(&random);
    }
}

static const char *pick(struct random *random, const char *const *words, size_t count)
{
    return words[random_below(random, count)];
}

#define PICK(random, words) pick(random, words, sizeof(words) / sizeof *(words))

void random_add_text(struct random *random, struct text *text, bool key)
{
    static const char *const pieces[] = {
        "a",
        "b",
        "name",
        "/",
        "~",
        "~0",
        "~1",
        "\"",
        "\\",
        "\n",
        "\x01",
        "\x7f",
        "\xc3\xa9",
        "\xe2\x80\xae",
        "-",
        "0",
        "01",
        " ",
        "\\u0000",
        "\xf0\x9f\x98\x80",
        "\xef\xbf\xbf",
        "%00",
        "{}",
        "null",
        "$(X)",
        "stash.appscode.com/backup-blueprint",
    };

    for (size_t i = random_below(random, TEXT_MAX_PIECES); i > 0; i--) {
        if (!key && random_often(random, 5))
            text_putc(text, '\0');
        text_puts(text, PICK(random, pieces));
    }
}

char *random_key(struct random *random)
{
    static const char *const keys[] = {"name", "a", "b", "c", "d", "image", "0", "1", "-", ""};
    AUTO(text) struct text key = {0};

    if (random_often(random, 80))
        text_puts(&key, PICK(random, keys));
    else
        random_add_text(random, &key, true);
    return text_take(&key);
}

static json_t *string(struct random *random)
{
    AUTO(text) struct text text = {0};

    random_add_text(random, &text, false);
    return json_stringn(text_get(&text), text.length);
}

static json_t *integer(struct random *random)
{
    static const json_int_t edges[] = {INT64_MIN, INT64_MAX, 0, -1, 9007199254740993, 1u << 31};

    if (random_often(random, 10))
        return json_integer(edges[random_below(random, sizeof edges / sizeof *edges)]);
    return json_integer((json_int_t)random_below(random, 5));
}

static json_t *real(struct random *random)
{
    static const double edges[] = {0.0,
                                   -0.0,
                                   1.0,
                                   2.0,
                                   0.1,
                                   -1e-300,
                                   1.7976931348623157e308,
                                   5e-324,
                                   1e22,
                                   9007199254740992.0};

    return json_real(edges[random_below(random, sizeof edges / sizeof *edges)]);
}

static json_t *scalar(struct random *random)
{
    switch (random_below(random, 8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(random_often(random, 50));
    case 2:
        return real(random);
    case 3:
    case 4:
        return integer(random);
    default:
        return string(random);
    }
}

static void put_key_new(struct random *random, json_t *object, json_t *value)
{
    AUTO(free) char *key = random_key(random);

    tree_put_new(object, key, value);
}

json_t *random_tree(struct random *random, unsigned depth, unsigned width)
{
    size_t count = random_below(random, width + 1);

    if (depth == 0 || random_often(random, 20))
        return scalar(random);

    json_t *tree = random_often(random, 50) ? json_object() : json_array();

    for (size_t i = 0; i < count; i++)
        if (json_is_array(tree))
            tree_push_new(tree, random_tree(random, depth - 1, width));
        else
            put_key_new(random, tree, random_tree(random, depth - 1, width));
    return tree;
}

/* A list of a kind: absent (not set), null, empty, or with some elements. Catalogue J23. */
static void put_list(struct random *random, json_t *object, const char *key,
                     json_t *(*element)(struct random *random))
{
    size_t shape = random_below(random, 10);

    if (shape == 0)
        return;
    if (shape == 1) {
        tree_put_new(object, key, json_null());
        return;
    }

    json_t *list = json_array();

    for (size_t i = shape == 2 ? 0 : random_below(random, 5); i > 0; i--)
        tree_push_new(list, element(random));
    tree_put_new(object, key, list);
}

static json_t *named(struct random *random)
{
    static const char *const names[] = {"app", "log", "data", "cache", "stash", "proxy", "x"};
    json_t *object = json_object();

    tree_put_text(object, "name", PICK(random, names));
    return object;
}

static json_t *variable(struct random *random)
{
    json_t *object = named(random);

    tree_put_new(object, "value", string(random));
    return object;
}

static json_t *mount(struct random *random)
{
    json_t *object = named(random);

    tree_put_new(object, "mountPath", string(random));
    if (random_often(random, 30))
        tree_put_bool(object, "readOnly", true);
    return object;
}

static json_t *volume(struct random *random)
{
    json_t *object = named(random);

    if (random_often(random, 50))
        tree_put_new(object, "emptyDir", json_object());
    else
        tree_put_new(object, "persistentVolumeClaim",
                     json_pack("{s:s}", "claimName", random_often(random, 50) ? "data" : "logs"));
    return object;
}

json_t *random_container(struct random *random)
{
    json_t *container = named(random);

    tree_put_text(container, "image", random_often(random, 50) ? "registry/app:1" : "nginx");
    put_list(random, container, "args", string);
    put_list(random, container, "env", variable);
    put_list(random, container, "volumeMounts", mount);
    if (random_often(random, 30))
        tree_put_new(container, "resources", random_tree(random, 2, 3));
    return container;
}

static json_t *annotations(struct random *random)
{
    json_t *object = json_object();

    for (size_t i = random_below(random, 4); i > 0; i--) {
        AUTO(text) struct text key = {0};

        text_puts(&key, random_often(random, 50) ? "stash.appscode.com/" : "");
        random_add_text(random, &key, true);
        tree_put_new(object, text_get(&key), string(random));
    }
    return object;
}

static json_t *pod_spec(struct random *random)
{
    json_t *spec = json_object();

    put_list(random, spec, "initContainers", random_container);
    put_list(random, spec, "containers", random_container);
    put_list(random, spec, "volumes", volume);
    put_list(random, spec, "imagePullSecrets", named);
    return spec;
}

json_t *random_workload(struct random *random)
{
    json_t *metadata = named(random), *workload = json_object();
    json_t *template = json_pack("{s:{}, s:o}", "metadata", "spec", pod_spec(random));

    if (random_often(random, 70))
        tree_put_new(metadata, "annotations", annotations(random));
    tree_put_text(workload, "apiVersion", "apps/v1");
    tree_put_text(workload, "kind", "Deployment");
    tree_put_new(workload, "metadata", metadata);
    tree_put_new(
        workload, "spec",
        json_pack("{s:i, s:o}", "replicas", (int)random_below(random, 3), "template", template));
    return workload;
}

static bool is_container(const json_t *value)
{
    return json_is_object(value) || json_is_array(value);
}

static size_t size_of(const json_t *container)
{
    return json_object_size(container) + json_array_size(container);
}

/* The n-th member's key; the object has as many. */
static const char *key_at(const json_t *object, size_t n)
{
    void *iter = json_object_iter((json_t *)object);

    while (n-- > 0)
        iter = json_object_iter_next((json_t *)object, iter);
    return json_object_iter_key(iter);
}

static json_t *child_at(const json_t *container, size_t n)
{
    if (json_is_array(container))
        return json_array_get(container, n);
    return json_object_get(container, key_at(container, n));
}

json_t *random_inside(struct random *random, json_t *tree)
{
    if (!is_container(tree))
        return NULL;
    while (size_of(tree) > 0 && random_often(random, 75)) {
        json_t *child = child_at(tree, random_below(random, size_of(tree)));

        if (is_container(child))
            tree = child;
    }
    return tree;
}

static json_t *fresh(struct random *random)
{
    return random_often(random, 30) ? random_container(random) : random_tree(random, 2, 3);
}

static void edit_list(struct random *random, json_t *list)
{
    size_t size = json_array_size(list), at = random_below(random, size + 1);
    AUTO(json) json_t *old = tree_copy(json_array_get(list, at));

    switch (random_below(random, 5)) {
    case 0: /* put in */
        json_array_insert_new(list, at, fresh(random));
        return;
    case 1: /* double */
        json_array_insert_new(list, random_below(random, size + 1), old ? TAKE(old) : json_null());
        return;
    case 2: /* take out */
        json_array_remove(list, at);
        return;
    case 3: /* move */
        if (old && json_array_remove(list, at) == 0)
            json_array_insert_new(list, random_below(random, size), TAKE(old));
        return;
    default: /* replace */
        json_array_set_new(list, at, fresh(random));
    }
}

static void edit_object(struct random *random, json_t *object)
{
    size_t size = json_object_size(object);
    AUTO(free) char *key = random_key(random);

    if (size == 0 || random_often(random, 30)) { /* put in, or replace */
        tree_put_new(object, key, fresh(random));
        return;
    }

    const char *old = key_at(object, random_below(random, size));

    switch (random_below(random, 4)) {
    case 0: /* take out */
        json_object_del(object, old);
        return;
    case 1: /* rename */
        json_object_set(object, key, json_object_get(object, old));
        json_object_del(object, old);
        return;
    default: /* replace */
        json_object_set_new(object, old, fresh(random));
    }
}

json_t *random_edited(struct random *random, const json_t *tree, unsigned edits)
{
    json_t *copy = tree_copy(tree);

    for (unsigned i = 0; i < edits; i++) {
        json_t *place = random_inside(random, copy);

        if (json_is_array(place))
            edit_list(random, place);
        else if (json_is_object(place))
            edit_object(random, place);
    }
    return copy;
}
