#pragma once

#include <stddef.h>

#include "kube/watched.h"

/**
 * The kinds from which decisions are made (api/cluster.h). Those that our own CRDs bring may be
 * missing: then there are no such objects. The role granary-webhook allows exactly these, which a
 * test compares.
 */
extern const struct kube_watched followed_kinds[];
extern const size_t followed_count;

/** The one Secret that holds the webhook's certificate. */
struct followed_secret {
    const char *name; /* NULL: none is followed */
    char space[64];
    char field[272]; /* its field selector */
};

/**
 * Reads "namespace/name".
 *
 * @param text    Borrowed as long as the result.
 * @param secret  Filled.
 * @return        False: not two names.
 */
bool followed_secret_parse(const char *text, struct followed_secret *secret);

/** What to follow for it. @param secret  Borrowed as long as the result. */
struct kube_watched followed_secret_kind(const struct followed_secret *secret);
