#pragma once

#include <jansson.h>
#include <stdint.h>

#include "api/agent_messages.h"
#include "api/stream_frame.h"
#include "base/error.h"

/*
 * The agent's side of docs/agent-api.md: one request at a time, over a connection that is kept.
 * Token, CA and addresses are read from the identity folder each time, so what a kubelet renews is
 * used at once.
 */

enum agent_call { CLIENT_TRIGGER, CLIENT_CLAIM, CLIENT_PROGRESS, CLIENT_REPORT, CLIENT_STREAM };

/** How a request ended that was not answered with 200. */
struct refusal {
    int status;            /* 0: nobody was reached, or no answer came */
    int64_t retry_after_s; /* 0: not said */
};

/** What the agent does after one. Spec: docs/agent-api.md, Refusals. */
enum agent_next {
    CLIENT_AGAIN,       /* the same once more, after agent_pause_ms() */
    CLIENT_GIVE_UP,     /* this request is wrong, and stays so */
    CLIENT_END,         /* that work has ended; 404 */
    CLIENT_END_SILENTLY /* likewise, and nobody wants a report */
};
enum agent_next agent_next(const struct refusal *refusal);

/**
 * Milliseconds until the next try: what the server asked for, a minute after 403, else from one
 * second doubling to a minute; spread, so that 10,000 agents do not come back together. Pure.
 *
 * @param failures  In a row, from 1.
 * @param chance    From 0 to below 1.
 */
int64_t agent_pause_ms(const struct refusal *refusal, unsigned failures, double chance);

struct agent_client;

/**
 * @param identity  Folder; may still be empty. Borrowed.
 * @param stop_fd   Readable: everything under way ends at once; -1: nothing.
 */
struct agent_client *agent_make(const char *identity, int stop_fd);
void agent_free(struct agent_client *client);

/**
 * Asks once: every address in turn, the one that answered last first. A 503 is not the leader, so
 * the next is asked. All calls may be repeated, so a connection that breaks costs a second try.
 *
 * @param message     The struct of that call; see api/agent_messages.h.
 * @param timeout_ms  For all of it.
 * @param answer      Struct of the answer, filled on success; its texts live as long as *document.
 * @param document    New reference on success.
 * @param refusal     Filled on failure.
 * @return            False: ERROR_GONE and status 0: stopped.
 */
bool agent_ask(struct agent_client *client, enum agent_call call, const void *message,
               int64_t timeout_ms, void *answer, json_t **document, struct refusal *refusal,
               struct error *err) MUST_CHECK;

/** Who is given what a command writes. */
struct stream_sink {
    /** False: nobody reads it any more. While it waits nothing more is received. */
    bool (*take)(void *context, struct span data);
    void *context;
};

enum agent_streamed {
    STREAMED_WHOLE,   /* the trailer has come, and says how the command ended */
    STREAMED_REFUSED, /* `refusal` */
    STREAMED_NOTHING, /* nobody was reached: the command was not begun */
    STREAMED_CUT,     /* it may have been begun, and the rest is missing */
    STREAMED_UNWANTED /* by the sink, or stopped */
};

/**
 * Asks for what a command writes, at every address in turn until one has it.
 *
 * @param reader  {0} before; holds exit status and last words of a whole one.
 * @param err     Filled unless it is whole.
 */
enum agent_streamed agent_stream(struct agent_client *client, const struct message_stream *message,
                                 const struct stream_sink *sink, struct stream_reader *reader,
                                 struct refusal *refusal, struct error *err);

/** Waits; false when stopped. */
bool agent_rest(const struct agent_client *client, int64_t pause_ms);

/** A random number from 0 to below 1. */
double agent_chance(struct agent_client *client);
