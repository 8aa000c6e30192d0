#include "controllers/maintenance_job.h"

#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "api/demand.h"
#include "api/keys.h"
#include "api/names.h"
#include "base/limits.h"
#include "base/tree.h"
#include "controllers/job_parts.h"
#include "controllers/job_volumes.h"
#include "mutators/container.h"

/* Seconds: pruning a large repository takes hours; who looks into what failed on a weekend comes on
 * a Monday. */
#define LONGEST_S 86400
#define KEPT_S (7 * 86400)

#define SECRET_VOLUME "granary-storage"

char *maintenance_job_name(enum maintenance_kind kind, const char *repository, int64_t since_s)
{
    AUTO(free)
    char *whole =
        text_format("granary-%s-%s-%lld", maintenance_word(kind), repository, (long long)since_s);

    return name_fit(whole, NAME_MAX_CHARS);
}

static const json_t *metadata_of(const struct maintenance_job *request)
{
    return tree_get(request->repository, "metadata");
}

static const json_t *backend_of(const struct maintenance_job *request)
{
    return tree_at(request->repository, "spec.backend");
}

static void push_flag(json_t *args, const char *flag, const char *value)
{
    AUTO(text) struct text doubled = {0};

    text_addf(&doubled, "--%s=", flag);
    for (const char *c = value; *c; c++) { /* for the kubelet "$$" is one "$" */
        if (*c == '$')
            text_putc(&doubled, '$');
        text_putc(&doubled, *c);
    }
    tree_push_text(args, text_get(&doubled));
}

/* restic's arguments are data here: one JSON list in one argument. */
static json_t *args_of(const struct maintenance_job *request)
{
    json_t *args = json_array();
    AUTO(free) char *backend = tree_format(backend_of(request), NULL);
    const json_t *run;
    size_t i;

    tree_push_text(args, "maintain");
    push_flag(args, "kind", maintenance_word(request->kind));
    push_flag(args, "secret", MAINTENANCE_SECRET_MOUNT);
    push_flag(args, "backend", backend);
    if (request->cluster)
        push_flag(args, "cluster", request->cluster);
    if (request->dead)
        push_flag(args, "dead", request->dead);
    tree_items (request->runs, i, run) {
        AUTO(free) char *vector = tree_format(run, NULL);

        push_flag(args, "run", vector);
    }
    return args;
}

static json_t *secret_volume(const char *name)
{
    json_t *volume = json_object(), *secret = json_object();

    tree_put_text(secret, "secretName", name);
    tree_put_text(volume, "name", SECRET_VOLUME);
    tree_put_new(volume, "secret", secret);
    return volume;
}

static void mount_secret(json_t *container)
{
    json_t *mount = json_object();

    tree_put_text(mount, "name", SECRET_VOLUME);
    tree_put_text(mount, "mountPath", MAINTENANCE_SECRET_MOUNT);
    tree_put_bool(mount, "readOnly", true);
    tree_push_new(json_object_get(container, "volumeMounts"), mount);
}

static json_t *container_of(const struct maintenance_job *request, const struct carry *carry)
{
    /* agents of any user may have written a local repository */
    AUTO(json) json_t *owner = job_template_unknown();
    struct making making = {.carry = carry, .settings = request->settings, .owner = owner};
    struct container_role role = {.name = "granary-maintain"};

    return container_of_job(&making, &role, args_of(request));
}

static json_t *pod_spec(const struct maintenance_job *request, struct findings *findings)
{
    const char *secret = tree_text(backend_of(request), "storageSecretName");
    json_t *spec = job_pod_spec(NULL, request->settings->agent_pull_secrets);
    struct job_placing placing = {.claims = request->claims, .attached = request->attached};
    AUTO(carry) struct carry carry = {.local = demand_local(backend_of(request))};
    bool root = carry.local && !request->restricted;

    carry.file_access = root ? FILE_ACCESS_AUTO : FILE_ACCESS_FOLLOW;

    json_t *volumes = container_volumes(&carry), *containers = json_array();
    json_t *container = container_of(request, &carry);

    if (secret && *secret) {
        tree_push_new(volumes, secret_volume(secret));
        mount_secret(container);
    }
    tree_push_new(containers, container);
    tree_put_new(spec, "containers", containers);
    tree_put_new(spec, "volumes", volumes);
    job_place(spec, &placing, findings);
    return spec;
}

static json_t *metadata_new(const struct maintenance_job *request)
{
    const json_t *own = metadata_of(request);
    AUTO(free)
    char *name = maintenance_job_name(request->kind, tree_text(own, "name"), request->since_s);
    json_t *metadata = json_object();

    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", tree_text(own, "namespace"));
    tree_put_new(metadata, "labels", job_labels(request->repository, "stash-maintenance"));
    tree_put_new(metadata, "ownerReferences", job_owners(API_STASH_V1ALPHA1, "Repository", own));
    return metadata;
}

static bool is_whole(const struct maintenance_job *request, struct findings *findings)
{
    const char *provider = backend_provider(backend_of(request));
    const char *secret = tree_text(backend_of(request), "storageSecretName");

    if (!tree_text(metadata_of(request), "name") || !provider)
        findings_add(findings, FINDING_ERROR, REASON_REQUIRED, "spec.backend",
                     "the Repository has no backend");
    else if (!secret || !*secret)
        findings_add(findings, FINDING_ERROR, REASON_REQUIRED, "spec.backend.storageSecretName",
                     "without a Secret there is no password of the repository");
    else if (!json_array_size(request->runs))
        findings_add(findings, FINDING_ERROR, REASON_REQUIRED, "", "there is nothing to run");
    else
        return true;
    return false;
}

json_t *maintenance_job_make(const struct maintenance_job *request, struct findings *findings)
{
    size_t before = findings_count(findings, FINDING_ERROR);

    if (!is_whole(request, findings))
        return NULL;

    AUTO(json) json_t *job = json_object();
    json_t *spec = json_object(), *template = json_object();

    tree_put_text(job, "apiVersion", "batch/v1");
    tree_put_text(job, "kind", "Job");
    tree_put_new(job, "metadata", metadata_new(request));
    tree_put_int(spec, "backoffLimit", 0);
    tree_put_text(spec, "podReplacementPolicy", "Failed");
    tree_put_int(spec, "activeDeadlineSeconds", LONGEST_S);
    tree_put_int(spec, "ttlSecondsAfterFinished", KEPT_S);
    tree_put_new(template, "metadata",
                 job_pod_metadata_new(job_labels(request->repository, "stash-maintenance"), NULL));
    tree_put_new(template, "spec", pod_spec(request, findings));
    tree_put_new(spec, "template", template);
    tree_put_new(job, "spec", spec);
    return findings_count(findings, FINDING_ERROR) > before ? NULL : TAKE(job);
}
