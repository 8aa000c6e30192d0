/* An RDB as commands for a server that runs, and what the server says of them. Catalogue DB5. */

#include "agent/redis_rewrite.h"

#include <stdlib.h>

#include "base/auto.h"
#include "tests/unit/suite.h"

#define B(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define HEAD "REDIS0010\xFE\0\xFB\2\1"
#define END "\xFF\0\0\0\0\0\0\0\0"
#define SELECT_0 "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define FLUSH "*2\r\n$7\r\nFLUSHDB\r\n$5\r\nASYNC\r\n"
/* DUMP of a key that is "b", by a Redis 7.0.15 */
#define VALUE "$13\r\n\0\1b\x0A\0\x16\x24\xB8\x91\xA6\xE3\x12\x83\r\n"

static const struct {
    const char *what;
    bool replaces;
    struct span rdb, commands;
    int count;
} rows[] = {
    {"nothing", false, B(HEAD END), B(""), 0},
    {"a key", false, B(HEAD "\0\1a\1b" END),
     B(SELECT_0 "*4\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n0\r\n" VALUE), 2},
    {"in the place of what is there", true, B(HEAD "\0\1a\1b" END),
     B(SELECT_0 FLUSH "*5\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n0\r\n" VALUE "$7\r\nREPLACE\r\n"),
     3},
    {"its time", false, B(HEAD "\xFC\0\1\0\0\0\0\0\0\0\1a\1b" END),
     B(SELECT_0 "*5\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$3\r\n256\r\n" VALUE "$6\r\nABSTTL\r\n"), 2},
    {"a time long ago, which is not for ever", false, B(HEAD "\xFD\0\0\0\0\0\1a\1b" END),
     B(SELECT_0 "*5\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n1\r\n" VALUE "$6\r\nABSTTL\r\n"), 2},
    {"how it was used", false, B(HEAD "\xF8\x07\0\1a\1b\xF9\xFF\0\1a\1b" END),
     B(SELECT_0 "*6\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n0\r\n" VALUE
                "$8\r\nIDLETIME\r\n$1\r\n7\r\n*6\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n0\r\n" VALUE
                "$4\r\nFREQ\r\n$3\r\n255\r\n"),
     3},
    {"a key with what commands have", false, B(HEAD "\0\4\r\n$\0\1b" END),
     B(SELECT_0 "*4\r\n$7\r\nRESTORE\r\n$4\r\n\r\n$\0\r\n$1\r\n0\r\n" VALUE), 2},
    {"another database", false, B(HEAD "\xFE\x11\0\1a\1b" END),
     B("*2\r\n$6\r\nSELECT\r\n$2\r\n17\r\n*4\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n0\r\n" VALUE), 2},
    {"cut off: no half a command", false, B(HEAD "\0\1a\1b\0\1c\5b"),
     B(SELECT_0 "*4\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n0\r\n" VALUE), 2},
    {"none", false, B("<html>\r\n\r\n"), B(""), 0},
};

START_TEST(keys_become_commands)
    {
        static const size_t steps[] = {1, 4096};

        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            AUTO(redis_rewrite) struct redis_rewrite rewrite;
            AUTO(text) struct text out = {0};
            struct span rest = rows[_i].rdb;

            redis_rewrite_init(&rewrite, rows[_i].replaces, 0, &out);
            while (rest.length) {
                size_t length = rest.length < steps[i] ? rest.length : steps[i];

                redis_rewrite_add(&rewrite, (struct span){rest.data, length});
                rest = (struct span){rest.data + length, rest.length - length};
            }
            ck_assert_msg(span_equal((struct span){text_get(&out), out.length}, rows[_i].commands),
                          "%s: %s", rows[_i].what, text_get(&out));
            ck_assert_int_eq(rewrite.commands, rows[_i].count);
        }
    }
END_TEST

START_TEST(libraries_become_commands)
    {
        for (int replaces = 0; replaces < 2; replaces++) {
            AUTO(redis_rewrite) struct redis_rewrite rewrite;
            AUTO(text) struct text out = {0};
            static const char begin[] =
                "*4\r\n$8\r\nFUNCTION\r\n$7\r\nRESTORE\r\n$15\r\n\xF5\3#!l\x0A";
            const char *end = replaces ? "$7\r\nREPLACE\r\n" : "$6\r\nAPPEND\r\n";

            redis_rewrite_init(&rewrite, replaces, 0, &out);
            redis_rewrite_add(&rewrite, span_of("REDIS0010\xF5\3#!l"));
            ck_assert_uint_eq(out.length, sizeof begin - 1 + 1 + 8 + 2 + strlen(end));
            ck_assert_mem_eq(out.data, begin, sizeof begin - 1);
            ck_assert_str_eq(out.data + out.length - strlen(end), end);
        }
    }
END_TEST

/* ---- what a server says ---- */

#define INFO "# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=5\r\ndb12:keys=40,expires=0,avg_ttl=0\r\n"

START_TEST(what_is_there_is_counted)
    {
        AUTO(text) struct text none = {0}, some = {0};
        AUTO(free)
        char *version = redis_info("# Server\r\nredis_version:7.0.15\r\n", "redis_version");
        AUTO(free)
        char *other = redis_info("xredis_version:7\nredis_version_x:7\n", "redis_version");

        ck_assert_str_eq(version, "7.0.15");
        ck_assert_ptr_null(other);
        ck_assert_int_eq(redis_keys(INFO, 0), 3);
        ck_assert_int_eq(redis_keys(INFO, 12), 40);
        ck_assert_int_eq(redis_keys(INFO, 1), 0);
        ck_assert_int_eq(redis_keys("db1:keys=x", 1), 0);
        redis_filled("# Keyspace\r\ndb3:keys=0,expires=0\r\n# Memory\r\nnumber_of_libraries:0\r\n",
                     &none);
        ck_assert_uint_eq(none.length, 0);
        redis_filled(INFO "dbx:keys=7\ndb:keys=7\nnumber_of_libraries:2\n", &some);
        ck_assert_str_eq(text_get(&some), "db0 (3 keys), db12 (40 keys), 2 libraries of functions");
        ck_assert_int_eq(redis_replies(span_of("errors: 0, replies: 17\n")), 17);
        ck_assert_int_eq(redis_replies(span_of("errors: 1, replies: 17\n")), -1);
        ck_assert_int_eq(redis_replies(span_of("Last reply received from server.\n")), -1);
    }
END_TEST

/* Two keys of database 0, one of them for a second after the restore began; one of database 1. */
static const char kept[] = HEAD "\0\1a\1b\xFC\xE8\3\0\0\0\0\0\0\0\1b\1b\xFE\1\0\1a\1b" END;

static const struct {
    const char *info;
    int replies;
    bool good;
    int expired;
} verdicts[] = {
    {"db0:keys=2,expires=1\r\ndb1:keys=1,expires=0", 5, true, 0},
    {"db0:keys=1,expires=0\r\ndb1:keys=1,expires=0", 5, true, 1},
    /* its clients write already */
    {"db0:keys=9,expires=0\r\ndb1:keys=9,expires=0\r\ndb2:keys=4,expires=0", 5, true, 0},
    {"db1:keys=1,expires=0", 5, false, 0},
    {"db0:keys=2,expires=1", 5, false, 0},
    {"", 5, false, 0},
    {"db0:keys=2,expires=1\r\ndb1:keys=1,expires=0", 4, false, 0},
    {"db0:keys=2,expires=1\r\ndb1:keys=1,expires=0", 0, false, 0},
};

START_TEST(a_restore_is_verified)
    {
        AUTO(redis_rewrite) struct redis_rewrite rewrite;
        AUTO(text) struct text out = {0};
        struct error err = {.message = ""};
        int64_t expired = 0;

        redis_rewrite_init(&rewrite, false, 0, &out);
        redis_rewrite_add(&rewrite, (struct span){kept, sizeof kept - 1});
        ck_assert(redis_verify(&rewrite, verdicts[_i].info, verdicts[_i].replies, &expired, &err) ==
                  verdicts[_i].good);
        ck_assert_int_eq(expired, verdicts[_i].expired);
        ck_assert((err.code == ERROR_NONE) == verdicts[_i].good);
    }
END_TEST

/* More databases than a table of them has at first. */
START_TEST(databases_are_many)
    {
        AUTO(redis_rewrite) struct redis_rewrite rewrite;
        AUTO(text) struct text out = {0}, rdb = {0};

        text_puts(&rdb, "REDIS0010");
        for (int i = 0; i < 60; i++) {
            text_putc(&rdb, '\xFE');
            text_putc(&rdb, (char)i);
            text_add(&rdb, "\0\1a\1b", 5);
        }
        redis_rewrite_init(&rewrite, false, 0, &out);
        redis_rewrite_add(&rewrite, (struct span){rdb.data, rdb.length});
        ck_assert_uint_eq(rewrite.count, 60);
        ck_assert_uint_eq(rewrite.databases[59].number, 59);
    }
END_TEST

SUITE(redis)
{
    suite_rows(tests, keys_become_commands, rows);
    tcase_add_test(tests, libraries_become_commands);
    tcase_add_test(tests, what_is_there_is_counted);
    suite_rows(tests, a_restore_is_verified, verdicts);
    tcase_add_test(tests, databases_are_many);
}
