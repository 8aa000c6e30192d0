#include "kube/watched.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/tree.h"

#define PARTIAL "PartialObjectMetadata"
#define PARTIAL_VERSION "meta.k8s.io/v1"
#define PARTIAL_ACCEPT "application/json;g=meta.k8s.io;v=v1;as=" PARTIAL

const char *watched_accept(const struct kube_watched *watched)
{
    return watched->metadata_only ? PARTIAL_ACCEPT : "application/json";
}

const char *watched_accept_list(const struct kube_watched *watched)
{
    return watched->metadata_only ? PARTIAL_ACCEPT "List" : "application/json";
}

/* "apps/v1", "v1"; the caller frees it */
static char *version_of(const struct kube_resource *resource)
{
    return text_format("%s%s%s", resource->group, *resource->group ? "/" : "", resource->version);
}

bool watched_is_list(const struct kube_watched *watched, const char *version, const char *kind)
{
    AUTO(free) char *own = version_of(&watched->resource);
    const char *wanted = watched->metadata_only ? PARTIAL : watched->resource.kind;
    size_t length = strlen(wanted);

    return version && kind &&
           strcmp(version, watched->metadata_only ? PARTIAL_VERSION : own) == 0 &&
           strncmp(kind, wanted, length) == 0 && strcmp(kind + length, "List") == 0;
}

/* A string member, or absent from an item of a list. */
static bool says(const json_t *object, const char *key, const char *wanted, bool item)
{
    struct span value = tree_span(object, key);

    return value.data ? span_is(value, wanted) : item && !tree_get(object, key);
}

static bool is_of_kind(const struct kube_watched *watched, const json_t *object, bool item,
                       const char *version, struct error *err)
{
    bool part = watched->metadata_only;
    const char *kind = part ? PARTIAL : watched->resource.kind;
    const char *found = tree_text(object, "kind");

    if (says(object, "kind", kind, item) &&
        says(object, "apiVersion", part ? PARTIAL_VERSION : version, item))
        return true;
    return error_set(err, ERROR_BAD_REQUEST, "an object of kind \"%.80s\" instead of \"%s\" (%s)",
                     found ? found : "", kind, watched->resource.plural);
}

/* A string with something in it that is the same as C string. */
static bool is_word(struct span value, size_t max)
{
    return value.length > 0 && value.length <= max && !memchr(value.data, '\0', value.length);
}

static bool has_identity(const struct kube_watched *watched, const json_t *metadata,
                         struct error *err)
{
    struct span space = tree_span(metadata, "namespace"), uid = tree_span(metadata, "uid");
    const char *plural = watched->resource.plural;

    if (!is_word(tree_span(metadata, "name"), OBJECT_NAME_MAX_CHARS))
        return error_set(err, ERROR_BAD_REQUEST, "%s: an object without a name", plural);
    if (watched->resource.namespaced ? !is_word(space, OBJECT_NAME_MAX_CHARS) : space.length > 0)
        return error_set(err, ERROR_BAD_REQUEST, "%s: an object %s a namespace", plural,
                         watched->resource.namespaced ? "without" : "with");
    if (uid.length > 0 && !is_word(uid, OBJECT_NAME_MAX_CHARS))
        return error_set(err, ERROR_BAD_REQUEST, "%s: an object with an odd uid", plural);
    if (!is_word(tree_span(metadata, "resourceVersion"), KUBE_VERSION_MAX_CHARS))
        return error_set(err, ERROR_BAD_REQUEST, "%s: an object without a resource version",
                         plural);
    return true;
}

bool watched_take(const struct kube_watched *watched, json_t *object, bool item, struct error *err)
{
    AUTO(free) char *version = version_of(&watched->resource);
    json_t *metadata = json_object_get(object, "metadata");

    if (!json_is_object(object))
        return error_set(err, ERROR_BAD_REQUEST, "%s: something that is no object",
                         watched->resource.plural);
    if (!is_of_kind(watched, object, item, version, err) || !has_identity(watched, metadata, err))
        return false;
    tree_put_text(object, "apiVersion", version);
    tree_put_text(object, "kind", watched->resource.kind);
    json_object_del(metadata, "managedFields");
    if (watched->cut)
        watched->cut(object);
    return true;
}
