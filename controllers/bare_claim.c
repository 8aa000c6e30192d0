#include "controllers/bare_claim.h"

#include <string.h>

#include "api/target.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "kube/verbs.h"

void claim_users_done(struct claim_users *users)
{
    json_decref(users->workloads);
    json_decref(users->stems);
    json_decref(users->pods);
    *users = (struct claim_users){0};
}

static void prepare(struct claim_users *users)
{
    if (users->workloads)
        return;
    users->workloads = json_object();
    users->stems = json_object();
    users->pods = json_object();
}

/* ---- what uses them ---- */

static void add_volumes(json_t *claims, const json_t *pod_spec)
{
    const json_t *volume;
    size_t i;

    tree_items (tree_get(pod_spec, "volumes"), i, volume) {
        const char *name = tree_text(tree_get(volume, "persistentVolumeClaim"), "claimName");

        if (name)
            tree_put_bool(claims, name, true);
    }
}

static void add_stems(json_t *stems, const json_t *object)
{
    const char *set = tree_text(tree_get(object, "metadata"), "name");
    const json_t *template;
    size_t i;

    tree_items (tree_at(object, "spec.volumeClaimTemplates"), i, template) {
        const char *name = tree_text(tree_get(template, "metadata"), "name");
        AUTO(free) char *stem = text_format("%s-%s-", name ? name : "", set ? set : "");

        tree_put_bool(stems, stem, true);
    }
}

/* What a Deployment made of its template before says nothing of today. */
static bool is_of_workload(const json_t *object)
{
    const json_t *owner = target_controller(tree_get(object, "metadata"));

    return owner && target_kind_in(owner);
}

void claim_users_add(struct claim_users *users, const json_t *object)
{
    const json_t *spec = tree_get(object, "spec");

    prepare(users);
    if (is_of_workload(object) && !span_is(tree_span(object, "kind"), "Pod"))
        return;
    if (span_is(tree_span(object, "kind"), "Pod")) {
        add_volumes(users->pods, spec);
        return;
    }
    add_volumes(users->workloads, tree_at(spec, "template.spec"));
    add_stems(users->stems, object);
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

static bool is_of_set(const struct claim_users *users, const char *claim)
{
    const json_t *value;
    const char *stem;

    tree_each (users->stems, stem, value)
        if (strncmp(claim, stem, strlen(stem)) == 0 && is_number(claim + strlen(stem)))
            return true;
    return false;
}

/* ---- reading ---- */

/* Of a whole object only what names claims stays. */
static void cut(json_t *object)
{
    static const char *const others[] = {"annotations", "labels", "ownerReferences",
                                         "managedFields"};
    struct claim_users users = {0};
    json_t *metadata = json_object_get(object, "metadata"), *kept = json_object(),
           *spec = json_object();

    prepare(&users);
    claim_users_add(&users, object);
    tree_put_new(kept, "workloads", TAKE(users.workloads));
    tree_put_new(kept, "stems", TAKE(users.stems));
    tree_put_new(kept, "pods", TAKE(users.pods));
    tree_put_new(spec, "claims", kept);
    tree_put_new(object, "spec", spec);
    json_object_del(object, "status");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        json_object_del(metadata, others[i]);
}

static void take_cut(struct claim_users *users, const json_t *objects)
{
    const json_t *object;
    size_t i;

    tree_items (objects, i, object) {
        const json_t *kept = tree_at(object, "spec.claims");

        json_object_update(users->workloads, (json_t *)tree_get(kept, "workloads"));
        json_object_update(users->stems, (json_t *)tree_get(kept, "stems"));
        json_object_update(users->pods, (json_t *)tree_get(kept, "pods"));
    }
}

static bool read_kind(struct claim_users *users, struct kube_client *client,
                      const struct kube_resource *resource, const char *space, struct error *err)
{
    const struct kube_watched watched = {
        .resource = *resource,
        .optional = true,
        .space = space,
        .fields = strcmp(resource->kind, "Pod") == 0
                      ? "status.phase!=Failed,status.phase!=Succeeded"
                      : NULL,
        .cut = cut,
    };
    AUTO(json) json_t *objects = kube_list(client, &watched, NULL, err);

    if (!objects)
        return error_wrap(err, "%s of %s", resource->plural, space);
    take_cut(users, objects);
    return true;
}

/* Pods first: a workload that is made in between is seen. */
bool claim_users_read(struct claim_users *users, struct known *known, struct kube_client *client,
                      const char *space, struct error *err)
{
    AUTO(claim_users) struct claim_users found = {0};

    prepare(&found);
    if (!read_kind(&found, client, known_resource(KNOWN_POD), space, err))
        return false;
    for (int kind = KNOWN_TARGET_FIRST; kind <= KNOWN_TARGET_LAST; kind++) {
        if (kind == KNOWN_CLAIM || kind == KNOWN_APP ||
            !known_is_served(known, (enum known_kind)kind))
            continue;
        if (!read_kind(&found, client, known_resource((enum known_kind)kind), space, err))
            return false;
    }
    claim_users_done(users);
    *users = found;
    found = (struct claim_users){0};
    return true;
}

/* ---- deciding ---- */

static const char *name_of(const struct bare_seen *seen)
{
    const char *name = tree_text(tree_get(seen->claim, "metadata"), "name");

    return name ? name : "";
}

/* A claim of one pod goes with it. */
static bool is_of_pod(const json_t *claim)
{
    const json_t *owner = target_controller(tree_get(claim, "metadata"));

    return span_is(tree_span(owner, "kind"), "Pod");
}

static bool holds_repository(const struct bare_seen *seen)
{
    const json_t *repository;
    size_t i;

    tree_items (seen->repositories, i, repository)
        if (span_is(tree_span(tree_at(repository, "spec.backend.local.persistentVolumeClaim"),
                              "claimName"),
                    name_of(seen)))
            return true;
    return false;
}

bool bare_is_possible(const struct bare_seen *seen)
{
    const json_t *claim = seen->claim;

    if (is_of_pod(claim) || holds_repository(seen) ||
        span_is(tree_span(tree_get(claim, "spec"), "volumeMode"), "Block"))
        return false;
    /* without a volume there is no data, and a Job would decide where it comes to lie */
    return seen->backed_up || span_is(tree_span(tree_get(claim, "status"), "phase"), "Bound");
}

struct bare_next bare_next(const struct bare_seen *seen)
{
    const struct claim_users *users = seen->users;
    const char *name = name_of(seen);

    if (!bare_is_possible(seen) || tree_get(users->workloads, name) || is_of_set(users, name))
        return (struct bare_next){BARE_NOT, 0};
    if (seen->backed_up)
        return (struct bare_next){BARE_IS, 0};
    if (tree_get(users->pods, name))
        return (struct bare_next){BARE_USED, seen->after_ms};
    if (seen->unused_ms < seen->after_ms)
        return (struct bare_next){BARE_WAITS, seen->after_ms - seen->unused_ms};
    return (struct bare_next){BARE_IS, 0};
}
