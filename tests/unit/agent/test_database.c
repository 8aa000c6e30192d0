/* Dumps that are whole and dumps that are not; how a database is reached; what a restore says.
 * Catalogue DB1, DB2. */

#include <stdlib.h>
#include <string.h>

#include "agent/database.h"
#include "agent/database_proof.h"
#include "agent/mariadb_rewrite.h"
#include "agent/postgres_rewrite.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* ---- proof ---- */

#define HEAD "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n"
#define END "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n\n"
#define TABLE                                                                                      \
    "-- Name: a; Type: TABLE; Schema: public; Owner: b\n--\n\nCREATE TABLE public.a (\n);\n"
#define ROWS                                                                                       \
    "-- Data for Name: a; Type: TABLE DATA; Schema: public; Owner: b\n--\n\nCOPY a (x) FROM "      \
    "stdin;\n"
#define CLUSTER "--\n-- PostgreSQL database cluster dump\n--\n\n"
#define CLUSTER_END "--\n-- PostgreSQL database cluster dump complete\n--\n\n"
#define MARIA_OF(name)                                                                             \
    "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.6\n--\n"      \
    "-- Host: localhost    Database: " name "\n"
#define MARIA MARIA_OF("")
#define MARIA_DATABASE                                                                             \
    "--\n-- Current Database: `a`\n--\n\nCREATE DATABASE /*!32312 IF NOT EXISTS*/ `a`;\n\nUSE "    \
    "`a`;\n"
#define MARIA_TABLE                                                                                \
    "--\n-- Table structure for table `t`\n--\n\nCREATE TABLE `t` (\n);\n\n--\n-- Dumping data "   \
    "for "                                                                                         \
    "table `t`\n--\n\nINSERT INTO `t` VALUES\n(1,'a;'),\n(2,'(');\nUNLOCK TABLES;\n"
#define MARIA_END "-- Dump completed on 2026-01-02  3:04:05\n"

static const struct {
    const char *what;
    enum database_format format;
    const char *text;
    bool whole;
    int databases, tables, rows;
} dumps[] = {
    {"an empty one", DATABASE_SQL_POSTGRES, HEAD END, true, 0, 0, 0},
    {"rows", DATABASE_SQL_POSTGRES, HEAD TABLE ROWS "1\n\n2\n\\.\n" END, true, 0, 1, 3},
    {"rows that look like the end", DATABASE_SQL_POSTGRES,
     HEAD TABLE ROWS "-- PostgreSQL database dump complete\n", false, 0, 0, 0},
    {"a body that looks like a dump", DATABASE_SQL_POSTGRES,
     HEAD
     "CREATE FUNCTION f() AS $$\nCREATE TABLE x ();\nCOPY x FROM stdin;\n-- PostgreSQL database "
     "dump complete\n$$;\n" END,
     true, 0, 0, 0},
    {"cut in that body", DATABASE_SQL_POSTGRES,
     HEAD "CREATE FUNCTION f() AS $$\n-- PostgreSQL database dump complete\n$$;\n", false, 0, 0, 0},
    {"without its end", DATABASE_SQL_POSTGRES, HEAD TABLE, false, 0, 0, 0},
    {"cut in its end", DATABASE_SQL_POSTGRES, HEAD "-- PostgreSQL database dump complete", false, 0,
     0, 0},
    {"all databases", DATABASE_SQL_POSTGRES,
     CLUSTER "-- Database \"template1\" dump\n" HEAD END
             "-- Database \"shop\" dump\n" HEAD TABLE END CLUSTER_END,
     true, 1, 1, 0},
    {"cut between databases", DATABASE_SQL_POSTGRES,
     CLUSTER "-- Database \"template1\" dump\n" HEAD END, false, 0, 0, 0},
    {"nothing", DATABASE_SQL_POSTGRES, "", false, 0, 0, 0},
    {"something else", DATABASE_SQL_POSTGRES, "<html>\n" END, false, 0, 0, 0},
    {"of another database", DATABASE_SQL_POSTGRES, MARIA MARIA_END, false, 0, 0, 0},
    {"MariaDB's", DATABASE_SQL_MARIADB, MARIA MARIA_DATABASE MARIA_TABLE MARIA_END, true, 1, 1, 2},
    {"MariaDB's, one", DATABASE_SQL_MARIADB, MARIA_OF("a") MARIA_TABLE MARIA_END, true, 0, 1, 2},
    {"MariaDB's, cut", DATABASE_SQL_MARIADB, MARIA MARIA_TABLE, false, 0, 0, 0},
    {"MariaDB's, cut in rows", DATABASE_SQL_MARIADB,
     MARIA "-- Dumping data for table `t`\n--\n\nINSERT INTO `t` VALUES\n(1,'a'),\n" MARIA_END,
     false, 0, 0, 0},
    {"a routine that looks like a dump", DATABASE_SQL_MARIADB,
     MARIA MARIA_TABLE "CREATE PROCEDURE p()\nBEGIN\nCREATE TABLE `x` (a int);\nINSERT INTO `x` "
                       "VALUES\n(1);\nEND ;;\n" MARIA_END,
     true, 0, 1, 2},
};

static void add_in_pieces(struct database_proof *proof, const char *text, size_t length,
                          size_t step)
{
    for (size_t at = 0; at < length; at += step)
        database_proof_add(proof,
                           (struct span){text + at, length - at < step ? length - at : step});
}

START_TEST(whole_dumps_are_told_from_others)
    {
        static const size_t steps[] = {1, 7, 4096};

        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            AUTO(database_proof) struct database_proof proof;
            struct error err = {.message = ""};

            database_proof_init(&proof, dumps[_i].format);
            add_in_pieces(&proof, dumps[_i].text, strlen(dumps[_i].text), steps[i]);
            ck_assert_msg(database_proof_end(&proof, &err) == dumps[_i].whole, "%s: %s",
                          dumps[_i].what, err.message);
            if (!dumps[_i].whole)
                continue;
            ck_assert_int_eq(proof.databases, dumps[_i].databases);
            ck_assert_int_eq(proof.tables, dumps[_i].tables);
            ck_assert_int_eq(proof.rows, dumps[_i].rows);
            ck_assert_int_eq(proof.bytes, (int64_t)strlen(dumps[_i].text));
        }
    }
END_TEST

/* A line that is longer than what is kept of one. */
START_TEST(a_long_row_is_one)
    {
        AUTO(database_proof) struct database_proof proof;
        struct error err = {.message = ""};
        char piece[1000];

        memset(piece, 'x', sizeof piece);
        database_proof_init(&proof, DATABASE_SQL_POSTGRES);
        database_proof_add(&proof, span_of(HEAD ROWS));
        for (int i = 0; i < 300; i++)
            database_proof_add(&proof, (struct span){piece, sizeof piece});
        database_proof_add(&proof, span_of("\n2\n\\.\n" END));
        ck_assert_msg(database_proof_end(&proof, &err), "%s", err.message);
        ck_assert_int_eq(proof.rows, 2);
    }
END_TEST

/* An empty RDB as Redis 7.0 writes it, its CRC made by the table of another program. */
static const unsigned char rdb[] = {'R', 'E', 'D', 'I', 'S', '0', '0', '1', '0', 0xFF};

START_TEST(an_rdb_has_a_checksum)
    {
        unsigned char whole[sizeof rdb + 8];
        uint64_t crc = 0;

        memcpy(whole, rdb, sizeof rdb);
        for (size_t i = 0; i < sizeof rdb; i++) {
            crc ^= rdb[i];
            for (int bit = 0; bit < 8; bit++)
                crc = crc & 1 ? crc >> 1 ^ UINT64_C(0x95ac9329ac4bc9b5) : crc >> 1;
        }
        for (size_t i = 0; i < 8; i++)
            whole[sizeof rdb + i] = (unsigned char)(crc >> 8 * i);
        for (size_t cut = 0; cut <= sizeof whole; cut++) {
            AUTO(database_proof) struct database_proof proof;
            struct error err;

            database_proof_init(&proof, DATABASE_RDB);
            add_in_pieces(&proof, (const char *)whole, cut, 3);
            ck_assert_int_eq(database_proof_end(&proof, &err), cut == sizeof whole);
        }
        for (size_t at = 0; at < sizeof whole; at++) {
            AUTO(database_proof) struct database_proof proof;
            struct error err;

            whole[at] ^= 1;
            database_proof_init(&proof, DATABASE_RDB);
            add_in_pieces(&proof, (const char *)whole, sizeof whole, 5);
            ck_assert_msg(!database_proof_end(&proof, &err), "byte %zu", at);
            whole[at] ^= 1;
        }
    }
END_TEST

/* ---- the way back ---- */

static const struct {
    const char *what, *text, *said;
    int server;
    bool clears;
} rewrites[] = {
    {"roles that are there", "CREATE ROLE app;\nCREATE ROLE \"odd; Role\";\nCREATE ROLE new;\n",
     "CREATE ROLE new;\n", 150000, false},
    {"who restores keeps his password",
     "ALTER ROLE app WITH LOGIN PASSWORD 'a';\nALTER ROLE admin WITH SUPERUSER PASSWORD 'b';\n"
     "ALTER ROLE admin SET x TO 'y';\n",
     "ALTER ROLE app WITH LOGIN PASSWORD 'a';\nALTER ROLE admin SET x TO 'y';\n", 150000, false},
    {"a database",
     "-- Name: \"a\"\"; b\"; Type: DATABASE; Schema: -; Owner: x\n--\n\nCREATE DATABASE \"a\"\"; "
     "b\" WITH X;\n",
     "-- Name: \"a\"\"; b\"; Type: DATABASE; Schema: -; Owner: x\n--\n\nDROP DATABASE IF EXISTS "
     "\"a\"\"; b\" WITH (FORCE);\nCREATE DATABASE \"a\"\"; b\" WITH X;\n",
     150000, false},
    {"of an old server", "-- Name: a; Type: DATABASE; Schema: -; Owner: x\nCREATE DATABASE a;\n",
     "-- Name: a; Type: DATABASE; Schema: -; Owner: x\nDROP DATABASE IF EXISTS a;\nCREATE DATABASE "
     "a;\n",
     120000, false},
    {"a body that looks like it", "CREATE DATABASE a;\n", "CREATE DATABASE a;\n", 150000, false},
    {"rows", ROWS "CREATE ROLE app;\n\\connect postgres\n\\.\nCREATE ROLE app;\n",
     ROWS "CREATE ROLE app;\n\\connect postgres\n\\.\n", 150000, true},
    {"no last newline", "CREATE ROLE app", "CREATE ROLE app", 150000, false},
};

START_TEST(what_a_dump_says_to_a_server_that_is_not_new)
    {
        AUTO(json) json_t *roles = json_row("{'app':true,'admin':true}");

        for (size_t step = 1; step < 200; step += 13) {
            AUTO(text) struct text out = {0};
            struct postgres_rewrite rewrite = {.roles = roles,
                                               .own = "admin",
                                               .server = rewrites[_i].server,
                                               .clears = rewrites[_i].clears,
                                               .out = &out};
            const char *text = rewrites[_i].text;
            size_t length = strlen(text);

            json_object_set_new(roles, "\"odd; Role\"", json_true());
            for (size_t at = 0; at < length; at += step)
                postgres_rewrite_add(
                    &rewrite, (struct span){text + at, length - at < step ? length - at : step});
            postgres_rewrite_end(&rewrite);
            postgres_rewrite_done(&rewrite);
            ck_assert_msg(strcmp(text_get(&out), rewrites[_i].said) == 0, "%s:\n%s",
                          rewrites[_i].what, text_get(&out));
        }
    }
END_TEST

/* Of MariaDB: databases are made anew, and what is counted afterwards is known. */
START_TEST(what_a_dump_says_to_a_mariadb)
    {
        AUTO(text) struct text out = {0}, question = {0};
        struct mariadb_rewrite rewrite = {.out = &out};
        struct span rest;
        int64_t count = 0;

        mariadb_rewrite_add(&rewrite, span_of(MARIA MARIA_DATABASE MARIA_TABLE
                                              "CREATE TABLE `no` (\nUSE `b``c`;\n" MARIA_TABLE));
        mariadb_rewrite_end(&rewrite);
        ck_assert_ptr_nonnull(strstr(text_get(&out), "\nDROP DATABASE IF EXISTS `a`;\nCREATE "));
        ck_assert_str_eq(text_get(&rewrite.tables), "`a`.`t`\n`b``c`.`t`\n");
        rest = (struct span){text_get(&rewrite.tables), rewrite.tables.length};
        ck_assert(mariadb_question(&question, &rest, "", &count));
        ck_assert_str_eq(text_get(&question), "SELECT 0 + (SELECT COUNT(*) FROM `a`.`t`) + (SELECT "
                                              "COUNT(*) FROM `b``c`.`t`)");
        ck_assert(!mariadb_question(&question, &rest, "", &count));
        ck_assert_int_eq(count, 2);
        mariadb_rewrite_done(&rewrite);
        out.length = 0;
        mariadb_begin(&out, "x`y", true);
        ck_assert_str_eq(text_get(&out), "DROP DATABASE IF EXISTS `x``y`;\nCREATE DATABASE IF NOT "
                                         "EXISTS `x``y`;\nUSE `x``y`;\n");
    }
END_TEST

/* No value of an option file becomes another option. */
START_TEST(an_option_file_of_mariadb)
    {
        const struct database_kind *kind = database_kind_of("mariadb");
        AUTO(json)
        json_t *app = json_row("{'clientConfig':{'url':'mysql://db','caBundle':'YQ=='}}");
        AUTO(json) json_t *secrets = json_row("{'secret':{'username':'YQ==','password':'Ilwj'}}");
        AUTO(database_connection) struct database_connection made = {.port = 0};
        AUTO(text) struct text out = {0};
        struct database_wish wish = {"", "", "", "", false};
        struct database_files files = {10, -1, -1, -1};
        struct error err = {.message = ""};

        ck_assert_msg(database_connection_make(kind, app, secrets, &made, &err), "%s", err.message);
        kind->config(&made, &wish, &files, &out);
        ck_assert_str_eq(
            text_get(&out),
            "[client]\nprotocol=tcp\nhost=\"db\"\nport=3306\nuser=\"a\"\n"
            "password=\"\\\"\\\\#\"\nssl-ca=/dev/fd/10\nssl\nssl-verify-server-cert\n");
    }
END_TEST

START_TEST(the_database_postgres_is_emptied)
    {
        AUTO(text) struct text out = {0};
        struct postgres_rewrite rewrite = {
            .own = "", .server = 150000, .clears = true, .out = &out};

        postgres_rewrite_add(&rewrite, span_of("\\connect postgres\nSELECT 1;\n"));
        postgres_rewrite_done(&rewrite);
        ck_assert_ptr_nonnull(strstr(text_get(&out), "\\connect postgres\nDO $granary$"));
        ck_assert_ptr_nonnull(strstr(text_get(&out), "pg_database_owner"));
    }
END_TEST

/* ---- how it is reached ---- */

static const struct {
    const char *what, *app, *secrets, *host;
    unsigned port;
    const char *user, *sslmode;
} places[] = {
    {"a service",
     "{'namespace':'shop','clientConfig':{'service':{'scheme':'postgresql','name':'pg','port':5433,"
     "'path':'/','query':'sslmode=disable'}}}",
     "{'secret':{'username':'YQ==','password':'Yg=='}}", "pg.shop.svc", 5433, "a", "disable"},
    {"a url", "{'clientConfig':{'url':'postgres://user:word@10.0.0.1/db?x=y'}}", "{}", "10.0.0.1",
     5432, "postgres", "prefer"},
    {"a url of IPv6", "{'clientConfig':{'url':'postgres://[fd00::1]:77/'}}", "{}", "fd00::1", 77,
     "postgres", "prefer"},
    {"keys as PostgreSQL's image has them", "{'clientConfig':{'url':'pg:5432'}}",
     "{'secret':{'POSTGRES_USER':'YQ==','POSTGRES_PASSWORD':'Yg=='}}", "pg", 5432, "a", "prefer"},
    {"a CA", "{'clientConfig':{'url':'postgres://pg','caBundle':'YQ=='}}", "{}", "pg", 5432,
     "postgres", "verify-full"},
    {"a CA for the chain only",
     "{'clientConfig':{'url':'postgres://pg?sslmode=verify-ca&x=y','caBundle':'YQ=='}}", "{}", "pg",
     5432, "postgres", "verify-ca"},
    {"no verification", "{'clientConfig':{'url':'postgres://pg','insecureSkipTLSVerify':true}}",
     "{}", "pg", 5432, "postgres", "require"},
    {"nothing", "{}", "{}", NULL, 0, NULL, NULL},
    {"a host with options", "{'clientConfig':{'url':'postgres://pg host=x'}}", "{}", NULL, 0, NULL,
     NULL},
    {"a port that is none", "{'clientConfig':{'url':'postgres://pg:99999'}}", "{}", NULL, 0, NULL,
     NULL},
    {"a user alone", "{'clientConfig':{'url':'postgres://pg'}}", "{'secret':{'username':'YQ=='}}",
     NULL, 0, NULL, NULL},
};

static const char *variable(const struct words *words, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < words->count; i++)
        if (strncmp(words->list[i], name, length) == 0 && words->list[i][length] == '=')
            return words->list[i] + length + 1;
    return "";
}

START_TEST(how_it_is_reached)
    {
        const struct database_kind *kind = database_kind_of("postgres");
        AUTO(json) json_t *app = json_row(places[_i].app);
        AUTO(json) json_t *secrets = json_row(places[_i].secrets);
        AUTO(database_connection) struct database_connection made = {.port = 0};
        AUTO(words) struct words words = {0};
        struct database_wish wish = {"", "", "", "", false};
        struct database_files files = {-1, -1, -1, -1};
        struct error err = {.message = ""};
        bool good = database_connection_make(kind, app, secrets, &made, &err);

        ck_assert_msg(good == (places[_i].host != NULL), "%s: %s", places[_i].what, err.message);
        if (!good)
            return;
        ck_assert_str_eq(made.host, places[_i].host);
        ck_assert_uint_eq(made.port, places[_i].port);
        kind->environment(&made, &wish, &files, &words);
        ck_assert_str_eq(variable(&words, "PGUSER"), places[_i].user);
        ck_assert_str_eq(variable(&words, "PGSSLMODE"), places[_i].sslmode);
        ck_assert_str_eq(variable(&words, "PGSSLROOTCERT"), "/nonexistent");
    }
END_TEST

SUITE(database)
{
    suite_rows(tests, whole_dumps_are_told_from_others, dumps);
    tcase_add_test(tests, a_long_row_is_one);
    tcase_add_test(tests, an_rdb_has_a_checksum);
    suite_rows(tests, what_a_dump_says_to_a_server_that_is_not_new, rewrites);
    tcase_add_test(tests, the_database_postgres_is_emptied);
    tcase_add_test(tests, what_a_dump_says_to_a_mariadb);
    tcase_add_test(tests, an_option_file_of_mariadb);
    suite_rows(tests, how_it_is_reached, places);
}
