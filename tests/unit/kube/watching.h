#pragma once

#include "kube/watched.h"

/* Kinds for tests: of the core group and of another, whole and metadata only. */
static const struct kube_watched watched_pods = {
    .resource = {"", "v1", "pods", "Pod", true},
};
static const struct kube_watched watched_things = {
    .resource = {"example.com", "v1beta1", "things", "Thing", false},
};
static const struct kube_watched watched_parts = {
    .resource = {"apps", "v1", "deployments", "Deployment", true}, .metadata_only = true};
