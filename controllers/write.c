#include "controllers/write.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"

const struct kube_options write_ours = {.manager = WRITE_MANAGER};

static struct kube_ref ref_of(enum known_kind kind, const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");

    return (struct kube_ref){
        .resource = known_resource(kind),
        .space = tree_text(metadata, "namespace"),
        .name = tree_text(metadata, "name"),
    };
}

/* The reason of both is Forbidden or NotFound, as of much else. */
static bool is_ending(struct loops *loops, const struct kube_ref *ref, const struct error *err)
{
    if (err->code == ERROR_FORBIDDEN && strstr(err->message, "being terminated"))
        return true;
    if (err->code != ERROR_NOT_FOUND || !ref->space)
        return false;

    AUTO(json) json_t *space = known_get(loops_known(loops), KNOWN_NAMESPACE, NULL, ref->space);

    return !space || tree_at(space, "metadata.deletionTimestamp");
}

static enum write_end end_of(struct loops *loops, const struct kube_ref *ref,
                             const struct error *err)
{
    return is_ending(loops, ref, err) ? WRITE_GONE : WRITE_FAILED;
}

/* One of those who state it by an apply: then it is his. */
static bool applies(const json_t *object, const char *manager)
{
    const json_t *fields = tree_at(object, "metadata.managedFields"), *entry;
    size_t i;

    tree_items (fields, i, entry)
        if (span_is(tree_span(entry, "manager"), manager) &&
            span_is(tree_span(entry, "operation"), "Apply"))
            return true;
    return false;
}

static bool is_held(const json_t *object, const struct kube_result *result)
{
    for (size_t i = 0; i < result->conflict_count; i++)
        if (applies(object, result->conflicts[i].manager))
            return true;
    return false;
}

/* In the state that was judged, and no other. */
static json_t *bound_to(const json_t *intent, const json_t *object)
{
    json_t *bound = tree_copy(intent);

    kube_name_state(json_object_get(bound, "metadata"), object);
    return bound;
}

/* What was edited by hand is taken back. */
static enum write_end insist(struct loops *loops, const struct kube_ref *ref, const json_t *intent,
                             const struct kube_result *refused, struct error *err)
{
    struct kube_options how = {.manager = WRITE_MANAGER, .force = true};
    AUTO(kube_result) struct kube_result result = {0};
    struct error failed = {.code = ERROR_NONE};
    AUTO(json) json_t *object = kube_get(loops_client(loops), ref, &failed);

    if (!object) {
        *err = failed;
        return end_of(loops, ref, err);
    }
    if (is_held(object, refused))
        return WRITE_HELD;

    AUTO(json) json_t *bound = bound_to(intent, object);

    if (kube_apply(loops_client(loops), ref, bound, &how, &result, err))
        return WRITE_DONE;
    return end_of(loops, ref, err);
}

enum write_end write_apply(struct loops *loops, enum known_kind kind, const json_t *intent,
                           const char *why, struct error *err)
{
    struct kube_options how = {.manager = WRITE_MANAGER};
    AUTO(kube_result) struct kube_result result = {0};
    struct kube_ref ref = ref_of(kind, intent);

    if (!loops_client(loops)) {
        loops_show(loops, "apply", intent, why);
        return WRITE_DONE;
    }
    if (kube_apply(loops_client(loops), &ref, intent, &how, &result, err))
        return WRITE_DONE;
    if (result.conflict_count > 0)
        return insist(loops, &ref, intent, &result, err);
    return end_of(loops, &ref, err);
}

enum write_end write_delete(struct loops *loops, enum known_kind kind, const json_t *object,
                            const char *why, struct error *err)
{
    const json_t *metadata = tree_get(object, "metadata");
    struct kube_delete how = {
        .uid = tree_text(metadata, "uid"),
        .version = tree_text(metadata, "resourceVersion"),
        .propagation = KUBE_PROPAGATE_BACKGROUND,
    };
    AUTO(kube_result) struct kube_result result = {0};
    struct kube_ref ref = ref_of(kind, object);

    if (!loops_client(loops)) {
        loops_show(loops, "delete", object, why);
        return WRITE_DONE;
    }
    if (!how.uid || !how.version) {
        error_set(err, ERROR_INVALID, "%s %s: nobody knows its uid and state", ref.resource->kind,
                  ref.name);
        return WRITE_FAILED;
    }
    if (kube_delete(loops_client(loops), &ref, &how, NULL, &result, err))
        return WRITE_DONE;
    return err->code == ERROR_NOT_FOUND ? WRITE_GONE : WRITE_FAILED;
}
