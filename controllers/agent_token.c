#include "controllers/agent_token.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/message.h"
#include "base/auto.h"
#include "base/base64.h"
#include "base/limits.h"

/* Who else a token is for. Kubernetes writes one or two. */
#define AUDIENCES_MAX 16

struct agent_key agent_key_of(struct span text)
{
    struct agent_key key;

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text.data, text.length, key.bytes) != 0)
        abort();
    return key;
}

static bool unauthorized(struct error *err, const char *why)
{
    return error_set(err, ERROR_UNAUTHORIZED, "%s", why);
}

/* What follows "Bearer"; absent with another scheme. */
static struct span bearer(struct span value)
{
    static const char scheme[] = "bearer ";
    size_t length = sizeof scheme - 1;

    value = text_trim(value);
    if (value.length <= length || strncasecmp(value.data, scheme, length) != 0)
        return (struct span){0};
    return text_trim((struct span){value.data + length, value.length - length});
}

/* base64url and dots: RFC 7515 section 3.1. */
static bool is_token(struct span text)
{
    static const char inner[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

    for (size_t i = 0; i < text.length; i++)
        if (!text.data[i] || !strchr(inner, text.data[i]))
            return false;
    return text.length > 0;
}

bool agent_token_find(const struct head *head, struct span *token, struct error *err)
{
    const struct head_line *found = NULL;

    for (size_t i = 0; i < head->count; i++) {
        struct span name = head->lines[i].name;

        if (name.length != strlen("authorization") ||
            strncasecmp(name.data, "authorization", name.length) != 0)
            continue;
        if (found)
            return unauthorized(err, "more than one Authorization");
        found = &head->lines[i];
    }
    if (!found)
        return unauthorized(err, "Authorization: Bearer and the token of a pod are needed");

    struct span text = bearer(found->value);

    if (!is_token(text))
        return unauthorized(err, "Authorization holds no bearer token");
    *token = text;
    return true;
}

/* The private claims, in their part. */
struct bound {
    const char *name, *uid;
};

struct kubernetes {
    const char *space;
    bool has_pod;
    struct bound pod, account;
};

struct payload {
    struct kubernetes kubernetes;
    const char *audiences[AUDIENCES_MAX];
    size_t audience_count;
    int64_t expires_s;
};

#define TEXT(S, M, json)                                                                           \
    {                                                                                              \
        .name = (json), .type = MESSAGE_TEXT, .required = true, .at = offsetof(S, M),              \
        .high = OBJECT_NAME_MAX_CHARS                                                              \
    }

static const struct message_field bound_fields[] = {
    TEXT(struct bound, name, "name"),
    TEXT(struct bound, uid, "uid"),
};
static const struct message_shape bound_shape = MESSAGE_SHAPE(struct bound, bound_fields, NULL);

static const struct message_field kubernetes_fields[] = {
    TEXT(struct kubernetes, space, "namespace"),
    {.name = "pod",
     .type = MESSAGE_PART,
     .at = offsetof(struct kubernetes, pod),
     .count_at = offsetof(struct kubernetes, has_pod),
     .of = &bound_shape},
    {.name = "serviceaccount",
     .type = MESSAGE_PART,
     .required = true,
     .at = offsetof(struct kubernetes, account),
     .of = &bound_shape},
};
static const struct message_shape kubernetes_shape =
    MESSAGE_SHAPE(struct kubernetes, kubernetes_fields, NULL);

static const struct message_field payload_fields[] = {
    {.name = "kubernetes.io",
     .type = MESSAGE_PART,
     .required = true,
     .at = offsetof(struct payload, kubernetes),
     .of = &kubernetes_shape},
    {.name = "aud",
     .type = MESSAGE_TEXTS,
     .required = true,
     .at = offsetof(struct payload, audiences),
     .count_at = offsetof(struct payload, audience_count),
     .max = AUDIENCES_MAX,
     .high = 1024},
    {.name = "exp",
     .type = MESSAGE_COUNT,
     .required = true,
     .at = offsetof(struct payload, expires_s),
     .high = INT64_C(1) << 53},
};
static const struct message_shape payload_shape =
    MESSAGE_SHAPE(struct payload, payload_fields, NULL);

/* The middle one of three parts, decoded. */
static bool decode(struct span token, struct text *out)
{
    AUTO(text) struct text coded = {0};
    struct span head, middle, tail;

    if (!text_split(&token, '.', &head) || !text_split(&token, '.', &middle) ||
        !text_split(&token, '.', &tail) || token.data || !head.length || !tail.length)
        return false;
    for (size_t i = 0; i < middle.length; i++) {
        char c = middle.data[i];

        text_putc(&coded, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    while (coded.length % 4)
        text_putc(&coded, '=');
    return base64_decode(out, span_of(text_get(&coded)));
}

static bool is_for(const struct payload *payload, const char *audience)
{
    for (size_t i = 0; i < payload->audience_count; i++)
        if (strcmp(payload->audiences[i], audience) == 0)
            return true;
    return false;
}

static bool judge(const struct payload *payload, const char *audience, int64_t now_s,
                  struct error *err)
{
    if (!is_for(payload, audience))
        return error_set(err, ERROR_UNAUTHORIZED, "the token is not for audience \"%s\"", audience);
    if (payload->expires_s < now_s - AGENT_TOKEN_LEEWAY_S)
        return unauthorized(err, "the token is expired");
    return payload->kubernetes.has_pod ||
           error_set(err, ERROR_FORBIDDEN, "the token is not bound to a pod");
}

bool agent_token_presume(struct span token, const char *audience, int64_t now_s,
                         struct agent_presumed *presumed, struct error *err)
{
    AUTO(text) struct text text = {0};
    struct payload payload = {0};
    struct error detail;

    if (!decode(token, &text))
        return unauthorized(err, "the token is none of Kubernetes");

    AUTO(json)
    json_t *document = message_read(&payload_shape, (struct span){text.data, text.length},
                                    AGENT_TOKEN_MAX_BYTES, &payload, &detail);

    if (!document)
        return unauthorized(err, "the token is none of Kubernetes");
    if (!judge(&payload, audience, now_s, err))
        return false;
    presumed->payload = TAKE(document);
    presumed->caller = (struct agent_caller){
        .space = payload.kubernetes.space,
        .pod = payload.kubernetes.pod.name,
        .pod_uid = payload.kubernetes.pod.uid,
        .account = payload.kubernetes.account.name,
    };
    return true;
}

void agent_presumed_done(struct agent_presumed *presumed)
{
    json_decref(presumed->payload);
    *presumed = (struct agent_presumed){0};
}
