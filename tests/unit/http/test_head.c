#include "http/head.h"
#include "tests/unit/suite.h"

#include "base/limits.h"
#include "base/text.h"

#define BODY_MAX 1000

/* As the webhook has them; the second reads more. */
enum { MUTATE = 3, VALIDATE };
static const struct head_route routes[] = {
    {"/mutate", MUTATE, 0}, {"/validate", VALIDATE, 2000}, {0}};
#define LINES_MAX 128

/* The lines of a head, as "Name: value\n" each. */
static size_t split(const char *text, struct head_line *lines)
{
    struct span rest = span_of(text), line;
    size_t count = 0;

    while (text_split(&rest, '\n', &line) && line.length > 0) {
        const char *colon = memchr(line.data, ':', line.length);
        struct span name = {line.data, (size_t)(colon - line.data)};

        lines[count].name = name;
        lines[count++].value =
            (struct span){colon + 1, (size_t)(line.data + line.length - colon - 1)};
    }
    return count;
}

static bool judge(const char *method, const char *path, const char *version, const char *text,
                  struct head_request *request, struct error *err)
{
    struct head_line lines[LINES_MAX];
    struct head head = {span_of(method), span_of(path), span_of(version), lines,
                        split(text, lines)};

    return head_judge(&head, routes, BODY_MAX, request, err);
}

#define HOST "Host: x\n"
#define JSON "Content-Type: application/json\n"
#define OK HOST JSON

/* 0: good */
static const struct {
    const char *method, *path, *version, *lines;
    int status;
} rows[] = {
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5\n", 0},
    {"POST", "/validate", "HTTP/1.0", OK "Content-Length: 5\n", 0},
    {"POST", "/mutate", "HTTP/1.1", OK "content-length:\t5 \n", 0},
    {"POST", "/mutate", "HTTP/1.1", OK "Transfer-Encoding: Chunked\n", 0},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 1000\nX: \xe4\t\xf6\n", 0},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 00005\n", 0},
    /* H1 */
    {"GET", "/mutate", "HTTP/1.1", OK, 405},
    {"post", "/mutate", "HTTP/1.1", OK "Content-Length: 5\n", 405},
    /* H2 */
    {"POST", "/", "HTTP/1.1", OK "Content-Length: 5\n", 404},
    {"POST", "/mutate/", "HTTP/1.1", OK "Content-Length: 5\n", 404},
    {"POST", "/mutate%00", "HTTP/1.1", OK "Content-Length: 5\n", 404},
    {"POST", "", "HTTP/1.1", OK "Content-Length: 5\n", 404},
    /* H3, H5 */
    {"POST", "/mutate", "HTTP/1.1", HOST "Content-Length: 5\n", 415},
    {"POST", "/mutate", "HTTP/1.1", OK JSON "Content-Length: 5\n", 415},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Encoding: gzip\nContent-Length: 5\n", 415},
    /* H6, H7 */
    {"POST", "/mutate", "HTTP/1.1", OK, 411},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 0\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 1001\n", 413},
    {"POST", "/validate", "HTTP/1.1", OK "Content-Length: 2000\n", 0},
    {"POST", "/validate", "HTTP/1.1", OK "Content-Length: 2001\n", 413},
    /* H8 */
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length:\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: -1\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: +1\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 1 1\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5, 5\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 0x5\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 18446744073709551615\n", 413},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 18446744073709551621\n", 413},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 99999999999999999999999\n", 413},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5\nContent-Length: 5\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5\nTransfer-Encoding: chunked\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Transfer-Encoding: chunked\nContent-Length: 5\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Transfer-Encoding: gzip, chunked\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Transfer-Encoding:\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Transfer-Encoding: chunked\ntransfer-encoding: chunked\n",
     400},
    {"POST", "/mutate", "HTTP/1.0", OK "Transfer-Encoding: chunked\n", 400},
    {"POST", "/mutate", "HTTP/1.2", OK "Content-Length: 5\n", 400},
    {"POST", "/mutate", "http/1.1", OK "Content-Length: 5\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length : 5\n", 400},
    /* H9 */
    {"POST", "/mutate", "HTTP/1.1", JSON "Content-Length: 5\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK HOST "Content-Length: 5\n", 400},
    {"POST", "/mutate", "HTTP/1.1", JSON "Host: \nContent-Length: 5\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5\nX: a\x01\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5\nX: a\x7f\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5\nX: a\rb\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5\n: a\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5\nX\xe4: a\n", 400},
    {"POST", "/mutate", "HTTP/1.1", OK "Content-Length: 5\n(x): a\n", 400},
    /* an ambiguous frame outweighs a wrong path: the connection must not live on */
    {"GET", "/nowhere", "HTTP/1.1", OK "Content-Length: 5\nContent-Length: 6\n", 400},
};

START_TEST(heads_are_judged)
    {
        struct head_request request = {.length = 77};
        struct error err = {0};
        bool good =
            judge(rows[_i].method, rows[_i].path, rows[_i].version, rows[_i].lines, &request, &err);

        ck_assert_msg(good == (rows[_i].status == 0), "%s", err.message);
        ck_assert_int_eq(err.code, rows[_i].status);
        ck_assert(good || request.length == 77);
    }
END_TEST

START_TEST(what_the_head_says_is_handed_on)
    {
        struct head_request request;
        struct error err;

        ck_assert(
            judge("POST", "/validate", "HTTP/1.1", OK "Content-Length: 12\n", &request, &err));
        ck_assert(request.endpoint == VALIDATE && request.length == 12 && !request.chunked);
        ck_assert(judge("POST", "/mutate", "HTTP/1.1", OK "Transfer-Encoding: chunked\n", &request,
                        &err));
        ck_assert(request.endpoint == MUTATE && request.length == 0 && request.chunked);
    }
END_TEST

START_TEST(lines_and_paths_are_bounded)
    {
        struct head_line lines[HEADERS_MAX + 1];
        size_t count = split(OK "Content-Length: 5\n", lines);
        struct head head = {span_of("POST"), span_of("/mutate"), span_of("HTTP/1.1"), lines, 0};
        struct head_request request;
        char path[PATH_OF_REQUEST_MAX_BYTES + 1];
        struct error err;

        for (size_t i = count; i <= HEADERS_MAX; i++)
            lines[i] = (struct head_line){span_of("X"), span_of("y")};
        head.count = HEADERS_MAX;
        ck_assert(head_judge(&head, routes, BODY_MAX, &request, &err));
        head.count = HEADERS_MAX + 1;
        ck_assert(!head_judge(&head, routes, BODY_MAX, &request, &err));
        ck_assert_int_eq(err.code, ERROR_HEADERS_TOO_LARGE);
        head.count = count;
        memset(path, 'x', sizeof path);
        head.path = (struct span){path, sizeof path - 1};
        ck_assert(!head_judge(&head, routes, BODY_MAX, &request, &err));
        ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
        head.path.length++;
        ck_assert(!head_judge(&head, routes, BODY_MAX, &request, &err));
        ck_assert_int_eq(err.code, ERROR_URI_TOO_LONG);
    }
END_TEST

/* H3, H4 */
static const struct {
    const char *value;
    bool json;
} type_rows[] = {
    {"application/json", true},
    {"APPLICATION/JSON", true},
    {"application/json;charset=utf-8", true},
    {"application/json ; Charset=\"UTF-8\"", true},
    {"", false},
    {";", false},
    {"application/json;", true},
    {"application/json;;", false},
    {"application/json; charset=latin1", false},
    {"application/json; charset=utf-8; charset=utf-8", false},
    {"application/json; q=1", false},
    {"application/json, text/plain", false},
    {"application/jsonx", false},
    {"text/json", false},
    {"application/yaml", false},
};

START_TEST(only_json_is_json)
    {
        ck_assert_int_eq(head_is_json(span_of(type_rows[_i].value)), type_rows[_i].json);
    }
END_TEST

/* H18 */
static const struct {
    const char *query;
    int64_t timeout_ms;
} timeout_rows[] = {
    {"timeout=1s", 1000},
    {"timeout=30s", 30000},
    {"a=b&timeout=2s", 2000},
    {"timeout=1500ms", 1500},
    {"timeout=0s", 0},
    {"timeout=abc", 0},
    {"timeout=", 0},
    {"timeout=s", 0},
    {"timeout=-1s", 0},
    {"timeout=1", 0},
    {"timeout=1m", 0},
    {"timeout=1.5s", 0},
    {"", 0},
    {"xtimeout=1s", 0},
    {"timeouts=1s", 0},
    {"timeout=100000000000000000000s", 0},
    {"&&&", 0},
};

START_TEST(the_callers_timeout_is_read)
    {
        ck_assert_int_eq(head_timeout_ms(span_of(timeout_rows[_i].query)),
                         timeout_rows[_i].timeout_ms);
    }
END_TEST

/* H8, H9: received bytes after libmicrohttpd wrote its NULs (here '|') over CR, LF, colons, blanks.
 * Pieces are what it hands out: names and values up to the first NUL it finds. */
static const struct {
    const char *bytes;
    struct {
        int at, length;
    } pieces[7]; /* method, path, version, then name and value in turn; length -1 ends */
    int uri_length;
    bool tight;
} tight_rows[] = {
    /* POST /m HTTP/1.1, X: a, empty line */
    {"POST|/m|HTTP/1.1||X| a||||", {{0, 4}, {5, 2}, {8, 8}, {18, 1}, {21, 1}, {0, -1}}, 2, true},
    /* blanks in front of the value and behind it, no value at all */
    {"POST|/m|HTTP/1.1||X|\t a ||||", {{0, 4}, {5, 2}, {8, 8}, {18, 1}, {22, 2}, {0, -1}}, 2, true},
    {"POST|/m|HTTP/1.1||X|||||", {{0, 4}, {5, 2}, {8, 8}, {18, 1}, {20, 0}, {0, -1}}, 2, true},
    /* a query, of which the path is a part */
    {"POST|/m|a|b|HTTP/1.1||||", {{0, 4}, {5, 2}, {12, 8}, {0, -1}}, 6, true},
    /* no header at all, ends with one NUL too few, too many, with a byte behind */
    {"POST|/m|HTTP/1.1||||", {{0, 4}, {5, 2}, {8, 8}, {0, -1}}, 2, true},
    {"POST|/m|HTTP/1.1|||", {{0, 4}, {5, 2}, {8, 8}, {0, -1}}, 2, false},
    {"POST|/m|HTTP/1.1|||||", {{0, 4}, {5, 2}, {8, 8}, {0, -1}}, 2, false},
    {"POST|/m|HTTP/1.1||||x", {{0, 4}, {5, 2}, {8, 8}, {0, -1}}, 2, false},
    /* bare LF after the request line, after a header */
    {"POST|/m|HTTP/1.1|X| a||||", {{0, 4}, {5, 2}, {8, 8}, {17, 1}, {20, 1}, {0, -1}}, 2, false},
    {"POST|/m|HTTP/1.1||X| a|||", {{0, 4}, {5, 2}, {8, 8}, {18, 1}, {21, 1}, {0, -1}}, 2, false},
    /* a NUL in the value: the rest is not in the piece */
    {"POST|/m|HTTP/1.1||X| a|b||||", {{0, 4}, {5, 2}, {8, 8}, {18, 1}, {21, 1}, {0, -1}}, 2, false},
    /* a line that begins with NUL was taken for the empty one */
    {"POST|/m|HTTP/1.1||X| a|||Y: b||",
     {{0, 4}, {5, 2}, {8, 8}, {18, 1}, {21, 1}, {0, -1}},
     2,
     false},
    /* two NULs and something that looks like a header */
    {"POST|/m|HTTP/1.1||X| a||Y|b||||",
     {{0, 4}, {5, 2}, {8, 8}, {18, 1}, {21, 1}, {0, -1}},
     2,
     false},
    /* a folded line: its value lies elsewhere */
    {"POST|/m|HTTP/1.1||X| a|| b||||",
     {{0, 4}, {5, 2}, {8, 8}, {18, 1}, {21, 1}, {0, -1}},
     2,
     false},
    /* two blanks before the path; a NUL in the path; in the method */
    {"POST| /m|HTTP/1.1||||", {{0, 4}, {6, 2}, {9, 8}, {0, -1}}, 2, false},
    {"POST|/m|x|HTTP/1.1||||", {{0, 4}, {5, 2}, {10, 8}, {0, -1}}, 2, false},
    {"PO|ST|/m|HTTP/1.1||||", {{0, 2}, {6, 2}, {9, 8}, {0, -1}}, 2, false},
    /* pieces that lie outside: before, behind */
    {"POST|/m|HTTP/1.1||||", {{0, 4}, {5, 2}, {40, 8}, {0, -1}}, 2, false},
    {"POST|/m|HTTP/1.1||||", {{0, 4}, {5, 2}, {8, 8}, {0, -1}}, 2000, false},
    {"POST|/m|HTTP/1.1||||", {{0, 4}, {5, 2}, {8, 800}, {0, -1}}, 2, false},
};

START_TEST(gaps_in_the_received_bytes_are_seen)
    {
        char bytes[64] = "";
        size_t size = strlen(tight_rows[_i].bytes), i = 3;
        struct span pieces[7] = {0};
        struct head_line line;

        memcpy(bytes, tight_rows[_i].bytes, size);
        for (size_t n = 0; n < size; n++)
            if (bytes[n] == '|')
                bytes[n] = '\0';
        for (size_t n = 0; tight_rows[_i].pieces[n].length >= 0; n++)
            pieces[n] = (struct span){bytes + tight_rows[_i].pieces[n].at,
                                      (size_t)tight_rows[_i].pieces[n].length};
        line = (struct head_line){pieces[i], pieces[i + 1]};

        struct head head = {pieces[0], pieces[1], pieces[2], &line, pieces[i].data ? 1 : 0};

        ck_assert_int_eq(head_is_tight(&head, bytes, size, (size_t)tight_rows[_i].uri_length),
                         tight_rows[_i].tight);
    }
END_TEST

SUITE(http_head)
{
    suite_rows(tests, heads_are_judged, rows);
    tcase_add_test(tests, what_the_head_says_is_handed_on);
    tcase_add_test(tests, lines_and_paths_are_bounded);
    suite_rows(tests, only_json_is_json, type_rows);
    suite_rows(tests, the_callers_timeout_is_read, timeout_rows);
    suite_rows(tests, gaps_in_the_received_bytes_are_seen, tight_rows);
}
