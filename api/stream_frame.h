#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * What a command writes, on its way from the controller to a Job, and how it ended: a word that
 * says what it is, frames of data, and one frame as the trailer, with exit status, number of bytes
 * and a SHA-256 over the data and all that the trailer says. Without a trailer that fits nothing
 * is whole, wherever it was cut. Pure; docs/agent-api.md.
 */

/* Bytes of data in one frame, and of what a command said last. */
#define STREAM_DATA_MAX_BYTES (32u << 10)
#define STREAM_WORDS_MAX_BYTES 2048u

/* Bytes of a frame at most: its head, and the data or the trailer. */
#define STREAM_FRAME_MAX_BYTES (STREAM_DATA_MAX_BYTES + 64)

/* Exit status of a command that did not run, or that nobody knows the end of. */
#define STREAM_NO_STATUS (-1)

/** Who writes one. {0} before; release with stream_writer_done(). */
struct stream_writer {
    struct digest digest;
    uint64_t bytes;
};

/** What all streams begin with. */
void stream_write_head(struct text *out);

/** One frame of data. @param data  STREAM_DATA_MAX_BYTES at most, not empty. */
void stream_write_data(struct stream_writer *writer, struct span data, struct text *out);

/** A frame that only says: still here. */
void stream_write_beat(struct text *out);

/** The trailer. @param words  What the command said last, or why it was not run; cut to size. */
void stream_write_end(struct stream_writer *writer, int status, struct span words,
                      struct text *out);

void stream_writer_done(struct stream_writer *writer);

static inline void auto_stream_writer(struct stream_writer *writer)
{
    stream_writer_done(writer);
}

enum stream_state { STREAM_GOES_ON, STREAM_ENDED, STREAM_BAD };

/** Who reads one. {0} before; release with stream_reader_done(). */
struct stream_reader {
    struct digest digest;
    uint64_t bytes;    /* of data, so far */
    struct text kept;  /* of a head or a trailer that is under way */
    size_t left;       /* bytes of the frame that is under way */
    int place;         /* what is read next */
    int status;        /* with STREAM_ENDED: exit status, or STREAM_NO_STATUS */
    struct text words; /* likewise: what it said last; anything */
};

/**
 * Takes some of what was received; call it again with the rest while there is any.
 *
 * @param used  Bytes that are done with, at least one of those received.
 * @param data  What of them the command has written; borrowed from `received`, may be empty.
 * @return      STREAM_ENDED: the trailer has come and proves all of it. STREAM_BAD with
 *              ERROR_BAD_REQUEST: it is none, it was changed, or something follows the trailer.
 */
enum stream_state stream_read(struct stream_reader *reader, struct span received, size_t *used,
                              struct span *data, struct error *err) MUST_CHECK;

void stream_reader_done(struct stream_reader *reader);

static inline void auto_stream_reader(struct stream_reader *reader)
{
    stream_reader_done(reader);
}
