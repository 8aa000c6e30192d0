#pragma once

#include <stdint.h>

#include "agent/agent.h"
#include "agent/restic_command.h"
#include "agent/restic_line.h"
#include "agent/verdict.h"

/* Names of files that could not be read that a failure tells. */
#define ITEMS_MAX 10u

/** One piece of work under way: what every run of restic in it shares. */
struct run {
    struct agent *agent;
    const struct message_work *work;
    struct restic_place place;
    struct words environment;
    const char *program;          /* another one than restic, by its path; NULL: restic */
    int files[MESSAGE_FILES_MAX]; /* memory files */
    size_t file_count;
    int input;                    /* what restic reads; below 0: nothing */
    int64_t started_ms, until_ms; /* steady clock; INT64_MAX: no deadline */
    int64_t next_progress_ms, next_look_ms;
    struct message_progress progress;
    bool over;           /* the controller wants nothing of it any more: no report */
    char cancelled[256]; /* its reason, when it told to end */
    /* shown each line; true: it is no line for anybody else; or NULL */
    bool (*on_line)(void *context, struct span line);
    /* told of each file that restic names with --verbose=2; or NULL */
    void (*on_item)(void *context, const char *path);
    void *context;
    struct failure failure;
    json_t *facts; /* that helpers have said of a database; or NULL */
};

/** A text in a file without a name, in memory, that nobody changes any more; -1 with err. */
int memory_file(struct span text, struct error *err);

/** Puts credentials into memory files and the environment. False: run->failure is set. */
bool run_begin(struct run *run, struct agent *agent, const struct message_work *work) MUST_CHECK;
void run_done(struct run *run);

/** Sends progress when it is time to, or `now`. False when the work is to end. */
bool run_progress(struct run *run, bool now);

/** What one call of restic said. */
struct output {
    struct restic_line summary; /* its kind is RESTIC_SUMMARY when there was one */
    json_t *document;           /* when it was asked for */
    size_t items;               /* that could not be read or written */
    struct text names;          /* of the first ten */
    struct text message;        /* last words, clean */
    struct restic_end end;
};

void output_done(struct output *output);

static inline void auto_output(struct output *output)
{
    output_done(output);
}

/** How its standard output is read. */
enum reading { READ_LINES, READ_DOCUMENT };

/**
 * Runs restic to its end: reads what it writes, sends progress, ends it at the deadline, when the
 * controller or a signal says so, and before it outgrows the container's memory: SIGINT, after 30 s
 * SIGKILL, to all of its processes. A command that waits for locks (LOCK_WAIT) is tried without
 * first: that it has to wait is logged.
 *
 * @param argv  Words; the program is that of the options.
 * @return      False when it could not be started: run->failure is set.
 */
bool restic_run(struct run *run, struct words *argv, enum reading reading,
                struct output *output) MUST_CHECK;

/** The same, and judges its end; false: run->failure is set. */
bool restic_must(struct run *run, struct words *argv, enum reading reading, struct output *output,
                 const char *doing) MUST_CHECK;
