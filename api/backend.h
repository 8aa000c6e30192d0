#pragma once

#include <jansson.h>

#include "base/text.h"

/**
 * The provider of a backend: local, s3, gcs, azure, swift, b2 or rest, in Stash's order when
 * several are given; NULL when there is none. Static.
 */
const char *backend_provider(const json_t *backend);

/**
 * Where the data lies, without how it is reached: "s3 endpoint/bucket/prefix". Equal for two
 * backends exactly when they are one place (slashes at the ends and who reads it do not count).
 */
void backend_location(struct text *out, const json_t *backend);

/** The source of a local backend's volume: {persistentVolumeClaim: ...}; new reference, or NULL. */
json_t *backend_volume(const json_t *backend);

/** The same location as a person should read it. Credentials are in neither. */
void backend_describe(struct text *out, const json_t *backend);
