/* RDBs of Redis: each type of value is walked to its end, however it is cut into pieces; what is
 * none is refused where it stops to be one. Catalogue DB5. */

#include "agent/rdb.h"

#include <stdlib.h>

#include "agent/crc64.h"
#include "base/auto.h"
#include "tests/unit/suite.h"

/* Bytes that may hold NUL. */
#define B(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static struct span bytes_of(const char *text, size_t length)
{
    return (struct span){text, length};
}

/* ---- the checksum ---- */

START_TEST(the_checksum_is_redis_own)
    {
        struct crc64 crc;

        crc64_init(&crc);
        /* Source: Redis, src/crc64.c, its own test */
        ck_assert(crc64_add(&crc, 0, span_of("123456789")) == UINT64_C(0xe9c6d914c4b8d9ca));
        ck_assert(crc64_add(&crc, crc64_add(&crc, 0, span_of("1234")), span_of("56789")) ==
                  UINT64_C(0xe9c6d914c4b8d9ca));
    }
END_TEST

/* ---- strings ---- */

static const struct {
    const char *what;
    struct span raw;
    const char *text; /* NULL: it is none */
    size_t bytes;
} strings[] = {
    {"an empty one", B("\0"), "", 1},
    {"plain, with more behind it", B("\3abcd"), "abc", 4},
    {"its length in two bytes", B("\x40\3abc"), "abc", 5},
    {"in five", B("\x80\0\0\0\3abc"), "abc", 8},
    {"in nine", B("\x81\0\0\0\0\0\0\0\3abc"), "abc", 12},
    {"an integer of a byte", B("\xC0\xF9"), "-7", 2},
    {"of two", B("\xC1\x39\x30"), "12345", 3},
    {"of four", B("\xC2\x40\x42\x0F\0"), "1000000", 5},
    {"the least one", B("\xC2\0\0\0\x80"), "-2147483648", 5},
    {"compressed", B("\xC3\x09\x28\1kk\xE0\x1B\0\1kk"), "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
     12},
    {"compressed, a match of three", B("\xC3\x04\x04\0x\x20\0"), "xxxx", 7},
    {"nothing", B(""), NULL, 0},
    {"longer than what is there", B("\4abc"), NULL, 0},
    {"longer than all there is",
     B("\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
       "abc"),
     NULL, 0},
    {"a length that is cut off", B("\x80\0\0"), NULL, 0},
    {"a length of no form", B("\x82\0\0\0\0"), NULL, 0},
    {"an integer that is cut off", B("\xC2\1\2\3"), NULL, 0},
    {"of no form", B("\xC4\1\2\3"), NULL, 0},
    {"compressed, cut off", B("\xC3\x09\x28\1kk\xE0\x1B\0\1k"), NULL, 0},
    {"compressed, without its length", B("\xC3\x09"), NULL, 0},
    {"compressed, of other lengths", B("\xC3\xC0\x09\x04\0x\x20\0"), NULL, 0},
    {"compressed, less than it says", B("\xC3\x04\x05\0x\x20\0"), NULL, 0},
    {"compressed, more than it says", B("\xC3\x04\x03\0x\x20\0"), NULL, 0},
    {"compressed, from before it begins", B("\xC3\x04\x04\0x\x20\1"), NULL, 0},
    {"compressed, a run that is cut off", B("\xC3\x02\x04\4x"), NULL, 0},
    {"compressed, a match that is cut off", B("\xC3\x03\x04\0x\x20"), NULL, 0},
    {"compressed, a long match that is cut off", B("\xC3\x04\x04\0x\xE0\1"), NULL, 0},
    {"compressed, far more than so few can mean", B("\xC3\x04\x80\x10\0\0\0\0x\x20\0"), NULL, 0},
};

START_TEST(strings_are_decoded)
    {
        AUTO(text) struct text out = {0};
        struct error err = {.message = ""};
        char *exact = text_dup(strings[_i].raw.data, strings[_i].raw.length);
        size_t got;

        text_puts(&out, "<");
        got = rdb_string(bytes_of(exact, strings[_i].raw.length), &out, &err);
        ck_assert_msg(got == strings[_i].bytes, "%s: %zu", strings[_i].what, got);
        ck_assert_str_eq(text_get(&out) + 1, strings[_i].text ? strings[_i].text : "");
        ck_assert_int_eq(err.code, strings[_i].text ? ERROR_NONE : ERROR_INVALID);
        free(exact);
    }
END_TEST

/* ---- records ---- */

#define HEAD                                                                                       \
    "REDIS0011\xFA\3ver\5"                                                                         \
    "7.0.0\xFE\0\xFB\2\1"
#define END "\xFF\0\0\0\0\0\0\0\0"
#define MARK "0123456789abcdef0123456789abcdef01234567"
#define ID "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2"

/* `told`: each entry as "database key(bytes of its value)times,". */
static const struct {
    const char *what;
    struct span rdb;
    const char *told, *refused; /* refused: words of why; NULL: it is whole */
} rows[] = {
    {"without a database", B("REDIS0010" END), "", NULL},
    {"without a key", B(HEAD END), "", NULL},
    {"with the mark of a transfer", B(HEAD END MARK), "", NULL},
    {"a string", B(HEAD "\0\1a\1b" END), "0 a(3),", NULL},
    {"an empty one", B(HEAD "\0\0\0" END), "0 (2),", NULL},
    {"an integer, its key, too", B(HEAD "\0\xC0\x0C\xC2\1\2\3\4" END), "0 12(6),", NULL},
    {"a compressed one", B(HEAD "\0\1a\xC3\x04\x04\0x\x20\0" END), "0 a(8),", NULL},
    {"a list", B(HEAD "\1\1a\2\1x\2yy" END), "0 a(7),", NULL},
    {"an empty list", B(HEAD "\1\1a\0" END), "0 a(2),", NULL},
    {"a set", B(HEAD "\2\1a\2\1x\xC0\1" END), "0 a(6),", NULL},
    {"a sorted set",
     B(HEAD "\3\1a\4\1x\3"
            "1.5\1y\xFD\1z\xFE\1_\xFF" END),
     "0 a(17),", NULL},
    {"with binary scores", B(HEAD "\5\1a\1\1x\0\0\0\0\0\0\xF0\x3F" END), "0 a(12),", NULL},
    {"a hash", B(HEAD "\4\1a\1\1x\1y" END), "0 a(6),", NULL},
    {"packed ones",
     B(HEAD "\x09\1a\1x\x0A\1b\1x\x0B\1c\1x\x0C\1d\1x\x0D\1e\1x\x10\1f\1x\x11\1g\1x\x14\1h\1x" END),
     "0 a(3),0 b(3),0 c(3),0 d(3),0 e(3),0 f(3),0 g(3),0 h(3),", NULL},
    {"lists of packed ones", B(HEAD "\x0E\1a\1\1x\x12\1b\2\2\1x\1\1y" END), "0 a(4),0 b(8),", NULL},
    {"a stream", B(HEAD "\x0F\1a\1\x10" ID "\1p\5\1\2\0" END), "0 a(25),", NULL},
    {"a stream of 7.0 with a group",
     B(HEAD "\x13\1a\1\x10" ID "\1p\1\1\2\1\2\0\0\1\1\2gr\1\2\x81\0\0\0\0\0\0\0\1\1" ID
            "TIMETIME\1\1\2me"
            "TIMETIME\1" ID END),
     "0 a(99),", NULL},
    {"a stream of 7.2 with a group",
     B(HEAD "\x15\1a\0\1\1\2\1\2\0\0\1\1\2gr\1\2\0\0\1\2me"
            "TIMETIMEtimetime\0" END),
     "0 a(39),", NULL},
    {"a hash whose fields expire",
     B(HEAD "\x18\1a"
            "TIMETIME\2\0\1x\1y\1\1z\1_\x19\1b"
            "TIMETIME\1x" END),
     "0 a(20),0 b(11),", NULL},
    {"times", B(HEAD "\xFC\0\1\0\0\0\0\0\0\0\1a\1b\xFD\1\0\0\0\0\1b\1b\0\1c\1d" END),
     "0 a(3)until 256,0 b(3)until 1000,0 c(3),", NULL},
    {"times before 1970",
     B(HEAD "\xFC\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\1a\1b\xFD\0\0\0\x80\0\1b\1b" END),
     "0 a(3)until 0,0 b(3)until 0,", NULL},
    {"use", B(HEAD "\xF8\x07\0\1a\1b\xF9\xFF\0\1b\1b\0\1c\1d" END),
     "0 a(3)idle 7,0 b(3)freq 255,0 c(3),", NULL},
    {"a library", B("REDIS0010\xF5\3#!l\xFE\3\0\1a\1b" END), "library(5),3 a(3),", NULL},
    {"databases", B(HEAD "\0\1a\1b\xFE\x40\xC8\0\1a\1b" END), "0 a(3),200 a(3),", NULL},
    {"slots", B(HEAD "\xF4\1\2\3\0\1a\1b" END), "0 a(3),", NULL},
    /* what is none */
    {"nothing", B(""), "", "cut off"},
    {"something else", B("<html>\r\n\r\n"), "", "does not begin"},
    {"no version", B("REDIS00x1" END), "", "does not begin"},
    {"an old version", B("REDIS0005" END), "", "version 5"},
    {"a new version", B("REDIS0013" END), "", "version 13"},
    {"cut in its beginning", B("REDIS001"), "", "cut off"},
    {"without its end", B(HEAD "\0\1a\1b"), "0 a(3),", "cut off"},
    {"cut in its end", B(HEAD "\0\1a\1b\xFF\0\0\0\0\0\0\0"), "0 a(3),", "cut off"},
    {"cut in a value", B(HEAD "\0\1a\1b\0\1b\2b"), "0 a(3),", "cut off"},
    {"more behind its end", B(HEAD END "x"), "", "more behind"},
    {"a mark that is cut off", B(HEAD END "0123"), "", "more behind"},
    {"more than a mark", B(HEAD END MARK "0"), "", "more behind"},
    {"two of them", B(HEAD END HEAD END), "", "more behind"},
    {"a module's value", B(HEAD "\0\1a\1b\x07\1b\1\1\0" END), "0 a(3),", "a module"},
    {"a module's own data", B("REDIS0010\xF7\1\2\2\0" END), "", "a module"},
    {"a type that nobody has", B(HEAD "\x08\1a\1b" END), "", "8 is no type"},
    {"a mark that nobody has", B(HEAD "\xC8\1a\1b" END), "", "200 is no type"},
    {"a key in no database", B("REDIS0010\0\1a\1b" END), "", "in no database"},
    {"a database twice", B(HEAD "\0\1a\1b\xFE\0\0\1b\1b" END), "0 a(3),", "wrong place"},
    {"databases backwards", B("REDIS0010\xFE\2\0\1a\1b\xFE\1" END), "2 a(3),", "wrong place"},
    {"a database far away", B("REDIS0010\xFE\x80\0\1\0\0" END), "", "wrong place"},
    {"a length of no form", B(HEAD "\0\1a\x82" END), "", "damaged"},
    {"a string of no form", B(HEAD "\0\1a\xC4" END), "", "damaged"},
    {"a list of so many as a string", B(HEAD "\1\1a\xC0\2" END), "", "damaged"},
    {"compressed by a string", B(HEAD "\0\1a\xC3\xC0\1\1" END), "", "damaged"},
    {"a list of more than there can be",
     B(HEAD "\1\1a\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1a\1b\1c"), "", "cut off"},
    {"a string of more than there can be",
     B(HEAD "\0\1a\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
            "abc"),
     "", "cut off"},
    {"a key that can not be unpacked", B(HEAD "\0\xC3\x04\x05\0x\x20\0\1b" END), "",
     "a key of database 0"},
};

static bool add_entry(void *context, const struct rdb_entry *entry, struct error *err)
{
    struct text *told = context;

    (void)err;
    if (entry->kind == RDB_LIBRARY)
        text_addf(told, "library(%zu)", entry->value.length);
    else
        text_addf(told, "%u %.*s(%zu)", entry->database, (int)entry->key.length, entry->key.data,
                  entry->value.length);
    if (entry->expires_ms >= 0)
        text_addf(told, "until %lld", (long long)entry->expires_ms);
    if (entry->idle_s >= 0)
        text_addf(told, "idle %lld", (long long)entry->idle_s);
    if (entry->freq >= 0)
        text_addf(told, "freq %d", entry->freq);
    text_putc(told, ',');
    return true;
}

static bool read_all(struct rdb *rdb, struct span bytes, size_t step, struct error *err)
{
    for (size_t at = 0; at < bytes.length; at += step) {
        size_t length = bytes.length - at < step ? bytes.length - at : step;

        if (!rdb_add(rdb, bytes_of(bytes.data + at, length), err))
            break;
    }
    return rdb_end(rdb, err);
}

static int64_t count_of(const char *text, char what)
{
    int64_t count = 0;

    for (; *text; text++)
        count += *text == what;
    return count;
}

START_TEST(rdbs_are_walked)
    {
        static const size_t steps[] = {1, 3, 4096};

        for (size_t i = 0; i < 2 * sizeof steps / sizeof *steps; i++) {
            AUTO(rdb) struct rdb rdb;
            AUTO(text) struct text told = {0};
            struct error err = {.message = ""};
            bool keeps = i % 2 == 0;

            rdb_init(&rdb, keeps ? add_entry : NULL, &told);

            bool good = read_all(&rdb, rows[_i].rdb, steps[i / 2], &err);

            /* without keys there is nothing to unpack */
            if (!keeps && rows[_i].refused && strstr(rows[_i].refused, "a key of"))
                continue;
            ck_assert_msg(good == !rows[_i].refused, "%s: %s", rows[_i].what, err.message);
            ck_assert_str_eq(text_get(&told), keeps ? rows[_i].told : "");
            ck_assert_int_eq(rdb.keys + rdb.libraries, count_of(rows[_i].told, ','));
            ck_assert_int_eq(rdb.expiring, count_of(rows[_i].told, 'u'));
            if (good)
                ck_assert_int_eq(rdb.bytes, (int64_t)rows[_i].rdb.length - rdb.behind);
            else
                ck_assert_msg(strstr(err.message, rows[_i].refused), "%s: %s", rows[_i].what,
                              err.message);
        }
    }
END_TEST

/* What stopped it stays what stopped it. */
START_TEST(a_failure_is_for_good)
    {
        AUTO(rdb) struct rdb rdb;
        struct error err = {.message = ""}, again = {.message = ""};

        rdb_init(&rdb, NULL, NULL);
        ck_assert(!rdb_add(&rdb, span_of("REDIS0010\x08"), &err));
        ck_assert(!rdb_add(&rdb, span_of("x"), &again));
        ck_assert_str_eq(again.message, err.message);
        ck_assert(!rdb_end(&rdb, &again));
        ck_assert_str_eq(again.message, err.message);
    }
END_TEST

static bool stop(void *context, const struct rdb_entry *entry, struct error *err)
{
    *(int *)context += (int)entry->key.length;
    return error_set(err, ERROR_CONFLICT, "enough");
}

START_TEST(who_is_told_may_stop_it)
    {
        AUTO(rdb) struct rdb rdb;
        struct error err = {.message = ""};
        static const char text[] = HEAD "\0\1a\1b\0\1b\1b" END;
        int told = 0;

        rdb_init(&rdb, stop, &told);
        ck_assert(!rdb_add(&rdb, bytes_of(text, sizeof text - 1), &err));
        ck_assert_int_eq(told, 1);
        ck_assert_int_eq(err.code, ERROR_CONFLICT);
    }
END_TEST

/* One that no server would take is refused before it is kept. */
START_TEST(what_is_too_large_is_not_kept)
    {
        AUTO(rdb) struct rdb rdb, counted;
        struct error err = {.message = ""};
        static char much[1 << 20];
        int told = 0, pieces = 0;

        rdb_init(&rdb, stop, &told);
        rdb_init(&counted, NULL, NULL);
        ck_assert(rdb_add(&rdb, bytes_of(HEAD "\0\1a\x80\xFF\0\0\0", sizeof HEAD + 7), &err));
        ck_assert(rdb_add(&counted, bytes_of(HEAD "\0\1a\x80\xFF\0\0\0", sizeof HEAD + 7), &err));
        while (pieces < 600 && rdb_add(&rdb, bytes_of(much, sizeof much), &err))
            pieces++;
        ck_assert_int_eq(pieces, 511);
        ck_assert_msg(strstr(err.message, "512 MiB"), "%s", err.message);
        for (int i = 0; i < 600; i++)
            ck_assert(rdb_add(&counted, bytes_of(much, sizeof much), &err));
        ck_assert_uint_eq(counted.raw.room, 0);
    }
END_TEST

SUITE(rdb)
{
    tcase_add_test(tests, the_checksum_is_redis_own);
    suite_rows(tests, strings_are_decoded, strings);
    suite_rows(tests, rdbs_are_walked, rows);
    tcase_add_test(tests, a_failure_is_for_good);
    tcase_add_test(tests, who_is_told_may_stop_it);
    tcase_add_test(tests, what_is_too_large_is_not_kept);
}
