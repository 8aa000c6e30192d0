#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * What came of a maintenance Job, as its container's termination message: one line of JSON without
 * secrets. Pure; hostile as whoever may write into a pod's termination message.
 */

/* Bytes that a kubelet keeps of a termination message. Spec: Kubernetes' API, Container. */
#define MAINTENANCE_RESULT_MAX_BYTES 4096u

/* Bytes of the sentence in it, before its characters are escaped. */
#define MAINTENANCE_WORDS_MAX_BYTES 1500u

/** Texts are borrowed. Numbers are -1 where nobody counted. */
struct maintenance_result {
    const char *kind;    /* "forget" */
    const char *reason;  /* one word; NULL: it went well */
    const char *message; /* for people; NULL: it went well */
    int64_t removed;     /* snapshots that were forgotten */
    int64_t snapshots;   /* that the repository holds, without the marks of owners */
    int64_t bytes;       /* of its data */
    int64_t errors;      /* that a check has found */
    /* of a drill: snapshots that were restored, and their files */
    int64_t verified, restored_files, restored_bytes;
    const char *others; /* what a wipe let stay, since restic did not make it; NULL: nothing */
};

/** One in which nobody has counted anything. */
#define MAINTENANCE_RESULT_NONE                                                                    \
    {                                                                                              \
        .removed = -1, .snapshots = -1, .bytes = -1, .errors = -1, .verified = -1,                 \
        .restored_files = -1, .restored_bytes = -1                                                 \
    }

/** Counts what a run of restic has said. @param document  Its JSON; NULL: it said none. */
void maintenance_result_add(struct maintenance_result *result, const char *command,
                            const json_t *document);

/** Appends it as JSON; a sentence that is too long is cut. */
void maintenance_result_write(const struct maintenance_result *result, struct text *out);

/** Reads one. @return  New reference that must live as long as `result` is used; NULL: it is none.
 */
json_t *maintenance_result_read(struct span text, struct maintenance_result *result,
                                struct error *err) MUST_CHECK;
