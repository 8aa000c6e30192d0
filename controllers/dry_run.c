#include "controllers/dry_run.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "base/yaml.h"
#include "controllers/target_loop.h"
#include "kube/catalog.h"

/* Longer than the largest catalog takes. */
#define IDLE_MS 300000

/* What would be written: key -> {verb, why, object}; an object once. */
struct shown {
    pthread_mutex_t lock;
    json_t *writes;
};

static const char *text_at(const json_t *object, const char *path)
{
    const char *text = json_string_value(tree_at(object, path));

    return text ? text : "";
}

static const char *target_of(const json_t *object)
{
    const char *target = tree_text(tree_at(object, "metadata.annotations"), KEY_TARGET);

    return target ? target : "";
}

/* In the order of targets, and of writes. */
static char *key_of(const char *verb, const json_t *object)
{
    bool first = strcmp(text_at(object, "kind"), "Repository") == 0;

    return text_format("%s %d %s %s/%s", target_of(object), first ? 0 : 1, verb,
                       text_at(object, "metadata.namespace"), text_at(object, "metadata.name"));
}

static void show(void *context, const char *verb, const json_t *object, const char *why)
{
    struct shown *shown = context;
    AUTO(free) char *key = key_of(verb, object);
    json_t *write = json_object();

    tree_put_text(write, "verb", verb);
    tree_put_text(write, "why", why);
    tree_put_new(write, "object", tree_share(object));
    pthread_mutex_lock(&shown->lock);
    tree_put_new(shown->writes, key, write);
    pthread_mutex_unlock(&shown->lock);
}

/* ---- output ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted_keys(const json_t *object)
{
    const char **keys = text_alloc((json_object_size(object) + 1) * sizeof *keys);
    const json_t *value;
    const char *key;
    size_t count = 0;

    tree_each (object, key, value)
        keys[count++] = key;
    qsort(keys, count, sizeof *keys, by_text);
    return keys;
}

/* Of what is deleted, which one is enough. */
static json_t *identity(const json_t *object)
{
    json_t *made = json_object(), *metadata = json_object();

    tree_put_text(made, "apiVersion", tree_text(object, "apiVersion"));
    tree_put_text(made, "kind", tree_text(object, "kind"));
    tree_put_text(metadata, "name", text_at(object, "metadata.name"));
    tree_put_text(metadata, "namespace", text_at(object, "metadata.namespace"));
    tree_put_new(made, "metadata", metadata);
    return made;
}

static void add_write(struct text *out, const json_t *write)
{
    const json_t *object = tree_get(write, "object");
    bool deletes = strcmp(tree_text(write, "verb"), "delete") == 0;
    AUTO(json) json_t *told = deletes ? identity(object) : tree_copy(object);

    text_addf(out, "%s# %s, since %s\n# for %s\n", out->length ? "---\n" : "",
              tree_text(write, "verb"), tree_text(write, "why"), target_of(object));
    yaml_write(out, told);
}

static void add_problem(struct text *out, const char *key, const json_t *problem)
{
    AUTO(free)
    char *line = text_printable(span_of(tree_text(problem, "problem")), LOG_VALUE_MAX_CHARS);

    text_addf(out, "# %s: %s: %s\n", key, tree_text(problem, "reason"), line);
}

static void add_all(struct text *out, const json_t *writes, const json_t *problems)
{
    AUTO(free) const char **keys = sorted_keys(writes);
    AUTO(free) const char **blamed = sorted_keys(problems);

    for (size_t i = 0; i < json_object_size(writes); i++)
        add_write(out, tree_get(writes, keys[i]));
    for (size_t i = 0; i < json_object_size(problems); i++)
        add_problem(out, blamed[i], tree_get(problems, blamed[i]));
}

/* ---- the run ---- */

static bool run(const struct controller_options *options, struct settings_store *settings,
                struct text *out, struct error *err)
{
    static const struct loop *const table[] = {&target_loop, NULL};
    struct shown shown = {.lock = PTHREAD_MUTEX_INITIALIZER, .writes = json_object()};
    AUTO(json) json_t *writes = shown.writes;
    struct loops_options how = {
        .table = table,
        .folder = options->catalog,
        .settings = settings,
        .space = options->space ? options->space : NAMESPACE_SYSTEM,
        .show = show,
        .context = &shown,
    };
    struct loops *loops = loops_start(&how, err);

    if (!loops)
        return false;

    bool idle = loops_wait_idle(loops, IDLE_MS);
    AUTO(json) json_t *problems = loops_problems(loops, &target_loop);

    loops_stop(loops);
    if (!idle)
        return error_set(err, ERROR_TIMEOUT, "the loops do not come to rest");
    add_all(out, writes, problems);
    return true;
}

/* What can not be read is said before anything is begun. */
static bool is_readable(const char *folder, struct error *err)
{
    AUTO(json) json_t *objects = catalog_read(folder, NULL, err);

    return objects != NULL;
}

enum controller_exit dry_run(const struct controller_options *options, FILE *out, struct error *err)
{
    AUTO(settings_store) struct settings_store *settings = NULL;
    AUTO(text) struct text text = {0};

    if (!is_readable(options->catalog, err))
        return CONTROLLER_CANNOT;
    settings = settings_store_make(options->settings, false, err);
    if (!settings || !run(options, settings, &text, err))
        return CONTROLLER_CANNOT;
    fputs(text_get(&text), out);
    if (fflush(out) == 0)
        return CONTROLLER_FINE;
    error_set(err, ERROR_INTERNAL, "what is said can not be written");
    return CONTROLLER_CANNOT;
}
