#include "kube/retry.h"

#include <ctype.h>
#include <string.h>

#include "base/limits.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 30000
#define BROKEN_PAUSE_MS 1000

int64_t retry_after_parse(const char *value)
{
    int64_t seconds = 0;

    if (!value)
        return RETRY_AFTER_ABSENT;
    for (const char *c = value; *c; c++) {
        if (!isdigit((unsigned char)*c))
            return RETRY_AFTER_BAD;
        seconds = seconds * 10 + (*c - '0');
        if (seconds > KUBE_RETRY_AFTER_MAX_S)
            seconds = KUBE_RETRY_AFTER_MAX_S;
    }
    return seconds > 0 ? seconds : RETRY_AFTER_BAD;
}

/* Doubled with each attempt, then spread over half of it. */
static int64_t backoff_ms(int attempt, double chance)
{
    int64_t pause_ms = BACKOFF_FIRST_MS;

    for (int i = 1; i < attempt && pause_ms < BACKOFF_MAX_MS; i++)
        pause_ms *= 2;
    if (pause_ms > BACKOFF_MAX_MS)
        pause_ms = BACKOFF_MAX_MS;
    return pause_ms / 2 + (int64_t)((double)pause_ms / 2 * chance);
}

int64_t retry_next(const struct retry_case *over)
{
    if (over->attempt > KUBE_REPEATS_MAX || over->end == RETRY_NOT_REACHED)
        return -1;
    if (over->end == RETRY_BROKEN)
        return strcmp(over->method, "GET") == 0 ? BROKEN_PAUSE_MS : -1;
    if (over->status != 429 && over->status < 500)
        return -1;
    if (over->retry_after_s == RETRY_AFTER_ABSENT)
        return -1;
    if (over->retry_after_s == RETRY_AFTER_BAD)
        return backoff_ms(over->attempt, over->chance);
    return over->retry_after_s * 1000;
}
