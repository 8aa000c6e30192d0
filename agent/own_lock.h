#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;

/*
 * Locks that restic left in a repository because it was killed in this pod: with its container, or
 * by the kernel for its memory. Nobody else can prove that: a lock names host and process, and the
 * host is the pod. Each process is noted in a folder that outlives the container while it may have
 * a lock; whoever finds a note afterwards knows that the process is dead, since there is one restic
 * at a time, and none survives its container. Other locks are left to restic, which calls them
 * stale after half an hour.
 */

/* Notes and locks that are looked at; of more nothing is proven. */
#define OWN_LOCK_NOTES_MAX 16u
#define OWN_LOCKS_MAX 32u

/** Notes that a process runs, or forgets it. What fails is logged. @param scratch  The folder. */
void own_lock_note(const char *scratch, int64_t pid);
void own_lock_forget(const char *scratch, int64_t pid);

/** True of a wait status (waitpid(2)) after which a lock may be left. */
bool own_lock_may_be_left(int status);

/** Those that were noted, up to OWN_LOCK_NOTES_MAX. */
size_t own_lock_notes(const char *scratch, int64_t *pids);

enum own_lock {
    OWN_LOCK_OTHERS,  /* of another host */
    OWN_LOCK_DEAD,    /* of a process that was noted and is dead */
    OWN_LOCK_UNKNOWN, /* of this host, and of a process that nobody has noted */
};

/** Whose a lock is. @param lock  As `restic cat lock` has it. Pure. */
enum own_lock own_lock_of(const json_t *lock, const char *host, const int64_t *pids, size_t count);

/**
 * Removes those locks, if there are notes, by `restic unlock`: that of a process of this host that
 * does not run. With a lock of this host that nobody noted nothing is done. What can not be done
 * now is left; the work goes on.
 */
void own_lock_clear(struct run *run);
