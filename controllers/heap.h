#pragma once

#include <stdint.h>

/*
 * What malloc keeps for itself. The trees of all threads go through it, and a thread frees what
 * another made; with an arena for each of some forty threads, what is free lies about everywhere.
 */

/** Few arenas, shared by all threads. Before the first thread. */
void heap_share(void);

/** Bytes that are in use, and that malloc keeps although nothing is in them. Any thread. */
struct heap_facts {
    int64_t used, free;
};
struct heap_facts heap_look(void);

/** Gives pages without anything in them back to the kernel: milliseconds with 100 MiB. Any thread.
 */
void heap_trim(void);
