#pragma once

#include <jansson.h>

#include "controllers/configuration_read.h"
#include "controllers/known.h"

/* Which objects a BackupConfiguration depends on, and which BackupConfigurations an object. */

/** What a configuration is read from, out of what is known; all owned. */
struct configuration_objects {
    json_t *configuration; /* NULL: there is none */
    json_t *repository, *space, *blueprint, *target, *pods, *cronjob;
    int64_t session_s; /* see struct configuration_facts */
};

/** @param key  "namespace/name". */
void configuration_look(struct known *known, const char *key,
                        struct configuration_objects *objects);

void configuration_objects_done(struct configuration_objects *objects);

static inline void auto_configuration_objects(struct configuration_objects *objects)
{
    configuration_objects_done(objects);
}

/** The target as it is known (a workload as metadata only); NULL: there is none. New reference. */
json_t *configuration_target(struct known *known, const json_t *configuration);

/** Appends the keys of the configurations for which this change counts. */
void configuration_keys(struct known *known, const struct informer_change *change, json_t *list);

/** Splits "namespace/name"; both are the caller's to free. False: it is none. */
bool configuration_key_split(const char *key, char **space, char **name);
