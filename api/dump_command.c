#include "api/dump_command.h"

#include <string.h>

#include "api/annotation.h"
#include "api/keys.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/tree.h"

static const json_t *annotations_of(const json_t *object)
{
    return tree_at(object, "metadata.annotations");
}

bool dump_command_is_of(const json_t *configuration)
{
    return tree_text(annotations_of(configuration), KEY_DUMP_COMMAND) != NULL;
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
    return span_equal(tree_span(annotations_of(a), key), tree_span(annotations_of(b), key));
}

json_t *dump_command_agreed(const json_t *configuration, const json_t *workload,
                            const char **container, struct error *err)
{
    const json_t *theirs = annotations_of(workload);
    AUTO(findings) struct findings ignored = {0};
    AUTO(annotations) struct annotations read = {.blueprint_count = 0};

    if (!workload) {
        error_set(err, ERROR_NOT_FOUND, "the workload is not there");
        return NULL;
    }
    if (!same(configuration, workload, KEY_DUMP_COMMAND) ||
        !same(configuration, workload, KEY_DUMP_CONTAINER)) {
        error_set(err, ERROR_CONFLICT,
                  KEY_DUMP_COMMAND " of the workload is another one than the BackupConfiguration "
                                   "was made for");
        return NULL;
    }
    annotations_parse(&read, theirs, &ignored);
    if (!read.dump_command) {
        error_set(err, ERROR_INVALID, KEY_DUMP_COMMAND " is no list of texts");
        return NULL;
    }
    *container = read.dump_container ? tree_text(theirs, KEY_DUMP_CONTAINER) : NULL;
    return json_incref(read.dump_command);
}

/* ---- where it runs ---- */

static bool is_owned(const json_t *pod, const char *const *owners, size_t count)
{
    struct span uid = tree_span(target_controller(tree_get(pod, "metadata")), "uid");

    for (size_t i = 0; uid.length && i < count; i++)
        if (span_is(uid, owners[i]))
            return true;
    return false;
}

static bool is_ours(const char *name)
{
    return strcmp(name, CONTAINER_SIDECAR) == 0 || strcmp(name, CONTAINER_INIT) == 0;
}

/* As the pod names it, so that the name lives with the pod. */
static const char *container_in(const json_t *pod, const char *wanted)
{
    const json_t *one;
    size_t i;

    tree_items (tree_at(pod, "spec.containers"), i, one) {
        const char *name = tree_text(one, "name");

        if (name && !is_ours(name) && (!wanted || span_is(text_trim(span_of(wanted)), name)))
            return name;
    }
    return NULL;
}

static bool is_ready(const json_t *pod, const char *container)
{
    const json_t *status = tree_get(pod, "status");
    const json_t *its = tree_named(tree_get(status, "containerStatuses"), container);

    return span_is(tree_span(status, "phase"), "Running") && tree_true(its, "ready") &&
           !tree_get(tree_get(pod, "metadata"), "deletionTimestamp");
}

static const char *name_of(const json_t *pod)
{
    const char *name = tree_text(tree_get(pod, "metadata"), "name");

    return name ? name : "";
}

const json_t *dump_command_pod(const json_t *const *pods, size_t count, const char *const *owners,
                               size_t owner_count, const char **container, struct error *err)
{
    const json_t *found = NULL;
    const char *where = NULL;

    for (size_t i = 0; i < count; i++) {
        const char *its = container_in(pods[i], *container);

        if (!its || !is_owned(pods[i], owners, owner_count) || !is_ready(pods[i], its) ||
            (found && strcmp(name_of(found), name_of(pods[i])) < 0))
            continue;
        found = pods[i];
        where = its;
    }
    if (!found)
        error_set(err, ERROR_UNAVAILABLE, "no pod of the workload is ready that has %s%s",
                  *container ? "a container " : "a container of its own",
                  *container ? *container : "");
    else
        *container = where;
    return found;
}
