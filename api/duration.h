#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/** Nanoseconds of one second. */
#define SECOND_NS INT64_C(1000000000)

/**
 * Reads a duration as Go writes it: "1h30m", "1.5h", "-10ms", "0"; units ns, us, ms, s, m, h.
 *
 * @param ns  Nanoseconds; a fraction below one is cut off.
 * @return    False: ERROR_INVALID, the message names what is wrong (for "d": that days are written
 *            in hours), or that it does not fit 292 years.
 *
 * Spec: the duration of metav1.Duration, as stash-behaviour 5.5 (timeOut) and 1.2 (retry delay).
 */
bool duration_parse(struct span text, int64_t *ns, struct error *err) MUST_CHECK;

/** The same with two more units, d (24 h) and w (7 d): for what only our own programs read. */
bool duration_parse_days(struct span text, int64_t *ns, struct error *err) MUST_CHECK;

/** Appends a duration so that duration_parse() reads it back: "1h30m0s", "1.5s", "0s". */
void duration_format(struct text *out, int64_t ns);

/** A span of the calendar, as restic's --keep-within takes it. */
struct within {
    int32_t years, months, days, hours;
};

/**
 * Reads "30d", "2y5m7d3h": whole numbers with y, m (months), w (seven days), d, h, in any order,
 * each unit once.
 *
 * @return False: ERROR_INVALID; also when it is zero, negative or longer than 1000 years.
 */
bool within_parse(struct span text, struct within *within, struct error *err) MUST_CHECK;

/** Appends it as restic reads it: y, m, d, h; weeks have become days. */
void within_format(struct text *out, const struct within *within);

/** About how many hours that is (a year has 8766, a month 730.5): to compare two of them. */
int64_t within_hours(const struct within *within);
