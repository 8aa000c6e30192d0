#pragma once

#include <jansson.h>
#include <stdbool.h>

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

/**
 * True when data of two backends may lie in one place, or one place within the other. By which
 * address a storage is reached does not count: one has many. Volumes that belong to a namespace are
 * other ones in another namespace.
 */
bool backend_overlaps(const json_t *a, const char *space_a, const json_t *b, const char *space_b);

/** A prefix, a bucket or a path within one, as the same place always reads: without slashes at its
 *  ends. */
struct span backend_path(struct span part);

/** The source of a local backend's volume: {persistentVolumeClaim: ...}; new reference, or NULL. */
json_t *backend_volume(const json_t *backend);

/** The same location as a person should read it. Credentials are in neither. */
void backend_describe(struct text *out, const json_t *backend);
