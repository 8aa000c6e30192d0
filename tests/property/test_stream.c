#include "api/stream_frame.h"

#include <stdlib.h>

#include "base/auto.h"
#include "tests/property/random.h"
#include "tests/unit/suite.h"

/*
 * Streams that are cut anywhere and whose bits are flipped: they are never whole.
 */

/* What was sent, and the bytes of it on their way. */
struct sample {
    struct text data, words, sent;
    int status;
};

static void auto_sample(struct sample *sample)
{
    text_done(&sample->data);
    text_done(&sample->words);
    text_done(&sample->sent);
}

static void add_bytes(struct random *random, struct text *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_putc(text, (char)random_bits(random));
}

static void add_piece(struct random *random, struct stream_writer *writer, struct sample *sample)
{
    size_t before = sample->data.length;

    if (random_often(random, 20)) {
        stream_write_beat(&sample->sent);
        return;
    }
    add_bytes(random, &sample->data, 1 + random_below(random, random_often(random, 5) ? 3000 : 40));
    stream_write_data(writer,
                      (struct span){text_get(&sample->data) + before, sample->data.length - before},
                      &sample->sent);
}

static void make(struct random *random, struct sample *sample)
{
    static const int statuses[] = {0, 0, 0, 1, 3, 255, STREAM_NO_STATUS};
    AUTO(stream_writer) struct stream_writer writer = {.bytes = 0};

    stream_write_head(&sample->sent);
    for (size_t left = random_below(random, 6); left > 0; left--)
        add_piece(random, &writer, sample);
    add_bytes(random, &sample->words, random_below(random, 30));
    sample->status = statuses[random_below(random, sizeof statuses / sizeof *statuses)];
    stream_write_end(&writer, sample->status,
                     (struct span){text_get(&sample->words), sample->words.length}, &sample->sent);
}

/* Reads it in pieces of any size; what it says is appended to `data`. */
static enum stream_state read_all(struct random *random, struct span sent,
                                  struct stream_reader *reader, struct text *data)
{
    enum stream_state state = STREAM_GOES_ON;
    struct error err;

    while (sent.length > 0 && state != STREAM_BAD) {
        size_t piece = 1 + random_below(random, random_often(random, 50) ? 5 : 5000), used;
        struct span said;

        state =
            stream_read(reader, (struct span){sent.data, piece < sent.length ? piece : sent.length},
                        &used, &said, &err);
        PROPERTY_MUST(random, used > 0 && used <= sent.length);
        text_add(data, said.data, said.length);
        sent = (struct span){sent.data + used, sent.length - used};
    }
    return state;
}

static bool is_whole(struct random *random, const struct sample *sample, struct span sent)
{
    AUTO(stream_reader) struct stream_reader reader = {.place = 0};
    AUTO(text) struct text data = {0};

    if (read_all(random, sent, &reader, &data) != STREAM_ENDED)
        return false;
    PROPERTY_MUST(random, reader.status == sample->status);
    PROPERTY_MUST(random, data.length == sample->data.length &&
                              memcmp(text_get(&data), text_get(&sample->data), data.length) == 0);
    PROPERTY_MUST(random, reader.words.length == sample->words.length &&
                              memcmp(text_get(&reader.words), text_get(&sample->words),
                                     sample->words.length) == 0);
    return true;
}

static void comes_as_it_went(struct random *random)
{
    AUTO(sample) struct sample sample = {.status = 0};

    make(random, &sample);
    PROPERTY_MUST(random, is_whole(random, &sample,
                                   (struct span){text_get(&sample.sent), sample.sent.length}));
}

static void cut_is_never_whole(struct random *random)
{
    AUTO(sample) struct sample sample = {.status = 0};

    make(random, &sample);
    PROPERTY_MUST(random, !is_whole(random, &sample,
                                    (struct span){text_get(&sample.sent),
                                                  random_below(random, sample.sent.length)}));
}

static void changed_is_never_whole(struct random *random)
{
    AUTO(sample) struct sample sample = {.status = 0};

    make(random, &sample);
    for (size_t flips = 1 + random_below(random, 3), bit = 0; flips > 0; flips--) {
        bit += random_below(random, 8 * sample.sent.length / 3); /* each another one */
        sample.sent.data[bit / 8] ^= (char)(1 << bit % 8);
        bit++;
    }

    AUTO(stream_reader) struct stream_reader reader = {.place = 0};
    AUTO(text) struct text data = {0};

    PROPERTY_MUST(random,
                  read_all(random, (struct span){text_get(&sample.sent), sample.sent.length},
                           &reader, &data) != STREAM_ENDED);
}

static void nothing_follows(struct random *random)
{
    AUTO(sample) struct sample sample = {.status = 0};

    make(random, &sample);
    add_bytes(random, &sample.sent, 1 + random_below(random, 5));
    PROPERTY_MUST(random, !is_whole(random, &sample,
                                    (struct span){text_get(&sample.sent), sample.sent.length}));
}

START_TEST(streams_come_as_they_went)
    {
        random_some_cases("streams come as they went", comes_as_it_went, 3000);
    }
END_TEST

START_TEST(cut_streams_are_never_whole)
    {
        random_some_cases("cut streams are never whole", cut_is_never_whole, 3000);
    }
END_TEST

START_TEST(changed_streams_are_never_whole)
    {
        random_some_cases("changed streams are never whole", changed_is_never_whole, 5000);
    }
END_TEST

START_TEST(nothing_follows_a_stream)
    {
        random_some_cases("nothing follows a stream", nothing_follows, 2000);
    }
END_TEST

SUITE(property_stream)
{
    tcase_add_test(tests, streams_come_as_they_went);
    tcase_add_test(tests, cut_streams_are_never_whole);
    tcase_add_test(tests, changed_streams_are_never_whole);
    tcase_add_test(tests, nothing_follows_a_stream);
}
