#include "api/backend.h"

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

static struct span plain(struct span part)
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
    struct span sub = plain(tree_span(tree_get(backend, "local"), "subPath"));

    text_addf(out, " %s/%.*s", source, (int)sub.length, sub.data ? sub.data : "");
}

static void parts(struct text *out, const json_t *backend, size_t which)
{
    const json_t *settings = tree_get(backend, providers[which].provider);

    for (const char *const *part = providers[which].parts; *part; part++) {
        struct span value = plain(tree_span(settings, *part));

        text_addf(out, "%c%.*s", part == providers[which].parts ? ' ' : '/', (int)value.length,
                  value.data ? value.data : "");
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

static const char *volume_kind(const json_t *backend)
{
    AUTO(json) json_t *volume = backend_volume(backend);
    const char *kind = json_object_iter_key(json_object_iter(volume));

    /* the key belongs to the copy that is released here, the original's lives on */
    return kind ? json_object_iter_key(
                      json_object_iter_at((json_t *)tree_get(backend, "local"), kind))
                : "volume";
}

/* "https://user:secret@host" loses what stands before the last "@" of the host part. */
static void without_user(struct text *out, struct span location)
{
    const char *start = memmem(location.data, location.length, "://", 3);
    const char *from = start ? start + 3 : location.data;
    const char *end = location.data + location.length;
    const char *slash = memchr(from, '/', (size_t)(end - from));
    const char *at = memrchr(from, '@', (size_t)((slash ? slash : end) - from));

    if (!at) {
        text_add(out, location.data, location.length);
        return;
    }
    text_add(out, location.data, (size_t)(from - location.data));
    text_add(out, at + 1, (size_t)(end - at - 1));
}

void backend_describe(struct text *out, const json_t *backend)
{
    size_t which = find(backend);
    AUTO(text) struct text location = {0};

    if (which == PROVIDERS) {
        text_puts(out, "nowhere");
    } else if (which == 0) {
        text_addf(out, "local %s", volume_kind(backend));
    } else {
        text_puts(&location, providers[which].provider);
        parts(&location, backend, which);
        without_user(out, (struct span){text_get(&location), location.length});
    }
}
