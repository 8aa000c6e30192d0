#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "controllers/maintenance_next.h"
#include "controllers/repository_holders.h"

/*
 * From objects of the API to what maintenance_next() decides by, and the runs that it asks for.
 * Pure. Whoever may write a status may write anything into it: odd shapes count as absent.
 */

/** What is found. All borrowed. */
struct maintenance_seen {
    const json_t *repository;
    const json_t *configurations; /* that may write to it */
    const json_t *sessions;       /* BackupSessions of those */
    const struct holders *holders;
    enum maintenance_run run; /* of the Job that its own holder names */
    bool crowded;             /* as many drills as may be are at work elsewhere */
    bool taken, beside;       /* see maintenance_next.h */
    bool shared;              /* another Repository that is written to has its place */
};

/** True when maintenance of this Repository works there, alone or as a drill beside others; sets
 * the Job's name, which is borrowed, and its kind. */
bool maintenance_held(const struct maintenance_seen *seen, const char **job,
                      enum maintenance_kind *kind, int64_t *since_s);

void maintenance_read(const struct maintenance_seen *seen, struct maintenance *out);

/** When a BackupSession that succeeded ended; 0: it did not. Of one that has not said how long it
 * took: when it was made. */
int64_t maintenance_session_end(const json_t *session);

/** True of a retention policy with a rule that keeps something, or with one that can not be
 *  followed: that is said, and it does not keep everything. */
bool maintenance_has_rules(const json_t *policy);

/** The value of the annotation granary.dev/unlock that was not followed yet; NULL: none. Borrowed.
 */
const char *maintenance_unlock_asked(const json_t *repository);

/**
 * The argument vectors of a step, with which it also looks at what is there afterwards.
 *
 * @return  New array; NULL: ERROR_INVALID, a retention policy that can not be followed.
 */
json_t *maintenance_runs(const struct maintenance_seen *seen, const struct maintenance_step *step,
                         struct error *err) MUST_CHECK;
