#include "certs/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"

#define FILES 3

/* What tells one state of a file from another without reading it. */
struct signature {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* The bytes of one file. Keys are among them: they are wiped. */
struct bytes {
    char *data;
    size_t length;
};

struct certs_store {
    const char *paths[FILES];
    struct signature seen[FILES];
    bool looked;
    int64_t retry_ms; /* when refused files are tried again; 0: not at all */
    char refusal[sizeof((struct error *)0)->message];
    pthread_mutex_t lock;
    struct credentials *current; /* this and the following under the lock */
    const char *names[FILES];    /* of what is given, for errors */
    struct bytes given[FILES];
    bool given_at_all, given_anew;
};

static void auto_bytes(struct bytes *bytes)
{
    if (bytes->data)
        explicit_bzero(bytes->data, bytes->length);
    free(bytes->data);
}

struct certs_store *certs_store_make(const struct certs_files *files)
{
    struct certs_store *store = text_alloc(sizeof *store);

    store->paths[0] = files->cert;
    store->paths[1] = files->key;
    store->paths[2] = files->client_ca;
    pthread_mutex_init(&store->lock, NULL);
    return store;
}

void certs_store_free(struct certs_store *store)
{
    if (!store)
        return;
    credentials_unref(store->current);
    for (size_t i = 0; i < FILES; i++)
        auto_bytes(&store->given[i]);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* A missing file is a state of its own: all zero. */
static struct signature look_at(const char *path)
{
    struct stat status;

    if (!path || stat(path, &status) != 0)
        return (struct signature){0};
    return (struct signature){status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

static bool same(const struct signature *a, const struct signature *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool files_changed(struct certs_store *store)
{
    bool news = !store->looked;

    for (size_t i = 0; i < FILES; i++) {
        struct signature now = look_at(store->paths[i]);

        news = news || !same(&now, &store->seen[i]);
        store->seen[i] = now;
    }
    store->looked = true;
    return news;
}

/* O_NONBLOCK: a FIFO must not hold us. */
static bool read_file(const char *path, struct bytes *bytes, struct error *err)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0)
        return error_set(err, ERROR_INVALID, "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_INVALID, "%s: not a file", path);
    if (status.st_size > (off_t)CERTS_MAX_BYTES)
        return error_set(err, ERROR_INVALID, "%s: more than %u bytes", path, CERTS_MAX_BYTES);
    bytes->data = text_alloc(CERTS_MAX_BYTES);

    ssize_t got = read(fd, bytes->data, CERTS_MAX_BYTES);

    if (got < 0)
        return error_set(err, ERROR_INVALID, "%s: %s", path, strerror(errno));
    bytes->length = (size_t)got;
    return true;
}

static struct certs_part part_of(const char *path, const struct bytes *bytes)
{
    return (struct certs_part){path, {bytes->data, bytes->length}};
}

static struct credentials *load_files(const struct certs_store *store, int64_t now_s,
                                      struct error *err)
{
    AUTO(bytes) struct bytes cert = {0};
    AUTO(bytes) struct bytes key = {0};
    AUTO(bytes) struct bytes ca = {0};

    if (!read_file(store->paths[0], &cert, err) || !read_file(store->paths[1], &key, err) ||
        (store->paths[2] && !read_file(store->paths[2], &ca, err)))
        return NULL;

    struct certs_parts parts = {
        part_of(store->paths[0], &cert),
        part_of(store->paths[1], &key),
        part_of(store->paths[2], &ca),
    };

    return credentials_make(&parts, now_s, err);
}

/* With the lock held for as long as the key is copied: what is given changes once in weeks. */
static struct credentials *load_given(struct certs_store *store, int64_t now_s, struct error *err)
{
    AUTO(bytes) struct bytes ca = {0};

    if (store->paths[2] && !read_file(store->paths[2], &ca, err))
        return NULL;
    pthread_mutex_lock(&store->lock);

    struct certs_parts parts = {
        part_of(store->names[0], &store->given[0]),
        part_of(store->names[1], &store->given[1]),
        store->given[2].data ? part_of(store->names[2], &store->given[2])
                             : part_of(store->paths[2], &ca),
    };
    struct credentials *credentials = credentials_make(&parts, now_s, err);

    pthread_mutex_unlock(&store->lock);
    return credentials;
}

/* Where the next credentials come from: files until something was given. */
enum source { SOURCE_NONE, SOURCE_FILES, SOURCE_GIVEN };

static enum source source_of(struct certs_store *store, bool *news)
{
    pthread_mutex_lock(&store->lock);

    bool given = store->given_at_all;

    *news = store->given_anew;
    store->given_anew = false;
    pthread_mutex_unlock(&store->lock);
    if (given) {
        *news |= store->paths[2] && files_changed(store);
        return SOURCE_GIVEN;
    }
    if (!store->paths[0])
        return SOURCE_NONE;
    *news = files_changed(store);
    return SOURCE_FILES;
}

static void take(struct certs_store *store, struct credentials *credentials)
{
    pthread_mutex_lock(&store->lock);

    struct credentials *old = store->current;

    store->current = credentials;
    pthread_mutex_unlock(&store->lock);
    credentials_unref(old);
}

/* A second refusal of unchanged files is news only when its reason is another one. */
static enum certs_news refuse(struct certs_store *store, bool news, int64_t mono_ms,
                              const struct error *err)
{
    news = news || strcmp(store->refusal, err->message) != 0;
    store->retry_ms = mono_ms + CERTS_RETRY_MS;
    memcpy(store->refusal, err->message, sizeof store->refusal);
    return news ? CERTS_REFUSED : CERTS_SAME;
}

enum certs_news certs_store_look(struct certs_store *store, int64_t now_s, int64_t mono_ms,
                                 struct error *err)
{
    bool news;
    enum source source = source_of(store, &news);

    if (source == SOURCE_NONE || (!news && (store->retry_ms == 0 || mono_ms < store->retry_ms)))
        return CERTS_SAME;

    struct credentials *credentials =
        source == SOURCE_GIVEN ? load_given(store, now_s, err) : load_files(store, now_s, err);

    if (!credentials)
        return refuse(store, news, mono_ms, err);
    store->retry_ms = 0;
    take(store, credentials);
    return CERTS_TAKEN;
}

struct credentials *certs_store_get(struct certs_store *store)
{
    pthread_mutex_lock(&store->lock);

    struct credentials *credentials = credentials_ref(store->current);

    pthread_mutex_unlock(&store->lock);
    return credentials;
}

static void replace(struct bytes *bytes, struct span with)
{
    auto_bytes(bytes);
    *bytes = (struct bytes){0};
    if (!with.data)
        return;
    bytes->data = text_alloc(with.length + 1);
    memcpy(bytes->data, with.data, with.length);
    bytes->length = with.length;
}

void certs_store_give(struct certs_store *store, const struct certs_parts *parts)
{
    const struct certs_part *all[FILES] = {&parts->cert, &parts->key, &parts->client_ca};

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < FILES; i++) {
        store->names[i] = all[i]->name;
        replace(&store->given[i], all[i]->pem);
    }
    store->given_at_all = store->given_anew = true;
    pthread_mutex_unlock(&store->lock);
}
