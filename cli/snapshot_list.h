#pragma once

#include <jansson.h>

#include "base/text.h"

/*
 * Snapshots as far as objects of the API name them: those of BackupSessions that are still there.
 * Pure.
 */

/** What was read. Lists of objects, borrowed; any shape. */
struct snapshots_seen {
    const json_t *configurations; /* whose snapshots are told */
    const json_t *sessions, *repositories;
};

/**
 * One row for each snapshot, by configuration, the newest session first:
 *
 *   namespace, configuration, target {kind, name}, repository {namespace, name}
 *   snapshot, host, path    as restic files it
 *   time, session           when its session was made, and its name
 *   size, uploaded          of all that it holds, of what was new; absent: not said
 *
 * @return New list.
 */
json_t *snapshot_list(const struct snapshots_seen *seen);

/** Appends a line for each Repository of these configurations that holds more or fewer snapshots
 *  than the rows name, or of which that is not known: what is not known without opening it. */
void snapshots_not_told(const struct snapshots_seen *seen, const json_t *rows, struct text *text);
