#include "controllers/stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/text.h"

struct stream {
    pthread_mutex_t lock;
    pthread_cond_t room;
    int wake;             /* -1: the reader is gone */
    size_t first, length; /* of what is under way; under the lock, as is the rest */
    bool ended, whole;    /* the writer is gone; nothing is missing */
    char bytes[STREAM_ROOM_BYTES];
};

struct stream *stream_make(int wake)
{
    struct stream *stream = text_alloc(sizeof *stream);

    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->room, NULL);
    stream->wake = wake;
    return stream;
}

static void free_stream(struct stream *stream)
{
    pthread_cond_destroy(&stream->room);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

/* Under the lock. */
static void copy_in(struct stream *stream, struct span bytes)
{
    size_t at = (stream->first + stream->length) % STREAM_ROOM_BYTES;
    size_t before_end = STREAM_ROOM_BYTES - at;
    size_t one = bytes.length < before_end ? bytes.length : before_end;

    memcpy(stream->bytes + at, bytes.data, one);
    memcpy(stream->bytes, bytes.data + one, bytes.length - one);
    stream->length += bytes.length;
}

/* Under the lock. */
static void ring(const struct stream *stream)
{
    if (stream->wake >= 0)
        eventfd_write(stream->wake, 1);
}

bool stream_put(struct stream *stream, struct span bytes)
{
    pthread_mutex_lock(&stream->lock);
    while (stream->wake >= 0 && STREAM_ROOM_BYTES - stream->length < bytes.length)
        pthread_cond_wait(&stream->room, &stream->lock);

    bool read = stream->wake >= 0;

    if (read) {
        copy_in(stream, bytes);
        ring(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    return read;
}

void stream_end(struct stream *stream, bool whole)
{
    pthread_mutex_lock(&stream->lock);
    stream->ended = true;
    stream->whole = whole;
    ring(stream);

    bool last = stream->wake < 0;

    pthread_mutex_unlock(&stream->lock);
    if (last)
        free_stream(stream);
}

/* Under the lock; nothing is under way. */
static enum stream_get state_of(const struct stream *stream)
{
    if (!stream->ended)
        return STREAM_LATER;
    return stream->whole ? STREAM_WHOLE : STREAM_CUT;
}

enum stream_get stream_get(struct stream *stream, char *bytes, size_t room, size_t *got)
{
    enum stream_get what = STREAM_BYTES;

    pthread_mutex_lock(&stream->lock);

    size_t before_end = STREAM_ROOM_BYTES - stream->first;
    size_t count = stream->length < before_end ? stream->length : before_end;

    if (count == 0)
        what = state_of(stream);
    *got = count < room ? count : room;
    memcpy(bytes, stream->bytes + stream->first, *got);
    stream->first = (stream->first + *got) % STREAM_ROOM_BYTES;
    stream->length -= *got;
    pthread_cond_signal(&stream->room);
    pthread_mutex_unlock(&stream->lock);
    return what;
}

bool stream_has(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);

    bool has = stream->length > 0 || stream->ended;

    pthread_mutex_unlock(&stream->lock);
    return has;
}

void stream_beat(struct stream *stream, struct span frame)
{
    pthread_mutex_lock(&stream->lock);
    if (stream->length == 0 && !stream->ended)
        copy_in(stream, frame);
    pthread_mutex_unlock(&stream->lock);
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    pthread_mutex_lock(&stream->lock);
    stream->wake = -1;
    stream->length = 0;
    pthread_cond_signal(&stream->room);

    bool last = stream->ended;

    pthread_mutex_unlock(&stream->lock);
    if (last)
        free_stream(stream);
}
