#include "controllers/desk_trigger.h"

#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/configuration_next.h"
#include "controllers/desk_pod.h"
#include "controllers/session_make.h"
#include "controllers/slot.h"
#include "controllers/write.h"
#include "kube/meta.h"
#include "kube/time.h"
#include "kube/verbs.h"

#define KEY_SLOT "batch.kubernetes.io/cronjob-scheduled-timestamp"

static const struct kube_resource job_resource = {"batch", "v1", "jobs", "Job", true},
                                  cronjob_resource = {"batch", "v1", "cronjobs", "CronJob", true},
                                  session_resource = {GROUP_STASH, "v1beta1", "backupsessions",
                                                      "BackupSession", true};

static const json_t *owner_of_kind(const json_t *object, const char *kind, const char *group,
                                   struct error *err)
{
    const json_t *owner = desk_owner_of(object);
    struct span version = tree_span(owner, "apiVersion");
    bool right = span_is(tree_span(owner, "kind"), kind) && version.length > strlen(group) &&
                 memcmp(version.data, group, strlen(group)) == 0 &&
                 version.data[strlen(group)] == '/';

    if (!right)
        error_set(err, ERROR_FORBIDDEN, "the pod belongs to no %s that asks for backups", kind);
    return right ? owner : NULL;
}

static json_t *up(struct kube_client *client, const struct kube_resource *resource,
                  const char *space, const json_t *object, struct error *err)
{
    const json_t *owner = owner_of_kind(object, resource->kind, resource->group, err);

    return owner ? desk_owner_get(client, resource, space, owner, err) : NULL;
}

/* The configuration whose CronJob this is. */
static json_t *configuration_of(const struct session_view *view, const char *space,
                                const json_t *cronjob, struct error *err)
{
    const json_t *owner = owner_of_kind(cronjob, "BackupConfiguration", GROUP_STASH, err);
    const char *name = tree_text(owner, "name");
    AUTO(json)
    json_t *configuration = name ? view->get(view->context, VIEW_CONFIGURATION, space, name) : NULL;
    AUTO(free) char *expected = name ? cronjob_name(name) : NULL;

    if (!owner)
        return NULL;
    if (!configuration || !span_equal(tree_span(tree_get(configuration, "metadata"), "uid"),
                                      tree_span(owner, "uid"))) {
        error_set(err, ERROR_FORBIDDEN, "the BackupConfiguration of the pod is not there");
        return NULL;
    }
    if (!meta(cronjob, "name") || strcmp(meta(cronjob, "name"), expected) != 0) {
        error_set(err, ERROR_FORBIDDEN, "the CronJob of the pod is none of granary's");
        return NULL;
    }
    return TAKE(configuration);
}

static char *name_of(const json_t *configuration, const json_t *job)
{
    struct span slot = tree_span(tree_at(job, "metadata.annotations"), KEY_SLOT);
    const char *name = meta(configuration, "name");
    int64_t slot_s;

    if (time_parse(slot, &slot_s))
        return slot_session_name(name, slot_s);
    return slot_name_of_uid(name, meta(job, "uid"));
}

/* One that is there already has to be of this configuration. */
static json_t *find(struct kube_client *client, const struct kube_ref *ref,
                    const json_t *configuration, struct error *err)
{
    AUTO(json) json_t *session = kube_get(client, ref, err);
    const json_t *owner = desk_owner_of(session);

    if (!session)
        return NULL;
    if (!span_equal(tree_span(owner, "uid"),
                    tree_span(tree_get(configuration, "metadata"), "uid"))) {
        error_set(err, ERROR_FORBIDDEN, "somebody else made a session of this name");
        return NULL;
    }
    return TAKE(session);
}

static json_t *make(struct kube_client *client, const json_t *configuration, const json_t *job,
                    bool *created, struct error *err)
{
    AUTO(free) char *name = name_of(configuration, job);
    AUTO(json)
    json_t *wanted = session_make(configuration, name, session_retries(configuration));
    AUTO(kube_result) struct kube_result result = {0};
    const struct kube_ref ref = {&session_resource, meta(configuration, "namespace"), name, NULL};

    *created = kube_create(client, &ref, wanted, &write_ours, &result, err);
    if (*created)
        return TAKE(result.object);
    if (strcmp(result.reason, "AlreadyExists") != 0)
        return NULL;
    return find(client, &ref, configuration, err);
}

static void say(const json_t *session, bool created, struct text *answer)
{
    const struct message_triggered triggered = {
        .session = {meta(session, "namespace"), meta(session, "name"), meta(session, "uid")},
        .created = created,
    };

    message_write(&message_triggered_shape, &triggered, answer);
}

bool desk_trigger(struct kube_client *client, const struct session_view *view,
                  const struct agent_caller *caller, struct text *answer, struct error *err)
{
    AUTO(json) json_t *pod = desk_pod_get(client, caller, err);
    AUTO(json) json_t *job = pod ? up(client, &job_resource, caller->space, pod, err) : NULL;
    AUTO(json)
    json_t *cronjob = job ? up(client, &cronjob_resource, caller->space, job, err) : NULL;
    AUTO(json)
    json_t *configuration = cronjob ? configuration_of(view, caller->space, cronjob, err) : NULL;
    bool created = false;
    AUTO(json)
    json_t *session = configuration ? make(client, configuration, job, &created, err) : NULL;

    if (!session)
        return false;
    say(session, created, answer);
    return true;
}
