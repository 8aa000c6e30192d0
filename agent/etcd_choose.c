#include "agent/etcd_choose.h"

#include <string.h>

#include "agent/restic_line.h"
#include "api/keys.h"
#include "api/task_variables.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

/* As many digits as restic shows. */
#define ID_MIN_CHARS 8

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

static bool is_dump(const json_t *snapshot)
{
    const char *path = json_string_value(json_array_get(tree_get(snapshot, "paths"), 0));

    return json_array_size(tree_get(snapshot, "paths")) == 1 && path &&
           (is_below(path, MOUNT_SCRATCH) || is_below(path, TASK_INTERIM_MOUNT));
}

static const json_t *newest_of(const json_t *list, const char *host)
{
    AUTO(json) json_t *own = json_array();
    const json_t *snapshot;
    size_t i;

    tree_items (list, i, snapshot)
        if (is_dump(snapshot) && span_is(tree_span(snapshot, "hostname"), host))
            tree_push_new(own, tree_share(snapshot));
    return restic_newest(own, NULL);
}

static const json_t *named(const json_t *list, const char *wanted, struct error *err)
{
    const json_t *snapshot, *found = NULL;
    size_t i;

    if (strlen(wanted) < ID_MIN_CHARS) {
        error_set(err, ERROR_INVALID, "%s: an id has %d digits at least", wanted, ID_MIN_CHARS);
        return NULL;
    }
    tree_items (list, i, snapshot) {
        const char *id = tree_text(snapshot, "id");

        if (!id || !restic_id_is(id) || strncmp(id, wanted, strlen(wanted)) != 0)
            continue;
        if (found) {
            error_set(err, ERROR_CONFLICT, "%s is the begin of several snapshots", wanted);
            return NULL;
        }
        found = snapshot;
    }
    if (!found)
        error_set(err, ERROR_NOT_FOUND, "there is no snapshot %.64s", wanted);
    else if (!is_dump(found))
        error_set(err, ERROR_INVALID, "snapshot %.64s has no dump", wanted);
    return found && is_dump(found) ? found : NULL;
}

json_t *etcd_choose(const json_t *list, const char *wanted, const char *host, struct error *err)
{
    const json_t *newest = newest_of(list, host);
    const json_t *chosen = strcmp(wanted, "latest") == 0 ? newest : named(list, wanted, err);
    json_t *said;

    if (!chosen) {
        if (strcmp(wanted, "latest") == 0)
            error_set(err, ERROR_NOT_FOUND, "there is no snapshot of a dump of host %.200s", host);
        return NULL;
    }
    said = json_object();
    tree_put_text(said, "snapshot", tree_text(chosen, "id"));
    tree_put_text(said, "time", tree_text(chosen, "time"));
    if (newest && newest != chosen) {
        tree_put_text(said, "newest", tree_text(newest, "id"));
        tree_put_text(said, "newestTime", tree_text(newest, "time"));
    }
    return said;
}
