#include "agent/postgres_rewrite.h"

#include <string.h>

#include "agent/database_proof.h"
#include "base/auto.h"
#include "base/tree.h"

/* Servers: DROP DATABASE that ends sessions; the owner of schema public. */
#define FORCES 130000
#define OWNS_PUBLIC 150000

void postgres_rewrite_done(struct postgres_rewrite *rewrite)
{
    lines_done(&rewrite->lines);
}

void postgres_clear(struct text *out, int server)
{
    text_puts(out,
              "DO $granary$ DECLARE name text; BEGIN "
              "FOR name IN SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname OPERATOR("
              "pg_catalog.!~) '^pg_' AND nspname OPERATOR(pg_catalog.<>) 'information_schema' LOOP "
              "EXECUTE pg_catalog.format('DROP SCHEMA %I CASCADE', name); END LOOP; "
              "CREATE SCHEMA public");
    text_puts(out, server >= OWNS_PUBLIC
                       ? " AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA public TO PUBLIC;"
                       : "; GRANT ALL ON SCHEMA public TO PUBLIC;");
    text_puts(out, " END $granary$;\n");
}

/* A name as SQL has it: in quotes, or up to a blank or semicolon. */
static struct span name_behind(struct span line, const char *words)
{
    struct span name = {line.data + strlen(words), 0};
    size_t left = line.length - strlen(words);

    if (left && name.data[0] == '"') {
        name.length = 1;
        while (name.length < left) {
            if (name.data[name.length++] != '"')
                continue;
            if (name.length == left || name.data[name.length] != '"')
                return name;
            name.length++;
        }
    }
    while (name.length < left && !strchr(" ;\n", name.data[name.length]))
        name.length++;
    return name;
}

static bool is_known(const struct postgres_rewrite *rewrite, struct span name)
{
    AUTO(free) char *key = text_dup(name.data, name.length);

    return tree_get(rewrite->roles, key) != NULL;
}

/* True when the line is not to be said. */
static bool drops(const struct postgres_rewrite *rewrite, struct span line)
{
    if (span_begins(line, "CREATE ROLE "))
        return is_known(rewrite, name_behind(line, "CREATE ROLE "));
    return span_begins(line, "ALTER ROLE ") && memmem(line.data, line.length, " WITH ", 6) &&
           span_is(name_behind(line, "ALTER ROLE "), rewrite->own);
}

static void add_drop(struct postgres_rewrite *rewrite, struct span line)
{
    struct span name = name_behind(line, "CREATE DATABASE ");

    text_addf(rewrite->out, "DROP DATABASE IF EXISTS %.*s%s;\n", (int)name.length, name.data,
              rewrite->server >= FORCES ? " WITH (FORCE)" : "");
}

static void take_sql(struct postgres_rewrite *rewrite, struct span line)
{
    static const char type[] = "; Type: DATABASE; Schema: -;";

    if (drops(rewrite, line))
        return;
    if (span_begins(line, "-- Name: "))
        rewrite->names_database = memmem(line.data, line.length, type, sizeof type - 1) != NULL;
    if (rewrite->names_database && span_begins(line, "CREATE DATABASE ")) {
        add_drop(rewrite, line);
        rewrite->names_database = false;
    }
    text_add(rewrite->out, line.data, line.length);
    if (rewrite->clears && span_is(line, "\\connect postgres\n"))
        postgres_clear(rewrite->out, rewrite->server);
    rewrite->in_rows = postgres_copy_begins(&rewrite->copy, line);
}

static void take_line(void *context, struct span text, bool first, bool last)
{
    struct postgres_rewrite *rewrite = context;

    if (first && last && !rewrite->in_rows) {
        take_sql(rewrite, text);
        return;
    }
    text_add(rewrite->out, text.data, text.length);
    if (first && last && span_is(text, "\\.\n"))
        rewrite->in_rows = false;
}

void postgres_rewrite_add(struct postgres_rewrite *rewrite, struct span piece)
{
    lines_add(&rewrite->lines, piece, take_line, rewrite);
}

void postgres_rewrite_end(struct postgres_rewrite *rewrite)
{
    lines_end(&rewrite->lines, take_line, rewrite);
}
