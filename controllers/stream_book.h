#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "controllers/stream.h"
#include "kube/client.h"

/*
 * Commands that this leader runs for what they write, each in a thread of its own, with a stream
 * to the agent that asked for it. Any thread.
 */
struct stream_book;

/* Commands at once. */
#define STREAM_BOOK_MAX 32u

/** @param client  Must live longer. */
struct stream_book *stream_book_make(struct kube_client *client);

/** Gives up what runs: its streams are cut. Waits for the threads. NULL is fine. */
void stream_book_free(struct stream_book *book);

/** True when one more may begin. */
bool stream_book_has_room(struct stream_book *book);

/** What to run. All borrowed for the call. */
struct stream_command {
    const char *space, *pod, *container;
    const json_t *command;
    int64_t timeout_ms;
};

/**
 * Begins it.
 *
 * @param wake  As stream_make() has it.
 * @return      What it writes, to be closed by stream_close(); NULL with ERROR_UNAVAILABLE: too
 *              many of them run.
 */
struct stream *stream_book_begin(struct stream_book *book, const struct stream_command *command,
                                 int wake, struct error *err) MUST_CHECK;

/** What a command that could not be run says to people. Pure. */
void stream_book_words(const struct stream_command *command, const struct error *err, bool sent,
                       struct text *out);
