#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/settings.h"
#include "base/error.h"
#include "controllers/hosts.h"
#include "controllers/session_view.h"
#include "kube/client.h"

/*
 * The Jobs of a session: what they are made from is read here, they are made, found and deleted.
 * Which Job is ours stands in the Lease of the target (controllers/claims.h): whoever makes one of
 * the same name, labels and owners gets nothing.
 */

/** Those of one session and their pods. {0} before; release with session_jobs_done(). */
struct session_jobs {
    json_t *jobs, *pods;     /* owned; arrays */
    const json_t **pod_list; /* owned */
    int64_t read_s;          /* as of when; 0: not read */
};

void session_jobs_done(struct session_jobs *jobs);

static inline void auto_session_jobs(struct session_jobs *jobs)
{
    session_jobs_done(jobs);
}

/**
 * Reads them from the API server.
 *
 * @param space    Namespace of the session.
 * @param session  Its UID.
 * @param now_s    From before the call.
 */
bool session_jobs_read(struct kube_client *client, const char *space, const char *session,
                       int64_t now_s, struct session_jobs *jobs, struct error *err) MUST_CHECK;

/** Puts them where a session is read from; borrowed. */
void session_jobs_show(const struct session_jobs *jobs, struct hosts_seen *seen);

/** True when Jobs do the work: the target has no pods of ours, or its configuration wants it so. */
bool session_is_job(const json_t *target, const json_t *invoker);

/** What the Job of one host is made from; borrowed. */
struct session_job {
    struct kube_client *client;
    const struct session_view *view;
    const struct settings *settings;
    bool restore;
    const json_t *session, *invoker; /* of a restore the same */
    const json_t *target;            /* {apiVersion, kind, name, namespace} */
    const char *host;
    int64_t deadline_s; /* moment; 0: none */
    int64_t now_s;
};

enum session_job_end {
    SESSION_JOB_MADE,
    SESSION_JOB_NOT_POSSIBLE, /* it never will be as it is asked for */
    SESSION_JOB_LATER         /* not now: look again */
};

/** What came of it; owned. {0} before; release with session_job_done(). */
struct session_job_result {
    char *uid;    /* of the Job that was made: to be recorded */
    char *twin;   /* of one that was there already, and that nobody recorded: it is ours by its
                     owner, and has got nothing */
    char *in_use; /* a pod that mounts the claim which is restored; NULL: none */
};

void session_job_done(struct session_job_result *result);

static inline void auto_session_job(struct session_job_result *result)
{
    session_job_done(result);
}

/**
 * Makes the Job, and before it the claims that it needs.
 *
 * @param err  Why not. Of LATER: ERROR_CONFLICT with a twin.
 */
enum session_job_end session_job_make(const struct session_job *what,
                                      struct session_job_result *result,
                                      struct error *err) MUST_CHECK;

/** Deletes the Job of a host, only the one of this UID. One that is gone is a success. */
bool session_job_delete(const struct session_job *what, const char *uid,
                        struct error *err) MUST_CHECK;
