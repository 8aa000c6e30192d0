#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "controllers/agent_api.h"
#include "http/head.h"

/* Who asks, as far as the request itself says it. Pure; no token is ever in a message. */

/** 32 bytes that stand for a token, a pod, an address: SHA-256. */
struct agent_key {
    unsigned char bytes[32];
};

struct agent_key agent_key_of(struct span text);

/**
 * The bearer token of a request.
 *
 * @param token  Borrowed from the head.
 * @return       False with ERROR_UNAUTHORIZED: none, more than one header, another scheme,
 *               characters that none has.
 *
 * Spec: RFC 6750 section 2.1.
 */
bool agent_token_find(const struct head *head, struct span *token, struct error *err) MUST_CHECK;

/** What a token says of itself. {0} before; release with agent_presumed_done(). */
struct agent_presumed {
    json_t *payload; /* owned; what `caller` borrows from */
    struct agent_caller caller;
};

void agent_presumed_done(struct agent_presumed *presumed);

/**
 * Reads the payload of a token without judging its signature: what it says is good enough to wait
 * with, and for nothing else.
 *
 * @param audience  That it must be for.
 * @param now_s     Wall clock. Expired is what ended AGENT_TOKEN_LEEWAY_S ago: clocks differ.
 * @return          False with ERROR_UNAUTHORIZED: none of Kubernetes, for others, expired; or
 *                  ERROR_FORBIDDEN: of a ServiceAccount, but bound to no pod.
 *
 * Spec: RFC 7519; Kubernetes, "Schema for service account private claims".
 */
bool agent_token_presume(struct span token, const char *audience, int64_t now_s,
                         struct agent_presumed *presumed, struct error *err) MUST_CHECK;

#define AGENT_TOKEN_LEEWAY_S 60
