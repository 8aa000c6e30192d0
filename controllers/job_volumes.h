#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/findings.h"
#include "api/target.h"

/*
 * The data of a Job: which claims it mounts, where, and on which node that is possible. Pure.
 */

/** The claim that a run writes to, made for it. */
#define JOB_INTERIM_VOLUME "stash-interim-volume"

/** The claim that is the target. */
#define JOB_CLAIM_VOLUME "stash-volume"

/** What the data follows from. All borrowed. */
struct job_data {
    const json_t *invoker, *target;
    const json_t *neighbour; /* a pod that mounts the claim which is the target, or NULL */
    enum target_class class;
    int64_t ordinal;      /* of the StatefulSet's pod whose claims are meant; -1: none */
    const json_t *claims; /* of job_claims_make(), which take the place of a target; or NULL */
};

/** Volumes and where they are mounted. Release with job_volumes_done(). */
struct job_volumes {
    json_t *volumes;      /* of the pod */
    json_t *mounts;       /* [{name, mountPath, subPath?}] */
    json_t *owner_mounts; /* the same as the pod names them whose files they are; NULL: as mounts */
};

void job_volumes_done(struct job_volumes *volumes);

/**
 * Settles the data: of a claim at the path that was asked for (/stash-data), of a workload each
 * mount that its sidecar would have, at the same path; a subPathExpr with the values that the pod
 * of this ordinal has.
 *
 * @param volumes   {0} before.
 * @param by_task   A Task brings its own volumes: only owner_mounts are wanted.
 * @param findings  Told why not: no claims, variables that only a running pod knows.
 */
bool job_volumes_make(struct job_volumes *volumes, const struct job_data *data, bool by_task,
                      struct findings *findings) MUST_CHECK;

/**
 * The claims that a restore makes for itself, from target.volumeClaimTemplates: with the ordinal in
 * place of ${POD_ORDINAL} at the end of their names. They are the result, so they belong to nobody.
 *
 * @param ordinal  Of the replica; -1: there are none.
 * @return         New array of PersistentVolumeClaims; NULL with findings: a name that is none, or
 *                 that would be the same for each replica.
 */
json_t *job_claims_make(const json_t *session, int64_t ordinal,
                        struct findings *findings) MUST_CHECK;

/** What is known of the claims of a pod. All borrowed. */
struct job_placing {
    const json_t *claims;   /* array of PersistentVolumeClaims; NULL: not known */
    const json_t *attached; /* {claim: node} */
    const json_t *made;     /* claims that are made together with the pod; array, or NULL */
    const char *node;       /* where it has to be anyhow, or NULL */
};

/** Notes in {claim: node} where the claims of a pod are; one that has ended, or has no node yet,
 * holds none. */
void job_note_attached(json_t *attached, const json_t *pod);

/**
 * Requires the node where a claim of the pod is attached that only one node can have.
 *
 * @param spec      Edited.
 * @param findings  Errors: a claim that is not there, one for a single pod that is in use, claims
 * on two nodes, a nodeName that is another one.
 */
void job_place(json_t *spec, const struct job_placing *placing, struct findings *findings);
