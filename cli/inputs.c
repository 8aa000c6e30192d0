#include "cli/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/target.h"
#include "base/tree.h"
#include "settings/file.h"

#define TITLE_MAX_CHARS 200

struct span inputs_group(const json_t *object)
{
    struct span version = tree_span(object, "apiVersion"), group;

    if (!version.data || !memchr(version.data, '/', version.length))
        return (struct span){0};
    text_split(&version, '/', &group);
    return group;
}

static struct span member_of_metadata(const json_t *object, const char *key)
{
    return tree_span(tree_get(object, "metadata"), key);
}

char *inputs_title(const json_t *object)
{
    struct span kind = tree_span(object, "kind");
    struct span space = member_of_metadata(object, "namespace");
    struct span name = member_of_metadata(object, "name");
    AUTO(text) struct text title = {0};

    text_add(&title, kind.data, kind.length);
    text_putc(&title, ' ');
    text_add(&title, space.data, space.length);
    text_puts(&title, space.length ? "/" : "");
    if (name.length == 0)
        name = member_of_metadata(object, "generateName");
    text_add(&title, name.data, name.length);
    return text_printable((struct span){title.data, title.length}, TITLE_MAX_CHARS);
}

/* ---- namespaces: the API server puts them in before it asks ---- */

static bool is_namespaced(const json_t *object)
{
    static const char *const kinds[] = {"Repository", "BackupConfiguration", "BackupSession",
                                        "RestoreSession"};

    if (target_kind_of(inputs_group(object), tree_span(object, "kind")))
        return true;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(tree_span(object, "kind"), kinds[i]) &&
            span_is(inputs_group(object), GROUP_STASH))
            return true;
    return false;
}

static void put_namespace(json_t *object, const char *space)
{
    json_t *metadata = json_object_get(object, "metadata");

    if (is_namespaced(object) && json_is_object(metadata) &&
        member_of_metadata(object, "namespace").length == 0)
        tree_put_text(metadata, "namespace", space);
}

/* ---- one list out of several files ---- */

/* What an object is called in a cluster; empty when it has no name yet. */
static void identify(const json_t *object, struct text *identity)
{
    struct span space = member_of_metadata(object, "namespace");
    struct span parts[] = {inputs_group(object), tree_span(object, "kind"),
                           space.length ? space : span_of("default"),
                           member_of_metadata(object, "name")};

    for (size_t i = 0; parts[3].length && i < sizeof parts / sizeof *parts; i++) {
        text_add(identity, parts[i].data, parts[i].length);
        text_putc(identity, '\n');
    }
}

/* Notes that there is an object of that identity; false when there was one. */
static bool mark(json_t *identities, const json_t *object)
{
    AUTO(text) struct text identity = {0};

    identify(object, &identity);
    if (!identity.length)
        return true;
    if (json_object_getn(identities, identity.data, identity.length))
        return false;
    if (json_object_setn_new_nocheck(identities, identity.data, identity.length, json_true()) < 0)
        abort();
    return true;
}

static bool take(struct inputs *inputs, struct catalog_documents *more, json_t *identities,
                 const char *space, struct error *err)
{
    struct catalog_documents *given = &inputs->given;

    given->items =
        text_realloc(given->items, (given->count + more->count + 1) * sizeof *given->items);
    for (size_t i = 0; i < more->count; i++) {
        struct catalog_document *document = &more->items[i];

        put_namespace(document->document.value, space);
        if (!mark(identities, document->document.value)) {
            AUTO(free) char *title = inputs_title(document->document.value);

            return error_set(err, ERROR_INVALID, "%s:%u:%u: %s is given a second time",
                             document->file, document->document.place.line,
                             document->document.place.column, title);
        }
        given->items[given->count++] = *document;
        *document = (struct catalog_document){0};
    }
    return true;
}

static bool read_given(struct inputs *inputs, const struct arguments *arguments, json_t *identities,
                       struct error *err)
{
    for (size_t i = 0; i < arguments->files.count; i++) {
        AUTO(catalog_documents) struct catalog_documents documents = {0};

        if (!catalog_documents(arguments->files.items[i], &documents, &inputs->remarks, err) ||
            !take(inputs, &documents, identities, arguments->space, err))
            return false;
    }
    return true;
}

static struct cluster *cluster_of(const struct inputs *inputs, json_t *identities)
{
    AUTO(json) json_t *objects = json_array();

    for (size_t i = 0; i < inputs->given.count; i++)
        tree_push_new(objects, tree_share(inputs->given.items[i].document.value));
    for (size_t i = 0; i < inputs->known.count; i++)
        if (mark(identities, inputs->known.items[i].document.value))
            tree_push_new(objects, tree_share(inputs->known.items[i].document.value));
    return cluster_make(objects);
}

static bool take_settings(struct settings *settings, const char *path, struct error *err)
{
    if (path)
        return settings_read(settings, path, err);
    settings_default(settings);
    return true;
}

bool inputs_read(struct inputs *inputs, const struct arguments *arguments, struct error *err)
{
    AUTO(json) json_t *identities = json_object();

    if (!take_settings(&inputs->settings, arguments->settings, err) ||
        !read_given(inputs, arguments, identities, err))
        return false;
    if (arguments->catalog && !catalog_documents(arguments->catalog, &inputs->known, NULL, err))
        return false;
    inputs->cluster = cluster_of(inputs, identities);
    return true;
}

void inputs_done(struct inputs *inputs)
{
    catalog_documents_done(&inputs->given);
    catalog_documents_done(&inputs->known);
    cluster_unref(inputs->cluster);
    text_done(&inputs->remarks);
    settings_done(&inputs->settings);
    *inputs = (struct inputs){0};
}

static const struct catalog_document *find(const struct catalog_documents *documents,
                                           const char *kind, const char *space, const char *name)
{
    for (size_t i = 0; i < documents->count; i++) {
        const json_t *object = documents->items[i].document.value;
        struct span own = member_of_metadata(object, "namespace");

        if (span_is(tree_span(object, "kind"), kind) &&
            span_is(member_of_metadata(object, "name"), name) &&
            (!*space || span_is(own.length ? own : span_of("default"), space)))
            return &documents->items[i];
    }
    return NULL;
}

const struct catalog_document *inputs_find(const struct inputs *inputs, const char *kind,
                                           const char *space, const char *name)
{
    const struct catalog_document *given = find(&inputs->given, kind, space, name);

    return given ? given : find(&inputs->known, kind, space, name);
}
