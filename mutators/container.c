#include "mutators/container.h"

#include <stdlib.h>

#include "api/keys.h"
#include "api/quantity.h"
#include "api/volume.h"
#include "base/text.h"
#include "base/tree.h"

/* What our container gets in a Guaranteed pod when the settings name no limit at all. */
#define FALLBACK_CPU "1"
#define FALLBACK_MEMORY "512Mi"

static json_t *words(const char *const *list)
{
    json_t *array = json_array();

    for (; *list; list++)
        tree_push_text(array, *list);
    return array;
}

static json_t *capabilities(enum pod_run run, bool writes)
{
    static const char *const all[] = {"ALL", NULL};
    static const char *const read[] = {"DAC_OVERRIDE", NULL};
    static const char *const write[] = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", NULL};
    json_t *set = json_object();

    tree_put_new(set, "drop", words(all));
    if (run == POD_RUN_AS_ROOT)
        tree_put_new(set, "add", words(writes ? write : read));
    return set;
}

static bool pod_says_nonroot(const json_t *owner)
{
    return tree_true(tree_at(owner, "spec.securityContext"), "runAsNonRoot");
}

/* As whom it runs: what runtimeSettings say holds, also when they only promise not to be root. */
static enum pod_run settle_user(const struct making *making, const struct container_role *role,
                                struct pod_user *user)
{
    const json_t *theirs = tree_get(role->settings, "securityContext");
    int64_t wanted = tree_int(theirs, "runAsUser", -1);
    enum file_access access = making->carry->file_access;

    if (wanted >= 0) {
        user->uid = wanted;
        return wanted ? POD_RUN_AS_UID : POD_RUN_AS_ROOT;
    }
    if (tree_true(theirs, "runAsNonRoot")) {
        user->nonroot = true;
        access = FILE_ACCESS_FOLLOW;
    }
    return pod_run_as(user, access);
}

/* Ours before anybody overrides a field of it. */
static json_t *own_context(const struct making *making, const struct container_role *role)
{
    struct pod_user user =
        pod_user_of(making->owner, role->owner_mounts ? role->owner_mounts : role->mounts);
    enum pod_run run = settle_user(making, role, &user);
    json_t *context = json_object(), *seccomp = json_object();

    if (run != POD_RUN_AS_IMAGE)
        tree_put_int(context, "runAsUser", run == POD_RUN_AS_ROOT ? 0 : user.uid);
    if (run == POD_RUN_AS_ROOT)
        tree_put_int(context, "runAsGroup", 0);
    else if (run == POD_RUN_AS_UID && user.gid >= 0)
        tree_put_int(context, "runAsGroup", user.gid);
    if (run != POD_RUN_AS_ROOT && (run == POD_RUN_AS_IMAGE || user.uid > 0))
        tree_put_bool(context, "runAsNonRoot", true);
    else if (pod_says_nonroot(making->owner))
        tree_put_bool(context, "runAsNonRoot", false);
    tree_put_bool(context, "allowPrivilegeEscalation", false);
    tree_put_bool(context, "readOnlyRootFilesystem", true);
    tree_put_new(context, "capabilities", capabilities(run, role->writes));
    tree_put_text(seccomp, "type", "RuntimeDefault");
    tree_put_new(context, "seccompProfile", seccomp);
    return context;
}

json_t *container_modest_context(const json_t *owner, const json_t *mounts)
{
    struct carry carry = {.file_access = FILE_ACCESS_FOLLOW};
    struct making making = {.carry = &carry, .owner = owner};
    struct container_role role = {.mounts = mounts};

    return own_context(&making, &role);
}

static bool adds_sys_admin(const json_t *context)
{
    const json_t *word;
    size_t i;

    tree_items (tree_at(context, "capabilities.add"), i, word) {
        if (span_is(tree_value(word), "SYS_ADMIN") || span_is(tree_value(word), "CAP_SYS_ADMIN"))
            return true;
    }
    return false;
}

static json_t *security_context(const struct making *making, const struct container_role *role)
{
    const json_t *theirs = tree_member(role->settings, "securityContext", JSON_OBJECT), *value;
    json_t *context = own_context(making, role);
    const char *key;

    tree_each (theirs, key, value)
        tree_put_new(context, key, tree_share(value));
    /* Kubernetes refuses a privileged container that may not escalate. */
    if ((tree_true(context, "privileged") || adds_sys_admin(context)) &&
        !tree_true(theirs, "allowPrivilegeEscalation"))
        json_object_del(context, "allowPrivilegeEscalation");
    return context;
}

static bool greater(const json_t *a, const json_t *b)
{
    struct quantity one, other;
    struct error ignored;

    return quantity_read(a, &one, &ignored) && quantity_read(b, &other, &ignored) &&
           quantity_compare(&one, &other) > 0;
}

static bool overcommits(const char *resource)
{
    return !strcmp(resource, "cpu") || !strcmp(resource, "memory") ||
           !strcmp(resource, "ephemeral-storage");
}

static void overlay(json_t *side, const json_t *theirs)
{
    const json_t *value;
    const char *key;

    tree_each (theirs, key, value)
        tree_put_new(side, key, tree_share(value));
}

/* A request above its limit makes a pod invalid: whichever of the two was asked for holds. */
static void reconcile(json_t *requests, json_t *limits, const json_t *theirs)
{
    const json_t *request;
    void *next;
    const char *key;

    json_object_foreach_safe(requests, next, key, *(json_t **)&request)
    {
        const json_t *limit = tree_get(limits, key);

        if (!limit && !overcommits(key))
            tree_put_new(limits, key, tree_share(request));
        else if (!greater(request, limit))
            continue;
        else if (tree_get(tree_get(theirs, "limits"), key))
            tree_put_new(requests, key, tree_share(limit));
        else
            tree_put_new(limits, key, tree_share(request));
    }
}

static void put_whole(json_t *limits)
{
    struct quantity cpu;
    struct error ignored;

    if (!quantity_read(tree_get(limits, "cpu"), &cpu, &ignored) || quantity_is_whole(&cpu))
        return;

    AUTO(free) char *up = text_format("%lld", (long long)quantity_ceil(&cpu));

    tree_put_text(limits, "cpu", up);
}

/* In a Guaranteed pod ours is Guaranteed too, else the whole pod would lose its class. */
static void guarantee(json_t *requests, json_t *limits, const json_t *owner)
{
    static const struct {
        const char *resource, *fallback;
    } needed[] = {{"cpu", FALLBACK_CPU}, {"memory", FALLBACK_MEMORY}};

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!tree_get(limits, needed[i].resource))
            tree_put_text(limits, needed[i].resource, needed[i].fallback);
    if (pod_has_whole_cpus(owner))
        put_whole(limits);
    overlay(requests, limits);
}

static json_t *side(const json_t *resources, const json_t *theirs, const char *key)
{
    json_t *merged = tree_copy(tree_member(resources, key, JSON_OBJECT));

    if (!merged)
        merged = json_object();
    overlay(merged, tree_member(theirs, key, JSON_OBJECT));
    return merged;
}

static json_t *resources(const struct making *making, const struct container_role *role)
{
    const json_t *theirs = tree_get(role->settings, "resources");

    if (pod_has_resources(making->owner))
        return json_object();

    json_t *both = json_object();
    json_t *requests = side(making->settings->agent_resources, theirs, "requests");
    json_t *limits = side(making->settings->agent_resources, theirs, "limits");

    reconcile(requests, limits, theirs);
    if (pod_is_guaranteed(making->owner))
        guarantee(requests, limits, making->owner);
    tree_put_new(both, "limits", limits);
    tree_put_new(both, "requests", requests);
    return both;
}

static void put_field(json_t *env, const char *name, const char *path)
{
    json_t *entry = json_object(), *from = json_object(), *field = json_object();

    tree_put_text(entry, "name", name);
    tree_put_text(field, "fieldPath", path);
    tree_put_new(from, "fieldRef", field);
    tree_put_new(entry, "valueFrom", from);
    tree_push_new(env, entry);
}

/* In place of what had the name: a merge by name, as kubectl does it, wants each name once. */
static void put_variable(json_t *env, const json_t *entry)
{
    const char *name = tree_text(entry, "name");
    long index = name ? tree_named_index(env, name) : -1;

    if (index >= 0)
        json_array_remove(env, (size_t)index);
    tree_push_new(env, tree_copy(entry));
}

static json_t *environment(const struct making *making, const struct container_role *role)
{
    json_t *env = json_array();
    const json_t *entry;
    size_t i;

    put_field(env, ENV_NODE_NAME, "spec.nodeName");
    put_field(env, ENV_POD_NAME, "metadata.name");
    put_field(env, ENV_POD_NAMESPACE, "metadata.namespace");
    /* who we are is not for settings to say; who made them was told so */
    tree_items (tree_get(role->settings, "env"), i, entry)
        if (!key_is_own_variable(tree_span(entry, "name")))
            put_variable(env, entry);

    AUTO(json) json_t *paths = pod_path_variables(making->owner, role->mounts);

    /* last, since the paths depend on these */
    tree_items (paths, i, entry)
        put_variable(env, entry);
    return env;
}

/* True when another mount lies below this one: its mount point must be made in there. */
static bool holds_another(const json_t *mounts, const json_t *outer)
{
    const char *path = tree_text(outer, "mountPath");
    const json_t *inner;
    size_t i;

    tree_items (mounts, i, inner) {
        if (inner != outer && pod_path_within(tree_text(inner, "mountPath"), path))
            return true;
    }
    return false;
}

static json_t *volume_mounts(const struct making *making, const struct container_role *role)
{
    const json_t *local = making->carry->local, *entry;
    json_t *mounts = json_array();
    size_t i;

    tree_push_new(mounts, volume_mount(VOLUME_IDENTITY, MOUNT_IDENTITY, NULL, true));
    tree_push_new(mounts, volume_mount(VOLUME_SCRATCH, MOUNT_SCRATCH, NULL, false));
    if (local)
        tree_push_new(mounts, volume_mount(VOLUME_LOCAL, tree_text(local, "mountPath"),
                                           tree_text(local, "subPath"), false));

    size_t own = json_array_size(mounts);

    tree_items (role->mounts, i, entry)
        tree_push_new(mounts, tree_copy(entry));
    for (i = own; !role->writes && i < json_array_size(mounts); i++)
        if (!holds_another(mounts, json_array_get(mounts, i)))
            tree_put_bool(json_array_get(mounts, i), "readOnly", true);
    return mounts;
}

static json_t *container(const struct making *making, const struct container_role *role,
                         json_t *args)
{
    static const char *const copied[] = {"envFrom", "livenessProbe", "readinessProbe", "lifecycle"};
    const struct settings *settings = making->settings;
    json_t *made = json_object();

    tree_put_text(made, "name", role->name);
    tree_put_text(made, "image", settings->agent_image);
    tree_put_text(made, "imagePullPolicy", settings->agent_image_pull_policy);
    tree_put_new(made, "args", args);
    tree_put_new(made, "env", environment(making, role));
    tree_put_new(made, "resources", resources(making, role));
    tree_put_new(made, "securityContext", security_context(making, role));
    tree_put_new(made, "volumeMounts", volume_mounts(making, role));
    /* an init container may have neither probes nor a lifecycle */
    for (size_t i = 0; i < (role->init ? 1 : sizeof copied / sizeof *copied); i++)
        tree_put_new(made, copied[i], tree_share(tree_get(role->settings, copied[i])));
    return made;
}

json_t *container_of_job(const struct making *making, const struct container_role *role,
                         json_t *args)
{
    const struct making alone = {.carry = making->carry, .settings = making->settings};
    json_t *made = container(&alone, role, args);

    tree_put_new(made, "securityContext", security_context(making, role));
    return made;
}

json_t *container_sidecar(const struct making *making)
{
    static const char *const args[] = {"sidecar", NULL};
    struct container_role role = {.name = CONTAINER_SIDECAR,
                                  .mounts = making->carry->mounts,
                                  .settings = making->carry->container};

    return container(making, &role, words(args));
}

static void push_flag(json_t *args, const char *flag, const char *value)
{
    if (!value)
        return;

    AUTO(free) char *text = text_format("--%s=%s", flag, value);

    tree_push_text(args, text);
}

json_t *container_init(const struct making *making)
{
    const struct carry *carry = making->carry;
    struct container_role role = {
        .name = CONTAINER_INIT,
        .mounts = carry->restore ? carry->restore_mounts : carry->mounts,
        .settings = carry->restore ? carry->restore_container : carry->container,
        .writes = true,
        .init = true,
    };
    json_t *args = json_array();
    const json_t *host;
    size_t i;

    tree_push_text(args, "init");
    push_flag(args, "target-kind", carry->kind);
    if (carry->restore) {
        push_flag(args, "session", tree_text(carry->session, "name"));
        push_flag(args, "session-namespace", tree_text(carry->session, "namespace"));
        push_flag(args, "session-uid", tree_text(carry->session, "uid"));
        push_flag(args, "alias", tree_text(carry->session, "alias"));
        tree_items (tree_get(carry->session, "hosts"), i, host)
            push_flag(args, "host", json_string_value(host));
    }
    if (carry->restore_if_exists)
        tree_push_text(args, "--restore-if-exists");
    return container(making, &role, args);
}

static json_t *volume(const char *name, const char *source, json_t *settings)
{
    json_t *made = json_object();

    tree_put_text(made, "name", name);
    tree_put_new(made, source, settings);
    return made;
}

static json_t *identity(void)
{
    json_t *token = json_object(), *map = json_object(), *sources = json_array();
    json_t *projected = json_object(), *first = json_object(), *second = json_object();

    tree_put_text(token, "audience", IDENTITY_AUDIENCE);
    tree_put_int(token, "expirationSeconds", IDENTITY_TOKEN_SECONDS);
    tree_put_text(token, "path", "token");
    tree_put_new(first, "serviceAccountToken", token);
    tree_put_text(map, "name", IDENTITY_CONFIGMAP);
    tree_put_bool(map, "optional", true);
    tree_put_new(second, "configMap", map);
    tree_push_new(sources, first);
    tree_push_new(sources, second);
    tree_put_new(projected, "sources", sources);
    return volume(VOLUME_IDENTITY, "projected", projected);
}

static json_t *scratch(const json_t *temp_dir)
{
    json_t *directory = json_object();

    tree_put_text(directory, "medium", tree_text(temp_dir, "medium"));
    tree_put_new(directory, "sizeLimit", tree_copy(tree_get(temp_dir, "sizeLimit")));
    return volume(VOLUME_SCRATCH, "emptyDir", directory);
}

json_t *container_volumes(const struct carry *carry)
{
    json_t *volumes = json_array();

    tree_push_new(volumes, identity());
    tree_push_new(volumes, scratch(carry->temp_dir));
    if (carry->local) {
        json_t *local = tree_copy(tree_get(carry->local, "volume"));

        tree_put_text(local, "name", VOLUME_LOCAL);
        tree_push_new(volumes, local);
    }
    return volumes;
}
