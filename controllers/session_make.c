#include "controllers/session_make.h"

#include <string.h>

#include "api/keys.h"
#include "api/names.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/job_parts.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = tree_text(object, key);

    return text ? text : "";
}

static bool makes_claims(const json_t *invoker)
{
    return span_is(tree_span(invoker, "kind"), "RestoreSession") &&
           json_array_size(tree_at(invoker, "spec.target.volumeClaimTemplates")) > 0;
}

int64_t session_claim_sets(const json_t *session)
{
    return makes_claims(session) ? tree_int(tree_at(session, "spec.target"), "replicas", 0) : 0;
}

/* Nothing else is worked on by who makes what he restores into. */
static json_t *itself(const json_t *session)
{
    const json_t *metadata = tree_get(session, "metadata");
    json_t *target = json_object();

    tree_put_text(target, "apiVersion", API_STASH_V1BETA1);
    tree_put_text(target, "kind", "RestoreSession");
    tree_put_text(target, "name", text_of(metadata, "name"));
    tree_put_text(target, "namespace", text_of(metadata, "namespace"));
    return target;
}

json_t *session_target(const json_t *invoker)
{
    const json_t *ref = tree_at(invoker, "spec.target.ref");
    const char *space = tree_text(ref, "namespace");
    json_t *target;

    if (!*text_of(ref, "kind") || !*text_of(ref, "name"))
        return makes_claims(invoker) ? itself(invoker) : NULL;
    target = json_object();
    tree_put_text(target, "apiVersion", tree_text(ref, "apiVersion"));
    tree_put_text(target, "kind", tree_text(ref, "kind"));
    tree_put_text(target, "name", tree_text(ref, "name"));
    tree_put_text(target, "namespace",
                  space && *space ? space : text_of(tree_get(invoker, "metadata"), "namespace"));
    return target;
}

char *session_target_text(const json_t *target)
{
    const char *version = text_of(target, "apiVersion"), *slash = strchr(version, '/');

    return text_format("%.*s/%s/%s/%s", slash ? (int)(slash - version) : 0, version,
                       text_of(target, "kind"), text_of(target, "namespace"),
                       text_of(target, "name"));
}

int64_t session_retries(const json_t *configuration)
{
    const json_t *retry = tree_member(tree_get(configuration, "spec"), "retryConfig", JSON_OBJECT);
    int64_t most = tree_int(retry, "maxRetry", 1);

    if (!retry || most < 0)
        return 0;
    return most < INT32_MAX ? most : INT32_MAX;
}

int64_t session_history_limit(const json_t *configuration)
{
    int64_t limit = tree_int(tree_get(configuration, "spec"), "backupHistoryLimit", 1);

    return limit > 0 ? limit : 0;
}

static void put_label(json_t *labels, const char *key, const char *value)
{
    AUTO(free) char *fit = name_label_value(value ? value : "");

    tree_put_text(labels, key, fit);
}

json_t *session_labels(const json_t *invoker, bool restore)
{
    AUTO(json) json_t *target = session_target(invoker);
    json_t *labels = job_labels(invoker, restore ? "stash-restore" : "stash-backup");

    tree_put_text(labels, KEY_STASH_PREFIX "invoker-type",
                  restore ? "RestoreSession" : "BackupConfiguration");
    put_label(labels, KEY_STASH_PREFIX "invoker-name",
              tree_text(tree_get(invoker, "metadata"), "name"));
    put_label(labels, KEY_STASH_PREFIX "target-kind", tree_text(target, "kind"));
    put_label(labels, KEY_STASH_PREFIX "target-name", tree_text(target, "name"));
    put_label(labels, KEY_STASH_PREFIX "target-namespace", tree_text(target, "namespace"));
    return labels;
}

static json_t *spec_of(const json_t *metadata, int64_t retry_left)
{
    json_t *spec = json_object(), *invoker = json_object();

    tree_put_text(invoker, "apiGroup", GROUP_STASH);
    tree_put_text(invoker, "kind", "BackupConfiguration");
    tree_put_text(invoker, "name", tree_text(metadata, "name"));
    tree_put_new(spec, "invoker", invoker);
    tree_put_int(spec, "retryLeft", retry_left);
    return spec;
}

json_t *session_make(const json_t *configuration, const char *name, int64_t retry_left)
{
    const json_t *theirs = tree_get(configuration, "metadata");
    json_t *session = json_object(), *metadata = json_object();

    tree_put_text(session, "apiVersion", API_STASH_V1BETA1);
    tree_put_text(session, "kind", "BackupSession");
    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", tree_text(theirs, "namespace"));
    tree_put_new(metadata, "labels", session_labels(configuration, false));
    tree_put_new(metadata, "ownerReferences",
                 job_owners(API_STASH_V1BETA1, "BackupConfiguration", theirs));
    tree_put_new(session, "metadata", metadata);
    tree_put_new(session, "spec", spec_of(theirs, retry_left));
    return session;
}
