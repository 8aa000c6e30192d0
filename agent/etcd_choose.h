#pragma once

#include <jansson.h>

#include "base/error.h"

/**
 * Which snapshot of a repository an etcd is restored from. Only those count that a dump was stored
 * in: by us and by Stash below /stash-tmp or /stash-interim-volume. Pure.
 *
 * @param list    As `restic snapshots --json` gives it. Borrowed.
 * @param wanted  "latest", or the begin of an id (8 digits at least).
 * @param host    Whose newest one is meant.
 * @return        {snapshot, time, newest, newestTime}, the last two when a newer one of the host
 *                is left out. New reference; NULL: ERROR_NOT_FOUND, or ERROR_CONFLICT: several.
 */
json_t *etcd_choose(const json_t *list, const char *wanted, const char *host,
                    struct error *err) MUST_CHECK;
