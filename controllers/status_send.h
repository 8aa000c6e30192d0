#pragma once

#include <jansson.h>

#include "kube/client.h"
#include "kube/resource.h"

/** What became of a status. */
enum status_sent {
    STATUS_SAME, /* nothing differs: nothing was sent */
    STATUS_SENT,
    STATUS_LATE, /* somebody else changed the object since it was read, or it is gone: look again */
    STATUS_FAILED
};

/**
 * Writes the status of an object: only the members that differ, and only onto the state that was
 * read.
 *
 * @param object  As read, with uid and resourceVersion.
 * @param next    Its status as it is to be. Borrowed.
 * @param err     Filled with STATUS_LATE and STATUS_FAILED.
 */
enum status_sent status_send(struct kube_client *client, const struct kube_resource *resource,
                             const json_t *object, const json_t *next, struct error *err);
