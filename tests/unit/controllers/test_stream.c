#include "controllers/stream.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/unit/suite.h"

/* What a thread writes comes in order, waits for room, and is known to be whole or cut. */

#define PIECE 1000
#define PIECES 2000 /* eight times what has room */

struct writing {
    struct stream *stream;
    bool whole;
};

static void *write_all(void *context)
{
    const struct writing *writing = context;
    char piece[PIECE];
    bool read = true;

    for (int i = 0; read && i < PIECES; i++) {
        memset(piece, i, sizeof piece);
        read = stream_put(writing->stream, (struct span){piece, sizeof piece});
    }
    stream_end(writing->stream, writing->whole && read);
    return NULL;
}

static size_t read_all(struct stream *stream, int wake, enum stream_get *end)
{
    char piece[777];
    size_t got, total = 0;
    eventfd_t count;

    for (;;) {
        *end = stream_get(stream, piece, sizeof piece, &got);
        if (*end == STREAM_WHOLE || *end == STREAM_CUT)
            return total;
        if (*end == STREAM_LATER)
            ck_assert_int_eq(eventfd_read(wake, &count), 0);
        for (size_t i = 0; i < got; i++)
            ck_assert_int_eq((unsigned char)piece[i], ((total + i) / PIECE) & 0xff);
        total += got;
    }
}

START_TEST(comes_in_order)
    {
        bool whole = _i == 1;
        int wake = eventfd(0, EFD_CLOEXEC);
        struct writing writing = {stream_make(wake), whole};
        enum stream_get end;
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, write_all, &writing), 0);
        ck_assert_uint_eq(read_all(writing.stream, wake, &end), PIECE * PIECES);
        ck_assert_int_eq(end, whole ? STREAM_WHOLE : STREAM_CUT);
        ck_assert(stream_has(writing.stream));
        stream_close(writing.stream);
        pthread_join(thread, NULL);
        close(wake);
    }
END_TEST

/* He waits for room that never comes; it ends by itself. */
START_TEST(who_reads_no_more_frees_who_writes)
    {
        int wake = eventfd(0, EFD_CLOEXEC);
        struct writing writing = {stream_make(wake), true};
        char piece[10];
        pthread_t thread;
        eventfd_t count;
        size_t got;

        ck_assert_int_eq(pthread_create(&thread, NULL, write_all, &writing), 0);
        ck_assert_int_eq(eventfd_read(wake, &count), 0);
        ck_assert_int_eq(stream_get(writing.stream, piece, sizeof piece, &got), STREAM_BYTES);
        stream_close(writing.stream);
        pthread_join(thread, NULL);
        close(wake);
    }
END_TEST

START_TEST(a_beat_comes_only_into_silence)
    {
        int wake = eventfd(0, EFD_CLOEXEC);
        struct stream *stream = stream_make(wake);
        char piece[10];
        size_t got;

        ck_assert(!stream_has(stream));
        stream_beat(stream, span_of("beat"));
        ck_assert(stream_has(stream));
        stream_beat(stream, span_of("beat"));
        ck_assert(stream_put(stream, span_of("x")));
        ck_assert_int_eq(stream_get(stream, piece, sizeof piece, &got), STREAM_BYTES);
        ck_assert(got == 5 && memcmp(piece, "beatx", 5) == 0);
        ck_assert_int_eq(stream_get(stream, piece, sizeof piece, &got), STREAM_LATER);
        stream_end(stream, true);
        stream_beat(stream, span_of("beat"));
        ck_assert_int_eq(stream_get(stream, piece, sizeof piece, &got), STREAM_WHOLE);
        stream_close(stream);
        close(wake);
    }
END_TEST

SUITE(controllers_stream)
{
    tcase_add_loop_test(tests, comes_in_order, 0, 2);
    tcase_add_test(tests, who_reads_no_more_frees_who_writes);
    tcase_add_test(tests, a_beat_comes_only_into_silence);
}
