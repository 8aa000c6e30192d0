#include "controllers/repository_place.h"

#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/status_parts.h"
#include "kube/meta.h"
#include "kube/store.h"

static const json_t *backend_of(const json_t *repository)
{
    return tree_at(repository, "spec.backend");
}

/* Folders of a node or a server are the same from everywhere; other volumes are a namespace's. */
static bool is_of_namespace(const json_t *backend)
{
    const json_t *local = tree_get(backend, "local");
    const char *provider = backend_provider(backend);

    return provider && strcmp(provider, "local") == 0 && !tree_get(local, "hostPath") &&
           !tree_get(local, "nfs");
}

char *repository_place_of(const json_t *repository)
{
    const json_t *backend = backend_of(repository);
    AUTO(text) struct text text = {0};

    if (!backend_provider(backend))
        return NULL;
    if (is_of_namespace(backend))
        text_addf(&text, "%s: ", meta_or_empty(repository, "namespace"));
    backend_location(&text, backend);
    return text_format("%s", text_get(&text));
}

static bool is_same(const json_t *a, const json_t *b)
{
    return strcmp(meta_or_empty(a, "uid"), meta_or_empty(b, "uid")) == 0 &&
           strcmp(meta_or_empty(a, "namespace"), meta_or_empty(b, "namespace")) == 0 &&
           strcmp(meta_or_empty(a, "name"), meta_or_empty(b, "name")) == 0;
}

json_t *repository_place_others(struct known *known, const json_t *repository)
{
    AUTO(free) char *place = repository_place_of(repository);
    AUTO(json)
    json_t *all = place ? known_find(known, KNOWN_REPOSITORY, KNOWN_BY_PLACE, place) : NULL;
    json_t *others = json_array();
    const json_t *other;
    size_t i;

    tree_items (all, i, other)
        if (!is_same(other, repository))
            tree_push_new(others, tree_share(other));
    return others;
}

/* By creation, namespace and name. A moment as Kubernetes writes it is ordered as text. */
static bool is_older(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"creationTimestamp", "namespace", "name"};
    int order = 0;

    for (size_t i = 0; i < sizeof keys / sizeof *keys && order == 0; i++)
        order = strcmp(meta_or_empty(a, keys[i]), meta_or_empty(b, keys[i]));
    return order < 0;
}

static bool is_written(struct known *known, const json_t *repository)
{
    AUTO(free) char *key = store_key(repository);
    AUTO(json) json_t *writers = known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_REPOSITORY, key);

    return json_array_size(writers) || tree_text(tree_get(repository, "status"), "lastBackupTime");
}

json_t *repository_place_first(struct known *known, const json_t *repository)
{
    AUTO(json) json_t *others = repository_place_others(known, repository);
    const json_t *other, *first = repository;
    size_t i;

    tree_items (others, i, other)
        if (is_older(other, first) && is_written(known, other) &&
            !tree_get(tree_get(other, "metadata"), "deletionTimestamp"))
            first = other;
    return first == repository ? NULL : tree_share(first);
}

bool repository_place_is_shared(struct known *known, const json_t *repository)
{
    AUTO(json) json_t *others = repository_place_others(known, repository);
    const json_t *other;
    bool shared = false;
    size_t i;

    tree_items (others, i, other)
        shared = shared || is_written(known, other);
    return shared;
}

char *repository_place_put(json_t *status, const json_t *repository, const json_t *first,
                           int64_t now_s)
{
    AUTO(text) struct text where = {0};
    AUTO(free) char *message = NULL;

    if (!first) {
        const struct condition alone = {REPOSITORY_PLACE, CONDITION_TRUE, "LocationIsItsOwn", NULL};

        if (condition_status(tree_get(status, "conditions"), REPOSITORY_PLACE) == CONDITION_FALSE)
            (void)condition_set(status_conditions(status), &alone, now_s);
        return NULL;
    }
    backend_describe(&where, backend_of(repository));
    message = text_format(
        "Repository %s/%s keeps its data in the same place (%s) and is older: all that is removed, "
        "checked or unlocked there is done for that one. Backups and restores go on; the "
        "retention policies of this one are not applied. What to do: let its BackupConfigurations "
        "name that Repository, or give this one another prefix",
        meta_or_empty(first, "namespace"), meta_or_empty(first, "name"), text_get(&where));

    const struct condition taken = {REPOSITORY_PLACE, CONDITION_FALSE, "LocationTaken", message};

    return condition_set(status_conditions(status), &taken, now_s) ? TAKE(message) : NULL;
}
