#pragma once

#include <stdint.h>

/* The clocks. Only edges read them; what decides gets the time as an argument. */

/** Wall clock: seconds, and milliseconds, since 1970, UTC. */
int64_t clock_now_s(void);
int64_t clock_now_ms(void);

/** A clock that never jumps, for deadlines and durations: milliseconds, and microseconds. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/** The same, but it goes on while the machine sleeps: for what others count too. Milliseconds. */
int64_t clock_boot_ms(void);

/** Room for clock_format()'s text with its NUL. */
#define CLOCK_TEXT_BYTES 32

/**
 * A moment as RFC 3339 in UTC with milliseconds: 2024-02-29T23:59:59.999Z. What lies outside of the
 * years 0 to 9999 is written as the nearest end of them.
 */
void clock_format(int64_t now_ms, char text[CLOCK_TEXT_BYTES]);
