#pragma once

#include <jansson.h>

#include "controllers/configuration_next.h"

/*
 * What stands under the name of a CronJob, beside what should. Pure.
 */

/**
 * Compares. Ours is the one that the configuration controls, by its uid; it is as it is to be when
 * nothing of its spec differs but what the API server fills in, and our labels are there. Other
 * labels and annotations are nobody's business.
 *
 * @param found          The CronJob that there is; NULL: none. Borrowed.
 * @param wanted         As cronjob_make() makes it; NULL: none is wanted.
 * @param configuration  Whose it is to be.
 */
enum cronjob cronjob_state(const json_t *found, const json_t *wanted, const json_t *configuration);
