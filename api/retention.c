#include "api/retention.h"

#include "api/pairs.h"
#include "base/tree.h"

/* More snapshots than anybody keeps; far below what restic takes. */
#define KEEP_MAX 100000

static const char *const keys[] = {"last",    "hourly", "daily",  "weekly",
                                   "monthly", "yearly", "within", NULL};

static const char *const members[] = {"keepLast",   "keepHourly",  "keepDaily",
                                      "keepWeekly", "keepMonthly", "keepYearly"};

static bool read_count(struct span text, int32_t *count, struct error *err)
{
    int32_t value = 0;

    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || value > KEEP_MAX)
            return error_set(err, ERROR_INVALID, "must be a whole number from 0 to %d", KEEP_MAX);
        value = value * 10 + (text.data[i] - '0');
    }
    if (value > KEEP_MAX)
        return error_set(err, ERROR_INVALID, "must be a whole number from 0 to %d", KEEP_MAX);
    *count = value;
    return true;
}

static bool set(void *into, size_t key, struct span value, struct error *err)
{
    struct retention *retention = into;

    if (key < KEEP_KINDS)
        return read_count(value, &retention->keep[key], err);
    retention->has_within = true;
    return within_parse(value, &retention->within, err);
}

static bool keeps_anything(const struct retention *retention)
{
    for (size_t i = 0; i < KEEP_KINDS; i++)
        if (retention->keep[i])
            return true;
    return retention->has_within;
}

bool retention_parse(struct span text, struct retention *retention, struct error *err)
{
    static const struct pairs pairs = {keys, set};
    struct retention made = {.has_within = false};

    if (!pairs_parse(&pairs, text, &made, err))
        return false;
    if (!keeps_anything(&made))
        return error_set(err, ERROR_INVALID, "it would keep no snapshot at all");
    *retention = made;
    return true;
}

static void tell(struct text *told, const char *key, struct text *now, struct text *before)
{
    text_addf(told, "%s%s=%s instead of %s", told->length ? ", " : "", key, text_get(now),
              before->length ? text_get(before) : "none");
}

static bool clamp_count(int32_t *count, enum keep kind, int32_t min, int32_t max, struct text *told)
{
    int32_t wanted = *count < min ? min : max && *count > max ? max : *count;

    if (wanted == *count)
        return false;

    AUTO(text) struct text now = {0};
    AUTO(text) struct text before = {0};

    text_addf(&now, "%d", (int)wanted);
    text_addf(&before, "%d", (int)*count);
    tell(told, keys[kind], &now, &before);
    *count = wanted;
    return true;
}

/* -1, 0, 1 as a keeps less, as much, more than b; no rule keeps least. */
static int compare_within(const struct retention *a, const struct retention *b)
{
    int64_t left = a->has_within ? within_hours(&a->within) : -1;
    int64_t right = b->has_within ? within_hours(&b->within) : -1;

    return (left > right) - (left < right);
}

static bool clamp_within(struct retention *retention, const struct retention *min,
                         const struct retention *max, struct text *told)
{
    bool low = min && compare_within(retention, min) < 0;
    bool high = max && max->has_within && compare_within(retention, max) > 0;
    AUTO(text) struct text now = {0};
    AUTO(text) struct text before = {0};

    if (!low && !high)
        return false;
    if (retention->has_within)
        within_format(&before, &retention->within);
    retention->has_within = true;
    retention->within = low ? min->within : max->within;
    within_format(&now, &retention->within);
    tell(told, "within", &now, &before);
    return true;
}

bool retention_clamp(struct retention *retention, const struct retention *min,
                     const struct retention *max, struct text *told)
{
    bool changed = false;

    for (enum keep i = 0; i < KEEP_KINDS; i++)
        changed |= clamp_count(&retention->keep[i], i, min ? min->keep[i] : 0,
                               max ? max->keep[i] : 0, told);
    changed |= clamp_within(retention, min, max, told);
    return changed;
}

void retention_put(json_t *policy, const struct retention *retention)
{
    for (size_t i = 0; i < KEEP_KINDS; i++) {
        json_object_del(policy, members[i]);
        if (retention->keep[i])
            tree_put_int(policy, members[i], retention->keep[i]);
    }
    json_object_del(policy, "keepWithin");
    if (!retention->has_within)
        return;

    AUTO(text) struct text within = {0};

    within_format(&within, &retention->within);
    tree_put_text(policy, "keepWithin", text_get(&within));
}
