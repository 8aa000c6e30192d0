#pragma once

#include <stdint.h>

#include "api/cron.h"

/*
 * When a schedule is due, and what the session of that moment is called. A slot is a moment of the
 * schedule in seconds since 1970, UTC: schedules are in UTC. One slot has one name, so no slot runs
 * twice whoever asks for it how often.
 */

/* Missed slots that are counted at most. */
#define SLOTS_MISSED_MAX 100

/** What repeats, and from when on: the anchor (the creation of the CronJob) is what "@every" counts
 *  from. */
struct slots {
    struct cron cron;
    int64_t anchor_s;
};

/** The first slot after this moment (and after the anchor); -1 when there is none. */
int64_t slot_next(const struct slots *slots, int64_t after_s);

/** The last slot up to and with now_s that lies after after_s (and after the anchor); -1 when there
 *  is none. */
int64_t slot_last(const struct slots *slots, int64_t after_s, int64_t now_s);

/** How many slots lie after after_s, up to and with now_s; SLOTS_MISSED_MAX when there are more. */
int slot_missed(const struct slots *slots, int64_t after_s, int64_t now_s);

/** Name of the session of a slot, `<configuration>-<seconds>` as Stash has it; cut with a hash. The
 *  caller frees it. */
char *slot_session_name(const char *configuration, int64_t slot_s);

/** Name of the session that something without a slot asks for, a Job made by hand or a session
 *  that is tried again: `<configuration>-<hash>`. The same UID gives the same name. The caller
 *  frees it. */
char *slot_name_of_uid(const char *configuration, const char *uid);

/** Seconds by which one configuration begins later than its slot: spread over jitter_s by its UID,
 *  always the same for the same one. 0 when jitter_s is not above 0. */
int64_t slot_spread_s(const char *uid, int64_t jitter_s);
