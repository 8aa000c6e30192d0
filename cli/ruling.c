#include "cli/ruling.h"

#include <ctype.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/target.h"
#include "api/validate.h"
#include "base/limits.h"
#include "base/tree.h"
#include "webhook/admit.h"

void ruling_done(struct ruling *ruling)
{
    json_decref(ruling->patch);
    json_decref(ruling->warnings);
    json_decref(ruling->audit);
    free(ruling->message);
    *ruling = (struct ruling){0};
}

static bool is_restore_session(const json_t *object)
{
    return span_is(tree_span(object, "kind"), "RestoreSession") &&
           span_is(inputs_group(object), GROUP_STASH);
}

bool ruling_concerns(const json_t *object)
{
    return target_kind_of(inputs_group(object), tree_span(object, "kind")) ||
           is_restore_session(object);
}

bool ruling_judges(const json_t *object)
{
    struct span group = inputs_group(object);
    AUTO(free) char *name = text_dup(group.data ? group.data : "", group.length);
    const char *kind = tree_text(object, "kind");

    return validate_knows(name, kind ? kind : "");
}

/* ---- the question ---- */

/* {group, version, <key>: name} */
static json_t *group_version(const json_t *object, const char *key, const char *name)
{
    struct span version = tree_span(object, "apiVersion"), group = inputs_group(object);
    json_t *made = json_object();

    if (group.length) {
        version.data += group.length + 1;
        version.length -= group.length + 1;
    }
    tree_put_span(made, "group", group.length ? group : span_of(""));
    tree_put_span(made, "version", version);
    tree_put_text(made, key, name);
    return made;
}

/* The plural as Kubernetes makes it of the kinds that are asked about; the caller frees it. */
static char *resource_of(const json_t *object)
{
    struct span kind = tree_span(object, "kind");
    const struct target_kind *target = target_kind_of(inputs_group(object), kind);
    bool y = kind.length && kind.data[kind.length - 1] == 'y';
    AUTO(text) struct text plural = {0};

    if (target)
        return text_format("%s", target->resource);
    for (size_t i = 0; i < kind.length - y; i++)
        text_putc(&plural, (char)tolower((unsigned char)kind.data[i]));
    text_puts(&plural, y ? "ies" : "s");
    return text_take(&plural);
}

/* Not random: the same manifest asks the same question each time. Spec: RFC 9562, version 8. */
static void put_uid(json_t *request, const json_t *object)
{
    AUTO(free) char *text = tree_format(object, NULL);
    char hex[65];

    text_sha256(span_of(text), hex);

    AUTO(free)
    char *uid =
        text_format("%.8s-%.4s-8%.3s-8%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15, hex + 18);

    tree_put_text(request, "uid", uid);
}

static json_t *request_of(const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");
    const char *kind = tree_text(object, "kind"), *name = tree_text(metadata, "name");
    json_t *request = json_object(), *user = json_object(), *options = json_object();
    AUTO(free) char *resource = resource_of(object);

    put_uid(request, object);
    tree_put_new(request, "kind", group_version(object, "kind", kind));
    tree_put_new(request, "resource", group_version(object, "resource", resource));
    tree_put_new(request, "requestKind", group_version(object, "kind", kind));
    tree_put_new(request, "requestResource", group_version(object, "resource", resource));
    tree_put_text(request, "name", name);
    tree_put_text(request, "namespace", tree_text(metadata, "namespace"));
    tree_put_text(request, "operation", "CREATE");
    tree_put_text(user, "username", "kubectl-granary");
    tree_put_new(request, "userInfo", user);
    tree_put_new(request, "object", tree_copy(object));
    tree_put_new(request, "oldObject", json_null());
    tree_put_bool(request, "dryRun", true);
    tree_put_text(options, "apiVersion", "meta.k8s.io/v1");
    tree_put_text(options, "kind", "CreateOptions");
    tree_put_new(request, "options", options);
    return request;
}

char *ruling_question(const json_t *object)
{
    AUTO(json) json_t *review = json_object();

    tree_put_text(review, "apiVersion", "admission.k8s.io/v1");
    tree_put_text(review, "kind", "AdmissionReview");
    tree_put_new(review, "request", request_of(object));
    return tree_format(review, NULL);
}

/* ---- the answer ---- */

static bool read_patch(struct ruling *ruling, const json_t *response, struct error *err)
{
    struct span coded = tree_span(response, "patch");
    gnutls_datum_t plain = {0}, text = {(unsigned char *)coded.data, (unsigned)coded.length};
    json_error_t detail;

    if (!coded.data) {
        ruling->patch = json_array();
        return true;
    }
    if (gnutls_base64_decode2(&text, &plain) < 0)
        return error_set(err, ERROR_INVALID, "response.patch is not base64");
    ruling->patch = json_loadb((char *)plain.data, plain.size, 0, &detail);
    gnutls_free(plain.data);
    if (!json_is_array(ruling->patch))
        return error_set(err, ERROR_INVALID, "response.patch is not a list of operations");
    return true;
}

static void read_rest(struct ruling *ruling, const json_t *response)
{
    const char *message = tree_text(tree_get(response, "status"), "message");

    ruling->allowed = tree_true(response, "allowed");
    ruling->warnings = tree_copy(tree_member(response, "warnings", JSON_ARRAY));
    ruling->audit = tree_copy(tree_member(response, "auditAnnotations", JSON_OBJECT));
    if (!ruling->allowed)
        ruling->message = text_format("%s", message ? message : "without a reason");
}

bool ruling_read(struct ruling *ruling, struct span answer, struct error *err)
{
    json_error_t detail;
    AUTO(json)
    json_t *review = json_loadb(answer.data, answer.length, JSON_REJECT_DUPLICATES, &detail);
    const json_t *response = tree_member(review, "response", JSON_OBJECT);
    AUTO(ruling) struct ruling made = {0};

    if (!review)
        return error_set(err, ERROR_INVALID, "line %d: %s", detail.line, detail.text);
    if (!span_is(tree_span(review, "kind"), "AdmissionReview") || !response)
        return error_set(err, ERROR_INVALID, "no AdmissionReview with a response");
    if (!read_patch(&made, response, err))
        return false;
    read_rest(&made, response);
    *ruling = made;
    made = (struct ruling){0};
    return true;
}

bool ruling_ask(struct ruling *ruling, const struct inputs *inputs, const json_t *object,
                struct error *err)
{
    AUTO(free) char *question = ruling_question(object);
    AUTO(admit_answer) struct admit_answer answer = {0};

    if (!admit(&inputs->settings, inputs->cluster, ADMIT_MUTATE, span_of(question), &answer, err))
        return false;
    return ruling_read(ruling, (struct span){answer.body.data, answer.body.length}, err);
}
