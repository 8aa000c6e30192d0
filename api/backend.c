#include "api/backend.h"

#include <string.h>

#include "base/tree.h"

/* Which members say where the data lies. Spec: stash-behaviour 1.7. */
static const struct {
    const char *provider, *parts[4];
} providers[] = {
    {"local", {NULL}},
    {"s3", {"endpoint", "bucket", "prefix"}},
    {"gcs", {"bucket", "prefix"}},
    {"azure", {"container", "prefix"}},
    {"swift", {"container", "prefix"}},
    {"b2", {"bucket", "prefix"}},
    {"rest", {"url"}},
};

#define PROVIDERS (sizeof providers / sizeof *providers)

static size_t find(const json_t *backend)
{
    for (size_t i = 0; i < PROVIDERS; i++)
        if (tree_member(backend, providers[i].provider, JSON_OBJECT))
            return i;
    return PROVIDERS;
}

const char *backend_provider(const json_t *backend)
{
    size_t i = find(backend);

    return i < PROVIDERS ? providers[i].provider : NULL;
}

struct span backend_path(struct span part)
{
    while (part.length && part.data[0] == '/') {
        part.data++;
        part.length--;
    }
    while (part.length && part.data[part.length - 1] == '/')
        part.length--;
    return part;
}

json_t *backend_volume(const json_t *backend)
{
    const json_t *local = tree_member(backend, "local", JSON_OBJECT), *value;
    json_t *volume = local ? json_object() : NULL;
    const char *key;

    tree_each (local, key, value) {
        if (strcmp(key, "mountPath") != 0 && strcmp(key, "subPath") != 0)
            tree_put_new(volume, key, tree_copy(value));
    }
    return volume;
}

static void local_location(struct text *out, const json_t *backend)
{
    AUTO(json) json_t *volume = backend_volume(backend);
    AUTO(free) char *source = tree_format(volume, NULL);
    struct span sub = backend_path(tree_span(tree_get(backend, "local"), "subPath"));

    text_addf(out, " %s/%.*s", source, (int)sub.length, sub.data ? sub.data : "");
}

/* "https://user:secret@host" loses what stands before the last "@" of the host part. */
static struct span skip_user(struct text *out, struct span part)
{
    const char *end = part.data + part.length, *scheme = memmem(part.data, part.length, "://", 3);
    const char *from = scheme ? scheme + 3 : part.data;
    const char *slash = memchr(from, '/', (size_t)(end - from));
    const char *at = memrchr(from, '@', (size_t)((slash ? slash : end) - from));

    if (!at)
        return part;
    text_add(out, part.data, (size_t)(from - part.data));
    return (struct span){at + 1, (size_t)(end - at - 1)};
}

static void parts(struct text *out, const json_t *backend, size_t which)
{
    const json_t *settings = tree_get(backend, providers[which].provider);
    const char *const *first = providers[which].parts;

    for (const char *const *part = first; *part; part++) {
        struct span value = backend_path(tree_span(settings, *part));

        text_putc(out, part == first ? ' ' : '/');
        if (part == first && value.length)
            value = skip_user(out, value);
        text_add(out, value.data, value.length);
    }
}

void backend_location(struct text *out, const json_t *backend)
{
    size_t which = find(backend);

    if (which == PROVIDERS)
        return;
    text_puts(out, providers[which].provider);
    if (which == 0)
        local_location(out, backend);
    else
        parts(out, backend, which);
}

/* ---- what lies within what ---- */

static void put_elements(struct text *out, struct span path)
{
    struct span element;

    while (text_split(&path, '/', &element))
        if (element.length && !span_is(element, "."))
            text_addf(out, "/%.*s", (int)element.length, element.data);
}

/* Folders of a node or a server are the same from everywhere. */
static void put_local(struct text *out, const json_t *backend, const char *space)
{
    const json_t *local = tree_get(backend, "local");
    const json_t *host = tree_get(local, "hostPath"), *nfs = tree_get(local, "nfs");
    AUTO(json) json_t *volume = backend_volume(backend);
    AUTO(text) struct text source = {0};

    if (host) {
        text_puts(out, "hostPath");
        put_elements(out, tree_span(host, "path"));
    } else if (nfs) {
        text_puts(out, "nfs");
        put_elements(out, tree_span(nfs, "path"));
    } else {
        char hash[65];

        tree_write(&source, volume, true);
        text_sha256((struct span){text_get(&source), source.length}, hash);
        text_addf(out, "volume/%s/%s", space, hash);
    }
    put_elements(out, tree_span(local, "subPath"));
}

/* The path behind "https://host:port". */
static struct span path_of(struct span url)
{
    const char *scheme = url.data ? memmem(url.data, url.length, "://", 3) : NULL;
    const char *from = scheme ? scheme + 3 : url.data;
    const char *slash = from ? memchr(from, '/', (size_t)(url.data + url.length - from)) : NULL;

    return slash ? (struct span){slash, (size_t)(url.data + url.length - slash)} : (struct span){0};
}

/* "s3/bucket/prefix". */
static void put_place(struct text *out, const json_t *backend, const char *space)
{
    const char *provider = backend_provider(backend);
    const json_t *settings = provider ? tree_get(backend, provider) : NULL;

    if (!provider)
        return;
    text_addf(out, "%s/", provider);
    if (strcmp(provider, "local") == 0) {
        put_local(out, backend, space);
        return;
    }
    put_elements(out, path_of(tree_span(settings, "url")));
    put_elements(out, tree_span(settings, "bucket"));
    put_elements(out, tree_span(settings, "container"));
    put_elements(out, tree_span(settings, "prefix"));
}

static bool is_within(const struct text *inner, const struct text *outer)
{
    return inner->length >= outer->length &&
           memcmp(text_get(inner), text_get(outer), outer->length) == 0 &&
           (inner->length == outer->length || inner->data[outer->length] == '/');
}

bool backend_overlaps(const json_t *a, const char *space_a, const json_t *b, const char *space_b)
{
    AUTO(text) struct text one = {0}, other = {0};

    put_place(&one, a, space_a);
    put_place(&other, b, space_b);
    return one.length && other.length && (is_within(&one, &other) || is_within(&other, &one));
}

static const char *volume_kind(const json_t *backend)
{
    AUTO(json) json_t *volume = backend_volume(backend);
    const char *kind = json_object_iter_key(json_object_iter(volume));

    /* the key belongs to the copy that is released here, the original's lives on */
    return kind ? json_object_iter_key(
                      json_object_iter_at((json_t *)tree_get(backend, "local"), kind))
                : "volume";
}

void backend_describe(struct text *out, const json_t *backend)
{
    size_t which = find(backend);

    if (which == PROVIDERS)
        text_puts(out, "nowhere");
    else if (which == 0)
        text_addf(out, "local %s", volume_kind(backend));
    else
        backend_location(out, backend);
}
