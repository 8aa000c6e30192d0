#include "controllers/target_lease.h"

#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/session_read.h"
#include "controllers/write.h"
#include "kube/verbs.h"

#define HASH_CHARS 32

const struct kube_resource target_leases = {"coordination.k8s.io", "v1", "leases", "Lease", true};

char *target_lease_name_of(const char *kind, const char *text)
{
    char hex[65];

    text_sha256(span_of(text), hex);
    hex[HASH_CHARS] = '\0';
    return text_format("granary-%s-%s", kind, hex);
}

char *target_lease_name(const char *target)
{
    return target_lease_name_of("target", target);
}

const char *target_lease_target(const json_t *lease)
{
    return tree_text(tree_at(lease, "metadata.annotations"), KEY_TARGET);
}

/* Two targets of one name by chance: the Lease is nobody's to read as the other's. */
static bool is_of(const json_t *lease, const char *target, struct error *err)
{
    const char *theirs = target_lease_target(lease);

    return (theirs && strcmp(theirs, target) == 0) ||
           error_set(err, ERROR_INTERNAL, "the Lease of %s is not ours", target);
}

char *target_lease_session(const json_t *lease)
{
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
    struct error err;
    AUTO(json) json_t *ledger = claims_of_lease(lease, claims, &err);
    const char *holder = ledger ? claims->session : "";

    return text_dup(holder, strlen(holder));
}

bool target_lease_get(struct kube_client *client, const char *space, const char *target,
                      json_t **lease, struct error *err)
{
    AUTO(free) char *name = target_lease_name(target);
    const struct kube_ref ref = {&target_leases, space, name, NULL};
    AUTO(json) json_t *found = kube_get(client, &ref, err);

    if (!found && err->code != ERROR_NOT_FOUND)
        return error_wrap(err, "Lease of %s", target);
    if (found && !is_of(found, target, err))
        return false;
    *lease = TAKE(found);
    return true;
}

static void put_ledger(json_t *annotations, const struct claims *claims)
{
    AUTO(text) struct text ledger = {0};

    claims_write(claims, &ledger);
    tree_put_text(annotations, KEY_LEDGER, text_get(&ledger));
}

static bool conflict(struct error *err, const char *what)
{
    return error_set(err, ERROR_CONFLICT, "the Lease of a target %s", what);
}

/* What a write to what was read says. */
static json_t *patch_of(const json_t *lease, const struct claims *claims)
{
    json_t *patch = json_object(), *metadata = json_object(), *annotations = json_object();

    kube_name_state(metadata, lease);
    put_ledger(annotations, claims);
    tree_put_new(metadata, "annotations", annotations);
    tree_put_new(patch, "metadata", metadata);
    return patch;
}

static struct kube_ref ref_of(const json_t *lease)
{
    const json_t *metadata = tree_get(lease, "metadata");

    return (struct kube_ref){&target_leases, tree_text(metadata, "namespace"),
                             tree_text(metadata, "name"), NULL};
}

static bool send_patch(struct kube_client *client, const json_t *lease, const json_t *patch,
                       struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    const struct kube_ref ref = ref_of(lease);

    if (!tree_text(tree_get(lease, "metadata"), "resourceVersion"))
        return error_set(err, ERROR_INVALID, "a Lease without resourceVersion");
    if (kube_merge_patch(client, &ref, patch, &write_ours, &result, err))
        return true;
    return err->code == ERROR_NOT_FOUND ? conflict(err, "is gone") : false;
}

bool target_lease_write(struct kube_client *client, const json_t *lease,
                        const struct claims *claims, struct error *err)
{
    AUTO(json) json_t *patch = patch_of(lease, claims);

    return send_patch(client, lease, patch, err);
}

static json_t *lease_of(const struct target_lease_lock *lock, const char *name,
                        const struct claims *claims)
{
    json_t *lease = json_object(), *metadata = json_object(), *spec = json_object();
    json_t *labels = json_object(), *annotations = json_object();

    tree_put_text(lease, "apiVersion", "coordination.k8s.io/v1");
    tree_put_text(lease, "kind", "Lease");
    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", lock->space);
    tree_put_text(labels, LABEL_TARGET_LEASE, lock->label ? lock->label : "target");
    tree_put_new(metadata, "labels", labels);
    tree_put_text(annotations, KEY_TARGET, lock->target);
    put_ledger(annotations, claims);
    tree_put_new(metadata, "annotations", annotations);
    tree_put_new(lease, "metadata", metadata);
    tree_put_text(spec, "holderIdentity", lock->holder);
    tree_put_new(lease, "spec", spec);
    return lease;
}

static bool make(struct kube_client *client, const struct target_lease_lock *lock,
                 const struct claims *claims, struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(free) char *name = target_lease_name(lock->target);
    const struct kube_ref ref = {&target_leases, lock->space, name, NULL};
    AUTO(json) json_t *lease = lease_of(lock, name, claims);

    return kube_create(client, &ref, lease, &write_ours, &result, err);
}

bool target_lease_take(struct kube_client *client, const struct target_lease_lock *lock,
                       struct error *err)
{
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);

    *claims = (struct claims){.session = lock->session, .since_s = lock->now_s};
    if (!lock->lease)
        return make(client, lock, claims, err);

    AUTO(json) json_t *patch = patch_of(lock->lease, claims);
    json_t *spec = json_object();

    tree_put_text(spec, "holderIdentity", lock->holder);
    tree_put_new(patch, "spec", spec);
    return send_patch(client, lock->lease, patch, err);
}

bool target_lease_give_back(struct kube_client *client, const json_t *lease, struct error *err)
{
    const json_t *metadata = tree_get(lease, "metadata");
    const struct kube_delete how = {.uid = tree_text(metadata, "uid"),
                                    .version = tree_text(metadata, "resourceVersion")};
    AUTO(kube_result) struct kube_result result = {0};
    const struct kube_ref ref = ref_of(lease);

    if (!how.uid || !how.version)
        return error_set(err, ERROR_INVALID, "a Lease without uid or resourceVersion");
    return kube_delete(client, &ref, &how, NULL, &result, err) || err->code == ERROR_NOT_FOUND;
}
