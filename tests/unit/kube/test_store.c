#include "kube/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/suite.h"

/* An object in few letters: "name uid version [colour ...]". */
static json_t *make(const char *words)
{
    struct span rest = span_of(words), word;
    json_t *object = json_object(), *metadata = json_object(), *colours = json_array();
    static const char *const keys[] = {"name", "uid", "resourceVersion"};

    tree_put_new(object, "metadata", metadata);
    tree_put_new(object, "colours", colours);
    tree_put_text(metadata, "namespace", "n");
    for (size_t i = 0; text_split(&rest, ' ', &word); i++) {
        AUTO(free) char *text = text_dup(word.data, word.length);

        if (i < 3)
            tree_put_text(metadata, keys[i], text);
        else
            tree_push_text(colours, text);
    }
    return object;
}

static void colours(const json_t *object, json_t *list)
{
    const json_t *colour;
    size_t i;

    tree_items (tree_get(object, "colours"), i, colour)
        tree_push_new(list, tree_share(colour));
}

static void names(const json_t *object, json_t *list)
{
    tree_push_text(list, tree_text(tree_get(object, "metadata"), "name"));
}

static const struct store_index indexes[] = {{"colour", colours}, {"name", names}, {NULL, NULL}};

static void describe(struct text *out, const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");

    if (object)
        text_addf(out, "%s%s", tree_text(metadata, "uid") ? tree_text(metadata, "uid") : "",
                  tree_text(metadata, "resourceVersion") ? tree_text(metadata, "resourceVersion")
                                                         : "");
    else
        text_putc(out, '-');
}

static void describe_all(struct text *out, const struct store_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        text_puts(out, i ? " " : "");
        describe(out, changes->items[i].before);
        text_putc(out, '>');
        describe(out, changes->items[i].after);
        text_puts(out, changes->items[i].tombstone ? "?" : "");
    }
}

/* "+object", "~object" (deleted), "=object|object" (a list). */
static void play(struct kube_store *store, const char *step, struct store_changes *changes)
{
    struct span rest = span_of(step + 1), part;
    AUTO(json) json_t *list = json_array();

    while (text_split(&rest, '|', &part)) {
        AUTO(free) char *words = text_dup(part.data, part.length);

        tree_push_new(list, make(words));
    }
    if (*step == '+')
        kube_store_put(store, json_array_get(list, 0), changes);
    else if (*step == '~')
        kube_store_remove(store, json_array_get(list, 0), changes);
    else
        kube_store_replace(store, list, changes);
}

static const struct {
    const char *steps[4];
    const char *changes; /* of the last step: before>after; "?" marks a tombstone */
    const char *left, *red;
} rows[] = {
    {{"+a u 1 red"}, "->u1", "u1", "u1"},
    {{"+a u 1 red", "+a u 2 blue"}, "u1>u2", "u2", ""},
    {{"+a u 1 red", "+b v 2 red blue"}, "->v2", "u1 v2", "u1 v2"},
    /* AF8: ADDED twice, the same once more; the same version with another content is a change */
    {{"+a u 1", "+a u 1"}, "", "u1", ""},
    {{"+a u 1", "+a u 1 red"}, "u1>u1", "u1", "u1"},
    /* deleted and made again, unseen */
    {{"+a u 1 red", "+a v 2"}, "u1>-? ->v2", "v2", ""},
    {{"+a u 1 red", "~a u 3"}, "u3>-", "", ""},
    /* AF8: DELETED of what is not known, of an older one of that name */
    {{"~a u 3"}, "", "", ""},
    {{"+a v 2", "~a u 3"}, "", "v2", ""},
    /* L5 */
    {{"="}, "", "", ""},
    {{"=a u 1 red|b v 2 red"}, "->u1 ->v2", "u1 v2", "u1 v2"},
    {{"=a u 1 red|b v 2", "=b v 2|c w 3 red"}, "u1>-? ->w3", "v2 w3", "w3"},
    {{"=a u 1|b v 2", "=a u 1|b v 4"}, "v2>v4", "u1 v4", ""},
    {{"=a u 1 red|b v 2", "="}, "u1>-? v2>-?", "", ""},
    {{"+a u 1 red", "=a v 5"}, "u1>-? ->v5", "v5", ""},
    {{"=a u 1|a u 2 red"}, "->u2", "u2", "u2"},
    {{"=a u 1|b v 2", "=b v 2|a u 1"}, "", "u1 v2", ""},
    /* without uids, as a folder has them */
    {{"+a", "+a  9"}, ">9", "9", ""},
    {{"+a", "+a"}, "", "", ""},
};

static void describe_list(struct text *out, const json_t *list)
{
    const json_t *object;
    size_t i;

    tree_items (list, i, object) {
        text_puts(out, i ? " " : "");
        describe(out, object);
    }
}

START_TEST(changes_are_told)
    {
        struct kube_store *store = kube_store_make(indexes);
        AUTO(text) struct text told = {0}, left = {0}, red = {0};
        AUTO(json) json_t *all = json_array();

        for (size_t i = 0; i < 4 && rows[_i].steps[i]; i++) {
            AUTO(store_changes) struct store_changes changes = {0};

            play(store, rows[_i].steps[i], &changes);
            text_done(&told);
            describe_all(&told, &changes);
        }
        ck_assert_str_eq(text_get(&told), rows[_i].changes);
        kube_store_all(store, all);

        AUTO(json) json_t *found = kube_store_find(store, "colour", "red");

        describe_list(&left, all);
        describe_list(&red, found);
        ck_assert_str_eq(text_get(&red), rows[_i].red);
        ck_assert_uint_eq(kube_store_count(store), json_array_size(all));
        ck_assert_str_eq(text_get(&left), rows[_i].left);
        kube_store_free(store);
    }
END_TEST

START_TEST(looked_up)
    {
        struct kube_store *store = kube_store_make(NULL);
        AUTO(store_changes) struct store_changes changes = {0};

        play(store, "=a u 1|b v 2", &changes);
        play(store, "+a w 3", &changes);

        AUTO(json) json_t *by_name = kube_store_get(store, "n", "a");
        AUTO(json) json_t *by_uid = kube_store_uid(store, "w");
        AUTO(json) json_t *old = kube_store_uid(store, "u");
        AUTO(json) json_t *elsewhere = kube_store_get(store, NULL, "a");

        ck_assert_ptr_nonnull(by_name);
        ck_assert_ptr_eq(by_name, by_uid);
        ck_assert_ptr_null(old);
        ck_assert_ptr_null(elsewhere);
        kube_store_free(store);
    }
END_TEST

/* Readers keep what they found while it is replaced and the store goes away. */
static void *read_on(void *argument)
{
    struct kube_store *store = argument;
    size_t seen = 0;

    for (int i = 0; i < 400; i++) {
        AUTO(json) json_t *all = json_array(), *one = kube_store_get(store, "n", "a");

        kube_store_all(store, all);
        ck_assert_str_eq(tree_text(tree_get(one, "metadata"), "name"), "a");
        seen += json_array_size(all);
    }
    ck_assert_uint_eq(seen, 800);
    return NULL;
}

START_TEST(read_while_written)
    {
        struct kube_store *store = kube_store_make(indexes);
        AUTO(store_changes) struct store_changes changes = {0};
        pthread_t threads[2];

        play(store, "=a u 1|b v 2", &changes);
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, read_on, store), 0);
        for (int i = 0; i < 400; i++) {
            AUTO(store_changes) struct store_changes more = {0};
            AUTO(free) char *list = text_format("=a u %d red|b v %d", i + 10, i);

            play(store, list, &more);
            ck_assert_uint_eq(more.count, 2);
        }
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        kube_store_free(store);
    }
END_TEST

SUITE(kube_store)
{
    suite_rows(tests, changes_are_told, rows);
    tcase_add_test(tests, looked_up);
    tcase_add_test(tests, read_while_written);
}
