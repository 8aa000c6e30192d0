#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "kube/client.h"

/*
 * An API server over loopback HTTP that keeps objects of any kind, as far as its rules matter to
 * writers: names are unique, every write gets a resourceVersion and checks the one that it names,
 * uids are checked, `status` is a thing of its own, an apply takes nothing from others but by
 * force, and gives up what it does not say any more; who stands in metadata.managedFields with an
 * Apply of his own holds whatever differs. A watch waits for a change of its kind, and
 * then ends with 410: all of it is listed anew. And it fails at a write when it is told to.
 */
struct fake_cluster;

struct fake_cluster *fake_cluster_start(void);
void fake_cluster_stop(struct fake_cluster *cluster);

static inline void auto_fake_cluster(struct fake_cluster **cluster)
{
    fake_cluster_stop(*cluster);
}

/** A client of it, borrowed. */
struct kube_client *fake_cluster_client(struct fake_cluster *cluster);

/** What its clock says, which objects are stamped with. */
void fake_cluster_clock(struct fake_cluster *cluster, int64_t now_s);

/** Puts an object there, or in the place of another, as somebody else would: `path` is that of the
 *  object. What it has of uid, resourceVersion and creationTimestamp is kept, the rest made. */
void fake_cluster_put(struct fake_cluster *cluster, const char *path, json_t *object_new);

/** Takes it away. */
void fake_cluster_remove(struct fake_cluster *cluster, const char *path);

/** Takes a kind out of service, objects and all, or all back into it (NULL). */
void fake_cluster_unserve(struct fake_cluster *cluster, const char *plural);

/** New reference to a copy; NULL: there is none. */
json_t *fake_cluster_get(struct fake_cluster *cluster, const char *path);

/** New array of copies of all below a collection's path, in the order of their names. */
json_t *fake_cluster_list(struct fake_cluster *cluster, const char *path);

enum fake_failure {
    FAILS_NOT,
    FAILS_BEFORE,  /* the connection breaks, and nothing was done */
    FAILS_AFTER,   /* it was done, and nobody hears of it */
    FAILS_REFUSED, /* 403 */
    FAILS_CONFLICT /* somebody else was faster: 409 */
};

/** Write number `number` from now on (1: the next one) fails. 0: none does. */
void fake_cluster_fail(struct fake_cluster *cluster, int number, enum fake_failure how);

/** How many writes were carried out, and asked for, so far; how many reads. */
int fake_cluster_writes(struct fake_cluster *cluster);
int fake_cluster_asked(struct fake_cluster *cluster);
int fake_cluster_reads(struct fake_cluster *cluster);
