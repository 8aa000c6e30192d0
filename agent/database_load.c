#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/database_tool.h"
#include "agent/mariadb_rewrite.h"
#include "agent/postgres_rewrite.h"
#include "agent/redis_rewrite.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/tree.h"

/* Bytes that wait for the client at most, before more is read; what is kept of last words. */
#define PENDING_MAX_BYTES (1u << 20)
#define ERRORS_MAX_BYTES 4096u

/* Names of databases that hold something, in a message. */
#define NAMES_MAX 5

extern char **environ;

/* One restore under way. */
struct loading {
    struct database_tool *tool;
    struct child from, to; /* restic, and the client */
    bool from_ended, to_started, to_ended;
    int from_status, to_status; /* of waitpid(2) */
    int pipe;                   /* the client's standard input; below 0: closed */
    struct database_proof proof;
    struct postgres_rewrite postgres;
    struct mariadb_rewrite mariadb;
    struct redis_rewrite redis;
    struct text pending, from_errors, to_errors;
    struct lines tags;
    int64_t tables, rows;     /* that the client says it has made */
    int64_t replies, expired; /* of Redis; keys whose time was over meanwhile */
    /* what was there before */
    json_t *roles;      /* or accounts, as the rewriting has their names */
    char *own, *filled; /* filled: names of databases that are not empty, or NULL */
    int server;
    char *refused; /* why accounts can not be asked for, or NULL */
};

static void auto_loading(struct loading *loading)
{
    if (loading->pipe >= 0)
        close(loading->pipe);
    database_proof_done(&loading->proof);
    postgres_rewrite_done(&loading->postgres);
    mariadb_rewrite_done(&loading->mariadb);
    redis_rewrite_done(&loading->redis);
    lines_done(&loading->tags);
    text_done(&loading->pending);
    text_done(&loading->from_errors);
    text_done(&loading->to_errors);
    json_decref(loading->roles);
    free(loading->own);
    free(loading->filled);
    free(loading->refused);
}

/* What varies between kinds. */
struct loader {
    /* what is there before */
    bool (*look)(struct loading *loading, struct error *err);
    /* the dump as it is said to this server */
    void (*rewrite)(struct loading *loading, struct span piece);
    bool (*end)(struct loading *loading, struct error *err);
    /* what is said before a dump of one database */
    void (*first)(struct loading *loading, struct text *out);
    /* that the server has all of it, after the client ended well */
    bool (*verify)(struct loading *loading, struct error *err);
    bool one_is_atomic; /* a dump of one database is a transaction */
    bool goes_on;       /* its client does, after the server has refused something */
};

static const struct loader *loader_of(const struct loading *loading);

/* ---- PostgreSQL ---- */

static const char relations[] =
    "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
    "ON n.oid = c.relnamespace WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' "
    "AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT EXISTS (SELECT FROM "
    "pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass "
    "AND d.objid = c.oid AND d.deptype = 'e')";

static bool look_into(struct loading *loading, const char *database, struct text *filled,
                      struct error *err)
{
    AUTO(free) char *count = database_tool_ask(loading->tool, database, relations, err);

    if (!count)
        return error_wrap(err, "database %.63s", database);
    if (strcmp(count, "0") != 0)
        text_addf(filled, "%s%s", filled->length ? ", " : "", database);
    return true;
}

static char *quoted(const char *name)
{
    AUTO(text) struct text made = {0};

    text_putc(&made, '"');
    for (; *name; name++)
        text_add(&made, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    text_putc(&made, '"');
    return text_take(&made);
}

static bool make_database(struct loading *loading, const char *name, struct error *err)
{
    AUTO(free) char *sql = quoted(name);
    AUTO(free) char *question = text_format("CREATE DATABASE %s", sql);
    AUTO(free) char *said = database_tool_ask(loading->tool, "postgres", question, err);

    return said != NULL;
}

/* All of them, or the one that is meant, which is made when it is not there. */
static bool look_at_databases(struct loading *loading, struct error *err)
{
    const char *only = loading->tool->options->wish.database;
    AUTO(text) struct text filled = {0};
    AUTO(free)
    char *names = database_tool_ask(loading->tool, "postgres",
                                    "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn "
                                    "AND NOT datistemplate",
                                    err);
    struct span rest = span_of(names), one;
    bool found = false;

    if (!names)
        return false;
    while (text_split(&rest, '\n', &one)) {
        AUTO(free) char *name = text_dup(one.data, one.length);

        found = found || strcmp(name, only) == 0;
        if ((!*only || strcmp(name, only) == 0) && !look_into(loading, name, &filled, err))
            return false;
    }
    if (filled.length)
        loading->filled = text_take(&filled);
    return !*only || found || make_database(loading, only, err);
}

/* Names of roles, a line each. */
static bool look_at_roles(struct loading *loading, const char *question, struct error *err)
{
    AUTO(free) char *names = database_tool_ask(loading->tool, NULL, question, err);
    struct span rest = span_of(names), one;

    loading->roles = json_object();
    while (names && text_split(&rest, '\n', &one)) {
        AUTO(free) char *name = text_dup(one.data, one.length);

        tree_put_bool(loading->roles, name, true);
    }
    return names != NULL;
}

static bool postgres_look(struct loading *loading, struct error *err)
{
    AUTO(free) char *server = NULL;

    if (!look_at_databases(loading, err) ||
        !look_at_roles(loading, "SELECT pg_catalog.quote_ident(rolname) FROM pg_catalog.pg_roles",
                       err))
        return false;
    loading->own =
        database_tool_ask(loading->tool, NULL, "SELECT pg_catalog.quote_ident(current_user)", err);
    server = database_tool_ask(loading->tool, NULL,
                               "SELECT pg_catalog.current_setting('server_version_num')", err);
    loading->server = server ? (int)strtol(server, NULL, 10) : 0;
    return loading->own && server;
}

static void rewrite_postgres(struct loading *loading, struct span piece)
{
    if (!loading->postgres.out)
        loading->postgres = (struct postgres_rewrite){.roles = loading->roles,
                                                      .own = loading->own,
                                                      .server = loading->server,
                                                      .clears = loading->filled != NULL,
                                                      .out = &loading->pending};
    postgres_rewrite_add(&loading->postgres, piece);
}

static bool end_postgres(struct loading *loading, struct error *err)
{
    (void)err;
    postgres_rewrite_end(&loading->postgres);
    return true;
}

static void first_postgres(struct loading *loading, struct text *out)
{
    if (loading->filled)
        postgres_clear(out, loading->server);
}

/* Its client has said what it made. */
static bool verify_postgres(struct loading *loading, struct error *err)
{
    (void)loading;
    (void)err;
    return true;
}

/* ---- MariaDB ---- */

/* Not everybody may see them, and not every dump has some. */
static bool look_at_accounts(struct loading *loading)
{
    struct error err = {.message = ""};

    if (look_at_roles(loading, "SELECT CONCAT(HEX(user), '@', HEX(host)) FROM mysql.user", &err))
        loading->own =
            database_tool_ask(loading->tool, NULL,
                              "SELECT HEX(LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - 1 - "
                              "CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1))))",
                              &err);
    if (!loading->own)
        loading->refused = text_format("%s", err.message);
    return true;
}

static bool mariadb_look(struct loading *loading, struct error *err)
{
    const char *only = loading->tool->options->wish.database;
    AUTO(text) struct text filled = {0};
    AUTO(free)
    char *names = database_tool_ask(
        loading->tool, NULL,
        "SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_schema NOT IN "
        "('mysql', 'information_schema', 'performance_schema', 'sys')",
        err);
    struct span rest = span_of(names), one;

    while (names && text_split(&rest, '\n', &one))
        if (one.length && (!*only || span_is(one, only)))
            text_addf(&filled, "%s%.*s", filled.length ? ", " : "", (int)one.length, one.data);
    if (filled.length)
        loading->filled = text_take(&filled);
    return names && look_at_accounts(loading);
}

static void rewrite_mariadb(struct loading *loading, struct span piece)
{
    loading->mariadb.out = &loading->pending;
    loading->mariadb.accounts.known = loading->roles;
    /* what is said without knowing him is never given: check_accounts() */
    loading->mariadb.accounts.own = loading->own ? loading->own : "";
    loading->mariadb.accounts.replaces = loading->tool->options->wish.overwrite;
    mariadb_rewrite_add(&loading->mariadb, piece);
}

static bool end_mariadb(struct loading *loading, struct error *err)
{
    (void)err;
    mariadb_rewrite_end(&loading->mariadb);
    return true;
}

static void first_mariadb(struct loading *loading, struct text *out)
{
    mariadb_begin(out, loading->tool->options->wish.database, loading->filled != NULL);
}

/* Rows of some tables, added up; below 0: err says why not. */
static int64_t count_rows(struct loading *loading, const char *question, struct error *err)
{
    AUTO(free) char *said = database_tool_ask(loading->tool, NULL, question, err);

    return said ? strtoll(said, NULL, 10) : -1;
}

/* The server is asked for each table of the dump. */
static bool verify_mariadb(struct loading *loading, struct error *err)
{
    const char *only = loading->tool->options->wish.database;
    struct span rest = {text_get(&loading->mariadb.tables), loading->mariadb.tables.length};
    AUTO(text) struct text question = {0};

    if (loading->mariadb.accounts.strange)
        return database_tool_fail(loading->tool, "RestoreIncomplete", err, ERROR_INVALID,
                                  "all databases are there, but not all accounts: what the dump "
                                  "says of them is not understood");
    for (;;) {
        bool more = mariadb_question(&question, &rest, only, &loading->tables);
        int64_t rows = more ? count_rows(loading, text_get(&question), err) : 0;

        if (rows < 0) {
            loading->tool->reason = "RestoreIncomplete";
            return false;
        }
        if (!more)
            return true;
        loading->rows += rows;
    }
}

/* ---- Redis ---- */

static bool look_redis(struct loading *loading, struct error *err)
{
    AUTO(free) char *keys = database_tool_ask(loading->tool, NULL, "INFO keyspace", err);
    AUTO(free)
    char *memory = keys ? database_tool_ask(loading->tool, NULL, "INFO memory", err) : NULL;
    AUTO(text) struct text filled = {0};

    if (!memory)
        return false;
    redis_filled(keys, &filled);
    redis_filled(memory, &filled);
    if (filled.length)
        loading->filled = text_take(&filled);
    return true;
}

static void rewrite_redis(struct loading *loading, struct span piece)
{
    if (!loading->redis.out)
        redis_rewrite_init(&loading->redis, loading->tool->options->wish.overwrite, clock_now_ms(),
                           &loading->pending);
    redis_rewrite_add(&loading->redis, piece);
}

static bool end_redis(struct loading *loading, struct error *err)
{
    return rdb_end(&loading->redis.rdb, err) ||
           database_tool_fail(loading->tool, "RestoreFailed", err, ERROR_INVALID, "%s",
                              err->message);
}

static void first_redis(struct loading *loading, struct text *out)
{
    (void)loading;
    (void)out;
}

static bool verify_redis(struct loading *loading, struct error *err)
{
    AUTO(free) char *keys = database_tool_ask(loading->tool, NULL, "INFO keyspace", err);

    if (keys && redis_verify(&loading->redis, keys, loading->replies, &loading->expired, err))
        return true;
    loading->tool->reason = "RestoreIncomplete";
    return false;
}

static const struct loader loaders[] = {
    [DATABASE_SQL_POSTGRES] = {postgres_look, rewrite_postgres, end_postgres, first_postgres,
                               verify_postgres, true, false},
    [DATABASE_SQL_MARIADB] = {mariadb_look, rewrite_mariadb, end_mariadb, first_mariadb,
                              verify_mariadb, false, false},
    [DATABASE_RDB] = {look_redis, rewrite_redis, end_redis, first_redis, verify_redis, false, true},
};

static const struct loader *loader_of(const struct loading *loading)
{
    return &loaders[loading->tool->kind->format];
}

/* ---- may it be done ---- */

static bool may_load(struct loading *loading, struct error *err)
{
    struct database_tool *tool = loading->tool;

    if (!loader_of(loading)->look(loading, err)) {
        tool->reason = "DatabaseRefused";
        return false;
    }
    return !loading->filled || tool->options->wish.overwrite ||
           database_tool_fail(tool, "DatabaseNotEmpty", err, ERROR_CONFLICT,
                              "there is data already: %.200s. Nothing was changed. What to do: "
                              "restore into an empty server or another database; or say with the "
                              "parameter overwrite=true that what has the same name is replaced",
                              loading->filled);
}

/* ---- the pipe ---- */

static void keep_errors(struct text *errors, const char *piece, size_t length)
{
    size_t room = ERRORS_MAX_BYTES > errors->length ? ERRORS_MAX_BYTES - errors->length : 0;

    /* the first words tell why */
    text_add(errors, piece, length < room ? length : room);
}

/* Of PostgreSQL's client and of Redis's; MariaDB's says nothing. */
static void take_tag(void *context, struct span line, bool first, bool last)
{
    struct loading *loading = context;
    static const char copy[] = "COPY ";

    if (!first || !last)
        return;
    if (redis_replies(line) >= 0)
        loading->replies = redis_replies(line);
    loading->tables += span_is(line, "CREATE TABLE\n");
    if (line.length > sizeof copy && memcmp(line.data, copy, sizeof copy - 1) == 0)
        loading->rows += strtoll(line.data + sizeof copy - 1, NULL, 10);
}

static void take_dump(struct loading *loading, struct span piece)
{
    database_proof_add(&loading->proof, piece);
    loader_of(loading)->rewrite(loading, piece);
}

enum source { FROM_RESTIC, FROM_RESTIC_ERRORS, FROM_TAGS, FROM_ERRORS };

static void take_piece(struct loading *loading, enum source source, struct span piece)
{
    if (source == FROM_RESTIC)
        take_dump(loading, piece);
    else if (source == FROM_TAGS)
        lines_add(&loading->tags, piece, take_tag, loading);
    else
        keep_errors(source == FROM_ERRORS ? &loading->to_errors : &loading->from_errors, piece.data,
                    piece.length);
}

static bool is_full(const struct loading *loading, enum source source)
{
    return source == FROM_RESTIC && loading->pending.length > PENDING_MAX_BYTES;
}

static void drain(struct loading *loading, int *fd, enum source source)
{
    char piece[65536];
    ssize_t got;

    while (*fd >= 0 && !is_full(loading, source)) {
        got = read(*fd, piece, sizeof piece);
        if (got > 0) {
            take_piece(loading, source, (struct span){piece, (size_t)got});
        } else if (got == 0) {
            close(*fd);
            *fd = -1;
        } else if (errno != EINTR) {
            return;
        }
    }
}

/* To the client, as far as it takes it. */
static void feed(struct loading *loading)
{
    struct text *pending = &loading->pending;
    size_t done = 0;

    while (loading->pipe >= 0 && done < pending->length) {
        ssize_t put = write(loading->pipe, pending->data + done, pending->length - done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno != EAGAIN) {
            close(loading->pipe);
            loading->pipe = -1;
        }
        if (put <= 0)
            break;
        done += (size_t)put;
    }
    if (loading->pipe < 0)
        done = pending->length;
    memmove(pending->data, pending->data + done, pending->length - done);
    pending->length -= done;
}

/* Its status without its end, which the other one's must not take away. */
static bool has_ended(const struct child *child, int *status)
{
    siginfo_t info = {.si_pid = 0};

    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || !info.si_pid)
        return false;
    *status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
    return true;
}

static void look_at_ends(struct loading *loading)
{
    if (!loading->from_ended)
        loading->from_ended = has_ended(&loading->from, &loading->from_status);
    if (loading->to_started && !loading->to_ended)
        loading->to_ended = has_ended(&loading->to, &loading->to_status);
}

static void stop_both(struct loading *loading)
{
    if (loading->to_started)
        child_signal(&loading->to, SIGKILL);
    child_signal(&loading->from, SIGKILL);
}

/* What comes after it can not make it good. That a password was given where none is needed is no
 * more than a remark. */
static bool is_refused(const struct loading *loading)
{
    struct span rest = {text_get(&loading->to_errors), loading->to_errors.length}, line;
    static const char remark[] = "AUTH failed";

    while (loader_of(loading)->goes_on && memchr(rest.data, '\n', rest.length) &&
           text_split(&rest, '\n', &line))
        if (line.length < sizeof remark || memcmp(line.data, remark, sizeof remark - 1) != 0)
            return true;
    return false;
}

/* One look at all that can happen. */
static void turn(struct loading *loading)
{
    struct child *from = &loading->from, *to = &loading->to;
    bool full = is_full(loading, FROM_RESTIC), started = loading->to_started;
    struct pollfd waits[] = {
        {full ? -1 : from->out, POLLIN, 0},
        {from->err, POLLIN, 0},
        {started ? to->out : -1, POLLIN, 0},
        {started ? to->err : -1, POLLIN, 0},
        {started && loading->pending.length ? loading->pipe : -1, POLLOUT, 0},
        {loading->from_ended ? -1 : from->ended_fd, POLLIN, 0},
        {started && !loading->to_ended ? to->ended_fd : -1, POLLIN, 0},
        {loading->tool->stop_fd, POLLIN, 0},
    };

    (void)poll(waits, sizeof waits / sizeof *waits, 500);
    if (waits[7].revents)
        stop_both(loading);
    look_at_ends(loading);
    drain(loading, &from->out, FROM_RESTIC);
    drain(loading, &from->err, FROM_RESTIC_ERRORS);
    if (!started)
        return;
    drain(loading, &to->out, FROM_TAGS);
    drain(loading, &to->err, FROM_ERRORS);
    if (is_refused(loading))
        stop_both(loading);
    feed(loading);
}

/* ---- its two ends ---- */

static bool start_restic(struct loading *loading, struct error *err)
{
    const struct database_options *options = loading->tool->options;
    struct child_spec spec = {.program = options->restic ? options->restic : "/usr/bin/restic",
                              .argv = (const char *const *)options->behind,
                              .environment = (const char *const *)environ,
                              .input = -1};

    if (child_start(&loading->tool->children, &spec, &loading->from, err))
        return true;
    loading->tool->reason = "ResticNotStarted";
    return false;
}

static bool start_client(struct loading *loading, struct error *err)
{
    struct database_tool *tool = loading->tool;
    AUTO(free) char *path = database_tool_path(tool, tool->kind->client);
    AUTO(words) struct words argv = {0}, environment = {0};
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(err, ERROR_INTERNAL, "pipe: %s", strerror(errno));
    words_add(&argv, tool->kind->client);
    tool->kind->load_words(&tool->connection, &tool->files, !loading->proof.cluster, &argv);
    database_tool_environment(tool, NULL, &environment);

    struct child_spec spec = {.program = path,
                              .argv = words_list(&argv),
                              .environment = words_list(&environment),
                              .files = tool->fds,
                              .file_count = tool->fd_count,
                              .input = ends[0]};

    loading->to_started = child_start(&tool->children, &spec, &loading->to, err);
    close(ends[0]);
    loading->pipe = ends[1];
    fcntl(loading->pipe, F_SETFL, O_NONBLOCK);
    return loading->to_started;
}

/* A dump of all databases is no dump of one, and can not be given to one. */
static bool check_kind(struct loading *loading, struct error *err)
{
    const char *only = loading->tool->options->wish.database;

    if (loading->proof.cluster && *only)
        return database_tool_fail(loading->tool, "ArgumentRefused", err, ERROR_INVALID,
                                  "this is a dump of all databases: the parameter database is for "
                                  "a dump of one");
    if (!loading->proof.cluster && !*only)
        return database_tool_fail(loading->tool, "ArgumentRefused", err, ERROR_INVALID,
                                  "this is a dump of one database: the parameter database has to "
                                  "say into which one it goes");
    return true;
}

/* Without knowing who is there, nobody is kept from harm. */
static bool check_accounts(struct loading *loading, struct error *err)
{
    if (!loading->proof.mark[0] || !loading->refused)
        return true;
    return database_tool_fail(loading->tool, "DatabaseRefused", err, ERROR_FORBIDDEN,
                              "the dump has accounts: %.200s. Nothing was changed. What to do: "
                              "restore with a user that may read the database mysql and make users",
                              loading->refused);
}

/* What comes first decides how it is given. */
static bool begin(struct loading *loading, struct error *err)
{
    while (!loading->proof.begun && loading->from.out >= 0 && !is_full(loading, FROM_RESTIC))
        turn(loading);
    if (is_full(loading, FROM_RESTIC) && !loading->proof.begun)
        return database_tool_fail(loading->tool, "DumpIncomplete", err, ERROR_INVALID,
                                  "it does not begin like a dump");
    if (!loading->proof.begun)
        return true; /* how it ended says why */
    if (!check_kind(loading, err) || !check_accounts(loading, err))
        return false;
    if (!loading->proof.cluster) {
        AUTO(text) struct text first = {0};

        loader_of(loading)->first(loading, &first);
        text_add(&first, text_get(&loading->pending), loading->pending.length);
        loading->pending.length = 0;
        text_add(&loading->pending, first.data, first.length);
    }
    if (start_client(loading, err))
        return true;
    loading->tool->reason = "RestoreFailed";
    return false;
}

/* ---- judgement ---- */

static bool ended_well(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static char *first_error(const struct loading *loading, const struct text *errors)
{
    struct span text = {text_get(errors), errors->length}, line = {NULL, 0};

    (void)text_split(&text, '\n', &line);
    return database_tool_words(loading->tool, line);
}

/* All that was to be given came, and is what was backed up. */
static bool judge_dump(struct loading *loading, struct error *err)
{
    AUTO(free) char *words = first_error(loading, &loading->from_errors);

    if (!ended_well(loading->from_status))
        return database_tool_fail(loading->tool, "ResticFailed", err, ERROR_INTERNAL,
                                  "restic did not give the dump: %s", words);
    return database_proof_end(&loading->proof, err) ||
           database_tool_fail(loading->tool, "DumpIncomplete", err, ERROR_INVALID, "%s",
                              err->message);
}

static bool judge_client(struct loading *loading, struct error *err)
{
    const char *client = loading->tool->kind->client;
    AUTO(free) char *words = first_error(loading, &loading->to_errors);
    const char *left = loading->proof.cluster || !loader_of(loading)->one_is_atomic
                           ? "What was restored before stays; a second try needs overwrite=true"
                           : "Nothing was changed";

    if (!ended_well(loading->to_status))
        return database_tool_fail(loading->tool, "RestoreFailed", err, ERROR_INTERNAL, "%s: %s. %s",
                                  client, *words ? words : "it failed", left);
    if (!loader_of(loading)->verify(loading, err))
        return false;
    if (loading->tables == loading->proof.tables && loading->rows == loading->proof.rows)
        return true;
    return database_tool_fail(
        loading->tool, "RestoreIncomplete", err, ERROR_INTERNAL,
        "the dump has %lld tables and %lld rows, the server says that it has %lld and %lld",
        (long long)loading->proof.tables, (long long)loading->proof.rows,
        (long long)loading->tables, (long long)loading->rows);
}

/* The client ends by itself only after it was given all of a dump that is whole: one that was cut
 * off would be committed like any other. */
static bool give(struct loading *loading, struct error *err)
{
    while (!loading->to_ended && (loading->from.out >= 0 || !loading->from_ended))
        turn(loading);
    if (loading->to_ended)
        return judge_client(loading, err) ||
               database_tool_fail(loading->tool, "RestoreFailed", err, ERROR_INTERNAL,
                                  "%s ended before it had all", loading->tool->kind->client);
    if (!judge_dump(loading, err))
        return false;
    if (!loader_of(loading)->end(loading, err))
        return false;
    while (!loading->to_ended && loading->pending.length)
        turn(loading);
    if (loading->pipe >= 0)
        close(loading->pipe);
    loading->pipe = -1;
    while (!loading->to_ended)
        turn(loading);
    turn(loading);
    return judge_client(loading, err);
}

static void end_both(struct loading *loading)
{
    struct children *children = &loading->tool->children;

    stop_both(loading);
    if (loading->to_started)
        (void)child_end(children, &loading->to);
    (void)child_end(children, &loading->from);
}

static void put_keys(json_t *facts, const struct loading *loading)
{
    const struct rdb *rdb = &loading->proof.rdb;

    tree_put_int(facts, "databases", rdb->databases);
    tree_put_int(facts, "keys", rdb->keys - loading->expired);
    tree_put_int(facts, "expired", loading->expired);
    tree_put_int(facts, "libraries", rdb->libraries);
}

static void put_facts(const struct loading *loading)
{
    json_t *facts = loading->tool->facts;
    const struct database_proof *proof = &loading->proof;

    tree_put_text(facts, "kind", loading->tool->kind->name);
    tree_put_int(facts, "size", proof->bytes);
    if (proof->format == DATABASE_RDB) {
        put_keys(facts, loading);
        return;
    }
    tree_put_int(facts, "databases", proof->databases ? proof->databases : 1);
    tree_put_int(facts, "tables", loading->tables);
    tree_put_int(facts, "rows", loading->rows);
}

bool database_load(struct database_tool *tool, struct error *err)
{
    AUTO(loading) struct loading loading = {.tool = tool, .pipe = -1};
    bool good;

    database_proof_init(&loading.proof, tool->kind->format);
    if (!may_load(&loading, err))
        return false;
    if (!start_restic(&loading, err))
        return false;
    good = begin(&loading, err);
    if (good && !loading.to_started) {
        while (!loading.from_ended)
            turn(&loading);
        good = judge_dump(&loading, err);
    } else if (good) {
        good = give(&loading, err);
    }
    end_both(&loading);
    put_facts(&loading);
    return good;
}
