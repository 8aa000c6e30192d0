#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/findings.h"
#include "api/keys.h"
#include "api/settings.h"
#include "controllers/maintenance_next.h"

/*
 * The Job of one maintenance run: in the Repository's namespace, never in an application's pod,
 * with the storage Secret mounted. What it runs stands in its arguments; what came of it is in its
 * container's termination message. Pure.
 */

/** Where the agent finds the storage Secret, a file for each key. */
#define MAINTENANCE_SECRET_MOUNT "/var/run/secrets/granary.dev/storage"

/** Annotation of a Job that removes a repository: UID of the Repository that was deleted. */
#define KEY_WIPES KEY_PREFIX "wipes"

/** The container of the agent, and what the names of those begin with that run commands. */
#define MAINTENANCE_CONTAINER "granary-maintain"
#define MAINTENANCE_COMMAND "granary-verify-"

/** What it is made of. All borrowed. */
struct maintenance_job {
    const json_t *repository; /* Repository */
    enum maintenance_kind kind;
    const json_t *runs;     /* argument vectors, one after the other, see maintenance_args.h */
    const json_t *commands; /* of a drill: [{folder, image, command, template?}]; NULL: none */
    const json_t *claim; /* of a drill: {metadata?, spec} of a claim to restore into; NULL: none */
    const char *cluster; /* UID of the one that must own the repository; NULL: not known */
    const char
        *dead; /* begin of the names of pods that have ended and may have left a lock; NULL: none */
    int64_t since_s;        /* of its holder in the ledger: the same run has the same name */
    const json_t *claims;   /* of the namespace, for a local backend; NULL: not known */
    const json_t *attached; /* {claim: node} */
    bool restricted;        /* the namespace enforces Pod Security level restricted */
    const struct settings *settings;
};

/** `granary-<kind>-<repository>-<since>`, at most 63 characters, with a hash when cut. The caller
 *  frees it. */
char *maintenance_job_name(enum maintenance_kind kind, const char *repository, int64_t since_s);

/** The kind that stands in such a name, so that whoever leads next goes on with the same Job.
 *  MAINTENANCE_KINDS: in none of ours. */
enum maintenance_kind maintenance_job_kind(const char *name);

/**
 * Makes the Job: a child of the Repository (a wipe, which begins when that has gone, is nobody's),
 * tried once, ended after a day, gone after a week.
 *
 * @param findings  Errors: nothing to run, no Secret where the backend needs one, a claim that is
 *                  not there.
 * @return          New reference; NULL with errors.
 */
json_t *maintenance_job_make(const struct maintenance_job *request,
                             struct findings *findings) MUST_CHECK;
