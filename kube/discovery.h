#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "kube/client.h"
#include "kube/resource.h"

/*
 * Which kinds the API server has, and under which path: asked when first needed, and again when a
 * kind is not known (a CRD that came later), at most each KUBE_DISCOVERY_AGAIN_MS. Two requests
 * where the server aggregates (since 1.27), else two and one for each version of a group that is
 * looked for. Any thread; those that need an answer wait for it.
 */
struct kube_discovery;

struct kube_discovery *kube_discovery_make(struct kube_client *client);
void kube_discovery_free(struct kube_discovery *discovery);

static inline void auto_kube_discovery(struct kube_discovery **discovery)
{
    kube_discovery_free(*discovery);
}

/**
 * Finds a kind.
 *
 * @param group    "" for the core group.
 * @param version  NULL: the one that the server prefers.
 * @return         Lives as long as the discovery. NULL: ERROR_NOT_FOUND; other codes when that
 * could not be asked (also: the group's own server is down).
 */
const struct kube_resource *kube_discovery_kind(struct kube_discovery *discovery, const char *group,
                                                const char *version, const char *kind,
                                                struct error *err) MUST_CHECK;

/** The same by apiVersion: "v1", "apps/v1". ERROR_INVALID when it is none. */
const struct kube_resource *kube_discovery_of(struct kube_discovery *discovery,
                                              const char *api_version, const char *kind,
                                              struct error *err) MUST_CHECK;

/** Finds by plural: "deployments". */
const struct kube_resource *kube_discovery_plural(struct kube_discovery *discovery,
                                                  const char *group, const char *version,
                                                  const char *plural, struct error *err) MUST_CHECK;

/** The next question asks the server. */
void kube_discovery_forget(struct kube_discovery *discovery);
