#include "mutators/restore_rules.h"

#include "base/tree.h"

json_t *restore_rules_moved(const json_t *spec, struct error *err)
{
    const json_t *rules = tree_get(spec, "rules"),
                 *target = tree_member(spec, "target", JSON_OBJECT);
    json_t *moved = tree_copy(spec);

    if (json_array_size(rules) == 0 || !target)
        return moved;
    if (json_array_size(tree_get(target, "rules")) > 0) {
        json_decref(moved);
        error_set(err, ERROR_INVALID,
                  "spec.rules and spec.target.rules are both given: keep spec.target.rules only");
        return NULL;
    }
    tree_put_new(json_object_get(moved, "target"), "rules", tree_copy(rules));
    json_object_del(moved, "rules");
    return moved;
}
