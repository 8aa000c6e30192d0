#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/*
 * The options of a program, as one table that is read by the parser and printed by --help. Each row
 * names a member of the program's struct of options. --help (-h) and --version belong to all.
 */

enum flag_kind {
    FLAG_IS_SWITCH,
    FLAG_IS_TEXT,
    FLAG_IS_TIME,
    FLAG_IS_BYTES,
    FLAG_IS_NUMBER,
    FLAG_IS_LOG_FORMAT,
    FLAG_IS_OTHER,
};

/** How the text behind an option becomes a member; made by the macros below. */
struct flag_value {
    enum flag_kind kind;
    int64_t least, most; /* of a number, in the unit of the member */
    bool (*parse)(const char *text, void *member, struct error *detail);
};

/* bool, made true; has no text */
#define FLAG_SWITCH                                                                                \
    {                                                                                              \
        .kind = FLAG_IS_SWITCH                                                                     \
    }
/* const char *, not empty; belongs to argv */
#define FLAG_TEXT                                                                                  \
    {                                                                                              \
        .kind = FLAG_IS_TEXT                                                                       \
    }
/* int64_t, milliseconds: "500ms", "10s", "5m" */
#define FLAG_TIME(low, high)                                                                       \
    {                                                                                              \
        .kind = FLAG_IS_TIME, .least = (low), .most = (high)                                       \
    }
/* int64_t: "4096", "64Ki", "8Mi" */
#define FLAG_BYTES(low, high)                                                                      \
    {                                                                                              \
        .kind = FLAG_IS_BYTES, .least = (low), .most = (high)                                      \
    }
/* int64_t */
#define FLAG_NUMBER(low, high)                                                                     \
    {                                                                                              \
        .kind = FLAG_IS_NUMBER, .least = (low), .most = (high)                                     \
    }
/* enum log_format */
#define FLAG_LOG_FORMAT                                                                            \
    {                                                                                              \
        .kind = FLAG_IS_LOG_FORMAT                                                                 \
    }
/* by a function of the program, which may say in detail what is wrong */
#define FLAG_BY(function)                                                                          \
    {                                                                                              \
        .kind = FLAG_IS_OTHER, .parse = (function)                                                 \
    }

struct flag {
    const char *name; /* without the dashes */
    struct flag_value value;
    size_t offset; /* of the member */
    const char *argument, *help;
};

enum flags_verdict { FLAGS_RUN, FLAGS_HELP, FLAGS_VERSION, FLAGS_BAD };

/**
 * Reads a command line (getopt_long(3): not by two threads at once).
 *
 * @param argv     Its first word is not looked at.
 * @param options  The struct that the rows are about; what is absent in argv is left alone.
 * @param err      What is wrong, one line, with FLAGS_BAD.
 */
enum flags_verdict flags_parse(int argc, char **argv, const struct flag *rows, size_t count,
                               void *options, struct error *err);

/**
 * Writes a line for each row.
 *
 * @param column  Where the explanations begin; a longer name has its own in the next line.
 */
void flags_help(FILE *out, const struct flag *rows, size_t count, int column);
