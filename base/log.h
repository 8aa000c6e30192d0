#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * One line per event on standard error, as key=value or as JSON. The core never logs; edges do,
 * once, where an error stops travelling. What is logged is chosen field by field, so that no
 * secret gets in by way of a formatted object.
 */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/** One member of a line: a text (any bytes, made printable) or a number. */
struct log_field {
    const char *key;
    struct span text; /* data NULL: the number counts */
    int64_t number;
};

#define LOG_SPAN(name, value) ((struct log_field){.key = (name), .text = log_text(value)})
#define LOG_S(name, value) LOG_SPAN(name, span_of(value))
#define LOG_N(name, value) ((struct log_field){.key = (name), .number = (value)})

/** What LOG_SPAN() writes: "" for what is absent. */
static inline struct span log_text(struct span text)
{
    return text.data ? text : span_of("");
}

/** Set once by main, before the first thread. Default: text, info. */
void log_setup(enum log_format format, enum log_level level);

/** Changes the level alone; any thread. */
void log_set_level(enum log_level level);

/** True when lines of this level are written. */
bool log_on(enum log_level level);

/** Reads "debug", "info", "warn", "error"; and "text", "json". False when it is none of them. */
bool log_level_parse(const char *word, enum log_level *level);
bool log_format_parse(const char *word, enum log_format *format);

/**
 * Writes one line: time, level, message, fields. Any thread; lines do not mix (one write each).
 *
 * @param message  A constant phrase, what happened: "listening", "catalog refused".
 * @param fields   Ends with a field whose key is NULL. Texts are cut at LOG_VALUE_MAX_CHARS.
 */
void log_fields(enum log_level level, const char *message, const struct log_field *fields);

#ifdef __cppcheck__ /* which does not read compound literals in arguments */
#define log_event(level, message, ...) ((void)(message))
#else
#define log_event(level, message, ...)                                                             \
    log_fields(level, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})
#endif
#define log_debug(...) log_event(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_event(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_event(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__)

/** Keeps one kind of line from filling the log. {0} is ready to use. */
struct log_limit {
    _Atomic int64_t window_ms; /* begin of the second that is counted */
    atomic_uint lines;         /* in it */
};

/**
 * Asks for one more line: LOG_LINES_PER_SECOND pass. Any thread.
 *
 * @param now_ms  Steady clock.
 * @param missed  Lines that were kept back before this one, to be told in it. Set when true.
 */
bool log_passes(struct log_limit *limit, int64_t now_ms, int64_t *missed);

/** The line that log_fields() would write at this moment, with its line feed. Pure. */
void log_format_line(struct text *line, enum log_format format, int64_t now_ms,
                     enum log_level level, const char *message, const struct log_field *fields);
