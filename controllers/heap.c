#include "controllers/heap.h"

#include <malloc.h>

#include "base/log.h"

#define ARENAS 2

void heap_share(void)
{
    if (mallopt(M_ARENA_MAX, ARENAS) != 1)
        log_warn("malloc takes as many arenas as it likes");
}

void heap_trim(void)
{
    (void)malloc_trim(0);
}
