#include "kube/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"

/* How a verb is sent. */
struct verb {
    const char *method, *type; /* type of the body; NULL: JSON */
    bool collection;           /* to the list of all objects */
    bool silent;               /* the answer need not be the object */
};

static const struct verb create = {.method = "POST", .collection = true},
                         replace = {.method = "PUT"},
                         apply = {"PATCH", .type = "application/apply-patch+yaml"},
                         json_patch = {"PATCH", .type = "application/json-patch+json"},
                         merge_patch = {"PATCH", .type = "application/merge-patch+json"},
                         delete = {.method = "DELETE", .silent = true};

/* What is checked before anything is sent. */

/* What the API server takes as a segment of a path; else another object would be reached. */
static bool check_segment(const char *what, const char *name, struct error *err)
{
    if (!*name || strlen(name) > OBJECT_NAME_MAX_CHARS)
        return error_set(err, ERROR_INVALID, "%s: %s", what, *name ? "too long" : "empty");
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return error_set(err, ERROR_INVALID, "%s \"%s\" is none", what, name);
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c <= 0x20 || *c == 0x7f || *c == '/' || *c == '%')
            return error_set(err, ERROR_INVALID, "%s \"%.80s\" has a character that none may have",
                             what, name);
    return true;
}

static bool check_ref(const struct kube_ref *ref, bool named, struct error *err)
{
    const char *plural = ref->resource->plural;
    bool space = ref->resource->namespaced;

    if ((ref->space != NULL) != space)
        return error_set(err, ERROR_INVALID, "%s: %s", plural,
                         space ? "which namespace?" : "in no namespace");
    if (named && !ref->name)
        return error_set(err, ERROR_INVALID, "%s: which one?", plural);
    return (!ref->space || check_segment("namespace", ref->space, err) ||
            error_wrap(err, "%s", plural)) &&
           (!ref->name || check_segment("name", ref->name, err) || error_wrap(err, "%s", plural)) &&
           (!ref->sub || check_segment("sub-resource", ref->sub, err) ||
            error_wrap(err, "%s", plural));
}

static bool check_options(const struct kube_options *options, struct error *err)
{
    const char *manager = options->manager;

    if (manager && (!*manager || strlen(manager) > KUBE_MANAGER_MAX_CHARS))
        return error_set(err, ERROR_INVALID, "a field manager has 1 to %u characters",
                         KUBE_MANAGER_MAX_CHARS);
    for (; manager && *manager; manager++)
        if (*manager <= 0x20 || *manager == 0x7f)
            return error_set(err, ERROR_INVALID, "a field manager has printable characters only");
    return true;
}

/* The object must be the one that is written to. */
static bool check_name(const struct kube_ref *ref, const json_t *object, struct error *err)
{
    struct span name = tree_span(tree_get(object, "metadata"), "name");

    if (!ref->name || span_is(name, ref->name))
        return true;
    return error_set(err, ERROR_INVALID, "%s %.100s: the object has another name",
                     ref->resource->plural, ref->name);
}

/* What comes back. */

void kube_result_done(struct kube_result *result)
{
    json_decref(result->object);
    for (size_t i = 0; i < result->conflict_count; i++) {
        free(result->conflicts[i].manager);
        free(result->conflicts[i].field);
    }
    free(result->conflicts);
    *result = (struct kube_result){0};
}

/* The first word in quotes: `conflict with "kubectl" using apps/v1`. */
static struct span quoted(struct span text)
{
    struct span rest = text, before = {0}, word = {0};

    return text_split(&rest, '"', &before) && text_split(&rest, '"', &word) ? word : text;
}

static void take_conflicts(const json_t *status, struct kube_result *result)
{
    const json_t *causes = tree_at(status, "details.causes"), *cause;
    size_t i;

    result->conflicts = text_alloc(KUBE_CONFLICTS_MAX * sizeof *result->conflicts);
    tree_items (causes, i, cause) {
        if (!span_is(tree_span(cause, "reason"), "FieldManagerConflict") ||
            result->conflict_count == KUBE_CONFLICTS_MAX)
            continue;

        struct kube_conflict *conflict = &result->conflicts[result->conflict_count++];

        conflict->manager =
            text_printable(quoted(tree_span(cause, "message")), KUBE_MANAGER_MAX_CHARS);
        conflict->field = text_printable(tree_span(cause, "field"), KUBE_FIELD_MAX_CHARS);
    }
}

static void tell_conflicts(const struct kube_result *result, struct error *err)
{
    AUTO(text) struct text text = {0};

    for (size_t i = 0; i < result->conflict_count; i++)
        text_addf(&text, "%s%s (%s)", i ? ", " : "", result->conflicts[i].field,
                  result->conflicts[i].manager);
    error_set(err, ERROR_CONFLICT, "other managers own %s", text_get(&text));
}

/* Of the same kind and name as was asked for; a sub-resource may answer with a kind of its own. */
static bool is_meant(const struct kube_ref *ref, const json_t *object, const char *kind,
                     const char *version)
{
    if (ref->sub && strcmp(ref->sub, "status") != 0)
        return object != NULL;
    return object && span_is(tree_span(object, "kind"), kind) &&
           span_is(tree_span(object, "apiVersion"), version) &&
           (!ref->name || span_is(tree_span(tree_get(object, "metadata"), "name"), ref->name));
}

static char *version_of(const struct kube_resource *resource)
{
    return text_format("%s%s%s", resource->group, *resource->group ? "/" : "", resource->version);
}

static bool check_object(const struct kube_ref *ref, const struct verb *verb, const json_t *object,
                         struct error *err)
{
    AUTO(free) char *version = version_of(ref->resource);

    if (verb->silent || is_meant(ref, object, ref->resource->kind, version))
        return true;
    return error_set(err, ERROR_INTERNAL, "%s %.100s: the answer is no such object",
                     ref->resource->plural, ref->name ? ref->name : "");
}

/* One write. */

static char *path_of(const struct kube_ref *ref, const struct verb *verb,
                     const struct kube_options *options)
{
    AUTO(text) struct text path = {0};

    kube_path(&path, ref->resource, ref->space, verb->collection && !ref->sub ? NULL : ref->name,
              ref->sub);
    kube_query(&path, "fieldManager", options->manager);
    /* DELETE has it in its body */
    kube_query(&path, "dryRun", options->dry_run && !verb->silent ? "All" : NULL);
    kube_query(&path, "force", options->force && verb == &apply ? "true" : NULL);
    return text_take(&path);
}

static void note(struct kube_answer *answer, const struct verb *verb, bool good,
                 struct kube_result *result, struct error *err)
{
    bool well = answer->status >= 200 && answer->status <= 299;

    snprintf(result->reason, sizeof result->reason, "%s", kube_answer_reason(answer));
    if (good) {
        result->outcome = KUBE_DONE;
        /* a delete answers with a Status when nothing is left */
        if (!span_is(tree_span(answer->json, "kind"), "Status"))
            result->object = TAKE(answer->json);
        return;
    }
    if (verb == &apply && kube_answer_has_cause(answer, "FieldManagerConflict")) {
        take_conflicts(answer->json, result);
        tell_conflicts(result, err);
    }
    result->outcome = answer->doubtful || well ? KUBE_UNKNOWN : KUBE_REFUSED;
    if (result->outcome == KUBE_UNKNOWN)
        error_wrap(err, "not known whether it was carried out");
}

static bool write_object(struct kube_client *client, const struct verb *verb,
                         const struct kube_ref *ref, const json_t *body,
                         const struct kube_options *options, struct kube_result *result,
                         struct error *err)
{
    static const struct kube_options usual = {0};
    const struct kube_options *how = options ? options : &usual;

    kube_result_done(result);
    if (!check_ref(ref, !verb->collection || ref->sub, err) || !check_options(how, err))
        return false;

    AUTO(free) char *path = path_of(ref, verb, how);
    AUTO(secret_text) struct text text = {0}; /* what is sent may be a Secret */
    AUTO(kube_answer) struct kube_answer answer = {0};

    tree_write(&text, body, false);

    struct kube_request request = {.method = verb->method,
                                   .path = path,
                                   .content_type = verb->type,
                                   .body = {text_get(&text), text.length},
                                   .timeout_ms = how->timeout_ms,
                                   .answer_max = KUBE_FRAME_MAX_BYTES};
    bool good =
        kube_call(client, &request, &answer, err) && check_object(ref, verb, answer.json, err);

    note(&answer, verb, good, result, err);
    return good;
}

/* What the header promises. */

static json_t *get(struct kube_client *client, const struct kube_ref *ref, bool metadata_only,
                   int64_t timeout_ms, struct error *err)
{
    struct kube_watched watched = {.resource = *ref->resource, .metadata_only = metadata_only};
    AUTO(text) struct text path = {0};
    AUTO(kube_answer) struct kube_answer answer = {0};

    if (!check_ref(ref, true, err))
        return NULL;
    kube_path(&path, ref->resource, ref->space, ref->name, ref->sub);

    struct kube_request request = {.method = "GET",
                                   .path = text_get(&path),
                                   .accept = watched_accept(&watched),
                                   .timeout_ms = timeout_ms,
                                   .answer_max = KUBE_FRAME_MAX_BYTES};

    if (!kube_call(client, &request, &answer, err) ||
        (metadata_only && !watched_take(&watched, answer.json, false, err)) ||
        !check_object(ref, &replace, answer.json, err))
        return NULL;
    return TAKE(answer.json);
}

json_t *kube_get(struct kube_client *client, const struct kube_ref *ref, struct error *err)
{
    return get(client, ref, false, 0, err);
}

json_t *kube_get_within(struct kube_client *client, const struct kube_ref *ref, int64_t timeout_ms,
                        struct error *err)
{
    return get(client, ref, false, timeout_ms, err);
}

json_t *kube_get_metadata(struct kube_client *client, const struct kube_ref *ref, struct error *err)
{
    return get(client, ref, true, 0, err);
}

bool kube_create(struct kube_client *client, const struct kube_ref *ref, const json_t *object,
                 const struct kube_options *options, struct kube_result *result, struct error *err)
{
    return check_name(ref, object, err) &&
           write_object(client, &create, ref, object, options, result, err);
}

bool kube_replace(struct kube_client *client, const struct kube_ref *ref, const json_t *object,
                  const struct kube_options *options, struct kube_result *result, struct error *err)
{
    struct span version = tree_span(tree_get(object, "metadata"), "resourceVersion");

    if (version.length == 0)
        return error_set(err, ERROR_INVALID,
                         "%s: what replaces must have the resourceVersion that was read",
                         ref->resource->plural);
    return check_name(ref, object, err) &&
           write_object(client, &replace, ref, object, options, result, err);
}

bool kube_apply(struct kube_client *client, const struct kube_ref *ref, const json_t *intent,
                const struct kube_options *options, struct kube_result *result, struct error *err)
{
    AUTO(free) char *version = version_of(ref->resource);

    if (!options || !options->manager)
        return error_set(err, ERROR_INVALID, "an apply needs a field manager");
    if (!is_meant(&(struct kube_ref){.resource = ref->resource}, intent, ref->resource->kind,
                  version) ||
        tree_get(tree_get(intent, "metadata"), "managedFields"))
        return error_set(err, ERROR_INVALID, "%s: no intent: its kind, or managed fields",
                         ref->resource->plural);
    return check_name(ref, intent, err) &&
           write_object(client, &apply, ref, intent, options, result, err);
}

bool kube_json_patch(struct kube_client *client, const struct kube_ref *ref, const json_t *patch,
                     const struct kube_options *options, struct kube_result *result,
                     struct error *err)
{
    if (!json_is_array(patch))
        return error_set(err, ERROR_INVALID, "a JSON patch is a list");
    return write_object(client, &json_patch, ref, patch, options, result, err);
}

void kube_json_patch_test(json_t *patch, const char *path, const json_t *value)
{
    json_t *test = json_object();

    tree_put_text(test, "op", "test");
    tree_put_text(test, "path", path);
    tree_put_new(test, "value", tree_share(value));
    if (json_array_insert_new(patch, 0, test) < 0)
        abort();
}

void kube_name_state(json_t *metadata, const json_t *object)
{
    const json_t *read = tree_get(object, "metadata");

    tree_put_text(metadata, "uid", tree_text(read, "uid"));
    tree_put_text(metadata, "resourceVersion", tree_text(read, "resourceVersion"));
}

bool kube_merge_patch(struct kube_client *client, const struct kube_ref *ref, const json_t *patch,
                      const struct kube_options *options, struct kube_result *result,
                      struct error *err)
{
    if (!json_is_object(patch))
        return error_set(err, ERROR_INVALID, "a merge patch is an object");
    return write_object(client, &merge_patch, ref, patch, options, result, err);
}

static json_t *delete_options(const struct kube_delete *how, bool dry_run)
{
    static const char *const policies[] = {NULL, "Background", "Foreground", "Orphan"};
    json_t *options = json_object(), *preconditions = json_object(), *dry = json_array();

    tree_put_text(options, "apiVersion", "v1");
    tree_put_text(options, "kind", "DeleteOptions");
    tree_put_text(preconditions, "uid", how->uid);
    tree_put_text(preconditions, "resourceVersion", how->version);
    tree_put_new(options, "preconditions", preconditions);
    tree_put_text(options, "propagationPolicy", policies[how->propagation]);
    if (how->grace_s)
        tree_put_int(options, "gracePeriodSeconds", how->grace_s > 0 ? how->grace_s : 0);
    if (dry_run)
        tree_push_text(dry, "All");
    tree_put_new(options, "dryRun", dry);
    return options;
}

bool kube_delete(struct kube_client *client, const struct kube_ref *ref,
                 const struct kube_delete *how, const struct kube_options *options,
                 struct kube_result *result, struct error *err)
{
    static const struct kube_delete usual = {0};
    AUTO(json) json_t *body = delete_options(how ? how : &usual, options && options->dry_run);

    if ((how && how->uid && !*how->uid) || (how && how->version && !*how->version))
        return error_set(err, ERROR_INVALID, "%s: an empty precondition is none",
                         ref->resource->plural);
    return write_object(client, &delete, ref, body, options, result, err);
}
