#pragma once

/*
 * Memory for the trees of one decision. They are made of thousands of small pieces which all die
 * together, and malloc() and free() of each were a third of its time. Between arena_enter() and
 * arena_leave(), jansson's pieces lie one behind the other in a region; releasing one costs
 * nothing, and leaving makes the region empty. What does not fit comes from malloc() as ever.
 *
 * Which arena a thread is in is thread-local state, since jansson's hooks get no context; nothing
 * but these hooks sees it.
 */

struct arena;

/** Lets jansson use arenas; without it, entering one has no effect. Once, by main, before jansson
 *  is used. Sanitized builds do without, so that they see each piece. */
void arena_install(void);

/** A region of ARENA_BYTES, of which only what is used once takes memory; and its end. */
struct arena *arena_make(void);
void arena_free(struct arena *arena);

/**
 * From now on, this thread's trees are made in the arena: they must neither outlive arena_leave()
 * nor pass to another thread. Older trees may be read, shared and released. Not to be nested, and
 * an arena is entered by one thread at a time.
 */
void arena_enter(struct arena *arena);
void arena_leave(void);
