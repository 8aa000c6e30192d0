#include "agent/database_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/helper.h"
#include "agent/secret_folder.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/tree.h"

/* Milliseconds between two tries to reach it, and that one question may take. */
#define AGAIN_MS 2000
#define QUESTION_MS 600000

/* Characters of a tool's last words, bytes that are kept of them. */
#define WORDS_MAX_CHARS 400
#define ERRORS_MAX_BYTES 4096u

/* ---- what they share ---- */

bool database_tool_fail(struct database_tool *tool, const char *reason, struct error *err,
                        enum error_code code, const char *format, ...)
{
    AUTO(text) struct text text = {0};
    va_list args;

    if (tool->reason)
        return false;
    tool->reason = reason;
    va_start(args, format);
    text_addv(&text, format, args);
    va_end(args);
    return error_set(err, code, "%s", text_get(&text));
}

static void auto_secrets(json_t **secrets)
{
    secret_folder_done(*secrets);
}

/* The place that it has in a tool; below 0: there is none. libpq wants a key that nobody else may
 * read. */
static bool add_file(struct database_tool *tool, struct span text, int *place, struct error *err)
{
    int fd;

    *place = -1;
    if (!text.length)
        return true;
    fd = memory_file(text, err);
    if (fd < 0)
        return false;
    (void)fchmod(fd, 0600);
    *place = CHILD_FILE_FIRST + (int)tool->fd_count;
    tool->fds[tool->fd_count++] = fd;
    return true;
}

static bool add_pem(struct database_tool *tool, const struct text *pem, int *place,
                    struct error *err)
{
    return add_file(tool, (struct span){pem->data, pem->length}, place, err);
}

static bool add_files(struct database_tool *tool, struct error *err)
{
    struct etcd_connection *base = &tool->connection.base;
    AUTO(secret_text) struct text config = {0};
    bool good = add_pem(tool, &base->ca, &tool->files.ca, err) &&
                add_pem(tool, &base->certificate, &tool->files.certificate, err) &&
                add_pem(tool, &base->key, &tool->files.key, err);

    if (good && tool->kind->config)
        tool->kind->config(&tool->connection, &tool->options->wish, &tool->files, &config);
    return good && add_pem(tool, &config, &tool->files.config, err);
}

/* Whom a person names counts before whom the Secret does. */
static void name_user(struct database_tool *tool)
{
    const char *user = tool->options->wish.user;

    if (!*user)
        return;
    free(tool->connection.base.user);
    tool->connection.base.user = text_dup(user, strlen(user));
}

static bool connect_to(struct database_tool *tool, struct error *err)
{
    const char *said = getenv(ENV_APP);
    AUTO(json) json_t *app = said ? json_loads(said, JSON_REJECT_DUPLICATES, NULL) : NULL;
    AUTO(secrets) json_t *secrets = app_secrets_read(tool->options->secrets);

    if (!json_is_object(app))
        return error_set(err, ERROR_INVALID, "%s names no AppBinding", ENV_APP);
    if (!database_connection_make(tool->kind, app, secrets, &tool->connection, err))
        return error_wrap(err, "AppBinding");
    name_user(tool);
    return true;
}

bool database_tool_begin(struct database_tool *tool, const struct database_options *options,
                         struct error *err)
{
    *tool = (struct database_tool){.options = options,
                                   .kind = options->kind,
                                   .children = {.mutex = PTHREAD_MUTEX_INITIALIZER},
                                   .facts = json_object(),
                                   .stop_fd = signals_catch((const int[]){SIGTERM, SIGINT, 0})};
    if (!database_wish_check(options->kind, &options->wish, err)) {
        tool->reason = "ArgumentRefused";
        return false;
    }
    if (!connect_to(tool, err) || !add_files(tool, err)) {
        tool->reason = "DatabaseNotNamed";
        return false;
    }
    return true;
}

void database_tool_done(struct database_tool *tool)
{
    for (size_t i = 0; i < tool->fd_count; i++)
        close(tool->fds[i]);
    database_connection_done(&tool->connection);
    json_decref(tool->facts);
    if (tool->stop_fd >= 0)
        close(tool->stop_fd);
}

void database_tool_environment(const struct database_tool *tool, const char *database,
                               struct words *out)
{
    struct database_wish wish = tool->options->wish;

    if (database)
        wish.database = database;
    words_add(out, "PATH=/usr/bin:/bin");
    words_add(out, "LC_ALL=C.UTF-8");
    words_addf(out, "HOME=%s", tool->options->scratch);
    words_addf(out, "TMPDIR=%s", tool->options->scratch);
    tool->kind->environment(&tool->connection, &wish, &tool->files, out);
}

char *database_tool_path(const struct database_tool *tool, const char *name)
{
    return text_format("%s/%s", tool->options->tools, name);
}

char *database_tool_words(const struct database_tool *tool, struct span errors)
{
    AUTO(text) struct text clean = {0};
    const char *secrets[] = {tool->connection.base.password};
    struct span rest = errors, line, last = {NULL, 0};

    while (text_split(&rest, '\n', &line)) {
        line = text_trim(line);
        if (line.length && (!last.length || !memmem(last.data, last.length, "rror", 4)))
            last = line;
    }
    if (last.length)
        text_add(&clean, last.data, last.length);
    redact(&clean, secrets, secrets[0] != NULL);
    return text_printable((struct span){text_get(&clean), clean.length}, WORDS_MAX_CHARS);
}

static char *run_client(struct database_tool *tool, const char *program, struct words *argv,
                        const char *database, struct error *err)
{
    AUTO(words) struct words environment = {0};
    AUTO(etcd_said) struct etcd_said said = {0};
    AUTO(free) char *path = database_tool_path(tool, program);
    struct etcd_run run = {.children = &tool->children,
                           .stop_fd = tool->stop_fd,
                           .until_ms = clock_mono_ms() + QUESTION_MS,
                           .files = tool->fds,
                           .file_count = tool->fd_count};

    database_tool_environment(tool, database, &environment);
    run.environment = words_list(&environment);
    if (!etcd_run(&run, path, argv, &said, err)) {
        AUTO(free)
        char *words =
            database_tool_words(tool, (struct span){text_get(&said.errors), said.errors.length});

        if (*words)
            error_set(err, err->code, "%s: %s", program, words);
        return NULL;
    }
    while (said.out.length && said.out.data[said.out.length - 1] == '\n')
        said.out.data[--said.out.length] = '\0';
    return text_take(&said.out);
}

char *database_tool_ask(struct database_tool *tool, const char *database, const char *question,
                        struct error *err)
{
    AUTO(words) struct words argv = {0};

    words_add(&argv, tool->kind->client);
    tool->kind->ask_words(&tool->connection, &tool->files, question, &argv);
    return run_client(tool, tool->kind->client, &argv, database, err);
}

/* ---- check ---- */

static char *ask_version(struct database_tool *tool, const char *database, struct error *err)
{
    AUTO(free) char *said = database_tool_ask(tool, database, tool->kind->version, err);

    return said && tool->kind->version_in ? tool->kind->version_in(said, err) : TAKE(said);
}

static bool ask_versions(struct database_tool *tool, struct error *err)
{
    const char *database = tool->options->verb == DATABASE_READY ? tool->kind->home : NULL;
    const char *command = database_command(tool->kind, &tool->options->wish);
    AUTO(words) struct words argv = {0};
    AUTO(free) char *server = NULL, *own = NULL;

    server = ask_version(tool, database, err);
    if (!server)
        return false;
    words_add(&argv, command);
    words_add(&argv, "--version");
    own = run_client(tool, command, &argv, NULL, err);
    if (!own)
        return false;
    tree_put_text(tool->facts, "kind", tool->kind->name);
    tree_put_text(tool->facts, "serverVersion", server);
    tree_put_text(tool->facts, "toolVersion", own);
    return true;
}

/* Until it answers, or nothing helps. */
static bool check(struct database_tool *tool, struct error *err)
{
    int64_t until_ms = clock_mono_ms() + tool->options->wait_s * 1000;

    while (!ask_versions(tool, err)) {
        if (database_is_hopeless(tool->kind, err->message)) {
            tool->reason = "DatabaseRefused";
            return false;
        }
        if (err->code == ERROR_GONE || clock_mono_ms() + AGAIN_MS > until_ms) {
            tool->reason = "DatabaseUnreachable";
            return false;
        }
        log_info("the database does not answer yet", LOG_S("reason", err->message));
        (void)poll(&(struct pollfd){tool->stop_fd, POLLIN, 0}, 1, AGAIN_MS);
    }
    return true;
}

/* ---- dump ---- */

/* One dump under way. */
struct dumping {
    struct database_tool *tool;
    struct child child;
    struct database_proof proof;
    struct text errors;
    bool gone; /* who reads it is */
    char mark[DATABASE_ACCOUNTS_LINE_BYTES];
};

static void auto_dumping(struct dumping *dumping)
{
    database_proof_done(&dumping->proof);
    text_done(&dumping->errors);
}

static bool write_all(const char *data, size_t length)
{
    while (length > 0) {
        ssize_t done = write(STDOUT_FILENO, data, length);

        if (done < 0 && errno != EINTR)
            return false;
        data += done > 0 ? done : 0;
        length -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

/* Its tool may leave something behind a dump, which is no part of it. */
static void take_dump(struct dumping *dumping, struct span piece)
{
    int64_t before = dumping->proof.bytes;

    database_proof_add(&dumping->proof, piece);
    piece.length = (size_t)(dumping->proof.bytes - before);
    dumping->gone = !write_all(piece.data, piece.length);
}

static void keep_errors(struct text *errors, const char *piece, size_t length)
{
    text_add(errors, piece, length);
    if (errors->length > 2 * ERRORS_MAX_BYTES) {
        memmove(errors->data, errors->data + errors->length - ERRORS_MAX_BYTES, ERRORS_MAX_BYTES);
        errors->length = ERRORS_MAX_BYTES;
        errors->data[errors->length] = '\0';
    }
}

static void take(struct dumping *dumping, int *fd, bool of_errors)
{
    char piece[65536];
    ssize_t got;

    while (*fd >= 0 && !dumping->gone) {
        got = read(*fd, piece, sizeof piece);
        if (got > 0 && of_errors) {
            keep_errors(&dumping->errors, piece, (size_t)got);
        } else if (got > 0) {
            take_dump(dumping, (struct span){piece, (size_t)got});
        } else if (got == 0) {
            close(*fd);
            *fd = -1;
        } else if (errno != EINTR) {
            return;
        }
    }
}

static void pass_on(struct dumping *dumping)
{
    struct child *child = &dumping->child;
    bool ended = false;

    while (!dumping->gone && (!ended || child->out >= 0)) {
        struct pollfd waits[] = {{child->out, POLLIN, 0},
                                 {child->err, POLLIN, 0},
                                 {ended ? -1 : child->ended_fd, POLLIN, 0},
                                 {STDOUT_FILENO, 0, 0},
                                 {dumping->tool->stop_fd, POLLIN, 0}};

        (void)poll(waits, 5, 500);
        dumping->gone = waits[3].revents || waits[4].revents;
        ended = ended || child_has_ended(child);
        take(dumping, &child->out, false);
        take(dumping, &child->err, true);
        /* what it left running may hold its pipes open */
        if (ended)
            break;
    }
}

static bool judge(struct dumping *dumping, int status, const char *command, struct error *err)
{
    struct database_tool *tool = dumping->tool;
    AUTO(free)
    char *words = database_tool_words(
        tool, (struct span){text_get(&dumping->errors), dumping->errors.length});

    if (dumping->gone)
        return database_tool_fail(tool, "", err, ERROR_GONE, "nobody reads the dump any more");
    if (WIFSIGNALED(status))
        return database_tool_fail(tool, "DumpFailed", err, ERROR_INTERNAL,
                                  "%s was ended by signal %d%s%s", command, WTERMSIG(status),
                                  *words ? ": " : "", words);
    if (WEXITSTATUS(status) != 0)
        return database_tool_fail(tool, "DumpFailed", err, ERROR_INTERNAL,
                                  "%s failed with exit status %d%s%s", command, WEXITSTATUS(status),
                                  *words ? ": " : "", words);
    return database_proof_end_part(&dumping->proof, err) ||
           database_tool_fail(tool, "DumpIncomplete", err, ERROR_INVALID, "%s ended well, but %s",
                              command, err->message);
}

static void put_keys(json_t *facts, const struct rdb *rdb)
{
    tree_put_int(facts, "databases", rdb->databases);
    tree_put_int(facts, "keys", rdb->keys);
    tree_put_int(facts, "libraries", rdb->libraries);
    tree_put_int(facts, "largest", rdb->largest);
    tree_put_text(facts, "keyspace", text_get(&rdb->keyspace));
}

static void put_counts(json_t *facts, const struct database_proof *proof)
{
    tree_put_int(facts, "size", proof->bytes);
    if (proof->format == DATABASE_RDB) {
        put_keys(facts, &proof->rdb);
        return;
    }
    tree_put_int(facts, "databases", proof->databases ? proof->databases : 1);
    tree_put_int(facts, "tables", proof->tables);
    tree_put_int(facts, "rows", proof->rows);
}

static void add_split(struct words *argv, const char *text)
{
    struct span rest = span_of(text), word;

    while (text_split(&rest, ' ', &word))
        if (word.length)
            words_addf(argv, "%.*s", (int)word.length, word.data);
}

/* A line that nothing in a database can know. */
static bool make_mark(struct dumping *dumping, struct error *err)
{
    AUTO(text) struct text line = {0};
    unsigned char random[16];

    if (getrandom(random, sizeof random, 0) != sizeof random)
        return error_set(err, ERROR_INTERNAL, "getrandom: %s", strerror(errno));
    text_puts(&line, DATABASE_ACCOUNTS_MARK);
    for (size_t i = 0; i < sizeof random; i++)
        text_addf(&line, "%02x", random[i]);
    text_puts(&line, "\n");
    memcpy(dumping->mark, line.data, line.length + 1);
    return true;
}

static void write_mark(struct dumping *dumping)
{
    struct span line = span_of(dumping->mark);

    database_proof_add(&dumping->proof, line);
    dumping->gone = !write_all(line.data, line.length) || dumping->gone;
}

/* Its path is its first word: it looks there for the others. */
static void dump_words(const struct database_tool *tool, const char *path, struct words *argv)
{
    const struct database_wish *wish = &tool->options->wish;

    words_add(argv, path);
    tool->kind->dump_words(&tool->connection, wish, &tool->files, argv);
    add_split(argv, wish->args);
    if (!*wish->database && tool->kind->all)
        add_split(argv, tool->kind->all);
    if (*wish->database && tool->kind->names) {
        words_add(argv, "--");
        words_add(argv, wish->database);
    }
}

/* One run of the tool. */
static bool dump_by(struct dumping *dumping, const char *path, struct words *argv,
                    const char *command, struct error *err)
{
    struct database_tool *tool = dumping->tool;
    AUTO(words) struct words environment = {0};
    struct child_spec spec = {
        .program = path, .files = tool->fds, .file_count = tool->fd_count, .input = -1};

    dumping->errors.length = 0;
    database_tool_environment(tool, NULL, &environment);
    spec.argv = words_list(argv);
    spec.environment = words_list(&environment);
    if (!child_start(&tool->children, &spec, &dumping->child, err)) {
        tool->reason = "DumpFailed";
        return false;
    }
    pass_on(dumping);
    if (dumping->gone)
        child_signal(&dumping->child, SIGKILL);
    return judge(dumping, child_end(&tool->children, &dumping->child), command, err);
}

/* Behind all databases: rights to what is in them can only be given then. */
static bool dump_accounts(struct dumping *dumping, const char *path, struct error *err)
{
    struct database_tool *tool = dumping->tool;
    const struct database_wish wish = {"", "", tool->options->wish.user, "", false};
    AUTO(words) struct words argv = {0};

    words_add(&argv, path);
    tool->kind->dump_words(&tool->connection, &wish, &tool->files, &argv);
    words_add(&argv, tool->kind->accounts);
    write_mark(dumping);
    if (dump_by(dumping, path, &argv, "the dump of accounts", err))
        return true;

    AUTO(free) char *why = text_format("%s", err->message);

    /* the server shows no account whose host it can not resolve */
    return error_set(err, err->code,
                     "%.130s. What to do: %s; or leave out all accounts with args: "
                     "--skip-system",
                     why,
                     strstr(why, "matching row") ? "drop this account, which nobody can use"
                                                 : "let the user read the database mysql");
}

static bool dump_all(struct dumping *dumping, struct error *err)
{
    struct database_tool *tool = dumping->tool;
    const char *command = database_command(tool->kind, &tool->options->wish);
    AUTO(free) char *path = database_tool_path(tool, command);
    AUTO(words) struct words argv = {0};

    dump_words(tool, path, &argv);
    if (!database_dumps_accounts(tool->kind, &tool->options->wish))
        return dump_by(dumping, path, &argv, command, err);
    if (!make_mark(dumping, err))
        return false;
    write_mark(dumping);
    return dump_by(dumping, path, &argv, command, err) && dump_accounts(dumping, path, err);
}

static bool dump(struct database_tool *tool, struct error *err)
{
    AUTO(dumping) struct dumping dumping = {.tool = tool};

    database_proof_init(&dumping.proof, tool->kind->format);

    bool good = dump_all(&dumping, err);

    put_counts(tool->facts, &dumping.proof);
    return good;
}

/* ---- what a helper came to ---- */

static bool tell(const struct database_tool *tool, bool good, const struct error *err)
{
    AUTO(free) char *path = database_result_path(tool->options->scratch);
    const char *reason = tool->reason ? tool->reason : "Unknown";

    return helper_tell(path, tool->facts, good ? NULL : reason, err->message);
}

enum agent_exit database_help(const struct database_options *options)
{
    AUTO(database_tool) struct database_tool tool;
    struct error err = {.message = ""};
    bool good = database_tool_begin(&tool, options, &err);

    signal(SIGPIPE, SIG_IGN);
    mkdir(options->scratch, 0700);
    if (good)
        good = options->verb == DATABASE_DUMP   ? dump(&tool, &err)
               : options->verb == DATABASE_LOAD ? database_load(&tool, &err)
                                                : check(&tool, &err);
    /* who does not read any more has reasons of his own */
    if (!good && err.code == ERROR_GONE)
        return AGENT_ENDED;
    if (!tell(&tool, good, &err)) {
        log_error("what it came to can not be told", LOG_S("reason", strerror(errno)));
        return AGENT_ENDED;
    }
    return good ? AGENT_FINE : AGENT_ENDED;
}
