#include "tests/unit/strict.h"

#include <string.h>

#include "api/names.h"
#include "api/quantity.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

/* Fields of the API by kind of object. A type is a word of `scalars`, "map" (of strings), "any", a
 * kind, or "[" and a type: a list of it. */
static const struct {
    const char *kind, *key, *type;
} fields[] = {
    {"template", "metadata", "metadata"},
    {"template", "spec", "pod"},
    {"metadata", "creationTimestamp", "string"},
    {"metadata", "name", "string"},
    {"metadata", "labels", "map"},
    {"metadata", "annotations", "map"},
    {"pod", "volumes", "[volume"},
    {"pod", "initContainers", "[container"},
    {"pod", "containers", "[container"},
    {"pod", "restartPolicy", "string"},
    {"pod", "terminationGracePeriodSeconds", "integer"},
    {"pod", "dnsPolicy", "string"},
    {"pod", "nodeSelector", "map"},
    {"pod", "serviceAccountName", "string"},
    {"pod", "automountServiceAccountToken", "boolean"},
    {"pod", "hostNetwork", "boolean"},
    {"pod", "hostPID", "boolean"},
    {"pod", "hostIPC", "boolean"},
    {"pod", "hostUsers", "boolean"},
    {"pod", "shareProcessNamespace", "boolean"},
    {"pod", "securityContext", "podContext"},
    {"pod", "imagePullSecrets", "[reference"},
    {"pod", "schedulerName", "string"},
    {"pod", "os", "reference"},
    {"pod", "resources", "resources"},
    {"reference", "name", "string"},
    {"podContext", "runAsUser", "integer"},
    {"podContext", "runAsGroup", "integer"},
    {"podContext", "runAsNonRoot", "boolean"},
    {"podContext", "fsGroup", "integer"},
    {"podContext", "seccompProfile", "profile"},
    {"container", "name", "string"},
    {"container", "image", "string"},
    {"container", "command", "[string"},
    {"container", "args", "[string"},
    {"container", "env", "[variable"},
    {"container", "envFrom", "[any"},
    {"container", "ports", "[any"},
    {"container", "resources", "resources"},
    {"container", "volumeMounts", "[mount"},
    {"container", "volumeDevices", "[any"},
    {"container", "livenessProbe", "any"},
    {"container", "readinessProbe", "any"},
    {"container", "lifecycle", "any"},
    {"container", "restartPolicy", "string"},
    {"container", "terminationMessagePath", "string"},
    {"container", "terminationMessagePolicy", "string"},
    {"container", "imagePullPolicy", "string"},
    {"container", "securityContext", "context"},
    {"context", "runAsUser", "integer"},
    {"context", "runAsGroup", "integer"},
    {"context", "runAsNonRoot", "boolean"},
    {"context", "privileged", "boolean"},
    {"context", "allowPrivilegeEscalation", "boolean"},
    {"context", "readOnlyRootFilesystem", "boolean"},
    {"context", "capabilities", "capabilities"},
    {"context", "seccompProfile", "profile"},
    {"capabilities", "add", "[string"},
    {"capabilities", "drop", "[string"},
    {"profile", "type", "string"},
    {"resources", "requests", "amounts"},
    {"resources", "limits", "amounts"},
    {"amounts", "cpu", "quantity"},
    {"amounts", "memory", "quantity"},
    {"amounts", "ephemeral-storage", "quantity"},
    {"variable", "name", "string"},
    {"variable", "value", "string"},
    {"variable", "valueFrom", "source"},
    {"source", "fieldRef", "field"},
    {"source", "resourceFieldRef", "any"},
    {"source", "configMapKeyRef", "any"},
    {"source", "secretKeyRef", "any"},
    {"field", "apiVersion", "string"},
    {"field", "fieldPath", "string"},
    {"mount", "name", "string"},
    {"mount", "mountPath", "string"},
    {"mount", "subPath", "string"},
    {"mount", "subPathExpr", "string"},
    {"mount", "readOnly", "boolean"},
    {"mount", "mountPropagation", "string"},
    {"volume", "name", "string"},
    {"volume", "persistentVolumeClaim", "claim"},
    {"volume", "emptyDir", "emptyDir"},
    {"volume", "projected", "projected"},
    {"volume", "hostPath", "hostPath"},
    {"volume", "nfs", "nfs"},
    {"volume", "configMap", "any"},
    {"volume", "secret", "any"},
    {"volume", "downwardAPI", "any"},
    {"volume", "ephemeral", "any"},
    {"volume", "iscsi", "any"},
    {"volume", "rbd", "any"},
    {"volume", "azureDisk", "any"},
    {"claim", "claimName", "string"},
    {"claim", "readOnly", "boolean"},
    {"emptyDir", "medium", "string"},
    {"emptyDir", "sizeLimit", "quantity"},
    {"hostPath", "path", "string"},
    {"hostPath", "type", "string"},
    {"nfs", "server", "string"},
    {"nfs", "path", "string"},
    {"nfs", "readOnly", "boolean"},
    {"projected", "sources", "[projection"},
    {"projected", "defaultMode", "integer"},
    {"projection", "serviceAccountToken", "token"},
    {"projection", "configMap", "projectedMap"},
    {"token", "audience", "string"},
    {"token", "expirationSeconds", "integer"},
    {"token", "path", "string"},
    {"projectedMap", "name", "string"},
    {"projectedMap", "optional", "boolean"},
};

static const char *type_of(const char *kind, const char *key)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strcmp(fields[i].kind, kind) && !strcmp(fields[i].key, key))
            return fields[i].type;
    return NULL;
}

static bool is_quantity(const json_t *value)
{
    struct quantity amount;
    struct error ignored;

    return quantity_read(value, &amount, &ignored) && quantity_sign(&amount) >= 0;
}

static bool is_map(const json_t *value)
{
    const json_t *item;
    const char *key;

    if (!json_is_object(value))
        return false;
    tree_each (value, key, item) {
        if (!json_is_string(item))
            return false;
    }
    return true;
}

/* 1: of that type, 0: not, -1: the type is none of these. */
static int is_scalar(const char *type, const json_t *value)
{
    if (!strcmp(type, "any"))
        return 1;
    if (!strcmp(type, "string"))
        return json_is_string(value);
    if (!strcmp(type, "integer"))
        return json_is_integer(value);
    if (!strcmp(type, "boolean"))
        return json_is_boolean(value);
    if (!strcmp(type, "quantity"))
        return is_quantity(value);
    if (!strcmp(type, "map"))
        return is_map(value);
    return -1;
}

static char *type_fault(const char *type, const json_t *value, const char *path);

static char *list_fault(const char *type, const json_t *list, const char *path)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(list))
        return text_format("%s is no list", path);
    tree_items (list, i, item) {
        AUTO(free) char *below = text_format("%s[%zu]", path, i);
        char *fault = type_fault(type, item, below);

        if (fault)
            return fault;
    }
    return NULL;
}

static char *object_fault(const char *kind, const json_t *object, const char *path)
{
    const json_t *value;
    const char *key;

    if (!json_is_object(object))
        return text_format("%s is no object", path);
    tree_each (object, key, value) {
        AUTO(free) char *below = text_format("%s.%s", path, key);
        const char *type = type_of(kind, key);
        char *fault =
            type ? type_fault(type, value, below) : text_format("%s: no such field", below);

        if (fault)
            return fault;
    }
    return NULL;
}

static char *type_fault(const char *type, const json_t *value, const char *path)
{
    int scalar = is_scalar(type, value);

    if (json_is_null(value) || scalar == 1)
        return NULL;
    if (scalar == 0)
        return text_format("%s is no %s", path, type);
    return *type == '[' ? list_fault(type + 1, value, path) : object_fault(type, value, path);
}

/* ---- what no table says ---- */

static size_t count_named(const json_t *list, const char *name)
{
    const json_t *item;
    size_t i, count = 0;

    tree_items (list, i, item)
        count += span_is(tree_span(item, "name"), name);
    return count;
}

static bool has_volume(const json_t *pod, const json_t *claims, const char *name)
{
    const json_t *claim;
    size_t i;

    if (tree_named(tree_get(pod, "volumes"), name))
        return true;
    tree_items (claims, i, claim) {
        if (span_is(tree_span(tree_get(claim, "metadata"), "name"), name))
            return true;
    }
    return false;
}

static const char *mount_fault(const json_t *pod, const json_t *claims, const json_t *container,
                               const json_t *mount)
{
    const char *path = tree_text(mount, "mountPath"), *name = tree_text(mount, "name");
    const json_t *other;
    size_t i, same = 0;

    if (!path || !*path || strchr(path, ':'))
        return "has no mountPath";
    if (!name || !has_volume(pod, claims, name))
        return "names no volume";
    if (tree_span(mount, "subPath").length && tree_span(mount, "subPathExpr").length)
        return "has subPath and subPathExpr";
    tree_items (tree_get(container, "volumeMounts"), i, other)
        same += span_is(tree_span(other, "mountPath"), path);
    return same == 1 ? NULL : "has a path that another one has";
}

static const char *context_fault(const json_t *pod, const json_t *container)
{
    const json_t *own = tree_get(container, "securityContext"),
                 *whole = tree_get(pod, "securityContext");
    const json_t *nonroot = tree_get(own, "runAsNonRoot"), *user = tree_get(own, "runAsUser");
    const json_t *promised = nonroot ? nonroot : tree_get(whole, "runAsNonRoot");
    const json_t *taken = user ? user : tree_get(whole, "runAsUser");

    if (tree_true(own, "privileged") && json_is_false(tree_get(own, "allowPrivilegeEscalation")))
        return "is privileged and may not escalate";
    if (json_is_true(promised) && taken && json_integer_value(taken) == 0)
        return "promises not to be root and is root";
    return NULL;
}

static const char *resources_fault(const json_t *container)
{
    const json_t *resources = tree_get(container, "resources"), *request;
    const json_t *limits = tree_get(resources, "limits");
    const char *key;

    tree_each (tree_get(resources, "requests"), key, request) {
        struct quantity least, most;
        struct error ignored;

        if (tree_get(limits, key) && quantity_read(request, &least, &ignored) &&
            quantity_read(tree_get(limits, key), &most, &ignored) &&
            quantity_compare(&least, &most) > 0)
            return "requests more than its limit";
    }
    return NULL;
}

static const char *variables_fault(const json_t *container)
{
    const json_t *env = tree_get(container, "env"), *entry;
    size_t i;

    tree_items (env, i, entry) {
        const char *name = tree_text(entry, "name");

        if (!name || !*name)
            return "has a variable without a name";
        if (tree_span(entry, "value").length && tree_get(entry, "valueFrom"))
            return "has a variable with two values";
        if (count_named(env, name) != 1)
            return "has a variable twice";
    }
    return NULL;
}

static const char *container_fault(const json_t *pod, const json_t *claims, const json_t *container)
{
    const char *name = tree_text(container, "name"), *fault;
    const json_t *mount;
    size_t i;

    if (!name || !name_is_label(span_of(name)))
        return "has no name";
    if (count_named(tree_get(pod, "containers"), name) +
            count_named(tree_get(pod, "initContainers"), name) !=
        1)
        return "has a name that another one has";
    if (!tree_span(container, "image").length)
        return "has no image";
    tree_items (tree_get(container, "volumeMounts"), i, mount) {
        if ((fault = mount_fault(pod, claims, container, mount)))
            return fault;
    }
    if ((fault = context_fault(pod, container)) || (fault = variables_fault(container)))
        return fault;
    return resources_fault(container);
}

static char *containers_fault(const json_t *pod, const json_t *claims, const char *list)
{
    const json_t *container;
    const char *fault;
    size_t i;

    tree_items (tree_get(pod, list), i, container) {
        if ((fault = container_fault(pod, claims, container)))
            return text_format("%s[%zu] %s", list, i, fault);
        if (*list == 'i' &&
            (tree_get(container, "lifecycle") || tree_get(container, "livenessProbe") ||
             tree_get(container, "readinessProbe")))
            return text_format("%s[%zu] has a probe", list, i);
    }
    return NULL;
}

static char *volumes_fault(const json_t *pod)
{
    const json_t *volumes = tree_get(pod, "volumes"), *volume;
    size_t i;

    tree_items (volumes, i, volume) {
        const char *name = tree_text(volume, "name");

        if (!name || !name_is_label(span_of(name)))
            return text_format("volumes[%zu] has no name", i);
        if (count_named(volumes, name) != 1)
            return text_format("volumes[%zu] has a name that another one has", i);
        if (json_object_size(volume) != 2)
            return text_format("volumes[%zu] has not exactly one source", i);
    }
    return NULL;
}

char *strict_fault(const json_t *template, const json_t *claim_templates)
{
    const json_t *pod = tree_get(template, "spec");
    char *fault = object_fault("template", template, "template");

    if (fault)
        return fault;
    if (json_array_size(tree_get(pod, "containers")) == 0)
        return text_format("there is no container");
    if ((fault = volumes_fault(pod)) ||
        (fault = containers_fault(pod, claim_templates, "containers")))
        return fault;
    return containers_fault(pod, claim_templates, "initContainers");
}
