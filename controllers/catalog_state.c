#include "controllers/catalog_state.h"

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

/* Written into each of the catalog by who wrote it. */
#define OUR_LABEL "app.kubernetes.io/name"
#define OURS "granary"

static const json_t *meta(const json_t *object, const char *key)
{
    return tree_get(tree_get(object, "metadata"), key);
}

json_t *catalog_intent(const json_t *object)
{
    AUTO(text) struct text written = {0};
    json_t *intent = json_object(), *metadata = json_object(), *annotations = json_object();
    char hex[65];

    tree_write(&written, meta(object, "labels"), true);
    tree_write(&written, tree_get(object, "spec"), true);
    text_sha256((struct span){text_get(&written), written.length}, hex);
    tree_put_text(annotations, KEY_CATALOG_SHA256, hex);
    tree_put_new(metadata, "name", tree_share(meta(object, "name")));
    if (meta(object, "labels"))
        tree_put_new(metadata, "labels", tree_share(meta(object, "labels")));
    tree_put_new(metadata, "annotations", annotations);
    tree_put_new(intent, "apiVersion", tree_share(tree_get(object, "apiVersion")));
    tree_put_new(intent, "kind", tree_share(tree_get(object, "kind")));
    tree_put_new(intent, "metadata", metadata);
    tree_put_new(intent, "spec", tree_share(tree_get(object, "spec")));
    return intent;
}

static bool states(const json_t *found, const json_t *wanted);

static bool states_list(const json_t *found, const json_t *wanted)
{
    const json_t *item;
    size_t i;

    if (json_array_size(found) != json_array_size(wanted))
        return false;
    tree_items (wanted, i, item)
        if (!states(json_array_get(found, i), item))
            return false;
    return true;
}

/* All that is wanted stands there; more may. Lists of these kinds are taken as a whole. */
static bool states(const json_t *found, const json_t *wanted)
{
    const json_t *value;
    const char *key;

    if (json_is_array(wanted))
        return states_list(found, wanted);
    if (!json_is_object(wanted))
        return tree_equal(found, wanted);
    tree_each (wanted, key, value)
        if (!states(tree_get(found, key), value))
            return false;
    return true;
}

enum catalog_state catalog_state(const json_t *found, const json_t *intent)
{
    const json_t *annotations = meta(found, "annotations");

    if (!found)
        return CATALOG_ABSENT;
    if (!span_is(tree_span(meta(found, "labels"), OUR_LABEL), OURS))
        return CATALOG_FOREIGN;
    if (!tree_equal(tree_get(annotations, KEY_CATALOG_SHA256),
                    tree_get(meta(intent, "annotations"), KEY_CATALOG_SHA256)))
        return CATALOG_OLDER;
    return states(tree_get(found, "spec"), tree_get(intent, "spec")) ? CATALOG_CURRENT
                                                                     : CATALOG_EDITED;
}
