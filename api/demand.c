#include "api/demand.h"

#include "api/backend.h"
#include "api/keys.h"
#include "base/limits.h"
#include "base/tree.h"

static const json_t *container_settings(const struct demand *demand)
{
    const json_t *own = tree_get(demand->own, "runtimeSettings");

    return tree_get(own ? own : tree_get(demand->spec, "runtimeSettings"), "container");
}

/* What of runtimeSettings.container stands in a container; nice and ionice go with the work. */
static json_t *container_part(const struct demand *demand)
{
    static const char *const keys[] = {"resources", "securityContext", "env",           "envFrom",
                                       "lifecycle", "livenessProbe",   "readinessProbe"};
    const json_t *settings = container_settings(demand);
    json_t *part = json_object();

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = tree_get(settings, keys[i]);

        if (json_object_size(value) || json_array_size(value))
            tree_put_new(part, keys[i], tree_share(value));
    }
    return part;
}

static json_t *temp_dir_part(const struct demand *demand)
{
    const json_t *temp_dir = tree_get(demand->spec, "tempDir");
    const json_t *limit = tree_get(temp_dir, "sizeLimit");
    json_t *part = json_object();

    if (tree_span(temp_dir, "medium").length)
        tree_put_text(part, "medium", tree_text(temp_dir, "medium"));
    if (!json_is_null(limit))
        tree_put_new(part, "sizeLimit", tree_copy(limit));
    return part;
}

json_t *demand_local(const json_t *backend)
{
    const json_t *local = tree_member(backend, "local", JSON_OBJECT);
    json_t *part;

    if (!local || !tree_text(local, "mountPath"))
        return NULL;
    part = json_object();
    tree_put_new(part, "volume", backend_volume(backend));
    tree_put_text(part, "mountPath", tree_text(local, "mountPath"));
    if (tree_span(local, "subPath").length)
        tree_put_text(part, "subPath", tree_text(local, "subPath"));
    return part;
}

bool demand_wants_job(const struct demand *demand)
{
    return tree_span(tree_get(demand->spec, "task"), "name").length > 0 ||
           span_is(tree_span(demand->spec, "mode"), "Job");
}

static const char *volume_obstacle(const json_t *backend, const json_t *template)
{
    static const char *const allowed[] = {"persistentVolumeClaim", "csi", "ephemeral", "emptyDir"};
    const json_t *local = tree_member(backend, "local", JSON_OBJECT);
    enum pod_security level = local ? pod_security_level(template) : POD_PRIVILEGED;

    if (level >= POD_BASELINE && tree_get(local, "hostPath"))
        return "a hostPath volume of the local backend would break the Pod Security level of the "
               "pod";
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (tree_get(local, allowed[i]))
            return NULL;
    return level == POD_RESTRICTED
               ? "the volume of the local backend would break the Pod Security level of the pod"
               : NULL;
}

#define AT_LOCAL "a volume of the pod is mounted where the local backend has to be"
#define TOO_MANY "the pod has more mounts than one container should have"
#define NO_VARIABLES "a subPathExpr of the pod depends on variables that can not be copied"

static bool same_path(const char *a, const char *b)
{
    return pod_path_within(a, b) && pod_path_within(b, a);
}

static const json_t *mount_at(const json_t *mounts, const char *path)
{
    const json_t *mount;
    size_t i;

    tree_items (mounts, i, mount) {
        if (same_path(tree_text(mount, "mountPath"), path))
            return mount;
    }
    return NULL;
}

/* Where a Repository says that its volume is to be mounted. */
static const char *local_obstacle(const struct demand *demand)
{
    const json_t *local = tree_member(demand->backend, "local", JSON_OBJECT);
    const char *path = tree_text(local, "mountPath");

    if (!path)
        return NULL;
    if (!pod_path_is_sound(path) || !pod_sub_path_is_sound(tree_text(local, "subPath")) ||
        pod_path_within(path, MOUNT_SCRATCH) || pod_path_within(path, MOUNT_IDENTITY))
        return "the local backend can not be mounted where it wants to be";
    return mount_at(demand->selection->mounts, path) ? AT_LOCAL : NULL;
}

const char *demand_obstacle(const struct demand *demand, const json_t *template)
{
    AUTO(json) json_t *variables = pod_path_variables(template, demand->selection->mounts);
    const char *local = local_obstacle(demand);

    if (pod_shares_processes(template))
        return "the pod shares its process namespace, where the storage keys could be read";
    if (!variables)
        return NO_VARIABLES;
    if (json_array_size(demand->selection->mounts) > MOUNTS_MAX)
        return TOO_MANY;
    return local ? local : volume_obstacle(demand->backend, template);
}

const char *demand_local_conflict(const struct carry *carry, const struct demand *demand)
{
    AUTO(json) json_t *local = demand_local(demand->backend);
    const char *held = tree_text(carry->local, "mountPath"),
               *wanted = tree_text(local, "mountPath");

    if (local && carry->local && !tree_equal(local, carry->local))
        return "another backup of this workload uses another local backend";
    if ((held && mount_at(demand->selection->mounts, held)) ||
        (wanted && mount_at(carry->mounts, wanted)))
        return AT_LOCAL;
    return NULL;
}

static bool same_part(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"name", "subPath", "subPathExpr"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!tree_equal(tree_get(a, keys[i]), tree_get(b, keys[i])))
            return false;
    return true;
}

/* True when one of the mounts has to be where another one of `held` is. */
static bool mounts_collide(const json_t *held, const json_t *wanted)
{
    const json_t *mount;
    size_t i;

    tree_items (wanted, i, mount) {
        const json_t *other = mount_at(held, tree_text(mount, "mountPath"));

        if (other && !same_part(other, mount))
            return true;
    }
    return false;
}

const char *demand_conflict(const struct carry *carry, const struct demand *demand,
                            const json_t *template)
{
    AUTO(json) json_t *mounts = carry->mounts ? json_copy(carry->mounts) : json_array();
    const char *conflict = demand_local_conflict(carry, demand);

    if (conflict)
        return conflict;
    if (mounts_collide(mounts, demand->selection->mounts))
        return "another backup of this workload mounts something else at the same path";
    json_array_extend(mounts, demand->selection->mounts);
    if (json_array_size(mounts) > MOUNTS_MAX)
        return TOO_MANY;

    AUTO(json) json_t *variables = pod_path_variables(template, mounts);

    return variables ? NULL : NO_VARIABLES;
}

static void put_unless_empty(json_t *object, const char *key, json_t *value)
{
    if (json_object_size(value) || json_array_size(value))
        tree_put_new(object, key, value);
    else
        json_decref(value);
}

static void put_unless(json_t *object, const char *key, struct span value, const char *plain)
{
    if (value.length && !span_is(value, plain))
        tree_put_span(object, key, value);
}

json_t *demand_inputs(const struct demand *demand)
{
    json_t *inputs = json_object();

    if (demand->mounts)
        tree_put_new(inputs, "mounts", tree_share(demand->mounts));
    else if (demand->paths)
        tree_put_new(inputs, "mounts", tree_share(demand->selection->mounts));
    put_unless_empty(inputs, "container", container_part(demand));
    put_unless_empty(inputs, "tempDir", temp_dir_part(demand));
    put_unless(inputs, "fileAccess", tree_span(demand->spec, "fileAccess"), "Auto");
    put_unless(inputs, "mode", tree_span(demand->spec, "mode"), "Auto");
    tree_put_new(inputs, "local", demand_local(demand->backend));
    return inputs;
}

static void say(struct findings *cautions, const struct demand *demand, const char *what)
{
    findings_add(cautions, FINDING_WARNING, REASON_DUPLICATE, "",
                 "%s asks for other %s than the backup before it: the first one's are used",
                 demand->name, what);
}

/* The first backup that says something decides. */
static void settle(json_t **held, json_t *wanted, struct findings *cautions,
                   const struct demand *demand, const char *what)
{
    AUTO(json) json_t *mine = wanted;

    if (json_object_size(mine) == 0)
        return;
    if (!*held)
        *held = TAKE(mine);
    else if (!tree_equal(*held, mine))
        say(cautions, demand, what);
}

enum file_access demand_file_access(const json_t *spec)
{
    struct span access = tree_span(spec, "fileAccess");

    return span_is(access, "Root")     ? FILE_ACCESS_ROOT
           : span_is(access, "Follow") ? FILE_ACCESS_FOLLOW
                                       : FILE_ACCESS_AUTO;
}

void demand_add(struct carry *carry, const struct demand *demand, struct findings *cautions)
{
    AUTO(json) json_t *local = demand_local(demand->backend);
    const json_t *mount;
    size_t i;

    if (!carry->mounts)
        carry->mounts = json_array();
    if (!carry->backup)
        carry->file_access = demand_file_access(demand->spec);
    else if (carry->file_access != demand_file_access(demand->spec))
        say(cautions, demand, "fileAccess");
    if (local && !carry->local)
        carry->local = TAKE(local);
    settle(&carry->container, container_part(demand), cautions, demand, "container settings");
    settle(&carry->temp_dir, temp_dir_part(demand), cautions, demand, "tempDir settings");
    tree_items (demand->selection->mounts, i, mount) {
        if (!mount_at(carry->mounts, tree_text(mount, "mountPath")))
            tree_push_new(carry->mounts, tree_share(mount));
    }
    carry->backup = true;
}
