#include "webhook/review.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/tree.h"

static const char *version_of(const struct scan *scan)
{
    static const char *const versions[] = {"admission.k8s.io/v1", "admission.k8s.io/v1beta1"};
    uint32_t version = scan_member(scan, 0, "apiVersion");

    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (scan_is(scan, version, versions[i]))
            return versions[i];
    return NULL;
}

static bool is_string(const struct scan *scan, uint32_t value)
{
    return value != SCAN_NONE && scan->values[value].type == SCAN_STRING;
}

static uint32_t object_or_none(const struct scan *scan, uint32_t request, const char *key)
{
    uint32_t value = scan_member(scan, request, key);

    return value != SCAN_NONE && scan->values[value].type == SCAN_NULL ? SCAN_NONE : value;
}

static enum operation operation_of(const char *text)
{
    static const char *const names[] = {"CREATE", "UPDATE", "DELETE"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i]))
            return (enum operation)i;
    return OPERATION_OTHER;
}

static bool envelope(struct review *review, uint32_t *request, struct error *err)
{
    const struct scan *scan = &review->scan;

    if (scan->values[0].type != SCAN_OBJECT)
        return error_set(err, ERROR_BAD_REQUEST, "the body is not an object");
    if (!scan_is(scan, scan_member(scan, 0, "kind"), "AdmissionReview"))
        return error_set(err, ERROR_BAD_REQUEST, "kind: expected AdmissionReview");
    review->version = version_of(scan);
    if (!review->version)
        return error_set(err, ERROR_BAD_REQUEST,
                         "apiVersion: expected admission.k8s.io/v1 or admission.k8s.io/v1beta1");
    *request = scan_member(scan, 0, "request");
    if (*request == SCAN_NONE || scan->values[*request].type != SCAN_OBJECT)
        return error_set(err, ERROR_BAD_REQUEST, "request: expected an object");

    uint32_t uid = scan_member(scan, *request, "uid");

    review->uid = scan_slice(scan, uid);
    if (!is_string(scan, uid) || review->uid.length <= 2)
        return error_set(err, ERROR_BAD_REQUEST,
                         "request.uid: expected a string that is not empty");
    return true;
}

static bool is_object(const struct scan *scan, uint32_t value)
{
    return value != SCAN_NONE && scan->values[value].type == SCAN_OBJECT;
}

/* J15, J16: shapes that an API server never sends. */
static bool objects(struct review *review, struct error *err)
{
    const struct scan *scan = &review->scan;
    bool writes = review->operation <= OPERATION_UPDATE && !review->sub_resource;

    if (review->old != SCAN_NONE && !is_object(scan, review->old))
        return error_set(err, ERROR_BAD_REQUEST, "request.oldObject: expected an object or null");
    if (review->object != SCAN_NONE && !is_object(scan, review->object))
        return error_set(err, ERROR_BAD_REQUEST, "request.object: expected an object or null");
    if (writes && review->object == SCAN_NONE)
        return error_set(err, ERROR_BAD_REQUEST, "request.object: expected an object on %s",
                         review->operation_text);

    AUTO(json)
    json_t *space = scan_tree(scan, scan_path(scan, review->object, "metadata.namespace"), NULL);

    if (json_is_string(space) && json_string_length(space) &&
        !span_is(tree_value(space), review->space))
        return error_set(err, ERROR_BAD_REQUEST,
                         "request.namespace: is not object.metadata.namespace");
    return true;
}

static bool wrong_type(const struct scan *scan, uint32_t value, enum scan_type type)
{
    return value != SCAN_NONE && scan->values[value].type != SCAN_NULL &&
           scan->values[value].type != type;
}

static bool request_types(const struct scan *scan, uint32_t request, struct error *err)
{
    static const struct {
        const char *key, *expected;
        enum scan_type type;
    } rows[] = {
        {"kind", "an object", SCAN_OBJECT},     {"resource", "an object", SCAN_OBJECT},
        {"name", "a string", SCAN_STRING},      {"namespace", "a string", SCAN_STRING},
        {"operation", "a string", SCAN_STRING}, {"subResource", "a string", SCAN_STRING},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (wrong_type(scan, scan_member(scan, request, rows[i].key), rows[i].type))
            return error_set(err, ERROR_BAD_REQUEST, "request.%s: expected %s", rows[i].key,
                             rows[i].expected);
    return true;
}

/* The string at this path below a value, "" when there is none; it lives as long as the review. */
static const char *word(struct review *review, uint32_t value, const char *path)
{
    uint32_t at = scan_path(&review->scan, value, path);
    json_t *string = is_string(&review->scan, at) ? scan_tree(&review->scan, at, NULL) : NULL;

    tree_push_new(review->words, string);
    return string ? json_string_value(string) : "";
}

static bool fill(struct review *review, uint32_t request, struct error *err)
{
    const struct scan *scan = &review->scan;

    if (!request_types(scan, request, err))
        return false;
    review->words = json_array();
    review->group = word(review, request, "kind.group");
    review->kind = word(review, request, "kind.kind");
    review->space = word(review, request, "namespace");
    review->name = word(review, request, "name");
    review->user = word(review, request, "userInfo.username");
    review->operation_text = word(review, request, "operation");
    review->operation = operation_of(review->operation_text);
    review->sub_resource = *word(review, request, "subResource") != '\0';
    review->object = object_or_none(scan, request, "object");
    review->old = object_or_none(scan, request, "oldObject");
    return objects(review, err);
}

bool review_read(struct review *review, struct span body, struct error *err)
{
    struct review read = {0};
    uint32_t request = SCAN_NONE;

    if (!scan_text(&read.scan, body, err) || !envelope(&read, &request, err) ||
        !fill(&read, request, err)) {
        review_done(&read);
        return false;
    }
    *review = read;
    return true;
}

void review_done(struct review *review)
{
    scan_done(&review->scan);
    json_decref(review->words);
    *review = (struct review){0};
}

void reply_done(struct reply *reply)
{
    text_done(&reply->message);
    json_decref(reply->details);
    json_decref(reply->patch);
    json_decref(reply->warnings);
    json_decref(reply->audit);
    *reply = (struct reply){0};
}

/* A container, its volumes and mark as a patch, and an answer with it: growing takes time. */
#define PATCH_USUAL_BYTES 2000u
#define ANSWER_USUAL_BYTES 4000u

/* Room that "and N more" takes at most. */
#define MORE_BYTES 64u

static size_t warned_bytes(const json_t *warnings)
{
    const json_t *warning;
    size_t i, bytes = 0;

    tree_items (warnings, i, warning)
        bytes += json_string_length(warning);
    return bytes;
}

static bool is_warned(const json_t *warnings, const char *line)
{
    const json_t *warning;
    size_t i;

    tree_items (warnings, i, warning) {
        if (!strcmp(json_string_value(warning), line))
            return true;
    }
    return false;
}

void reply_warn(struct reply *reply, const char *text)
{
    AUTO(free) char *line = text_printable(span_of(text), WARNING_MAX_CHARS);

    if (!*line || is_warned(reply->warnings, line))
        return;
    if (!reply->warnings)
        reply->warnings = json_array();
    if (warned_bytes(reply->warnings) + strlen(line) + MORE_BYTES > WARNINGS_MAX_BYTES)
        reply->left_out++;
    else
        tree_push_text(reply->warnings, line);
}

void reply_audit(struct reply *reply, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    if (!reply->audit)
        reply->audit = json_object();
    tree_put_text(reply->audit, key, value);
}

static void add_string(struct text *out, const char *key, struct span value)
{
    text_addf(out, ",\"%s\":\"", key);
    text_add_json(out, value.data, value.length);
    text_putc(out, '"');
}

static void add_tree(struct text *out, const char *key, const json_t *tree)
{
    text_addf(out, ",\"%s\":", key);
    tree_write(out, tree, false);
}

static void add_patch(struct text *out, const json_t *patch)
{
    AUTO(text) struct text text = {0};
    gnutls_datum_t coded = {0}, plain;

    text_reserve(&text, PATCH_USUAL_BYTES);
    tree_write(&text, patch, false);
    plain = (gnutls_datum_t){(unsigned char *)text.data, (unsigned)text.length};
    if (gnutls_base64_encode2(&plain, &coded) < 0)
        abort();
    text_puts(out, ",\"patchType\":\"JSONPatch\",\"patch\":\"");
    text_add(out, (const char *)coded.data, coded.size);
    text_putc(out, '"');
    gnutls_free(coded.data);
}

static void add_warnings(struct text *out, const struct reply *reply)
{
    AUTO(json) json_t *warnings = json_copy(reply->warnings);

    if (reply->left_out) {
        AUTO(free)
        char *line =
            text_format("granary: and %u more, see kubectl-granary validate", reply->left_out);

        tree_push_text(warnings, line);
    }
    add_tree(out, "warnings", warnings);
}

static void add_refusal(struct text *out, const struct reply *reply)
{
    text_addf(out, ",\"status\":{\"status\":\"Failure\",\"code\":%d", reply->code);
    if (reply->reason)
        add_string(out, "reason", span_of(reply->reason));
    add_string(out, "message", (struct span){text_get(&reply->message), reply->message.length});
    if (reply->details)
        add_tree(out, "details", reply->details);
    text_putc(out, '}');
}

void reply_write(struct text *out, const struct review *review, const struct reply *reply)
{
    text_reserve(out, ANSWER_USUAL_BYTES);
    text_addf(out, "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"%s\",\"response\":{\"uid\":",
              review->version);
    text_add(out, review->uid.data, review->uid.length);
    text_addf(out, ",\"allowed\":%s", reply->allowed ? "true" : "false");
    if (!reply->allowed)
        add_refusal(out, reply);
    if (reply->allowed && json_array_size(reply->patch) > 0)
        add_patch(out, reply->patch);
    if (reply->warnings)
        add_warnings(out, reply);
    if (reply->audit)
        add_tree(out, "auditAnnotations", reply->audit);
    text_puts(out, "}}");
}
