#include "api/settings.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/names.h"
#include "api/quantity.h"
#include "api/syntax.h"
#include "base/limits.h"
#include "base/tree.h"

#define AGENT_IMAGE "granary-agent:" GRANARY_VERSION
#define LIMIT_MAX 10000
#define IMAGE_MAX_CHARS 1024

static char *copy_of(const char *text)
{
    return text_dup(text, strlen(text));
}

static bool wrong(struct error *err, const char *expected)
{
    return error_set(err, ERROR_INVALID, "expected %s", expected);
}

/* The text of a string without NUL, or NULL. */
static const char *plain(const json_t *value)
{
    struct span text = tree_value(value);

    return text.data && strlen(text.data) == text.length ? text.data : NULL;
}

static void replace(char **text, const char *by)
{
    free(*text);
    *text = copy_of(by);
}

/* ---- one reader for each key ---- */

static bool read_reference(char **into, const json_t *value, struct error *err)
{
    const char *image = plain(value);

    if (!image || !*image || strlen(image) > IMAGE_MAX_CHARS)
        return wrong(err, "the reference of an image");
    if (!syntax_image(span_of(image), err))
        return false;
    replace(into, image);
    return true;
}

static bool read_image(struct settings *settings, const json_t *value, struct error *err)
{
    return read_reference(&settings->agent_image, value, err);
}

static bool read_etcd_image(struct settings *settings, const json_t *value, struct error *err)
{
    return read_reference(&settings->images[SETTINGS_IMAGE_ETCD], value, err);
}

static bool read_mariadb_image(struct settings *settings, const json_t *value, struct error *err)
{
    return read_reference(&settings->images[SETTINGS_IMAGE_MARIADB], value, err);
}

static bool read_postgres_image(struct settings *settings, const json_t *value, struct error *err)
{
    return read_reference(&settings->images[SETTINGS_IMAGE_POSTGRES], value, err);
}

static bool read_redis_image(struct settings *settings, const json_t *value, struct error *err)
{
    return read_reference(&settings->images[SETTINGS_IMAGE_REDIS], value, err);
}

static bool read_wipe_image(struct settings *settings, const json_t *value, struct error *err)
{
    return read_reference(&settings->images[SETTINGS_IMAGE_WIPE], value, err);
}

/* Which of the words, or -1. */
static int read_word(const json_t *value, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (span_is(tree_value(value), words[i]) && json_is_string(value))
            return i;
    return -1;
}

static bool read_pull_policy(struct settings *settings, const json_t *value, struct error *err)
{
    static const char *const words[] = {"Always", "IfNotPresent", "Never", NULL};
    int word = read_word(value, words);

    if (word < 0)
        return wrong(err, "Always, IfNotPresent or Never");
    replace(&settings->agent_image_pull_policy, words[word]);
    return true;
}

static bool is_pull_secret(const json_t *secret)
{
    return json_object_size(secret) == 1 && name_is_subdomain(tree_span(secret, "name"));
}

static bool read_pull_secrets(struct settings *settings, const json_t *value, struct error *err)
{
    const json_t *secret;
    size_t i;

    if (!json_is_array(value))
        return wrong(err, "a list of {name: ...}");
    tree_items (value, i, secret)
        if (!is_pull_secret(secret))
            return wrong(err, "a list of {name: ...}");
    json_decref(settings->agent_pull_secrets);
    settings->agent_pull_secrets = tree_copy(value);
    return true;
}

static bool read_quantity(struct settings *settings, const char *list, const char *resource,
                          const json_t *value, struct error *err)
{
    struct quantity amount;

    if (!quantity_read(value, &amount, err))
        return false;
    if (quantity_sign(&amount) <= 0)
        return wrong(err, "a quantity above zero");
    tree_put_new(json_object_get(settings->agent_resources, list), resource, tree_copy(value));
    return true;
}

static bool read_request_cpu(struct settings *settings, const json_t *value, struct error *err)
{
    return read_quantity(settings, "requests", "cpu", value, err);
}

static bool read_request_memory(struct settings *settings, const json_t *value, struct error *err)
{
    return read_quantity(settings, "requests", "memory", value, err);
}

static bool read_limit_cpu(struct settings *settings, const json_t *value, struct error *err)
{
    return read_quantity(settings, "limits", "cpu", value, err);
}

static bool read_limit_memory(struct settings *settings, const json_t *value, struct error *err)
{
    return read_quantity(settings, "limits", "memory", value, err);
}

static bool read_enforcement(struct settings *settings, const json_t *value, struct error *err)
{
    static const char *const words[] = {"Warn", "Deny", NULL};
    int word = read_word(value, words);

    if (word < 0)
        return wrong(err, "Warn or Deny");
    settings->deny = word == 1;
    return true;
}

static bool read_excluded(struct settings *settings, const json_t *value, struct error *err)
{
    const json_t *name;
    size_t i;

    if (!json_is_array(value))
        return wrong(err, "a list of namespaces");
    tree_items (value, i, name)
        if (!name_is_label(tree_value(name)))
            return wrong(err, "a list of namespaces");
    json_decref(settings->excluded);
    settings->excluded = tree_copy(value);
    return true;
}

static bool read_cluster_name(struct settings *settings, const json_t *value, struct error *err)
{
    const char *name = plain(value);

    if (!name || (*name && !name_is_subdomain(span_of(name))))
        return wrong(err, "a name of lower-case letters, digits, \"-\" and \".\"");
    replace(&settings->cluster_name, name);
    return true;
}

static bool read_limit(int64_t *limit, const json_t *value, struct error *err)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > LIMIT_MAX)
        return error_set(err, ERROR_INVALID, "expected a whole number from 1 to %d", LIMIT_MAX);
    *limit = json_integer_value(value);
    return true;
}

static bool read_sessions(struct settings *settings, const json_t *value, struct error *err)
{
    return read_limit(&settings->concurrent_sessions, value, err);
}

static bool read_jobs(struct settings *settings, const json_t *value, struct error *err)
{
    return read_limit(&settings->concurrent_jobs, value, err);
}

static bool read_session_jobs(struct settings *settings, const json_t *value, struct error *err)
{
    return read_limit(&settings->jobs_per_session, value, err);
}

static bool read_writes(struct settings *settings, const json_t *value, struct error *err)
{
    return read_limit(&settings->writes_per_second, value, err);
}

static bool read_pushgateway(struct settings *settings, const json_t *value, struct error *err)
{
    const char *url = plain(value);

    if (!url)
        return wrong(err, "an address");
    if (!syntax_rest_url(span_of(url), err))
        return false;
    replace(&settings->pushgateway_url, url);
    return true;
}

/* Whether it is a certificate is found when it is used. */
static bool read_pushgateway_ca(struct settings *settings, const json_t *value, struct error *err)
{
    const char *pem = plain(value);

    if (!pem || strlen(pem) > KUBE_PEM_MAX_BYTES || !strstr(pem, "-----BEGIN CERTIFICATE-----"))
        return wrong(err, "certificates as PEM");
    replace(&settings->pushgateway_ca, pem);
    return true;
}

static bool read_log_level(struct settings *settings, const json_t *value, struct error *err)
{
    static const char *const words[] = {"debug", "info", "warn", "error", NULL};
    int word = read_word(value, words);

    if (word < 0)
        return wrong(err, "debug, info, warn or error");
    settings->log_level = (enum log_level)word;
    return true;
}

/* ---- the tree ---- */

static const struct member {
    const char *path;
    bool (*read)(struct settings *settings, const json_t *value, struct error *err);
} members[] = {
    {"agent.image", read_image},
    {"etcd.image", read_etcd_image},
    {"agent.imagePullPolicy", read_pull_policy},
    {"agent.imagePullSecrets", read_pull_secrets},
    {"agent.resources.requests.cpu", read_request_cpu},
    {"agent.resources.requests.memory", read_request_memory},
    {"agent.resources.limits.cpu", read_limit_cpu},
    {"agent.resources.limits.memory", read_limit_memory},
    {"mariadb.image", read_mariadb_image},
    {"postgres.image", read_postgres_image},
    {"redis.image", read_redis_image},
    {"wipe.image", read_wipe_image},
    {"enforcement", read_enforcement},
    {"excludedNamespaces", read_excluded},
    {"clusterName", read_cluster_name},
    {"limits.concurrentSessions", read_sessions},
    {"limits.concurrentJobs", read_jobs},
    {"limits.jobsPerSession", read_session_jobs},
    {"limits.writesPerSecond", read_writes},
    {"pushgateway.url", read_pushgateway},
    {"pushgateway.caBundle", read_pushgateway_ca},
    {"logLevel", read_log_level},
};

#define MEMBERS (sizeof members / sizeof *members)

static const struct member *find_member(const char *path)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (strcmp(members[i].path, path) == 0)
            return &members[i];
    return NULL;
}

/* True when members lie below this path. */
static bool is_section(const char *path)
{
    size_t length = strlen(path);

    for (size_t i = 0; i < MEMBERS; i++)
        if (strncmp(members[i].path, path, length) == 0 && members[i].path[length] == '.')
            return true;
    return false;
}

/* All members, then the sections of the first level: what somebody may have meant. */
static bool unknown(const char *path, struct error *err)
{
    const char *candidates[MEMBERS + 5] = {NULL};
    size_t count = 0;

    for (; count < MEMBERS; count++)
        candidates[count] = members[count].path;
    candidates[count++] = "agent";
    candidates[count++] = "agent.resources";
    candidates[count++] = "limits";
    candidates[count] = "pushgateway";

    const char *meant = text_did_you_mean(span_of(path), candidates);

    return error_set(err, ERROR_INVALID, "%.100s: there is no such setting%s%s%s", path,
                     meant ? ": did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static bool read_object(struct settings *settings, const json_t *object, const char *path,
                        struct error *err);

static bool read_member(struct settings *settings, const json_t *value, const char *path,
                        struct error *err)
{
    const struct member *member = find_member(path);
    bool section = is_section(path);

    if (!member && !section)
        return unknown(path, err);
    if (json_is_null(value))
        return true;
    if (section)
        return json_is_object(value) ? read_object(settings, value, path, err)
                                     : error_set(err, ERROR_INVALID, "%s: expected members", path);
    return member->read(settings, value, err) || error_wrap(err, "%s", path);
}

static bool read_object(struct settings *settings, const json_t *object, const char *path,
                        struct error *err)
{
    const char *key;
    const json_t *value;

    tree_each (object, key, value) {
        AUTO(free) char *below = text_format("%s%s%s", path, *path ? "." : "", key);

        if (strchr(key, '.'))
            return unknown(below, err);
        if (!read_member(settings, value, below, err))
            return false;
    }
    return true;
}

/* A request above its limit would make every pod invalid. */
static bool check_resources(const struct settings *settings, struct error *err)
{
    static const char *const resources[] = {"cpu", "memory"};

    for (size_t i = 0; i < 2; i++) {
        struct quantity request, limit;
        const json_t *requests = tree_get(settings->agent_resources, "requests");
        const json_t *limits = tree_get(settings->agent_resources, "limits");

        if (!quantity_read(tree_get(requests, resources[i]), &request, err) ||
            !quantity_read(tree_get(limits, resources[i]), &limit, err))
            return false;
        if (quantity_compare(&request, &limit) > 0)
            return error_set(err, ERROR_INVALID,
                             "agent.resources.requests.%s: above agent.resources.limits.%s",
                             resources[i], resources[i]);
    }
    return true;
}

static json_t *amounts(const char *cpu, const char *memory)
{
    json_t *list = json_object();

    tree_put_text(list, "cpu", cpu);
    tree_put_text(list, "memory", memory);
    return list;
}

void settings_default(struct settings *settings)
{
    static const char *const excluded[] = {"kube-system", "kube-node-lease", NAMESPACE_SYSTEM};

    *settings = (struct settings){
        .agent_image = copy_of(AGENT_IMAGE),
        .agent_image_pull_policy = copy_of("IfNotPresent"),
        .agent_pull_secrets = json_array(),
        .agent_resources = json_object(),
        .excluded = json_array(),
        .cluster_name = copy_of(""),
        .concurrent_sessions = 20,
        .concurrent_jobs = 40,
        .jobs_per_session = 5,
        .writes_per_second = 20,
        .log_level = LOG_INFO,
    };
    tree_put_new(settings->agent_resources, "requests", amounts("10m", "64Mi"));
    tree_put_new(settings->agent_resources, "limits", amounts("1", "512Mi"));
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++)
        tree_push_text(settings->excluded, excluded[i]);
}

bool settings_parse(struct settings *settings, const json_t *tree, struct error *err)
{
    AUTO(settings) struct settings made = {0};

    settings_default(&made);
    if (tree && !json_is_null(tree) && !json_is_object(tree))
        return error_set(err, ERROR_INVALID, "expected settings by name");
    if (!read_object(&made, tree, "", err) || !check_resources(&made, err))
        return false;
    *settings = made;
    made = (struct settings){0};
    return true;
}

void settings_done(struct settings *settings)
{
    free(settings->agent_image);
    free(settings->agent_image_pull_policy);
    for (int i = 0; i < SETTINGS_IMAGES; i++)
        free(settings->images[i]);
    free(settings->cluster_name);
    free(settings->pushgateway_url);
    free(settings->pushgateway_ca);
    json_decref(settings->agent_pull_secrets);
    json_decref(settings->agent_resources);
    json_decref(settings->excluded);
    *settings = (struct settings){0};
}

bool settings_excludes(const struct settings *settings, const char *space)
{
    const json_t *name;
    size_t i;

    tree_items (settings->excluded, i, name)
        if (span_is(tree_value(name), space))
            return true;
    return false;
}

bool settings_deny(const struct settings *settings)
{
    return settings->deny;
}

char *settings_image(const struct settings *settings, enum settings_image which)
{
    static const char agent[] = "granary-agent";
    static const char *const names[] = {[SETTINGS_IMAGE_ETCD] = "granary-etcd",
                                        [SETTINGS_IMAGE_MARIADB] = "granary-mariadb",
                                        [SETTINGS_IMAGE_POSTGRES] = "granary-postgres",
                                        [SETTINGS_IMAGE_REDIS] = "granary-redis",
                                        [SETTINGS_IMAGE_WIPE] = "granary-wipe"};
    const char *image = settings->agent_image, *slash = strrchr(image, '/');
    const char *name = slash ? slash + 1 : image;

    if (settings->images[which])
        return copy_of(settings->images[which]);
    /* a digest is of that image alone */
    if (strncmp(name, agent, strlen(agent)) != 0 || strchr(name, '@'))
        return copy_of(image);
    return text_format("%.*s%s%s", (int)(name - image), image, names[which], name + strlen(agent));
}
