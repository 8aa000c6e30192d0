#include "controllers/job_volumes.h"

#include <stdlib.h>
#include <string.h>

#include "api/expand.h"
#include "api/keys.h"
#include "api/names.h"
#include "api/pod.h"
#include "api/volume.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/job_parts.h"

void job_volumes_done(struct job_volumes *volumes)
{
    json_decref(volumes->volumes);
    json_decref(volumes->mounts);
    json_decref(volumes->owner_mounts);
    *volumes = (struct job_volumes){0};
}

/* ---- a claim ---- */

/* How a pod calls the volume of this claim. */
static json_t *mounts_in(const json_t *pod, const char *claim)
{
    json_t *mounts = json_array();
    const json_t *volume;
    size_t i;

    tree_items (tree_at(pod, "spec.volumes"), i, volume) {
        const char *own = tree_text(tree_get(volume, "persistentVolumeClaim"), "claimName");

        if (own && tree_text(volume, "name") && !strcmp(own, claim))
            tree_push_new(mounts,
                          volume_mount(tree_text(volume, "name"), MOUNT_CLAIM, NULL, false));
    }
    return mounts;
}

static bool of_claim(struct job_volumes *volumes, const struct job_data *data)
{
    const json_t *target = tree_at(data->invoker, "spec.target");
    const char *claim = tree_text(tree_get(target, "ref"), "name");
    const json_t *asked = json_array_get(tree_get(target, "volumeMounts"), 0);
    const char *path = tree_text(asked, "mountPath");

    tree_push_new(volumes->volumes, volume_of_claim(JOB_CLAIM_VOLUME, claim));
    tree_push_new(volumes->mounts,
                  volume_mount(JOB_CLAIM_VOLUME, path && *path ? path : MOUNT_CLAIM,
                               tree_text(asked, "subPath"), false));
    volumes->owner_mounts = mounts_in(data->neighbour, claim);
    return true;
}

/* ---- a workload ---- */

static const char *name_of(const json_t *object)
{
    const char *name = tree_text(tree_get(object, "metadata"), "name");

    return name ? name : "";
}

/* What a variable of the pod is, as far as it is known before there is one. NULL: it is not. */
static char *value_of(const struct job_data *data, const json_t *entry)
{
    const char *literal = tree_text(entry, "value");
    const char *field = tree_text(tree_at(entry, "valueFrom.fieldRef"), "fieldPath");

    if (literal)
        return strstr(literal, "$(") ? NULL : text_dup(literal, strlen(literal));
    if (field && !strcmp(field, "metadata.namespace"))
        return text_format("%s", tree_text(tree_get(data->target, "metadata"), "namespace"));
    if (field && !strcmp(field, "metadata.name") && data->ordinal >= 0)
        return text_format("%s-%lld", name_of(data->target), (long long)data->ordinal);
    return NULL;
}

/* $(NAME) in a subPathExpr; the kubelet's own rules know nothing else that a path may hold. */
static bool expand_path(struct text *out, const char *expression, const json_t *variables,
                        const struct job_data *data)
{
    const char *open, *close;

    while ((open = strstr(expression, "$("))) {
        close = strchr(open, ')');
        if (!close || (open > expression && open[-1] == '$'))
            return false;

        AUTO(free) char *name = text_dup(open + 2, (size_t)(close - open - 2));
        AUTO(free) char *value = value_of(data, tree_named(variables, name));

        if (!value)
            return false;
        text_add(out, expression, (size_t)(open - expression));
        text_puts(out, value);
        expression = close + 1;
    }
    text_puts(out, expression);
    return pod_sub_path_is_sound(text_get(out));
}

/* Where it is mounted, without variables: the Job's pod has others. */
static bool settle_mount(struct job_volumes *volumes, const struct job_data *data,
                         const json_t *mount, const json_t *variables, struct findings *findings)
{
    const char *expression = tree_text(mount, "subPathExpr");
    AUTO(text) struct text sub = {0};

    if (expression && !(variables && expand_path(&sub, expression, variables, data))) {
        findings_add(findings, FINDING_ERROR, REASON_INVALID, "spec.target",
                     "the subPathExpr of volume %s depends on a pod, and a Job has another one",
                     tree_text(mount, "name"));
        return false;
    }
    tree_push_new(volumes->mounts,
                  volume_mount(tree_text(mount, "name"), tree_text(mount, "mountPath"),
                               expression ? text_get(&sub) : tree_text(mount, "subPath"), false));
    return true;
}

static bool is_claim_template(const struct job_data *data, const char *volume)
{
    const json_t *template;
    size_t i;

    tree_items (tree_at(data->target, "spec.volumeClaimTemplates"), i, template)
        if (!strcmp(name_of(template), volume))
            return true;
    return false;
}

/* The volume as the pod has it; one of a claim template as the claim of this ordinal. */
static bool settle_volume(struct job_volumes *volumes, const struct job_data *data,
                          const char *volume, struct findings *findings)
{
    const json_t *own = tree_named(tree_at(data->target, "spec.template.spec.volumes"), volume);

    if (tree_named(volumes->volumes, volume))
        return true;
    if (is_claim_template(data, volume) && data->ordinal >= 0) {
        AUTO(free)
        char *claim =
            text_format("%s-%s-%lld", volume, name_of(data->target), (long long)data->ordinal);

        tree_push_new(volumes->volumes, volume_of_claim(volume, claim));
        return true;
    }
    if (own && !is_claim_template(data, volume)) {
        tree_push_new(volumes->volumes, tree_copy(own));
        return true;
    }
    findings_add(findings, FINDING_ERROR, REASON_NOT_FOUND, "spec.target.volumeMounts",
                 "the pods of the target have no volume %s", volume);
    return false;
}

static json_t *wanted_mounts(const struct job_data *data)
{
    const json_t *asked = tree_at(data->invoker, "spec.target.volumeMounts");
    struct pod_claims claims = {tree_at(data->target, "spec.template"),
                                tree_at(data->target, "spec.volumeClaimTemplates")};
    AUTO(findings) struct findings ignored = {0};

    return json_array_size(asked) ? tree_copy(asked) : pod_derive_mounts(&claims, &ignored);
}

static bool of_workload(struct job_volumes *volumes, const struct job_data *data,
                        struct findings *findings)
{
    AUTO(json) json_t *wanted = wanted_mounts(data);
    AUTO(json)
    json_t *variables = pod_path_variables(tree_at(data->target, "spec.template"), wanted);
    bool fine = true;
    const json_t *mount;
    size_t i;

    tree_items (wanted, i, mount) {
        const char *name = tree_text(mount, "name"), *path = tree_text(mount, "mountPath");

        if (!name || !path)
            findings_add(findings, FINDING_ERROR, REASON_REQUIRED, "spec.target.volumeMounts",
                         "a mount has no name or no mountPath");
        fine = name && path && settle_volume(volumes, data, name, findings) &&
               settle_mount(volumes, data, mount, variables, findings) && fine;
    }
    if (!json_array_size(wanted))
        findings_add(findings, FINDING_ERROR, REASON_REQUIRED, "spec.target",
                     "the pods of the target have no claims that a Job could mount");
    return fine && json_array_size(wanted) > 0;
}

/* ---- claims of a restore ---- */

static const char name_field[] = "spec.target.volumeClaimTemplates";

static bool expand_name(struct text *out, const char *name, int64_t ordinal, struct error *err)
{
    AUTO(free) char *number = text_format("%lld", (long long)ordinal);
    const struct variable variable = {"POD_ORDINAL", span_of(number), "the replica"};
    const struct expanding how = {.further = &variable, .further_count = ordinal >= 0};
    AUTO(free) char *end = text_format("-%s", number);
    size_t length = strlen(end);

    if (!expand_text(out, span_of(name), &how, err))
        return false;
    if (!name_is_subdomain((struct span){text_get(out), out->length}))
        return error_set(err, ERROR_INVALID, "\"%.63s\" is no name of a claim", text_get(out));
    if (ordinal < 0)
        return true;
    return (out->length > length && !strcmp(text_get(out) + out->length - length, end)) ||
           error_set(err, ERROR_INVALID, "claim %.63s needs -${POD_ORDINAL} at its end", name);
}

static json_t *claim_of(const json_t *session, const json_t *template, const char *name)
{
    const json_t *theirs = tree_get(session, "metadata");
    static const char *const kept[] = {"labels", "annotations", NULL};
    json_t *claim = json_object(), *metadata = json_object(), *labels;
    struct error ignored;

    tree_put_text(claim, "apiVersion", "v1");
    tree_put_text(claim, "kind", "PersistentVolumeClaim");
    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", tree_text(theirs, "namespace"));
    job_put_chosen(metadata, tree_get(template, "metadata"), kept);
    labels = tree_object(metadata, "labels", &ignored);
    if (labels) /* of another shape: the API server says so */
        tree_put_text(labels, LABEL_SESSION, tree_text(theirs, "uid"));
    tree_put_new(claim, "metadata", metadata);
    tree_put_new(claim, "spec", tree_copy(tree_get(template, "spec")));
    return claim;
}

json_t *job_claims_make(const json_t *session, int64_t ordinal, struct findings *findings)
{
    const json_t *templates = tree_at(session, name_field), *template;
    AUTO(json) json_t *claims = json_array();
    size_t before = findings_count(findings, FINDING_ERROR), i;

    tree_items (templates, i, template) {
        AUTO(text) struct text name = {0};
        struct error err = {0};

        if (expand_name(&name, name_of(template), ordinal, &err))
            tree_push_new(claims, claim_of(session, template, text_get(&name)));
        else
            findings_add(findings, FINDING_ERROR, REASON_INVALID, name_field, "%s", err.message);
    }
    return findings_count(findings, FINDING_ERROR) > before ? NULL : TAKE(claims);
}

/* A volume is called like its claim, without the ordinal. */
static char *volume_of(const char *claim, int64_t ordinal)
{
    AUTO(free) char *end = text_format("-%lld", (long long)ordinal);

    return text_dup(claim, strlen(claim) - (ordinal >= 0 ? strlen(end) : 0));
}

static bool of_claims(struct job_volumes *volumes, const struct job_data *data,
                      struct findings *findings)
{
    const json_t *mounts = tree_at(data->invoker, "spec.target.volumeMounts"), *claim, *mount;
    size_t i;

    tree_items (data->claims, i, claim) {
        AUTO(free) char *volume = volume_of(name_of(claim), data->ordinal);

        tree_push_new(volumes->volumes, volume_of_claim(volume, name_of(claim)));
    }
    tree_items (mounts, i, mount) {
        const char *name = tree_text(mount, "name"), *path = tree_text(mount, "mountPath");

        if (name && path && tree_named(volumes->volumes, name))
            tree_push_new(volumes->mounts,
                          volume_mount(name, path, tree_text(mount, "subPath"), false));
        else
            findings_add(findings, FINDING_ERROR, REASON_NOT_FOUND, "spec.target.volumeMounts",
                         "no claim of the restore is called %s", name ? name : "so");
    }
    if (!json_array_size(mounts))
        findings_add(findings, FINDING_ERROR, REASON_REQUIRED, "spec.target.volumeMounts",
                     "says where the new claims are mounted, and has to");
    return json_array_size(mounts) > 0 &&
           json_array_size(mounts) == json_array_size(volumes->mounts);
}

bool job_volumes_make(struct job_volumes *volumes, const struct job_data *data, bool by_task,
                      struct findings *findings)
{
    volumes->volumes = json_array();
    volumes->mounts = json_array();
    if (data->claims)
        return of_claims(volumes, data, findings);
    if (data->class == TARGET_CLAIM)
        return of_claim(volumes, data);
    return by_task || of_workload(volumes, data, findings);
}

/* ---- the node ---- */

void job_note_attached(json_t *attached, const json_t *pod)
{
    const char *node = tree_text(tree_get(pod, "spec"), "nodeName");
    struct span phase = tree_span(tree_get(pod, "status"), "phase");
    const json_t *volume;
    size_t i;

    if (!node || !*node || span_is(phase, "Failed") || span_is(phase, "Succeeded"))
        return;
    tree_items (tree_at(pod, "spec.volumes"), i, volume) {
        const char *claim = tree_text(tree_get(volume, "persistentVolumeClaim"), "claimName");

        if (claim)
            tree_put_text(attached, claim, node);
    }
}

static const json_t *claim_named(const json_t *claims, const char *name)
{
    const json_t *claim;
    size_t i;

    tree_items (claims, i, claim)
        if (!strcmp(name_of(claim), name))
            return claim;
    return NULL;
}

static bool has_mode(const json_t *claim, const char *wanted)
{
    const json_t *mode;
    size_t i;

    tree_items (tree_at(claim, "spec.accessModes"), i, mode)
        if (span_is(tree_value(mode), wanted))
            return true;
    return false;
}

/* The node that a claim is bound to now; NULL: any will do, or something is wrong. */
static const char *node_for(const char *name, const struct job_placing *placing,
                            struct findings *findings)
{
    const json_t *claim = claim_named(placing->claims, name);
    const char *node = tree_text(placing->attached, name);

    if (placing->claims && !claim && !claim_named(placing->made, name))
        findings_add(findings, FINDING_ERROR, REASON_NOT_FOUND, "spec.target",
                     "there is no PersistentVolumeClaim %s", name);
    if (!node || has_mode(claim, "ReadWriteMany") || has_mode(claim, "ReadOnlyMany"))
        return NULL;
    if (!has_mode(claim, "ReadWriteOncePod"))
        return node;
    findings_add(
        findings, FINDING_ERROR, REASON_INVALID, "spec.target",
        "PersistentVolumeClaim %s is ReadWriteOncePod and mounted on node %s: a Job has to "
        "wait until that pod is gone",
        name, node);
    return NULL;
}

/* Of two nodes there is none for both. */
static bool join(const char **node, const char *other, const char *why, struct findings *findings)
{
    if (!other || (*node && !strcmp(*node, other)))
        return true;
    if (*node)
        findings_add(findings, FINDING_ERROR, REASON_INVALID, "spec.target",
                     "%s is on node %s, other data on node %s: one pod can not have both", why,
                     other, *node);
    else
        *node = other;
    return *node == other;
}

static json_t *fields_of(const char *node)
{
    json_t *field = json_object(), *values = json_array(), *fields = json_array();

    tree_push_text(values, node);
    tree_put_text(field, "key", "metadata.name");
    tree_put_text(field, "operator", "In");
    tree_put_new(field, "values", values);
    tree_push_new(fields, field);
    return fields;
}

/* Into each of the alternatives that people chose. */
static void require_node(json_t *spec, const char *node)
{
    struct error ignored;
    json_t *affinity = tree_object(spec, "affinity", &ignored);
    json_t *of_node = tree_object(affinity, "nodeAffinity", &ignored);
    json_t *required =
        tree_object(of_node, "requiredDuringSchedulingIgnoredDuringExecution", &ignored);
    json_t *terms = tree_list(required, "nodeSelectorTerms", &ignored);

    if (!terms)
        return; /* of another shape: the API server says so */
    if (!json_array_size(terms))
        tree_push_new(terms, json_object());
    for (size_t i = 0; i < json_array_size(terms); i++) {
        AUTO(json) json_t *fields = fields_of(node);
        json_t *own = tree_list(json_array_get(terms, i), "matchFields", &ignored);

        if (own)
            json_array_extend(own, fields);
    }
}

void job_place(json_t *spec, const struct job_placing *placing, struct findings *findings)
{
    const char *chosen = tree_text(spec, "nodeName"), *node = placing->node;
    const json_t *volume;
    bool one = true;
    size_t i;

    tree_items (tree_get(spec, "volumes"), i, volume) {
        const char *claim = tree_text(tree_get(volume, "persistentVolumeClaim"), "claimName");

        if (claim)
            one = join(&node, node_for(claim, placing, findings), claim, findings) && one;
    }
    if (chosen && *chosen)
        (void)join(&node, chosen, "runtimeSettings.pod.nodeName", findings);
    else if (node && one)
        require_node(spec, node);
}
