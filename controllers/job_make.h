#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/findings.h"
#include "api/settings.h"

/*
 * The Job of a BackupSession or RestoreSession, for what has no pod of ours: a claim, a workload in
 * Job mode, an AppBinding with its Task. Pure. A Job is made once and never changed, and what is
 * wrong is said instead of made. Spec: stash-behaviour 5.3 and 5.4; design, What is put into a pod.
 */

/** What one Job is made of: one host of one session. All borrowed; NULL is "there is none". */
struct job_request {
    bool restore;
    const json_t *invoker;    /* BackupConfiguration or RestoreSession */
    const json_t *session;    /* BackupSession, or the RestoreSession again */
    const json_t *repository; /* Repository */
    const json_t *target;     /* the object itself */
    const char *host;         /* as the sidecar would be called, see host_name(); NULL: alias or
                                 host-0 */
    int64_t ordinal;          /* of a StatefulSet's pod whose claims are meant; -1: no such */
    const char *node;         /* where that host is (a DaemonSet's); NULL: anywhere */
    const json_t *tasks, *functions; /* arrays of all that there are */
    const json_t *sets;              /* array of the StatefulSets beside an AppBinding; NULL: not
                                        known */
    const json_t *claims;            /* array of the claims of the namespace; NULL: not known */
    const json_t *attached;          /* {claim: node} of those that are mounted somewhere */
    const json_t *neighbour; /* a pod that mounts the claim which is the target: whose files they
                                are, and what its node asks for */
    bool restricted;         /* the namespace enforces Pod Security level restricted */
    bool account_allowed;    /* who wrote the invoker may let pods run with a ServiceAccount */
    int64_t deadline_s;      /* seconds until the session's deadline; 0: none */
    const struct settings *settings;
};

/** What is to be created, the claims first. Release with job_made_done(). */
struct job_made {
    json_t *job;
    json_t *interim; /* PersistentVolumeClaim from interimVolumeTemplate, or NULL */
    json_t *claims;  /* array of those that are restored into, from volumeClaimTemplates, or NULL */
};

void job_made_done(struct job_made *made);

static inline void auto_job_made(struct job_made *made)
{
    job_made_done(made);
}

/** `stash-backup-<session>-0`, `stash-restore-<session>-0`, with `-<ordinal>` behind it; at most 63
 *  characters, with a hash when cut. The caller frees it. */
char *job_name(bool restore, const char *session, int64_t ordinal);

/**
 * Makes the Job: equal requests give equal Jobs.
 *
 * @param made      {0} before; filled on success.
 * @param findings  Errors that keep it from being made (no Task, a claim that is not there or is
 *                  attached to another node than the rest), and warnings (another version's Task).
 */
bool job_make(const struct job_request *request, struct job_made *made,
              struct findings *findings) MUST_CHECK;
