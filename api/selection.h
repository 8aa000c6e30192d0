#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/findings.h"
#include "api/pod.h"

/** Which paths of a workload are backed up, and where our container mounts them. */
struct selection {
    json_t *paths;  /* owned; array of strings */
    json_t *mounts; /* owned; [{name, mountPath, subPath?, subPathExpr?}] */
};

void selection_done(struct selection *selection);

static inline void auto_selection(struct selection *selection)
{
    selection_done(selection);
}

/** What somebody asked for. All borrowed; NULL is "did not say". */
struct selecting {
    struct pod_claims claims;
    const json_t *paths, *mounts;
    const char *paths_field, *mounts_field; /* where that was said, for findings */
};

/**
 * Settles paths and mounts. With both absent: every claim at its own mount path. With one of the
 * two absent it is derived from the other. What does not fit (an unknown volume, a path outside of
 * every mount, two mounts at one path) is told as a mistake and left out; a path that the given
 * mounts do not cover, but a mount of the pod does, is backed up from there.
 *
 * @param selection  {0} before; its lists may be empty: nothing to back up.
 */
void selection_make(struct selection *selection, const struct selecting *in,
                    struct findings *mistakes, struct findings *cautions);
