#include "agent/hook_request.h"

#include <string.h>

#include "base/auto.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define OURS "User-Agent: granary-agent/" GRANARY_VERSION "\r\n"
#define END "Connection: close\r\n\r\n"

static const struct {
    const char *kind, *action;
    const char *address, *bytes; /* NULL: tcpSocket; or an error when address is NULL */
    bool tls;
} rows[] = {
    {"httpGet", "{'port': 80}", "localhost:80", "GET / HTTP/1.1\r\nHost: localhost:80\r\n" OURS END,
     false},
    {"httpGet", "{'port': '8443', 'scheme': 'https', 'host': 'db.shop', 'path': 'a b?c=\u00fc#x'}",
     "db.shop:8443", "GET /a%20b?c=%C3%BC HTTP/1.1\r\nHost: db.shop:8443\r\n" OURS END, true},
    {"httpGet",
     "{'port': 80, 'host': 'fd00::1', 'scheme': 'HTTP', 'httpHeaders': [{'name': 'host', 'value': "
     "'x'}, {'name': 'USER-AGENT', 'value': 'y'}, {'name': 'content-length', 'value': '7'}, "
     "{'name':"
     " 'A', 'value': ''}, {'name': 'A', 'value': 'b\\tc'}, {'name': 'Transfer-Encoding', 'value': "
     "'chunked'}]}",
     "[fd00::1]:80", "GET / HTTP/1.1\r\nhost: x\r\nUSER-AGENT: y\r\nA: \r\nA: b\tc\r\n" END, false},
    {"httpPost", "{'port': 1}", "localhost:1",
     "POST / HTTP/1.1\r\nHost: localhost:1\r\n" OURS "Content-Length: 0\r\n" END, false},
    {"httpPost", "{'port': 1, 'path': '//x', 'body': '{{ .Name }}!'}", "localhost:1",
     "POST //x HTTP/1.1\r\nHost: localhost:1\r\n" OURS
     "Content-Type: application/json\r\nContent-Length: 4\r\n" END "s-1!",
     false},
    {"httpPost",
     "{'port': 1, 'body': 'x', 'httpHeaders': [{'name': 'Content-Type', 'value': 'text/plain'}]}",
     "localhost:1",
     "POST / HTTP/1.1\r\nHost: localhost:1\r\n" OURS
     "Content-Type: text/plain\r\nContent-Length: 1\r\n" END "x",
     false},
    {"httpPost",
     "{'port': 1, 'form': [{'key': 'a b', 'values': ['1&2', '\u00fc']}, {'key': 'c',"
     " 'values': ['{{ .Name }}']}]}",
     "localhost:1",
     "POST / HTTP/1.1\r\nHost: localhost:1\r\n" OURS
     "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 42\r\n" END
     "a+b=1%262&a+b=%C3%BC&c=%7B%7B+.Name+%7D%7D",
     false},
    {"tcpSocket", "{'port': 5432}", "localhost:5432", NULL, false},
    {"tcpSocket", "{'port': 5432, 'host': '10.0.0.1'}", "10.0.0.1:5432", NULL, false},
    /* what can not be asked for */
    {"httpGet", "{'port': 'web'}", NULL, "no port named \"web\"", false},
    {"httpGet", "{'port': 0}", NULL, "no port", false},
    {"httpGet", "{'port': 65536}", NULL, "no port", false},
    {"httpGet", "{'port': 4294967376}", NULL, "no port", false},
    {"httpGet", "{'port': -1}", NULL, "no port", false},
    {"httpGet", "{'port': '-1'}", NULL, "no port", false},
    {"httpGet", "{'port': '1 '}", NULL, "no port", false},
    {"httpGet", "{}", NULL, "no port", false},
    {"httpGet", "{'port': 1, 'host': 'a b'}", NULL, "neither a name", false},
    {"httpGet", "{'port': 1, 'host': 'a\\r\\nX: y'}", NULL, "neither a name", false},
    {"httpGet", "{'port': 1, 'host': 'user@host'}", NULL, "neither a name", false},
    {"httpGet", "{'port': 1, 'scheme': 'ftp'}", NULL, "scheme", false},
    {"httpGet", "{'port': 1, 'httpHeaders': [{'name': 'a b', 'value': 'x'}]}", NULL,
     "httpHeaders[0]", false},
    {"httpGet", "{'port': 1, 'httpHeaders': [{'name': 'a', 'value': 'x\\r\\ny: z'}]}", NULL,
     "httpHeaders[0]", false},
    {"httpGet", "{'port': 1, 'httpHeaders': [{'name': '', 'value': 'x'}]}", NULL, "httpHeaders[0]",
     false},
    {"httpGet", "{'port': 1, 'httpHeaders': ['x']}", NULL, "httpHeaders[0]", false},
    {"httpPost", "{'port': 1, 'body': '{{ range .Name }}'}", NULL, "not understood", false},
};

START_TEST(requests)
    {
        AUTO(json) json_t *action = json_row(rows[_i].action), *data = json_row("{'Name': 's-1'}");
        AUTO(hook_request) struct hook_request request = {0};
        AUTO(text) struct text bytes = {0};
        struct error err = {.message = ""};
        bool good = hook_request_make(&request, rows[_i].kind, action, data, &err);

        if (!rows[_i].address) {
            ck_assert(!good);
            ck_assert_msg(strstr(err.message, rows[_i].bytes), "%s", err.message);
            return;
        }
        ck_assert_msg(good, "%s", err.message);
        ck_assert_str_eq(request.address, rows[_i].address);
        ck_assert_int_eq(request.tls, rows[_i].tls);
        ck_assert_int_eq(request.path != NULL, rows[_i].bytes != NULL);
        if (!rows[_i].bytes)
            return;
        hook_request_write(&request, &bytes);
        ck_assert_str_eq(text_get(&bytes), rows[_i].bytes);
    }
END_TEST

static const struct {
    int status;
    const char *location;
    const char *path; /* NULL: not followed */
    bool post;        /* of a POST: it stays one */
} follow_rows[] = {
    {301, "/b?c=d", "/b?c=d", false},
    {302, "http://localhost:80/b", "/b", false},
    {303, "HTTP://LOCALHOST:80", "/", false},
    {307, "/b c", "/b%20c", true},
    {308, "/", "/", true},
    {200, "/b", NULL, false},
    {304, "/b", NULL, false},
    {302, "", NULL, false},
    {302, "b", NULL, false},
    {302, "//other/b", NULL, false},
    {302, "http://localhost:80//other/b", NULL, false},
    {302, "http://localhost:8080/b", NULL, false},
    {302, "http://localhost:80.evil/b", NULL, false},
    {302, "http://localhost:80@evil/b", NULL, false},
    {302, "https://localhost:80/b", NULL, false},
    {302, "http://169.254.169.254/b", NULL, false},
};

START_TEST(redirects)
    {
        AUTO(json) json_t *action = json_row("{'port': 80, 'path': '/a', 'body': 'x'}");
        AUTO(hook_request) struct hook_request request = {0};
        struct error err = {.message = ""};

        ck_assert(hook_request_make(&request, "httpPost", action, NULL, &err));
        ck_assert_int_eq(hook_request_follow(&request, follow_rows[_i].status,
                                             span_of(follow_rows[_i].location)),
                         follow_rows[_i].path != NULL);
        ck_assert_str_eq(request.path, follow_rows[_i].path ? follow_rows[_i].path : "/a");
        ck_assert_int_eq(request.post, follow_rows[_i].path ? follow_rows[_i].post : true);
    }
END_TEST

SUITE(agent_hook_request)
{
    suite_rows(tests, requests, rows);
    suite_rows(tests, redirects, follow_rows);
}
