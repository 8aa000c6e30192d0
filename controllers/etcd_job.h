#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "api/settings.h"
#include "base/error.h"
#include "controllers/etcd_plan.h"
#include "controllers/job_app.h"

/*
 * The Jobs of a restore of etcd: one proves the snapshot, one for each member writes its data dir,
 * one for each member undoes that, one waits until all members are healthy. Pure.
 *
 * What writes runs as the user of etcd, on the volume of its member; the snapshot is taken out of
 * the repository by a first container, with the storage Secret, which so has to be in the namespace
 * of the session.
 */

enum etcd_job_kind { ETCD_JOB_PROVE, ETCD_JOB_RESTORE, ETCD_JOB_UNDO, ETCD_JOB_HEALTH };

/** The container whose last words are JSON of the agent: {error?, ...}. */
#define ETCD_JOB_CONTAINER "etcd"

/** Of what one is made. All borrowed. */
struct etcd_job_request {
    enum etcd_job_kind kind;
    size_t member;         /* of RESTORE and UNDO */
    const json_t *session; /* RestoreSession */
    const json_t *repository;
    const struct settings *settings;
    const struct etcd_plan *plan; /* NULL: of PROVE, before there is one */
    const struct etcd_asked *asked;
    const struct job_app *app;   /* of HEALTH */
    const char *snapshot, *host; /* that is fetched: "latest" or an id, and whose */
    int64_t revision;            /* of HEALTH: that members have at least */
};

/** Its name: of one session, one for each step. The caller frees it. */
char *etcd_job_name(enum etcd_job_kind kind, size_t member, const json_t *session);

/** The Job. New reference. */
json_t *etcd_job_make(const struct etcd_job_request *request);

/** The claim of a member that is not there any more, as its StatefulSet would make it; new
 *  reference. NULL: its template is gone, too. */
json_t *etcd_claim_make(const json_t *set, const struct etcd_plan_member *member);
