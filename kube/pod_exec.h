#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"
#include "kube/client.h"

/*
 * Commands in containers: pods/exec over WebSocket, without standard input. The right that it needs
 * is `get` on pods/exec (of newer servers `create` as well).
 *
 * To close the connection ends no process in the container: what takes too long goes on there, so a
 * command that may hang has its own limit inside.
 */

/** What to run. All borrowed. */
struct pod_exec {
    const char *space, *pod;
    const char *container; /* NULL: the server's choice */
    const json_t *command; /* list of texts: program and arguments */
    int64_t timeout_ms;
    int cancel_fd;     /* readable: give up at once; below 0: nothing does */
    size_t output_max; /* bytes that are kept of both outputs; more are read and forgotten */

    /**
     * Given what the command writes to standard output as it comes; while it waits, nothing more
     * is read, so that the command waits too. False: nobody wants any more of it. Then `output`
     * has standard error alone, the last of it. NULL: nobody is given anything.
     */
    bool (*take)(void *context, struct span data);
    void *context;
};

/** How it went. {0} before; release with pod_exec_done(). */
struct pod_exec_result {
    bool sent;          /* the command may have been started */
    bool ended;         /* the server told how it ended: `code` counts */
    int code;           /* exit status, 0 to 255; -1: it ended without one */
    struct text output; /* standard output and error, as they came */
    bool cut;           /* there was more */
};

void pod_exec_done(struct pod_exec_result *result);

static inline void auto_pod_exec_result(struct pod_exec_result *result)
{
    pod_exec_done(result);
}

/**
 * Runs it and waits for its end.
 *
 * @return  True only when the server told that it ended with 0. False: ERROR_FORBIDDEN when we may
 *          not, ERROR_NOT_FOUND, ERROR_BAD_REQUEST (no such container), ERROR_TIMEOUT;
 *          ERROR_UNAVAILABLE when the connection broke: whether it ran is not known when
 *          `result->sent` and not `result->ended`. ERROR_INVALID: it ended with another status.
 *          ERROR_GONE: exec->take wanted no more.
 */
bool kube_pod_exec(struct kube_client *client, const struct pod_exec *exec,
                   struct pod_exec_result *result, struct error *err) MUST_CHECK;

/** The path of the request. Pure. False: ERROR_INVALID, a command that is none. */
bool pod_exec_path(const struct pod_exec *exec, struct text *out, struct error *err) MUST_CHECK;

/**
 * Takes one message: its first byte is the channel. Calls exec->take, else pure.
 *
 * @return  False: exec->take wants no more.
 */
bool pod_exec_take(const struct pod_exec *exec, struct pod_exec_result *result,
                   struct span message) MUST_CHECK;

/** Judges a result: true when it ended with 0; else err says how. Pure. */
bool pod_exec_judge(const struct pod_exec_result *result, struct error *err) MUST_CHECK;
