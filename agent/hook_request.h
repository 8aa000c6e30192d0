#pragma once

#include <jansson.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * What an action of a hook asks for: where to connect, and the bytes of the request. Pure.
 */

/* Bytes of a body: those of the field, and what its templates may become. */
#define HOOK_BODY_MAX_BYTES (128u << 10)

/* Answers that name another place of the same server are followed so often. */
#define HOOK_REDIRECTS_MAX 10u

/** {0} before; release with hook_request_done(). All owned. */
struct hook_request {
    char *address; /* as wire_open() takes it */
    char *path;    /* of the request; NULL: only a connection is asked for (tcpSocket) */
    bool tls, post;
    bool json, form;    /* what the body is */
    struct text fields; /* of the head that the hook names */
    struct text body;
    bool names_host, names_type, names_agent; /* which of them are ours to add */
};

void hook_request_done(struct hook_request *request);

static inline void auto_hook_request(struct hook_request *request)
{
    hook_request_done(request);
}

/**
 * Reads an action.
 *
 * @param kind    "httpGet", "httpPost" or "tcpSocket".
 * @param action  As the Handler has it.
 * @param data    For templates of the body; see hook_template_fill().
 * @return        False: ERROR_INVALID, what of it can not be asked for.
 *
 * Spec: stash-behaviour 1 (Handler) and 5.7.
 */
bool hook_request_make(struct hook_request *request, const char *kind, const json_t *action,
                       const json_t *data, struct error *err) MUST_CHECK;

/** Appends the bytes. */
void hook_request_write(const struct hook_request *request, struct text *out);

/**
 * Turns to where an answer points, when that is a place of the same server.
 *
 * @param location  Of the answer.
 * @return          False: it is another server, or no place: this answer is the last one.
 *
 * Spec: RFC 9110 section 15.4; 301 to 303 make a POST a GET, as clients do.
 */
bool hook_request_follow(struct hook_request *request, int status, struct span location);
