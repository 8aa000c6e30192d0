#include "controllers/maintenance_job.h"

#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "api/demand.h"
#include "api/keys.h"
#include "api/names.h"
#include "api/volume.h"
#include "base/limits.h"
#include "base/tree.h"
#include "controllers/drill.h"
#include "controllers/job_parts.h"
#include "controllers/job_volumes.h"
#include "mutators/container.h"

/* Seconds: pruning a large repository takes hours; who looks into what failed on a weekend comes on
 * a Monday. */
#define LONGEST_S 86400
#define KEPT_S (7 * 86400)

/* Seconds: a drill that takes longer is not one that somebody waits for. */
#define DRILL_LONGEST_S (6 * 3600)

#define NAME_BEGIN "granary-"
#define SECRET_VOLUME "granary-storage"
#define RESTORED_VOLUME "granary-restored"

/* Group of a claim to restore into, where nobody may be root. */
#define RESTORED_GROUP 65532

char *maintenance_job_name(enum maintenance_kind kind, const char *repository, int64_t since_s)
{
    AUTO(free)
    char *whole = text_format(NAME_BEGIN "%s-%s-%lld", maintenance_word(kind), repository,
                              (long long)since_s);

    return name_fit(whole, NAME_MAX_CHARS);
}

enum maintenance_kind maintenance_job_kind(const char *name)
{
    int kind = strncmp(name, NAME_BEGIN, strlen(NAME_BEGIN)) == 0 ? 0 : MAINTENANCE_KINDS;

    for (; kind < MAINTENANCE_KINDS; kind++) {
        const char *word = maintenance_word((enum maintenance_kind)kind);
        const char *rest = name + strlen(NAME_BEGIN);

        if (strncmp(rest, word, strlen(word)) == 0 && rest[strlen(word)] == '-')
            break;
    }
    return (enum maintenance_kind)kind;
}

static const json_t *metadata_of(const struct maintenance_job *request)
{
    return tree_get(request->repository, "metadata");
}

static const json_t *backend_of(const struct maintenance_job *request)
{
    return tree_at(request->repository, "spec.backend");
}

static bool is_drill(const struct maintenance_job *request)
{
    return request->kind == MAINTENANCE_VERIFY;
}

/* restic's arguments are data here: one JSON list in one argument. */
static json_t *args_of(const struct maintenance_job *request)
{
    json_t *args = json_array();
    AUTO(free) char *backend = tree_format(backend_of(request), NULL);
    const json_t *run;
    size_t i;

    tree_push_text(args, "maintain");
    job_push_flag(args, "kind", maintenance_word(request->kind));
    job_push_flag(args, "secret", MAINTENANCE_SECRET_MOUNT);
    job_push_flag(args, "backend", backend);
    job_push_flag(args, "cluster", request->cluster);
    if (!is_drill(request))
        job_push_flag(args, "dead", request->dead);
    tree_items (request->runs, i, run) {
        AUTO(free) char *vector = tree_format(run, NULL);

        job_push_flag(args, is_drill(request) ? "drill" : "run", vector);
    }
    if (is_drill(request))
        job_push_flag(args, "restored", DRILL_MOUNT);
    if (is_drill(request) && !request->claim)
        job_push_flag(args, "room", DRILL_ROOM_FLAG);
    return args;
}

/* ---- what a drill restores into, and what looks at it ---- */

static json_t *restored_volume(const struct maintenance_job *request)
{
    json_t *volume = json_object(), *source = json_object();

    tree_put_text(volume, "name", RESTORED_VOLUME);
    if (request->claim) {
        json_t *claim = json_object(), *metadata = json_object();

        tree_put_new(metadata, "labels", tree_copy(tree_at(request->claim, "metadata.labels")));
        tree_put_new(metadata, "annotations",
                     tree_copy(tree_at(request->claim, "metadata.annotations")));
        tree_put_new(claim, "metadata", metadata);
        tree_put_new(claim, "spec", tree_copy(tree_get(request->claim, "spec")));
        tree_put_new(source, "volumeClaimTemplate", claim);
        tree_put_new(volume, "ephemeral", source);
    } else {
        tree_put_text(source, "sizeLimit", DRILL_ROOM);
        tree_put_new(volume, "emptyDir", source);
    }
    return volume;
}

static json_t *restored_mounts(const char *folder)
{
    json_t *mounts = json_array();

    tree_push_new(mounts, volume_mount(RESTORED_VOLUME, DRILL_MOUNT, folder, false));
    return mounts;
}

/* As the application's container: of its user, and otherwise of the image's; no more than Pod
 * Security allows here. */
static json_t *command_context(const struct maintenance_job *request, const json_t *template)
{
    static const char *const users[] = {"runAsUser", "runAsGroup"};
    static const char *const places[] = {"spec.securityContext", "spec.containers"};
    json_t *context = container_modest_context(template ? template : json_null(), NULL);
    const json_t *first = json_array_get(tree_at(template, places[1]), 0), *value;

    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        value = tree_get(tree_get(first, "securityContext"), users[i]);
        if (!value)
            value = tree_get(tree_at(template, places[0]), users[i]);
        tree_put_new(context, users[i], tree_copy(value));
    }
    tree_put_bool(context, "readOnlyRootFilesystem", false);
    if (!request->restricted)
        json_object_del(context, "runAsNonRoot");
    return context;
}

static json_t *command_container(const struct maintenance_job *request, const json_t *command,
                                 size_t number)
{
    AUTO(free) char *name = text_format(MAINTENANCE_COMMAND "%zu", number);
    json_t *container = json_object(), *env = json_array(), *variable = json_object();

    tree_put_text(variable, "name", "GRANARY_RESTORED");
    tree_put_text(variable, "value", DRILL_MOUNT);
    tree_push_new(env, variable);
    tree_put_text(container, "name", name);
    tree_put_text(container, "image", tree_text(command, "image"));
    tree_put_text(container, "imagePullPolicy", "IfNotPresent");
    tree_put_new(container, "command", tree_copy(tree_get(command, "command")));
    tree_put_new(container, "env", env);
    tree_put_new(container, "resources", tree_copy(request->settings->agent_resources));
    tree_put_new(container, "securityContext",
                 command_context(request, tree_get(command, "template")));
    tree_put_new(container, "volumeMounts", restored_mounts(tree_text(command, "folder")));
    return container;
}

/* One after the other, the agent first: each begins when the one before it has ended well. */
static void put_containers(const struct maintenance_job *request, json_t *spec, json_t *agent)
{
    json_t *before = json_array(), *last = json_array();
    size_t count = is_drill(request) ? json_array_size(request->commands) : 0;

    tree_push_new(count ? before : last, agent);
    for (size_t i = 0; i < count; i++)
        tree_push_new(i + 1 < count ? before : last,
                      command_container(request, json_array_get(request->commands, i), i));
    if (count)
        tree_put_new(spec, "initContainers", before);
    else
        json_decref(before);
    tree_put_new(spec, "containers", last);
}

/* What pulls the application's image pulls it here too. */
static void add_pull_secrets(const struct maintenance_job *request, json_t *spec)
{
    AUTO(json) json_t *all = tree_copy(tree_get(spec, "imagePullSecrets"));
    const json_t *command, *secret;
    size_t i, k;

    if (!all)
        all = json_array();
    tree_items (request->commands, i, command)
        tree_items (tree_at(command, "template.spec.imagePullSecrets"), k, secret)
            if (tree_text(secret, "name") && tree_named_index(all, tree_text(secret, "name")) < 0)
                tree_push_new(all, tree_copy(secret));
    if (json_array_size(all))
        tree_put_new(spec, "imagePullSecrets", TAKE(all));
}

static void prepare_drill(const struct maintenance_job *request, json_t *spec, json_t *volumes)
{
    tree_push_new(volumes, restored_volume(request));
    add_pull_secrets(request, spec);
    if (request->claim && request->restricted) {
        json_t *context = json_object();

        tree_put_int(context, "fsGroup", RESTORED_GROUP);
        tree_put_new(spec, "securityContext", context);
    }
}

static json_t *container_of(const struct maintenance_job *request, const struct carry *carry)
{
    /* agents of any user may have written a local repository */
    AUTO(json) json_t *owner = job_template_unknown();
    struct making making = {.carry = carry, .settings = request->settings, .owner = owner};
    AUTO(json) json_t *mounts = is_drill(request) ? restored_mounts(NULL) : NULL;
    struct container_role role = {.name = MAINTENANCE_CONTAINER,
                                  .mounts = mounts,
                                  .writes = is_drill(request),
                                  .init = json_array_size(request->commands) > 0};
    json_t *container = container_of_job(&making, &role, args_of(request));

    if (request->kind == MAINTENANCE_WIPE) {
        AUTO(free) char *image = settings_image(request->settings, SETTINGS_IMAGE_WIPE);

        tree_put_text(container, "image", image);
    }
    return container;
}

static json_t *pod_spec(const struct maintenance_job *request, struct findings *findings)
{
    const char *secret = tree_text(backend_of(request), "storageSecretName");
    json_t *spec = job_pod_spec(NULL, request->settings->agent_pull_secrets);
    struct job_placing placing = {.claims = request->claims, .attached = request->attached};
    AUTO(carry) struct carry carry = {.local = demand_local(backend_of(request))};
    /* files of any owner are restored as they were */
    bool root = (carry.local || is_drill(request)) && !request->restricted;

    carry.file_access = root ? FILE_ACCESS_AUTO : FILE_ACCESS_FOLLOW;

    json_t *volumes = container_volumes(&carry);
    json_t *container = container_of(request, &carry);

    if (secret && *secret) {
        tree_push_new(volumes, volume_of_secret(SECRET_VOLUME, secret));
        tree_push_new(json_object_get(container, "volumeMounts"),
                      volume_mount(SECRET_VOLUME, MAINTENANCE_SECRET_MOUNT, NULL, true));
    }
    if (is_drill(request))
        prepare_drill(request, spec, volumes);
    put_containers(request, spec, container);
    tree_put_new(spec, "volumes", volumes);
    job_place(spec, &placing, findings);
    return spec;
}

/* What belongs to a Repository goes with it, but for what begins when it has gone. */
static void put_owner(json_t *metadata, const struct maintenance_job *request)
{
    const json_t *own = metadata_of(request);
    json_t *annotations;

    if (request->kind != MAINTENANCE_WIPE) {
        tree_put_new(metadata, "ownerReferences",
                     job_owners(API_STASH_V1ALPHA1, "Repository", own));
        return;
    }
    annotations = json_object();
    tree_put_text(annotations, KEY_WIPES, tree_text(own, "uid"));
    tree_put_new(metadata, "annotations", annotations);
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
    put_owner(metadata, request);
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
    else if (!json_array_size(request->runs) && request->kind != MAINTENANCE_WIPE)
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
    tree_put_int(spec, "activeDeadlineSeconds", is_drill(request) ? DRILL_LONGEST_S : LONGEST_S);
    tree_put_int(spec, "ttlSecondsAfterFinished", KEPT_S);
    tree_put_new(template, "metadata",
                 job_pod_metadata_new(job_labels(request->repository, "stash-maintenance"), NULL));
    tree_put_new(template, "spec", pod_spec(request, findings));
    tree_put_new(spec, "template", template);
    tree_put_new(job, "spec", spec);
    return findings_count(findings, FINDING_ERROR) > before ? NULL : TAKE(job);
}
