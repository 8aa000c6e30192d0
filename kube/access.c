#include "kube/access.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "base/wait.h"
#include "kube/exec.h"

struct access {
    const struct kube_config *config;
    int64_t look_ms;

    /* of the one who reads at this moment */
    struct exec_credential credential; /* what the plugin printed last */
    char hash[65];                     /* of the certificates of `pool` */

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* `reading` ended */
    bool reading;           /* somebody looks at the files, outside of the mutex */
    bool doubted;           /* what we have was refused: look before it is used again */
    bool complete;          /* a token was read, or none is needed */
    int64_t looked_ms;      /* when the files were looked at last */
    char *header, *secret;  /* what is sent, and the part of it that is secret */
    struct pool *pool;
    int64_t number;
};

/* PEM texts as they were read. */
struct certificates {
    struct text ca, cert, key;
};

static void auto_certificates(struct certificates *certificates)
{
    text_done(&certificates->ca);
    text_done(&certificates->cert);
    text_wipe(&certificates->key);
}

static void wipe(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

/* Reads a file from its path to its end, each time: it is exchanged through links (CR4). */
static bool read_file(const char *path, size_t max, struct text *out, struct error *err)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    char piece[4096];
    ssize_t got;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_FORBIDDEN, "%s: %s", path,
                         strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_INVALID, "%s: not a file", path);
    while ((got = read(fd, piece, sizeof piece)) != 0) {
        if (got < 0)
            return error_set(err, ERROR_FORBIDDEN, "%s: %s", path, strerror(errno));
        if (out->length + (size_t)got > max)
            return error_set(err, ERROR_TOO_LARGE, "%s: more than %zu bytes", path, max);
        text_add(out, piece, (size_t)got);
    }
    explicit_bzero(piece, sizeof piece);
    return true;
}

static bool read_pem(const struct kube_pem *pem, struct text *out, struct error *err)
{
    if (!pem->file) {
        if (pem->data)
            text_add(out, pem->data, pem->length);
        return true;
    }
    if (!read_file(pem->file, KUBE_PEM_MAX_BYTES, out, err))
        return false;
    return out->length ? true : error_set(err, ERROR_INVALID, "%s: empty", pem->file);
}

static bool read_certificates(const struct access *access, struct certificates *out,
                              struct error *err)
{
    const struct kube_config *config = access->config;

    if (!read_pem(&config->ca, &out->ca, err))
        return false;
    if (access->credential.cert) {
        text_puts(&out->cert, access->credential.cert);
        text_puts(&out->key, access->credential.key);
        return true;
    }
    return read_pem(&config->certificate, &out->cert, err) &&
           read_pem(&config->key, &out->key, err);
}

/* A header line ends at CR or LF, and libcurl sends it as it is (CR8). */
static bool check_token(struct span token, struct error *err)
{
    for (size_t i = 0; i < token.length; i++)
        if ((unsigned char)token.data[i] <= 0x20 || (unsigned char)token.data[i] >= 0x7f)
            return error_set(err, ERROR_INVALID, "the token has a character that no token has");
    return true;
}

/* The newest token, "" when there is none to be sent. The caller wipes it. */
static bool read_token(const struct access *access, struct text *out, struct error *err)
{
    const struct kube_config *config = access->config;
    struct span token = span_of(config->token);

    if (config->exec.command) {
        token = span_of(access->credential.token);
    } else if (config->token_file) {
        text_reserve(out, KUBE_TOKEN_MAX_BYTES);
        if (!read_file(config->token_file, KUBE_TOKEN_MAX_BYTES, out, err))
            return false;
        token = text_trim((struct span){text_get(out), out->length});
        if (!token.length)
            return error_set(err, ERROR_UNAUTHORIZED, "%s: empty", config->token_file);
        memmove(out->data, token.data, token.length);
        out->length = token.length;
        out->data[token.length] = '\0';
        return check_token((struct span){out->data, out->length}, err);
    }
    if (!check_token(token, err))
        return false;
    text_add(out, token.data, token.length);
    return true;
}

/* user:password in base64. Spec: RFC 7617. */
static char *basic(const struct kube_config *config)
{
    char *plain = text_format("%s:%s", config->user, config->password ? config->password : "");
    gnutls_datum_t in = {(unsigned char *)plain, (unsigned)strlen(plain)}, out;

    if (gnutls_base64_encode2(&in, &out) < 0)
        abort();

    char *encoded = text_dup((char *)out.data, out.size);

    wipe(&plain);
    explicit_bzero(out.data, out.size);
    gnutls_free(out.data);
    return encoded;
}

static void publish_token(struct access *access, const struct text *token)
{
    bool with_user = !token->length && access->config->user && !access->config->exec.command;
    char *secret = with_user       ? basic(access->config)
                   : token->length ? text_dup(token->data, token->length)
                                   : text_dup("", 0);

    pthread_mutex_lock(&access->mutex);
    access->complete = true;
    if (!access->secret || strcmp(secret, access->secret) != 0) {
        wipe(&access->header);
        wipe(&access->secret);
        if (*secret)
            access->header =
                text_format("Authorization: %s %s", with_user ? "Basic" : "Bearer", secret);
        access->secret = TAKE(secret);
        access->number++;
    }
    pthread_mutex_unlock(&access->mutex);
    wipe(&secret);
}

static bool look_for_token(struct access *access, struct error *err)
{
    AUTO(secret_text) struct text token = {0};
    bool read = read_token(access, &token, err);

    if (read)
        publish_token(access, &token);
    return read;
}

static struct span whole(const struct text *text)
{
    return (struct span){text->length ? text->data : NULL, text->length};
}

static void hash_certificates(const struct certificates *in, char hash[65])
{
    struct text all = {0};

    text_reserve(&all, in->ca.length + in->cert.length + in->key.length + 64);
    text_addf(&all, "%zu %zu ", in->ca.length, in->cert.length);
    text_add(&all, text_get(&in->ca), in->ca.length);
    text_add(&all, text_get(&in->cert), in->cert.length);
    text_add(&all, text_get(&in->key), in->key.length);
    text_sha256(whole(&all), hash);
    text_wipe(&all);
}

static void publish_pool(struct access *access, struct pool *pool)
{
    pthread_mutex_lock(&access->mutex);

    struct pool *old = access->pool;

    access->pool = pool;
    access->number++;
    pthread_mutex_unlock(&access->mutex);
    pool_unref(old);
}

static bool look_for_certificates(struct access *access, struct error *err)
{
    AUTO(certificates) struct certificates in = {0};
    char hash[65];

    if (!read_certificates(access, &in, err))
        return false;
    hash_certificates(&in, hash);
    if (strcmp(hash, access->hash) == 0)
        return true;

    struct pool_parts parts = {whole(&in.ca), whole(&in.cert), whole(&in.key)};
    struct pool *pool = pool_make(&parts, err);

    if (!pool)
        return false;
    memcpy(access->hash, hash, sizeof hash);
    publish_pool(access, pool);
    return true;
}

/* What was good stays until it is refused: a file may be half written, or emptied. */
static bool kept(bool have, const char *what, const struct error *err)
{
    if (have)
        log_warn("credentials not read, the old ones stay", LOG_S("part", what),
                 LOG_S("error", err->message));
    return have;
}

static bool look(struct access *access, bool doubted, const struct access_wait *wait,
                 struct error *err)
{
    bool have = access->complete;

    if (access->config->exec.command &&
        (!have || doubted || clock_now_s() >= access->credential.expires_s) &&
        !exec_credential(access->config, wait->until_ms, wait->cancel_fd, &access->credential,
                         err) &&
        !kept(have, "plugin", err))
        return false;
    if (!look_for_certificates(access, err) && !kept(access->pool != NULL, "certificates", err))
        return false;
    return look_for_token(access, err) || kept(have, "token", err);
}

static bool due(const struct access *access)
{
    return !access->complete || access->doubted ||
           clock_mono_ms() - access->looked_ms >= access->look_ms;
}

/* Looks, with the mutex held before and after, but not while it reads. */
static bool refresh(struct access *access, const struct access_wait *wait, struct error *err)
{
    bool doubted = access->doubted;

    access->reading = true;
    access->doubted = false;
    pthread_mutex_unlock(&access->mutex);

    bool fine = look(access, doubted, wait, err);

    pthread_mutex_lock(&access->mutex);
    access->looked_ms = clock_mono_ms();
    access->reading = false;
    pthread_cond_broadcast(&access->changed);
    return fine;
}

/* False when the time is over. */
static bool wait_for_reader(struct access *access, int64_t until_ms)
{
    while (access->reading)
        if (!wait_on(&access->changed, &access->mutex, until_ms))
            return false;
    return true;
}

bool access_get(struct access *access, const struct access_wait *wait, struct access_view *view,
                struct error *err)
{
    bool fine = true;

    pthread_mutex_lock(&access->mutex);
    if (access->reading && (!access->complete || access->doubted) &&
        !wait_for_reader(access, wait->until_ms))
        fine = error_set(err, ERROR_TIMEOUT, "no credentials in time");
    else if (!access->reading && due(access))
        fine = view->fresh = refresh(access, wait, err);
    if (fine) {
        view->header = access->header ? text_format("%s", access->header) : NULL;
        view->pool = pool_ref(access->pool);
        view->number = access->number;
    }
    pthread_mutex_unlock(&access->mutex);
    return fine;
}

void access_view_done(struct access_view *view)
{
    wipe(&view->header);
    pool_unref(view->pool);
    *view = (struct access_view){0};
}

void access_doubt(struct access *access, const struct access_view *view)
{
    pthread_mutex_lock(&access->mutex);
    if (view->number == access->number && !view->fresh)
        access->doubted = true;
    pthread_mutex_unlock(&access->mutex);
}

void access_renew(struct access *access, const struct access_view *view)
{
    struct pool *old = NULL;

    pthread_mutex_lock(&access->mutex);
    if (view->pool == access->pool && !access->reading) {
        old = access->pool;
        access->pool = pool_again(old);
    }
    pthread_mutex_unlock(&access->mutex);
    pool_unref(old);
}

void access_hide(const struct access_view *view, char *message)
{
    const char *secret = view->header ? strrchr(view->header, ' ') + 1 : "";
    size_t length = strlen(secret);

    if (!length)
        return;
    for (char *found = strstr(message, secret); found; found = strstr(found, secret))
        memset(found, '*', length);
}

struct access *access_make(const struct kube_config *config, int64_t look_ms, struct error *err)
{
    struct access *access = text_alloc(sizeof *access);

    access->config = config;
    access->look_ms = look_ms;
    pthread_mutex_init(&access->mutex, NULL);
    wait_prepare(&access->changed);
    if (look_for_certificates(access, err))
        return access;
    access_free(access);
    return NULL;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    wipe(&access->header);
    wipe(&access->secret);
    exec_credential_done(&access->credential);
    pool_unref(access->pool);
    pthread_cond_destroy(&access->changed);
    pthread_mutex_destroy(&access->mutex);
    free(access);
}
