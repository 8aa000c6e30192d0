#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/** How much a finding weighs. */
enum finding_level {
    FINDING_ERROR,   /* the object is refused */
    FINDING_WARNING, /* it is let in, and its writer is told */
};

/** One thing that is wrong (or doubtful) with an object. */
struct finding {
    enum finding_level level;
    const char *reason; /* metav1.CauseType: FieldValueRequired, FieldValueInvalid ...; static */
    char *field;        /* path as Kubernetes writes it: spec.target.rules[0].snapshots, or "" */
    char *message;      /* one line: what is wrong and what was expected */
};

/** All findings of one judgement, in the order in which they were made. {0} is none. */
struct findings {
    struct finding *items;
    size_t count;
};

#define REASON_REQUIRED "FieldValueRequired"
#define REASON_INVALID "FieldValueInvalid"
#define REASON_NOT_SUPPORTED "FieldValueNotSupported"
#define REASON_DUPLICATE "FieldValueDuplicate"
#define REASON_NOT_FOUND "FieldValueNotFound"
#define REASON_FORBIDDEN "FieldValueForbidden"
#define REASON_TOO_LONG "FieldValueTooLong"
#define REASON_TOO_MANY "FieldValueTooMany"
#define REASON_TYPE_INVALID "FieldValueTypeInvalid"

/** Adds a finding; field and message are copied, control characters in them replaced. */
void findings_add(struct findings *findings, enum finding_level level, const char *reason,
                  const char *field, const char *format, ...) __attribute__((format(printf, 5, 6)));

/** How many have this level. */
size_t findings_count(const struct findings *findings, enum finding_level level);

/** Releases all; empty afterwards. */
void findings_done(struct findings *findings);

static inline void auto_findings(struct findings *findings)
{
    findings_done(findings);
}

/** The causes of metav1.Status.details: [{reason, message, field}] of the errors. New reference. */
json_t *findings_causes(const struct findings *findings);
