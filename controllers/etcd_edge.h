#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "controllers/session_edge.h"

/*
 * The edge of etcd_next(): a RestoreSession whose target is an AppBinding of an etcd. Reads the
 * StatefulSet, its pods and the Jobs of the session anew, never from a cache, and carries one step
 * out. Like the other sessions of the target it works under the Lease of that. Spec: docs/etcd.md.
 */

/**
 * Whether a RestoreSession is one of those: its Task, or the one that its AppBinding names, is
 * etcd-restore, or it has begun as one.
 *
 * @return  False: not known.
 */
bool etcd_edge_is(struct kube_client *client, const json_t *session, const json_t *target, bool *is,
                  struct error *err) MUST_CHECK;

/** Takes the next step. */
bool etcd_edge_step(const struct session_edge *edge, const struct session_seen *seen,
                    const json_t *target, struct session_turn *turn, struct error *err) MUST_CHECK;
