#include "kube/deltas.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/suite.h"

static json_t *make(const char *uid, const char *version)
{
    json_t *object = json_object(), *metadata = json_object();

    tree_put_new(object, "metadata", metadata);
    tree_put_text(metadata, "name", "a");
    tree_put_text(metadata, "uid", uid);
    tree_put_text(metadata, "resourceVersion", version);
    return object;
}

/* "u1" is version 1 of uid u; "-" is none. */
static json_t *parse(struct span word)
{
    char uid[2] = {word.data[0], '\0'}, version[2] = {word.length > 1 ? word.data[1] : '\0', '\0'};

    return span_is(word, "-") ? NULL : make(uid, version);
}

static void describe(struct text *out, const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");

    text_addf(out, "%s%s", object ? tree_text(metadata, "uid") : "-",
              object ? tree_text(metadata, "resourceVersion") : "");
}

/* "before>after", with "?" behind a tombstone and "!" behind what is doubtful; "|" is a mark. */
static void add(struct deltas *deltas, struct span word)
{
    struct span before;
    bool doubtful = word.data[word.length - 1] == '!';
    bool tombstone = word.data[word.length - 1 - doubtful] == '?';

    word.length -= (size_t)doubtful + tombstone;
    if (span_is(word, "|")) {
        deltas_add(deltas, 0, &(struct store_change){0}, false);
        return;
    }
    text_split(&word, '>', &before);

    AUTO(json) json_t *old = parse(before), *new = parse(word);

    deltas_add(deltas, 0, &(struct store_change){old, new, tombstone}, doubtful);
}

static const struct {
    const char *added, *taken;
} rows[] = {
    {"", ""},
    {"->u1 ->v1", "->u1 ->v1"},
    /* of one object: from the first state to the last, at the place of the first */
    {"->u1 ->v1 u1>u2 u2>u3", "->u3 ->v1"},
    {"u1>u2 u2>u3", "u1>u3"},
    /* never told, never there */
    {"->u1 u1>-", ""},
    {"->v1 ->u1 u1>u2 u2>- v1>v2", "->v2"},
    /* a deletion tells the last state */
    {"u1>u2 u3>-", "u3>-"},
    {"u1>u2 u2>-?", "u2>-?"},
    {"u1>-?!", "u1>-?!"},
    /* it was forgotten, and is back */
    {"u1>-?! ->u1", "u1>u1"},
    {"u1>- ->u2 u2>-", "u2>-"},
    /* another of that name is another object */
    {"u1>- ->v2", "u1>- ->v2"},
    {"u1>-? ->v2 v2>- ->w3", "u1>-? ->w3"},
    /* what was told already is not merged with: "," takes one */
    {"->u1 , u1>u2 , u2>-", "->u1 u1>u2 u2>-"},
    /* a mark keeps its place, and is never merged */
    {"->u1 | u1>u2 | ->v1", "->u2 | | ->v1"},
};

static void take(struct deltas *deltas, struct text *out)
{
    AUTO(delta) struct delta delta = {0};

    if (!deltas_take(deltas, &delta))
        return;
    text_puts(out, out->length ? " " : "");
    if (!delta.change.before && !delta.change.after) {
        text_putc(out, '|');
        return;
    }
    describe(out, delta.change.before);
    text_putc(out, '>');
    describe(out, delta.change.after);
    text_puts(out, delta.change.tombstone ? "?" : "");
    text_puts(out, delta.doubtful ? "!" : "");
}

START_TEST(merged)
    {
        struct deltas *deltas = deltas_make();
        struct span rest = span_of(rows[_i].added), word;
        AUTO(text) struct text out = {0};

        while (text_split(&rest, ' ', &word))
            if (span_is(word, ","))
                take(deltas, &out);
            else
                add(deltas, word);
        while (deltas_count(deltas) > 0)
            take(deltas, &out);
        ck_assert_str_eq(text_get(&out), rows[_i].taken);
        deltas_free(deltas);
    }
END_TEST

/* The same uid in two kinds (by name: a folder has no uids) is two objects. */
START_TEST(kinds_are_apart)
    {
        struct deltas *deltas = deltas_make();
        AUTO(json) json_t *object = make(NULL, "1");

        deltas_add(deltas, 0, &(struct store_change){.after = object}, false);
        deltas_add(deltas, 1, &(struct store_change){.before = object}, false);
        ck_assert_uint_eq(deltas_count(deltas), 2);
        deltas_add(deltas, 0, &(struct store_change){.before = object}, false);
        ck_assert_uint_eq(deltas_count(deltas), 1);
        deltas_free(deltas);
    }
END_TEST

/* W16: what waits is bounded by the objects, not by the events */
START_TEST(bounded)
    {
        struct deltas *deltas = deltas_make();
        AUTO(json) json_t *object = make("u", "1");

        deltas_add(deltas, 0, &(struct store_change){.after = object}, false);
        for (int i = 0; i < 100000; i++)
            deltas_add(deltas, 0, &(struct store_change){object, object, false}, false);
        ck_assert_uint_eq(deltas_count(deltas), 1);
        deltas_free(deltas);
    }
END_TEST

SUITE(kube_deltas)
{
    suite_rows(tests, merged, rows);
    tcase_add_test(tests, kinds_are_apart);
    tcase_add_test(tests, bounded);
}
