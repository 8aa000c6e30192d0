#include "agent/redis_rewrite.h"

#include <stdlib.h>

#include "base/auto.h"

/* Milliseconds that a restore may take before keys whose time ends later can be gone. */
#define LASTING_MS (INT64_C(86400) * 1000)

/* Arguments of one RESTORE: itself, key, time, value, ABSTTL, REPLACE, IDLETIME or FREQ and what.
 */
#define ARGUMENTS_MAX 8u

void redis_rewrite_done(struct redis_rewrite *rewrite)
{
    rdb_done(&rewrite->rdb);
    free(rewrite->databases);
    rewrite->databases = NULL;
}

/* ---- commands ---- */

static void add_argument(struct text *out, struct span one)
{
    text_addf(out, "$%zu\r\n", one.length);
    text_add(out, one.data, one.length);
    text_puts(out, "\r\n");
}

static void begin_command(struct redis_rewrite *rewrite, size_t arguments)
{
    rewrite->commands++;
    text_addf(rewrite->out, "*%zu\r\n", arguments);
}

static void add_bytes(struct text *out, uint64_t value, unsigned count)
{
    for (; count > 0; count--, value >>= 8)
        text_putc(out, (char)(value & 0xFF));
}

/* Behind the value stand version and checksum, lowest bytes first. */
static void add_value(struct redis_rewrite *rewrite, struct span value)
{
    struct text *out = rewrite->out;
    unsigned char version[] = {(unsigned char)rewrite->rdb.version, 0};
    uint64_t sum = crc64_add(&rewrite->crc, 0, value);

    sum = crc64_add(&rewrite->crc, sum, (struct span){(const char *)version, sizeof version});
    text_reserve(out, value.length + 64);
    text_addf(out, "$%zu\r\n", value.length + sizeof version + sizeof sum);
    text_add(out, value.data, value.length);
    add_bytes(out, rewrite->rdb.version, sizeof version);
    add_bytes(out, sum, sizeof sum);
    text_puts(out, "\r\n");
}

/* ---- records ---- */

static void add_library(struct redis_rewrite *rewrite, struct span value)
{
    begin_command(rewrite, 4);
    add_argument(rewrite->out, span_of("FUNCTION"));
    add_argument(rewrite->out, span_of("RESTORE"));
    add_value(rewrite, value);
    add_argument(rewrite->out, span_of(rewrite->replaces ? "REPLACE" : "APPEND"));
}

/* Of a database that is only now come to. */
static struct redis_database *add_database(struct redis_rewrite *rewrite, unsigned number)
{
    size_t count = rewrite->count++;
    AUTO(free) char *word = text_format("%u", number);

    /* powers of two */
    if ((count & (count - 1)) == 0)
        rewrite->databases =
            text_realloc(rewrite->databases, sizeof *rewrite->databases * (count ? 2 * count : 1));
    rewrite->databases[count] = (struct redis_database){.number = number};
    begin_command(rewrite, 2);
    add_argument(rewrite->out, span_of("SELECT"));
    add_argument(rewrite->out, span_of(word));
    if (rewrite->replaces) {
        begin_command(rewrite, 2);
        add_argument(rewrite->out, span_of("FLUSHDB"));
        add_argument(rewrite->out, span_of("ASYNC"));
    }
    return &rewrite->databases[count];
}

static struct redis_database *database_of(struct redis_rewrite *rewrite, unsigned number)
{
    size_t count = rewrite->count;

    if (count > 0 && rewrite->databases[count - 1].number == number)
        return &rewrite->databases[count - 1];
    return add_database(rewrite, number);
}

static size_t options_of(const struct rdb_entry *entry, bool replaces, char number[24],
                         const char *options[4])
{
    size_t count = 0;

    if (entry->expires_ms >= 0)
        options[count++] = "ABSTTL";
    if (replaces)
        options[count++] = "REPLACE";
    if (entry->idle_s < 0 && entry->freq < 0)
        return count;
    snprintf(number, 24, "%lld",
             entry->idle_s >= 0 ? (long long)entry->idle_s : (long long)entry->freq);
    options[count++] = entry->idle_s >= 0 ? "IDLETIME" : "FREQ";
    options[count++] = number;
    return count;
}

static void add_key(struct redis_rewrite *rewrite, const struct rdb_entry *entry)
{
    char number[24], time[24];
    const char *options[4];
    size_t count = options_of(entry, rewrite->replaces, number, options);

    /* 0 would be for ever */
    snprintf(time, sizeof time, "%lld",
             entry->expires_ms < 0    ? 0
             : entry->expires_ms == 0 ? 1
                                      : (long long)entry->expires_ms);
    begin_command(rewrite, 4 + count);
    add_argument(rewrite->out, span_of("RESTORE"));
    add_argument(rewrite->out, entry->key);
    add_argument(rewrite->out, span_of(time));
    add_value(rewrite, entry->value);
    for (size_t i = 0; i < count; i++)
        add_argument(rewrite->out, span_of(options[i]));
}

static bool add_entry(void *context, const struct rdb_entry *entry, struct error *err)
{
    struct redis_rewrite *rewrite = context;
    struct redis_database *database;

    (void)err;
    if (entry->kind == RDB_LIBRARY) {
        add_library(rewrite, entry->value);
        return true;
    }
    database = database_of(rewrite, entry->database);
    database->keys++;
    database->lasting += entry->expires_ms < 0 || entry->expires_ms >= rewrite->lasting_from_ms;
    add_key(rewrite, entry);
    return true;
}

void redis_rewrite_init(struct redis_rewrite *rewrite, bool replaces, int64_t now_ms,
                        struct text *out)
{
    *rewrite = (struct redis_rewrite){
        .out = out, .replaces = replaces, .lasting_from_ms = now_ms + LASTING_MS};
    crc64_init(&rewrite->crc);
    rdb_init(&rewrite->rdb, add_entry, rewrite);
}

void redis_rewrite_add(struct redis_rewrite *rewrite, struct span piece)
{
    struct error err;

    (void)!rdb_add(&rewrite->rdb, piece, &err); /* it keeps why not for its end */
}

/* ---- what a server says ---- */

/* What stands behind a name and ":", as far as its line goes. {NULL, 0}: there is no such line. */
static struct span value_of(const char *info, const char *name)
{
    struct span rest = span_of(info), line;
    size_t length = strlen(name);

    while (text_split(&rest, '\n', &line)) {
        line = text_trim(line);
        if (line.length > length && memcmp(line.data, name, length) == 0 &&
            line.data[length] == ':')
            return (struct span){line.data + length + 1, line.length - length - 1};
    }
    return (struct span){NULL, 0};
}

char *redis_info(const char *info, const char *name)
{
    struct span value = value_of(info, name);

    return value.data ? text_dup(value.data, value.length) : NULL;
}

/* "keys=3,expires=0,avg_ttl=0" */
static int64_t keys_of(struct span value)
{
    static const char word[] = "keys=";
    AUTO(free) char *text = text_dup(value.data ? value.data : "", value.length);

    return strncmp(text, word, sizeof word - 1) == 0 ? strtoll(text + sizeof word - 1, NULL, 10)
                                                     : 0;
}

int64_t redis_keys(const char *info, unsigned database)
{
    char name[16];

    snprintf(name, sizeof name, "db%u", database);
    return keys_of(value_of(info, name));
}

/* Whether it is "db" and a number, then ":". */
static size_t database_name(struct span line)
{
    size_t length = 2;

    while (length < line.length && line.data[length] >= '0' && line.data[length] <= '9')
        length++;
    return length > 2 && length < line.length && memcmp(line.data, "db", 2) == 0 &&
                   line.data[length] == ':'
               ? length
               : 0;
}

void redis_filled(const char *info, struct text *out)
{
    struct span rest = span_of(info), line;
    AUTO(free) char *libraries = redis_info(info, "number_of_libraries");

    while (text_split(&rest, '\n', &line)) {
        size_t length = database_name(text_trim(line));
        struct span value = {line.data + length + 1, length ? line.length - length - 1 : 0};

        if (length && keys_of(value) > 0)
            text_addf(out, "%s%.*s (%lld keys)", out->length ? ", " : "", (int)length, line.data,
                      (long long)keys_of(value));
    }
    if (libraries && strcmp(libraries, "0") != 0)
        text_addf(out, "%s%s libraries of functions", out->length ? ", " : "", libraries);
}

int64_t redis_replies(struct span line)
{
    static const char words[] = "errors: 0, replies: ";
    AUTO(free) char *text = text_dup(line.data, line.length);

    return strncmp(text, words, sizeof words - 1) == 0 ? strtoll(text + sizeof words - 1, NULL, 10)
                                                       : -1;
}

bool redis_verify(const struct redis_rewrite *rewrite, const char *info, int64_t replies,
                  int64_t *expired, struct error *err)
{
    int64_t gone = 0;

    if (replies != rewrite->commands)
        return error_set(err, ERROR_INTERNAL, "of %lld commands the server has answered %lld",
                         (long long)rewrite->commands, (long long)replies);
    for (size_t i = 0; i < rewrite->count; i++) {
        const struct redis_database *database = &rewrite->databases[i];
        int64_t there = redis_keys(info, database->number);

        if (there < database->lasting)
            return error_set(err, ERROR_INTERNAL,
                             "database %u of the dump has %lld keys that do not expire today, the "
                             "server says that it has %lld in all",
                             database->number, (long long)database->lasting, (long long)there);
        gone += there < database->keys ? database->keys - there : 0;
    }
    *expired = gone;
    return true;
}
