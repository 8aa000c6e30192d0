#include "base/wait.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

void wait_raise(int event_fd)
{
    uint64_t one = 1;

    /* can only fail when it is readable already */
    if (write(event_fd, &one, sizeof one) < 0)
        (void)one;
}

void wait_prepare(pthread_cond_t *condition)
{
    pthread_condattr_t steady;

    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &steady);
    pthread_condattr_destroy(&steady);
}

bool wait_on(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

    if (until_ms == WAIT_FOREVER)
        return pthread_cond_wait(condition, mutex) == 0;
    return pthread_cond_timedwait(condition, mutex, &until) != ETIMEDOUT;
}
