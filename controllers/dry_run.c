#include "controllers/dry_run.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "base/yaml.h"
#include "controllers/configuration_loop.h"
#include "controllers/target_loop.h"
#include "kube/catalog.h"

/* Longer than the largest catalog takes. */
#define IDLE_MS 300000

/* What would be written: key -> {verb, why, target, object}; an object once. */
struct shown {
    pthread_mutex_t lock;
    json_t *writes;
    struct known *known; /* of those who write what follows; NULL: of the first */
};

static const char *text_at(const json_t *object, const char *path)
{
    const char *text = json_string_value(tree_at(object, path));

    return text ? text : "";
}

/* The configuration that a CronJob is of. New reference. */
static json_t *owner_of(const struct shown *shown, const json_t *object)
{
    const json_t *owner = json_array_get(tree_at(object, "metadata.ownerReferences"), 0);
    const char *name = tree_text(owner, "name");

    return shown->known && name ? known_get(shown->known, KNOWN_CONFIGURATION,
                                            text_at(object, "metadata.namespace"), name)
                                : NULL;
}

/* What all of it is about. The caller frees it. */
static char *target_of(const struct shown *shown, const json_t *object)
{
    AUTO(json) json_t *owner = owner_of(shown, object);
    char *target = known_target_of(owner ? owner : object);

    return target ? target : text_dup("", 0);
}

static int place_of(const json_t *object)
{
    static const char *const kinds[] = {"Repository", "BackupConfiguration"};
    int place = 0;

    while (place < 2 && strcmp(text_at(object, "kind"), kinds[place]) != 0)
        place++;
    return place;
}

/* In the order of targets, and of writes. */
static char *key_of(const char *target, const char *verb, const json_t *object)
{
    return text_format("%s %d %s %s/%s", target, place_of(object), verb,
                       text_at(object, "metadata.namespace"), text_at(object, "metadata.name"));
}

static void show(void *context, const char *verb, const json_t *object, const char *why)
{
    struct shown *shown = context;
    AUTO(free) char *target = target_of(shown, object);
    AUTO(free) char *key = key_of(target, verb, object);
    json_t *write = json_object();

    tree_put_text(write, "verb", verb);
    tree_put_text(write, "why", why);
    tree_put_text(write, "target", target);
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
              tree_text(write, "verb"), tree_text(write, "why"), tree_text(write, "target"));
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

static struct loops *start(const struct controller_options *options,
                           const struct loop *const *table, struct settings_store *settings,
                           struct shown *shown, struct error *err)
{
    struct loops_options how = {
        .table = table,
        .folder = options->catalog,
        .settings = settings,
        .space = options->space ? options->space : NAMESPACE_SYSTEM,
        .show = show,
        .context = shown,
        .paused = true,
    };

    return loops_start(&how, err);
}

static bool come_to_rest(struct loops *loops, struct error *err)
{
    loops_pause(loops, false);
    return loops_wait_idle(loops, IDLE_MS) ||
           error_set(err, ERROR_TIMEOUT, "the loops do not come to rest");
}

static bool run_targets(const struct controller_options *options, struct settings_store *settings,
                        struct shown *shown, json_t **problems, struct error *err)
{
    static const struct loop *const table[] = {&target_loop, NULL};
    struct loops *loops = start(options, table, settings, shown, err);
    bool good = loops && come_to_rest(loops, err);

    if (good)
        *problems = loops_problems(loops, &target_loop);
    loops_stop(loops);
    return good;
}

/* What is stated stands there, beside what there is. */
static void lay_over(json_t *object, const json_t *stated)
{
    const json_t *value;
    const char *key;

    tree_each (stated, key, value)
        if (json_is_object(value) && tree_member(object, key, JSON_OBJECT))
            lay_over(json_object_get(object, key), value);
        else
            tree_put_new(object, key, tree_copy(value));
}

/* As if all that was written stood in the folder. */
static void pretend(struct known *known, const json_t *writes)
{
    const json_t *write;
    const char *key;

    tree_each (writes, key, write) {
        const json_t *stated = tree_get(write, "object");
        bool gone = strcmp(tree_text(write, "verb"), "delete") == 0;
        AUTO(json)
        json_t *there =
            known_get(known, known_kind_of(stated), text_at(stated, "metadata.namespace"),
                      text_at(stated, "metadata.name"));
        AUTO(json) json_t *object = there ? tree_copy(there) : json_object();

        lay_over(object, stated);
        known_pretend(known, gone ? stated : object, gone);
    }
}

/* What follows from what the targets ask for, and from what stands there. */
static bool run_configurations(const struct controller_options *options,
                               struct settings_store *settings, struct shown *shown,
                               struct error *err)
{
    static const struct loop *const table[] = {&configuration_loop, NULL};
    struct loops *loops = start(options, table, settings, shown, err);
    bool good = false;

    if (loops && !known_wait_synced(loops_known(loops), IDLE_MS))
        error_set(err, ERROR_TIMEOUT, "the folder can not be read");
    else if (loops) {
        shown->known = loops_known(loops);
        pretend(shown->known, shown->writes);
        good = come_to_rest(loops, err);
    }
    loops_stop(loops);
    return good;
}

static bool run(const struct controller_options *options, struct settings_store *settings,
                struct text *out, struct error *err)
{
    struct shown shown = {.lock = PTHREAD_MUTEX_INITIALIZER, .writes = json_object()};
    AUTO(json) json_t *writes = shown.writes, *problems = NULL;

    if (!run_targets(options, settings, &shown, &problems, err) ||
        !run_configurations(options, settings, &shown, err))
        return false;
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
