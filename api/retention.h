#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/duration.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/** Kinds of snapshots that are kept by number. */
enum keep {
    KEEP_LAST,
    KEEP_HOURLY,
    KEEP_DAILY,
    KEEP_WEEKLY,
    KEEP_MONTHLY,
    KEEP_YEARLY,
    KEEP_KINDS
};

/** Which snapshots are kept. A snapshot that any of the rules wants stays. */
struct retention {
    int32_t keep[KEEP_KINDS]; /* 0: no such rule */
    bool has_within;
    struct within within; /* the newest of this time all stay */
};

/**
 * Reads "last=5,hourly=,daily=7,weekly=4,monthly=,yearly=,within=30d": the whole policy, what is
 * not named is no rule.
 *
 * @return False: ERROR_INVALID; also for a policy without any rule, which would keep nothing.
 *         Catalogue RS11.
 */
bool retention_parse(struct span text, struct retention *retention, struct error *err) MUST_CHECK;

/**
 * Brings a policy within bounds: each rule that `min` has is there and not below it, each that
 * `max` has is not above it. Both may be NULL.
 *
 * @param told  Appended to: what changed, such as "daily=7 instead of 3, within=30d instead of
 * 90d".
 * @return      True when something changed.
 */
bool retention_clamp(struct retention *retention, const struct retention *min,
                     const struct retention *max, struct text *told);

/** Sets the rules in a retentionPolicy and removes those that are none; other members stay. The
 *  member keepWithin is an addition of ours to Stash's. */
void retention_put(json_t *policy, const struct retention *retention);
