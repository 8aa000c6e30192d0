#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/tree.h"
#include "kube/time.h"

/* What the metadata of an object say. Of any shape; borrowed. */

/** A text of them: name, namespace, uid, resourceVersion ...; NULL: none. */
static inline const char *meta(const json_t *object, const char *key)
{
    return tree_text(tree_get(object, "metadata"), key);
}

/** The same; "" without one. */
static inline const char *meta_or_empty(const json_t *object, const char *key)
{
    const char *text = meta(object, key);

    return text ? text : "";
}

/** When it was made, seconds since 1970. False: it does not say, and `made_s` is as before. */
static inline bool meta_made(const json_t *object, int64_t *made_s)
{
    return time_parse(tree_span(tree_get(object, "metadata"), "creationTimestamp"), made_s);
}
