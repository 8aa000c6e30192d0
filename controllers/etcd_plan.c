#include "controllers/etcd_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/span.h"
#include "base/text.h"
#include "base/tree.h"

#define TOKEN_DEFAULT "etcd-cluster"

/* Bytes: nine members with long names. */
#define CLUSTER_MAX_BYTES 4096u
#define SECONDS_MAX 86400

void etcd_plan_done(struct etcd_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct etcd_plan_member *member = &plan->members[i];

        free(member->name);
        free(member->pod);
        free(member->claim);
        free(member->data_dir);
        free(member->mount_path);
        free(member->sub_path);
    }
    free(plan->initial_cluster);
    free(plan->token);
    free(plan->version);
    *plan = (struct etcd_plan){0};
}

/* ---- parameters ---- */

static bool is_number(const char *text, int64_t most)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && digits <= 18 && !text[digits] && strtoll(text, NULL, 10) <= most;
}

static bool check_values(const struct etcd_asked *asked, struct error *err)
{
    if (asked->wait && !is_number(asked->wait, SECONDS_MAX))
        return error_set(err, ERROR_INVALID, "parameter waitTimeout: expected 1 to %d seconds",
                         SECONDS_MAX);
    if (asked->bump && !is_number(asked->bump, INT64_MAX / 4))
        return error_set(err, ERROR_INVALID, "parameter bumpRevision: expected a number");
    if (asked->kind && strcmp(asked->kind, "StatefulSet") != 0)
        return error_set(err, ERROR_INVALID,
                         "parameter workloadKind: %.40s can not be scaled; docs/etcd.md says how "
                         "a member is restored by hand",
                         asked->kind);
    return (!asked->data_dir || asked->data_dir[0] == '/') ||
           error_set(err, ERROR_INVALID, "parameter dataDir: expected a path");
}

bool etcd_asked_read(const json_t *params, struct etcd_asked *asked, struct error *err)
{
    const struct {
        const char *name;
        const char **value;
    } known[] = {{"initialCluster", &asked->initial_cluster},
                 {"initialClusterToken", &asked->token},
                 {"dataDir", &asked->data_dir},
                 {"workloadKind", &asked->kind},
                 {"workloadName", &asked->name},
                 {"waitTimeout", &asked->wait},
                 {"bumpRevision", &asked->bump},
                 {"keep", &asked->keep}};
    const json_t *param;
    size_t i, k;

    *asked = (struct etcd_asked){0};
    tree_items (params, i, param) {
        const char *name = tree_text(param, "name"), *value = tree_text(param, "value");

        if (!name || !value || !*value)
            continue;
        for (k = 0; k < sizeof known / sizeof *known; k++)
            if (strcmp(known[k].name, name) == 0)
                break;
        if (k == sizeof known / sizeof *known)
            return error_set(err, ERROR_INVALID, "parameter %.60s is not known here", name);
        *known[k].value = value;
    }
    return check_values(asked, err);
}

/* ---- members ---- */

/* "https://etcd-0.etcd.shop.svc:2380": "etcd-0". */
static struct span host_label(struct span url)
{
    const char *scheme = url.data ? memmem(url.data, url.length, "://", 3) : NULL;
    const char *from = scheme ? scheme + 3 : url.data;
    size_t length = 0, room = from ? (size_t)(url.data + url.length - from) : 0;

    while (length < room && !strchr("./:,", from[length]))
        length++;
    return (struct span){from, length};
}

/* The next "name=url" of a list. */
static bool next_member(struct span *rest, struct span *name, struct span *url)
{
    struct span item;
    const char *equals;

    if (!text_split(rest, ',', &item))
        return false;
    equals = item.length ? memchr(item.data, '=', item.length) : NULL;
    *name = (struct span){item.data, equals ? (size_t)(equals - item.data) : 0};
    *url = equals ? (struct span){equals + 1, item.length - name->length - 1} : (struct span){0};
    return true;
}

/* "etcd-0": "etcd". */
static struct span without_ordinal(struct span pod)
{
    size_t length = pod.length;

    while (length > 0 && pod.data[length - 1] >= '0' && pod.data[length - 1] <= '9')
        length--;
    if (length < 2 || length == pod.length || pod.data[length - 1] != '-')
        return (struct span){0};
    return (struct span){pod.data, length - 1};
}

char *etcd_plan_workload(const struct etcd_asked *asked, struct error *err)
{
    struct span rest = span_of(asked->initial_cluster ? asked->initial_cluster : "");
    struct span name, url, found = {0};

    if (asked->name)
        return text_dup(asked->name, strlen(asked->name));
    if (next_member(&rest, &name, &url))
        found = without_ordinal(host_label(url));
    if (found.length)
        return text_dup(found.data, found.length);
    error_set(err, ERROR_INVALID,
              "the StatefulSet is not known: parameter workloadName of the Task names it");
    return NULL;
}

/* The member of a pod: of that name, or whose peer URL leads there. An empty span: none. */
static struct span member_of(const char *cluster, const char *pod)
{
    struct span rest = span_of(cluster), name, url, by_host = {0};

    while (next_member(&rest, &name, &url)) {
        if (span_is(name, pod))
            return name;
        if (span_is(host_label(url), pod))
            by_host = name;
    }
    return by_host;
}

static size_t count_members(const char *cluster)
{
    struct span rest = span_of(cluster), name, url;
    size_t count = 0;

    while (next_member(&rest, &name, &url))
        count++;
    return count;
}

/* ---- what its container says ---- */

static bool ends_word(char c)
{
    return c == '\0' || strchr(" \t\n\"';&|\\", c) != NULL;
}

/* The value behind "--option=" or "--option " within a text; an empty span: it has none. */
static struct span option_within(const char *text, const char *option)
{
    size_t length = strlen(option);

    for (const char *at = text; (at = strstr(at, option)); at += length) {
        const char *value = at + length;
        size_t used = 0;

        if (*value != '=' && *value != ' ')
            continue;
        value += 1 + strspn(value + 1, "\"' ");
        while (!ends_word(value[used]))
            used++;
        return (struct span){value, used};
    }
    return (struct span){0};
}

/* In the words of a container, also where they are one for a shell. */
static struct span option_of(const json_t *container, const char *option)
{
    static const char *const lists[] = {"command", "args"};
    const json_t *word;
    size_t i;

    for (size_t k = 0; k < 2; k++)
        tree_items (tree_get(container, lists[k]), i, word) {
            const char *text = json_string_value(word);
            struct span found = text ? option_within(text, option) : (struct span){0};
            const json_t *next = json_array_get(tree_get(container, lists[k]), i + 1);

            if (found.length)
                return found;
            if (text && strcmp(text, option) == 0)
                return tree_value(next);
        }
    return (struct span){0};
}

static struct span setting_of(const json_t *container, const char *option, const char *variable)
{
    struct span found = option_of(container, option);

    return found.length
               ? found
               : tree_span(tree_item(tree_get(container, "env"), "name", variable), "value");
}

/* ---- variables ---- */

/* What "$(X)", "${X}" and "$X" begin with; 0: none of them. */
static size_t variable_at(const char *text, struct span *name)
{
    const char *from = text + 1 + (text[1] == '(' || text[1] == '{');
    size_t length = strspn(from, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
    char closing = text[1] == '(' ? ')' : text[1] == '{' ? '}' : '\0';

    *name = (struct span){from, length};
    if (!length || (closing && from[length] != closing))
        return 0;
    return (size_t)(from - text) + length + (closing ? 1 : 0);
}

static const char *value_of(const json_t *container, struct span name, const char *pod)
{
    AUTO(free) char *text = text_dup(name.data, name.length);
    const json_t *variable = tree_item(tree_get(container, "env"), "name", text);
    struct span path = tree_span(tree_at(variable, "valueFrom.fieldRef"), "fieldPath");

    if (span_is(path, "metadata.name") || strcmp(text, "HOSTNAME") == 0)
        return pod;
    return tree_text(variable, "value");
}

/* NULL: it has variables that nobody knows here. */
static char *expand(const json_t *container, struct span text, const char *pod)
{
    AUTO(free) char *whole = text_dup(text.data, text.length);
    AUTO(text) struct text out = {0};

    for (const char *c = whole; *c;) {
        struct span name;
        size_t used = *c == '$' ? variable_at(c, &name) : 0;
        const char *value = used ? value_of(container, name, pod) : NULL;

        if (*c != '$') {
            text_putc(&out, *c++);
            continue;
        }
        if (!value || strchr(value, '$'))
            return NULL;
        text_puts(&out, value);
        c += used;
    }
    return text_dup(text_get(&out), out.length);
}

/* ---- where data are ---- */

static bool is_within(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    while (length > 1 && folder[length - 1] == '/')
        length--;
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The mount that a path is in: the longest one. */
static const json_t *mount_of(const json_t *container, const char *path)
{
    const json_t *mount, *best = NULL;
    size_t i;

    tree_items (tree_get(container, "volumeMounts"), i, mount) {
        const char *folder = tree_text(mount, "mountPath");

        if (folder && is_within(path, folder) &&
            (!best || strlen(folder) > strlen(tree_text(best, "mountPath"))))
            best = mount;
    }
    return best;
}

static char *claim_of(const json_t *set, const char *volume, const char *pod)
{
    const json_t *templates = tree_at(set, "spec.volumeClaimTemplates");
    const json_t *template = tree_item_at(templates, "metadata.name", volume);

    return template ? text_format("%s-%s", volume, pod) : NULL;
}

static bool place_member(const struct etcd_plan *plan, const json_t *set, const char *data_dir,
                         struct etcd_plan_member *member, struct error *err)
{
    const json_t *mount;

    member->data_dir = expand(plan->container, span_of(data_dir), member->pod);
    if (!member->data_dir || member->data_dir[0] != '/')
        return error_set(err, ERROR_INVALID,
                         "the data dir %.200s is not understood: parameter dataDir names it",
                         data_dir);
    mount = mount_of(plan->container, member->data_dir);
    if (!mount)
        return error_set(err, ERROR_INVALID, "the data dir %.200s is on no volume",
                         member->data_dir);
    member->claim =
        claim_of(set, tree_text(mount, "name") ? tree_text(mount, "name") : "", member->pod);
    if (!member->claim)
        return error_set(err, ERROR_INVALID,
                         "the data dir %.200s is on no volume of the StatefulSet's "
                         "volumeClaimTemplates",
                         member->data_dir);
    member->mount_path = text_format("%s", tree_text(mount, "mountPath"));
    if (tree_text(mount, "subPathExpr")) {
        member->sub_path = expand(plan->container, tree_span(mount, "subPathExpr"), member->pod);
        return member->sub_path ||
               error_set(err, ERROR_INVALID, "subPathExpr of the data dir is not understood");
    }
    if (tree_text(mount, "subPath"))
        member->sub_path = text_format("%s", tree_text(mount, "subPath"));
    return true;
}

/* ---- all of it ---- */

/* That has the data dir, as asked or as it says itself. */
static const json_t *find_container(const json_t *pod, const struct etcd_asked *asked)
{
    const json_t *containers = tree_get(pod, "containers"), *container;
    size_t i;

    tree_items (containers, i, container)
        if (setting_of(container, "--data-dir", "ETCD_DATA_DIR").length)
            return container;
    tree_items (containers, i, container)
        if (asked->data_dir && mount_of(container, asked->data_dir))
            return container;
    return NULL;
}

static int64_t user_of(const struct etcd_plan *plan)
{
    int64_t own = tree_int(tree_get(plan->container, "securityContext"), "runAsUser", -1);

    return own >= 0 ? own : tree_int(tree_get(plan->pod, "securityContext"), "runAsUser", 0);
}

/* "registry/etcd:v3.5.21-r0": "3.5.21"; NULL: it says none. */
static char *version_of(const json_t *container)
{
    const char *image = tree_text(container, "image");
    const char *colon = image ? strrchr(image, ':') : NULL;
    const char *from = colon ? colon + 1 + (colon[1] == 'v') : "";
    size_t length = strspn(from, "0123456789.");
    int major, minor, used = 0;

    if (sscanf(from, "%2d.%2d%n", &major, &minor, &used) != 2 || used == 0 || major != 3)
        return NULL;
    while (length > 0 && from[length - 1] == '.')
        length--;
    return text_dup(from, length);
}

static bool add_member(const json_t *set, const char *data_dir, int64_t ordinal,
                       struct etcd_plan *plan, struct error *err)
{
    struct etcd_plan_member *member = &plan->members[plan->count];
    struct span name;

    *member = (struct etcd_plan_member){0};
    member->pod =
        text_format("%s-%lld", tree_text(tree_get(set, "metadata"), "name"), (long long)ordinal);
    plan->count++;
    name = member_of(plan->initial_cluster, member->pod);
    if (!name.length)
        return error_set(err, ERROR_INVALID,
                         "no member of initialCluster is pod %s: neither its name nor the host of "
                         "its peer URL",
                         member->pod);
    member->name = text_dup(name.data, name.length);
    return place_member(plan, set, data_dir, member, err);
}

static bool settle(const struct etcd_asked *asked, const json_t *set, struct etcd_plan *plan,
                   char **data_dir, struct error *err)
{
    struct span found, token;

    plan->pod = tree_at(set, "spec.template.spec");
    plan->container = find_container(plan->pod, asked);
    if (!plan->container)
        return error_set(err, ERROR_INVALID,
                         "no container of the StatefulSet says where its data dir is: parameter "
                         "dataDir names it");
    found = setting_of(plan->container, "--data-dir", "ETCD_DATA_DIR");
    *data_dir =
        asked->data_dir ? text_format("%s", asked->data_dir) : text_dup(found.data, found.length);
    token = setting_of(plan->container, "--initial-cluster-token", "ETCD_INITIAL_CLUSTER_TOKEN");
    plan->initial_cluster = text_format("%s", asked->initial_cluster);
    plan->token = asked->token   ? text_format("%s", asked->token)
                  : token.length ? expand(plan->container, token, "")
                                 : NULL;
    if (!plan->token)
        plan->token = text_format("%s", TOKEN_DEFAULT);
    plan->version = version_of(plan->container);
    plan->user = user_of(plan);
    return true;
}

static bool check_size(const struct etcd_asked *asked, const json_t *set, size_t *count,
                       struct error *err)
{
    int64_t replicas = tree_int(tree_get(set, "spec"), "replicas", 1);

    if (!asked->initial_cluster || !*asked->initial_cluster)
        return error_set(err, ERROR_INVALID,
                         "nothing says which members there are: parameter initialCluster does");
    *count = count_members(asked->initial_cluster);
    if (strlen(asked->initial_cluster) > CLUSTER_MAX_BYTES || *count == 0 ||
        *count > ETCD_MEMBERS_MAX)
        return error_set(err, ERROR_INVALID, "initialCluster: expected 1 to %u members",
                         ETCD_MEMBERS_MAX);
    return replicas <= (int64_t)*count ||
           error_set(err, ERROR_INVALID,
                     "the StatefulSet has %lld replicas, and initialCluster %zu members",
                     (long long)replicas, *count);
}

bool etcd_plan_make(const struct etcd_asked *asked, const json_t *set, struct etcd_plan *plan,
                    struct error *err)
{
    int64_t first = tree_int(tree_at(set, "spec.ordinals"), "start", 0);
    AUTO(etcd_plan) struct etcd_plan made = {0};
    AUTO(free) char *data_dir = NULL;
    size_t count = 0;

    if (!tree_text(tree_get(set, "metadata"), "name"))
        return error_set(err, ERROR_INVALID, "the StatefulSet has no name");
    /* scaling to 0 would delete what is to be kept */
    if (span_is(tree_span(tree_at(set, "spec.persistentVolumeClaimRetentionPolicy"), "whenScaled"),
                "Delete"))
        return error_set(err, ERROR_INVALID,
                         "the StatefulSet deletes its claims when it is scaled "
                         "(persistentVolumeClaimRetentionPolicy.whenScaled): set that to Retain");
    if (!check_size(asked, set, &count, err) || !settle(asked, set, &made, &data_dir, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!add_member(set, data_dir, first + (int64_t)i, &made, err))
            return false;
    *plan = made;
    made = (struct etcd_plan){0};
    return true;
}
