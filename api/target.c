#include "api/target.h"

#include "base/tree.h"

static const struct target_kind kinds[] = {
    {"apps", "Deployment", "deployments", TARGET_WORKLOAD, false},
    {"apps", "StatefulSet", "statefulsets", TARGET_WORKLOAD, false},
    {"apps", "DaemonSet", "daemonsets", TARGET_WORKLOAD, false},
    /* the Deployment controller copies annotations to its ReplicaSets */
    {"apps", "ReplicaSet", "replicasets", TARGET_WORKLOAD, true},
    {"", "ReplicationController", "replicationcontrollers", TARGET_WORKLOAD, true},
    {"apps.openshift.io", "DeploymentConfig", "deploymentconfigs", TARGET_WORKLOAD, false},
    {"", "PersistentVolumeClaim", "persistentvolumeclaims", TARGET_CLAIM, false},
    {"appcatalog.appscode.com", "AppBinding", "appbindings", TARGET_APP, false},
};

const struct target_kind *target_kind_of(struct span group, struct span kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(kind, kinds[i].kind) && span_is(group, kinds[i].group))
            return &kinds[i];
    return NULL;
}

const struct target_kind *target_kind_in(const json_t *object)
{
    struct span version = tree_span(object, "apiVersion");
    const char *slash = version.data ? memchr(version.data, '/', version.length) : NULL;
    struct span group = {version.data, slash ? (size_t)(slash - version.data) : 0};

    return version.data ? target_kind_of(group, tree_span(object, "kind")) : NULL;
}

bool target_of_object(struct target *target, const json_t *object, const char *space)
{
    const struct target_kind *kind = target_kind_in(object);
    const json_t *metadata = tree_member(object, "metadata", JSON_OBJECT);
    const json_t *spec = tree_member(object, "spec", JSON_OBJECT);

    if (!kind)
        return false;

    const char *own = tree_text(metadata, "namespace"), *name = tree_text(metadata, "name");

    *target = (struct target){
        .kind = kind,
        .api_version = tree_text(object, "apiVersion"),
        .space = own && *own ? own : space,
        .name = name ? name : "",
        .metadata = metadata,
        .template =
            kind->class == TARGET_WORKLOAD ? tree_member(spec, "template", JSON_OBJECT) : NULL,
        .claim_templates = kind->class == TARGET_WORKLOAD
                               ? tree_member(spec, "volumeClaimTemplates", JSON_ARRAY)
                               : NULL,
        .spec = kind->class == TARGET_WORKLOAD ? NULL : spec,
    };
    return true;
}

const json_t *target_controller(const json_t *metadata)
{
    const json_t *owner;
    size_t i;

    tree_items (tree_get(metadata, "ownerReferences"), i, owner)
        if (tree_true(owner, "controller"))
            return owner;
    return NULL;
}

bool target_is_controlled(const struct target *target)
{
    return target_controller(target->metadata) != NULL;
}

bool target_is_foreign(const json_t *object)
{
    struct target target;

    return !target_of_object(&target, object, "default") ||
           (target.kind->owned_is_foreign && target_is_controlled(&target));
}
