#include "cli/snapshot_list.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "cli/overview.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = tree_text(object, key);

    return text ? text : "";
}

static const char *meta(const json_t *object, const char *key)
{
    return text_of(tree_get(object, "metadata"), key);
}

static void put(json_t *row, const char *key, const char *text)
{
    if (text && *text)
        tree_put_text(row, key, text);
}

/* Where a configuration keeps its snapshots. New reference. */
static json_t *repository_of(const json_t *configuration)
{
    const json_t *ref = tree_at(configuration, "spec.repository");
    const char *space = text_of(ref, "namespace");
    json_t *made = json_object();

    tree_put_text(made, "namespace", *space ? space : meta(configuration, "namespace"));
    tree_put_text(made, "name", text_of(ref, "name"));
    return made;
}

/* ---- rows ---- */

/* What all snapshots of a session share. New reference. */
static json_t *row_begun(const json_t *configuration, const json_t *session)
{
    const json_t *ref = tree_at(configuration, "spec.target.ref");
    json_t *row = json_object(), *target = json_object();

    put(target, "kind", text_of(ref, "kind"));
    put(target, "name", text_of(ref, "name"));
    tree_put_text(row, "namespace", meta(configuration, "namespace"));
    tree_put_text(row, "configuration", meta(configuration, "name"));
    tree_put_new(row, "target", target);
    tree_put_new(row, "repository", repository_of(configuration));
    tree_put_text(row, "session", meta(session, "name"));
    put(row, "time", meta(session, "creationTimestamp"));
    return row;
}

static json_t *row_of(const json_t *begun, const json_t *stat, const json_t *snapshot)
{
    json_t *row = json_copy((json_t *)begun);

    tree_put_text(row, "snapshot", text_of(snapshot, "name"));
    put(row, "host", text_of(stat, "hostname"));
    put(row, "path", text_of(snapshot, "path"));
    put(row, "size", text_of(snapshot, "totalSize"));
    put(row, "uploaded", text_of(snapshot, "uploaded"));
    return row;
}

static void add_session(json_t *rows, const json_t *configuration, const json_t *session)
{
    AUTO(json) json_t *begun = row_begun(configuration, session);
    const json_t *target, *stat, *snapshot;
    size_t i, k, m;

    tree_items (tree_at(session, "status.targets"), i, target)
        tree_items (tree_get(target, "stats"), k, stat)
            tree_items (tree_get(stat, "snapshots"), m, snapshot)
                if (*text_of(snapshot, "name"))
                    tree_push_new(rows, row_of(begun, stat, snapshot));
}

json_t *snapshot_list(const struct snapshots_seen *seen)
{
    json_t *rows = json_array();
    const json_t *configuration, *session;
    size_t i, k;

    tree_items (seen->configurations, i, configuration) {
        AUTO(json) json_t *sessions = overview_backups_of(seen->sessions, configuration);

        tree_items (sessions, k, session)
            add_session(rows, configuration, session);
    }
    return rows;
}

/* ---- what is not known ---- */

static size_t named_in(const json_t *rows, const json_t *repository)
{
    const json_t *row;
    size_t i, count = 0;

    tree_items (rows, i, row)
        count += tree_equal(tree_get(row, "repository"), repository);
    return count;
}

static const json_t *stored(const struct snapshots_seen *seen, const json_t *place)
{
    const json_t *repository;
    size_t i;

    tree_items (seen->repositories, i, repository)
        if (strcmp(meta(repository, "name"), text_of(place, "name")) == 0 &&
            strcmp(meta(repository, "namespace"), text_of(place, "namespace")) == 0)
            return repository;
    return NULL;
}

static void tell(const struct snapshots_seen *seen, const json_t *place, size_t named,
                 struct text *text)
{
    const json_t *status = tree_get(stored(seen, place), "status");
    int64_t held = tree_int(status, "snapshotCount", -1);
    const char *space = text_of(place, "namespace"), *name = text_of(place, "name");

    if (held < 0)
        text_addf(text,
                  "Repository %s/%s: how many snapshots it holds is not known; it is counted after "
                  "the next backup\n",
                  space, name);
    else if ((size_t)held != named)
        text_addf(text,
                  "Repository %s/%s held %lld snapshots when it was last counted, %zu are named "
                  "here\n",
                  space, name, (long long)held, named);
}

void snapshots_not_told(const struct snapshots_seen *seen, const json_t *rows, struct text *text)
{
    AUTO(json) json_t *told = json_array();
    const json_t *configuration, *other;
    size_t i, k;

    tree_items (seen->configurations, i, configuration) {
        AUTO(json) json_t *place = repository_of(configuration);
        bool again = false;

        tree_items (told, k, other)
            again = again || tree_equal(other, place);
        if (again)
            continue;
        tell(seen, place, named_in(rows, place), text);
        tree_push_new(told, TAKE(place));
    }
}
