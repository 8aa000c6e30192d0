#include "agent/mariadb_rewrite.h"

#include <string.h>

#include "base/auto.h"

/* Tables in one question. */
#define TABLES_ASKED 50

void mariadb_rewrite_done(struct mariadb_rewrite *rewrite)
{
    lines_done(&rewrite->lines);
    text_done(&rewrite->tables);
    text_done(&rewrite->database);
    mariadb_accounts_done(&rewrite->accounts);
}

/* The first name in its quotes, with them; empty: there is none. */
static struct span name_in(struct span line)
{
    const char *begin = memchr(line.data, '`', line.length);
    size_t left = begin ? line.length - (size_t)(begin - line.data) : 0, length = 1;

    while (length < left) {
        if (begin[length++] != '`')
            continue;
        if (length == left || begin[length] != '`')
            return (struct span){begin, length};
        length++;
    }
    return (struct span){NULL, 0};
}

static void take_database(struct mariadb_rewrite *rewrite, struct span line)
{
    struct span name = name_in(line);

    rewrite->database.length = 0;
    if (name.length)
        text_addf(&rewrite->database, "%.*s.", (int)name.length, name.data);
}

static void take_table(struct mariadb_rewrite *rewrite, struct span line)
{
    struct span name = name_in(line);

    text_addf(&rewrite->tables, "%s%.*s\n", text_get(&rewrite->database), (int)name.length,
              name.data ? name.data : "");
}

/* True when the line is of accounts. */
static bool take_account(struct mariadb_rewrite *rewrite, struct span line)
{
    if (rewrite->in_accounts) {
        mariadb_accounts_add(&rewrite->accounts, line);
        return true;
    }
    rewrite->in_accounts = database_accounts_begin(rewrite->mark, rewrite->named, line);
    rewrite->accounts.out = rewrite->out;
    /* nothing that a database says comes before this one */
    rewrite->named =
        rewrite->named || span_begins(line, "-- MariaDB dump ") || span_begins(line, "-- MySQL");
    return false;
}

static void take_line(void *context, struct span line, bool first, bool last)
{
    struct mariadb_rewrite *rewrite = context;

    if (take_account(rewrite, line))
        return;
    if (first && last) {
        if (mariadb_name_begins(&rewrite->names_database, "-- Current Database: `",
                                "CREATE DATABASE ", line)) {
            struct span name = name_in(line);

            text_addf(rewrite->out, "DROP DATABASE IF EXISTS %.*s;\n", (int)name.length,
                      name.data ? name.data : "");
        }
        if (span_begins(line, "USE `"))
            take_database(rewrite, line);
        if (mariadb_name_begins(&rewrite->names_table, "-- Table structure for table `",
                                "CREATE TABLE `", line))
            take_table(rewrite, line);
    }
    text_add(rewrite->out, line.data, line.length);
}

void mariadb_rewrite_add(struct mariadb_rewrite *rewrite, struct span piece)
{
    lines_add(&rewrite->lines, piece, take_line, rewrite);
}

void mariadb_rewrite_end(struct mariadb_rewrite *rewrite)
{
    lines_end(&rewrite->lines, take_line, rewrite);
    if (rewrite->in_accounts)
        mariadb_accounts_end(&rewrite->accounts);
}

static void add_name(struct text *out, const char *name)
{
    text_putc(out, '`');
    for (; *name; name++)
        text_add(out, *name == '`' ? "``" : name, *name == '`' ? 2 : 1);
    text_putc(out, '`');
}

void mariadb_begin(struct text *out, const char *database, bool clears)
{
    AUTO(text) struct text name = {0};

    add_name(&name, database);
    if (clears)
        text_addf(out, "DROP DATABASE IF EXISTS %s;\n", text_get(&name));
    text_addf(out, "CREATE DATABASE IF NOT EXISTS %s;\nUSE %s;\n", text_get(&name),
              text_get(&name));
}

bool mariadb_question(struct text *question, struct span *tables, const char *database,
                      int64_t *count)
{
    struct span table;
    int asked = 0;

    question->length = 0;
    text_puts(question, "SELECT 0");
    while (asked < TABLES_ASKED && tables->length && text_split(tables, '\n', &table)) {
        if (!table.length)
            continue;
        text_puts(question, " + (SELECT COUNT(*) FROM ");
        if (*database) {
            add_name(question, database);
            text_putc(question, '.');
        }
        text_addf(question, "%.*s)", (int)table.length, table.data);
        asked++;
    }
    *count += asked;
    return asked > 0;
}
