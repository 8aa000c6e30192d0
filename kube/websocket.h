#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * The client's side of WebSocket, as far as the API server speaks it: one connection, messages in
 * order, no extensions. Pure. Spec: RFC 6455.
 */

enum websocket_op {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};

/* Bytes of Sec-WebSocket-Key and of what answers it, with NUL. */
#define WEBSOCKET_KEY_BYTES 25
#define WEBSOCKET_ACCEPT_BYTES 29

/* Bytes of the head of an answer. */
#define WEBSOCKET_HEAD_MAX_BYTES (16u << 10)

/** Base64 of 16 bytes that nobody can guess. */
void websocket_key(const unsigned char random[16], char key[WEBSOCKET_KEY_BYTES]);

/** What a server has to answer to a key. Section 4.2.2. */
void websocket_accept(const char *key, char accept[WEBSOCKET_ACCEPT_BYTES]);

enum websocket_state {
    WEBSOCKET_MORE, /* not yet whole */
    WEBSOCKET_READY,
    WEBSOCKET_BAD /* err says why; nothing can be read any more */
};

/** How a server answered the wish to upgrade. */
struct websocket_answer {
    int status;           /* 101: upgraded, all of it checked */
    size_t head;          /* bytes of the head; frames, or a body, follow */
    struct span protocol; /* the one chosen; empty: none. Borrowed */
};

/**
 * Reads the head of the answer.
 *
 * @param key  That was sent.
 * @param err  With WEBSOCKET_BAD: ERROR_BAD_REQUEST.
 */
enum websocket_state websocket_answer(struct span received, const char *key,
                                      struct websocket_answer *answer,
                                      struct error *err) MUST_CHECK;

/** What was received of messages. {0} before, but for `max`; release with websocket_done(). */
struct websocket {
    size_t max;          /* bytes of one message */
    struct text message; /* the parts of the message that is under way */
    int op;              /* of it; 0: none is */
    bool whole;          /* `message` was handed out */
};

void websocket_done(struct websocket *socket);

static inline void auto_websocket(struct websocket *socket)
{
    websocket_done(socket);
}

/** A message, or a control frame. */
struct websocket_event {
    int op;           /* enum websocket_op, never a continuation */
    struct span data; /* borrowed, until the next call */
};

/**
 * Takes what stands at the front: at most one frame.
 *
 * @param received  Bytes behind those that were taken.
 * @param used      How many are done with; also with WEBSOCKET_MORE, after a part of a message.
 * @param event     With WEBSOCKET_READY.
 * @param err       With WEBSOCKET_BAD: ERROR_BAD_REQUEST, or ERROR_TOO_LARGE.
 */
enum websocket_state websocket_read(struct websocket *socket, struct span received, size_t *used,
                                    struct websocket_event *event, struct error *err) MUST_CHECK;

/** Appends one frame, masked as a client has to. Section 5.3. */
void websocket_write(struct text *out, enum websocket_op op, struct span data,
                     const unsigned char mask[4]);
