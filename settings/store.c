#include "settings/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/text.h"
#include "settings/file.h"

/* What callers hold points to the first member. */
struct held {
    struct settings settings;
    atomic_uint references;
};

struct settings_store {
    const char *path;
    bool deny;
    struct stat seen; /* of the file that was read last; all zero when it was missing */
    pthread_mutex_t lock;
    struct held *current; /* this and the following under the lock */
    struct settings_facts facts;
};

static struct held *held_of(const struct settings *settings)
{
    return (struct held *)settings;
}

static const struct settings *hold(struct held *held)
{
    atomic_fetch_add(&held->references, 1);
    return &held->settings;
}

void settings_release(const struct settings *settings)
{
    struct held *held = held_of(settings);

    if (!held || atomic_fetch_sub(&held->references, 1) != 1)
        return;
    settings_done(&held->settings);
    free(held);
}

static struct held *read_settings(const struct settings_store *store, struct error *err)
{
    struct held *held = text_alloc(sizeof *held);

    held->references = 1;
    if (!store->path) {
        settings_default(&held->settings);
    } else if (!settings_read(&held->settings, store->path, err)) {
        free(held);
        return NULL;
    }
    held->settings.deny = held->settings.deny || store->deny;
    return held;
}

static bool changed(struct settings_store *store)
{
    struct stat now;

    if (stat(store->path, &now) != 0)
        now = (struct stat){0};

    bool news = now.st_dev != store->seen.st_dev || now.st_ino != store->seen.st_ino ||
                now.st_size != store->seen.st_size ||
                now.st_mtim.tv_sec != store->seen.st_mtim.tv_sec ||
                now.st_mtim.tv_nsec != store->seen.st_mtim.tv_nsec;

    store->seen = now;
    return news;
}

struct settings_store *settings_store_make(const char *path, bool deny, struct error *err)
{
    struct settings_store *store = text_alloc(sizeof *store);

    store->path = path;
    store->deny = deny;
    if (path)
        changed(store);
    store->current = read_settings(store, err);
    if (!store->current) {
        free(store);
        return NULL;
    }
    store->facts = (struct settings_facts){.good = true, .loads = 1};
    pthread_mutex_init(&store->lock, NULL);
    return store;
}

void settings_store_free(struct settings_store *store)
{
    if (!store)
        return;
    settings_release(&store->current->settings);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static void take(struct settings_store *store, struct held *held)
{
    pthread_mutex_lock(&store->lock);

    struct held *old = held ? store->current : NULL;

    if (held)
        store->current = held;
    store->facts.good = held;
    store->facts.loads += held != NULL;
    store->facts.errors += !held;
    pthread_mutex_unlock(&store->lock);
    if (old)
        settings_release(&old->settings);
}

enum settings_news settings_store_look(struct settings_store *store, struct error *err)
{
    if (!store->path || !changed(store))
        return SETTINGS_SAME;

    struct held *held = read_settings(store, err);

    take(store, held);
    return held ? SETTINGS_TAKEN : SETTINGS_REFUSED;
}

const struct settings *settings_store_get(struct settings_store *store)
{
    pthread_mutex_lock(&store->lock);

    const struct settings *settings = hold(store->current);

    pthread_mutex_unlock(&store->lock);
    return settings;
}

struct settings_facts settings_store_facts(struct settings_store *store)
{
    pthread_mutex_lock(&store->lock);

    struct settings_facts facts = store->facts;

    pthread_mutex_unlock(&store->lock);
    return facts;
}
