#include "agent/rdb.h"

#include <check.h>

#include "agent/redis_rewrite.h"
#include "base/auto.h"
#include "tests/property/random.h"
#include "tests/unit/suite.h"

/*
 * RDBs of any keys and values: what comes out is what went in, however it is cut into pieces; of
 * one that is cut off or has flipped bits, what comes out are whole commands, those before the
 * damage are as they were, and what is cut off is told.
 */

/* ---- an RDB, and what its keys become ---- */

struct sample {
    struct text rdb, entries;
    size_t keys;
};

static void add_length(struct random *random, struct text *out, size_t length)
{
    /* any form that can say it */
    size_t form = random_below(random, 4);

    if (form == 0 && length < 64) {
        text_putc(out, (char)length);
    } else if (form <= 1 && length < 16384) {
        text_putc(out, (char)(0x40 | length >> 8));
        text_putc(out, (char)length);
    } else {
        unsigned bytes = form == 2 ? 4 : 8;

        text_putc(out, form == 2 ? '\x80' : '\x81');
        while (bytes-- > 0)
            text_putc(out, (char)(bytes < 4 ? length >> 8 * bytes : 0));
    }
}

static void add_bytes(struct random *random, struct text *out, size_t count)
{
    while (count-- > 0)
        text_putc(out, (char)random_bits(random));
}

static void add_string(struct random *random, struct text *out)
{
    static const unsigned sizes[] = {1, 2, 4};
    size_t form = random_below(random, 6), length = random_below(random, form == 5 ? 3000 : 20);

    if (form < 3) {
        text_putc(out, (char)(0xC0 + form));
        add_bytes(random, out, sizes[form]);
        return;
    }
    if (form == 3) {
        text_putc(out, '\xC3');
        add_length(random, out, length);
        add_length(random, out, random_below(random, 5000));
        add_bytes(random, out, length);
        return;
    }
    add_length(random, out, length);
    add_bytes(random, out, length);
}

/* Shapes as the server's source has them, a second time: s string, l number, 8 bytes, i 16. */
static const struct {
    int type;
    const char *head, *each, *tail;
} shapes[] = {
    {0, "s", NULL, ""},
    {1, "", "s", ""},
    {2, "", "s", ""},
    {4, "", "ss", ""},
    {5, "", "s8", ""},
    {11, "s", NULL, ""},
    {16, "s", NULL, ""},
    {18, "", "ls", ""},
    {24, "8", "lss", ""},
    {15, "", "ss", "lllz"},
    {19, "", "ss", "llllllllz"},
    {21, "", "ss", "llllllllz"},
};

static void add_atoms(struct random *random, struct text *out, const char *atoms)
{
    for (; *atoms; atoms++)
        switch (*atoms) {
        case 's':
            add_string(random, out);
            break;
        case 'l':
            add_length(random, out, random_below(random, 100000));
            break;
        case 'z':
            text_putc(out, '\0');
            break;
        default:
            add_bytes(random, out, 8);
        }
}

static void add_value(struct random *random, struct text *out, size_t shape)
{
    size_t count = random_below(random, 6);

    add_atoms(random, out, shapes[shape].head);
    if (shapes[shape].each)
        add_length(random, out, count);
    for (size_t i = 0; shapes[shape].each && i < count; i++)
        add_atoms(random, out, shapes[shape].each);
    add_atoms(random, out, shapes[shape].tail);
}

static void add_key(struct random *random, struct sample *sample)
{
    size_t shape = random_below(random, sizeof shapes / sizeof *shapes), begin;
    AUTO(text) struct text key = {0};

    add_bytes(random, &key, random_below(random, 12));
    if (random_often(random, 30)) {
        text_putc(&sample->rdb, '\xFC');
        add_bytes(random, &sample->rdb, 8);
    }
    text_putc(&sample->rdb, (char)shapes[shape].type);
    add_length(random, &sample->rdb, key.length);
    text_add(&sample->rdb, text_get(&key), key.length);
    begin = sample->rdb.length;
    add_value(random, &sample->rdb, shape);
    text_add(&sample->entries, text_get(&key), key.length);
    text_putc(&sample->entries, (char)shapes[shape].type);
    text_add(&sample->entries, sample->rdb.data + begin, sample->rdb.length - begin);
    sample->keys++;
}

static void make_sample(struct random *random, struct sample *sample)
{
    size_t keys = random_below(random, 12);

    text_puts(&sample->rdb, "REDIS0011\xFA\1a\1b\xFE\3");
    while (keys-- > 0)
        add_key(random, sample);
    text_add(&sample->rdb, "\xFF\0\0\0\0\0\0\0", 9);
}

static void auto_sample(struct sample *sample)
{
    text_done(&sample->rdb);
    text_done(&sample->entries);
}

/* ---- what comes out ---- */

static bool add_entry(void *context, const struct rdb_entry *entry, struct error *err)
{
    (void)err;
    text_add(context, entry->key.data, entry->key.length);
    text_add(context, entry->value.data, entry->value.length);
    return true;
}

/* True when it came to its end. */
static bool read_in_pieces(struct random *random, const struct text *rdb, struct text *entries,
                           size_t *keys)
{
    AUTO(rdb) struct rdb reader;
    struct error err = {.message = ""};
    bool good = true;

    rdb_init(&reader, add_entry, entries);
    for (size_t at = 0, step; at < rdb->length && good; at += step) {
        size_t left = rdb->length - at;

        step = 1 + random_below(random, random_often(random, 50) ? 3 : 300);
        step = step < left ? step : left;
        good = rdb_add(&reader, (struct span){rdb->data + at, step}, &err);
    }
    *keys = (size_t)reader.keys;
    return rdb_end(&reader, &err);
}

/* Where one "$4\r\ntext\r\n" ends; 0: there is none. */
static size_t behind_argument(const struct text *out, size_t at)
{
    char *end;
    unsigned long length;

    if (at >= out->length || out->data[at] != '$')
        return 0;
    length = strtoul(out->data + at + 1, &end, 10);
    at = (size_t)(end - out->data) + 2 + length;
    return at + 2 <= out->length && memcmp(out->data + at, "\r\n", 2) == 0 ? at + 2 : 0;
}

/* Commands, and nothing but whole ones. */
static bool are_commands(const struct text *out, int64_t wanted)
{
    size_t at = 0;

    while (at < out->length && out->data[at] == '*') {
        char *end;
        unsigned long count = strtoul(out->data + at + 1, &end, 10);

        at = (size_t)(end - out->data) + 2;
        for (; count > 0 && at; count--)
            at = behind_argument(out, at);
        if (!at)
            return false;
        wanted--;
    }
    return at == out->length && wanted == 0;
}

static bool makes_commands(const struct text *rdb)
{
    AUTO(redis_rewrite) struct redis_rewrite rewrite;
    AUTO(text) struct text out = {0};

    redis_rewrite_init(&rewrite, true, 0, &out);
    redis_rewrite_add(&rewrite, (struct span){rdb->data, rdb->length});
    return are_commands(&out, rewrite.commands);
}

static void what_goes_in_comes_out(struct random *random)
{
    AUTO(sample) struct sample sample = {0};
    AUTO(text) struct text got = {0};
    size_t keys;

    make_sample(random, &sample);
    PROPERTY_MUST(random, read_in_pieces(random, &sample.rdb, &got, &keys));
    PROPERTY_MUST(random, keys == sample.keys && got.length == sample.entries.length);
    PROPERTY_MUST(random, memcmp(text_get(&got), text_get(&sample.entries), got.length) == 0);
    PROPERTY_MUST(random, makes_commands(&sample.rdb));
}

static void what_is_cut_off_is_told(struct random *random)
{
    AUTO(sample) struct sample sample = {0};
    AUTO(text) struct text got = {0};
    size_t keys;

    make_sample(random, &sample);
    sample.rdb.length = random_below(random, sample.rdb.length);
    PROPERTY_MUST(random, !read_in_pieces(random, &sample.rdb, &got, &keys));
    PROPERTY_MUST(random, keys <= sample.keys && got.length <= sample.entries.length);
    PROPERTY_MUST(random, memcmp(text_get(&got), text_get(&sample.entries), got.length) == 0);
    PROPERTY_MUST(random, makes_commands(&sample.rdb));
}

static void what_is_damaged_is_survived(struct random *random)
{
    AUTO(sample) struct sample sample = {0};
    AUTO(text) struct text got = {0};
    size_t keys;

    make_sample(random, &sample);
    for (size_t flips = 1 + random_below(random, 4); flips > 0; flips--)
        sample.rdb.data[random_below(random, sample.rdb.length)] ^=
            (char)(1 << random_below(random, 8));
    (void)read_in_pieces(random, &sample.rdb, &got, &keys);
    PROPERTY_MUST(random, makes_commands(&sample.rdb));
}

START_TEST(whole_ones)
    {
        random_some_cases("an RDB comes out as it went in", what_goes_in_comes_out, 1500);
    }
END_TEST

START_TEST(cut_ones)
    {
        random_some_cases("an RDB that is cut off", what_is_cut_off_is_told, 1500);
    }
END_TEST

START_TEST(damaged_ones)
    {
        random_some_cases("an RDB with flipped bits", what_is_damaged_is_survived, 1500);
    }
END_TEST

SUITE(property_rdb)
{
    tcase_add_test(tests, whole_ones);
    tcase_add_test(tests, cut_ones);
    tcase_add_test(tests, damaged_ones);
}
