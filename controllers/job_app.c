#include "controllers/job_app.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/volume.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/etcd_flags.h"

/* Bytes: Linux takes 128 KiB for one variable. */
#define APP_MAX_BYTES (96u << 10)

void job_app_done(struct job_app *app)
{
    json_decref(app->volumes);
    json_decref(app->mounts);
    json_decref(app->env);
    *app = (struct job_app){0};
}

static void add_secret(struct job_app *app, const char *folder, const char *secret)
{
    AUTO(free) char *name = text_format("granary-app-%s", folder);
    AUTO(free) char *path = text_format(MOUNT_APP "/%s", folder);

    tree_push_new(app->volumes, volume_of_secret(name, secret));
    tree_push_new(app->mounts, volume_mount(name, path, NULL, true));
}

static void add_named(struct job_app *app, const char *folder, const json_t *reference)
{
    const char *name = tree_text(reference, "name"), *kind = tree_text(reference, "kind");

    if (name && *name && (!kind || !*kind || strcmp(kind, "Secret") == 0))
        add_secret(app, folder, name);
}

static void add_transforms(struct job_app *app, const json_t *transforms)
{
    const json_t *one;
    size_t i, from = 0;

    tree_items (transforms, i, one) {
        const json_t *others = tree_get(one, "addKeysFrom");
        AUTO(free) char *folder = text_format(APP_FROM "%zu", from);

        if (!others)
            continue;
        add_named(app, folder, tree_get(others, "secretRef"));
        from++;
    }
}

static char *text_of(const json_t *object, const json_t *sets)
{
    static const char *const members[] = {"type", "version", "clientConfig", "secretTransforms"};
    const json_t *spec = tree_get(object, "spec"), *metadata = tree_get(object, "metadata");
    AUTO(json) json_t *said = json_object();
    AUTO(json) json_t *workloads = etcd_flags_of(sets);

    tree_put_text(said, "namespace", tree_text(metadata, "namespace"));
    tree_put_text(said, "name", tree_text(metadata, "name"));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        tree_put_new(said, members[i], tree_copy(tree_get(spec, members[i])));
    if (json_array_size(workloads))
        tree_put_new(said, "workloads", tree_share(workloads));
    return tree_format(said, NULL);
}

/* A kubelet reads $(NAME) in a value, and $$ as $. */
static char *escaped(const char *text)
{
    AUTO(text) struct text made = {0};

    for (; *text; text++)
        text_add(&made, *text == '$' ? "$$" : text, *text == '$' ? 2 : 1);
    return text_take(&made);
}

bool job_app_make(struct job_app *app, const json_t *object, const json_t *sets, const char *space,
                  struct error *err)
{
    const json_t *spec = tree_get(object, "spec");
    const char *own = tree_text(tree_get(object, "metadata"), "namespace");
    AUTO(free) char *text = text_of(object, sets);
    AUTO(free) char *value = escaped(text);
    struct job_app made = {json_array(), json_array(), json_array()};
    json_t *variable = json_object();

    tree_put_text(variable, "name", ENV_APP);
    tree_put_text(variable, "value", value);
    tree_push_new(made.env, variable);
    add_named(&made, APP_SECRET, tree_get(spec, "secret"));
    add_named(&made, APP_TLS, tree_get(spec, "tlsSecret"));
    add_transforms(&made, tree_get(spec, "secretTransforms"));
    if (strlen(value) > APP_MAX_BYTES)
        error_set(err, ERROR_INVALID, "the AppBinding is too large: %zu bytes", strlen(value));
    else if (json_array_size(made.volumes) && own && space && strcmp(own, space) != 0)
        error_set(err, ERROR_INVALID,
                  "the Secrets of the AppBinding are in namespace %s, where this Job is not", own);
    else {
        *app = made;
        return true;
    }
    job_app_done(&made);
    return false;
}

static void add_all(json_t *container, const char *key, const json_t *items)
{
    struct error ignored;
    json_t *list = tree_list(container, key, &ignored);
    const json_t *item;
    size_t i;

    tree_items (items, i, item)
        tree_push_new(list, tree_copy(item));
}

void job_app_put(const struct job_app *app, json_t *container)
{
    if (json_array_size(app->env))
        add_all(container, "env", app->env);
    if (json_array_size(app->mounts))
        add_all(container, "volumeMounts", app->mounts);
}
