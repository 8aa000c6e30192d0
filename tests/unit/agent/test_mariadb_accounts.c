/* What a dump says of accounts, to a server that has some. Catalogue DB1, DB2. */

#include <string.h>

#include "agent/database_proof.h"
#include "agent/mariadb_accounts.h"
#include "agent/mariadb_rewrite.h"
#include "base/auto.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* There are app@%, "o`d'd"@%, the role boss; admin restores. */
#define KNOWN "{'617070@25':true,'6F60642764@25':true,'626F7373@':true,'61646D696E@25':true}"
#define ADMIN "61646D696E"
#define UNLESS "DELIMITER ;;\nBEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR "
#define RIGHT UNLESS "1054, 1146, 1305, 1356 BEGIN END; "
#define RIGHT_END "; END;;\nDELIMITER ;\n"

static const struct {
    const char *what, *text, *said;
    bool replaces, strange;
} rows[] = {
    {"a new one", "CREATE USER `new`@`%` IDENTIFIED BY PASSWORD '*A' REQUIRE SSL;\n",
     "CREATE USER IF NOT EXISTS `new`@`%` IDENTIFIED BY PASSWORD '*A' REQUIRE SSL;\n", false,
     false},
    {"the same of another host", "CREATE USER `app`@`10.%`;\n",
     "CREATE USER IF NOT EXISTS `app`@`10.%`;\n", false, false},
    {"one that is there", "CREATE USER `app`@`%` IDENTIFIED BY PASSWORD '*A';\n", "", false, false},
    {"one that is there and may be replaced",
     "CREATE USER `app`@`%` IDENTIFIED BY PASSWORD '*A';\n",
     "CREATE USER IF NOT EXISTS `app`@`%` IDENTIFIED BY PASSWORD '*A';\nALTER USER `app`@`%` "
     "IDENTIFIED BY PASSWORD '*A';\n",
     true, false},
    {"who restores, at any host",
     "CREATE USER `admin`@`%` IDENTIFIED BY PASSWORD '*A';\nCREATE USER "
     "`admin`@`localhost`;\nGRANT "
     "USAGE ON *.* TO `admin`@`%` IDENTIFIED BY PASSWORD '*A';\n/*M!100005 SET DEFAULT ROLE NONE "
     "FOR 'admin'@'%' */;\n/*M!100005 GRANT 'new' TO 'admin'@'%' WITH ADMIN OPTION */;\n",
     "", true, false},
    {"one whose name begins like his", "CREATE USER `admin2`@`%`;\nCREATE USER `admi`@`%`;\n",
     "CREATE USER IF NOT EXISTS `admin2`@`%`;\nCREATE USER IF NOT EXISTS `admi`@`%`;\n", true,
     false},
    {"the server's own", "CREATE USER `mariadb.sys`@`localhost` ACCOUNT LOCK;\n", "", true, false},
    {"names with quotes",
     "CREATE USER `o``d'd`@`%`;\n/*M!100005 SET DEFAULT ROLE NONE FOR 'o`d\\'d'@'%' */;\n", "",
     false, false},
    {"a name that looks like a statement",
     "CREATE USER `x\nGRANT ALL ON *.* TO ``y``@``%`` `@`%`;\nCREATE USER `b;`@`%`;\n",
     "CREATE USER IF NOT EXISTS `x\nGRANT ALL ON *.* TO ``y``@``%`` `@`%`;\nCREATE USER IF NOT "
     "EXISTS `b;`@`%`;\n",
     false, false},
    {"a right, without a password",
     "GRANT USAGE ON *.* TO `new`@`%` IDENTIFIED BY PASSWORD '*A' REQUIRE SSL WITH "
     "MAX_USER_CONNECTIONS 5;\n",
     RIGHT "GRANT USAGE ON *.* TO `new`@`%`" RIGHT_END, false, false},
    {"a right that may be given on",
     "GRANT SELECT, INSERT (` TO `) ON `shop`.`t` TO `new`@`%` IDENTIFIED BY PASSWORD '*A' WITH "
     "MAX_USER_CONNECTIONS 5 GRANT OPTION;\n",
     RIGHT "GRANT SELECT, INSERT (` TO `) ON `shop`.`t` TO `new`@`%` WITH GRANT OPTION" RIGHT_END,
     false, false},
    {"a password that looks like an option",
     "GRANT USAGE ON *.* TO `new`@`%` IDENTIFIED VIA pam USING ' GRANT OPTION';\n",
     RIGHT "GRANT USAGE ON *.* TO `new`@`%`" RIGHT_END, false, false},
    {"a right of one that is there", "GRANT SELECT ON `shop`.* TO `app`@`%`;\n", "", false, false},
    {"the same, replaced", "GRANT SELECT ON `shop`.* TO `app`@`%`;\n",
     RIGHT "GRANT SELECT ON `shop`.* TO `app`@`%`" RIGHT_END, true, false},
    {"a proxy", "GRANT PROXY ON ``@`%` TO `new`@`%` WITH GRANT OPTION;\n",
     UNLESS "1698 BEGIN END; GRANT PROXY ON ``@`%` TO `new`@`%` WITH GRANT OPTION" RIGHT_END, false,
     false},
    {"roles",
     "/*!80001 CREATE ROLE 'new' */;\n/*M!100005 CREATE ROLE 'new' WITH ADMIN "
     "mariadb_dump_import_role */;\n/*M!100005 CREATE ROLE 'boss' WITH ADMIN "
     "mariadb_dump_import_role */;\n",
     "CREATE ROLE IF NOT EXISTS 'new' WITH ADMIN CURRENT_USER;\n", true, false},
    {"who has a role",
     "/*M!100005 GRANT 'new' TO 'new'@'%' WITH ADMIN OPTION */;\nGRANT `new` TO `new`@`%`;\n/*M!"
     "100005 SET DEFAULT ROLE 'new' FOR 'new'@'%' */;\n/*M!100005 SET DEFAULT ROLE 'x' FOR "
     "'app'@'%' */;\n",
     "GRANT 'new' TO 'new'@'%' WITH ADMIN OPTION;\nGRANT `new` TO `new`@`%`;\nSET DEFAULT ROLE "
     "'new' FOR 'new'@'%';\n",
     false, false},
    {"the role of a restore",
     "SELECT COALESCE(CURRENT_ROLE(),'NONE') into @current_role;\nCREATE ROLE IF NOT EXISTS "
     "mariadb_dump_import_role;\nGRANT mariadb_dump_import_role TO CURRENT_USER();\nSET ROLE "
     "mariadb_dump_import_role;\nSET ROLE NONE;\nDROP ROLE mariadb_dump_import_role;\n/*M!100203 "
     "EXECUTE IMMEDIATE CONCAT('SET ROLE ', @current_role) */;\n",
     "", false, false},
    {"settings and comments",
     "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB's dump\n--\n\n/*!40101 SET NAMES "
     "utf8mb4 "
     "*/;\n-- Dump completed; `\n",
     "/*M!999999\\- enable the sandbox mode */;\n/*!40101 SET NAMES utf8mb4 */;\n", false, false},
    {"what nobody knows", "SET PASSWORD FOR `admin`@`%` = 'x';\nCREATE USER `new`@`%`;\n",
     "CREATE USER IF NOT EXISTS `new`@`%`;\n", true, true},
    {"an account that is none", "CREATE USER app@`%`;\n", "", false, true},
    {"no end of a quote", "CREATE USER `new`@`%;\n", "", false, true},
    {"no end of a statement", "CREATE USER `new`@`%`\n", "", false, true},
};

START_TEST(who_is_there_is_not_harmed)
    {
        AUTO(json) json_t *known = json_row(KNOWN);
        const char *text = rows[_i].text;
        size_t length = strlen(text);

        for (size_t step = 1; step < 200; step += 33) {
            AUTO(text) struct text out = {0};
            struct mariadb_accounts accounts = {
                .known = known, .own = ADMIN, .replaces = rows[_i].replaces, .out = &out};

            for (size_t at = 0; at < length; at += step)
                mariadb_accounts_add(
                    &accounts, (struct span){text + at, length - at < step ? length - at : step});
            mariadb_accounts_end(&accounts);
            mariadb_accounts_done(&accounts);
            ck_assert_msg(strcmp(text_get(&out), rows[_i].said) == 0, "%s:\n%s", rows[_i].what,
                          text_get(&out));
            ck_assert_msg(accounts.strange == rows[_i].strange, "%s", rows[_i].what);
        }
    }
END_TEST

/* ---- where they begin ---- */

#define MARK DATABASE_ACCOUNTS_MARK "00ff\n"
#define HEAD "-- MariaDB dump 10.19\n--\n-- Host: a    Database: \n"
#define END "-- Dump completed on 2026-01-02  3:04:05\n"
#define USER "CREATE USER `app`@`%`;\n"

static const struct {
    const char *what, *text;
    bool whole;
    const char *last; /* what is said at last */
} dumps[] = {
    {"behind databases", MARK HEAD END MARK HEAD USER END, true, HEAD END MARK},
    {"none of them", HEAD USER END, true, HEAD USER END},
    {"cut before them", MARK HEAD END, false, HEAD END},
    {"cut in them", MARK HEAD END MARK HEAD USER, false, MARK},
    {"another's mark", MARK HEAD DATABASE_ACCOUNTS_MARK "00fe\n" USER END, false, USER END},
    {"a mark that is too late", HEAD MARK USER END MARK USER END, true, MARK USER END},
};

START_TEST(accounts_begin_where_nothing_else_can)
    {
        AUTO(json) json_t *known = json_row(KNOWN);
        AUTO(database_proof) struct database_proof proof;
        AUTO(text) struct text out = {0};
        struct mariadb_rewrite rewrite = {.out = &out, .accounts = {.known = known, .own = ADMIN}};
        struct span text = span_of(dumps[_i].text), last = span_of(dumps[_i].last);
        struct error err = {.message = ""};

        database_proof_init(&proof, DATABASE_SQL_MARIADB);
        database_proof_add(&proof, text);
        ck_assert_msg(database_proof_end(&proof, &err) == dumps[_i].whole, "%s: %s", dumps[_i].what,
                      err.message);
        mariadb_rewrite_add(&rewrite, text);
        mariadb_rewrite_end(&rewrite);
        mariadb_rewrite_done(&rewrite);
        ck_assert_msg(out.length >= last.length &&
                          memcmp(out.data + out.length - last.length, last.data, last.length) == 0,
                      "%s:\n%s", dumps[_i].what, text_get(&out));
    }
END_TEST

SUITE(mariadb_accounts)
{
    suite_rows(tests, who_is_there_is_not_harmed, rows);
    suite_rows(tests, accounts_begin_where_nothing_else_can, dumps);
}
