#include "api/restic_access.h"

#include <string.h>

#include "api/backend.h"
#include "base/base64.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/tree.h"

#define FILES "$GRANARY_FILES/"
#define KEYS_MAX 21

/* What a grant takes. */
#define CONNECTIONS_MOST 1000

/* A key of the Secret, and the variable that restic reads. */
struct key {
    const char *name, *variable;
    const char *file; /* the value is a file of this name, and the variable says where it is */
    bool required;
};

struct provider {
    const char *name;
    void (*url)(struct text *out, const json_t *settings);
    const char *region; /* the variable of settings.region, or NULL */
    struct key keys[KEYS_MAX];
};

/* What all providers have. */
static const struct key common[] = {
    {RESTIC_PASSWORD_KEY, RESTIC_PASSWORD_KEY, NULL, true},
    {"CA_CERT_DATA", "RESTIC_CACERT", "ca.crt", false},
};

/* ---- addresses ---- */

static struct span plain(const json_t *settings, const char *key)
{
    return backend_path(tree_span(settings, key));
}

static void add(struct text *out, struct span part)
{
    text_add(out, part.data ? part.data : "", part.length);
}

static void local_url(struct text *out, const json_t *settings)
{
    add(out, tree_span(settings, "mountPath"));
}

static void s3_url(struct text *out, const json_t *settings)
{
    struct span endpoint = plain(settings, "endpoint"), prefix = plain(settings, "prefix");

    text_puts(out, "s3:");
    add(out, endpoint.length ? endpoint : span_of("s3.amazonaws.com"));
    text_putc(out, '/');
    add(out, plain(settings, "bucket"));
    if (prefix.length)
        text_putc(out, '/');
    add(out, prefix);
}

/* gs:bucket:/prefix, and those that are built alike. */
static void put_bucket(struct text *out, const char *scheme, struct span bucket,
                       const json_t *settings)
{
    text_puts(out, scheme);
    add(out, bucket);
    text_puts(out, ":/");
    add(out, plain(settings, "prefix"));
}

static void gcs_url(struct text *out, const json_t *settings)
{
    put_bucket(out, "gs:", plain(settings, "bucket"), settings);
}

static void azure_url(struct text *out, const json_t *settings)
{
    put_bucket(out, "azure:", plain(settings, "container"), settings);
}

static void swift_url(struct text *out, const json_t *settings)
{
    put_bucket(out, "swift:", plain(settings, "container"), settings);
}

static void b2_url(struct text *out, const json_t *settings)
{
    put_bucket(out, "b2:", plain(settings, "bucket"), settings);
}

static void rest_url(struct text *out, const json_t *settings)
{
    text_puts(out, "rest:");
    add(out, tree_span(settings, "url"));
}

#define SAME(key)                                                                                  \
    {                                                                                              \
        (key), (key), NULL, false                                                                  \
    }
#define MUST(key)                                                                                  \
    {                                                                                              \
        (key), (key), NULL, true                                                                   \
    }

static const struct provider providers[] = {
    {"local", local_url, NULL, {{0}}},
    {"s3",
     s3_url,
     "AWS_DEFAULT_REGION",
     {SAME("AWS_ACCESS_KEY_ID"), SAME("AWS_SECRET_ACCESS_KEY"), SAME("AWS_SESSION_TOKEN")}},
    {"gcs",
     gcs_url,
     NULL,
     {SAME("GOOGLE_PROJECT_ID"),
      {"GOOGLE_SERVICE_ACCOUNT_JSON_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "gcs.json", false}}},
    {"azure", azure_url, NULL, {SAME("AZURE_ACCOUNT_NAME"), SAME("AZURE_ACCOUNT_KEY")}},
    {"b2", b2_url, NULL, {MUST("B2_ACCOUNT_ID"), MUST("B2_ACCOUNT_KEY")}},
    {"swift",
     swift_url,
     NULL,
     {SAME("ST_AUTH"), SAME("ST_USER"), SAME("ST_KEY"), SAME("OS_AUTH_URL"), SAME("OS_REGION_NAME"),
      SAME("OS_USERNAME"), SAME("OS_PASSWORD"), SAME("OS_TENANT_ID"), SAME("OS_TENANT_NAME"),
      SAME("OS_USER_DOMAIN_NAME"), SAME("OS_PROJECT_NAME"), SAME("OS_PROJECT_DOMAIN_NAME"),
      SAME("OS_APPLICATION_CREDENTIAL_ID"), SAME("OS_APPLICATION_CREDENTIAL_SECRET"),
      SAME("OS_APPLICATION_CREDENTIAL_NAME"), SAME("OS_STORAGE_URL"), SAME("OS_AUTH_TOKEN")}},
    {"rest",
     rest_url,
     NULL,
     {{"REST_SERVER_USERNAME", "RESTIC_REST_USERNAME", NULL, false},
      {"REST_SERVER_PASSWORD", "RESTIC_REST_PASSWORD", NULL, false}}},
};

static const struct provider *provider_of(const json_t *backend, struct error *err)
{
    const char *name = backend_provider(backend);

    for (size_t i = 0; name && i < sizeof providers / sizeof *providers; i++)
        if (strcmp(providers[i].name, name) == 0)
            return &providers[i];
    error_set(err, ERROR_INVALID, "the Repository has no backend");
    return NULL;
}

/* ---- values ---- */

/* Keeps a text for the one who borrows it; NULL when it is no UTF-8. */
static const char *keep(json_t *kept, const char *data, size_t length)
{
    json_t *text = json_stringn(data ? data : "", length);

    tree_push_new(kept, text);
    return json_string_value(text);
}

static void put_variable(struct message_work *work, const char *name, const char *value)
{
    work->environment[work->variable_count++] = (struct message_variable){name, value};
}

static bool put_file(const struct key *key, struct span data, json_t *kept,
                     struct message_work *work)
{
    AUTO(text) struct text where = {0};

    text_addf(&where, FILES "%s", key->file);
    work->files[work->file_count++] =
        (struct message_file){key->file, keep(kept, data.data, data.length)};
    put_variable(work, key->variable, keep(kept, where.data, where.length));
    return true;
}

/* A line's end behind a password is what `echo` left there; restic takes it for a part of it, and
 * so do we: what is in a Secret is what was meant. */
static bool put_value(const struct key *key, struct span data, json_t *kept,
                      struct message_work *work, struct error *err)
{
    AUTO(secret_text) struct text value = {0};

    if (data.length > MESSAGE_SECRET_MAX_BYTES / 3 * 4 + 4 || !base64_decode(&value, data) ||
        value.length > MESSAGE_SECRET_MAX_BYTES ||
        (value.length && memchr(value.data, '\0', value.length)))
        return error_set(err, ERROR_INVALID, "key %s of the storage Secret can not be used",
                         key->name);
    if (key->file)
        return put_file(key, data, kept, work);

    const char *text = keep(kept, value.data, value.length);

    if (!text)
        return error_set(err, ERROR_INVALID, "key %s of the storage Secret is no text", key->name);
    put_variable(work, key->variable, text);
    return true;
}

static bool put_key(const struct key *key, const json_t *data, json_t *kept,
                    struct message_work *work, struct error *err)
{
    struct span value = tree_span(data, key->name);

    if (value.length)
        return put_value(key, value, kept, work, err);
    return !key->required ||
           error_set(err, ERROR_INVALID, "the storage Secret has no key %s", key->name);
}

static bool put_keys(const struct provider *provider, const json_t *data, json_t *kept,
                     struct message_work *work, struct error *err)
{
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (!put_key(&common[i], data, kept, work, err))
            return false;
    for (const struct key *key = provider->keys; key->name; key++)
        if (!put_key(key, data, kept, work, err))
            return false;
    return true;
}

/* ---- all of it ---- */

static bool put_url(const struct provider *provider, const json_t *settings, json_t *kept,
                    struct message_work *work, struct error *err)
{
    AUTO(text) struct text url = {0};

    provider->url(&url, settings);
    if (!url.length || url.length > PATH_MAX_BYTES || memchr(url.data, '\0', url.length))
        return error_set(err, ERROR_INVALID, "the Repository has no address that can be used");
    work->repository.url = keep(kept, url.data, url.length);
    return work->repository.url ||
           error_set(err, ERROR_INVALID, "the address of the Repository is no text");
}

static void put_region(const struct provider *provider, const json_t *settings, json_t *kept,
                       struct message_work *work)
{
    struct span region = tree_span(settings, "region");

    if (provider->region && region.length && !memchr(region.data, '\0', region.length))
        put_variable(work, provider->region, keep(kept, region.data, region.length));
}

json_t *restic_access_make(const json_t *backend, const json_t *secret, struct message_work *work,
                           struct error *err)
{
    const struct provider *provider = provider_of(backend, err);
    const json_t *settings = provider ? tree_get(backend, provider->name) : NULL;
    AUTO(restic_access) json_t *kept = json_array();
    int64_t connections = tree_int(settings, "maxConnections", 0);

    if (!provider)
        return NULL;
    work->repository.insecure_tls = tree_true(settings, "insecureTLS");
    work->repository.key_exchange =
        tree_span(tree_get(secret, "data"), RESTIC_PASSWORD_OLD_KEY).length > 0;
    work->variable_count = work->file_count = 0;
    if (!put_url(provider, settings, kept, work, err) ||
        !put_keys(provider, tree_get(secret, "data"), kept, work, err))
        return NULL;
    put_region(provider, settings, kept, work);
    if (connections > CONNECTIONS_MOST)
        connections = CONNECTIONS_MOST;
    work->limits.connections = connections > 0 ? connections : 0;
    return TAKE(kept);
}

void restic_access_done(json_t *access)
{
    const json_t *text;
    size_t i;

    tree_items (access, i, text)
        if (json_is_string(text))
            explicit_bzero((char *)json_string_value(text), json_string_length(text));
    json_decref(access);
}
