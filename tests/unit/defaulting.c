#include "tests/unit/defaulting.h"

#include <check.h>
#include <string.h>

#include "base/tree.h"
#include "tests/unit/json.h"

/* A member that is filled in, or (value NULL) left out while it is zero. "a.b[].c": every c of the
 * objects in list b. */
struct rule {
    const char *path, *member, *value;
};

#define PROBE(probe)                                                                               \
    {probe, "timeoutSeconds", NULL}, {probe, "timeoutSeconds", "1"},                               \
        {probe, "periodSeconds", NULL}, {probe, "periodSeconds", "10"},                            \
        {probe, "successThreshold", NULL}, {probe, "successThreshold", "1"},                       \
        {probe, "failureThreshold", NULL}, {probe, "failureThreshold", "3"},                       \
        {probe, "initialDelaySeconds", NULL}, {probe ".grpc", "service", "''"},                    \
        HTTP_GET(probe ".httpGet")
#define HTTP_GET(get)                                                                              \
    {get, "path", NULL}, {get, "path", "'/'"}, {get, "scheme", NULL}, {get, "scheme", "'HTTP'"},   \
        {get, "host", NULL},                                                                       \
    {                                                                                              \
        get, "httpHeaders", NULL                                                                   \
    }
#define FIELD(path)                                                                                \
    {path ".fieldRef", "apiVersion", NULL},                                                        \
    {                                                                                              \
        path ".fieldRef", "apiVersion", "'v1'"                                                     \
    }
#define DIVISOR(path)                                                                              \
    {                                                                                              \
        path ".resourceFieldRef", "divisor", "'0'"                                                 \
    }

static const struct rule of_container[] = {
    {"", "terminationMessagePath", "'/dev/termination-log'"},
    {"", "terminationMessagePolicy", "'File'"},
    {"", "resources", "{}"},
    {"", "env", NULL},
    {"", "envFrom", NULL},
    {"", "args", NULL},
    {"ports[]", "protocol", NULL},
    {"ports[]", "protocol", "'TCP'"},
    {"ports[]", "hostPort", NULL},
    {"ports[]", "hostIP", NULL},
    {"volumeMounts[]", "readOnly", NULL},
    {"volumeMounts[]", "subPath", NULL},
    {"env[]", "value", NULL},
    {"envFrom[]", "prefix", NULL},
    FIELD("env[].valueFrom"),
    DIVISOR("env[].valueFrom"),
    PROBE("livenessProbe"),
    PROBE("readinessProbe"),
    HTTP_GET("lifecycle.postStart.httpGet"),
    HTTP_GET("lifecycle.preStop.httpGet"),
};

#define DISK(source)                                                                               \
    {source, "readOnly", NULL},                                                                    \
    {                                                                                              \
        source, "fsType", NULL                                                                     \
    }
#define FILES(source)                                                                              \
    {source, "defaultMode", "420"},                                                                \
    {                                                                                              \
        source, "items", NULL                                                                      \
    }
#define CLAIM "ephemeral.volumeClaimTemplate"

static const struct rule of_volume[] = {
    {"hostPath", "type", "''"},
    FILES("secret"),
    FILES("configMap"),
    FILES("downwardAPI"),
    {"projected", "defaultMode", "420"},
    FIELD("downwardAPI.items[]"),
    DIVISOR("downwardAPI.items[]"),
    FIELD("projected.sources[].downwardAPI.items[]"),
    DIVISOR("projected.sources[].downwardAPI.items[]"),
    {"projected.sources[].serviceAccountToken", "expirationSeconds", "3600"},
    {"projected.sources[].serviceAccountToken", "audience", NULL},
    {"projected.sources[].podCertificate", "maxExpirationSeconds", "86400"},
    {"emptyDir", "medium", NULL},
    {CLAIM, "metadata", "{'creationTimestamp': null}"},
    {CLAIM ".spec", "volumeMode", "'Filesystem'"},
    {CLAIM ".spec", "resources", "{}"},
    {"image", "pullPolicy", NULL},
    {"persistentVolumeClaim", "readOnly", NULL},
    {"nfs", "readOnly", NULL},
    {"glusterfs", "readOnly", NULL},
    {"azureFile", "readOnly", NULL},
    {"cephfs", "readOnly", NULL},
    {"cephfs", "path", NULL},
    DISK("awsElasticBlockStore"),
    {"awsElasticBlockStore", "partition", NULL},
    DISK("gcePersistentDisk"),
    {"gcePersistentDisk", "partition", NULL},
    DISK("cinder"),
    DISK("fc"),
    DISK("flexVolume"),
    {"flexVolume", "options", NULL},
    DISK("portworxVolume"),
    DISK("iscsi"),
    {"iscsi", "chapAuthDiscovery", NULL},
    {"iscsi", "chapAuthSession", NULL},
    {"iscsi", "iscsiInterface", NULL},
    {"iscsi", "iscsiInterface", "'default'"},
    DISK("rbd"),
    {"rbd", "pool", NULL},
    {"rbd", "pool", "'rbd'"},
    {"rbd", "user", NULL},
    {"rbd", "user", "'admin'"},
    {"rbd", "keyring", NULL},
    {"rbd", "keyring", "'/etc/ceph/keyring'"},
    {"azureDisk", "cachingMode", "'ReadWrite'"},
    {"azureDisk", "fsType", "'ext4'"},
    {"azureDisk", "kind", "'Shared'"},
    {"azureDisk", "readOnly", "false"},
};

static bool is_zero(const json_t *value)
{
    AUTO(json) json_t *zero = json_integer(0), *empty = json_string("");

    return json_is_null(value) || json_is_false(value) || json_equal((json_t *)value, zero) ||
           json_equal((json_t *)value, empty) ||
           ((json_is_array(value) || json_is_object(value)) && json_array_size(value) == 0 &&
            json_object_size(value) == 0);
}

static void fill(json_t *object, const struct rule *rule)
{
    const json_t *value = tree_get(object, rule->member);

    if (!rule->value && is_zero(value))
        json_object_del(object, rule->member);
    else if (rule->value && (!value || json_is_null(value)))
        tree_put_new(object, rule->member, json_row(rule->value));
}

static void walk(json_t *object, const char *path, const struct rule *rule)
{
    size_t length = strcspn(path, "."), i;
    bool list = length > 2 && !strncmp(path + length - 2, "[]", 2);
    const char *rest = path[length] ? path + length + 1 : "";
    json_t *below = json_object_getn(object, path, list ? length - 2 : length), *item;

    if (!json_is_object(object))
        return;
    if (!*path)
        fill(object, rule);
    else if (!list)
        walk(below, rest, rule);
    else
        json_array_foreach(below, i, item) walk(item, rest, rule);
}

/* By the tag of the image, see https://kubernetes.io/docs/concepts/containers/images/. */
static void fill_pull_policy(json_t *object, const char *image, const char *policy)
{
    const char *reference = tree_text(object, image);

    if (reference && !tree_get(object, policy))
        tree_put_text(object, policy,
                      strstr(reference, ":latest") || !strchr(reference, ':') ? "Always"
                                                                              : "IfNotPresent");
}

void default_container(json_t *container)
{
    for (size_t i = 0; i < sizeof of_container / sizeof *of_container; i++)
        walk(container, of_container[i].path, &of_container[i]);
    fill_pull_policy(container, "image", "imagePullPolicy");
}

void default_volume(json_t *volume)
{
    for (size_t i = 0; i < sizeof of_volume / sizeof *of_volume; i++)
        walk(volume, of_volume[i].path, &of_volume[i]);
    fill_pull_policy(json_object_get(volume, "image"), "reference", "pullPolicy");
}

void default_object(json_t *object)
{
    static const char *const lists[] = {"containers", "initContainers"};
    json_t *pod = (json_t *)tree_at(object, "spec.template.spec"), *item;
    size_t i;

    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        json_array_foreach(json_object_get(pod, lists[l]), i, item) default_container(item);
    json_array_foreach(json_object_get(pod, "volumes"), i, item) default_volume(item);
}
