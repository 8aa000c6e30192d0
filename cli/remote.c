#include "cli/remote.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

const struct kube_resource remote_configurations = {GROUP_STASH, "v1beta1", "backupconfigurations",
                                                    "BackupConfiguration", true};
const struct kube_resource remote_sessions = {GROUP_STASH, "v1beta1", "backupsessions",
                                              "BackupSession", true};
const struct kube_resource remote_restores = {GROUP_STASH, "v1beta1", "restoresessions",
                                              "RestoreSession", true};
const struct kube_resource remote_repositories = {GROUP_STASH, "v1alpha1", "repositories",
                                                  "Repository", true};

bool remote_open(struct remote *remote, const struct arguments *arguments, struct error *err)
{
    static const struct kube_client_limits limits = {.user_agent =
                                                         "kubectl-granary/" GRANARY_VERSION};

    if (!kube_config_read(arguments->kubeconfig, arguments->context, &remote->config, err))
        return error_wrap(err, "kubeconfig");
    if (arguments->space)
        remote->space = arguments->space;
    else if (!arguments->all_spaces)
        remote->space = remote->config.space ? remote->config.space : "default";
    remote->client = kube_client_start(&remote->config, &limits, err);
    return remote->client != NULL;
}

void remote_close(struct remote *remote)
{
    kube_client_stop(remote->client);
    kube_config_done(&remote->config);
    *remote = (struct remote){0};
}

json_t *remote_list(const struct remote *remote, const struct kube_resource *resource,
                    struct error *err)
{
    struct kube_watched watched = {.resource = *resource, .space = remote->space};
    json_t *list = kube_list(remote->client, &watched, NULL, err);

    if (list)
        return list;
    if (err->code == ERROR_NOT_FOUND)
        error_set(err, ERROR_NOT_FOUND,
                  "this cluster has no %s.%s: granary is not installed there, or the kubeconfig "
                  "names another cluster (%s)",
                  resource->plural, resource->group, remote->config.server);
    else
        (void)error_wrap(err, "%s", resource->plural);
    return NULL;
}

json_t *remote_list_beside(const struct remote *remote, const struct kube_resource *resource,
                           const struct output *output, struct error *err)
{
    json_t *list = remote_list(remote, resource, err);

    if (list || err->code != ERROR_FORBIDDEN)
        return list;
    output_warning(output, err->message);
    return json_array();
}

/* ---- by name ---- */

/* How people call kinds, beside their names. Spec: kubectl api-resources. */
static const struct {
    const char *called, *kind;
} short_names[] = {
    {"deploy", "Deployment"},
    {"deployments", "Deployment"},
    {"sts", "StatefulSet"},
    {"statefulsets", "StatefulSet"},
    {"ds", "DaemonSet"},
    {"daemonsets", "DaemonSet"},
    {"rs", "ReplicaSet"},
    {"replicasets", "ReplicaSet"},
    {"pvc", "PersistentVolumeClaim"},
    {"persistentvolumeclaims", "PersistentVolumeClaim"},
    {"rc", "ReplicationController"},
    {"appbindings", "AppBinding"},
    {"dc", "DeploymentConfig"},
};

static const char *kind_called(const char *called)
{
    for (size_t i = 0; i < sizeof short_names / sizeof *short_names; i++)
        if (strcasecmp(short_names[i].called, called) == 0)
            return short_names[i].kind;
    return called;
}

static const char *name_of(const json_t *configuration)
{
    const char *name = tree_text(tree_get(configuration, "metadata"), "name");

    return name ? name : "";
}

char *remote_kind(const char *operand)
{
    AUTO(free) char *called = text_dup(operand, strcspn(operand, "/"));
    const char *kind = kind_called(called);

    return text_dup(kind, strlen(kind));
}

bool remote_is_named(const char *name, const json_t *target, const char *operand)
{
    const char *slash = strchr(operand, '/');
    const char *kind = tree_text(target, "kind"), *its = tree_text(target, "name");

    if (!slash)
        return strcmp(name, operand) == 0;

    AUTO(free) char *called = remote_kind(operand);

    return kind && its && strcasecmp(kind, called) == 0 && strcmp(its, slash + 1) == 0;
}

static bool not_found(const json_t *configurations, const char *operand, struct error *err)
{
    size_t count = json_array_size(configurations), i;
    AUTO(free) const char **names = text_alloc((count + 1) * sizeof(const char *));
    AUTO(free) char *shown = text_printable(span_of(operand), 100);
    const json_t *configuration;
    const char *meant;

    tree_items (configurations, i, configuration)
        names[i] = name_of(configuration);
    names[count] = NULL;
    meant = text_did_you_mean(span_of(operand), names);
    return error_set(err, ERROR_NOT_FOUND,
                     "no BackupConfiguration %s \"%s\" in this namespace%s%s%s; `kubectl granary "
                     "status` lists them",
                     strchr(operand, '/') ? "of" : "is called", shown,
                     meant ? ", did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

const json_t *remote_find(const json_t *configurations, const char *operand, struct error *err)
{
    const json_t *found = NULL, *configuration;
    size_t i;

    tree_items (configurations, i, configuration) {
        if (!remote_is_named(name_of(configuration), tree_at(configuration, "spec.target.ref"),
                             operand))
            continue;
        if (found) {
            error_set(err, ERROR_CONFLICT, "%s has several: %s, %s. Name one of them", operand,
                      name_of(found), name_of(configuration));
            return NULL;
        }
        found = configuration;
    }
    if (!found)
        (void)not_found(configurations, operand, err);
    return found;
}
