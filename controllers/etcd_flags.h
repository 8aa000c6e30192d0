#pragma once

#include <jansson.h>

/*
 * With which flags an etcd runs, as its StatefulSet says: they go with a snapshot, so that nobody
 * has to remember them when the StatefulSet is gone, too. Pure. Spec: docs/etcd.md.
 */

/**
 * What StatefulSets say that run an etcd.
 *
 * @param sets  Array of StatefulSets; NULL: not known.
 * @return      [{kind, name, replicas, serviceName, container, image, flags: {name: value},
 *              mounts: {volume: path}, claims: [name]}], 8 of them; a flag is one of its command
 *              line or its variable (ETCD_DATA_DIR), of those that say where things are. New
 *              array.
 */
json_t *etcd_flags_of(const json_t *sets);
