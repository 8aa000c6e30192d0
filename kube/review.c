#include "kube/review.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/tree.h"
#include "kube/verbs.h"

#define ACCOUNT_PREFIX "system:serviceaccount:"
#define POD_NAME "authentication.kubernetes.io/pod-name"
#define POD_UID "authentication.kubernetes.io/pod-uid"
#define NODE_NAME "authentication.kubernetes.io/node-name"

static const struct kube_resource token_reviews = {"authentication.k8s.io", "v1", "tokenreviews",
                                                   "TokenReview", false},
                                  access_reviews = {"authorization.k8s.io", "v1",
                                                    "subjectaccessreviews", "SubjectAccessReview",
                                                    false};

void kube_identity_done(struct kube_identity *identity)
{
    json_decref(identity->user);
    free(identity->space);
    free(identity->account);
    free(identity->pod);
    free(identity->pod_uid);
    free(identity->node);
    *identity = (struct kube_identity){0};
}

/* A question without a name; the answer, or NULL. New reference. */
static json_t *ask(struct kube_client *client, const struct kube_resource *resource, json_t *spec,
                   struct error *err)
{
    AUTO(json) json_t *review = json_object();
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(free)
    char *version = text_format("%s/%s", resource->group, resource->version);
    struct kube_ref ref = {resource, NULL, NULL, NULL};

    tree_put_text(review, "apiVersion", version);
    tree_put_text(review, "kind", resource->kind);
    tree_put_new(review, "metadata", json_object());
    tree_put_new(review, "spec", spec);
    return kube_create(client, &ref, review, NULL, &result, err) ? TAKE(result.object) : NULL;
}

/* Tokens. */

static bool unknown(struct error *err, const char *why)
{
    return error_set(err, ERROR_UNAUTHORIZED, "the token is refused: %s", why);
}

static bool holds(const json_t *list, const char *word)
{
    const json_t *value;
    size_t i;

    tree_items (list, i, value)
        if (span_is(tree_value(value), word))
            return true;
    return false;
}

/* A string that may be part of a path later; NULL when it is none. */
static char *name_of(struct span value)
{
    if (!value.length || value.length > OBJECT_NAME_MAX_CHARS ||
        memchr(value.data, '\0', value.length))
        return NULL;
    return text_dup(value.data, value.length);
}

/* Of a list of one. */
static char *extra_of(const json_t *user, const char *key)
{
    const json_t *list = tree_member(tree_get(user, "extra"), key, JSON_ARRAY);

    return json_array_size(list) == 1 ? name_of(tree_value(json_array_get(list, 0))) : NULL;
}

static void take_account(struct span user, struct kube_identity *identity)
{
    size_t prefix = sizeof ACCOUNT_PREFIX - 1;
    struct span space, account;

    if (user.length <= prefix || memcmp(user.data, ACCOUNT_PREFIX, prefix) != 0)
        return;
    user.data += prefix;
    user.length -= prefix;
    if (!text_split(&user, ':', &space) || !text_split(&user, ':', &account) || user.data)
        return;
    identity->space = name_of(space);
    identity->account = name_of(account);
}

bool token_review_read(const json_t *review, const char *audience, struct kube_identity *identity,
                       struct error *err)
{
    const json_t *status = tree_get(review, "status"),
                 *user = tree_member(status, "user", JSON_OBJECT);
    struct span name = tree_span(user, "username"), problem = tree_span(status, "error");
    AUTO(free) char *why = text_printable(problem, 160);

    if (!tree_true(status, "authenticated"))
        return unknown(err, *why ? why : "not authenticated");
    if (!holds(tree_get(status, "audiences"), audience))
        return unknown(err, "it is for others");
    if (!name.length || memchr(name.data, '\0', name.length))
        return unknown(err, "of nobody");
    kube_identity_done(identity);
    identity->user = tree_copy(user);
    take_account(name, identity);
    identity->pod = extra_of(user, POD_NAME);
    identity->pod_uid = extra_of(user, POD_UID);
    identity->node = extra_of(user, NODE_NAME);
    return true;
}

/* What can not be a token is not sent on. */
static bool is_token(struct span token)
{
    for (size_t i = 0; i < token.length; i++)
        if ((unsigned char)token.data[i] <= 0x20 || (unsigned char)token.data[i] >= 0x7f)
            return false;
    return token.length > 0 && token.length <= KUBE_TOKEN_MAX_BYTES;
}

bool kube_token_review(struct kube_client *client, struct span token, const char *audience,
                       struct kube_identity *identity, struct error *err)
{
    if (!is_token(token))
        return unknown(err, "it is none");

    json_t *spec = json_object(), *audiences = json_array();

    tree_push_text(audiences, audience);
    tree_put_span(spec, "token", token);
    tree_put_new(spec, "audiences", audiences);

    AUTO(json) json_t *review = ask(client, &token_reviews, spec, err);

    if (!review) {
        /* that we ourselves are refused says nothing of the token */
        err->code = err->code == ERROR_UNAUTHORIZED ? ERROR_UNAVAILABLE : err->code;
        return error_wrap(err, "the token can not be reviewed");
    }
    return token_review_read(review, audience, identity, err);
}

/* Rights. */

static json_t *spec_of(const json_t *user, const struct kube_wish *wish)
{
    static const char *const kept[] = {"uid", "groups", "extra"};
    json_t *spec = json_object(), *attributes = json_object();

    tree_put_text(attributes, "verb", wish->verb);
    tree_put_text(attributes, "group", wish->group);
    tree_put_text(attributes, "version", wish->version);
    tree_put_text(attributes, "resource", wish->resource);
    tree_put_text(attributes, "subresource", wish->sub);
    tree_put_text(attributes, "namespace", wish->space);
    tree_put_text(attributes, "name", wish->name);
    tree_put_new(spec, "resourceAttributes", attributes);
    tree_put_span(spec, "user", tree_span(user, "username"));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        tree_put_new(spec, kept[i], tree_copy(tree_get(user, kept[i])));
    return spec;
}

bool kube_may(struct kube_client *client, const json_t *user, const struct kube_wish *wish,
              struct error *err)
{
    struct span name = tree_span(user, "username");

    if (!name.length || memchr(name.data, '\0', name.length))
        return error_set(err, ERROR_FORBIDDEN, "nobody may %s %s", wish->verb, wish->resource);

    AUTO(json) json_t *review = ask(client, &access_reviews, spec_of(user, wish), err);
    const json_t *status = tree_get(review, "status");

    if (!review) {
        err->code = err->code == ERROR_FORBIDDEN ? ERROR_UNAVAILABLE : err->code;
        return error_wrap(err, "rights can not be reviewed");
    }
    if (tree_true(status, "allowed") && !tree_true(status, "denied"))
        return true;

    AUTO(free) char *who = text_printable(name, 80);

    return error_set(err, ERROR_FORBIDDEN, "%s may not %s %s%s%s", who, wish->verb, wish->resource,
                     wish->space ? " in " : "", wish->space ? wish->space : "");
}
