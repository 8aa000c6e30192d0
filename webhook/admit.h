#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

struct settings;
struct cluster;

/** Which of the two questions is asked: the path of the request. */
enum admit_endpoint {
    ADMIT_MUTATE,   /* POST /mutate */
    ADMIT_VALIDATE, /* POST /validate */
};

/** One answer, and what the log and the metrics say of it (one line, printable, "" when unknown).
 */
struct admit_answer {
    struct text body; /* AdmissionReview as JSON; the caller releases it */
    char outcome[16]; /* a word of a fixed set: "patched", "unchanged", "refused", "skipped" ... */
    char reason[32];  /* why skipped or refused: a word of a fixed set */
    char kind[64];    /* as the request says it, cut to fit */
    char operation[16]; /* CREATE, UPDATE ... */
    char uid[64];
};

static inline void auto_admit_answer(struct admit_answer *answer)
{
    text_done(&answer->body);
}

/**
 * Decides one review. Pure: no network, no clock, nothing kept; any thread.
 *
 * @param settings  Of the installation. Borrowed.
 * @param cluster   What is known. Borrowed.
 * @param body      The request as received: hostile until proven otherwise. Borrowed.
 * @param answer    {0} before; filled on success, its words as far as known also on failure.
 * @return          False when there is no AdmissionReview to answer with: err->code is the HTTP
 *                  status (400, 413; 500 and 503 when the fault is ours, so that failurePolicy
 *                  decides).
 */
bool admit(const struct settings *settings, const struct cluster *cluster,
           enum admit_endpoint endpoint, struct span body, struct admit_answer *answer,
           struct error *err) MUST_CHECK;

/**
 * Decides one review without a server (`--once`): the endpoint follows from the kind under review.
 * Arguments and result as admit().
 */
bool admit_once(const struct settings *settings, const struct cluster *cluster, struct span body,
                struct admit_answer *answer, struct error *err) MUST_CHECK;
