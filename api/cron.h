#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/** When something is due. Bit n of a set stands for the value n. */
struct cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; /* days 1..31, months 1..12, weekdays 0 (Sunday)..6 */
    bool any_day, any_weekday;              /* "*" or "?": only the other one of the two decides */
    int64_t every_s;                        /* of "@every"; then the sets are empty; else 0 */
};

/**
 * Reads a schedule as Kubernetes' CronJob accepts it: minute, hour, day of month, month, day of
 * week, with lists, ranges, steps, names (jan, mon), "?"; @yearly, @annually, @monthly, @weekly,
 * @daily, @midnight, @hourly; "@every 1h30m". When day of month and day of week are both
 * restricted, one of them is enough.
 *
 * @return False: ERROR_INVALID; the message names the field and what was expected. Refused too:
 *         TZ= and CRON_TZ= (as CronJob does; the message names spec.timeZone), a date that never
 *         comes (30 February), "@every" below one second.
 *
 * Spec: crontab(5); the schedule of batch/v1 CronJob.
 */
bool cron_parse(struct cron *cron, struct span text, struct error *err) MUST_CHECK;

/**
 * The first time after this one at which it is due.
 *
 * @param after_s  Seconds since 1970, UTC, 0 to the year 9999.
 * @return         Seconds since 1970, UTC; -1 when not within nine years (29 February may take
 *                 eight), or when after_s is out of range.
 */
int64_t cron_next(const struct cron *cron, int64_t after_s);

/** The shortest time between two runs in seconds, over all years: 60 at least, but for "@every". */
int64_t cron_shortest_interval_s(const struct cron *cron);
