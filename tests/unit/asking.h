#pragma once

#include <jansson.h>

#include "api/cluster.h"
#include "api/settings.h"
#include "base/auto.h"
#include "base/error.h"
#include "base/span.h"

/*
 * Admission as tests ask it: reviews and answers as trees. Whatever no answer may ever look like
 * fails the test here.
 */

/** Stands in front of every failure: which case of many it was. "" at first. */
extern char asking_case[96];

/** What admission knows. Release with asking_done(). */
struct asking {
    struct settings settings;
    const struct cluster *cluster; /* one reference */
};

/**
 * @param objects   What the cluster holds: array; NULL is an empty one. Borrowed.
 * @param settings  Tree of settings; NULL for the built-in ones. Borrowed.
 */
void asking_make(struct asking *asking, const json_t *objects, const json_t *settings);

void asking_done(struct asking *asking);

static inline void auto_asking(struct asking *asking)
{
    asking_done(asking);
}

/**
 * A review as an API server writes it.
 *
 * @param operation  CREATE ...
 * @param object     Its kind says the request's; NULL is null. Borrowed.
 * @param old        oldObject; NULL is null. Borrowed.
 * @return           New reference.
 */
json_t *asking_review(const char *operation, const json_t *object, const json_t *old);

/** The answer with its patch decoded, as --once gives it; NULL with err when there is none. New
 *  reference. */
json_t *asking_answer(const struct asking *asking, const json_t *review, struct error *err);
json_t *asking_bytes(const struct asking *asking, struct span body, struct error *err);

/** The object as it is after the answer's patch, which must apply. New reference. */
json_t *asking_result(const json_t *review, const json_t *answer);

/** Two objects are the same to an API server, to which null, an empty list and none are one. `what`
 *  they are is told with the difference. */
void asking_must_be_same(const char *what, const json_t *a, const json_t *b);
