#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/*
 * What is on its way from a thread that runs a command to the one that talks to agents: a buffer
 * of few bytes. Who writes waits until there is room, who reads never waits. Both let it go when
 * they are done; any thread.
 */
struct stream;

/* Bytes that are under way at most. */
#define STREAM_ROOM_BYTES (256u << 10)

/** @param wake  An eventfd that is written to when there is something to read, or nothing more to
 *               come; borrowed until the reader lets go. It is had twice: each side lets go. */
struct stream *stream_make(int wake);

/** Writes all of it, and waits while there is no room. @param bytes  STREAM_ROOM_BYTES at most: it
 *  comes as a whole or not at all. False: nobody reads it any more. */
bool stream_put(struct stream *stream, struct span bytes);

/** The writer is done. Without `whole` the reader finds it cut. */
void stream_end(struct stream *stream, bool whole);

enum stream_get {
    STREAM_BYTES, /* *got of them */
    STREAM_LATER, /* nothing yet */
    STREAM_WHOLE, /* nothing more comes */
    STREAM_CUT    /* nor will what was missing */
};

/** Takes what is there, at most `room` bytes. */
enum stream_get stream_get(struct stream *stream, char *bytes, size_t room, size_t *got);

/** True when stream_get() would say something else than STREAM_LATER. */
bool stream_has(struct stream *stream);

/** Writes a frame between two others if nothing is under way: for the reader. */
void stream_beat(struct stream *stream, struct span frame);

/** The reader is gone, or not to get any more: what is there is forgotten, and the writer told.
 *  NULL is fine. */
void stream_close(struct stream *stream);
