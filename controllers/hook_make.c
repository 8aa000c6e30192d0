#include "controllers/hook_make.h"

#include <string.h>

#include "api/hook_template.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/session_make.h"

static bool is_ours(const char *name)
{
    return name && (strcmp(name, CONTAINER_SIDECAR) == 0 || strcmp(name, CONTAINER_INIT) == 0);
}

/* Bytes of one word of a command, with what its templates became. */
#define WORD_MAX_BYTES (64u << 10)

json_t *hook_make_command(const json_t *handler, const json_t *data, struct error *err)
{
    const json_t *command = tree_at(handler, "exec.command"), *word;
    AUTO(json) json_t *made = json_array();
    size_t i;

    tree_items (command, i, word) {
        AUTO(text) struct text text = {0};

        if (!json_is_string(word) ||
            !hook_template_fill(tree_value(word), data, WORD_MAX_BYTES, &text, err)) {
            if (!json_is_string(word))
                error_set(err, ERROR_INVALID, "a word that is no text");
            error_wrap(err, "command[%zu]", i);
            return NULL;
        }
        tree_push_text(made, text_get(&text));
    }
    if (i > 0)
        return TAKE(made);
    error_set(err, ERROR_INVALID, "the hook has no command now");
    return NULL;
}

const char *hook_make_container(const json_t *handler, const json_t *pod)
{
    const char *wanted = tree_text(handler, "containerName");
    const json_t *containers = tree_at(pod, "spec.containers"), *container;
    size_t i;

    tree_items (containers, i, container) {
        const char *its = tree_text(container, "name");

        if (its && !is_ours(its) && (!wanted || !*wanted || strcmp(its, wanted) == 0))
            return its;
    }
    return NULL;
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
