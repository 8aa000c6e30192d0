#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "controllers/condition.h"

/*
 * Whether the sessions of a schedule begin when they are due: condition `ScheduleKept` of a
 * BackupConfiguration. Pure. A CronJob tells nobody that it does not run, that its pods never
 * start, or that what they ask for is not there.
 */

#define CONDITION_SCHEDULE_KEPT "ScheduleKept"

/** What is seen. All borrowed. */
struct schedule_seen {
    const json_t *configuration;
    const json_t *cronjob; /* ours; NULL: there is none yet */
    int64_t made_s;        /* when that was made; -1: nothing is due */
    int64_t session_s;     /* when its youngest session was made; -1: there is none */
    int64_t now_s;
};

/** What follows. */
struct schedule_kept {
    struct condition condition; /* borrows from message; ABSENT: nothing is due */
    char *message;              /* owned */
    int missed;                 /* slots that were not told of before */
    int64_t look_s;             /* the next moment at which one may be missing; -1: never */
};

static inline void auto_schedule_kept(struct schedule_kept *kept)
{
    free(kept->message);
}

/**
 * Judges. A slot is missed when nothing began since it was due: no session, and no Job of the
 * CronJob that has succeeded (sessions are deleted by history limits and by people). It has half of
 * the interval for that, some minutes at most, and the jitter.
 *
 * While a configuration is paused nothing is missed, and what was due before the pause ended, the
 * schedule was changed or the first look was taken is not counted. So its old condition counts.
 */
struct schedule_kept schedule_kept_read(const struct schedule_seen *seen);
