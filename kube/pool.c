#include "kube/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/text.h"

static gnutls_datum_t datum(struct span pem)
{
    return (gnutls_datum_t){(unsigned char *)pem.data, (unsigned)pem.length};
}

static bool check_ca(struct span pem, struct error *err)
{
    gnutls_x509_crt_t *certificates = NULL;
    unsigned count = 0;
    gnutls_datum_t data = datum(pem);
    int done = gnutls_x509_crt_list_import2(&certificates, &count, &data, GNUTLS_X509_FMT_PEM, 0);

    if (done < 0)
        return error_set(err, ERROR_INVALID, "CA: %s", gnutls_strerror(done));
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(certificates[i]);
    gnutls_free(certificates);
    return true;
}

static bool check_pair(struct span cert, struct span key, struct error *err)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t cert_data = datum(cert), key_data = datum(key);
    int done = gnutls_certificate_allocate_credentials(&credentials);

    if (done == GNUTLS_E_SUCCESS) {
        done = gnutls_certificate_set_x509_key_mem2(credentials, &cert_data, &key_data,
                                                    GNUTLS_X509_FMT_PEM, NULL, 0);
        gnutls_certificate_free_credentials(credentials);
    }
    return done >= 0 ? true
                     : error_set(err, ERROR_INVALID, "client certificate and key: %s",
                                 gnutls_strerror(done));
}

static bool write_all(int fd, struct span bytes)
{
    while (bytes.length) {
        ssize_t written = write(fd, bytes.data, bytes.length);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0)
            bytes = (struct span){bytes.data + written, bytes.length - (size_t)written};
    }
    return true;
}

/* A file without a name that lives in memory; -1 and err. */
static int memory_file(struct span bytes, struct error *err)
{
    AUTO(close) int fd = memfd_create("certificate", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || !write_all(fd, bytes) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
        error_set(err, ERROR_INTERNAL, "a file in memory: %s", strerror(errno));
        return -1;
    }

    int kept = fd;

    fd = -1;
    return kept;
}

static bool fill(struct pool *pool, const struct pool_parts *parts, struct error *err)
{
    if (parts->ca.data) {
        if (!check_ca(parts->ca, err) || (pool->ca = memory_file(parts->ca, err)) < 0)
            return false;
    }
    if (parts->cert.data) {
        if (!check_pair(parts->cert, parts->key, err) ||
            (pool->cert = memory_file(parts->cert, err)) < 0 ||
            (pool->key = memory_file(parts->key, err)) < 0)
            return false;
    }
    return true;
}

/* libcurl counts who uses a share, and each thread makes and ends handles: without a lock counts
 * get lost, and the share stays for ever. Its connections are for one thread only, that of the
 * loop. */
static void lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *context)
{
    struct pool *pool = context;

    (void)easy, (void)access;
    if (data == CURL_LOCK_DATA_SHARE)
        pthread_mutex_lock(&pool->count);
}

static void unlock(CURL *easy, curl_lock_data data, void *context)
{
    struct pool *pool = context;

    (void)easy;
    if (data == CURL_LOCK_DATA_SHARE)
        pthread_mutex_unlock(&pool->count);
}

static bool share_connections(struct pool *pool)
{
    pool->share = curl_share_init();
    return pool->share && curl_share_setopt(pool->share, CURLSHOPT_LOCKFUNC, lock) == CURLSHE_OK &&
           curl_share_setopt(pool->share, CURLSHOPT_UNLOCKFUNC, unlock) == CURLSHE_OK &&
           curl_share_setopt(pool->share, CURLSHOPT_USERDATA, pool) == CURLSHE_OK &&
           curl_share_setopt(pool->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) == CURLSHE_OK;
}

static struct pool *empty(void)
{
    struct pool *pool = text_alloc(sizeof *pool);

    pool->refs = 1;
    pool->ca = pool->cert = pool->key = -1;
    pthread_mutex_init(&pool->count, NULL);
    if (!share_connections(pool))
        abort();
    return pool;
}

struct pool *pool_make(const struct pool_parts *parts, struct error *err)
{
    AUTO(pool) struct pool *pool = empty();

    return fill(pool, parts, err) ? TAKE(pool) : NULL;
}

static int again(int fd)
{
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

struct pool *pool_again(const struct pool *pool)
{
    struct pool *copy = empty();

    copy->ca = again(pool->ca);
    copy->cert = again(pool->cert);
    copy->key = again(pool->key);
    return copy;
}

struct pool *pool_ref(struct pool *pool)
{
    __atomic_add_fetch(&pool->refs, 1, __ATOMIC_RELAXED);
    return pool;
}

static void close_file(int fd)
{
    if (fd >= 0)
        close(fd);
}

void pool_unref(struct pool *pool)
{
    if (!pool || __atomic_sub_fetch(&pool->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    curl_share_cleanup(pool->share);
    pthread_mutex_destroy(&pool->count);
    close_file(pool->ca);
    close_file(pool->cert);
    close_file(pool->key);
    free(pool);
}

static void name_file(CURL *easy, CURLoption option, int fd)
{
    char path[32];

    if (fd < 0)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    curl_easy_setopt(easy, option, path);
}

void pool_use(const struct pool *pool, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_SHARE, pool->share);
    name_file(easy, CURLOPT_CAINFO, pool->ca);
    name_file(easy, CURLOPT_SSLCERT, pool->cert);
    name_file(easy, CURLOPT_SSLKEY, pool->key);
    if (pool->ca >= 0)
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}
