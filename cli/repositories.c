#include "cli/repositories.h"

#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

struct kube_ref repositories_ref(const json_t *repository)
{
    const json_t *metadata = tree_get(repository, "metadata");

    return (struct kube_ref){&remote_repositories, tree_text(metadata, "namespace"),
                             tree_text(metadata, "name"), NULL};
}

static json_t *get(const struct remote *remote, const char *space, const char *name,
                   struct error *err)
{
    json_t *repository =
        kube_get(remote->client, &(struct kube_ref){&remote_repositories, space, name, NULL}, err);
    AUTO(free) char *shown = text_printable(span_of(name), 100);

    if (!repository && err->code == ERROR_NOT_FOUND)
        error_set(err, ERROR_NOT_FOUND,
                  "no Repository is called \"%s\" in namespace %s; `kubectl get repository -n %s` "
                  "lists them",
                  shown, space, space);
    return repository;
}

json_t *repositories_find(const struct remote *remote, const char *operand, struct error *err)
{
    if (!strchr(operand, '/'))
        return get(remote, remote->space, operand, err);

    AUTO(json) json_t *list = remote_list(remote, &remote_configurations, err);
    const json_t *configuration = list ? remote_find(list, operand, err) : NULL;
    const json_t *ref = tree_at(configuration, "spec.repository");
    const char *space = tree_text(ref, "namespace"), *name = tree_text(ref, "name");

    if (!configuration)
        return NULL;
    return get(remote, space && *space ? space : remote->space, name ? name : "", err);
}

bool repositories_annotate(const struct remote *remote, const json_t *repository, const char *key,
                           const char *value, struct error *err)
{
    const struct kube_ref ref = repositories_ref(repository);
    AUTO(json) json_t *patch = json_object();
    AUTO(kube_result) struct kube_result result = {0};
    json_t *metadata = json_object(), *annotations = json_object();

    tree_put_text(metadata, "uid", tree_text(tree_get(repository, "metadata"), "uid"));
    tree_put_text(annotations, key, value);
    tree_put_new(metadata, "annotations", annotations);
    tree_put_new(patch, "metadata", metadata);
    return kube_merge_patch(remote->client, &ref, patch,
                            &(struct kube_options){.manager = REMOTE_MANAGER}, &result, err) ||
           error_wrap(err, "Repository %s", ref.name);
}
