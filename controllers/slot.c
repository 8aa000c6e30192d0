#include "controllers/slot.h"

#include <stdlib.h>
#include <string.h>

#include "api/names.h"
#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"

#define HASH_CHARS 8

static int64_t max_s(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t slot_next(const struct slots *slots, int64_t after_s)
{
    int64_t every_s = slots->cron.every_s, from_s = max_s(after_s, slots->anchor_s);

    if (!every_s)
        return cron_next(&slots->cron, from_s);
    return slots->anchor_s + ((from_s - slots->anchor_s) / every_s + 1) * every_s;
}

/* The answer of slot_next() never falls when its argument rises, so halving finds the last moment
 * after which something is still due. */
int64_t slot_last(const struct slots *slots, int64_t after_s, int64_t now_s)
{
    int64_t low_s = max_s(after_s, slots->anchor_s), high_s = now_s;
    int64_t slot_s = slot_next(slots, low_s);

    if (slot_s < 0 || slot_s > now_s)
        return -1;
    while (high_s - low_s > 1) {
        int64_t middle_s = low_s + (high_s - low_s) / 2, next_s = slot_next(slots, middle_s);

        if (next_s < 0 || next_s > now_s) {
            high_s = middle_s;
        } else {
            low_s = middle_s;
            slot_s = next_s;
        }
    }
    return slot_s;
}

int slot_missed(const struct slots *slots, int64_t after_s, int64_t now_s)
{
    int missed = 0;
    int64_t slot_s = slot_next(slots, after_s);

    while (slot_s >= 0 && slot_s <= now_s && missed < SLOTS_MISSED_MAX) {
        missed++;
        slot_s = slot_next(slots, slot_s);
    }
    return missed;
}

/* The tail stands behind a configuration's name that leaves room for it. */
static char *with_tail(const char *configuration, const char *tail)
{
    AUTO(free) char *head = name_fit(configuration, NAME_MAX_CHARS - strlen(tail) - 1);

    return text_format("%s-%s", head, tail);
}

char *slot_session_name(const char *configuration, int64_t slot_s)
{
    AUTO(free) char *tail = text_format("%lld", (long long)slot_s);

    return with_tail(configuration, tail);
}

/* No number of seconds ends like that: one of its characters is a letter. */
char *slot_name_of_uid(const char *configuration, const char *uid)
{
    char hex[65];

    text_sha256(span_of(uid), hex);
    hex[HASH_CHARS] = '\0';
    hex[0] = (char)('a' + hex[0] % 6);
    return with_tail(configuration, hex);
}

int64_t slot_spread_s(const char *uid, int64_t jitter_s)
{
    char hex[65];

    if (jitter_s <= 0)
        return 0;
    text_sha256(span_of(uid), hex);
    hex[HASH_CHARS] = '\0';
    return (int64_t)(strtoul(hex, NULL, 16) % (uint64_t)jitter_s);
}
