#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const format_names[] = {"text", "json"};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static enum log_format used_format = LOG_TEXT;
static _Atomic(enum log_level) used_level = LOG_INFO;

void log_setup(enum log_format format, enum log_level level)
{
    used_format = format;
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&used_level, level, memory_order_relaxed);
}

bool log_on(enum log_level level)
{
    return level >= atomic_load_explicit(&used_level, memory_order_relaxed);
}

static bool word_index(const char *word, const char *const *words, size_t count, size_t *index)
{
    for (*index = 0; *index < count; (*index)++)
        if (strcmp(word, words[*index]) == 0)
            return true;
    return false;
}

bool log_level_parse(const char *word, enum log_level *level)
{
    size_t index;

    if (!word_index(word, level_names, COUNT(level_names), &index))
        return false;
    *level = (enum log_level)index;
    return true;
}

bool log_format_parse(const char *word, enum log_format *format)
{
    size_t index;

    if (!word_index(word, format_names, COUNT(format_names), &index))
        return false;
    *format = (enum log_format)index;
    return true;
}

/* Bare when nobody can take it for anything else, otherwise as a JSON string. */
static bool bare(const char *value)
{
    return *value && !strpbrk(value, " \"=\\");
}

static void add_quoted(struct text *line, const char *value)
{
    text_putc(line, '"');
    text_add_json(line, value, strlen(value));
    text_putc(line, '"');
}

static void add_value(struct text *line, enum log_format format, const struct log_field *field)
{
    if (!field->text.data) {
        text_addf(line, "%lld", (long long)field->number);
        return;
    }

    AUTO(free) char *value = text_printable(field->text, LOG_VALUE_MAX_CHARS);

    if (format == LOG_TEXT && bare(value))
        text_puts(line, value);
    else
        add_quoted(line, value);
}

static void add_field(struct text *line, enum log_format format, const struct log_field *field)
{
    bool first = line->length == 0;

    if (format == LOG_JSON)
        text_addf(line, "%c\"%s\":", first ? '{' : ',', field->key);
    else
        text_addf(line, "%s%s=", first ? "" : " ", field->key);
    add_value(line, format, field);
}

void log_format_line(struct text *line, enum log_format format, int64_t now_ms,
                     enum log_level level, const char *message, const struct log_field *fields)
{
    AUTO(text) struct text made = {0};
    char time[CLOCK_TEXT_BYTES];

    clock_format(now_ms, time);
    add_field(&made, format, &LOG_S("time", time));
    add_field(&made, format, &LOG_S("level", level_names[level]));
    add_field(&made, format, &LOG_S("msg", message));
    for (; fields->key; fields++)
        add_field(&made, format, fields);
    text_puts(&made, format == LOG_JSON ? "}\n" : "\n");
    text_add(line, made.data, made.length);
}

/* A line that can not be written is lost: there is nobody left to tell. */
static void write_all(const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        data += written;
        length -= (size_t)written;
    }
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields)
{
    if (!log_on(level))
        return;

    AUTO(text) struct text line = {0};

    log_format_line(&line, used_format, clock_now_ms(), level, message, fields);
    write_all(line.data, line.length);
}

bool log_passes(struct log_limit *limit, int64_t now_ms, int64_t *missed)
{
    int64_t window_ms = atomic_load(&limit->window_ms);
    unsigned lines;

    *missed = 0;
    if ((window_ms == 0 || now_ms - window_ms >= 1000) &&
        atomic_compare_exchange_strong(&limit->window_ms, &window_ms, now_ms)) {
        lines = atomic_exchange(&limit->lines, 1);
        *missed = lines > LOG_LINES_PER_SECOND ? lines - LOG_LINES_PER_SECOND : 0;
        return true;
    }
    return atomic_fetch_add(&limit->lines, 1) < LOG_LINES_PER_SECOND;
}
