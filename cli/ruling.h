#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"
#include "cli/inputs.h"

/** What admission says of one object. Release with ruling_done(). */
struct ruling {
    bool allowed;
    json_t *patch;    /* owned: RFC 6902, empty when nothing is to change */
    json_t *warnings; /* owned: array of strings */
    json_t *audit;    /* owned: object of strings */
    char *message;    /* owned: why it is refused, or NULL */
};

void ruling_done(struct ruling *ruling);

static inline void auto_ruling(struct ruling *ruling)
{
    ruling_done(ruling);
}

/** True when admission looks at this kind before it is stored: targets and RestoreSessions. */
bool ruling_concerns(const json_t *object);

/** True when admission judges this kind (our own ones). */
bool ruling_judges(const json_t *object);

/** The AdmissionReview that an API server sends when somebody creates this object: JSON, which the
 *  caller frees. The UID follows from the object, so that equal questions are equal texts. */
char *ruling_question(const json_t *object);

/**
 * Reads an AdmissionReview that answers.
 *
 * @param ruling  {0} before; filled in on success.
 * @return        False: ERROR_INVALID, what is wrong with it.
 */
bool ruling_read(struct ruling *ruling, struct span answer, struct error *err) MUST_CHECK;

/** Asks the webhook's own code: ruling_question() to admit() to ruling_read(). */
bool ruling_ask(struct ruling *ruling, const struct inputs *inputs, const json_t *object,
                struct error *err) MUST_CHECK;
