#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/** Exit codes of kubectl-granary. */
enum exit_status {
    STATUS_FINE = 0,     /* admission lets it in; warnings may have been shown */
    STATUS_FINDINGS = 1, /* admission refuses it, or (validate --strict) warns */
    STATUS_CANNOT = 2,   /* could not run: options, files */
};

/** How the result is written. */
enum form { FORM_YAML, FORM_JSON, FORM_PATCH, FORM_DIFF, FORM_REVIEW, FORM_TEXT };

struct arguments;
struct output;

/** One sub-command. */
struct command {
    const char *name, *summary;
    const char *about;       /* paragraphs of --help; lines of at most 80 characters */
    const char *examples;    /* likewise */
    const char *const *only; /* options beside the common ones, ends with NULL */
    const enum form *forms;  /* of -o, the first is the default; `form_count` of them */
    size_t form_count;
    enum exit_status (*run)(const struct arguments *arguments, const struct output *output);
};

/** What the command line says behind the sub-command. Strings belong to argv. */
struct arguments {
    const char **files; /* owned list: each -f, in order; "-" is standard input */
    size_t file_count;
    const char *catalog, *settings, *space, *answer; /* NULL when absent; space: "default" */
    enum form form;
    bool strict;
};

enum arguments_verdict { ARGUMENTS_RUN, ARGUMENTS_HELP, ARGUMENTS_VERSION, ARGUMENTS_BAD };

/**
 * Reads the options of a sub-command.
 *
 * @param argv       argv[0] is the sub-command's name.
 * @param arguments  Filled in; release with arguments_done().
 * @param err        What is wrong, one line, with ARGUMENTS_BAD.
 */
enum arguments_verdict arguments_parse(const struct command *command, int argc, char **argv,
                                       struct arguments *arguments, struct error *err);

void arguments_done(struct arguments *arguments);

static inline void auto_arguments(struct arguments *arguments)
{
    arguments_done(arguments);
}

/** Writes what `kubectl-granary COMMAND --help` says. */
void arguments_help(FILE *out, const struct command *command);
