#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

/** Where one pod of a workload runs. All borrowed. */
struct host_of {
    const char *kind;  /* of the workload: StatefulSet */
    const char *alias; /* of the target in its BackupConfiguration or RestoreSession; NULL: none */
    const char *pod;   /* name of the pod */
    const char *node;  /* name of its node */
};

/**
 * The name under which the snapshots of one pod are filed: `<alias|host>-<ordinal>` for a
 * StatefulSet, `<node>` or `<alias>-<node>` for a DaemonSet, `<alias>` or `host-0` for every other
 * kind, whose pods share their data.
 *
 * @param host  Empty before, and on failure: a pod that is named like none of a StatefulSet, or a
 *              node without a name.
 *
 * Spec: Stash behaviour, section 6.3.
 */
bool host_name(struct text *host, const struct host_of *of) MUST_CHECK;
