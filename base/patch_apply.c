#include "base/patch.h"

#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "base/pointer.h"
#include "base/tree.h"

#define NO_INDEX SIZE_MAX

/* Characters of hostile text in a message. */
#define SHOWN_MAX_CHARS 60

struct application {
    json_t *document; /* ours, edited in place */
    size_t copied_bytes;
};

/* Where an operation acts. */
struct target {
    json_t *value;     /* what is there now, or NULL. Borrowed */
    json_t *parent;    /* the object or list that holds it; NULL: it is the document. Borrowed */
    struct text token; /* its key or index in there */
    size_t index;      /* the token as index, or NO_INDEX */
    size_t depth;
};

static void auto_target(struct target *target)
{
    text_done(&target->token);
}

static struct span token_of(const struct target *target)
{
    return (struct span){text_get(&target->token), target->token.length};
}

static bool refuse(struct error *err, const char *format, struct span token)
{
    AUTO(free) char *shown = text_printable(token, SHOWN_MAX_CHARS);

    return error_set(err, ERROR_INVALID, format, shown);
}

/* Finds where the operation's member "path" or "from" points to. The last step may lead to nothing,
 * as `add` needs it. */
static bool locate(struct target *target, const struct application *application,
                   const json_t *operation, const char *member, struct error *err)
{
    struct span rest = tree_span(operation, member);

    target->value = application->document;
    while (pointer_token(&rest, &target->token, err)) {
        target->parent = target->value;
        target->value = (json_t *)pointer_step(target->parent, token_of(target));
        target->depth++;
        if (!pointer_index(token_of(target), &target->index))
            target->index = NO_INDEX;
        if (!target->value && rest.length)
            return refuse(err, "there is no \"%s\" to go through", token_of(target));
    }
    return err->code == ERROR_NONE;
}

static bool locate_present(struct target *target, const struct application *application,
                           const json_t *operation, const char *member, struct error *err)
{
    if (!locate(target, application, operation, member, err))
        return false;
    if (!target->value)
        return refuse(err, "there is no \"%s\"", token_of(target));
    return true;
}

static size_t higher(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Levels of nesting: 1 of a scalar. */
static size_t height(const json_t *value)
{
    size_t highest = 0, i;
    const json_t *item;
    const char *key;

    tree_each (value, key, item)
        highest = higher(highest, height(item));
    tree_items (value, i, item)
        highest = higher(highest, height(item));
    return highest + 1;
}

static bool put_document(struct application *application, json_t *value)
{
    json_decref(application->document);
    application->document = json_incref(value);
    return true;
}

static bool put_member(const struct target *target, json_t *value, struct error *err)
{
    struct span key = token_of(target);

    if (memchr(key.data, '\0', key.length))
        return refuse(err, "\"%s\" holds NUL, which no key may", key);
    if (json_object_setn(target->parent, key.data, key.length, value) < 0)
        return refuse(err, "\"%s\" is not UTF-8", key);
    return true;
}

static bool insert_element(const struct target *target, json_t *value, struct error *err)
{
    size_t length = json_array_size(target->parent);
    size_t index = span_is(token_of(target), "-") ? length : target->index;

    if (index == NO_INDEX)
        return refuse(err, "\"%s\" is no index of a list", token_of(target));
    if (index > length)
        return refuse(err, "index %s is beyond the end of the list", token_of(target));
    json_array_insert(target->parent, index, value);
    return true;
}

static bool bounded(const struct target *target, const json_t *value, struct error *err)
{
    if (target->depth + height(value) <= JSON_MAX_DEPTH)
        return true;
    return error_set(err, ERROR_TOO_LARGE, "the result would be deeper than %u levels",
                     JSON_MAX_DEPTH);
}

static bool insert(struct application *application, const json_t *operation, json_t *value,
                   struct error *err)
{
    AUTO(target) struct target target = {0};

    if (!locate(&target, application, operation, "path", err) || !bounded(&target, value, err))
        return false;
    if (!target.parent)
        return put_document(application, value);
    if (json_is_object(target.parent))
        return put_member(&target, value, err);
    if (json_is_array(target.parent))
        return insert_element(&target, value, err);
    return refuse(err, "what should hold \"%s\" is neither object nor list", token_of(&target));
}

static bool add(struct application *application, const json_t *operation, struct error *err)
{
    AUTO(json) json_t *value = tree_copy(tree_get(operation, "value"));

    return insert(application, operation, value, err);
}

/* Takes what is there out of its object or list; new reference. */
static json_t *take_out(const struct target *target)
{
    json_t *value = json_incref(target->value);

    if (json_typeof(target->parent) == JSON_OBJECT)
        json_object_deln(target->parent, text_get(&target->token), target->token.length);
    else
        json_array_remove(target->parent, target->index);
    return value;
}

static bool remove_value(struct application *application, const json_t *operation,
                         struct error *err)
{
    AUTO(target) struct target target = {0};

    if (!locate_present(&target, application, operation, "path", err))
        return false;
    if (!target.parent)
        return error_set(err, ERROR_INVALID, "the document itself can not be removed");
    json_decref(take_out(&target));
    return true;
}

static bool replace(struct application *application, const json_t *operation, struct error *err)
{
    AUTO(target) struct target target = {0};
    AUTO(json) json_t *value = tree_copy(tree_get(operation, "value"));

    if (!locate_present(&target, application, operation, "path", err) ||
        !bounded(&target, value, err))
        return false;
    if (!target.parent)
        return put_document(application, value);
    if (json_typeof(target.parent) == JSON_OBJECT)
        return put_member(&target, value, err);
    json_array_set(target.parent, target.index, value);
    return true;
}

/* A place is inside another when its pointer goes on behind the other's. Pointers have one spelling
 * only, so their bytes tell. */
static bool inside(struct span place, struct span other)
{
    return place.length > other.length && place.data[other.length] == '/' &&
           memcmp(place.data, other.data, other.length) == 0;
}

static bool move(struct application *application, const json_t *operation, struct error *err)
{
    AUTO(target) struct target source = {0};
    struct span from = tree_span(operation, "from"), path = tree_span(operation, "path");

    if (!locate_present(&source, application, operation, "from", err))
        return false;
    if (span_equal(from, path))
        return true;
    if (inside(path, from))
        return error_set(err, ERROR_INVALID, "nothing can be moved into itself");

    AUTO(json) json_t *value = take_out(&source);

    return insert(application, operation, value, err);
}

static bool copy(struct application *application, const json_t *operation, struct error *err)
{
    AUTO(target) struct target source = {0};

    if (!locate_present(&source, application, operation, "from", err))
        return false;
    application->copied_bytes += json_dumpb(source.value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    if (application->copied_bytes > PATCH_MAX_COPY_BYTES)
        return error_set(err, ERROR_TOO_LARGE, "more than %u bytes would be copied",
                         PATCH_MAX_COPY_BYTES);

    AUTO(json) json_t *value = tree_copy(source.value);

    return insert(application, operation, value, err);
}

static bool is_number(const json_t *value)
{
    return json_typeof(value) == JSON_INTEGER || json_typeof(value) == JSON_REAL;
}

static bool same_number(const json_t *a, const json_t *b)
{
    if (json_typeof(a) == json_typeof(b))
        return tree_equal(a, b);
    if (json_typeof(a) == JSON_REAL)
        return same_number(b, a);

    json_int_t integer = json_integer_value(a);
    double real = json_real_value(b);

    /* the first comparison rounds the integer, the last is exact; 2^63 would overflow it */
    return (double)integer == real && real < 0x1p63 && (json_int_t)real == integer;
}

/* Equality as `test` means it: numbers by their value, whatever their type. RFC 6902 section 4.6 */
static bool same(const json_t *a, const json_t *b)
{
    const json_t *item;
    const char *key;
    size_t i;

    if (is_number(a) && is_number(b))
        return same_number(a, b);
    if (json_typeof(a) != json_typeof(b) || json_object_size(a) != json_object_size(b) ||
        json_array_size(a) != json_array_size(b))
        return false;
    if (json_typeof(a) == JSON_STRING)
        return span_equal(tree_value(a), tree_value(b));
    tree_each (a, key, item)
        if (!json_object_get(b, key) || !same(item, json_object_get(b, key)))
            return false;
    tree_items (a, i, item)
        if (!same(item, json_array_get(b, i)))
            return false;
    return true;
}

static bool test(struct application *application, const json_t *operation, struct error *err)
{
    AUTO(target) struct target target = {0};

    if (!locate_present(&target, application, operation, "path", err))
        return false;
    if (!same(target.value, tree_get(operation, "value")))
        return error_set(err, ERROR_INVALID, "the value there is another one");
    return true;
}

static const struct verb {
    const char *name;
    bool (*run)(struct application *application, const json_t *operation, struct error *err);
    bool needs_value, needs_from;
} verbs[] = {
    {"add", add, true, false},   {"remove", remove_value, false, false},
    {"copy", copy, false, true}, {"replace", replace, true, false},
    {"move", move, false, true}, {"test", test, true, false},
};

static const struct verb *find_verb(struct span name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (span_is(name, verbs[i].name))
            return &verbs[i];
    return NULL;
}

static bool no_string(struct error *err, const char *member)
{
    return error_set(err, ERROR_INVALID, "\"%s\" is missing or no string", member);
}

static bool run(struct application *application, const json_t *operation, struct error *err)
{
    struct span op = tree_span(operation, "op");
    const struct verb *verb = find_verb(op);

    if (json_typeof(operation) != JSON_OBJECT)
        return error_set(err, ERROR_INVALID, "it is not an object");
    if (!op.data)
        return no_string(err, "op");
    if (!verb)
        return refuse(err, "there is no operation \"%s\"", op);
    if (!tree_text(operation, "path"))
        return no_string(err, "path");
    if (verb->needs_from && !tree_text(operation, "from"))
        return no_string(err, "from");
    if (verb->needs_value && !tree_get(operation, "value"))
        return error_set(err, ERROR_INVALID, "\"value\" is missing");
    return verb->run(application, operation, err);
}

/* "operation 3 (add /spec/volumes/0): ..." */
static bool wrap(struct error *err, size_t index, const json_t *operation)
{
    AUTO(free) char *op = text_printable(tree_span(operation, "op"), SHOWN_MAX_CHARS);
    AUTO(free) char *path = text_printable(tree_span(operation, "path"), SHOWN_MAX_CHARS);

    return error_wrap(err, "operation %zu (%s %s)", index, op, path);
}

static bool run_all(struct application *application, const json_t *patch, struct error *err)
{
    const json_t *operation;
    size_t i;

    if (!json_is_array(patch))
        return error_set(err, ERROR_INVALID, "a JSON Patch is a list of operations");
    tree_items (patch, i, operation)
        if (!run(application, operation, err))
            return wrap(err, i, operation);
    return true;
}

json_t *patch_apply(const json_t *document, const json_t *patch, struct error *err)
{
    struct application application = {.document = tree_copy(document)};
    struct error failure = {0};

    if (run_all(&application, patch, &failure))
        return application.document;
    json_decref(application.document);
    *err = failure;
    return NULL;
}
