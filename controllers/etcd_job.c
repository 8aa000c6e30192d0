#include "controllers/etcd_job.h"

#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "api/demand.h"
#include "api/keys.h"
#include "api/names.h"
#include "api/volume.h"
#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/job_parts.h"
#include "controllers/maintenance_job.h"
#include "controllers/session_make.h"
#include "kube/meta.h"
#include "mutators/container.h"

/* Seconds: what takes longer is not waited for, etcd is down meanwhile. */
#define LONGEST_S 7200
#define KEPT_S (7 * 86400)

/* Seconds until members are healthy, unless somebody says otherwise; and for the pod to begin. */
#define HEALTH_S 900
#define BEGIN_S 300

/* Pods that may be killed or evicted: the next one goes on. What the agent itself refuses counts
 * at once. */
#define TRIES 4

/* A pod that was deleted without grace, by its own terminationGracePeriodSeconds: 0 or by a person,
 * is gone from the API before its processes are; those of a node that hangs take longer. */
#define STOPPED "300s"

#define DATA_VOLUME "data"
#define SECRET_VOLUME "granary-storage"
#define DUMP MOUNT_SCRATCH "/dump"
#define RESULT "/dev/termination-log"

/* Of our images. */
#define NOBODY 65532

static bool fetches(const struct etcd_job_request *request)
{
    return request->kind == ETCD_JOB_PROVE || request->kind == ETCD_JOB_RESTORE;
}

static bool writes(const struct etcd_job_request *request)
{
    return request->kind == ETCD_JOB_RESTORE || request->kind == ETCD_JOB_UNDO;
}

char *etcd_job_name(enum etcd_job_kind kind, size_t member, const json_t *session)
{
    static const char *const words[] = {"prove", "restore", "undo", "health"};
    const char *uid = meta(session, "uid");
    bool many = kind == ETCD_JOB_RESTORE || kind == ETCD_JOB_UNDO;
    AUTO(free) char *number = many ? text_format("-%zu", member) : text_dup("", 0);
    AUTO(free)
    char *whole = text_format("granary-etcd-%s%s-%.13s-%s", words[kind], number, uid ? uid : "",
                              meta(session, "name") ? meta(session, "name") : "");

    return name_fit(whole, NAME_MAX_CHARS);
}

/* ---- words ---- */

static json_t *fetch_args(const struct etcd_job_request *request)
{
    json_t *args = json_array();
    AUTO(json) json_t *what = json_object();
    AUTO(free)
    char *backend = tree_format(tree_at(request->repository, "spec.backend"), NULL);

    tree_put_text(what, "snapshot", request->snapshot);
    tree_put_text(what, "host", request->host);

    AUTO(free) char *asked = tree_format(what, NULL);

    tree_push_text(args, "maintain");
    job_push_flag(args, "kind", "etcd");
    job_push_flag(args, "secret", MAINTENANCE_SECRET_MOUNT);
    job_push_flag(args, "backend", backend);
    job_push_flag(args, "fetch", asked);
    job_push_flag(args, "restored", DUMP);
    return args;
}

static void push_member(const struct etcd_job_request *request, json_t *args)
{
    const struct etcd_plan_member *member = &request->plan->members[request->member];

    job_push_flag(args, "data-dir", member->data_dir);
    job_push_flag(args, "session", meta(request->session, "uid"));
    job_push_flag(args, "wait-stopped", STOPPED);
    if (request->kind == ETCD_JOB_UNDO) {
        tree_push_text(args, "--rollback");
        return;
    }
    job_push_flag(args, "name", member->name);
    job_push_flag(args, "initial-cluster", request->plan->initial_cluster);
    job_push_flag(args, "initial-cluster-token", request->plan->token);
    job_push_flag(args, "bump-revision", request->asked->bump);
    job_push_flag(args, "keep", request->asked->keep);
}

static void push_wait(const struct etcd_job_request *request, json_t *args)
{
    AUTO(free) char *members = text_format("%zu", request->plan->count);
    AUTO(free) char *revision = text_format("%lld", (long long)request->revision);
    AUTO(free) char *seconds = text_format("%d", HEALTH_S);

    job_push_flag(args, "members", members);
    job_push_flag(args, "revision", revision);
    job_push_flag(args, "wait-timeout", request->asked->wait ? request->asked->wait : seconds);
}

static json_t *args_of(const struct etcd_job_request *request)
{
    json_t *args = json_array();
    bool asks = request->kind == ETCD_JOB_HEALTH;

    tree_push_text(args, asks ? "etcd-wait" : "etcd-restore");
    job_push_flag(args, "tools", MOUNT_ETCD_TOOLS);
    job_push_flag(args, "result", RESULT);
    if (asks) {
        push_wait(request, args);
        return args;
    }
    job_push_flag(args, "scratch", MOUNT_SCRATCH);
    if (fetches(request))
        job_push_flag(args, "fetched", DUMP);
    if (fetches(request) && request->plan)
        job_push_flag(args, "etcd-version", request->plan->version);
    if (request->kind == ETCD_JOB_PROVE)
        tree_push_text(args, "--prove");
    else
        push_member(request, args);
    return args;
}

/* ---- containers ---- */

static bool is_local(const struct etcd_job_request *request)
{
    const char *provider = backend_provider(tree_at(request->repository, "spec.backend"));

    return provider && strcmp(provider, "local") == 0;
}

/* A proof is of nobody's data. */
static int64_t user_of(const struct etcd_job_request *request)
{
    return request->plan ? request->plan->user : NOBODY;
}

static json_t *context_of(const struct etcd_job_request *request, int64_t user)
{
    static const char *const for_root[] = {"CHOWN", "DAC_OVERRIDE", "FOWNER"};
    json_t *context = json_object(), *capabilities = json_object(), *drop = json_array();
    json_t *seccomp = json_object();
    const json_t *own =
        request->plan ? tree_get(request->plan->container, "securityContext") : NULL;
    const json_t *group = tree_get(own, "runAsGroup");

    if (!group && request->plan) /* for a pod containerd takes none without a user */
        group = tree_get(tree_get(request->plan->pod, "securityContext"), "runAsGroup");
    tree_push_text(drop, "ALL");
    tree_put_new(capabilities, "drop", drop);
    if (user == 0) {
        json_t *add = json_array();

        for (size_t i = 0; i < sizeof for_root / sizeof *for_root; i++)
            tree_push_text(add, for_root[i]);
        tree_put_new(capabilities, "add", add);
    }
    tree_put_text(seccomp, "type", "RuntimeDefault");
    tree_put_int(context, "runAsUser", user);
    tree_put_new(context, "runAsGroup", tree_copy(user && user == user_of(request) ? group : NULL));
    tree_put_bool(context, "runAsNonRoot", user != 0);
    tree_put_bool(context, "allowPrivilegeEscalation", false);
    tree_put_new(context, "seLinuxOptions", tree_copy(tree_get(own, "seLinuxOptions")));
    tree_put_new(context, "capabilities", capabilities);
    tree_put_new(context, "seccompProfile", seccomp);
    return context;
}

/* Agents of any user may have written a local repository; what is fetched can be read by all in the
 * pod. */
static json_t *fetcher(const struct etcd_job_request *request, const struct carry *carry)
{
    AUTO(json) json_t *owner = job_template_unknown();
    AUTO(json) json_t *none = json_array();
    struct making making = {.carry = carry, .settings = request->settings, .owner = owner};
    struct container_role role = {.name = "fetch", .mounts = none, .init = true};
    json_t *made = container_of_job(&making, &role, fetch_args(request));
    struct error ignored;

    tree_push_new(tree_list(made, "volumeMounts", &ignored),
                  volume_mount(SECRET_VOLUME, MAINTENANCE_SECRET_MOUNT, NULL, false));
    tree_put_new(made, "securityContext",
                 context_of(request, is_local(request) ? 0 : user_of(request)));
    return made;
}

static json_t *worker(const struct etcd_job_request *request)
{
    AUTO(free) char *image = settings_image(request->settings, SETTINGS_IMAGE_ETCD);
    json_t *made = json_object(), *mounts = json_array();

    tree_put_text(made, "name", ETCD_JOB_CONTAINER);
    tree_put_text(made, "image", image);
    tree_put_text(made, "imagePullPolicy", request->settings->agent_image_pull_policy);
    tree_put_new(made, "args", args_of(request));
    tree_put_new(made, "resources", tree_copy(request->settings->agent_resources));
    tree_push_new(mounts, volume_mount(VOLUME_SCRATCH, MOUNT_SCRATCH, NULL, false));
    if (writes(request)) {
        const struct etcd_plan_member *member = &request->plan->members[request->member];

        tree_push_new(mounts,
                      volume_mount(DATA_VOLUME, member->mount_path, member->sub_path, false));
    }
    tree_put_new(made, "volumeMounts", mounts);
    tree_put_new(made, "securityContext", context_of(request, user_of(request)));
    if (request->kind == ETCD_JOB_HEALTH)
        job_app_put(request->app, made);
    return made;
}

/* ---- the pod ---- */

static json_t *volumes_of(const struct etcd_job_request *request, const struct carry *carry)
{
    json_t *volumes = container_volumes(carry);
    const json_t *volume;
    size_t i;

    if (fetches(request))
        tree_push_new(
            volumes,
            volume_of_secret(SECRET_VOLUME, tree_text(tree_at(request->repository, "spec.backend"),
                                                      "storageSecretName")));
    if (writes(request))
        tree_push_new(volumes,
                      volume_of_claim(DATA_VOLUME, request->plan->members[request->member].claim));
    if (request->kind == ETCD_JOB_HEALTH)
        tree_items (request->app->volumes, i, volume)
            tree_push_new(volumes, tree_copy(volume));
    return volumes;
}

/* Where pods of etcd may be, the Jobs on their volumes may be. */
static json_t *chosen_of(const struct etcd_job_request *request)
{
    static const char *const keys[] = {"nodeSelector",      "tolerations",      "schedulerName",
                                       "priorityClassName", "imagePullSecrets", NULL};
    static const char *const groups[] = {"fsGroup", "fsGroupChangePolicy", "seLinuxOptions",
                                         "supplementalGroups", NULL};
    json_t *chosen = json_object(), *context = json_object();

    if (request->plan) {
        job_put_chosen(chosen, request->plan->pod, keys);
        job_put_chosen(context, tree_get(request->plan->pod, "securityContext"), groups);
    }
    tree_put_new(chosen, "securityContext", context);
    return chosen;
}

static json_t *pod_spec(const struct etcd_job_request *request)
{
    AUTO(json) json_t *chosen = chosen_of(request);
    AUTO(carry)
    struct carry carry = {.local = fetches(request)
                                       ? demand_local(tree_at(request->repository, "spec.backend"))
                                       : NULL,
                          .file_access = FILE_ACCESS_FOLLOW};
    json_t *spec = job_pod_spec(chosen, request->settings->agent_pull_secrets);
    json_t *containers = json_array();

    if (fetches(request)) {
        json_t *first = json_array();

        tree_push_new(first, fetcher(request, &carry));
        tree_put_new(spec, "initContainers", first);
    }
    tree_push_new(containers, worker(request));
    tree_put_new(spec, "containers", containers);
    tree_put_new(spec, "volumes", volumes_of(request, &carry));
    return spec;
}

/* ---- the Job ---- */

static json_t *labels_of(const struct etcd_job_request *request)
{
    json_t *labels = session_labels(request->session, true);

    tree_put_text(labels, LABEL_SESSION, meta(request->session, "uid"));
    return labels;
}

/* What the agent says itself is final; a pod that is taken away costs nothing. */
static json_t *failure_policy(void)
{
    json_t *policy = json_object(), *rules = json_array(), *said = json_object();
    json_t *codes = json_object(), *values = json_array();
    json_t *taken = json_object(), *conditions = json_array(), *condition = json_object();

    json_array_append_new(values, json_integer(1));
    json_array_append_new(values, json_integer(2));
    tree_put_text(codes, "operator", "In");
    tree_put_new(codes, "values", values);
    tree_put_text(said, "action", "FailJob");
    tree_put_new(said, "onExitCodes", codes);
    tree_push_new(rules, said);
    tree_put_text(condition, "type", "DisruptionTarget");
    tree_put_text(condition, "status", "True");
    tree_push_new(conditions, condition);
    tree_put_text(taken, "action", "Ignore");
    tree_put_new(taken, "onPodConditions", conditions);
    tree_push_new(rules, taken);
    tree_put_new(policy, "rules", rules);
    return policy;
}

static int64_t longest_s(const struct etcd_job_request *request)
{
    int64_t wait_s =
        request->asked && request->asked->wait ? strtoll(request->asked->wait, NULL, 10) : HEALTH_S;

    return request->kind == ETCD_JOB_HEALTH ? wait_s + BEGIN_S : LONGEST_S;
}

json_t *etcd_job_make(const struct etcd_job_request *request)
{
    AUTO(free) char *name = etcd_job_name(request->kind, request->member, request->session);
    json_t *job = json_object(), *metadata = json_object(), *spec = json_object();
    json_t *template = json_object();

    tree_put_text(job, "apiVersion", "batch/v1");
    tree_put_text(job, "kind", "Job");
    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", meta(request->session, "namespace"));
    tree_put_new(metadata, "labels", labels_of(request));
    tree_put_new(
        metadata, "ownerReferences",
        job_owners(API_STASH_V1BETA1, "RestoreSession", tree_get(request->session, "metadata")));
    tree_put_new(job, "metadata", metadata);
    tree_put_int(spec, "backoffLimit", TRIES);
    tree_put_text(spec, "podReplacementPolicy", "Failed");
    tree_put_new(spec, "podFailurePolicy", failure_policy());
    tree_put_int(spec, "activeDeadlineSeconds", longest_s(request));
    tree_put_int(spec, "ttlSecondsAfterFinished", KEPT_S);
    tree_put_new(template, "metadata", job_pod_metadata_new(labels_of(request), NULL));
    tree_put_new(template, "spec", pod_spec(request));
    tree_put_new(spec, "template", template);
    tree_put_new(job, "spec", spec);
    return job;
}

json_t *etcd_claim_make(const json_t *set, const struct etcd_plan_member *member)
{
    size_t length = strlen(member->claim) - strlen(member->pod) - 1;
    AUTO(free) char *volume = text_dup(member->claim, length);
    const json_t *template =
        tree_item_at(tree_at(set, "spec.volumeClaimTemplates"), "metadata.name", volume);
    const json_t *selector = tree_at(set, "spec.selector.matchLabels");
    json_t *claim, *metadata, *labels;

    if (!template)
        return NULL;
    claim = json_object();
    metadata = json_object();
    labels = tree_copy(tree_at(template, "metadata.labels"));
    if (!labels)
        labels = json_object();
    if (selector)
        json_object_update(labels, (json_t *)selector);
    tree_put_text(claim, "apiVersion", "v1");
    tree_put_text(claim, "kind", "PersistentVolumeClaim");
    tree_put_text(metadata, "name", member->claim);
    tree_put_text(metadata, "namespace", meta(set, "namespace"));
    tree_put_new(metadata, "labels", labels);
    tree_put_new(metadata, "annotations", tree_copy(tree_at(template, "metadata.annotations")));
    tree_put_new(claim, "metadata", metadata);
    tree_put_new(claim, "spec", tree_copy(tree_get(template, "spec")));
    return claim;
}
