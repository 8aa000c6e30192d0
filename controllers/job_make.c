#include "controllers/job_make.h"

#include <stdlib.h>
#include <string.h>

#include "api/demand.h"
#include "api/dump_command.h"
#include "api/keys.h"
#include "api/names.h"
#include "api/pod.h"
#include "api/target.h"
#include "api/task.h"
#include "api/task_variables.h"
#include "api/volume.h"
#include "base/limits.h"
#include "base/tree.h"
#include "controllers/job_app.h"
#include "controllers/job_parts.h"
#include "controllers/job_volumes.h"
#include "controllers/session_make.h"
#include "mutators/container.h"

/* Seconds that a Job may live longer than its session: its agent ends restic and reports. And how
 * long a finished one stays to be looked at. */
#define DEADLINE_GRACE_S 300
#define KEPT_S 3600

/* As whom the Functions of an application run, where nobody says otherwise: nobody's user, as in
 * Stash. */
#define APP_USER 65535

/* Everything on the way. */
struct making_job {
    const struct job_request *request;
    const json_t *spec; /* of the invoker */
    enum target_class class;
    const json_t *owner;     /* template whose files are meant */
    struct job_app app;      /* of a Task's steps */
    json_t *unknown;         /* such a one that says nothing */
    struct job_volumes data; /* of a built-in step */
    struct task_made task;
    bool has_task;
    struct carry carry;
    json_t *variables;
    json_t *claims; /* of volumeClaimTemplates; NULL: none */
    json_t *made;   /* all claims that are made with the Job */
    struct findings *findings;
};

static void making_job_done(struct making_job *making)
{
    job_volumes_done(&making->data);
    task_made_done(&making->task);
    job_app_done(&making->app);
    carry_done(&making->carry);
    json_decref(making->variables);
    json_decref(making->unknown);
    json_decref(making->claims);
    json_decref(making->made);
}

static inline void auto_making_job(struct making_job *making)
{
    making_job_done(making);
}

static void fail(struct making_job *making, const char *reason, const char *field,
                 const char *message)
{
    findings_add(making->findings, FINDING_ERROR, reason, field, "%s", message);
}

/* ---- which Task ---- */

static const json_t *object_named(const json_t *objects, const char *name)
{
    const json_t *object;
    size_t i;

    tree_items (objects, i, object) {
        const char *own = tree_text(tree_get(object, "metadata"), "name");

        if (own && !strcmp(own, name))
            return object;
    }
    return NULL;
}

/* Those of Stash run programs that are not in our image; what they do is one step of ours. A Task
 * of that name that came with granary is resolved, so that people may change it. */
static bool is_built_in(const struct making_job *making, const char *name)
{
    const char *own = making->request->restore ? "pvc-restore" : "pvc-backup";
    const json_t *task = object_named(making->request->tasks, name);
    const json_t *labels = tree_at(task, "metadata.labels");

    return making->class == TARGET_CLAIM && !strcmp(name, own) &&
           !span_is(tree_span(labels, "app.kubernetes.io/name"), "granary");
}

/* The Task of that name, or one of a version that can do the same. */
static const json_t *find_task(struct making_job *making, const char *name)
{
    const json_t *task = object_named(making->request->tasks, name);
    const char *nearest = task ? NULL : task_nearest(name, making->request->tasks);

    if (!nearest && !task)
        findings_add(making->findings, FINDING_ERROR, REASON_NOT_FOUND, "spec.task.name",
                     "there is no Task %s, and none of another version that could take its place",
                     name);
    if (nearest)
        findings_add(making->findings, FINDING_WARNING, REASON_NOT_FOUND, "spec.task.name",
                     "there is no Task %s: %s does its work", name, nearest);
    return nearest ? object_named(making->request->tasks, nearest) : task;
}

static const json_t *app_of(const struct making_job *making)
{
    return making->class == TARGET_APP ? making->request->target : NULL;
}

/* Its Secrets are mounted where the Job runs. */
static bool settle_app(struct making_job *making)
{
    const char *here = tree_text(tree_get(making->request->session, "metadata"), "namespace");
    struct error err;

    if (job_app_make(&making->app, making->request->target, making->request->sets, here, &err))
        return true;
    fail(making, REASON_INVALID, "spec.target.ref", err.message);
    return false;
}

static bool resolve_task(struct making_job *making, const char *name)
{
    const json_t *task = find_task(making, name);
    AUTO(json)
    json_t *params = task_params(making->spec ? making->request->invoker : NULL, app_of(making),
                                 making->request->restore);
    struct task_request request = {task, making->request->functions, making->variables, params};

    making->has_task = true;
    if (app_of(making) && task && !settle_app(making))
        return false;
    return task && task_resolve(&request, &making->task, making->findings);
}

static bool settle_task(struct making_job *making)
{
    const struct job_request *request = making->request;
    struct error err = {0};
    AUTO(free)
    char *name =
        task_name(request->invoker, app_of(making), request->restore, making->variables, &err);

    if (!name) {
        fail(making, REASON_INVALID, "spec.task.name", err.message);
        return false;
    }
    if (*name && !is_built_in(making, name))
        return resolve_task(making, name);
    if (making->class == TARGET_APP)
        fail(making, REASON_REQUIRED, "spec.task.name",
             "neither the session's configuration nor the AppBinding names a Task");
    return making->class != TARGET_APP;
}

/* ---- containers ---- */

static bool is_agent(const struct making_job *making, const json_t *container)
{
    return span_is(tree_span(container, "image"), making->request->settings->agent_image);
}

static bool has_image(const struct making_job *making, const json_t *container,
                      enum settings_image which)
{
    AUTO(free) char *image = settings_image(making->request->settings, which);

    return span_is(tree_span(container, "image"), image);
}

static bool is_etcd(const struct making_job *making, const json_t *container)
{
    return has_image(making, container, SETTINGS_IMAGE_ETCD);
}

/* It claims its work and runs restic, like the agent, and the tools of a database. */
static bool is_database(const struct making_job *making, const json_t *container)
{
    return has_image(making, container, SETTINGS_IMAGE_POSTGRES) ||
           has_image(making, container, SETTINGS_IMAGE_MARIADB) ||
           has_image(making, container, SETTINGS_IMAGE_REDIS);
}

/* What is needed to reach the application. One image may be all of ours. */
static bool takes_app(const struct making_job *making, const json_t *function)
{
    const char *word = json_string_value(json_array_get(tree_get(function, "args"), 0));

    return !is_agent(making, function) || (word && strncmp(word, "database-", 9) == 0);
}

static void overlay(json_t *settings, const char *key, const json_t *theirs)
{
    struct error ignored;
    json_t *own = tree_object(settings, key, &ignored);
    const json_t *value = tree_get(theirs, key), *member;
    const char *name;

    tree_each (value, name, member)
        tree_put_new(own, name, tree_copy(member));
}

static void overlay_resources(json_t *settings, const json_t *theirs)
{
    struct error ignored;
    json_t *own = tree_object(settings, "resources", &ignored);

    overlay(own, "requests", tree_get(theirs, "resources"));
    overlay(own, "limits", tree_get(theirs, "resources"));
}

static void append(json_t *settings, const char *key, const json_t *theirs)
{
    struct error ignored;
    json_t *own = tree_list(settings, key, &ignored);
    const json_t *item;
    size_t i;

    tree_items (tree_get(theirs, key), i, item)
        tree_push_new(own, tree_copy(item));
}

static void add_settings(json_t *settings, const json_t *theirs)
{
    static const char *const whole[] = {"livenessProbe", "readinessProbe", "lifecycle", NULL};

    overlay(settings, "securityContext", theirs);
    overlay_resources(settings, theirs);
    append(settings, "env", theirs);
    append(settings, "envFrom", theirs);
    job_put_chosen(settings, theirs, whole);
}

/* runtimeSettings.container, over those of a Function. */
static json_t *settings_of(const struct making_job *making, const json_t *function)
{
    json_t *settings = json_object();

    if (making->class == TARGET_APP && making->carry.file_access != FILE_ACCESS_ROOT) {
        json_t *context = json_object();

        tree_put_int(context, "runAsUser", APP_USER);
        tree_put_int(context, "runAsGroup", APP_USER);
        tree_put_new(settings, "securityContext", context);
    }
    add_settings(settings, function);
    add_settings(settings, tree_at(making->spec, "runtimeSettings.container"));
    if (!json_array_size(tree_get(settings, "envFrom")))
        json_object_del(settings, "envFrom");
    return settings;
}

/* What a program of somebody else's does not get: our identity, the storage; and it may write
 * outside of its mounts, as it does elsewhere. */
static void make_foreign(json_t *made, const json_t *settings)
{
    json_t *mounts = json_object_get(made, "volumeMounts");
    static const char *const ours[] = {VOLUME_IDENTITY, VOLUME_LOCAL};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        long index = tree_named_index(mounts, ours[i]);

        if (index >= 0)
            json_array_remove(mounts, (size_t)index);
    }
    if (!tree_get(tree_get(settings, "securityContext"), "readOnlyRootFilesystem"))
        json_object_del(json_object_get(made, "securityContext"), "readOnlyRootFilesystem");
    tree_put_text(made, "imagePullPolicy", "IfNotPresent");
}

static bool wants_interim(const struct making_job *making)
{
    return tree_member(making->spec, "interimVolumeTemplate", JSON_OBJECT) != NULL;
}

static struct making base_of(const struct making_job *making)
{
    return (struct making){
        .carry = &making->carry, .settings = making->request->settings, .owner = making->owner};
}

/* A Function's container, dressed like one of ours. */
static json_t *dressed(const struct making_job *making, const json_t *function, bool last)
{
    static const char *const own[] = {"image", "command",       "args", "workingDir",
                                      "ports", "volumeDevices", NULL};
    AUTO(json) json_t *settings = settings_of(making, function);
    struct making base = base_of(making);
    struct container_role role = {.name = tree_text(function, "name"),
                                  .owner_mounts = making->data.owner_mounts,
                                  .settings = settings,
                                  .writes = making->request->restore,
                                  .init = !last};
    json_t *made = container_of_job(&base, &role, json_array());

    json_object_del(made, "args");
    job_put_chosen(made, function, own);
    append(made, "volumeMounts", function);
    if (!is_agent(making, function) && !is_database(making, function))
        make_foreign(made, settings);
    if (takes_app(making, function))
        job_app_put(&making->app, made);
    if (is_etcd(making, function) || is_database(making, function))
        tree_put_text(made, "imagePullPolicy", making->request->settings->agent_image_pull_policy);
    if (wants_interim(making))
        tree_push_new(json_object_get(made, "volumeMounts"),
                      volume_mount(JOB_INTERIM_VOLUME, TASK_INTERIM_MOUNT, NULL, false));
    return made;
}

/* One step of ours, which claims its work like a sidecar. */
static json_t *built_in(const struct making_job *making)
{
    AUTO(json) json_t *settings = settings_of(making, NULL);
    struct making base = base_of(making);
    struct container_role role = {.name = CONTAINER_SIDECAR,
                                  .mounts = making->data.mounts,
                                  .owner_mounts = making->data.owner_mounts,
                                  .settings = settings,
                                  .writes = making->request->restore};
    json_t *args = json_array();

    tree_push_text(args, "step");
    return container_of_job(&base, &role, args);
}

static void put_containers(const struct making_job *making, json_t *spec)
{
    json_t *first = json_array(), *main = json_array();
    size_t count = json_array_size(making->task.containers);

    for (size_t i = 0; i < count; i++)
        tree_push_new(i + 1 < count ? first : main,
                      dressed(making, json_array_get(making->task.containers, i), i + 1 == count));
    if (!making->has_task)
        tree_push_new(main, built_in(making));
    if (json_array_size(first))
        tree_put_new(spec, "initContainers", first);
    else
        json_decref(first);
    tree_put_new(spec, "containers", main);
}

/* ---- the pod ---- */

static char *interim_name(const struct making_job *making)
{
    const char *own = tree_text(tree_at(making->spec, "interimVolumeTemplate.metadata"), "name");
    const char *session = tree_text(tree_get(making->request->session, "metadata"), "name");
    AUTO(free) char *whole = text_format("%s-%s", session, own && *own ? own : JOB_INTERIM_VOLUME);

    return name_fit(whole, NAME_MAX_CHARS);
}

/* A Task's volume under a name of ours would be mounted in its place. */
static void add_task_volumes(struct making_job *making, json_t *volumes)
{
    const json_t *volume;
    size_t i;

    tree_items (making->task.volumes, i, volume) {
        const char *name = tree_text(volume, "name");

        if (name && tree_named(volumes, name))
            findings_add(making->findings, FINDING_ERROR, REASON_DUPLICATE, "spec.volumes",
                         "the Task has a volume %s, which is a name of granary's own", name);
        else
            tree_push_new(volumes, tree_copy(volume));
    }
}

static json_t *volumes_of(struct making_job *making)
{
    json_t *volumes = container_volumes(&making->carry);
    const json_t *volume;
    size_t i;

    if (wants_interim(making)) {
        AUTO(free) char *claim = interim_name(making);

        tree_push_new(volumes, volume_of_claim(JOB_INTERIM_VOLUME, claim));
    }
    add_task_volumes(making, volumes);
    tree_items (making->app.volumes, i, volume)
        tree_push_new(volumes, tree_copy(volume));
    if (!making->has_task)
        tree_items (making->data.volumes, i, volume)
            tree_push_new(volumes, tree_copy(volume));
    return volumes;
}

/* Whose files they are is not only a matter of UIDs: without the owner's labels and groups a
 * kubelet would relabel or regroup the volume. */
static void put_owners_context(const struct making_job *making, json_t *spec)
{
    static const char *const keys[] = {"fsGroup", "fsGroupChangePolicy", "supplementalGroups",
                                       "seLinuxOptions"};
    const json_t *theirs = tree_at(making->owner, "spec.securityContext");
    struct error ignored;
    json_t *context;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!tree_get(theirs, keys[i]))
            continue;
        context = tree_object(spec, "securityContext", &ignored);
        if (context && !tree_get(context, keys[i]))
            tree_put_new(context, keys[i], tree_copy(tree_get(theirs, keys[i])));
    }
}

static void put_account(struct making_job *making, const json_t *chosen, json_t *spec)
{
    const char *account = tree_text(chosen, "serviceAccountName");
    const json_t *mounted = tree_get(chosen, "automountServiceAccountToken");

    if (account && *account && !making->request->account_allowed)
        findings_add(making->findings, FINDING_ERROR, REASON_FORBIDDEN,
                     "spec.runtimeSettings.pod.serviceAccountName",
                     "who wrote this may not create pods, so he may not choose their "
                     "ServiceAccount");
    /* a Function that was given an account is there to use it */
    if (account && *account && making->has_task && !json_is_false(mounted))
        tree_put_bool(spec, "automountServiceAccountToken", true);
}

static void put_tolerations(const struct making_job *making, json_t *spec)
{
    if (!tree_get(spec, "tolerations"))
        tree_put_new(spec, "tolerations", tree_copy(tree_at(making->owner, "spec.tolerations")));
}

static json_t *pod_spec(struct making_job *making)
{
    const struct job_request *request = making->request;
    const json_t *chosen = tree_at(making->spec, "runtimeSettings.pod");
    json_t *spec = job_pod_spec(chosen, request->settings->agent_pull_secrets);
    struct job_placing placing = {.claims = request->claims,
                                  .attached = request->attached,
                                  .made = making->made,
                                  .node = request->node};

    put_account(making, chosen, spec);
    put_owners_context(making, spec);
    put_tolerations(making, spec);
    tree_put_new(spec, "volumes", volumes_of(making));
    put_containers(making, spec);
    job_place(spec, &placing, making->findings);
    return spec;
}

/* ---- the objects ---- */

char *job_name(bool restore, const char *session, int64_t ordinal)
{
    AUTO(text) struct text whole = {0};

    text_addf(&whole, "stash-%s-%s-0", restore ? "restore" : "backup", session);
    if (ordinal >= 0)
        text_addf(&whole, "-%lld", (long long)ordinal);
    return name_fit(text_get(&whole), NAME_MAX_CHARS);
}

/* Those of sessions and their Jobs, and what the Jobs and pods of one session are found by. */
static json_t *labels_of(const struct job_request *request)
{
    json_t *labels = session_labels(request->invoker, request->restore);

    tree_put_text(labels, LABEL_SESSION, tree_text(tree_get(request->session, "metadata"), "uid"));
    return labels;
}

static json_t *metadata_of(const struct making_job *making, const char *name)
{
    const struct job_request *request = making->request;
    const json_t *session = tree_get(request->session, "metadata");
    const char *kind = request->restore ? "RestoreSession" : "BackupSession";
    json_t *metadata = json_object();

    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", tree_text(session, "namespace"));
    tree_put_new(metadata, "labels", labels_of(request));
    tree_put_new(metadata, "ownerReferences", job_owners(API_STASH_V1BETA1, kind, session));
    return metadata;
}

static void put_missing(json_t *labels, const json_t *theirs)
{
    const char *key;
    const json_t *value;

    tree_each (theirs, key, value)
        if (!tree_get(labels, key))
            tree_put_new(labels, key, tree_copy(value));
}

static json_t *interim_of(const struct making_job *making)
{
    const json_t *template = tree_member(making->spec, "interimVolumeTemplate", JSON_OBJECT);
    AUTO(free) char *name = interim_name(making);
    json_t *claim = json_object(), *metadata = metadata_of(making, name);

    tree_put_text(claim, "apiVersion", "v1");
    tree_put_text(claim, "kind", "PersistentVolumeClaim");
    put_missing(json_object_get(metadata, "labels"), tree_at(template, "metadata.labels"));
    tree_put_new(
        metadata, "annotations",
        tree_copy(tree_member(tree_get(template, "metadata"), "annotations", JSON_OBJECT)));
    tree_put_new(claim, "metadata", metadata);
    tree_put_new(claim, "spec", tree_copy(tree_get(template, "spec")));
    return claim;
}

static json_t *job_of(struct making_job *making)
{
    const struct job_request *request = making->request;
    const char *session = tree_text(tree_get(request->session, "metadata"), "name");
    AUTO(free) char *name = job_name(request->restore, session, request->ordinal);
    json_t *job = json_object(), *spec = json_object(), *template = json_object();

    tree_put_text(job, "apiVersion", "batch/v1");
    tree_put_text(job, "kind", "Job");
    tree_put_new(job, "metadata", metadata_of(making, name));
    tree_put_int(spec, "backoffLimit", 0);
    tree_put_text(spec, "podReplacementPolicy", "Failed");
    tree_put_int(spec, "ttlSecondsAfterFinished", KEPT_S);
    if (request->deadline_s > 0)
        tree_put_int(spec, "activeDeadlineSeconds", request->deadline_s + DEADLINE_GRACE_S);
    tree_put_new(
        template, "metadata",
        job_pod_metadata_new(labels_of(request), tree_at(making->spec, "runtimeSettings.pod")));
    tree_put_new(template, "spec", pod_spec(making));
    tree_put_new(spec, "template", template);
    tree_put_new(job, "spec", spec);
    return job;
}

/* ---- what it is about ---- */

/* Whose files they are: of the workload's template, or of a pod that mounts the claim. */
static const json_t *owner_of(const struct making_job *making)
{
    const json_t *owner = NULL;

    if (making->class == TARGET_WORKLOAD)
        owner = tree_at(making->request->target, "spec.template");
    else if (making->class == TARGET_CLAIM)
        owner = making->request->neighbour;
    return owner ? owner : making->unknown;
}

static void settle_carry(struct making_job *making)
{
    const json_t *backend = tree_at(making->request->repository, "spec.backend");

    making->carry.temp_dir = tree_copy(tree_get(making->spec, "tempDir"));
    making->carry.local = demand_local(backend);
    making->carry.file_access = demand_file_access(making->spec);
    if (making->request->restricted && making->carry.file_access != FILE_ACCESS_FOLLOW) {
        findings_add(making->findings, FINDING_WARNING, REASON_FORBIDDEN, "spec.fileAccess",
                     "the namespace allows no root, so files that others may not read can not be "
                     "backed up");
        making->carry.file_access = FILE_ACCESS_FOLLOW;
    }
}

/* A claim can only be mounted where it is. */
static bool local_is_here(struct making_job *making)
{
    const json_t *claim = tree_at(making->carry.local, "volume.persistentVolumeClaim");
    const char *here = tree_text(tree_get(making->request->session, "metadata"), "namespace");
    const char *there = tree_text(tree_get(making->request->repository, "metadata"), "namespace");

    if (!claim || !here || !there || !strcmp(here, there))
        return true;
    findings_add(making->findings, FINDING_ERROR, REASON_INVALID, "spec.repository",
                 "the claim of its local backend is in namespace %s, where this Job is not", there);
    return false;
}

/* A restore into claims of its own: there is no target yet. */
static bool has_templates(const struct making_job *making)
{
    const json_t *templates = tree_at(making->spec, "target.volumeClaimTemplates");

    return making->request->restore && json_array_size(templates) > 0;
}

static bool is_whole(struct making_job *making)
{
    const struct job_request *request = making->request;
    const struct target_kind *kind = target_kind_in(tree_at(request->invoker, "spec.target.ref"));
    const json_t *session = tree_get(request->session, "metadata");

    if (!kind && !has_templates(making)) {
        fail(making, REASON_NOT_SUPPORTED, "spec.target.ref", "is no kind that granary backs up");
        return false;
    }
    making->class = kind && !has_templates(making) ? kind->class : TARGET_CLAIM;
    if (!tree_text(session, "name") || !tree_text(session, "uid")) {
        fail(making, REASON_REQUIRED, "metadata", "the session has no name or UID");
        return false;
    }
    if (!request->target && making->class != TARGET_CLAIM) {
        fail(making, REASON_NOT_FOUND, "spec.target.ref", "the target is not there");
        return false;
    }
    return true;
}

/* Those that need not be there before. */
static bool settle_claims(struct making_job *making)
{
    making->made = json_array();
    if (has_templates(making)) {
        making->claims =
            job_claims_make(making->request->invoker, making->request->ordinal, making->findings);
        if (making->claims)
            json_array_extend(making->made, making->claims);
    }
    if (wants_interim(making))
        tree_push_new(making->made, interim_of(making));
    return making->claims || !has_templates(making);
}

static bool settle(struct making_job *making)
{
    const struct job_request *request = making->request;
    struct task_run run = {.restore = request->restore,
                           .invoker = request->invoker,
                           .session = request->session,
                           .repository = request->repository,
                           .target = request->target,
                           .host = request->host,
                           .settings = request->settings};
    struct job_data data = {.invoker = request->invoker,
                            .target = request->target,
                            .neighbour = request->neighbour,
                            .class = making->class,
                            .ordinal = request->ordinal};

    if (!settle_claims(making))
        return false;
    data.claims = making->claims;
    making->unknown = job_template_unknown();
    making->owner = owner_of(making);
    making->variables = task_variables(&run);
    settle_carry(making);
    /* not either or: all that is wrong is said at once */
    bool placed = local_is_here(making);
    bool task = settle_task(making);

    /* what a command writes comes to it: it mounts nothing of the workload's */
    bool no_data = making->has_task || (!request->restore && dump_command_is_of(request->invoker));

    return (making->has_task && making->class == TARGET_APP
                ? true
                : job_volumes_make(&making->data, &data, no_data, making->findings)) &&
           task && placed;
}

bool job_make(const struct job_request *request, struct job_made *made, struct findings *findings)
{
    AUTO(making_job)
    struct making_job making = {
        .request = request, .spec = tree_get(request->invoker, "spec"), .findings = findings};
    size_t before = findings_count(findings, FINDING_ERROR);

    if (!is_whole(&making) || !settle(&making))
        return false;

    AUTO(json) json_t *job = job_of(&making);

    if (findings_count(findings, FINDING_ERROR) > before)
        return false;
    made->job = TAKE(job);
    made->interim = wants_interim(&making) ? interim_of(&making) : NULL;
    made->claims = TAKE(making.claims);
    return true;
}

void job_made_done(struct job_made *made)
{
    json_decref(made->job);
    json_decref(made->interim);
    json_decref(made->claims);
    *made = (struct job_made){0};
}
