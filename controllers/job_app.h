#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/*
 * What the steps of a Task get of the AppBinding that is their target: how it is reached, as JSON
 * in a variable, and the Secrets that it names, mounted. They need no right to the API, and no
 * value of a Secret passes through us. Pure. Spec: docs/jobs.md.
 */

struct job_app {
    json_t *volumes; /* owned; array */
    json_t *mounts;  /* owned; array, of the same volumes */
    json_t *env;     /* owned; one element */
};

void job_app_done(struct job_app *app);

static inline void auto_job_app(struct job_app *app)
{
    job_app_done(app);
}

/**
 * Makes it.
 *
 * @param app    {0} before; filled on success.
 * @param object The AppBinding.
 * @param sets   Array of the StatefulSets of its namespace; NULL: not known. Of those that run an
 *               etcd the step is told how.
 * @param space  Namespace of the Job.
 * @return       False with ERROR_INVALID: its Secrets are in another namespace, or it is too large
 *               for a variable.
 */
bool job_app_make(struct job_app *app, const json_t *object, const json_t *sets, const char *space,
                  struct error *err) MUST_CHECK;

/** Adds it to a container. */
void job_app_put(const struct job_app *app, json_t *container);
