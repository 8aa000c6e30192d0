#pragma once

#include <stdint.h>

#include "api/settings.h"
#include "base/error.h"

/** The newest good settings of the installation, followed as their file changes. */
struct settings_store;

/**
 * Reads the settings.
 *
 * @param path  The file, as settings_read() takes it; NULL: the built-in settings. Borrowed as long
 *              as the store.
 * @param deny  Whether an owner's mistake is refused whatever the file says.
 * @return      To be ended by settings_store_free(); NULL with err as settings_read() says.
 */
struct settings_store *settings_store_make(const char *path, bool deny,
                                           struct error *err) MUST_CHECK;

/** Settings that somebody holds live on. NULL is fine. */
void settings_store_free(struct settings_store *store);

static inline void auto_settings_store(struct settings_store **store)
{
    settings_store_free(*store);
}

/** What a look at the file led to. */
enum settings_news {
    SETTINGS_SAME,
    SETTINGS_TAKEN,   /* new settings are used from now on */
    SETTINGS_REFUSED, /* what is there now is bad, or gone; the last good ones stay */
};

/** Looks whether the file changed (also by a symbolic link on its way, as in a mounted ConfigMap),
 *  and reads it if so. From one thread only. @param err  Filled with SETTINGS_REFUSED. */
enum settings_news settings_store_look(struct settings_store *store, struct error *err);

/** The settings in use, with a reference for the caller. Immutable. Any thread. */
const struct settings *settings_store_get(struct settings_store *store);

/** Gives a reference back. NULL is fine. */
void settings_release(const struct settings *settings);

static inline void auto_settings_held(const struct settings **settings)
{
    settings_release(*settings);
}

/** For metrics and readiness; any thread. */
struct settings_facts {
    bool good; /* the file as it is now is the one in use */
    int64_t loads, errors;
};
struct settings_facts settings_store_facts(struct settings_store *store);
