#include "controllers/hook_make.h"

#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/session_make.h"

static bool is_ours(const char *name)
{
    return name && (strcmp(name, CONTAINER_SIDECAR) == 0 || strcmp(name, CONTAINER_INIT) == 0);
}

/* The number of a container's port; 0: none of that name. */
static int64_t port_in(const json_t *container, const char *name)
{
    return tree_int(tree_named(tree_get(container, "ports"), name), "containerPort", 0);
}

static int64_t port_of(const json_t *pod, const char *only, const char *name)
{
    const json_t *containers = tree_at(pod, "spec.containers"), *container;
    int64_t port = 0;
    size_t i;

    tree_items (containers, i, container) {
        const char *its = tree_text(container, "name");

        if (port == 0 && its && (only && *only ? strcmp(its, only) == 0 : !is_ours(its)))
            port = port_in(container, name);
    }
    return port;
}

json_t *hook_make(const json_t *handler, const json_t *pod)
{
    static const char *const kinds[] = {"httpGet", "httpPost", "tcpSocket"};
    json_t *made = tree_copy(handler);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        json_t *action = json_object_get(made, kinds[i]);
        const char *name = tree_text(action, "port");
        int64_t port = name ? port_of(pod, tree_text(handler, "containerName"), name) : 0;

        if (port > 0)
            tree_put_int(action, "port", port);
    }
    return made;
}

static void put_invoker(json_t *data, const json_t *session, const json_t *invoker)
{
    const json_t *ref = tree_at(session, "spec.invoker");
    const char *kind = tree_text(ref, "kind"), *name = tree_text(ref, "name");
    json_t *made = json_object();

    tree_put_text(made, "APIGroup", GROUP_STASH);
    tree_put_text(made, "Kind", kind ? kind : "RestoreSession");
    if (!name)
        name = tree_text(tree_get(invoker, "metadata"), "name");
    tree_put_text(made, "Name", name ? name : "");
    tree_put_new(data, "Invoker", made);
}

json_t *hook_make_data(const json_t *session, const json_t *invoker)
{
    static const char *const members[][2] = {{"apiVersion", "APIVersion"},
                                             {"kind", "Kind"},
                                             {"name", "Name"},
                                             {"namespace", "Namespace"}};
    AUTO(json) json_t *target = session_target(invoker);
    json_t *data = json_object(), *made = json_object();

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *value = tree_text(target, members[i][0]);

        tree_put_text(made, members[i][1], value ? value : "");
    }
    tree_put_new(data, "Target", made);
    put_invoker(data, session, invoker);
    return data;
}
