#include "mutators/restore_rules.h"

#include "base/tree.h"

static bool is_filled(const json_t *rules)
{
    return json_array_size(rules) > 0;
}

/* As they are stored: nobody gave them with this request. */
static bool is_as_stored(const json_t *rules, const json_t *stored)
{
    const json_t *target = tree_member(stored, "target", JSON_OBJECT);

    return target && tree_equal(rules, tree_get(target, "rules"));
}

json_t *restore_rules_moved(const json_t *spec, const json_t *stored, struct error *err)
{
    const json_t *rules = tree_get(spec, "rules"),
                 *target = tree_member(spec, "target", JSON_OBJECT);
    const json_t *there = tree_get(target, "rules");

    if (!is_filled(rules) || !target || is_filled(tree_get(stored, "rules")))
        return tree_copy(spec);
    if (is_filled(there) && !is_as_stored(there, stored)) {
        error_set(err, ERROR_INVALID,
                  "spec.rules and spec.target.rules are both given: keep spec.target.rules only");
        return NULL;
    }

    json_t *moved = tree_copy(spec);

    tree_put_new(json_object_get(moved, "target"), "rules", tree_copy(rules));
    json_object_del(moved, "rules");
    return moved;
}
