#include "controllers/job_parts.h"

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

json_t *job_labels(const json_t *invoker, const char *component)
{
    const json_t *own = tree_member(tree_get(invoker, "metadata"), "labels", JSON_OBJECT);
    json_t *labels = own ? tree_copy(own) : json_object();

    tree_put_text(labels, "app.kubernetes.io/component", component);
    tree_put_text(labels, "app.kubernetes.io/managed-by", GROUP_STASH);
    return labels;
}

json_t *job_owners(const char *api_version, const char *kind, const json_t *metadata)
{
    json_t *owner = json_object(), *owners = json_array();

    tree_put_text(owner, "apiVersion", api_version);
    tree_put_text(owner, "kind", kind);
    tree_put_text(owner, "name", tree_text(metadata, "name"));
    tree_put_text(owner, "uid", tree_text(metadata, "uid"));
    tree_put_bool(owner, "controller", true);
    tree_put_bool(owner, "blockOwnerDeletion", false);
    tree_push_new(owners, owner);
    return owners;
}

bool job_is_restricted(const json_t *space)
{
    return span_is(
        tree_span(tree_at(space, "metadata.labels"), "pod-security.kubernetes.io/enforce"),
        "restricted");
}

void job_push_flag(json_t *args, const char *flag, const char *value)
{
    AUTO(text) struct text doubled = {0};

    if (!value)
        return;
    text_addf(&doubled, "--%s=", flag);
    for (const char *c = value; *c; c++) {
        if (*c == '$')
            text_putc(&doubled, '$');
        text_putc(&doubled, *c);
    }
    tree_push_text(args, text_get(&doubled));
}

void job_put_chosen(json_t *made, const json_t *chosen, const char *const *keys)
{
    for (; *keys; keys++)
        tree_put_new(made, *keys, tree_copy(tree_get(chosen, *keys)));
}

json_t *job_pod_spec(const json_t *chosen, const json_t *pull_secrets)
{
    static const char *const keys[] = {"nodeSelector",
                                       "serviceAccountName",
                                       "nodeName",
                                       "securityContext",
                                       "affinity",
                                       "schedulerName",
                                       "tolerations",
                                       "priorityClassName",
                                       "priority",
                                       "readinessGates",
                                       "runtimeClassName",
                                       "imagePullSecrets",
                                       "enableServiceLinks",
                                       "topologySpreadConstraints",
                                       NULL};
    json_t *spec = json_object();

    tree_put_text(spec, "restartPolicy", "Never");
    tree_put_bool(spec, "automountServiceAccountToken", false);
    if (json_array_size(pull_secrets))
        tree_put_new(spec, "imagePullSecrets", tree_copy(pull_secrets));
    job_put_chosen(spec, chosen, keys);
    return spec;
}

json_t *job_pod_metadata_new(json_t *labels, const json_t *chosen)
{
    const json_t *theirs = tree_member(chosen, "podLabels", JSON_OBJECT);
    json_t *metadata = json_object();

    if (theirs)
        json_object_update_missing(labels, (json_t *)theirs);
    tree_put_new(metadata, "labels", labels);
    tree_put_new(metadata, "annotations",
                 tree_copy(tree_member(chosen, "podAnnotations", JSON_OBJECT)));
    return metadata;
}

json_t *job_template_unknown(void)
{
    json_t *template = json_object(), *spec = json_object(), *containers = json_array();

    tree_push_new(containers, json_object());
    tree_put_new(spec, "containers", containers);
    tree_put_new(template, "spec", spec);
    return template;
}
