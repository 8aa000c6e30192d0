#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/** Exit codes of kubectl-granary. */
enum exit_status {
    STATUS_FINE = 0,     /* admission lets it in; backups are in order */
    STATUS_FINDINGS = 1, /* admission refuses it, or (validate --strict) warns; a backup is not in
                            order, or failed */
    STATUS_CANNOT = 2,   /* could not run: options, files, no answer from the API server */
};

/** How the result is written. */
enum form { FORM_YAML, FORM_JSON, FORM_PATCH, FORM_DIFF, FORM_REVIEW, FORM_TEXT, FORM_WIDE };

/** What a command asks: a cluster, manifests, or nobody. Each has options of its own. */
enum command_side { SIDE_CLUSTER, SIDE_MANIFESTS, SIDE_SELF, SIDES };

struct arguments;
struct output;

/** One sub-command. */
struct command {
    const char *name, *summary;
    enum command_side side;
    const char *operand;      /* what may stand behind its options: "[NAME]", a must without
                                 brackets; NULL: nothing */
    const char *const *words; /* that the operand can be; ends with NULL; NULL: any */
    const char *about;        /* paragraphs of --help; lines of at most 80 characters */
    const char *examples;     /* likewise */
    const char *const *only;  /* options beside the common ones, ends with NULL */
    const enum form *forms;   /* of -o, the first is the default; `form_count` of them */
    size_t form_count;
    enum exit_status (*run)(const struct arguments *arguments, const struct output *output);
};

/** Values of an option that may be repeated, in order. Strings belong to argv. */
struct words {
    const char **items; /* owned list */
    size_t count;
};

/** What the command line says behind the sub-command. Strings belong to argv. */
struct arguments {
    struct words files; /* each -f; "-" is standard input */
    struct words snapshots, params;
    const char *as_of, *host, *to, *from;    /* NULL when absent */
    const char *catalog, *settings, *answer; /* NULL when absent */
    const char *space;                       /* absent: "default", of a cluster NULL */
    const char *kubeconfig, *context;        /* NULL when absent */
    const char *operand;                     /* NULL when absent */
    enum form form;
    bool strict, all_spaces, watch, wait, dry_run, yes, fail_on_unprotected;
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

/** An option as people see it. Static. */
struct option_shown {
    char letter;          /* 0: none */
    const char *name;     /* without dashes */
    const char *argument; /* NULL: it takes none */
    const char *help;     /* of -o, whose words are the command's forms: "form of the output" */
};

/** The next option of a command: from *at on, which is moved behind it; begin with 0. False: there
 *  is none. */
bool arguments_option(const struct command *command, size_t *at, struct option_shown *option);

/** How a form is called behind -o. Static. */
const char *arguments_form(enum form form);
