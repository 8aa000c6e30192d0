#include "kube/catalog.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/tree.h"
#include "kube/catalog_files.h"

/* Characters of an object's name in a message. */
#define SHOWN_MAX_CHARS 100

struct loading {
    struct catalog_documents documents;
    json_t *known; /* identity of an object -> its number in `documents` */
    struct text *warnings;
    struct error *err;
};

static void auto_loading(struct loading *loading)
{
    catalog_documents_done(&loading->documents);
    json_decref(loading->known);
}

void catalog_documents_done(struct catalog_documents *documents)
{
    for (size_t i = 0; i < documents->count; i++) {
        free(documents->items[i].file);
        yaml_document_done(&documents->items[i].document);
    }
    free(documents->items);
    *documents = (struct catalog_documents){0};
}

static bool blame(struct error *err, const char *file, struct yaml_place place, const char *what)
{
    return error_set(err, ERROR_INVALID, "%s:%u:%u: %s", catalog_shown(file), place.line,
                     place.column, what);
}

/* Group, kind, namespace and name; empty for an object without a name. */
static void identify(const json_t *object, struct text *identity)
{
    const json_t *metadata = tree_get(object, "metadata");
    struct span version = tree_span(object, "apiVersion"), group = version;
    struct span parts[] = {tree_span(object, "kind"), tree_span(metadata, "namespace"),
                           tree_span(metadata, "name")};

    if (!parts[2].length)
        return;
    if (memchr(version.data, '/', version.length))
        text_split(&version, '/', &group);
    else
        group = (struct span){0};
    text_add(identity, group.data, group.length);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        text_putc(identity, '\n');
        text_add(identity, parts[i].data, parts[i].length);
    }
}

/* Says that an object stands in two places, the second one being at fault. */
static bool twice(struct loading *loading, const struct catalog_document *first, const char *file,
                  const struct yaml_document *second)
{
    const json_t *metadata = tree_get(second->value, "metadata");
    struct span namespace = tree_span(metadata, "namespace");
    AUTO(text) struct text name = {0}, what = {0};

    text_add(&name, namespace.data, namespace.length);
    text_puts(&name, namespace.length ? "/" : "");
    text_puts(&name, tree_text(metadata, "name"));

    AUTO(free) char *shown = text_printable((struct span){name.data, name.length}, SHOWN_MAX_CHARS);

    text_addf(&what, "%s %s stands also in %s:%u:%u", tree_text(second->value, "kind"), shown,
              catalog_shown(first->file), first->document.place.line, first->document.place.column);
    return blame(loading->err, file, second->place, text_get(&what));
}

/* Hands an object over to the result, unless it is there already. */
static bool keep(struct loading *loading, const char *file, struct yaml_document *document)
{
    struct catalog_documents *documents = &loading->documents;
    AUTO(text) struct text identity = {0};

    identify(document->value, &identity);
    if (identity.length) {
        const json_t *known = json_object_getn(loading->known, identity.data, identity.length);

        if (known)
            return twice(loading, &documents->items[json_integer_value(known)], file, document);
        if (json_object_setn_new_nocheck(loading->known, identity.data, identity.length,
                                         json_integer((json_int_t)documents->count)) < 0)
            abort();
    }
    /* the list doubles whenever it is full, at every power of two */
    if ((documents->count & (documents->count - 1)) == 0)
        documents->items =
            text_realloc(documents->items, (2 * documents->count + 1) * sizeof *documents->items);
    documents->items[documents->count++] =
        (struct catalog_document){.file = text_dup(file, strlen(file)), .document = *document};
    *document = (struct yaml_document){0};
    return true;
}

static bool is_list(const json_t *object)
{
    struct span kind = tree_span(object, "kind");

    return kind.length >= 4 && memcmp(kind.data + kind.length - 4, "List", 4) == 0 &&
           (kind.length == 4 || json_is_array(tree_get(object, "items")));
}

/* The items of a typed list (DeploymentList) come from the API server without kind. */
static void type_item(const json_t *list, json_t *item)
{
    struct span kind = tree_span(list, "kind");

    if (kind.length == 4 || tree_get(item, "apiVersion") || tree_get(item, "kind"))
        return;
    tree_put_span(item, "apiVersion", tree_span(list, "apiVersion"));
    tree_put_span(item, "kind", (struct span){kind.data, kind.length - 4});
}

static bool take(struct loading *loading, const char *file, struct yaml_document *document);

static bool take_list(struct loading *loading, const char *file,
                      const struct yaml_document *document)
{
    AUTO(yaml) struct yaml items = {0};
    const json_t *list = tree_get(document->value, "items");

    if (list && !json_is_null(list) && !json_is_array(list))
        return blame(loading->err, file, yaml_locate(document, "/items"), "items is not a list");
    yaml_elements(document, "items", &items);
    for (size_t i = 0; i < items.count; i++) {
        if (json_is_object(items.documents[i].value))
            type_item(document->value, items.documents[i].value);
        if (!take(loading, file, &items.documents[i]))
            return false;
    }
    return true;
}

/* One document of a file, or one item of a list. Takes it over when it is kept. */
static bool take(struct loading *loading, const char *file, struct yaml_document *document)
{
    static const char *const required[] = {"apiVersion", "kind"};

    if (!json_is_object(document->value))
        return blame(loading->err, file, document->place, "not an object of Kubernetes");
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        const char *value = tree_text(document->value, required[i]);
        AUTO(free)
        char *what =
            text_format("%s is %s", required[i], value ? "empty" : "missing, or no string");

        if (!value || !*value)
            return blame(loading->err, file, yaml_locate_field(document, required[i]), what);
    }
    if (is_list(document->value))
        return take_list(loading, file, document);
    return keep(loading, file, document);
}

static void forward(struct text *warnings, const char *file, const struct text *remarks)
{
    struct span rest = {text_get(remarks), remarks->length}, line;
    AUTO(free) char *shown = text_printable(span_of(file), SIZE_MAX);

    while (text_split(&rest, '\n', &line))
        text_addf(warnings, "%s:%.*s\n", shown, (int)line.length, line.data);
}

static bool load_file(struct loading *loading, const char *path)
{
    const char *file = strcmp(path, "-") == 0 ? "stdin" : path;
    AUTO(text) struct text text = {0}, remarks = {0};
    AUTO(yaml) struct yaml yaml = {0};

    if (!catalog_load(path, &text, loading->err))
        return false;
    if (!yaml_read(&yaml, (struct span){text_get(&text), text.length}, &remarks, loading->err)) {
        enum error_code code = loading->err->code;
        AUTO(free) char *what = text_dup(loading->err->message, strlen(loading->err->message));

        return error_set(loading->err, code, "%s:%s", catalog_shown(file), what);
    }
    if (loading->warnings)
        forward(loading->warnings, file, &remarks);
    for (size_t i = 0; i < yaml.count; i++)
        if (!take(loading, file, &yaml.documents[i]))
            return false;
    return true;
}

bool catalog_documents(const char *path, struct catalog_documents *out, struct text *warnings,
                       struct error *err)
{
    AUTO(loading)
    struct loading loading = {.known = json_object(), .warnings = warnings, .err = err};
    AUTO(catalog_entries) struct catalog_entries entries = {0};

    catalog_list(path, &entries);
    for (size_t i = 0; i < entries.count; i++) {
        if (entries.items[i].kind == CATALOG_TROUBLE) {
            *err = entries.items[i].trouble;
            return false;
        }
    }
    for (size_t i = 0; i < entries.count; i++)
        if (entries.items[i].kind == CATALOG_FILE && !load_file(&loading, entries.items[i].path))
            return false;
    *out = loading.documents;
    loading.documents = (struct catalog_documents){0};
    return true;
}

json_t *catalog_read(const char *path, struct text *warnings, struct error *err)
{
    AUTO(catalog_documents) struct catalog_documents documents = {0};

    if (!catalog_documents(path, &documents, warnings, err))
        return NULL;

    json_t *objects = json_array();

    for (size_t i = 0; i < documents.count; i++)
        tree_push_new(objects, tree_share(documents.items[i].document.value));
    return objects;
}
