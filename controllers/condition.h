#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Conditions in a status, as Stash's kinds have them: {type, status, reason, message,
 * lastTransitionTime}. Spec: stash-behaviour 1.2.
 */

enum condition_status { CONDITION_ABSENT, CONDITION_TRUE, CONDITION_FALSE, CONDITION_UNKNOWN };

struct condition {
    const char *type;
    enum condition_status status; /* ABSENT removes it */
    const char *reason, *message; /* "" and NULL are left out */
};

/* Bytes of a message: what a status takes, and more than anybody reads. */
#define CONDITION_MESSAGE_MAX_BYTES 4096u

/**
 * Sets one condition of a list. When status, reason and message are the same nothing changes, also
 * not its time, so that equal observations write nothing.
 *
 * @param conditions  A list, edited in place; what is no condition in it is left alone.
 * @return            True when something changed.
 */
bool condition_set(json_t *conditions, const struct condition *condition, int64_t now_s);

/** What a list says about a type. */
enum condition_status condition_status(const json_t *conditions, const char *type);

/** Its reason, or "". Borrowed. */
const char *condition_reason(const json_t *conditions, const char *type);

/** Its message, or "". Borrowed. */
const char *condition_message(const json_t *conditions, const char *type);

/** Since when, seconds since 1970; -1 when it is not there or has no time that can be read. */
int64_t condition_since_s(const json_t *conditions, const char *type);

/** Room for a moment with its NUL. */
#define CONDITION_TIME_BYTES 24

/** A moment as Kubernetes writes it: "2024-05-01T13:30:00Z". */
void condition_time(int64_t moment_s, char text[CONDITION_TIME_BYTES]);
