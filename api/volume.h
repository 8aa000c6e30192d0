#pragma once

#include <jansson.h>
#include <stdbool.h>

/* Volumes of a pod of ours, and where a container of it mounts them. Pure. */

/**
 * {name, mountPath, subPath?, readOnly?}. New reference.
 *
 * @param sub_path   NULL: all of the volume.
 * @param read_only  Named only when it is so, as people and the API server leave it out.
 */
json_t *volume_mount(const char *volume, const char *path, const char *sub_path, bool read_only);

/** A volume of the keys of a Secret. New reference. */
json_t *volume_of_secret(const char *name, const char *secret);

/** A volume that is a PersistentVolumeClaim. New reference. */
json_t *volume_of_claim(const char *name, const char *claim);
