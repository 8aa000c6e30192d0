#include "api/stream_frame.h"

#include <string.h>

/* The first bytes, which say the version too. */
static const char first_word[] = "granary1";

#define FIRST_BYTES (sizeof first_word - 1)

/* A head: a letter, and the bytes that follow in 3 bytes, the highest first. */
#define HEAD_BYTES 4

/* Far apart, so that no bit makes one out of the other. */
#define KIND_DATA 'D'
#define KIND_END 's'

/* What a trailer says before the words: status in 2 bytes, bytes of data in 8. */
#define FACTS_BYTES 10

_Static_assert(FACTS_BYTES + DIGEST_BYTES + HEAD_BYTES <= 64, "STREAM_FRAME_MAX_BYTES");

/* What is read next. */
enum place { FIRST, HEAD, DATA, END, OVER };

/* ---- writing ---- */

static void put_number(char *out, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i-- > 0; value >>= 8)
        out[i] = (char)(value & 0xff);
}

static void write_frame_head(char kind, size_t length, struct text *out)
{
    char head[HEAD_BYTES] = {kind};

    put_number(head + 1, length, HEAD_BYTES - 1);
    text_add(out, head, sizeof head);
}

void stream_write_head(struct text *out)
{
    text_add(out, first_word, FIRST_BYTES);
}

void stream_write_data(struct stream_writer *writer, struct span data, struct text *out)
{
    write_frame_head(KIND_DATA, data.length, out);
    text_add(out, data.data, data.length);
    digest_add(&writer->digest, data);
    writer->bytes += data.length;
}

void stream_write_beat(struct text *out)
{
    write_frame_head(KIND_DATA, 0, out);
}

void stream_write_end(struct stream_writer *writer, int status, struct span words, struct text *out)
{
    char facts[FACTS_BYTES];
    unsigned char digest[DIGEST_BYTES];
    size_t over = words.length > STREAM_WORDS_MAX_BYTES ? words.length - STREAM_WORDS_MAX_BYTES : 0;

    /* what was said last is at the end */
    if (over)
        words = (struct span){words.data + over, words.length - over};
    put_number(facts, (uint16_t)status, 2);
    put_number(facts + 2, writer->bytes, 8);
    digest_add(&writer->digest, (struct span){facts, sizeof facts});
    digest_add(&writer->digest, words);
    digest_end(&writer->digest, digest);
    write_frame_head(KIND_END, sizeof facts + sizeof digest + words.length, out);
    text_add(out, facts, sizeof facts);
    text_add(out, (const char *)digest, sizeof digest);
    text_add(out, words.data, words.length);
}

void stream_writer_done(struct stream_writer *writer)
{
    digest_done(&writer->digest);
}

/* ---- reading ---- */

static uint64_t get_number(const char *from, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)from[i];
    return value;
}

static enum stream_state bad(struct stream_reader *reader, const char *why, struct error *err)
{
    reader->place = OVER;
    error_set(err, ERROR_BAD_REQUEST, "%s", why);
    return STREAM_BAD;
}

static void expect(struct stream_reader *reader, enum place place, size_t left)
{
    reader->place = place;
    reader->left = left;
    reader->kept.length = 0;
}

static enum stream_state take_first(struct stream_reader *reader, struct error *err)
{
    if (memcmp(text_get(&reader->kept), first_word, FIRST_BYTES) != 0)
        return bad(reader, "this is no stream of a command", err);
    expect(reader, HEAD, HEAD_BYTES);
    return STREAM_GOES_ON;
}

static enum stream_state take_head(struct stream_reader *reader, struct error *err)
{
    const char *head = text_get(&reader->kept);
    char kind = head[0];
    size_t length = (size_t)get_number(head + 1, HEAD_BYTES - 1);

    if (kind == KIND_DATA && length <= STREAM_DATA_MAX_BYTES) {
        expect(reader, length ? DATA : HEAD, length ? length : HEAD_BYTES);
        return STREAM_GOES_ON;
    }
    if (kind != KIND_END || length < FACTS_BYTES + DIGEST_BYTES ||
        length > FACTS_BYTES + DIGEST_BYTES + STREAM_WORDS_MAX_BYTES)
        return bad(reader, "the stream was changed on its way", err);
    expect(reader, END, length);
    return STREAM_GOES_ON;
}

static enum stream_state take_end(struct stream_reader *reader, struct error *err)
{
    const char *all = text_get(&reader->kept);
    struct span words = {all + FACTS_BYTES + DIGEST_BYTES,
                         reader->kept.length - FACTS_BYTES - DIGEST_BYTES};
    unsigned char digest[DIGEST_BYTES];

    digest_add(&reader->digest, (struct span){all, FACTS_BYTES});
    digest_add(&reader->digest, words);
    digest_end(&reader->digest, digest);
    if (memcmp(digest, all + FACTS_BYTES, DIGEST_BYTES) != 0 ||
        get_number(all + 2, 8) != reader->bytes)
        return bad(reader, "the stream was changed on its way", err);
    reader->status = (int16_t)get_number(all, 2);
    text_add(&reader->words, words.data, words.length);
    expect(reader, OVER, 0);
    return STREAM_ENDED;
}

/* A piece that has to be whole before it says anything. */
static enum stream_state take_kept(struct stream_reader *reader, struct error *err)
{
    switch (reader->place) {
    case FIRST:
        return take_first(reader, err);
    case HEAD:
        return take_head(reader, err);
    default:
        return take_end(reader, err);
    }
}

static void take_data(struct stream_reader *reader, struct span data)
{
    digest_add(&reader->digest, data);
    reader->bytes += data.length;
    if (reader->left == 0)
        expect(reader, HEAD, HEAD_BYTES);
}

enum stream_state stream_read(struct stream_reader *reader, struct span received, size_t *used,
                              struct span *data, struct error *err)
{
    if (reader->place == FIRST && reader->left == 0)
        expect(reader, FIRST, FIRST_BYTES);
    *data = (struct span){NULL, 0};
    *used = received.length;
    if (reader->place == OVER)
        return received.length == 0 ? STREAM_ENDED
                                    : bad(reader, "something follows the end of the stream", err);
    if (received.length > reader->left)
        *used = reader->left;
    reader->left -= *used;
    if (reader->place == DATA) {
        *data = (struct span){received.data, *used};
        take_data(reader, *data);
        return STREAM_GOES_ON;
    }
    text_add(&reader->kept, received.data, *used);
    return reader->left ? STREAM_GOES_ON : take_kept(reader, err);
}

void stream_reader_done(struct stream_reader *reader)
{
    digest_done(&reader->digest);
    text_done(&reader->kept);
    text_done(&reader->words);
}
