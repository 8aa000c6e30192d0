#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Drills: what the BackupConfigurations of a Repository ask for with spec.verify, as one plan.
 * Those that share it have one drill together, when the first of them is due. Pure; odd shapes ask
 * for nothing.
 */

/** Where the agent restores to, and where a command finds it. */
#define DRILL_MOUNT "/restored"

/** Room of an emptyDir to restore into, for Kubernetes and for the agent: what is larger needs an
 * interimVolumeTemplate, so that no node's disk is filled unasked. */
#define DRILL_ROOM "10Gi"
#define DRILL_ROOM_FLAG "10240Mi"

/** True of a configuration that asks for drills, and is not paused. */
bool drill_is_wanted(const json_t *configuration);

/** A text that changes when the schedules do; NULL: nobody asks for drills. The caller frees it. */
char *drill_plan_of(const json_t *configurations);

/** The first slot of any of them after this time, spread by the jitter of each; -1: none comes. */
int64_t drill_next_s(const json_t *configurations, int64_t after_s);

/** What the agent is told: an array of `{tag, folder, files?, keep?}`. New reference. */
json_t *drill_runs(const json_t *configurations);

/** The claim to restore into, from an interimVolumeTemplate; NULL: none asks for one. Borrowed. */
const json_t *drill_claim(const json_t *configurations);

/** The command of a configuration that drills, or NULL. Borrowed. */
const json_t *drill_command(const json_t *configuration);

/** The folder of one configuration's files below DRILL_MOUNT. The caller frees it. */
char *drill_folder_of(const json_t *configuration);

/**
 * What runs one command.
 *
 * @param configuration  That asks for it.
 * @param workload       Its target, whole, whose image and user it has; NULL: it has none.
 * @param image          Set to the image; borrowed from one of the two.
 * @return               False: ERROR_INVALID, there is no image.
 */
bool drill_image(const json_t *configuration, const json_t *workload, const char **image,
                 struct error *err);
