#include "tests/unit/asking.h"

#include <check.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/limits.h"
#include "base/patch.h"
#include "base/text.h"
#include "base/tree.h"
#include "webhook/admit.h"

char asking_case[96];

#define MUST(promise, format, ...) ck_assert_msg(promise, "%s" format, asking_case, ##__VA_ARGS__)

void asking_make(struct asking *asking, const json_t *objects, const json_t *settings)
{
    struct error err = {0};

    asking->cluster = cluster_make(objects);
    MUST(settings_parse(&asking->settings, settings, &err), "%s", err.message);
}

void asking_done(struct asking *asking)
{
    settings_done(&asking->settings);
    cluster_unref(asking->cluster);
}

/* The group of apiVersion, "" for the core; the version behind it. */
static void put_kind(json_t *request, const json_t *object)
{
    struct span version = tree_span(object, "apiVersion");
    const char *slash = version.data ? memchr(version.data, '/', version.length) : NULL;
    json_t *kind = json_object();

    tree_put_span(kind, "group",
                  (struct span){version.data ? version.data : "",
                                slash ? (size_t)(slash - version.data) : 0});
    tree_put_text(kind, "version", slash ? slash + 1 : version.data);
    tree_put_text(kind, "kind", tree_text(object, "kind"));
    tree_put_new(request, "kind", kind);
}

json_t *asking_review(const char *operation, const json_t *object, const json_t *old)
{
    const json_t *shown = object ? object : old, *metadata = tree_get(shown, "metadata");
    json_t *review = json_object(), *request = json_object();

    tree_put_text(review, "kind", "AdmissionReview");
    tree_put_text(review, "apiVersion", "admission.k8s.io/v1");
    tree_put_text(request, "uid", "0df28fbd-5f5f-11e8-bc74-36e6bb280816");
    put_kind(request, shown);
    tree_put_text(request, "name", tree_text(metadata, "name"));
    tree_put_text(request, "namespace", tree_text(metadata, "namespace"));
    tree_put_text(request, "operation", operation);
    tree_put_new(request, "object", object ? tree_copy(object) : json_null());
    tree_put_new(request, "oldObject", old ? tree_copy(old) : json_null());
    tree_put_new(review, "request", request);
    return review;
}

/* ---- what every answer keeps to ---- */

static void judge_path(const char *path)
{
    static const char *const allowed[] = {"/spec/template/metadata",
                                          "/spec/template/spec/containers",
                                          "/spec/template/spec/initContainers",
                                          "/spec/template/spec/volumes",
                                          "/spec/target/rules",
                                          "/spec/rules"};
    bool ok = false;

    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        ok = ok || !strncmp(path, allowed[i], strlen(allowed[i]));
    MUST(ok, "the patch touches %s", path);
}

/* JP4, JP7 */
static void judge_patch(const json_t *patch)
{
    AUTO(free) char *text = json_dumps(patch, JSON_COMPACT);
    const json_t *operation;
    size_t i;

    MUST(json_is_array(patch) && json_array_size(patch) > 0, "a patch of nothing");
    MUST(strlen(text) <= 64u << 10, "a patch of %zu bytes", strlen(text));
    tree_items (patch, i, operation) {
        const char *op = tree_text(operation, "op");

        MUST(!strcmp(op, "add") || !strcmp(op, "remove") || !strcmp(op, "replace"), "operation %s",
             op);
        judge_path(tree_text(operation, "path"));
    }
}

/* One line each without control characters, 120 characters, 4 KiB together. */
static void judge_warnings(const json_t *warnings)
{
    const json_t *warning;
    size_t i, bytes = 0;

    tree_items (warnings, i, warning) {
        struct span text = tree_value(warning);
        size_t chars = 0;

        MUST(text.length > 0, "a warning that is empty or no string");
        bytes += text.length;
        for (size_t c = 0; c < text.length; c++) {
            MUST((unsigned char)text.data[c] >= 0x20 && text.data[c] != 0x7f, "%s", text.data);
            chars += ((unsigned char)text.data[c] & 0xc0) != 0x80;
        }
        MUST(chars <= WARNING_MAX_CHARS, "%s", text.data);
    }
    MUST(bytes <= WARNINGS_MAX_BYTES, "warnings of %zu bytes", bytes);
}

/* An API server drops keys of another shape. */
static void judge_audit(const json_t *annotations)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const json_t *value;
    const char *key;

    tree_each (annotations, key, value) {
        MUST(*key && strlen(key) <= 63 && strspn(key, legal) == strlen(key), "%s", key);
        MUST(json_is_string(value), "an audit annotation that is no string");
    }
}

static json_t *decoded_patch(const char *patch)
{
    gnutls_datum_t coded = {(unsigned char *)patch, (unsigned)strlen(patch)}, plain;
    json_error_t at;

    MUST(gnutls_base64_decode2(&coded, &plain) == 0, "no base64");

    json_t *tree = json_loadb((char *)plain.data, plain.size, JSON_ALLOW_NUL, &at);

    gnutls_free(plain.data);
    MUST(tree != NULL, "%s", at.text);
    return tree;
}

static json_t *decoded(const struct admit_answer *answer)
{
    json_error_t at;
    json_t *review =
        json_loads(text_get(&answer->body), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &at);
    json_t *response = json_object_get(review, "response");
    const char *patch = tree_text(response, "patch");

    MUST(review != NULL, "%s in %.2000s", at.text, text_get(&answer->body));
    MUST(json_is_boolean(tree_get(response, "allowed")), "no word on whether it is allowed");
    judge_warnings(tree_get(response, "warnings"));
    judge_audit(tree_get(response, "auditAnnotations"));
    MUST(!patch == !tree_get(response, "patchType"), "patch and patchType do not go together");
    if (patch) {
        MUST(tree_true(response, "allowed"), "a refusal with a patch");
        tree_put_new(response, "patch", decoded_patch(patch));
        judge_patch(tree_get(response, "patch"));
    }
    return review;
}

json_t *asking_bytes(const struct asking *asking, struct span body, struct error *err)
{
    AUTO(admit_answer) struct admit_answer answer = {0};

    return admit_once(&asking->settings, asking->cluster, body, &answer, err) ? decoded(&answer)
                                                                              : NULL;
}

json_t *asking_answer(const struct asking *asking, const json_t *review, struct error *err)
{
    AUTO(text) struct text body = {0};

    tree_write(&body, review, false);
    return asking_bytes(asking, (struct span){text_get(&body), body.length}, err);
}

json_t *asking_result(const json_t *review, const json_t *answer)
{
    const json_t *object = tree_at(review, "request.object"),
                 *patch = tree_at(answer, "response.patch");
    struct error err = {0};

    if (!patch)
        return tree_copy(object);

    json_t *result = patch_apply(object, patch, &err);

    MUST(result != NULL, "the patch does not apply: %s", err.message);
    return result;
}

/* Null, an empty list and none are the same to an API server. */
static void drop_empty(json_t *object)
{
    json_t *child;
    const char *key;
    size_t i;
    void *next;

    json_object_foreach_safe(object, next, key, child)
    {
        drop_empty(child);
        if (json_is_null(child) || ((json_is_array(child) || json_is_object(child)) &&
                                    json_array_size(child) == 0 && json_object_size(child) == 0))
            json_object_del(object, key);
    }
    json_array_foreach(object, i, child) drop_empty(child);
}

void asking_must_be_same(const char *what, const json_t *a, const json_t *b)
{
    AUTO(json) json_t *one = tree_copy(a), *other = tree_copy(b);

    drop_empty(one);
    drop_empty(other);
    if (tree_equal(one, other))
        return;

    AUTO(json) json_t *difference = patch_diff(one, other, "");
    AUTO(free) char *shown = json_dumps(difference, JSON_INDENT(1));

    MUST(false, "%s: %.2000s", what, shown);
}
