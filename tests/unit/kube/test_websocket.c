#include "kube/websocket.h"

#include <string.h>

#include "base/auto.h"
#include "tests/unit/suite.h"

/* RFC 6455 section 1.3 */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

START_TEST(keys)
    {
        char key[WEBSOCKET_KEY_BYTES], accept[WEBSOCKET_ACCEPT_BYTES];

        websocket_key((const unsigned char *)"the sample nonce", key);
        ck_assert_str_eq(key, KEY);
        websocket_accept(key, accept);
        ck_assert_str_eq(accept, ACCEPT);
    }
END_TEST

static const struct {
    const char *text;
    enum websocket_state state;
    int status;
    const char *protocol; /* of WEBSOCKET_READY; else what the error says */
} answers[] = {
    {UPGRADED "Sec-WebSocket-Accept: " ACCEPT
              "\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n",
     WEBSOCKET_READY, 101, "v5.channel.k8s.io"},
    {"HTTP/1.1 101\r\nupgrade: WebSocket\r\nconnection: upgrade\r\nSEC-WEBSOCKET-ACCEPT:" ACCEPT
     "\r\n\r\nframes",
     WEBSOCKET_READY, 101, ""},
    {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}", WEBSOCKET_READY, 403, ""},
    {"", WEBSOCKET_MORE, 0, NULL},
    {UPGRADED, WEBSOCKET_MORE, 0, NULL},
    {UPGRADED "\r\n", WEBSOCKET_BAD, 0, "another key"},
    {UPGRADED "Sec-WebSocket-Accept: " KEY "\r\n\r\n", WEBSOCKET_BAD, 0, "another key"},
    {UPGRADED "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n\r\n", WEBSOCKET_BAD, 0,
     "another key"},
    {UPGRADED "Sec-WebSocket-Accept: " ACCEPT
              "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
     WEBSOCKET_BAD, 0, "extension"},
    {"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT
     "\r\n\r\n",
     WEBSOCKET_BAD, 0, "without upgrade"},
    {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
     WEBSOCKET_BAD, 0, "without upgrade"},
    {"HTTP/2 101\r\n\r\n", WEBSOCKET_BAD, 0, "first line"},
    {"HTTP/1.1 1x1 A\r\n\r\n", WEBSOCKET_BAD, 0, "first line"},
    {"HTTP/1.1 099 A\r\n\r\n", WEBSOCKET_BAD, 0, "first line"},
    {"HTTP/1.1 1010\r\n\r\n", WEBSOCKET_BAD, 0, "first line"},
};

START_TEST(heads)
    {
        struct websocket_answer answer = {0};
        struct error err = {.message = ""};
        enum websocket_state state =
            websocket_answer(span_of(answers[_i].text), KEY, &answer, &err);

        ck_assert_msg(state == answers[_i].state, "%s: %d %s", answers[_i].text, state,
                      err.message);
        if (state == WEBSOCKET_READY) {
            ck_assert_int_eq(answer.status, answers[_i].status);
            ck_assert(span_is(answer.protocol, answers[_i].protocol));
            ck_assert_ptr_eq(strstr(answers[_i].text, "\r\n\r\n") + 4,
                             answers[_i].text + answer.head);
        }
        if (state == WEBSOCKET_BAD)
            ck_assert_msg(strstr(err.message, answers[_i].protocol), "%s", err.message);
    }
END_TEST

START_TEST(long_heads)
    {
        AUTO(text) struct text text = {0};
        struct websocket_answer answer;
        struct error err;

        text_puts(&text, UPGRADED "X: ");
        while (text.length <= WEBSOCKET_HEAD_MAX_BYTES)
            text_puts(&text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        ck_assert(websocket_answer(span_of(text_get(&text)), KEY, &answer, &err) == WEBSOCKET_BAD);
        text_puts(&text, "\r\n\r\n");
        ck_assert(websocket_answer(span_of(text_get(&text)), KEY, &answer, &err) == WEBSOCKET_BAD);
    }
END_TEST

#define BYTES(text) text, sizeof(text) - 1

/* What is read of a stream: "2:text 9:ping 8: " ..., then how it went on. */
static const struct {
    const char *bytes;
    size_t length;
    const char *events;
    const char *error; /* NULL: more is waited for */
} streams[] = {
    {BYTES(""), "", NULL},
    {BYTES("\x82\x03"
           "abc"),
     "2:abc ", NULL},
    {BYTES("\x82\x00\x81\x01z"), "2: 1:z ", NULL},
    /* parts, with a ping between them, and the next message */
    {BYTES("\x02\x02"
           "ab\x89\x01p\x00\x00\x80\x01"
           "c\x82\x01"
           "d"),
     "9:p 2:abc 2:d ", NULL},
    {BYTES("\x88\x02\x03\xe8"), "8:\x03\xe8 ", NULL},
    {BYTES("\x88\x00\x8a\x00"), "8: 10: ", NULL},
    {BYTES("\x82\x7e\x00\x7e"
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
     "2:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ",
     NULL},
    /* not whole */
    {BYTES("\x82"), "", NULL},
    {BYTES("\x82\x03"
           "ab"),
     "", NULL},
    {BYTES("\x82\x7f\x00\x00"), "", NULL},
    {BYTES("\x02\x01"
           "a"),
     "", NULL},
    /* hostile */
    {BYTES("\x82\x81\x00\x00\x00\x00x"), "", "masks nothing"},
    {BYTES("\xc2\x00"), "", "reserved"},
    {BYTES("\x92\x00"), "", "reserved"},
    {BYTES("\x83\x00"), "", "unknown kind"},
    {BYTES("\x8b\x00"), "", "unknown kind"},
    {BYTES("\x09\x00"), "", "control frame"},
    {BYTES("\x89\x7e\x00\x7e"), "", "control frame"},
    {BYTES("\x88\x01x"), "", "half of a reason"},
    {BYTES("\x80\x00"), "", "another order"},
    {BYTES("\x82\x01"
           "a\x00\x00"),
     "2:a ", "another order"},
    {BYTES("\x02\x00\x82\x00"), "", "another order"},
    {BYTES("\x82\x7e\x00\x7d"), "", "too long"},
    {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), "", "too long"},
    {BYTES("\x82\x7e\x00\xc9"), "", "more than 200 bytes"},
    {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"), "", "more than 200 bytes"},
    {BYTES("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), "", "more than 200 bytes"},
};

/* Reads all that is there. */
static enum websocket_state read_all(struct websocket *socket, struct span bytes, size_t *at,
                                     struct text *events, struct error *err)
{
    for (;;) {
        struct websocket_event event;
        size_t used;
        enum websocket_state state = websocket_read(
            socket, (struct span){bytes.data + *at, bytes.length - *at}, &used, &event, err);

        *at += used;
        if (state == WEBSOCKET_BAD || (state == WEBSOCKET_MORE && used == 0))
            return state;
        if (state == WEBSOCKET_READY) {
            text_addf(events, "%d:", event.op);
            text_add(events, event.data.data, event.data.length);
            text_putc(events, ' ');
        }
    }
}

/* Wherever it is cut in two, the same is read. */
START_TEST(frames)
    {
        for (size_t cut = 0; cut <= streams[_i].length; cut++) {
            AUTO(websocket) struct websocket socket = {.max = 200};
            AUTO(text) struct text events = {0};
            struct error err = {.message = ""};
            size_t at = 0;
            enum websocket_state state =
                read_all(&socket, (struct span){streams[_i].bytes, cut}, &at, &events, &err);

            if (state == WEBSOCKET_MORE)
                state = read_all(&socket, (struct span){streams[_i].bytes, streams[_i].length}, &at,
                                 &events, &err);
            ck_assert_str_eq(text_get(&events), streams[_i].events);
            ck_assert_int_eq(state, streams[_i].error ? WEBSOCKET_BAD : WEBSOCKET_MORE);
            if (streams[_i].error)
                ck_assert_msg(strstr(err.message, streams[_i].error), "%s", err.message);
        }
    }
END_TEST

START_TEST(parts_are_bounded_together)
    {
        AUTO(websocket) struct websocket socket = {.max = 3};
        AUTO(text) struct text events = {0};
        struct error err = {.message = ""};
        size_t at = 0;

        ck_assert(read_all(&socket,
                           (struct span){BYTES("\x02\x02"
                                               "ab\x80\x02"
                                               "cd")},
                           &at, &events, &err) == WEBSOCKET_BAD);
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
    }
END_TEST

START_TEST(written)
    {
        static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
        AUTO(text) struct text out = {0}, data = {0};

        /* RFC 6455 section 5.7 */
        websocket_write(&out, WEBSOCKET_TEXT, span_of("Hello"), mask);
        ck_assert(span_equal((struct span){out.data, out.length},
                             (struct span){BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")}));
        for (int i = 0; i < 126; i++)
            text_putc(&data, 'x');
        out.length = 0;
        websocket_write(&out, WEBSOCKET_BINARY, (struct span){data.data, 126}, mask);
        ck_assert_uint_eq(out.length, 2 + 2 + 4 + 126);
        ck_assert_int_eq(memcmp(out.data, "\x82\xfe\x00\x7e\x37\xfa", 6), 0);
        while (data.length < 65536)
            text_putc(&data, 'x');
        out.length = 0;
        websocket_write(&out, WEBSOCKET_BINARY, (struct span){data.data, 65536}, mask);
        ck_assert_int_eq(memcmp(out.data, "\x82\xff\0\0\0\0\0\x01\0\0\x37", 11), 0);
        text_done(&data);
    }
END_TEST

SUITE(kube_websocket)
{
    tcase_add_test(tests, keys);
    suite_rows(tests, heads, answers);
    tcase_add_test(tests, long_heads);
    suite_rows(tests, frames, streams);
    tcase_add_test(tests, parts_are_bounded_together);
    tcase_add_test(tests, written);
}
