#include "kube/frame.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/limits.h"
#include "tests/unit/suite.h"

/* All frames of a body, each in brackets; then "more", "end" or why it is bad. */
static void read_all(struct frames *frames, struct text *out, bool objects)
{
    struct error err = {0};
    struct span frame;

    for (;;) {
        enum frame got =
            objects ? frame_object(frames, &frame, &err) : frame_value(frames, &frame, &err);

        if (got == FRAME_BAD)
            text_addf(out, "!%d", (int)err.code);
        if (got != FRAME_READY)
            return;
        text_addf(out, "<%.*s>", (int)frame.length, frame.data);
    }
}

static const struct {
    const char *body, *objects, *values;
} rows[] = {
    {"", "", ""},
    {" \r\n\t", "", ""},
    {"{}", "<{}>", "<{}>"},
    /* W8: not one a line */
    {"{\"a\":1}{\"b\":2}\n\n{\"c\":3}", "<{\"a\":1}><{\"b\":2}><{\"c\":3}>",
     "<{\"a\":1}><{\"b\":2}><{\"c\":3}>"},
    {"{\n \"a\": {\"b\": [{}, {}]}\n}\n", "<{\n \"a\": {\"b\": [{}, {}]}\n}>",
     "<{\n \"a\": {\"b\": [{}, {}]}\n}>"},
    /* brackets and quotes in strings and keys */
    {"{\"}\":\"{\\\"}\\\\\"}{}", "<{\"}\":\"{\\\"}\\\\\"}><{}>", "<{\"}\":\"{\\\"}\\\\\"}><{}>"},
    /* W9: what is not whole is never handed out */
    {"{\"a\":", "", ""},
    {"{}{\"a\":\"", "<{}>", "<{}>"},
    {"{\"a\":\"\\", "", ""},
    /* AF17: an HTML page, a gzip header, a byte order mark */
    {"<html>", "!400", "!400"},
    {"\x1f\x8b\x08", "!400", "!400"},
    {"\xef\xbb\xbf{}", "!400", "!400"},
    {"{}x", "<{}>!400", "<{}>!400"},
    {"}", "!400", "!400"},
    {"[1]{}", "!400", "<[1]><{}>"},
    {"12 true null \"a\"-1,", "!400", "<12><true><null><\"a\"><-1>!400"},
    /* a word goes on until something ends it: scan_text() refuses it */
    {"null\"a\" ", "!400", "<null\"a\">"},
    /* a number may go on */
    {"12", "!400", ""},
    /* the brackets do not fit: scan_text() refuses it, as one frame */
    {"{]{}", "<{]><{}>", "<{]><{}>"},
};

/* AF7: the same frames wherever the body is cut into pieces */
START_TEST(cut_anywhere)
    {
        struct span body = span_of(rows[_i].body);

        for (size_t step = 1; step <= body.length + 1; step++) {
            AUTO(frames) struct frames frames = {0};
            AUTO(text) struct text out = {0};

            read_all(&frames, &out, true);
            for (size_t at = 0; at < body.length && !strchr(text_get(&out), '!'); at += step) {
                size_t left = body.length - at;

                text_add(&frames.buffer, body.data + at, left < step ? left : step);
                read_all(&frames, &out, true);
            }
            ck_assert_str_eq(text_get(&out), rows[_i].objects);
        }
    }
END_TEST

START_TEST(values)
    {
        AUTO(frames) struct frames frames = {0};
        AUTO(text) struct text out = {0};

        text_puts(&frames.buffer, rows[_i].body);
        read_all(&frames, &out, false);
        ck_assert_str_eq(text_get(&out), rows[_i].values);
    }
END_TEST

START_TEST(nul_is_no_beginning)
    {
        AUTO(frames) struct frames frames = {0};
        struct error err = {0};
        struct span frame;

        text_add(&frames.buffer, "\0{}", 3);
        ck_assert_int_eq(frame_value(&frames, &frame, &err), FRAME_BAD);
        ck_assert_str_eq(err.message, "byte 0x00 stands where a JSON value should begin");
    }
END_TEST

/* AF8: an event beyond the cap ends the watch, whole or not */
START_TEST(too_large)
    {
        AUTO(frames) struct frames frames = {.max = 8};
        struct error err = {0};
        struct span frame;

        text_puts(&frames.buffer, "{\"a\":12} {\"a\":123}");
        ck_assert_int_eq(frame_object(&frames, &frame, &err), FRAME_READY);
        ck_assert_int_eq(frame_object(&frames, &frame, &err), FRAME_BAD);
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
        frames_done(&frames);
        text_puts(&frames.buffer, "{\"a\":12");
        ck_assert_int_eq(frame_object(&frames, &frame, &err), FRAME_MORE);
        text_puts(&frames.buffer, "34");
        ck_assert_int_eq(frame_object(&frames, &frame, &err), FRAME_BAD);
    }
END_TEST

/* A long body needs the room of one piece, not its own; a huge object's room is given back. */
START_TEST(room_is_bounded)
    {
        AUTO(frames) struct frames frames = {0};
        AUTO(text) struct text filler = {0};
        struct error err = {0};
        struct span frame;

        for (int i = 0; i < 100000; i++) {
            text_puts(&frames.buffer, "{\"kind\":\"Pod\"}\n{\"ki");
            ck_assert_int_eq(frame_object(&frames, &frame, &err), FRAME_READY);
            ck_assert_int_eq(frame_object(&frames, &frame, &err), FRAME_MORE);
            text_puts(&frames.buffer, "nd\":1}");
            ck_assert_int_eq(frame_object(&frames, &frame, &err), FRAME_READY);
            ck_assert_uint_eq(frame.length, 10);
        }
        ck_assert_uint_lt(frames.buffer.room, 1024);

        text_reserve(&filler, 1u << 20);
        memset(filler.data, ' ', 1u << 20);
        filler.length = 1u << 20;
        text_puts(&frames.buffer, "{");
        text_add(&frames.buffer, filler.data, filler.length);
        text_puts(&frames.buffer, "}");
        ck_assert_int_eq(frame_object(&frames, &frame, &err), FRAME_READY);
        ck_assert_int_eq(frame_object(&frames, &frame, &err), FRAME_MORE);
        ck_assert_uint_eq(frames.buffer.room, 0);
    }
END_TEST

static const struct {
    const char *body;
    bool empty;
} empty_rows[] = {{"", true}, {"{} \n", true}, {"{", false}, {"{} {", false}, {"{}}", false}};

START_TEST(nothing_is_left)
    {
        AUTO(frames) struct frames frames = {0};
        AUTO(text) struct text out = {0};

        text_puts(&frames.buffer, empty_rows[_i].body);
        read_all(&frames, &out, true);
        ck_assert_int_eq(frames_empty(&frames), empty_rows[_i].empty);
    }
END_TEST

SUITE(kube_frame)
{
    suite_rows(tests, cut_anywhere, rows);
    suite_rows(tests, values, rows);
    tcase_add_test(tests, nul_is_no_beginning);
    tcase_add_test(tests, too_large);
    tcase_add_test(tests, room_is_bounded);
    suite_rows(tests, nothing_is_left, empty_rows);
}
