#include "agent/mariadb_accounts.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"

/* Bytes of one statement. Rights to each column of a wide table are the longest. */
#define STATEMENT_MAX_BYTES (4u << 20)

/* The server's own account, of its database sys: "mariadb.sys". */
#define SYS "6D6172696164622E737973"

/* Errors of a right to what is not there any more: such rights stay when tables are dropped, and
 * can not be given again. And of a PROXY that who restores may not give. Spec: MariaDB Error Codes.
 */
#define GONE "1054, 1146, 1305, 1356"
#define DENIED "1698"

void mariadb_accounts_done(struct mariadb_accounts *accounts)
{
    text_wipe(&accounts->statement);
}

/* ---- names ---- */

static void add_hex(struct text *out, char c)
{
    static const char digits[] = "0123456789ABCDEF";

    text_putc(out, digits[(unsigned char)c >> 4]);
    text_putc(out, digits[(unsigned char)c & 15]);
}

/* What stands for a byte behind a backslash. Spec: MariaDB, String Literals. */
static char unescaped(char c)
{
    static const char from[] = "0bnrtZ", to[] = "\0\b\n\r\t\032";
    const char *found = c ? strchr(from, c) : NULL;

    return found ? to[found - from] : c;
}

/* A name in its quotes, from the front of rest; its bytes are appended as HEX() has them. */
static bool take_name(struct span *rest, struct text *key)
{
    char quote = rest->length ? rest->data[0] : '\0';

    if (quote != '`' && quote != '\'')
        return false;
    for (size_t i = 1; i < rest->length; i++) {
        char c = rest->data[i];
        bool more = i + 1 < rest->length;

        if (c == quote && !(more && rest->data[i + 1] == quote)) {
            rest->data += i + 1;
            rest->length -= i + 1;
            return true;
        }
        if (c == '\\' && quote == '\'' && more)
            add_hex(key, unescaped(rest->data[++i]));
        else
            add_hex(key, c);
        i += c == quote;
    }
    return false;
}

/* "`app`@`%`", or a role's "`boss`". */
static bool take_account(struct span *rest, struct text *key)
{
    if (!take_name(rest, key))
        return false;
    text_putc(key, '@');
    if (!rest->length || rest->data[0] != '@')
        return true;
    rest->data++;
    rest->length--;
    return take_name(rest, key);
}

static bool is_known(const struct mariadb_accounts *accounts, const struct text *key)
{
    return tree_get(accounts->known, text_get(key)) != NULL;
}

static bool has_name(const struct text *key, const char *name)
{
    size_t length = strlen(name);

    return strncmp(text_get(key), name, length) == 0 && text_get(key)[length] == '@';
}

/* He keeps his password and his rights at whichever host; so do those that must not be replaced. */
static bool is_kept(const struct mariadb_accounts *accounts, const struct text *key)
{
    return has_name(key, accounts->own) || has_name(key, SYS) ||
           (!accounts->replaces && is_known(accounts, key));
}

/* ---- statements ---- */

/* What is behind a word that stands outside of quotes; empty: it is not there. */
static struct span behind(struct span text, const char *word)
{
    char quote = '\0';

    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        struct span rest = {text.data + i, text.length - i};

        if (quote && quote != '`' && c == '\\')
            i++;
        else if (quote)
            quote = c == quote ? '\0' : quote;
        else if (strchr("'\"`", c))
            quote = c;
        else if (span_begins(rest, word))
            return (struct span){rest.data + strlen(word), rest.length - strlen(word)};
    }
    return (struct span){NULL, 0};
}

/* Without the comment that shows it to MariaDB alone. */
static struct span inside(struct span text)
{
    static const char begin[] = "/*M!100005 ", end[] = " */;";

    if (!span_begins(text, begin) || !span_ends(text, end))
        return text;
    return (struct span){text.data + sizeof begin - 1,
                         text.length - (sizeof begin - 1) - (sizeof end - 1)};
}

static bool say(struct mariadb_accounts *accounts, struct span text)
{
    text_add(accounts->out, text.data, text.length);
    text_puts(accounts->out, span_ends(text, ";") ? "\n" : ";\n");
    return true;
}

static bool leave_out(struct mariadb_accounts *accounts, struct span text)
{
    (void)accounts;
    (void)text;
    return true;
}

/* "CREATE USER `app`@`%` IDENTIFIED BY PASSWORD '*95...' REQUIRE SSL;" */
static bool make_account(struct mariadb_accounts *accounts, struct span text)
{
    AUTO(text) struct text key = {0};
    struct span rest = behind(text, "CREATE USER "), at = rest;

    if (!take_account(&at, &key))
        return false;
    if (is_kept(accounts, &key))
        return true;
    text_puts(accounts->out, "CREATE USER IF NOT EXISTS ");
    say(accounts, rest);
    if (!is_known(accounts, &key))
        return true;
    text_puts(accounts->out, "ALTER USER ");
    return say(accounts, rest);
}

/* "CREATE ROLE 'boss' WITH ADMIN mariadb_dump_import_role": who restores may give it to others. A
 * role with several admins is made as many times. */
static bool make_role(struct mariadb_accounts *accounts, struct span text)
{
    AUTO(text) struct text key = {0};
    struct span name = behind(text, "CREATE ROLE "), at = name;

    if (!take_account(&at, &key))
        return false;
    if (!is_known(accounts, &key))
        text_addf(accounts->out, "CREATE ROLE IF NOT EXISTS %.*s WITH ADMIN CURRENT_USER;\n",
                  (int)(at.data - name.data), name.data);
    return true;
}

/* What may stand behind an account: of its password and TLS, "CREATE USER" has said all. */
static const char *option_of(struct span tail)
{
    AUTO(text) struct text text = {0};

    text_add(&text, tail.data, tail.length);
    while (text.length && strchr("; ", text.data[text.length - 1]))
        text.length--;
    tail.length = text.length;
    if (span_ends(tail, " GRANT OPTION"))
        return " WITH GRANT OPTION";
    return span_ends(tail, " ADMIN OPTION") ? " WITH ADMIN OPTION" : "";
}

/* The text of "GRANT ... TO account" and its option. False: it is none. Empty: nothing is said. */
static bool grant_text(struct mariadb_accounts *accounts, struct span text, struct text *out)
{
    AUTO(text) struct text key = {0};
    struct span rest = behind(text, " TO ");

    if (!take_account(&rest, &key))
        return false;
    if (is_kept(accounts, &key))
        return true;
    text_add(out, text.data, (size_t)(rest.data - text.data));
    text_puts(out, option_of(rest));
    return true;
}

static bool grant_unless(struct mariadb_accounts *accounts, struct span text, const char *errors)
{
    AUTO(text) struct text said = {0};

    if (!grant_text(accounts, text, &said))
        return false;
    if (said.length)
        text_addf(accounts->out,
                  "DELIMITER ;;\nBEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR %s BEGIN END; %s; "
                  "END;;\nDELIMITER ;\n",
                  errors, said.data);
    return true;
}

static bool grant_proxy(struct mariadb_accounts *accounts, struct span text)
{
    return grant_unless(accounts, text, DENIED);
}

/* Rights have an ON, roles have none. */
static bool grant(struct mariadb_accounts *accounts, struct span text)
{
    AUTO(text) struct text said = {0};

    text = inside(text);
    if (behind(text, " ON ").length)
        return grant_unless(accounts, text, GONE);
    if (!grant_text(accounts, text, &said))
        return false;
    return !said.length || say(accounts, (struct span){said.data, said.length});
}

/* "SET DEFAULT ROLE 'buyer' FOR 'app'@'%'" */
static bool choose_role(struct mariadb_accounts *accounts, struct span text)
{
    AUTO(text) struct text key = {0};
    struct span rest = behind(text, " FOR ");

    return take_account(&rest, &key) && (is_kept(accounts, &key) || say(accounts, inside(text)));
}

/* How a statement begins, and what becomes of it; the first that fits. The role that mariadb-dump
 * makes for the time of a restore would take away what who restores has by his own role. */
static const struct {
    const char *begins;
    bool (*take)(struct mariadb_accounts *accounts, struct span text);
} forms[] = {
    {"CREATE ROLE IF NOT EXISTS mariadb_dump_import_role;", leave_out},
    {"GRANT mariadb_dump_import_role TO CURRENT_USER();", leave_out},
    {"SET ROLE ", leave_out},
    {"DROP ROLE mariadb_dump_import_role;", leave_out},
    {"SELECT COALESCE(CURRENT_ROLE(),'NONE') into @current_role;", leave_out},
    {"/*M!100203 EXECUTE IMMEDIATE CONCAT('SET ROLE ', @current_role) */;", leave_out},
    {"/*!80001 ", leave_out}, /* for MySQL */
    {"CREATE USER ", make_account},
    {"/*M!100005 CREATE ROLE ", make_role},
    {"GRANT PROXY ON ", grant_proxy},
    {"GRANT ", grant},
    {"/*M!100005 GRANT ", grant},
    {"/*M!100005 SET DEFAULT ROLE ", choose_role},
    {"/*!40", say}, /* settings of the session */
    {"/*M!999999\\- enable the sandbox mode */", say},
};

static void take_statement(struct mariadb_accounts *accounts)
{
    struct text *statement = &accounts->statement;
    struct span text = text_trim((struct span){text_get(statement), statement->length});

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (span_begins(text, forms[i].begins)) {
            accounts->strange = !forms[i].take(accounts, text) || accounts->strange;
            statement->length = 0;
            return;
        }
    accounts->strange = true;
    statement->length = 0;
}

/* ---- their ends ---- */

static bool is_comment(const struct mariadb_accounts *accounts)
{
    struct span text =
        text_trim((struct span){text_get(&accounts->statement), accounts->statement.length});

    return span_begins(text, "--");
}

/* Comments end with their line, also the one that has no semicolon. */
static void end_line(struct mariadb_accounts *accounts)
{
    struct span text =
        text_trim((struct span){text_get(&accounts->statement), accounts->statement.length});

    if (!text.length || is_comment(accounts))
        accounts->statement.length = 0;
    else if (span_ends(text, "*/"))
        take_statement(accounts);
}

static void take_byte(struct mariadb_accounts *accounts, char c)
{
    text_putc(&accounts->statement, c);
    if (accounts->escaped) {
        accounts->escaped = false;
    } else if (accounts->quote) {
        accounts->escaped = c == '\\' && accounts->quote != '`';
        accounts->quote = c == accounts->quote ? '\0' : accounts->quote;
    } else if (c == '\n') {
        end_line(accounts);
    } else if (strchr("'\"`", c) && c && !is_comment(accounts)) {
        accounts->quote = c;
    } else if (c == ';' && !is_comment(accounts)) {
        take_statement(accounts);
    }
}

void mariadb_accounts_add(struct mariadb_accounts *accounts, struct span piece)
{
    for (size_t i = 0; i < piece.length; i++) {
        take_byte(accounts, piece.data[i]);
        if (accounts->statement.length > STATEMENT_MAX_BYTES) {
            accounts->strange = true;
            accounts->statement.length = 0;
        }
    }
}

void mariadb_accounts_end(struct mariadb_accounts *accounts)
{
    mariadb_accounts_add(accounts, span_of("\n"));
    if (accounts->statement.length)
        accounts->strange = true;
}
