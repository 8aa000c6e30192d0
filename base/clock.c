#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define YEAR_0_MS INT64_C(-62167219200000)
#define YEAR_9999_END_MS INT64_C(253402300799999)

static int64_t read_us(clockid_t which)
{
    struct timespec now;

    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_s(void)
{
    return read_us(CLOCK_REALTIME) / 1000000;
}

int64_t clock_now_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

void clock_format(int64_t now_ms, char text[CLOCK_TEXT_BYTES])
{
    struct tm day;

    if (now_ms < YEAR_0_MS)
        now_ms = YEAR_0_MS;
    if (now_ms > YEAR_9999_END_MS)
        now_ms = YEAR_9999_END_MS;

    int ms = (int)((now_ms % 1000 + 1000) % 1000);
    time_t seconds = (now_ms - ms) / 1000;

    gmtime_r(&seconds, &day);

    /* strftime() writes years below 1000 without their zeros */
    int length = snprintf(text, 5, "%04u", (unsigned)(day.tm_year + 1900) % 10000);

    strftime(text + length, CLOCK_TEXT_BYTES - 4, "-%m-%dT%H:%M:%S", &day);
    length = (int)strlen(text);
    snprintf(text + length, 6, ".%03uZ", (unsigned)ms % 1000);
}
