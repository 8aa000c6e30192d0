#include "agent/whole_session.h"

#include <stdbool.h>
#include <string.h>

#include "agent/restic_line.h"
#include "base/auto.h"
#include "base/scalar.h"
#include "base/text.h"
#include "base/tree.h"

/* What stands behind the beginning of a tag, or NULL. */
static const char *tag_of(const json_t *snapshot, const char *beginning)
{
    const json_t *tag;
    size_t i;

    tree_items (tree_get(snapshot, "tags"), i, tag) {
        const char *text = json_string_value(tag);

        if (text && strncmp(text, beginning, strlen(beginning)) == 0 && text[strlen(beginning)])
            return text + strlen(beginning);
    }
    return NULL;
}

const char *session_of(const json_t *snapshot)
{
    return tag_of(snapshot, SESSION_TAG);
}

static bool has_path(const json_t *snapshot, const char *path)
{
    const json_t *one;
    size_t i;

    tree_items (tree_get(snapshot, "paths"), i, one)
        if (!path || span_is(tree_value(one), path))
            return true;
    return false;
}

/* Those of a session, as {"needed": how many, "taken": {"host\npath": true}}. */
static json_t *group_of(json_t *groups, const char *session)
{
    json_t *group = json_object_get(groups, session);

    if (group)
        return group;
    group = json_object();
    tree_put_int(group, "needed", 0);
    tree_put_new(group, "taken", json_object());
    tree_put_new(groups, session, group);
    return group;
}

static void count(json_t *groups, const json_t *snapshot)
{
    const char *session = session_of(snapshot), *needed = tag_of(snapshot, SNAPSHOTS_TAG);
    const char *host = tree_text(snapshot, "hostname"), *path;
    int64_t number = needed ? strtoll(needed, NULL, 10) : 0;
    const json_t *one;
    size_t i;

    if (!session || !host)
        return;

    json_t *group = group_of(groups, session);

    if (number > tree_int(group, "needed", 0))
        tree_put_int(group, "needed", number);
    tree_items (tree_get(snapshot, "paths"), i, one) {
        path = json_string_value(one);

        AUTO(free) char *key = text_format("%s\n%s", host, path ? path : "");

        tree_put_bool(json_object_get(group, "taken"), key, true);
    }
}

static bool is_whole(const json_t *group)
{
    int64_t needed = tree_int(group, "needed", 0);

    return needed > 0 && (int64_t)json_object_size(tree_get(group, "taken")) >= needed;
}

const char *session_newest(const json_t *list)
{
    AUTO(json) json_t *groups = json_object();
    AUTO(json) json_t *whole = json_array();
    const json_t *snapshot;
    size_t i;

    tree_items (list, i, snapshot)
        count(groups, snapshot);
    tree_items (list, i, snapshot) {
        const char *session = session_of(snapshot);

        if (session && is_whole(tree_get(groups, session)))
            tree_push_new(whole, tree_share(snapshot));
    }

    const json_t *newest = restic_newest(whole, NULL);

    return newest ? session_of(newest) : NULL;
}

const json_t *session_snapshot(const json_t *list, const char *session, const char *host,
                               const char *path)
{
    AUTO(json) json_t *some = json_array();
    const json_t *snapshot;
    size_t i;

    tree_items (list, i, snapshot) {
        const char *its = session_of(snapshot);

        if (span_is(tree_span(snapshot, "hostname"), host) && has_path(snapshot, path) &&
            (!session || (its && strcmp(its, session) == 0)))
            tree_push_new(some, tree_share(snapshot));
    }
    return restic_newest(some, NULL);
}
