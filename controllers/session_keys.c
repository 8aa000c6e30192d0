#include "controllers/session_keys.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/session_make.h"
#include "kube/meta.h"

static void push(json_t *list, char *key)
{
    if (key)
        tree_push_text(list, key);
    free(key);
}

json_t *session_keys_target(struct known *known, const json_t *session)
{
    const char *name = tree_text(tree_at(session, "spec.invoker"), "name");
    AUTO(json)
    json_t *configuration = known_get(known, KNOWN_CONFIGURATION,
                                      meta_or_empty(session, "namespace"), name ? name : "");
    const json_t *ref = tree_get(json_array_get(tree_at(session, "status.targets"), 0), "ref");

    if (configuration)
        return session_target(configuration);
    return tree_text(ref, "kind") && tree_text(ref, "name") && tree_text(ref, "namespace")
               ? tree_copy(ref)
               : NULL;
}

json_t *session_keys_parse(const char *text)
{
    static const char *const keys[] = {"group", "kind", "namespace", "name"};
    struct span rest = span_of(text), parts[4] = {{0}};
    json_t *target = json_object();

    for (size_t i = 0; i < 4 && text_split(&rest, '/', &parts[i]); i++)
        if (i)
            tree_put_span(target, keys[i], parts[i]);

    AUTO(free)
    char *version = text_format("%.*s%sv1", (int)parts[0].length,
                                parts[0].data ? parts[0].data : "", parts[0].length ? "/" : "");

    tree_put_text(target, "apiVersion", version);
    return target;
}

char *session_keys_of(struct known *known, const json_t *session)
{
    bool restore = span_is(tree_span(session, "kind"), "RestoreSession");
    AUTO(json)
    json_t *target = restore ? session_target(session) : session_keys_target(known, session);

    if (target)
        return session_target_text(target);
    return restore ? NULL
                   : text_format("%c%s/%s", SESSION_KEY_ALONE, meta_or_empty(session, "namespace"),
                                 meta_or_empty(session, "name"));
}

/* ---- changes ---- */

static void add_session(struct known *known, const json_t *session, json_t *list)
{
    if (session)
        push(list, session_keys_of(known, session));
}

/* With the sessions that it leaves behind. */
static void add_configuration(struct known *known, const json_t *configuration, json_t *list)
{
    AUTO(json) json_t *target = session_target(configuration);
    AUTO(free)
    char *key = text_format("%s/%s", meta_or_empty(configuration, "namespace"),
                            meta_or_empty(configuration, "name"));
    AUTO(json)
    json_t *sessions =
        configuration ? known_find(known, KNOWN_SESSION, KNOWN_BY_INVOKER, key) : NULL;
    const json_t *session;
    size_t i;

    if (target)
        push(list, session_target_text(target));
    tree_items (sessions, i, session)
        add_session(known, session, list);
}

static void add_repository(struct known *known, const json_t *repository, json_t *list)
{
    AUTO(free)
    char *key = text_format("%s/%s", meta_or_empty(repository, "namespace"),
                            meta_or_empty(repository, "name"));
    AUTO(json) json_t *restores = known_find(known, KNOWN_RESTORE, KNOWN_BY_REPOSITORY, key);
    const json_t *restore;
    size_t i;

    tree_items (restores, i, restore)
        add_session(known, restore, list);
}

/* Most objects of a cluster are nobody's target. */
static void add_target(struct known *known, char *text_new, json_t *list)
{
    AUTO(free) char *text = text_new;

    if (!text)
        return;

    AUTO(json) json_t *backups = known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_TARGET, text);
    AUTO(json) json_t *restores = known_find(known, KNOWN_RESTORE, KNOWN_BY_TARGET, text);

    if (json_array_size(backups) + json_array_size(restores))
        push(list, TAKE(text));
}

static char *text_of_owner(const json_t *owner, const char *space)
{
    json_t *ref = tree_copy(owner);
    char *text;

    tree_put_text(ref, "namespace", space);
    text = session_target_text(ref);
    json_decref(ref);
    return text;
}

/* Where a session is gone, the target that it still holds. */
static void add_left(struct known *known, const char *uid, json_t *list)
{
    AUTO(json) json_t *leases = known_find(known, KNOWN_LEASE, KNOWN_BY_SESSION, uid);
    const json_t *lease;
    size_t i;

    tree_items (leases, i, lease)
        push(list, known_target_of(lease));
}

/* A Job of a session, or the pod of one: by the label that both carry. The pod of a Job that was
 * deleted goes when its Job is known no more, and the session may have gone before. */
static void add_job(struct known *known, const json_t *object, json_t *list)
{
    const char *uid = tree_text(tree_at(object, "metadata.labels"), LABEL_SESSION);
    AUTO(json) json_t *backup = uid ? known_uid(known, KNOWN_SESSION, uid) : NULL;
    AUTO(json) json_t *restore = uid && !backup ? known_uid(known, KNOWN_RESTORE, uid) : NULL;

    if (backup || restore)
        add_session(known, backup ? backup : restore, list);
    else if (uid)
        add_left(known, uid, list);
}

/* By its owner, and by that one's. */
static void add_pod(struct known *known, const json_t *pod, json_t *list)
{
    const json_t *owner = target_controller(tree_get(pod, "metadata"));
    enum known_kind kind = owner ? known_kind_of(owner) : KNOWN_KINDS;
    const char *uid = tree_text(owner, "uid");

    if (kind == KNOWN_JOB) {
        add_job(known, pod, list);
        return;
    }
    if (kind < KNOWN_TARGET_FIRST || kind > KNOWN_TARGET_LAST)
        return;

    AUTO(json) json_t *maker = uid ? known_uid(known, kind, uid) : NULL;
    const json_t *above = target_controller(tree_get(maker, "metadata"));

    add_target(known, text_of_owner(above ? above : owner, meta_or_empty(pod, "namespace")), list);
}

static void add_object(struct known *known, enum known_kind kind, const json_t *object,
                       json_t *list)
{
    if (!object)
        return;
    if (kind == KNOWN_SESSION || kind == KNOWN_RESTORE)
        add_session(known, object, list);
    else if (kind == KNOWN_CONFIGURATION)
        add_configuration(known, object, list);
    else if (kind == KNOWN_REPOSITORY)
        add_repository(known, object, list);
    else if (kind == KNOWN_LEASE)
        push(list, known_target_of(object));
    else if (kind == KNOWN_JOB)
        add_job(known, object, list);
    else if (kind == KNOWN_POD)
        add_pod(known, object, list);
    else if (kind >= KNOWN_TARGET_FIRST && kind <= KNOWN_TARGET_LAST)
        add_target(known, known_target_text(object), list);
}

void session_keys(struct known *known, const struct informer_change *change, json_t *list)
{
    add_object(known, (enum known_kind)change->kind, change->before, list);
    add_object(known, (enum known_kind)change->kind, change->after, list);
}
