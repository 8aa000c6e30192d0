#include "controllers/cronjob_state.h"

#include "base/tree.h"
#include "mutators/meaning.h"

/* What the API server fills into a pod beside what meaning.h knows of containers and volumes. Spec:
 * kubernetes-tried 2. */
static const struct {
    const char *member, *text;
    int number;
} pod_defaults[] = {
    {"dnsPolicy", "ClusterFirst", 0},
    {"schedulerName", "default-scheduler", 0},
    {"terminationGracePeriodSeconds", NULL, 30},
};

/* In a folder objects need no uid: there the name says it. */
static bool is_same_owner(const json_t *owner, const json_t *configuration)
{
    const json_t *metadata = tree_get(configuration, "metadata");
    const json_t *uid = tree_get(metadata, "uid"), *named = tree_get(owner, "uid");

    if (uid || named)
        return uid && named && tree_span(metadata, "uid").length && tree_equal(uid, named);
    return span_is(tree_span(owner, "kind"), "BackupConfiguration") &&
           tree_equal(tree_get(owner, "name"), tree_get(metadata, "name"));
}

static bool is_controlled_by(const json_t *found, const json_t *configuration)
{
    const json_t *owner;
    size_t i;

    tree_items (tree_at(found, "metadata.ownerReferences"), i, owner)
        if (tree_true(owner, "controller") && is_same_owner(owner, configuration))
            return true;
    return false;
}

static bool has_labels(const json_t *found, const json_t *wanted)
{
    const json_t *value;
    const char *key;

    tree_each (tree_at(wanted, "metadata.labels"), key, value)
        if (!tree_equal(tree_get(tree_at(found, "metadata.labels"), key), value))
            return false;
    return true;
}

static void drop_default(json_t *pod, const char *member, const char *text, int number)
{
    const json_t *value = tree_get(pod, member);

    if (text ? span_is(tree_value(value), text)
             : json_is_integer(value) && json_integer_value(value) == number)
        json_object_del(pod, member);
}

/* The second name of serviceAccountName, and an object that is written out empty. */
static void drop_echoes(json_t *pod)
{
    const json_t *context = tree_member(pod, "securityContext", JSON_OBJECT);

    if (tree_equal(tree_get(pod, "serviceAccount"), tree_get(pod, "serviceAccountName")))
        json_object_del(pod, "serviceAccount");
    if (context && json_object_size(context) == 0)
        json_object_del(pod, "securityContext");
}

/* A copy of its spec without defaults of the pod. New reference. */
static json_t *plain_spec(const json_t *cronjob)
{
    json_t *spec = tree_copy(tree_member(cronjob, "spec", JSON_OBJECT));
    json_t *pod = (json_t *)tree_at(spec, "jobTemplate.spec.template.spec");

    if (!json_is_object(pod))
        return spec;
    for (size_t i = 0; i < sizeof pod_defaults / sizeof *pod_defaults; i++)
        drop_default(pod, pod_defaults[i].member, pod_defaults[i].text, pod_defaults[i].number);
    drop_echoes(pod);
    return spec;
}

enum cronjob cronjob_state(const json_t *found, const json_t *wanted, const json_t *configuration)
{
    if (!found)
        return CRONJOB_ABSENT;
    if (!is_controlled_by(found, configuration))
        return CRONJOB_FOREIGN;
    if (!wanted)
        return CRONJOB_OURS;

    AUTO(json) json_t *is = plain_spec(found);
    AUTO(json) json_t *ought = plain_spec(wanted);

    return is && has_labels(found, wanted) && container_same_meaning(is, ought) ? CRONJOB_OURS
                                                                                : CRONJOB_OTHER;
}
