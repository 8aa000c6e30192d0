#include "controllers/untagged.h"

#include <stdlib.h>

#include "api/keys.h"
#include "api/maintenance_args.h"
#include "api/syntax.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/work_make.h"

static bool is_asked(const struct maintenance_seen *seen)
{
    const json_t *annotations = tree_at(seen->repository, "metadata.annotations");

    return span_is(tree_span(annotations, KEY_FORGET_UNTAGGED), "true") && !seen->shared &&
           json_array_size(seen->configurations) == 1;
}

static void add_once(json_t *list, struct span text)
{
    const json_t *item;
    size_t i;

    tree_items (list, i, item)
        if (span_equal(tree_value(item), text))
            return;
    tree_push_new(list, json_stringn(text.data, text.length));
}

/* Who may write a status may write anything into it: what is no host is none of ours. */
static json_t *hosts_of(const json_t *sessions)
{
    json_t *hosts = json_array();
    const json_t *session, *target, *stat;
    struct error ignored;
    size_t i, k, n;

    tree_items (sessions, i, session)
        tree_items (tree_at(session, "status.targets"), k, target)
            tree_items (tree_get(target, "stats"), n, stat) {
                struct span host = tree_span(stat, "hostname");

                if (span_is(tree_span(stat, "phase"), "Succeeded") && syntax_host(host, &ignored))
                    add_once(hosts, host);
            }
    return hosts;
}

/* As they were backed up: of a claim whose paths nobody chose, where a Job mounts it. */
static json_t *paths_of(const json_t *configuration)
{
    const json_t *chosen = tree_at(configuration, "spec.target.paths"), *path;
    struct span kind = tree_span(tree_at(configuration, "spec.target.ref"), "kind");
    json_t *paths = json_array();
    size_t i;

    tree_items (chosen, i, path)
        add_once(paths, tree_value(path));
    if (!json_array_size(chosen) && span_is(kind, "PersistentVolumeClaim"))
        tree_push_text(paths, MOUNT_CLAIM);
    return paths;
}

static bool push_one(const json_t *configuration, const char *host, const json_t *path,
                     json_t *runs, struct error *err)
{
    AUTO(free) char *tag = work_tag(configuration);
    AUTO(json) json_t *paths = json_array();
    const struct forget_of of = {.host = host, .tag = tag, .paths = paths, .untagged = true};
    json_t *args = NULL;

    tree_push_new(paths, tree_share(path));
    if (!forget_args(&of, tree_at(configuration, "spec.retentionPolicy"), &args, err))
        return error_wrap(err, "snapshots without tags");
    tree_push_new(runs, args);
    return true;
}

bool untagged_forgets(const struct maintenance_seen *seen, json_t *runs, struct error *err)
{
    const json_t *configuration = json_array_get(seen->configurations, 0), *host, *path;
    AUTO(json) json_t *hosts = is_asked(seen) ? hosts_of(seen->sessions) : json_array();
    AUTO(json) json_t *paths = paths_of(configuration);
    size_t i, k;

    if (json_array_size(hosts) * json_array_size(paths) > UNTAGGED_MAX)
        return true;
    tree_items (hosts, i, host)
        tree_items (paths, k, path)
            if (!push_one(configuration, json_string_value(host), path, runs, err))
                return false;
    return true;
}
