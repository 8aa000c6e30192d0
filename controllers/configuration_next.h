#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/settings.h"
#include "controllers/condition.h"

/*
 * What a BackupConfiguration says about itself, and its CronJob. Spec: stash-behaviour 1.4 and 5.1;
 * the phase here also tells of target and agent.
 */

/** What a look brought: it is there, it is not, it could not be found out. */
enum seen { SEEN_NO, SEEN_YES, SEEN_UNKNOWN };

/** How many pods of the target carry the agent. */
enum carried {
    CARRIED_NOT_ASKED, /* a Job does the work */
    CARRIED_BY_ALL,
    CARRIED_BY_SOME,
    CARRIED_BY_NONE,
    CARRIED_AFTER_OWNER, /* by none; the workload is older than the installation, and waits */
};

/** What there is under the name of its CronJob. */
enum cronjob {
    CRONJOB_ABSENT,
    CRONJOB_OURS,
    CRONJOB_OTHER, /* ours, and not as it is to be */
    CRONJOB_FOREIGN,
    CRONJOB_REFUSED, /* the last write failed */
};

/** What is found. Messages are borrowed; NULL is "nothing to add". */
struct configuration_seen {
    enum seen repository, secret, target;
    const char *repository_message, *secret_message, *target_message;
    const char *invalid; /* why it can never work, such as usagePolicy; NULL: it can */
    enum carried carried;
    const char *carried_message;
    bool scheduled; /* it has a schedule that can be read */
    enum cronjob cronjob;
    const char *cronjob_message;
    bool deleted;
    const struct condition *more; /* further conditions, which decide nothing */
    size_t more_count;
};

enum configuration_action {
    CONFIGURATION_WAIT,   /* until something changes */
    CONFIGURATION_APPLY,  /* write the CronJob */
    CONFIGURATION_DELETE, /* the CronJob, which is ours: there is no schedule any more */
};

/** What to do about its CronJob. */
enum configuration_action configuration_next(const struct configuration_seen *seen);

/** Why no session of it can run now; NULL when one can. Some pods with the agent are enough. */
const char *configuration_obstacle(const struct configuration_seen *seen);

/**
 * The status that follows: conditions, phase, observedGeneration; the rest stays.
 *
 * @param status  As it is; NULL and odd shapes are an empty one. Borrowed.
 * @return        New reference. Equal to `status` when there is nothing to write.
 */
json_t *configuration_status(const struct configuration_seen *seen, const json_t *status,
                             int64_t generation, int64_t now_s);

/** What a CronJob is made of. Borrowed. */
struct cronjob_request {
    const json_t *configuration;
    const struct settings *settings;
    int64_t interval_s; /* the shortest one of the schedule */
};

/** `stash-trigger-<name>`, at most 52 characters, with a hash when cut. The caller frees it. */
char *cronjob_name(const char *configuration);

/**
 * The CronJob that asks for a session of each slot. Schedules are in UTC; a run that is late by
 * more than the interval (an hour at least for rare ones, a minute for frequent ones) is left out;
 * two never overlap. New reference.
 */
json_t *cronjob_make(const struct cronjob_request *request);
