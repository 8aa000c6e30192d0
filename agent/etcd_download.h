#pragma once

#include "agent/etcd_tool.h"
#include "base/error.h"

/** Where a snapshot of etcd comes from. Borrowed. */
struct etcd_download {
    const char *restic;     /* path of the program */
    const char *repository; /* its URL; password and keys are in our environment */
    const char *snapshot;   /* id, or "latest" */
    const char *folder;     /* where to */
};

/** The one file "snapshot.db" below a folder; the caller frees it. NULL: ERROR_NOT_FOUND: there is
 *  none; ERROR_INVALID: there are several; ERROR_INTERNAL. */
char *etcd_find_snapshot(const char *folder, struct error *err) MUST_CHECK;

/**
 * Takes the one file "snapshot.db" out of a snapshot of restic, wherever it is in it.
 *
 * @param run  Its environment is not used: restic gets ours, as if it was called by hand.
 * @return     Its path, the caller frees it. NULL: as etcd_run(); ERROR_NOT_FOUND: there is none in
 *             it; ERROR_INVALID: there are several.
 */
char *etcd_download(const struct etcd_run *run, const struct etcd_download *from,
                    struct error *err) MUST_CHECK;
