#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controllers/desk.h"
#include "controllers/session_edge.h"
#include "tests/unit/controllers/fake_cluster.h"

/*
 * A cluster in which Deployment shop/web, with one pod that carries the agent, is backed up by
 * BackupConfiguration shop/c, and a leader who takes one step at a time. Time stands still unless
 * a test moves it.
 */
struct stage {
    struct fake_cluster *cluster;
    struct session_edge edge;
    int64_t now_s, watched_s;
    int64_t heard_s; /* of every host */
    bool asked;      /* an init container waits */
    bool claim;      /* see stage_claim() */
    bool set;        /* the target is StatefulSet shop/db, which Jobs work on */
    json_t *stale;   /* owned; the Lease as a cache has it still; NULL: as it is */
    struct session_view view;
    struct text events; /* "Reason " of each */
    int shown;          /* signs of progress that are to be shown */
    struct desk *desk;
    struct agent_desk agents;
};

/* 2024-05-01T13:30:00Z */
#define STAGE_NOW INT64_C(1714570200)

#define STAGE_SESSIONS "/apis/stash.appscode.com/v1beta1/namespaces/shop/backupsessions"
#define STAGE_RESTORES "/apis/stash.appscode.com/v1beta1/namespaces/shop/restoresessions"
#define STAGE_CONFIGURATION                                                                        \
    "/apis/stash.appscode.com/v1beta1/namespaces/shop/backupconfigurations/c"
#define STAGE_REPOSITORY "/apis/stash.appscode.com/v1alpha1/namespaces/shop/repositories/r"
#define STAGE_SECRET "/api/v1/namespaces/shop/secrets/key"
#define STAGE_WORKLOAD "/apis/apps/v1/namespaces/shop/deployments/web"
#define STAGE_MAKER "/apis/apps/v1/namespaces/shop/replicasets/web-1"
#define STAGE_PODS "/api/v1/namespaces/shop/pods"
#define STAGE_CLAIM "/api/v1/namespaces/shop/persistentvolumeclaims/data"
#define STAGE_JOBS "/apis/batch/v1/namespaces/shop/jobs"
#define STAGE_LEASES "/apis/coordination.k8s.io/v1/namespaces/granary-system/leases"

/* UIDs that agents and messages name. */
#define STAGE_POD_UID "11111111-0000-4000-8000-000000000001"
#define STAGE_SESSION_UID "22222222-0000-4000-8000-000000000001"
#define STAGE_CLUSTER_UID "44444444-0000-4000-8000-000000000001"
#define STAGE_CONFIGURATION_UID "33333333-0000-4000-8000-000000000001"

void stage_start(struct stage *stage);
void stage_done(struct stage *stage);

static inline void auto_stage(struct stage *stage)
{
    stage_done(stage);
}

/** Puts an object there: JSON with single quotes. */
void stage_put(struct stage *stage, const char *path, const char *row);

/** From now on the target is claim shop/data, which Jobs work on. */
void stage_claim(struct stage *stage);

/** A pod of the Job of s1 or r1, made by its controller. */
void stage_job_pod(struct stage *stage, const char *name, const char *uid, const char *job_uid,
                   const char *status);

/** BackupSession s1, whose spec has this besides its invoker (", 'retryLeft': 1"), or "". */
void stage_session(struct stage *stage, const char *more);

/** RestoreSession r1. */
void stage_restore(struct stage *stage, const char *spec);

/** A pod of web with this name and uid, which carries the agent. */
void stage_pod(struct stage *stage, const char *name, const char *uid, const char *status);

/** The leader looks at a session, or at the Lease of one that is gone, and takes a step. */
bool stage_step(struct stage *stage, const char *name, struct session_turn *turn,
                struct error *err);
bool stage_step_restore(struct stage *stage, const char *name, struct session_turn *turn,
                        struct error *err);

/** All sessions, again and again, until nothing is written any more; what fails is tried again. */
void stage_settle(struct stage *stage);

/** Another leader, who remembers nothing. */
void stage_elect(struct stage *stage);

/** Time goes by. */
void stage_wait(struct stage *stage, int64_t seconds);

/** Phase of a session, "" without one, "gone" when it is. The caller frees it. */
char *stage_phase(struct stage *stage, const char *name);

/** The Lease of web; NULL: there is none. New reference. */
json_t *stage_lease(struct stage *stage);

/** True when this pod is in the ledger of Repository shop/r for session s1 or r1. */
bool stage_is_in(struct stage *stage, const char *pod);

/** A life in which write `number` fails so ends as one in which none does. `end_of` shows what is
 *  there; the caller frees it. */
void stage_must_end_alike(void (*live)(struct stage *), char *(*end_of)(struct stage *), int number,
                          enum fake_failure how);
