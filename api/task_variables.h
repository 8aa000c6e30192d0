#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/settings.h"

/*
 * The variables of Functions and Tasks, such as ${TARGET_PATHS}: what stands in the objects that a
 * run is about. All of these names are reserved: no parameter takes their place.
 */

/** One host's backup or restore. All borrowed; NULL: there is none. */
struct task_run {
    bool restore;
    const json_t *invoker;    /* BackupConfiguration or RestoreSession */
    const json_t *session;    /* BackupSession, or the RestoreSession again */
    const json_t *repository; /* Repository */
    const json_t *target;     /* the object itself: claim, AppBinding, workload */
    const char *host;         /* its name in the repository; NULL: alias or host-0 */
    const struct settings *settings;
};

/** All names, with NULL at the end. Static. */
extern const char *const task_variable_names[];

/**
 * The values: {NAME: text}. A name without a value here is absent, so that a default takes its
 * place (REPOSITORY_ENDPOINT of a bucket that has none, RETENTION_KEEP_LAST of 0); TARGET_KIND
 * keeps its case, unlike in blueprints. What an owner wrote is in there as it is.
 *
 * @return  New reference.
 *
 * Spec: stash-behaviour 2.3, 5.3.
 */
json_t *task_variables(const struct task_run *run);

/** True for a reserved name. */
bool task_variable_is_reserved(const char *name);

/** The rule of a restore that is for this host: the first one that names it, else the first that
 *  names none. Borrowed; NULL: there is none. */
const json_t *task_restore_rule(const json_t *restore_session, const char *host);

/** The claim that a run writes its dump to, where one was asked for, is mounted here. */
#define TASK_INTERIM_MOUNT "/stash-interim-volume"
