#include "webhook/followed.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/tree.h"

#define STASH "stash.appscode.com"
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* Of the status, only a RestoreSession's phase decides anything; every session of every backup
 * writes the others. And what kubectl apply keeps is all of the object a second time. */
static void cut(json_t *object)
{
    json_t *metadata = json_object_get(object, "metadata");
    json_t *phase = json_incref(json_object_get(json_object_get(object, "status"), "phase"));

    json_object_del(object, "status");
    if (phase) {
        json_t *status = json_object();

        tree_put_new(status, "phase", phase);
        tree_put_new(object, "status", status);
    }
    json_object_del(metadata, "resourceVersion");
    json_object_del(json_object_get(metadata, "annotations"), LAST_APPLIED);
}

const struct kube_watched followed_kinds[] = {
    {{"", "v1", "namespaces", "Namespace", false}, .metadata_only = true, .cut = cut},
    {{STASH, "v1beta1", "backupblueprints", "BackupBlueprint", false},
     .optional = true,
     .cut = cut},
    {{STASH, "v1beta1", "backupconfigurations", "BackupConfiguration", true},
     .optional = true,
     .cut = cut},
    {{STASH, "v1beta1", "restoresessions", "RestoreSession", true}, .optional = true, .cut = cut},
    {{STASH, "v1beta1", "tasks", "Task", false}, .optional = true, .cut = cut},
    {{STASH, "v1alpha1", "repositories", "Repository", true}, .optional = true, .cut = cut},
};
const size_t followed_count = sizeof followed_kinds / sizeof *followed_kinds;

/* Characters of names of objects; what the API server makes of a wrong one, it says itself. */
static bool is_name(const char *text, size_t length, size_t limit)
{
    return length > 0 && length <= limit &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") >= length;
}

bool followed_secret_parse(const char *text, struct followed_secret *secret)
{
    size_t length = strcspn(text, "/");
    const char *name = text + length + 1;

    if (!text[length] || !is_name(text, length, NAME_MAX_CHARS) ||
        !is_name(name, strlen(name), OBJECT_NAME_MAX_CHARS))
        return false;
    secret->name = name;
    snprintf(secret->space, sizeof secret->space, "%.*s", (int)length, text);
    snprintf(secret->field, sizeof secret->field, "metadata.name=%s", name);
    return true;
}

struct kube_watched followed_secret_kind(const struct followed_secret *secret)
{
    return (struct kube_watched){
        .resource = {"", "v1", "secrets", "Secret", true},
        .space = secret->space,
        .fields = secret->field,
    };
}
