#include "agent/reply.h"

#include <string.h>

#include "base/auto.h"
#include "tests/unit/suite.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define JSON "Content-Type: application/json\r\n"

static const struct {
    const char *text;
    bool ended;
    enum reply_state state;
    int status;
    const char *body; /* of REPLY_DONE; else what the error says */
    bool keep;
} rows[] = {
    {OK JSON "Content-Length: 2\r\n\r\n{}", false, REPLY_DONE, 200, "{}", true},
    {OK "content-length:2 \r\nCONTENT-TYPE: Application/JSON; charset=utf-8\r\n\r\n{}", false,
     REPLY_DONE, 200, "{}", true},
    {OK "Content-Length: 0\r\n\r\n", false, REPLY_DONE, 200, "", true},
    {"HTTP/1.1 503 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false, REPLY_DONE, 503, "",
     false},
    {"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", false, REPLY_DONE, 503, "", true},
    {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, REPLY_DONE, 200, "", false},
    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", false, REPLY_DONE, 200, "x",
     true},
    {"HTTP/1.1 204 None\r\n\r\n", false, REPLY_DONE, 204, "", false},
    {OK "\r\nall of it", true, REPLY_DONE, 200, "all of it", false},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", false, REPLY_DONE,
     200, "abcde", true},
    {OK "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", false,
     REPLY_DONE, 200, "0123456789", true},
    /* not all has come */
    {"", false, REPLY_MORE, 0, NULL, false},
    {"HTTP/1.1 2", false, REPLY_MORE, 0, NULL, false},
    {OK "Content-Length: 3\r\n\r\nab", false, REPLY_MORE, 0, NULL, false},
    {OK "Content-Length: 3\r\n", false, REPLY_MORE, 0, NULL, false},
    {OK "\r\nsome", false, REPLY_MORE, 0, NULL, false},
    {"HTTP/1.1 100 Continue\r\n\r\n", false, REPLY_MORE, 0, NULL, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nab", false, REPLY_MORE, 0, NULL, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", false, REPLY_MORE, 0, NULL, false},
    /* and never will */
    {"", true, REPLY_BAD, 0, "ends too early", false},
    {OK "Content-Length: 3\r\n\r\nab", true, REPLY_BAD, 0, "ends too early", false},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", true, REPLY_BAD, 0, "ends too early",
     false},
    {"SSH-2.0-x\r\n", false, REPLY_BAD, 0, "first line", false},
    {"HTTP/2.0 200 OK\r\n\r\n", false, REPLY_BAD, 0, "first line", false},
    {"HTTP/1.1 20 OK\r\n\r\n", false, REPLY_BAD, 0, "first line", false},
    {"HTTP/1.1 099 OK\r\n\r\n", false, REPLY_BAD, 0, "first line", false},
    {"HTTP/1.1 2000 OK\r\n\r\n", false, REPLY_BAD, 0, "first line", false},
    {OK "nonsense\r\n\r\n", false, REPLY_BAD, 0, "a line of its head", false},
    {OK ": x\r\n\r\n", false, REPLY_BAD, 0, "a line of its head", false},
    {OK "Content-Length: -1\r\n\r\n", false, REPLY_BAD, 0, "a line of its head", false},
    {OK "Content-Length: 1x\r\n\r\n", false, REPLY_BAD, 0, "a line of its head", false},
    {OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", false, REPLY_BAD, 0, "a line", false},
    {OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", false, REPLY_BAD, 0, "a line",
     false},
    {OK "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", false, REPLY_BAD, 0, "a line",
     false},
    {OK "Transfer-Encoding: gzip\r\n\r\n", false, REPLY_BAD, 0, "a line of its head", false},
    {OK "Transfer-Encoding: chunked\r\n\r\nx\r\n", false, REPLY_BAD, 0, "a chunk", false},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", false, REPLY_BAD, 0, "a chunk", false},
    {OK "Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n", false, REPLY_BAD, 0, "more than 16",
     false},
    {OK "Content-Length: 17\r\n\r\n", false, REPLY_BAD, 0, "more than 16", false},
    {OK "Content-Length: 99999999999999999999\r\n\r\n", false, REPLY_BAD, 0, "a line", false},
    {OK "\r\n12345678901234567", false, REPLY_BAD, 0, "more than 16", false},
};

START_TEST(answers_are_read)
    {
        struct reply reply = {.status = -1};
        struct error err = {.message = ""};
        struct span text = span_of(rows[_i].text);
        enum reply_state state = reply_read(text, rows[_i].ended, 16, &reply, &err);

        ck_assert_msg(state == rows[_i].state, "%d %s", state, err.message);
        if (state == REPLY_BAD)
            ck_assert_msg(strstr(err.message, rows[_i].body) != NULL, "%s", err.message);
        if (state != REPLY_DONE) {
            ck_assert_int_eq(reply.status, -1);
            return;
        }
        ck_assert_int_eq(reply.status, rows[_i].status);
        ck_assert_str_eq(text_get(&reply.body), rows[_i].body);
        ck_assert_int_eq(reply.keep, rows[_i].keep);
        text_done(&reply.body);
    }
END_TEST

/* Bytes come as they like: each beginning of an answer is read without a mistake. */
START_TEST(answers_come_in_pieces)
    {
        struct span text = span_of(rows[_i].text);

        for (size_t i = 0; rows[_i].state == REPLY_DONE && !rows[_i].ended && i < text.length;
             i++) {
            struct reply reply;
            struct error err = {.message = ""};

            ck_assert_int_eq(reply_read((struct span){text.data, i}, false, 16, &reply, &err),
                             REPLY_MORE);
        }
    }
END_TEST

START_TEST(members_are_read)
    {
        struct reply reply;
        struct error err;

        ck_assert_int_eq(reply_read(span_of("HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\n" JSON
                                            "Content-Length: 0\r\n\r\n"),
                                    false, 16, &reply, &err),
                         REPLY_DONE);
        ck_assert_int_eq(reply.retry_after_s, 7);
        ck_assert(reply.json);
        text_done(&reply.body);
        ck_assert_int_eq(reply_read(span_of("HTTP/1.1 429 Too Many\r\nRetry-After: 999999\r\n"
                                            "Content-Type: text/html\r\nContent-Length: 0\r\n\r\n"),
                                    false, 16, &reply, &err),
                         REPLY_DONE);
        ck_assert_int_eq(reply.retry_after_s, REPLY_RETRY_MAX_S);
        ck_assert(!reply.json);
        text_done(&reply.body);
    }
END_TEST

START_TEST(long_heads_are_refused)
    {
        AUTO(text) struct text text = {0};
        struct reply reply;
        struct error err = {.message = ""};

        text_puts(&text, OK);
        while (text.length <= REPLY_HEAD_MAX_BYTES)
            text_puts(&text, "X: y\r\n");
        ck_assert_int_eq(reply_read((struct span){text.data, text.length}, false, 16, &reply, &err),
                         REPLY_BAD);
    }
END_TEST

static const struct {
    const char *text;
    bool ended;
    enum reply_state state;
    int status;
    const char *location; /* of REPLY_DONE; else what the error says */
} head_rows[] = {
    {OK "\r\n", false, REPLY_DONE, 200, ""},
    {OK "Content-Length: 99999999999999999999\r\n\r\nand so on", false, REPLY_DONE, 200, ""},
    {"HTTP/1.0 302 Found\r\nLOCATION:  /x y \r\n\r\n", true, REPLY_DONE, 302, "/x y"},
    {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 500 No\r\n\r\n", false, REPLY_DONE, 500, ""},
    {"HTTP/1.1 200 OK\r\nno colon\r\n: x\r\n\r\n", false, REPLY_DONE, 200, ""},
    {"", false, REPLY_MORE, 0, NULL},
    {OK "Location: /", false, REPLY_MORE, 0, NULL},
    {"HTTP/1.1 100 Continue\r\n\r\n", false, REPLY_MORE, 0, NULL},
    {"", true, REPLY_BAD, 0, "too early"},
    {OK, true, REPLY_BAD, 0, "too early"},
    {"SSH-2.0-OpenSSH\r\n", false, REPLY_BAD, 0, "first line"},
    {"HTTP/2 200\r\n\r\n", false, REPLY_BAD, 0, "first line"},
};

START_TEST(heads)
    {
        struct span location = {NULL, 0};
        struct error err = {.message = ""};
        int status = 0;
        enum reply_state state =
            reply_head(span_of(head_rows[_i].text), head_rows[_i].ended, &status, &location, &err);

        ck_assert_msg(state == head_rows[_i].state, "%s: %d %s", head_rows[_i].text, state,
                      err.message);
        ck_assert_int_eq(status, head_rows[_i].status);
        if (state == REPLY_DONE)
            ck_assert_msg(span_is(location, head_rows[_i].location), "%.*s", (int)location.length,
                          location.data);
        if (state == REPLY_BAD)
            ck_assert_msg(strstr(err.message, head_rows[_i].location), "%s", err.message);
    }
END_TEST

START_TEST(long_heads)
    {
        AUTO(text) struct text text = {0};
        struct span location;
        struct error err = {.message = ""};
        int status;

        text_puts(&text, OK "X: ");
        while (text.length <= REPLY_HEAD_MAX_BYTES)
            text_puts(&text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        ck_assert(reply_head(span_of(text_get(&text)), false, &status, &location, &err) ==
                  REPLY_BAD);
        text_puts(&text, "\r\n\r\n");
        ck_assert(reply_head(span_of(text_get(&text)), false, &status, &location, &err) ==
                  REPLY_BAD);
    }
END_TEST

SUITE(agent_reply)
{
    suite_rows(tests, heads, head_rows);
    tcase_add_test(tests, long_heads);
    suite_rows(tests, answers_are_read, rows);
    suite_rows(tests, answers_come_in_pieces, rows);
    tcase_add_test(tests, members_are_read);
    tcase_add_test(tests, long_heads_are_refused);
}
