#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "controllers/etcd_next.h"

/*
 * Which member of an etcd is which pod, and where its data are: from the StatefulSet and from what
 * went with the snapshot. What a person gives as parameter of the Task takes the place of what is
 * found. Members are matched by name, never by position. Pure. Spec: stash-behaviour 8.1, 10.5.
 */

/** Parameters of the Task, as Stash names them, and ours. NULL: not given. Borrowed. */
struct etcd_asked {
    const char *initial_cluster; /* "a=https://...,b=..." */
    const char *token;           /* initialClusterToken */
    const char *data_dir;
    const char *kind, *name; /* workloadKind, workloadName */
    const char *wait, *bump; /* waitTimeout in seconds; bumpRevision, "0": none */
    const char *keep;        /* keep: what earlier restores replaced goes when it is older */
};

/** Reads the parameters: [{name, value}]. @return False with ERROR_INVALID: one that this restore
 *  does not understand, or a value that can not be one. */
bool etcd_asked_read(const json_t *params, struct etcd_asked *asked, struct error *err) MUST_CHECK;

/** One member. Owned. */
struct etcd_plan_member {
    char *name, *pod, *claim;
    char *data_dir, *mount_path, *sub_path; /* the last is NULL where there is none */
};

/** Release with etcd_plan_done(). */
struct etcd_plan {
    struct etcd_plan_member members[ETCD_MEMBERS_MAX];
    size_t count;
    char *initial_cluster, *token; /* owned */
    char *version;                 /* of the server, "3.5.21" out of its image; NULL: not known */
    const json_t *container;       /* that etcd runs in; borrowed of the StatefulSet */
    const json_t *pod;             /* spec of its pods; likewise */
    int64_t user;                  /* that it runs as; 0 where nothing is said */
};

void etcd_plan_done(struct etcd_plan *plan);

static inline void auto_etcd_plan(struct etcd_plan *plan)
{
    etcd_plan_done(plan);
}

/**
 * The name of the StatefulSet: as asked, else out of the first member's peer URL, whose host begins
 * with the name of its pod. Heap string; NULL with ERROR_INVALID.
 */
char *etcd_plan_workload(const struct etcd_asked *asked, struct error *err) MUST_CHECK;

/**
 * Plans.
 *
 * @param asked  With initial_cluster: as given, else as it went with the snapshot.
 * @param set    The StatefulSet. Borrowed by the plan.
 * @return       False with ERROR_INVALID: in words for who asked.
 */
bool etcd_plan_make(const struct etcd_asked *asked, const json_t *set, struct etcd_plan *plan,
                    struct error *err) MUST_CHECK;
