#include "base/arena.h"

#include <jansson.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/text.h"

#define ALIGNMENT alignof(max_align_t)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

struct arena {
    size_t used; /* a multiple of ALIGNMENT, as ARENA_BYTES is */
    alignas(ALIGNMENT) char region[ARENA_BYTES];
};

static _Thread_local struct arena *entered;

#ifndef SANITIZED
static void *take(size_t size)
{
    struct arena *arena = entered;

    if (!arena || size > sizeof arena->region - arena->used)
        return malloc(size);

    char *piece = arena->region + arena->used;

    arena->used += (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    return piece;
}

static void give_back(void *piece)
{
    struct arena *arena = entered;

    if (!arena || (uintptr_t)piece - (uintptr_t)arena->region >= sizeof arena->region)
        free(piece);
}
#endif

void arena_install(void)
{
#ifndef SANITIZED
    json_set_alloc_funcs(take, give_back);
#endif
}

struct arena *arena_make(void)
{
    struct arena *arena = text_realloc(NULL, sizeof *arena);

    arena->used = 0;
    return arena;
}

void arena_free(struct arena *arena)
{
    free(arena);
}

void arena_enter(struct arena *arena)
{
    entered = arena;
}

void arena_leave(void)
{
    entered->used = 0;
    entered = NULL;
}
