#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/findings.h"
#include "base/error.h"

/*
 * Functions and Tasks, resolved into containers. Values are put into strings of the parsed objects,
 * once, and never read again, so no value can become structure. What an owner wrote (parameters)
 * reaches arguments and environment only: image, command, volumes, ServiceAccount and
 * securityContext are of those who may write Functions and Tasks, with the variables of
 * task_variables.h.
 */

/** What is resolved. All borrowed. */
struct task_request {
    const json_t *task;      /* the Task */
    const json_t *functions; /* array of Functions, by name; others may be among them */
    const json_t *variables; /* of task_variables() */
    const json_t *params;    /* [{name, value}] of the invoker; NULL: none */
};

/** What it makes of a pod. Release with task_made_done(). */
struct task_made {
    json_t *containers; /* owned; in their order, the last one is the main one. Names, images, ...
                           as the Functions have them; a container's settings are applied */
    json_t *volumes;    /* owned; of the Task */
};

void task_made_done(struct task_made *made);

static inline void auto_task_made(struct task_made *made)
{
    task_made_done(made);
}

/**
 * Resolves a Task.
 *
 * @param made      {0} before; filled also with errors, for those who show what there is.
 * @param findings  Told of all that is wrong, with the Function and the field: a Function that is
 *                  not there, variables that nobody has, parameters with reserved names (errors),
 *                  parameters that no Function reads (warnings).
 * @return          False: there were errors, nothing may be run.
 *
 * Spec: stash-behaviour 5.3; security 5.2 PE1, PE2.
 */
bool task_resolve(const struct task_request *request, struct task_made *made,
                  struct findings *findings) MUST_CHECK;

/**
 * The name of the Task that is meant: that of the invoker with its variables, else the one that the
 * AppBinding names in its parameters (StashAddon).
 *
 * @param app  AppBinding, or NULL.
 * @return     Heap string, "" when none is named; NULL: code as expand_text().
 */
char *task_name(const json_t *invoker, const json_t *app, bool restore, const json_t *variables,
                struct error *err) MUST_CHECK;

/** The parameters: those of the invoker before those that the AppBinding names for the same Task.
 *  New array. */
json_t *task_params(const json_t *invoker, const json_t *app, bool restore);

/**
 * The Task that can take the place of one that nobody has: of the same name but for its version,
 * which agrees in as many parts as possible (3.5.9 for 3.5.10 before 3.6.0); then one that is not
 * older. Of another major version only a newer one, since tools read older servers, not newer ones.
 *
 * @param tasks  Array of Tasks.
 * @return       Its name, borrowed; NULL: none can.
 */
const char *task_nearest(const char *name, const json_t *tasks);
