#pragma once

#include <stdint.h>

/** A token bucket: so many a second on average, so many at once. Pure; time is an argument. */
struct rate {
    double per_s, burst;
    double tokens;   /* below 0: taken in advance by those who wait */
    int64_t last_ms; /* when `tokens` was right */
};

/** A full bucket. `per_s` above 0, `burst` at least 1. */
struct rate rate_make(double per_s, double burst, int64_t now_ms);

/** Another pace from `now_ms` on: what was saved stays, as far as it fits. */
void rate_pace(struct rate *rate, double per_s, double burst, int64_t now_ms);

/**
 * Takes one token, in advance when there is none, so that those who ask are served in turn.
 *
 * @param now_ms  Steady clock.
 * @param max_ms  The longest wait that makes sense to the caller.
 * @return        Milliseconds to wait before going on, 0: at once; -1: it would be longer than
 *                max_ms, and nothing was taken.
 */
int64_t rate_take(struct rate *rate, int64_t now_ms, int64_t max_ms);
