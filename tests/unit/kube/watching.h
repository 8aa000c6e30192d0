#pragma once

#include "kube/watched.h"

/* Kinds for tests: of the core group and of another, whole and metadata only. */
static const struct kube_watched watched_pods = {
    .resource = {"", "v1", "pods", "Pod", true},
};
static const struct kube_watched watched_things = {
    .resource = {"example.com", "v1beta1", "things", "Thing", false},
};
static inline void drop_version(json_t *object)
{
    json_object_del(json_object_get(object, "metadata"), "resourceVersion");
    json_object_del(object, "status");
}
static const struct kube_watched watched_cut = {.resource = {"", "v1", "pods", "Pod", true},
                                                .cut = drop_version};
static const struct kube_watched watched_parts = {
    .resource = {"apps", "v1", "deployments", "Deployment", true}, .metadata_only = true};
