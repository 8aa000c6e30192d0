#pragma once

#include <check.h>
#include <stdbool.h>
#include <time.h>

/**
 * What another thread does is waited for: looks every millisecond until the condition holds. After
 * a minute the test has failed with the message (a format and its arguments).
 */
#define AWAIT(condition, ...)                                                                      \
    do {                                                                                           \
        bool await_met = (condition);                                                              \
                                                                                                   \
        for (int await_ms = 0; await_ms < 60000 && !await_met; await_ms++) {                       \
            await_rest();                                                                          \
            await_met = (condition);                                                               \
        }                                                                                          \
        ck_assert_msg(await_met, __VA_ARGS__);                                                     \
    } while (0)

static inline void await_rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}
