#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/maintenance_result.h"
#include "controllers/maintenance_next.h"

/*
 * What the status of a Repository says of its maintenance: the past of each kind, which decides
 * when it is due again, and for people what is in the repository and whether it is in order. Pure;
 * odd shapes count as absent. Spec: stash-behaviour 1.7 and 5.6; docs/maintenance.md.
 */

/** Of a pod that ended without a word: it was killed or deleted, and its lock may lie there. */
#define MAINTENANCE_POD_LOST "PodLost"

/** Of a Job that could not be made. */
#define MAINTENANCE_JOB_REFUSED "JobRefused"

/** Reads pasts, `removed`, `damaged`, `refusal_said`, and into `refused_s` when another kind last
 * met a password that opens nothing; of `kind` also whether its last pod was lost. */
void maintenance_status_read(const json_t *status, struct maintenance *seen);

/** True when what came of this Job stands in the status. */
bool maintenance_status_has(const json_t *status, enum maintenance_kind kind, const char *job);

/** The value of granary.dev/unlock that was followed last, or "". Borrowed. */
const char *maintenance_status_unlock(const json_t *status);

/** Puts there that the password opens nothing, and that its key is to be exchanged; edited in
 * place.
 */
void maintenance_status_put_refused(json_t *status, int64_t now_s);

/** Which schedules of drills stand there, "" when none do, and since when. Borrowed. */
const char *maintenance_status_plan(const json_t *status, int64_t *since_s);

/** Puts them there, in place of those before; edited in place. */
void maintenance_status_put_plan(json_t *status, const char *plan, int64_t now_s);

/** Of a drill: its command said that what was restored is not right. */
#define MAINTENANCE_COMMAND_FAILED "VerifyCommandFailed"

/** What came of a run. All borrowed. */
struct maintenance_outcome {
    enum maintenance_kind kind;
    const char *job;
    int64_t since_s;                  /* of its holder: what ended before it is covered */
    const char *unlock;               /* value of the annotation that was followed; NULL: none */
    const char *reason;               /* one word; NULL: it went well */
    const char *message;              /* for people; NULL: it went well */
    struct maintenance_result result; /* its numbers count when it went well */
};

/** Puts it into a status, edited in place: pasts, numbers and conditions. */
void maintenance_status_put(json_t *status, const struct maintenance_outcome *outcome,
                            int64_t now_s);

/** The condition of a kind, and its reasons: `RetentionPolicyApplied`,
 * `SuccessfullyAppliedRetentionPolicy`, `FailedToApplyRetentionPolicy`. Static. */
const char *maintenance_condition(enum maintenance_kind kind);
const char *maintenance_done_word(enum maintenance_kind kind);
const char *maintenance_failed_word(enum maintenance_kind kind);
