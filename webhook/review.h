#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/findings.h"
#include "base/error.h"
#include "base/scan.h"
#include "base/span.h"
#include "base/text.h"

/** What the API server is about to do. */
enum operation { OPERATION_CREATE, OPERATION_UPDATE, OPERATION_DELETE, OPERATION_OTHER };

/** One AdmissionReview, judged and cut open; the objects in it are not yet trees. */
struct review {
    struct scan scan;
    json_t *words;                           /* owned: the strings that the following point to */
    const char *version;                     /* "admission.k8s.io/v1" or ".../v1beta1"; static */
    struct span uid;                         /* as it stands in the text, quotes included */
    const char *group, *kind, *space, *name; /* of request.kind and request; "" when absent */
    const char *operation_text;
    const char *user; /* request.userInfo.username, "" when absent */
    enum operation operation;
    bool sub_resource;
    uint32_t object, old; /* values of the scan; SCAN_NONE when absent or null */
};

/**
 * Judges the text of a request and finds its parts.
 *
 * @param review  {0} before. Release with review_done().
 * @param body    Borrowed while the review lives.
 * @return        False: ERROR_BAD_REQUEST or ERROR_TOO_LARGE; the API server did not write this.
 *
 * Spec: AdmissionReview of admission.k8s.io v1 and v1beta1; catalogue J10 to J16.
 */
bool review_read(struct review *review, struct span body, struct error *err) MUST_CHECK;

void review_done(struct review *review);

static inline void auto_review(struct review *review)
{
    review_done(review);
}

/** What is answered. Release with reply_done(). */
struct reply {
    bool allowed;
    int code;            /* of a refusal, 400 to 599 */
    const char *reason;  /* of a refusal: a metav1.StatusReason, or NULL; static */
    struct text message; /* of a refusal */
    json_t *details;     /* owned: metav1.StatusDetails of a refusal, or NULL */
    json_t *patch;       /* owned: array of operations; NULL or empty is no patch */
    json_t *warnings;    /* owned: array of strings, or NULL */
    unsigned left_out;   /* warnings that did not fit */
    json_t *audit;       /* owned: object of strings, or NULL */
};

void reply_done(struct reply *reply);

static inline void auto_reply(struct reply *reply)
{
    reply_done(reply);
}

/** Adds a warning: one line, WARNING_MAX_CHARS, each once, all together WARNINGS_MAX_BYTES; what
 * does not fit is counted in a last one ("and N more"). Empty text is left out. */
void reply_warn(struct reply *reply, const char *text);

/** Adds an audit annotation; an empty value is left out. */
void reply_audit(struct reply *reply, const char *key, const char *value);

/** Writes the AdmissionReview that answers this one: version and uid as asked. */
void reply_write(struct text *out, const struct review *review, const struct reply *reply);
