#include "controllers/stash_finalizer.h"

#include "base/tree.h"
#include "kube/time.h"

/* What Stash calls it, by kind. */
static const char *name_of(const json_t *object)
{
    static const struct {
        const char *kind, *name;
    } rows[] = {
        {"Repository", "stash"},
        {"BackupConfiguration", "stash.appscode.com"},
        {"RestoreSession", "stash.appscode.com"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (span_is(tree_span(object, "kind"), rows[i].kind))
            return rows[i].name;
    return NULL;
}

static const json_t *finalizers_of(const json_t *object)
{
    return tree_get(tree_get(object, "metadata"), "finalizers");
}

bool stash_finalizer_is_on(const json_t *object)
{
    const char *name = name_of(object);
    const json_t *finalizer;
    size_t i;

    tree_items (finalizers_of(object), i, finalizer)
        if (name && span_is(tree_value(finalizer), name))
            return true;
    return false;
}

json_t *stash_finalizer_others(const json_t *object)
{
    const char *name = name_of(object);
    json_t *others = json_array();
    const json_t *finalizer;
    size_t i;

    tree_items (finalizers_of(object), i, finalizer)
        if (!name || !span_is(tree_value(finalizer), name))
            tree_push_new(others, tree_share(finalizer));
    return others;
}

int64_t stash_finalizer_due_s(const struct stash_finalizer_seen *seen)
{
    const json_t *deleted = tree_get(tree_get(seen->object, "metadata"), "deletionTimestamp");
    int64_t wait_s = seen->stash ? STASH_FINALIZER_SEEN_WAIT_S : STASH_FINALIZER_WAIT_S;
    int64_t deleted_s, left_s;

    if (!stash_finalizer_is_on(seen->object))
        return STASH_FINALIZER_RESTS;
    if (!deleted)
        return seen->stash || seen->tried ? STASH_FINALIZER_RESTS : 0;
    if (!time_parse(tree_value(deleted), &deleted_s))
        return 0;
    left_s = deleted_s + wait_s - seen->now_s;
    /* a clock that is behind makes nobody wait for longer */
    if (left_s > wait_s)
        left_s = wait_s;
    return left_s > 0 ? left_s : 0;
}
