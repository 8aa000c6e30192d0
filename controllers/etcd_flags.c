#include "controllers/etcd_flags.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/span.h"
#include "base/text.h"
#include "base/tree.h"

/* StatefulSets of one namespace that run an etcd; and bytes of one flag. */
#define SETS_MAX 8u
#define FLAG_MAX_BYTES 4096u

/* Which are kept: what else stands there may be anything, a password too. */
static const char *const kept[] = {
    "name",
    "data-dir",
    "wal-dir",
    "initial-cluster",
    "initial-cluster-token",
    "initial-advertise-peer-urls",
    "advertise-client-urls",
    "listen-peer-urls",
    "listen-client-urls",
    "quota-backend-bytes",
    "auto-compaction-mode",
    "auto-compaction-retention",
    "snapshot-count",
    "max-request-bytes",
    "max-txn-ops",
    "heartbeat-interval",
    "election-timeout",
    "auth-token",
};

/* "data-dir" of "ETCD_DATA_DIR"; the caller frees it. NULL: no variable of etcd. */
static char *of_variable(const char *name)
{
    AUTO(text) struct text made = {0};

    if (strncmp(name, "ETCD_", 5) != 0)
        return NULL;
    for (name += 5; *name; name++)
        text_putc(&made, *name == '_' ? '-' : (char)tolower((unsigned char)*name));
    return text_take(&made);
}

static void put(json_t *flags, const char *name, struct span value)
{
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strcmp(kept[i], name) == 0 && value.length <= FLAG_MAX_BYTES)
            tree_put_new(flags, name, json_stringn(value.data, value.length));
}

/* "--data-dir=/var/lib/etcd"; or the value is the word behind it. */
static void put_words(json_t *flags, const json_t *words)
{
    const json_t *word;
    size_t i;

    tree_items (words, i, word) {
        const char *text = json_string_value(word), *end = text ? strchr(text, '=') : NULL;

        if (!text || strncmp(text, "--", 2) != 0)
            continue;
        if (end) {
            AUTO(free) char *name = text_dup(text + 2, (size_t)(end - text - 2));

            put(flags, name, span_of(end + 1));
        } else if (json_is_string(json_array_get(words, i + 1))) {
            put(flags, text + 2, span_of(json_string_value(json_array_get(words, i + 1))));
        }
    }
}

/* A flag wins over its variable, as with etcd itself. */
static json_t *flags_of(const json_t *container)
{
    json_t *flags = json_object();
    const json_t *variable;
    size_t i;

    tree_items (tree_get(container, "env"), i, variable) {
        const char *name = tree_text(variable, "name"), *value = tree_text(variable, "value");
        AUTO(free) char *flag = name && value ? of_variable(name) : NULL;

        if (flag)
            put(flags, flag, span_of(value));
    }
    put_words(flags, tree_get(container, "command"));
    put_words(flags, tree_get(container, "args"));
    return flags;
}

static bool runs_etcd(const json_t *container, const json_t *flags)
{
    const char *program = json_string_value(json_array_get(tree_get(container, "command"), 0));
    const char *base = program ? strrchr(program, '/') : NULL;

    return tree_get(flags, "initial-cluster") || tree_get(flags, "initial-advertise-peer-urls") ||
           (program && strcmp(base ? base + 1 : program, "etcd") == 0);
}

static json_t *names_of(const json_t *claims)
{
    json_t *names = json_array();
    const json_t *claim;
    size_t i;

    tree_items (claims, i, claim)
        if (tree_text(tree_get(claim, "metadata"), "name"))
            tree_push_text(names, tree_text(tree_get(claim, "metadata"), "name"));
    return names;
}

static json_t *mounts_of(const json_t *container)
{
    json_t *mounts = json_object();
    const json_t *mount;
    size_t i;

    tree_items (tree_get(container, "volumeMounts"), i, mount)
        if (tree_text(mount, "name") && tree_text(mount, "mountPath"))
            tree_put_text(mounts, tree_text(mount, "name"), tree_text(mount, "mountPath"));
    return mounts;
}

static json_t *said_of(const json_t *set, const json_t *container, json_t *flags)
{
    const json_t *spec = tree_get(set, "spec");
    const char *service = tree_text(spec, "serviceName"), *image = tree_text(container, "image");
    json_t *said = json_object();

    tree_put_text(said, "kind", "StatefulSet");
    tree_put_text(said, "name", tree_text(tree_get(set, "metadata"), "name"));
    tree_put_int(said, "replicas", tree_int(spec, "replicas", 1));
    if (service)
        tree_put_text(said, "serviceName", service);
    tree_put_text(said, "container", tree_text(container, "name"));
    if (image)
        tree_put_text(said, "image", image);
    tree_put_new(said, "flags", flags);
    tree_put_new(said, "mounts", mounts_of(container));
    tree_put_new(said, "claims", names_of(tree_get(spec, "volumeClaimTemplates")));
    return said;
}

json_t *etcd_flags_of(const json_t *sets)
{
    json_t *all = json_array();
    const json_t *set, *container;
    size_t i, k;

    tree_items (sets, i, set)
        tree_items (tree_at(set, "spec.template.spec.containers"), k, container) {
            AUTO(json) json_t *flags = flags_of(container);

            if (json_array_size(all) < SETS_MAX && runs_etcd(container, flags) &&
                tree_text(tree_get(set, "metadata"), "name") && tree_text(container, "name"))
                tree_push_new(all, said_of(set, container, TAKE(flags)));
        }
    return all;
}
