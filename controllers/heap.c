#include "controllers/heap.h"

#include <malloc.h>

#include "base/log.h"

#define ARENAS 2

void heap_share(void)
{
    if (mallopt(M_ARENA_MAX, ARENAS) != 1)
        log_warn("malloc takes as many arenas as it likes");
}

struct heap_facts heap_look(void)
{
    struct mallinfo2 info = mallinfo2();

    return (struct heap_facts){.used = (int64_t)(info.uordblks + info.hblkhd),
                               .free = (int64_t)info.fordblks};
}

void heap_trim(void)
{
    (void)malloc_trim(0);
}
