#include "api/task_variables.h"

#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "api/keys.h"
#include "api/target.h"
#include "api/variables.h"
#include "base/text.h"
#include "base/tree.h"

const char *const task_variable_names[] = {
    "ADDON_IMAGE",
    "BACKUP_SESSION",
    "DRIVER_ARGS",
    "ENABLE_CACHE",
    "EXCLUDE_PATTERNS",
    "GRANARY_AGENT_IMAGE",
    "GRANARY_ETCD_IMAGE",
    "GRANARY_MARIADB_IMAGE",
    "GRANARY_POSTGRES_IMAGE",
    "GRANARY_REDIS_IMAGE",
    "HOSTNAME",
    "INCLUDE_PATTERNS",
    "INTERIM_DATA_DIR",
    "INVOKER_KIND",
    "INVOKER_NAME",
    "IONICE_CLASS",
    "IONICE_CLASS_DATA",
    "LICENSE_APISERVICE",
    "MAX_CONNECTIONS",
    "NAMESPACE",
    "NICE_ADJUSTMENT",
    "PROMETHEUS_JOB_NAME",
    "PROMETHEUS_PUSHGATEWAY_URL",
    "REPOSITORY_BUCKET",
    "REPOSITORY_ENDPOINT",
    "REPOSITORY_INSECURE_TLS",
    "REPOSITORY_NAME",
    "REPOSITORY_NAMESPACE",
    "REPOSITORY_PREFIX",
    "REPOSITORY_PROVIDER",
    "REPOSITORY_REGION",
    "REPOSITORY_SECRET_NAME",
    "REPOSITORY_SECRET_NAMESPACE",
    "REPOSITORY_URL",
    "RESTORE_PATHS",
    "RESTORE_SESSION",
    "RESTORE_SNAPSHOTS",
    "RETENTION_DRY_RUN",
    "RETENTION_KEEP_DAILY",
    "RETENTION_KEEP_HOURLY",
    "RETENTION_KEEP_LAST",
    "RETENTION_KEEP_MONTHLY",
    "RETENTION_KEEP_TAGS",
    "RETENTION_KEEP_WEEKLY",
    "RETENTION_KEEP_YEARLY",
    "RETENTION_PRUNE",
    "SOURCE_HOSTNAME",
    "STASH_DOCKER_IMAGE",
    "STASH_DOCKER_REGISTRY",
    "STASH_IMAGE_TAG",
    "TARGET_API_VERSION",
    "TARGET_APP_GROUP",
    "TARGET_APP_REPLICAS",
    "TARGET_APP_RESOURCE",
    "TARGET_APP_TYPE",
    "TARGET_APP_VERSION",
    "TARGET_KIND",
    "TARGET_MOUNT_PATH",
    "TARGET_NAME",
    "TARGET_NAMESPACE",
    "TARGET_PATHS",
    "TARGET_RESOURCE",
    NULL,
};

bool task_variable_is_reserved(const char *name)
{
    for (const char *const *known = task_variable_names; *known; known++)
        if (!strcmp(name, *known))
            return true;
    return false;
}

/* The texts of a list in one, which is absent when there is none. */
static void put_joined(json_t *made, const char *name, const json_t *list, char separator)
{
    AUTO(text) struct text joined = {0};
    const json_t *item;
    size_t i;

    tree_items (list, i, item) {
        struct span piece = tree_value(item);

        if (i)
            text_putc(&joined, separator);
        if (piece.length)
            text_add(&joined, piece.data, piece.length);
    }
    if (json_array_size(list))
        tree_put_span(made, name, (struct span){text_get(&joined), joined.length});
}

/* The number, when it is at least `low`. */
static void put_from(json_t *made, const char *name, const json_t *value, int64_t low)
{
    if (!json_is_integer(value) || json_integer_value(value) < low)
        return;

    AUTO(free) char *number = text_format("%lld", (long long)json_integer_value(value));

    tree_put_text(made, name, number);
}

static void put_number(json_t *made, const char *name, const json_t *value)
{
    put_from(made, name, value, 1);
}

static void put_true(json_t *made, const char *name, bool value)
{
    tree_put_text(made, name, value ? "true" : NULL);
}

static const json_t *spec_of(const json_t *object)
{
    return tree_get(object, "spec");
}

static const json_t *metadata_of(const json_t *object)
{
    return tree_get(object, "metadata");
}

/* ---- where it is kept ---- */

static struct span trimmed(struct span text)
{
    while (text.length && text.data[0] == '/')
        text = (struct span){text.data + 1, text.length - 1};
    while (text.length && text.data[text.length - 1] == '/')
        text.length--;
    return text;
}

/* http://host:port/path: what is called bucket and prefix there. */
static void put_rest(json_t *made, const char *url)
{
    const char *host = url ? strstr(url, "://") : NULL;
    const char *slash;

    if (!host)
        return;
    host += 3;
    slash = strchrnul(host, '/');
    tree_put_span(made, "REPOSITORY_BUCKET", (struct span){host, (size_t)(slash - host)});
    tree_put_span(made, "REPOSITORY_PREFIX", trimmed(span_of(slash)));
    tree_put_text(made, "REPOSITORY_ENDPOINT", url);
    tree_put_text(made, "REPOSITORY_URL", url);
}

static void put_backend(json_t *made, const json_t *backend)
{
    const char *provider = backend_provider(backend);
    const json_t *of = provider ? tree_get(backend, provider) : NULL;

    tree_put_text(made, "REPOSITORY_PROVIDER", provider);
    if (!provider)
        return;
    tree_put_text(made, "REPOSITORY_INSECURE_TLS", tree_true(of, "insecureTLS") ? "true" : "false");
    put_number(made, "MAX_CONNECTIONS", tree_get(of, "maxConnections"));
    if (!strcmp(provider, "rest")) {
        put_rest(made, tree_text(of, "url"));
        return;
    }
    tree_put_text(made, "REPOSITORY_BUCKET", tree_text(of, "container"));
    tree_put_text(made, "REPOSITORY_BUCKET", tree_text(of, "bucket"));
    tree_put_text(made, "REPOSITORY_BUCKET", tree_text(of, "mountPath"));
    tree_put_text(made, "REPOSITORY_PREFIX", "");
    tree_put_text(made, "REPOSITORY_PREFIX", tree_text(of, "prefix"));
    tree_put_text(made, "REPOSITORY_ENDPOINT", tree_text(of, "endpoint"));
    tree_put_text(made, "REPOSITORY_REGION", tree_text(of, "region"));
}

/* The Secret that is for agents, where there is one. */
static const char *secret_of(const json_t *repository)
{
    const char *agents = tree_text(spec_of(repository), "agentSecretName");

    return agents ? agents : tree_text(tree_at(repository, "spec.backend"), "storageSecretName");
}

static void put_repository(json_t *made, const json_t *repository)
{
    const char *space = tree_text(metadata_of(repository), "namespace");
    const char *secret = secret_of(repository);

    tree_put_text(made, "REPOSITORY_NAME", tree_text(metadata_of(repository), "name"));
    tree_put_text(made, "REPOSITORY_NAMESPACE", space);
    tree_put_text(made, "REPOSITORY_SECRET_NAME", secret);
    tree_put_text(made, "REPOSITORY_SECRET_NAMESPACE", secret ? space : NULL);
    put_backend(made, tree_at(repository, "spec.backend"));
}

/* ---- what is backed up ---- */

static const char * or (const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

/* By its reference; from the object what only that says. */
static void put_reference(json_t *made, const struct task_run *run)
{
    const json_t *ref = tree_at(run->invoker, "spec.target.ref");
    const char *own = tree_text(metadata_of(run->invoker), "namespace");
    const char *kind = or (tree_text(ref, "kind"), ""), *name = or (tree_text(ref, "name"), "");
    const char *space = or (tree_text(ref, "namespace"), or (own, ""));
    AUTO(variables) struct variables of = {0};

    variables_of_target(&of, or (tree_text(ref, "apiVersion"), ""), kind, space, name,
                        spec_of(run->target));
    for (size_t i = 0; i < of.count; i++)
        tree_put_span(made, of.items[i].name,
                      of.items[i].value.data ? of.items[i].value : span_of(""));
    tree_put_text(made, "TARGET_KIND", kind);
}

static void put_target(json_t *made, const struct task_run *run)
{
    const json_t *target = tree_get(spec_of(run->invoker), "target");
    const json_t *mount = json_array_get(tree_get(target, "volumeMounts"), 0);

    put_reference(made, run);
    tree_put_text(made, "TARGET_PATHS", MOUNT_CLAIM);
    put_joined(made, "TARGET_PATHS", tree_get(target, "paths"), ',');
    tree_put_text(made, "TARGET_MOUNT_PATH", or (tree_text(mount, "mountPath"), MOUNT_CLAIM));
    tree_put_text(made, "DRIVER_ARGS", "");
    put_joined(made, "DRIVER_ARGS", tree_get(target, "args"), ' ');
    tree_put_text(made, "TARGET_APP_REPLICAS", run->restore ? "1" : NULL);
    put_number(made, "TARGET_APP_REPLICAS", tree_get(target, "replicas"));
}

static void put_retention(json_t *made, const json_t *policy)
{
    static const struct {
        const char *name, *key;
    } numbers[] = {
        {"RETENTION_KEEP_LAST", "keepLast"},       {"RETENTION_KEEP_HOURLY", "keepHourly"},
        {"RETENTION_KEEP_DAILY", "keepDaily"},     {"RETENTION_KEEP_WEEKLY", "keepWeekly"},
        {"RETENTION_KEEP_MONTHLY", "keepMonthly"}, {"RETENTION_KEEP_YEARLY", "keepYearly"},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        put_number(made, numbers[i].name, tree_get(policy, numbers[i].key));
    put_joined(made, "RETENTION_KEEP_TAGS", tree_get(policy, "keepTags"), ',');
    put_true(made, "RETENTION_PRUNE", tree_true(policy, "prune"));
    put_true(made, "RETENTION_DRY_RUN", tree_true(policy, "dryRun"));
}

/* ---- the restore ---- */

static bool names(const json_t *hosts, const char *host)
{
    const json_t *item;
    size_t i;

    tree_items (hosts, i, item)
        if (span_is(tree_value(item), host))
            return true;
    return false;
}

const json_t *task_restore_rule(const json_t *restore_session, const char *host)
{
    const json_t *rules = tree_at(restore_session, "spec.target.rules"), *rule, *any = NULL;
    size_t i;

    if (!json_array_size(rules))
        rules = tree_at(restore_session, "spec.rules");
    tree_items (rules, i, rule) {
        const json_t *hosts = tree_get(rule, "targetHosts");

        if (names(hosts, host))
            return rule;
        if (!json_array_size(hosts) && !any)
            any = rule;
    }
    return any;
}

static void put_restore(json_t *made, const struct task_run *run, const char *host)
{
    const json_t *rule = task_restore_rule(run->invoker, host);

    tree_put_text(made, "SOURCE_HOSTNAME", or (tree_text(rule, "sourceHost"), host));
    put_joined(made, "RESTORE_PATHS", tree_get(rule, "paths"), ',');
    put_joined(made, "RESTORE_SNAPSHOTS", tree_get(rule, "snapshots"), ',');
    put_joined(made, "INCLUDE_PATTERNS", tree_get(rule, "include"), ',');
    put_joined(made, "EXCLUDE_PATTERNS", tree_get(rule, "exclude"), ',');
}

/* ---- how it runs ---- */

/* The registry, the image and the tag, as Stash's own Functions join them: a/b:c. Of b@sha256:c,
 * too, the whole comes out. */
static void put_image(json_t *made, const char *image)
{
    const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
    const char *colon = strchr(name, ':');
    const char *end = colon ? colon : name + strlen(name);

    tree_put_text(made, "GRANARY_AGENT_IMAGE", image);
    if (slash)
        tree_put_span(made, "STASH_DOCKER_REGISTRY", (struct span){image, (size_t)(slash - image)});
    tree_put_span(made, "STASH_DOCKER_IMAGE", (struct span){name, (size_t)(end - name)});
    tree_put_text(made, "STASH_IMAGE_TAG", colon ? colon + 1 : NULL);
}

static void put_images(json_t *made, const struct settings *settings)
{
    static const struct {
        const char *name;
        enum settings_image which;
    } rows[] = {{"GRANARY_ETCD_IMAGE", SETTINGS_IMAGE_ETCD},
                {"GRANARY_MARIADB_IMAGE", SETTINGS_IMAGE_MARIADB},
                {"GRANARY_POSTGRES_IMAGE", SETTINGS_IMAGE_POSTGRES},
                {"GRANARY_REDIS_IMAGE", SETTINGS_IMAGE_REDIS}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(free) char *image = settings_image(settings, rows[i].which);

        tree_put_text(made, rows[i].name, image);
    }
}

static void put_running(json_t *made, const struct task_run *run)
{
    const json_t *spec = spec_of(run->invoker), *settings = tree_get(spec, "runtimeSettings");
    const json_t *container = tree_get(settings, "container");
    bool cache = !tree_true(tree_get(spec, "tempDir"), "disableCaching");
    bool interim = tree_get(spec, "interimVolumeTemplate") != NULL;

    put_image(made, run->settings->agent_image);
    put_images(made, run->settings);
    tree_put_text(made, "ENABLE_CACHE", cache ? "true" : "false");
    tree_put_text(made, "INTERIM_DATA_DIR",
                  interim ? TASK_INTERIM_MOUNT "/data"
                          : MOUNT_SCRATCH "/stash-interim-volume/data");
    tree_put_text(made, "PROMETHEUS_PUSHGATEWAY_URL", run->settings->pushgateway_url);
    put_from(made, "IONICE_CLASS", tree_at(container, "ionice.class"), 1);
    put_from(made, "IONICE_CLASS_DATA", tree_at(container, "ionice.classData"), 0);
    put_from(made, "NICE_ADJUSTMENT", tree_at(container, "nice.adjustment"), -20);
}

static void put_invoker(json_t *made, const struct task_run *run)
{
    const json_t *metadata = metadata_of(run->session ? run->session : run->invoker);
    const char *name = tree_text(metadata_of(run->invoker), "name");

    tree_put_text(made, "NAMESPACE", tree_text(metadata, "namespace"));
    tree_put_text(made, run->restore ? "RESTORE_SESSION" : "BACKUP_SESSION",
                  tree_text(metadata, "name"));
    tree_put_text(made, "INVOKER_KIND", run->restore ? "RestoreSession" : "BackupConfiguration");
    tree_put_text(made, "INVOKER_NAME", name);
    tree_put_text(made, "PROMETHEUS_JOB_NAME", name);
}

json_t *task_variables(const struct task_run *run)
{
    const json_t *spec = spec_of(run->invoker);
    const char *alias = tree_text(tree_get(spec, "target"), "alias");
    const char *host = or (run->host, or (alias, "host-0"));
    json_t *made = json_object();

    put_repository(made, run->repository);
    put_target(made, run);
    put_invoker(made, run);
    put_running(made, run);
    tree_put_text(made, "HOSTNAME", host);
    if (run->restore) {
        put_restore(made, run, host);
    } else {
        put_retention(made, tree_get(spec, "retentionPolicy"));
        put_joined(made, "EXCLUDE_PATTERNS", tree_at(spec, "target.exclude"), ',');
    }
    return made;
}
