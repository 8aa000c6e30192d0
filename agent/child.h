#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Programs that the agent starts, one at a time. As the first process of a container the agent also
 * takes leave of processes that lost their parent, without taking its own child's end.
 */

/** Shared between the thread that starts and the one that hears of ends. */
struct children {
    pthread_mutex_t mutex;
    pid_t own; /* 0: none */
};

/** Takes leave of those that ended, but for our own. Any thread. */
void children_reap(struct children *children);

/** What to start. All borrowed, lists end with NULL. */
struct child_spec {
    const char *program; /* its path; no search */
    const char *const *argv, *const *environment;
    const int *files; /* descriptors; the child has them from CHILD_FILE_FIRST on */
    size_t file_count;
    int input;    /* its standard input; below 0: nothing */
    int nice;     /* 0: as we are */
    int io_class; /* of ioprio_set(2); below 1: as we are */
    int io_level; /* 0 to 7 */
};

#define CHILD_FILE_FIRST 10

/** One that runs: a process group of its own, that ends with us. */
struct child {
    pid_t pid;
    int ended_fd; /* readable once it has ended; below 0: ask child_has_ended() */
    int out, err; /* what it writes, non-blocking */
};

/** No shell, nothing of our environment. @return False: ERROR_INTERNAL. */
bool child_start(struct children *children, const struct child_spec *spec, struct child *child,
                 struct error *err) MUST_CHECK;

/** Sends a signal to it and all that it started. */
void child_signal(const struct child *child, int number);

/** True once it has ended, whatever it left running; it waits for child_end(). */
bool child_has_ended(const struct child *child);

/** Waits for its end, ends what it left running, closes.
 *  @return  As waitpid(2) gives it. */
int child_end(struct children *children, struct child *child);
