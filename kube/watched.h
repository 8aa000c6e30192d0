#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "kube/resource.h"

/** One kind to be followed: an entry of a table. Strings live as long as what follows it. */
struct kube_watched {
    struct kube_resource resource;
    bool metadata_only; /* PartialObjectMetadata: no spec, no status. Objects keep their own kind */
    bool optional;      /* the kind may be missing (404): it then counts as empty */
    const char *space;  /* one namespace; NULL: all */
    const char *labels, *fields; /* selectors; NULL: all objects */
    /* takes away what nobody reads, so that it takes no memory and its changes are none; name,
       namespace and uid must stay. NULL: all is kept */
    void (*cut)(json_t *object);
};

/** What to ask for: the `Accept` of its objects (get, watch) and of its lists. Spec: Kubernetes API
 *  concepts; with the two exchanged a watch is silently empty. Borrowed. */
const char *watched_accept(const struct kube_watched *watched);
const char *watched_accept_list(const struct kube_watched *watched);

/** True when a list says of itself what its list has to be. Spec: catalogue L7. */
bool watched_is_list(const struct kube_watched *watched, const char *version, const char *kind);

/**
 * Judges one object as the server sent it and makes it what is kept: its own apiVersion and kind
 * (items of lists do not say them, metadata-only ones name another), without
 * metadata.managedFields (half of the memory, and nobody reads them).
 *
 * @param object  Edited in place.
 * @param item    Of a list: apiVersion and kind may be absent.
 * @return        False: no object, of another kind, without name or resourceVersion, with a
 *                namespace where there is none or without where there is one, or with NUL in one of
 *                these. ERROR_BAD_REQUEST.
 */
bool watched_take(const struct kube_watched *watched, json_t *object, bool item,
                  struct error *err) MUST_CHECK;
