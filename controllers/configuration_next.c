#include "controllers/configuration_next.h"

#include <string.h>

#include "api/keys.h"
#include "api/names.h"
#include "api/volume.h"
#include "base/tree.h"
#include "controllers/job_parts.h"
#include "mutators/container.h"

/* Seconds after its slot within which a session may still begin; seconds that asking may take. */
#define LATE_MIN_S 60
#define LATE_MAX_S 86400
#define ASKING_S 600

/* ---- conditions ---- */

static const char *const repository_reasons[] = {"RepositoryNotAvailable", "RepositoryAvailable",
                                                 "UnableToCheckRepositoryAvailability"};
static const char *const secret_reasons[] = {"BackendSecretNotAvailable", "BackendSecretAvailable",
                                             "UnableToCheckBackendSecretAvailability"};
static const char *const target_reasons[] = {"TargetNotAvailable", "TargetAvailable",
                                             "UnableToCheckTargetAvailability"};
static const enum condition_status statuses[] = {CONDITION_FALSE, CONDITION_TRUE,
                                                 CONDITION_UNKNOWN};

static struct condition of_look(const char *type, enum seen seen, const char *const *reasons,
                                const char *message)
{
    return (struct condition){type, statuses[seen], reasons[seen], message};
}

static struct condition of_validation(const struct configuration_seen *seen)
{
    const char *type = "ValidationPassed";

    if (seen->invalid)
        return (struct condition){type, CONDITION_FALSE, "ResourceValidationFailed", seen->invalid};
    return (struct condition){type, CONDITION_TRUE, "ResourceValidationPassed", NULL};
}

static struct condition of_agent(const struct configuration_seen *seen)
{
    static const struct {
        enum condition_status status;
        const char *reason;
    } rows[] = {
        [CARRIED_NOT_ASKED] = {CONDITION_ABSENT, ""},
        [CARRIED_BY_ALL] = {CONDITION_TRUE, "SidecarInjectionSucceeded"},
        [CARRIED_BY_SOME] = {CONDITION_FALSE, "SidecarInjectionFailed"},
        [CARRIED_BY_NONE] = {CONDITION_FALSE, "SidecarInjectionFailed"},
        [CARRIED_AFTER_OWNER] = {CONDITION_FALSE, "WaitingForOwner"},
    };

    return (struct condition){"StashSidecarInjected", rows[seen->carried].status,
                              rows[seen->carried].reason, seen->carried_message};
}

static struct condition of_cronjob(const struct configuration_seen *seen)
{
    const char *type = "CronJobCreated";

    if (seen->cronjob == CRONJOB_OURS || seen->cronjob == CRONJOB_OTHER)
        return (struct condition){type, CONDITION_TRUE, "CronJobCreationSucceeded", NULL};
    if (seen->cronjob == CRONJOB_FOREIGN)
        return (struct condition){type, CONDITION_FALSE, "CronJobCreationFailed",
                                  seen->cronjob_message
                                      ? seen->cronjob_message
                                      : "a CronJob of that name belongs to somebody else"};
    if (seen->cronjob == CRONJOB_REFUSED)
        return (struct condition){type, CONDITION_FALSE, "CronJobCreationFailed",
                                  seen->cronjob_message};
    return (struct condition){type, CONDITION_ABSENT, "", NULL};
}

/* ---- what follows from them ---- */

static bool storage_is_there(const struct configuration_seen *seen)
{
    return seen->repository == SEEN_YES && seen->secret == SEEN_YES;
}

static const char *phase_of(const struct configuration_seen *seen)
{
    if (seen->repository == SEEN_YES && seen->invalid)
        return "Invalid";

    bool carried = seen->carried == CARRIED_NOT_ASKED || seen->carried == CARRIED_BY_ALL;
    bool timed = seen->cronjob == CRONJOB_OURS || seen->cronjob == CRONJOB_OTHER ||
                 (!seen->scheduled && seen->cronjob == CRONJOB_ABSENT);

    return storage_is_there(seen) && seen->target == SEEN_YES && carried && timed ? "Ready"
                                                                                  : "NotReady";
}

const char *configuration_obstacle(const struct configuration_seen *seen)
{
    if (seen->deleted)
        return "it is being deleted";
    if (seen->repository != SEEN_YES)
        return "its Repository is not available";
    if (seen->invalid)
        return seen->invalid;
    if (seen->secret != SEEN_YES)
        return "the storage Secret is not available";
    if (seen->target != SEEN_YES)
        return "its target is not available";
    if (seen->carried == CARRIED_BY_NONE || seen->carried == CARRIED_AFTER_OWNER)
        return "no pod of the target carries the agent";
    return NULL;
}

/* A CronJob is made when all that it needs is there; later it stays, and its sessions say what is
 * missing. */
enum configuration_action configuration_next(const struct configuration_seen *seen)
{
    bool ours = seen->cronjob == CRONJOB_OURS || seen->cronjob == CRONJOB_OTHER;

    if (seen->deleted || seen->cronjob == CRONJOB_FOREIGN)
        return CONFIGURATION_WAIT;
    if (!seen->scheduled)
        return ours ? CONFIGURATION_DELETE : CONFIGURATION_WAIT;
    if (seen->invalid || seen->cronjob == CRONJOB_OURS)
        return CONFIGURATION_WAIT;
    if (seen->cronjob == CRONJOB_OTHER)
        return CONFIGURATION_APPLY;
    return storage_is_there(seen) && seen->target == SEEN_YES ? CONFIGURATION_APPLY
                                                              : CONFIGURATION_WAIT;
}

json_t *configuration_status(const struct configuration_seen *seen, const json_t *status,
                             int64_t generation, int64_t now_s)
{
    const struct condition all[] = {
        of_look("RepositoryFound", seen->repository, repository_reasons, seen->repository_message),
        of_look("BackendSecretFound", seen->secret, secret_reasons, seen->secret_message),
        of_validation(seen),
        of_look("BackupTargetFound", seen->target, target_reasons, seen->target_message),
        of_agent(seen),
        of_cronjob(seen),
    };
    json_t *next = json_is_object(status) ? tree_copy(status) : json_object();
    json_t *conditions = json_array();

    if (tree_member(status, "conditions", JSON_ARRAY))
        json_array_extend(conditions, json_object_get(next, "conditions"));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        (void)condition_set(conditions, &all[i], now_s);
    for (size_t i = 0; i < seen->more_count; i++)
        (void)condition_set(conditions, &seen->more[i], now_s);
    tree_put_new(next, "conditions", conditions);
    tree_put_text(next, "phase", phase_of(seen));
    tree_put_int(next, "observedGeneration", generation);
    return next;
}

/* ---- the CronJob ---- */

char *cronjob_name(const char *configuration)
{
    AUTO(free) char *whole = text_format("stash-trigger-%s", configuration);

    return name_fit(whole, CRONJOB_NAME_MAX_CHARS);
}

static int64_t late_s(int64_t interval_s)
{
    if (interval_s < LATE_MIN_S)
        return LATE_MIN_S;
    return interval_s < LATE_MAX_S ? interval_s : LATE_MAX_S;
}

static json_t *metadata_of(const json_t *configuration)
{
    const json_t *theirs = tree_get(configuration, "metadata");
    AUTO(free) char *name = cronjob_name(tree_text(theirs, "name"));
    json_t *metadata = json_object();

    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", tree_text(theirs, "namespace"));
    tree_put_new(metadata, "labels", job_labels(configuration, "stash-backup"));
    tree_put_new(metadata, "ownerReferences",
                 job_owners(API_STASH_V1BETA1, "BackupConfiguration", theirs));
    return metadata;
}

static json_t *mounts(void)
{
    json_t *list = json_array();

    tree_push_new(list, volume_mount(VOLUME_IDENTITY, MOUNT_IDENTITY, NULL, true));
    return list;
}

static json_t *args_of(const json_t *configuration)
{
    const char *jitter = tree_text(tree_get(configuration, "spec"), "jitter");
    json_t *args = json_array();

    tree_push_text(args, "trigger");
    if (jitter) {
        AUTO(free) char *flag = text_format("--jitter=%s", jitter);

        tree_push_text(args, flag);
    }
    return args;
}

static json_t *container_of(const struct cronjob_request *request, const json_t *pod)
{
    static const char *const keys[] = {"env", "envFrom", "resources", "securityContext", NULL};
    json_t *container = json_object(), *volume_mounts = mounts();

    tree_put_text(container, "name", "stash-trigger");
    tree_put_text(container, "image", request->settings->agent_image);
    tree_put_text(container, "imagePullPolicy", request->settings->agent_image_pull_policy);
    tree_put_new(container, "args", args_of(request->configuration));
    tree_put_new(container, "resources", tree_copy(request->settings->agent_resources));
    tree_put_new(container, "securityContext", container_modest_context(pod, volume_mounts));
    tree_put_new(container, "volumeMounts", volume_mounts);
    job_put_chosen(container, tree_at(request->configuration, "spec.runtimeSettings.container"),
                   keys);
    return container;
}

static json_t *identity_volume(void)
{
    const struct carry nothing = {0};
    AUTO(json) json_t *all = container_volumes(&nothing);
    json_t *list = json_array();

    tree_push_new(list, tree_copy(tree_named(all, VOLUME_IDENTITY)));
    return list;
}

static json_t *pod_spec(const struct cronjob_request *request)
{
    json_t *spec = job_pod_spec(tree_at(request->configuration, "spec.runtimeSettings.pod"),
                                request->settings->agent_pull_secrets);
    json_t *pod = json_object(), *containers = json_array();

    tree_put_new(spec, "volumes", identity_volume());
    tree_put_new(pod, "spec", spec);
    tree_push_new(containers, container_of(request, pod));
    tree_put_new(spec, "containers", containers);
    return pod;
}

static json_t *template_of(const struct cronjob_request *request)
{
    json_t *pod = pod_spec(request);

    tree_put_new(pod, "metadata",
                 job_pod_metadata_new(job_labels(request->configuration, "stash-backup"),
                                      tree_at(request->configuration, "spec.runtimeSettings.pod")));
    return pod;
}

static json_t *job_of(const struct cronjob_request *request)
{
    json_t *job = json_object(), *spec = json_object(), *metadata = json_object();

    tree_put_new(metadata, "labels", job_labels(request->configuration, "stash-backup"));
    tree_put_int(spec, "backoffLimit", 3);
    tree_put_int(spec, "activeDeadlineSeconds", late_s(request->interval_s) + ASKING_S);
    tree_put_new(spec, "template", template_of(request));
    tree_put_new(job, "metadata", metadata);
    tree_put_new(job, "spec", spec);
    return job;
}

json_t *cronjob_make(const struct cronjob_request *request)
{
    const json_t *theirs = tree_get(request->configuration, "spec");
    json_t *made = json_object(), *spec = json_object();

    tree_put_text(made, "apiVersion", "batch/v1");
    tree_put_text(made, "kind", "CronJob");
    tree_put_new(made, "metadata", metadata_of(request->configuration));
    tree_put_text(spec, "schedule", tree_text(theirs, "schedule"));
    tree_put_text(spec, "timeZone", "Etc/UTC");
    tree_put_bool(spec, "suspend", tree_true(theirs, "paused"));
    tree_put_text(spec, "concurrencyPolicy", "Forbid");
    tree_put_int(spec, "startingDeadlineSeconds", late_s(request->interval_s));
    tree_put_int(spec, "successfulJobsHistoryLimit", 1);
    tree_put_int(spec, "failedJobsHistoryLimit", 1);
    tree_put_new(spec, "jobTemplate", job_of(request));
    tree_put_new(made, "spec", spec);
    return made;
}
