#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

/** One kind as the API server serves it. Strings are constants or live as long as the discovery. */
struct kube_resource {
    const char *group;   /* "" for the core group */
    const char *version; /* "v1" */
    const char *plural;  /* "deployments" */
    const char *kind;    /* "Deployment" */
    bool namespaced;
};

/**
 * Appends the path of a resource, escaped: "/api/v1/namespaces/shop/pods/web-0/status".
 *
 * @param space  NULL: all namespaces (or a kind that has none).
 * @param name   NULL: the list.
 * @param sub    Sub-resource; NULL: none.
 */
void kube_path(struct text *out, const struct kube_resource *resource, const char *space,
               const char *name, const char *sub);

/** Appends "?key=value" or "&key=value", escaped (RFC 3986). A NULL value appends nothing. */
void kube_query(struct text *path, const char *key, const char *value);
