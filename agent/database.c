#include "agent/database.h"

#include <stdlib.h>
#include <string.h>

#include "agent/redis_rewrite.h"
#include "api/dump_file.h"
#include "base/auto.h"
#include "base/base64.h"
#include "base/tree.h"

/* ---- PostgreSQL ---- */

/* What libpq may be told of TLS. Spec: PostgreSQL, 34.1.2, sslmode. */
static const char *sslmode_of(const struct database_connection *connection)
{
    static const char *const modes[] = {"disable",   "allow",       "prefer", "require",
                                        "verify-ca", "verify-full", NULL};
    static const char name[] = "sslmode=";
    const char *found = strstr(connection->query, name);

    for (const char *const *mode = modes; found && *mode; mode++) {
        size_t length = strlen(*mode);
        const char *said = found + sizeof name - 1;

        if (strncmp(said, *mode, length) == 0 && (!said[length] || said[length] == '&'))
            return *mode;
    }
    if (connection->base.insecure)
        return "require";
    return connection->base.ca.length ? "verify-full" : "prefer";
}

static void put_file(struct words *out, const char *name, int file)
{
    if (file >= 0)
        words_addf(out, "%s=/dev/fd/%d", name, file);
    else
        words_addf(out, "%s=/nonexistent", name);
}

static void postgres_environment(const struct database_connection *connection,
                                 const struct database_wish *wish,
                                 const struct database_files *files, struct words *out)
{
    const char *user = *wish->user ? wish->user : connection->base.user;

    words_addf(out, "PGHOST=%s", connection->host);
    words_addf(out, "PGPORT=%u", connection->port);
    words_addf(out, "PGUSER=%s", user ? user : "postgres");
    if (connection->base.password)
        words_addf(out, "PGPASSWORD=%s", connection->base.password);
    words_addf(out, "PGDATABASE=%s", *wish->database ? wish->database : "postgres");
    words_addf(out, "PGSSLMODE=%s", sslmode_of(connection));
    /* never what lies in a home */
    put_file(out, "PGSSLROOTCERT", files->ca);
    put_file(out, "PGSSLCERT", files->certificate);
    put_file(out, "PGSSLKEY", files->key);
    words_add(out, "PGCONNECT_TIMEOUT=20");
    words_add(out, "PGAPPNAME=granary");
    words_add(out, "PGTZ=UTC");
}

static void postgres_dump(const struct database_connection *connection,
                          const struct database_wish *wish, const struct database_files *files,
                          struct words *out)
{
    (void)connection;
    (void)wish;
    (void)files;
    words_add(out, "--no-password");
}

static void postgres_ask(const struct database_connection *connection,
                         const struct database_files *files, const char *question,
                         struct words *out)
{
    (void)connection;
    (void)files;
    words_add(out, "--no-psqlrc");
    words_add(out, "--no-password");
    words_add(out, "--quiet");
    words_add(out, "--no-align");
    words_add(out, "--tuples-only");
    words_add(out, "--set=ON_ERROR_STOP=1");
    words_addf(out, "--command=%s", question);
}

/* Its tags ("CREATE TABLE", "COPY 7") are how it says what it has done. */
static void postgres_load(const struct database_connection *connection,
                          const struct database_files *files, bool one, struct words *out)
{
    (void)connection;
    (void)files;
    words_add(out, "--no-psqlrc");
    words_add(out, "--no-password");
    words_add(out, "--no-align");
    words_add(out, "--tuples-only");
    words_add(out, "--set=ON_ERROR_STOP=1");
    if (one)
        words_add(out, "--single-transaction");
}

static const char *const postgres_commands[] = {"pg_dumpall", "pg_dump", NULL};
static const char *const postgres_options[] = {"--exclude-database=",
                                               "--exclude-schema=",
                                               "--exclude-table=",
                                               "--exclude-table-data=",
                                               "--extra-float-digits=",
                                               "--lock-wait-timeout=",
                                               "--no-comments",
                                               "--no-owner",
                                               "--no-privileges",
                                               "--no-publications",
                                               "--no-role-passwords",
                                               "--no-security-labels",
                                               "--no-subscriptions",
                                               "--no-tablespaces",
                                               "--no-unlogged-table-data",
                                               "--role=",
                                               "--schema=",
                                               "--table=",
                                               NULL};
static const char *const postgres_hopeless[] = {"authentication failed",
                                                "no password supplied",
                                                "no pg_hba.conf entry",
                                                "pg_hba.conf rejects",
                                                "does not exist",
                                                "is not permitted to log in",
                                                "permission denied",
                                                "certificate",
                                                "does not support SSL",
                                                "aborting because of server version mismatch",
                                                NULL};

/* ---- MariaDB ---- */

/* As an option file has it. Spec: MariaDB, Configuring MariaDB with Option Files. */
static void put_option(struct text *out, const char *name, const char *value)
{
    text_addf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            text_putc(out, '\\');
        text_putc(out, *value);
    }
    text_puts(out, "\"\n");
}

static void put_option_file(struct text *out, const char *name, int file)
{
    if (file >= 0)
        text_addf(out, "%s=/dev/fd/%d\n", name, file);
}

static void mariadb_config(const struct database_connection *connection,
                           const struct database_wish *wish, const struct database_files *files,
                           struct text *out)
{
    const struct etcd_connection *base = &connection->base;
    const char *user = *wish->user ? wish->user : base->user ? base->user : "root";

    text_puts(out, "[client]\nprotocol=tcp\n");
    put_option(out, "host", connection->host);
    text_addf(out, "port=%u\n", connection->port);
    put_option(out, "user", user);
    if (base->password)
        put_option(out, "password", base->password);
    put_option_file(out, "ssl-ca", files->ca);
    put_option_file(out, "ssl-cert", files->certificate);
    put_option_file(out, "ssl-key", files->key);
    if (base->insecure)
        text_puts(out, "ssl\nskip-ssl-verify-server-cert\n");
    else if (files->ca >= 0)
        text_puts(out, "ssl\nssl-verify-server-cert\n");
}

/* All that it needs is in its file. */
static void mariadb_environment(const struct database_connection *connection,
                                const struct database_wish *wish,
                                const struct database_files *files, struct words *out)
{
    (void)connection;
    (void)wish;
    (void)files;
    words_add(out, "MYSQL_HISTFILE=/dev/null");
}

static void mariadb_dump(const struct database_connection *connection,
                         const struct database_wish *wish, const struct database_files *files,
                         struct words *out)
{
    (void)connection;
    (void)wish;
    words_addf(out, "--defaults-file=/dev/fd/%d", files->config);
    words_add(out, "--single-transaction");
    words_add(out, "--quick");
    words_add(out, "--routines");
    words_add(out, "--events");
    words_add(out, "--triggers");
    words_add(out, "--hex-blob");
}

static void mariadb_client(const struct database_files *files, struct words *out)
{
    words_addf(out, "--defaults-file=/dev/fd/%d", files->config);
    words_add(out, "--connect-timeout=20");
    words_add(out, "--batch");
    words_add(out, "--skip-column-names");
}

static void mariadb_ask(const struct database_connection *connection,
                        const struct database_files *files, const char *question, struct words *out)
{
    (void)connection;
    mariadb_client(files, out);
    words_addf(out, "--execute=%s", question);
}

/* Commands of the client, such as those that run programs, are off. */
static void mariadb_load(const struct database_connection *connection,
                         const struct database_files *files, bool one, struct words *out)
{
    (void)connection;
    (void)one;
    mariadb_client(files, out);
    words_add(out, "--binary-mode");
}

static const char *const mariadb_commands[] = {"mariadb-dump", NULL};
static const char *const mariadb_options[] = {
    "--ignore-database=",    "--ignore-table=",       "--ignore-table-data=",
    "--max-allowed-packet=", "--max-statement-time=", "--net-buffer-length=",
    "--skip-events",         "--skip-routines",       "--skip-system",
    "--skip-triggers",       "--skip-tz-utc",         NULL};
static const char *const mariadb_hopeless[] = {"Access denied",
                                               "Unknown database",
                                               "insecure transport",
                                               "SSL",
                                               "certificate",
                                               "TLS",
                                               "not allowed to connect",
                                               NULL};

/* ---- Redis ---- */

/* redis-cli verifies who has signed a certificate, not for which name. */
static void redis_client(const struct database_connection *connection,
                         const struct database_files *files, struct words *out)
{
    const struct etcd_connection *base = &connection->base;

    words_add(out, "-h");
    words_add(out, connection->host);
    words_add(out, "-p");
    words_addf(out, "%u", connection->port);
    if (base->user && base->password) {
        words_add(out, "--user");
        words_add(out, base->user);
    }
    if (!connection->tls && !base->insecure && files->ca < 0)
        return;
    words_add(out, "--tls");
    if (base->insecure)
        words_add(out, "--insecure");
    if (files->ca >= 0) {
        words_add(out, "--cacert");
        words_addf(out, "/dev/fd/%d", files->ca);
    }
    if (files->certificate >= 0 && files->key >= 0) {
        words_add(out, "--cert");
        words_addf(out, "/dev/fd/%d", files->certificate);
        words_add(out, "--key");
        words_addf(out, "/dev/fd/%d", files->key);
    }
}

static void redis_environment(const struct database_connection *connection,
                              const struct database_wish *wish, const struct database_files *files,
                              struct words *out)
{
    (void)wish;
    (void)files;
    if (connection->base.password)
        words_addf(out, "REDISCLI_AUTH=%s", connection->base.password);
    words_add(out, "REDISCLI_HISTFILE=/dev/null");
}

/* As a replica that wants one copy and nothing after it. */
static void redis_dump(const struct database_connection *connection,
                       const struct database_wish *wish, const struct database_files *files,
                       struct words *out)
{
    (void)wish;
    redis_client(connection, files, out);
    words_add(out, "--rdb");
    words_add(out, "-");
}

/* A question is a command, with blanks between its words. */
static void redis_ask(const struct database_connection *connection,
                      const struct database_files *files, const char *question, struct words *out)
{
    struct span rest = span_of(question), word;

    redis_client(connection, files, out);
    words_add(out, "-e");
    while (text_split(&rest, ' ', &word))
        words_addf(out, "%.*s", (int)word.length, word.data);
}

/* Seconds without an answer after all was sent: one large value takes a second. */
static void redis_load(const struct database_connection *connection,
                       const struct database_files *files, bool one, struct words *out)
{
    (void)one;
    redis_client(connection, files, out);
    words_add(out, "--pipe");
    words_add(out, "--pipe-timeout");
    words_add(out, "300");
}

/* One member of a cluster has only its part, a sentinel nothing. */
static char *redis_version(const char *said, struct error *err)
{
    AUTO(free) char *version = redis_info(said, "redis_version");
    AUTO(free) char *mode = redis_info(said, "redis_mode");

    if (!version) {
        error_set(err, ERROR_UNAVAILABLE, "it does not say its version");
        return NULL;
    }
    if (mode && strcmp(mode, "standalone") != 0) {
        error_set(err, ERROR_INVALID, "redis_mode is %.40s: only a standalone server has all keys",
                  mode);
        return NULL;
    }
    return TAKE(version);
}

static const char *const redis_commands[] = {"redis-cli", NULL};
static const char *const redis_options[] = {NULL};
static const char *const redis_hopeless[] = {"WRONGPASS",
                                             "NOAUTH",
                                             "NOPERM",
                                             "redis_mode is",
                                             "unknown command",
                                             "certificate",
                                             "wrong version number",
                                             "alert",
                                             NULL};

/* ---- all ---- */

static const struct database_kind kinds[] = {
    {.name = "postgres",
     .dump = DUMP_FILE_SQL,
     .folder = "/usr/lib/postgresql/bin",
     .port = 5432,
     .format = DATABASE_SQL_POSTGRES,
     .user_key = "POSTGRES_USER",
     .password_key = "POSTGRES_PASSWORD",
     .commands = postgres_commands,
     .options = postgres_options,
     .hopeless = postgres_hopeless,
     .home = "postgres",
     .client = "psql",
     .version = "SELECT pg_catalog.current_setting('server_version')",
     .environment = postgres_environment,
     .dump_words = postgres_dump,
     .ask_words = postgres_ask,
     .load_words = postgres_load},
    {.name = "mariadb",
     .dump = DUMP_FILE_SQL,
     .folder = "/usr/bin",
     .port = 3306,
     .format = DATABASE_SQL_MARIADB,
     .user_key = "MARIADB_USER",
     .password_key = "MARIADB_PASSWORD",
     .commands = mariadb_commands,
     .options = mariadb_options,
     .hopeless = mariadb_hopeless,
     .home = "",
     .client = "mariadb",
     .version = "SELECT VERSION()",
     .all = "--all-databases --ignore-database=mysql",
     .names = true,
     .accounts = "--system=users",
     .environment = mariadb_environment,
     .config = mariadb_config,
     .dump_words = mariadb_dump,
     .ask_words = mariadb_ask,
     .load_words = mariadb_load},
    {.name = "redis",
     .dump = DUMP_FILE_RDB,
     .folder = "/usr/bin",
     .port = 6379,
     .format = DATABASE_RDB,
     .password_key = "REDIS_PASSWORD",
     .commands = redis_commands,
     .options = redis_options,
     .hopeless = redis_hopeless,
     .home = "",
     .client = "redis-cli",
     .version = "INFO server",
     .version_in = redis_version,
     .password_alone = true,
     .whole = true,
     .environment = redis_environment,
     .dump_words = redis_dump,
     .ask_words = redis_ask,
     .load_words = redis_load},
};

const struct database_kind *database_kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

const char *database_command(const struct database_kind *kind, const struct database_wish *wish)
{
    return *wish->command ? wish->command : kind->commands[0];
}

bool database_dumps_accounts(const struct database_kind *kind, const struct database_wish *wish)
{
    struct span rest = span_of(wish->args), word;
    bool skips = false;

    while (text_split(&rest, ' ', &word))
        skips = skips || span_is(word, "--skip-system");
    return kind->accounts && !*wish->database && !skips;
}

bool database_is_hopeless(const struct database_kind *kind, const char *words)
{
    for (const char *const *one = kind->hopeless; *one; one++)
        if (strcasestr(words, *one))
            return true;
    return false;
}

/* ---- what a person may say ---- */

static bool is_option(struct span word, const char *option)
{
    size_t length = strlen(option);

    if (option[length - 1] == '=')
        return word.length > length && memcmp(word.data, option, length) == 0;
    return span_is(word, option);
}

static bool is_allowed(const struct database_kind *kind, struct span word)
{
    for (const char *const *option = kind->options; *option; option++)
        if (is_option(word, *option))
            return true;
    return false;
}

static bool check_args(const struct database_kind *kind, const char *args, struct error *err)
{
    struct span rest = span_of(args), word;

    while (text_split(&rest, ' ', &word)) {
        AUTO(free) char *shown = text_printable(word, 60);

        if (word.length && !is_allowed(kind, word))
            return error_set(err, ERROR_FORBIDDEN, "args: %s is not for a dump here", shown);
    }
    return true;
}

bool database_wish_check(const struct database_kind *kind, const struct database_wish *wish,
                         struct error *err)
{
    const char *command = database_command(kind, wish);
    const char *const *one = kind->commands;

    while (*one && strcmp(*one, command) != 0)
        one++;
    if (!*one)
        return error_set(err, ERROR_FORBIDDEN, "%.40s is no tool that dumps a %s", command,
                         kind->name);
    if (one > kind->commands && !*wish->database)
        return error_set(err, ERROR_INVALID, "%s needs the parameter database", command);
    if (kind->whole && *wish->database)
        return error_set(err, ERROR_INVALID,
                         "a %s is dumped as a whole: there is no parameter "
                         "database",
                         kind->name);
    return check_args(kind, wish->args, err);
}

/* ---- how it is reached ---- */

void database_connection_done(struct database_connection *connection)
{
    etcd_connection_done(&connection->base);
    free(connection->host);
    free(connection->query);
    *connection = (struct database_connection){.port = 0};
}

/* "postgres://user@host:5432/db?x=y": "host:5432", and what is behind "?". */
static char *authority_of(const char *url, char **query)
{
    const char *begin = strstr(url, "://"), *at, *asked;
    size_t length;

    begin = begin ? begin + 3 : url;
    length = strcspn(begin, "/?");
    asked = strchr(begin, '?');
    at = memrchr(begin, '@', length);
    *query = text_dup(asked ? asked + 1 : "", asked ? strlen(asked + 1) : 0);
    if (at)
        length -= (size_t)(at + 1 - begin);
    begin = at ? at + 1 : begin;
    return text_dup(begin, length);
}

static bool has_port(const char *authority)
{
    const char *colon = strrchr(authority, ':'), *bracket = strrchr(authority, ']');

    return colon && (!bracket || colon > bracket) && colon[1];
}

/* Whether there is TLS, the tools find out for themselves; certificates are taken all the same. */
static void put_address(const struct database_kind *kind, const json_t *config, json_t *plain,
                        char **query)
{
    const json_t *service = tree_member(config, "service", JSON_OBJECT);
    const char *url = tree_text(config, "url"), *asked = tree_text(service, "query");

    if (!service) {
        AUTO(free) char *authority = authority_of(url ? url : "", query);
        AUTO(free)
        char *made = has_port(authority) ? text_format("http://%s", authority)
                                         : text_format("http://%s:%u", authority, kind->port);

        tree_put_text(plain, "url", made);
        return;
    }

    json_t *copy = tree_copy(service);

    tree_put_text(copy, "scheme", "http");
    tree_put_new(plain, "service", copy);
    *query = text_dup(asked ? asked : "", asked ? strlen(asked) : 0);
}

static void rename_key(json_t *transforms, const char *from, const char *to)
{
    json_t *names = json_object(), *one = json_object();

    if (!from) {
        json_decref(names);
        json_decref(one);
        return;
    }
    tree_put_text(names, "from", from);
    tree_put_text(names, "to", to);
    tree_put_new(one, "renameKey", names);
    tree_push_new(transforms, one);
}

/* The same in the words that etcd's has: one way to read Secrets for all. */
static json_t *plain_of(const struct database_kind *kind, const json_t *app, char **query)
{
    static const char *const kept[] = {"caBundle", "insecureSkipTLSVerify"};
    const json_t *config = tree_get(app, "clientConfig");
    const json_t *given = tree_member(app, "secretTransforms", JSON_ARRAY);
    json_t *made = json_object(), *plain = json_object(),
           *transforms = given ? tree_copy(given) : json_array();

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        tree_put_new(plain, kept[i], tree_copy(tree_get(config, kept[i])));
    put_address(kind, config, plain, query);
    rename_key(transforms, kind->user_key, "username");
    rename_key(transforms, kind->password_key, "password");
    tree_put_text(made, "namespace", tree_text(app, "namespace"));
    tree_put_new(made, "clientConfig", plain);
    tree_put_new(made, "secretTransforms", transforms);
    tree_put_bool(made, "passwordAlone", kind->password_alone);
    return made;
}

static bool is_tls(const json_t *config)
{
    const char *url = tree_text(config, "url");
    const char *scheme = tree_text(tree_member(config, "service", JSON_OBJECT), "scheme");

    return strcmp(scheme ? scheme : "", "rediss") == 0 ||
           (!scheme && strncmp(url ? url : "", "rediss://", 9) == 0);
}

/* "https://[fd00::1]:5432" in two. */
static void split_endpoint(const char *endpoint, struct database_connection *connection)
{
    const char *host = strstr(endpoint, "://") + 3, *colon = strrchr(host, ':');
    size_t length = (size_t)(colon - host);
    bool bracket = host[0] == '[';

    connection->host = text_dup(host + bracket, length - 2 * bracket);
    connection->port = (unsigned)strtoul(colon + 1, NULL, 10);
}

bool database_connection_make(const struct database_kind *kind, const json_t *app,
                              const json_t *secrets, struct database_connection *connection,
                              struct error *err)
{
    AUTO(database_connection) struct database_connection made = {.port = 0};
    AUTO(json) json_t *plain = plain_of(kind, app, &made.query);
    const json_t *config = tree_get(app, "clientConfig");
    const char *name = tree_text(config, "serverName");

    if (!etcd_connection_make(plain, secrets, &made.base, err))
        return false;
    split_endpoint(made.base.endpoint, &made);
    made.tls = is_tls(config);
    if (name && *name && strcmp(name, made.host) != 0)
        return error_set(err, ERROR_INVALID,
                         "clientConfig.serverName is %s: the tools verify the name that they "
                         "connect to, so it has to be the host of url",
                         name);
    *connection = made;
    made = (struct database_connection){.port = 0};
    return true;
}
