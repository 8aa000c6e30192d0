#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"

/** What a cgroup's file says: bytes; 0: "max", more than any machine has, or nothing. Pure. */
int64_t memory_limit_parse(struct span text);

/** The memory that this container may take, bytes; 0: no limit known. cgroup v2, else v1. */
int64_t memory_limit(void);

/** The same of what is mounted at a folder, as at /sys/fs/cgroup. */
int64_t memory_limit_at(const char *folder);

/** Bytes that a process holds and that can not be given back (RssAnon, shared memory too); 0: not
 *  known, it has ended. */
int64_t memory_of(pid_t pid);

/**
 * Keeps the regular files below a folder within so many bytes: all are removed when they are more.
 * restic fetches again what it misses.
 */
void cache_bound(const char *folder, int64_t max_bytes);

/** Removes what is in a folder, and the folder. */
void scratch_remove(const char *folder);
