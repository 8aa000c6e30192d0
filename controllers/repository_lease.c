#include "controllers/repository_lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/target_lease.h"
#include "controllers/write.h"
#include "kube/verbs.h"

/* Times that somebody else may be faster before it is said. */
#define TRIES 4

char *repository_lease_name(const char *repository)
{
    return target_lease_name_of("repository", repository);
}

const char *repository_lease_of(const json_t *lease)
{
    return tree_text(tree_at(lease, "metadata.annotations"), KEY_REPOSITORY);
}

void repository_ledger_done(struct repository_ledger *ledger)
{
    json_decref(ledger->lease);
    json_decref(ledger->document);
    free(ledger->holders);
    *ledger = (struct repository_ledger){0};
}

bool repository_ledger_take(const json_t *lease, struct repository_ledger *ledger,
                            struct error *err)
{
    const json_t *annotations = tree_at(lease, "metadata.annotations");
    AUTO(free) struct holders *holders = text_alloc(sizeof *holders);

    *holders = (struct holders){0};
    /* without the annotation anybody may have worked there, and nobody knows */
    if (lease && !json_is_string(tree_get(annotations, KEY_HOLDERS)))
        return error_set(err, ERROR_INTERNAL, "the Lease of a Repository has no ledger");

    json_t *document = holders_read(tree_span(annotations, KEY_HOLDERS), holders, err);

    if (!document)
        return error_wrap(err, "%s", "who works on the Repository is not known");
    ledger->lease = tree_share(lease);
    ledger->document = document;
    ledger->holders = TAKE(holders);
    return true;
}

bool repository_ledger_get(struct kube_client *client, const char *space, const char *repository,
                           struct repository_ledger *ledger, struct error *err)
{
    AUTO(free) char *name = repository_lease_name(repository);
    const struct kube_ref ref = {&target_leases, space, name, NULL};
    AUTO(json) json_t *found = kube_get(client, &ref, err);
    const char *its = repository_lease_of(found);

    if (!found && err->code != ERROR_NOT_FOUND)
        return error_wrap(err, "Lease of Repository %s", repository);
    if (found && (!its || strcmp(its, repository) != 0))
        return error_set(err, ERROR_INTERNAL, "the Lease of Repository %s is not ours", repository);
    return repository_ledger_take(found, ledger, err);
}

/* ---- writing ---- */

static json_t *annotations_of(const char *repository, const struct holders *holders)
{
    json_t *annotations = json_object();
    AUTO(text) struct text text = {0};

    holders_write(holders, &text);
    tree_put_text(annotations, KEY_REPOSITORY, repository);
    tree_put_text(annotations, KEY_HOLDERS, text_get(&text));
    return annotations;
}

static json_t *lease_of(const char *space, const char *name, json_t *annotations_new)
{
    json_t *lease = json_object(), *metadata = json_object(), *labels = json_object();

    tree_put_text(lease, "apiVersion", "coordination.k8s.io/v1");
    tree_put_text(lease, "kind", "Lease");
    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", space);
    tree_put_text(labels, LABEL_TARGET_LEASE, REPOSITORY_LEASE_LABEL);
    tree_put_new(metadata, "labels", labels);
    tree_put_new(metadata, "annotations", annotations_new);
    tree_put_new(lease, "metadata", metadata);
    tree_put_new(lease, "spec", json_object());
    return lease;
}

static bool make(struct kube_client *client, const char *space, const char *name,
                 json_t *annotations_new, struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    const struct kube_ref ref = {&target_leases, space, name, NULL};
    AUTO(json) json_t *lease = lease_of(space, name, annotations_new);

    return kube_create(client, &ref, lease, &write_ours, &result, err);
}

static bool change(struct kube_client *client, const struct kube_ref *ref, const json_t *lease,
                   json_t *annotations_new, struct error *err)
{
    const json_t *theirs = tree_get(lease, "metadata");
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *patch = json_object();
    json_t *metadata = json_object();

    kube_name_state(metadata, lease);
    tree_put_new(metadata, "annotations", annotations_new);
    tree_put_new(patch, "metadata", metadata);
    if (!tree_text(theirs, "resourceVersion"))
        return error_set(err, ERROR_INVALID, "a Lease without resourceVersion");
    if (kube_merge_patch(client, ref, patch, &write_ours, &result, err))
        return true;
    if (err->code == ERROR_NOT_FOUND)
        error_set(err, ERROR_CONFLICT, "the Lease of a Repository is gone");
    return false;
}

bool repository_ledger_put(struct kube_client *client, const char *space, const char *repository,
                           const struct repository_ledger *ledger, struct error *err)
{
    AUTO(free) char *name = repository_lease_name(repository);
    const struct kube_ref ref = {&target_leases, space, name, NULL};
    json_t *annotations = annotations_of(repository, ledger->holders);

    return ledger->lease ? change(client, &ref, ledger->lease, annotations, err)
                         : make(client, space, name, annotations, err);
}

bool repository_ledger_drop(struct kube_client *client, const struct repository_ledger *ledger,
                            struct error *err)
{
    const json_t *metadata = tree_get(ledger->lease, "metadata");
    const struct kube_delete how = {.uid = tree_text(metadata, "uid"),
                                    .version = tree_text(metadata, "resourceVersion")};
    const struct kube_ref ref = {&target_leases, tree_text(metadata, "namespace"),
                                 tree_text(metadata, "name"), NULL};
    AUTO(kube_result) struct kube_result result = {0};

    if (!how.uid || !how.version)
        return error_set(err, ERROR_INVALID, "a Lease without uid or resourceVersion");
    return kube_delete(client, &ref, &how, NULL, &result, err) || err->code == ERROR_NOT_FOUND;
}

/* ---- who shares it ---- */

static bool try_share(struct kube_client *client, const struct repository_worker *worker,
                      int64_t now_s, bool *in, struct error *err)
{
    AUTO(repository_ledger) struct repository_ledger ledger = {0};

    if (!repository_ledger_get(client, worker->space, worker->repository, &ledger, err))
        return false;
    *in = holders_share(ledger.holders, worker->session, worker->pod, now_s) >= HOLDERS_LET_IN;
    return !*in || repository_ledger_put(client, worker->space, worker->repository, &ledger, err);
}

bool repository_lease_share(struct kube_client *client, const struct repository_worker *worker,
                            int64_t now_s, bool *in, struct error *err)
{
    for (int i = 0; i < TRIES; i++)
        if (try_share(client, worker, now_s, in, err))
            return true;
        else if (err->code != ERROR_CONFLICT)
            return false;
    return false;
}

static enum holder_state state_of(void *context, const struct holder *holder)
{
    const struct repository_worker *worker = context;

    return strcmp(holder->session, worker->session) == 0 && strcmp(holder->pod, worker->pod) == 0
               ? HOLDER_ENDED
               : HOLDER_UNKNOWN;
}

static bool try_leave(struct kube_client *client, const struct repository_worker *worker,
                      struct error *err)
{
    AUTO(repository_ledger) struct repository_ledger ledger = {0};

    if (!repository_ledger_get(client, worker->space, worker->repository, &ledger, err))
        return false;
    return !holders_sweep(ledger.holders, state_of, (void *)worker) ||
           repository_ledger_put(client, worker->space, worker->repository, &ledger, err);
}

bool repository_lease_leave(struct kube_client *client, const struct repository_worker *worker,
                            struct error *err)
{
    for (int i = 0; i < TRIES; i++)
        if (try_leave(client, worker, err))
            return true;
        else if (err->code != ERROR_CONFLICT)
            return false;
    return false;
}

/* ---- whose end is proven elsewhere ---- */

void repository_departure_done(struct repository_departure *departure)
{
    repository_ledger_done(&departure->ledger);
    free(departure->repository);
    *departure = (struct repository_departure){0};
}

static void put_off(struct repository_departure *departure, const struct error *err)
{
    log_info("that a pod has left its Repository is noted later",
             LOG_S("repository", departure->repository), LOG_S("error", err->message));
}

void repository_departure_begin(struct kube_client *client, const char *space, char *repository_new,
                                const char *session, const char *pod,
                                struct repository_departure *departure)
{
    struct error err = {.message = ""};

    departure->repository = repository_new;
    departure->worker = (struct repository_worker){space, repository_new, session, pod};
    if (!repository_new || !session || !pod)
        return;
    if (!repository_ledger_get(client, space, repository_new, &departure->ledger, &err))
        put_off(departure, &err);
}

/* Once: who was faster may be the one that is to be taken out, let in anew. */
void repository_departure_end(struct kube_client *client, struct repository_departure *departure)
{
    struct error err = {.message = ""};

    if (departure->ledger.holders &&
        holders_sweep(departure->ledger.holders, state_of, &departure->worker) &&
        !repository_ledger_put(client, departure->worker.space, departure->repository,
                               &departure->ledger, &err))
        put_off(departure, &err);
}
