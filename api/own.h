#pragma once

#include <jansson.h>

#include "api/annotation.h"

/**
 * What an owner's annotations mean in a BackupConfiguration: members of its spec, each of them in
 * full (schedule, paused, exclude, timeOut, retentionPolicy, runtimeSettings); what he did not set
 * is absent.
 *
 * @param annotations  Within their bounds.
 * @param spec         The blueprint's, resolved: what he set stands in its place, the rest of a
 *                     member stays. Borrowed.
 * @return             New reference to an object that shares nothing with spec.
 */
json_t *own_settings(const struct annotations *annotations, const json_t *spec);
