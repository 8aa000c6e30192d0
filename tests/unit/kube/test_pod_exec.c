#include "kube/pod_exec.h"

#include <pthread.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "kube/websocket.h"
#include "tests/unit/json.h"
#include "tests/unit/kube/fake.h"
#include "tests/unit/suite.h"

/* ---- the request ---- */

static const struct {
    const char *container, *command, *path; /* path NULL: refused */
} paths[] = {
    {"app", "['sync']",
     "/api/v1/namespaces/shop/pods/web-0/exec?stdout=true&stderr=true&container=app&command=sync"},
    {NULL, "['sh', '-c', 'a;b & c=$(d)', '', '\\u00fc']",
     "/api/v1/namespaces/shop/pods/web-0/exec?stdout=true&stderr=true&command=sh&command=-c&"
     "command=a%3Bb%20%26%20c%3D%24%28d%29&command=&command=%C3%BC"},
    {"a/../b?x", "['a']",
     "/api/v1/namespaces/shop/pods/web-0/exec?stdout=true&stderr=true&container=a%2F..%2Fb%3Fx&"
     "command=a"},
    {NULL, "[]", NULL},
    {NULL, "{}", NULL},
    {NULL, "['a', 1]", NULL},
    {NULL, "['a\\u0000b']", NULL},
};

START_TEST(requests)
    {
        AUTO(json) json_t *command = json_row(paths[_i].command);
        const struct pod_exec exec = {
            .space = "shop", .pod = "web-0", .container = paths[_i].container, .command = command};
        AUTO(text) struct text path = {0};
        struct error err;

        ck_assert_int_eq(pod_exec_path(&exec, &path, &err), paths[_i].path != NULL);
        ck_assert_str_eq(text_get(&path), paths[_i].path ? paths[_i].path : "");
    }
END_TEST

START_TEST(long_commands)
    {
        AUTO(json) json_t *command = json_array();
        const struct pod_exec exec = {.space = "shop", .pod = "web-0", .command = command};
        AUTO(text) struct text path = {0};
        struct error err;

        for (int i = 0; i < 10000; i++)
            json_array_append_new(command, json_string("1234567890"));
        ck_assert(!pod_exec_path(&exec, &path, &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
    }
END_TEST

/* ---- what comes ---- */

#define DONE "\x03{\"metadata\":{},\"status\":\"Success\"}"
#define EXIT(code)                                                                                 \
    "\x03{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{"        \
    "\"reason\":\"ExitCode\",\"message\":\"" code "\"}]}}"

static const struct {
    const char *messages[5];
    const char *output;
    bool ended, cut;
    int code;
    const char *error; /* NULL: success */
} ends[] = {
    {{"\x01", "\x01out", "\x02 err", DONE}, "out err", true, false, 0, NULL},
    {{DONE, EXIT("1")}, "", true, false, 0, NULL},
    {{"\x01"
      "0123456789",
      "\x02more", DONE},
     "01234567",
     true,
     true,
     0,
     NULL},
    {{EXIT("7")}, "", true, false, 7, "exit status 7"},
    {{EXIT("137")}, "", true, false, 137, "exit status 137"},
    {{"\x03{\"status\":\"Failure\",\"reason\":\"InternalError\",\"message\":\"no sh\"}"},
     "",
     true,
     false,
     -1,
     "did not run"},
    {{EXIT("0")}, "", true, false, -1, "did not run"},
    {{EXIT("-1")}, "", true, false, -1, "did not run"},
    {{EXIT("9999")}, "", true, false, -1, "did not run"},
    {{EXIT("x")}, "", true, false, -1, "did not run"},
    /* nothing that tells an end */
    {{"\x01out"}, "out", false, false, 0, "before the command did"},
    {{"\x03"}, "", false, false, 0, "before the command did"},
    {{"\x03{\"status\":"}, "", false, false, 0, "before the command did"},
    {{"\x03[1]", "\x03{\"status\":1}"}, "", false, false, 0, "before the command did"},
    {{"\x01{\"status\":\"Success\"}"}, "{\"status\"", false, true, 0, "before the command did"},
    {{"", "\x04x", "\xff\x01"}, "", false, false, 0, "before the command did"},
};

START_TEST(results)
    {
        AUTO(pod_exec_result) struct pod_exec_result result = {0};
        struct error err = {.message = ""};
        bool good;

        const struct pod_exec exec = {.output_max = ends[_i].cut && !ends[_i].ended ? 9 : 8};

        for (size_t i = 0; i < 5 && ends[_i].messages[i]; i++)
            ck_assert(pod_exec_take(&exec, &result, span_of(ends[_i].messages[i])));
        good = pod_exec_judge(&result, &err);
        ck_assert_str_eq(text_get(&result.output), ends[_i].output);
        ck_assert_int_eq(result.ended, ends[_i].ended);
        ck_assert_int_eq(result.cut, ends[_i].cut);
        ck_assert_int_eq(result.code, ends[_i].code);
        ck_assert_int_eq(good, ends[_i].error == NULL);
        if (!good)
            ck_assert_msg(strstr(err.message, ends[_i].error), "%s", err.message);
    }
END_TEST

/* ---- the connection, against a server that does what a row says ---- */

struct act {
    const char *bytes; /* behind the upgrade */
    size_t length;
    const char *answer; /* in place of it */
    bool hang;          /* the connection stays open */
    const char *protocol;
    /* what is wanted */
    enum error_code code; /* ERROR_NONE: success */
    bool sent, ended;
    const char *output;
};

#define BYTES(text) text, sizeof(text) - 1
#define V5 "v5.channel.k8s.io"

static const struct act acts[] = {
    {BYTES("\x82\x01\x01\x82\x04\x01one\x82\x04\x02two\x82\x23\x03{\"metadata\":{},\"status\":"
           "\"Success\"}\x88\x02\x03\xe8"),
     NULL, true, V5, ERROR_NONE, true, true, "onetwo"},
    /* fragments and a ping, as no server sends today; v4 */
    {BYTES("\x02\x02\x01o\x89\x02hi\x80\x01k\x02\x01\x03\x80\x14{\"status\":\"Success\"}"), NULL,
     true, "v4.channel.k8s.io", ERROR_NONE, true, true, "ok"},
    {BYTES("\x82\x04\x01one\x88\x02\x03\xe8"), NULL, true, V5, ERROR_UNAVAILABLE, true, false,
     "one"},
    {BYTES("\x82\x04\x01one"), NULL, false, V5, ERROR_UNAVAILABLE, true, false, "one"},
    {BYTES("\x82\x04\x01one"), NULL, true, V5, ERROR_TIMEOUT, true, false, "one"},
    {BYTES("\x82\x84\x01one"), NULL, true, V5, ERROR_BAD_REQUEST, true, false, ""},
    {BYTES("\x82\x04\x01one"), NULL, true, NULL, ERROR_UNAVAILABLE, true, false, ""},
    {BYTES(""),
     "HTTP/1.1 403 Forbidden\r\nContent-Length: 60\r\n\r\n"
     "{\"status\":\"Failure\",\"message\":\"cannot get resource pods/exec\"}",
     false, NULL, ERROR_FORBIDDEN, false, false, ""},
    {BYTES(""), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false, NULL, ERROR_NOT_FOUND,
     false, false, ""},
    {BYTES(""), "HTTP/1.1 400 Bad Request\r\n\r\nno json", false, NULL, ERROR_BAD_REQUEST, false,
     false, ""},
    {BYTES(""), "HTTP/1.1 500 Oh\r\n\r\n", false, NULL, ERROR_INTERNAL, true, false, ""},
    {BYTES(""), "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", false, NULL,
     ERROR_UNAVAILABLE, false, false, ""},
    {BYTES(""), "hello\r\n\r\n", false, NULL, ERROR_BAD_REQUEST, true, false, ""},
    {BYTES(""), "HTTP/1.1 101", false, NULL, ERROR_UNAVAILABLE, true, false, ""},
};

static bool serve(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    const struct act *act = context;
    AUTO(free) char *key = fake_header(request, "Sec-WebSocket-Key");
    AUTO(free) char *token = fake_header(request, "Authorization");
    char accept[WEBSOCKET_ACCEPT_BYTES];

    if (strcmp(token, "Bearer t0k3n") != 0 ||
        strcmp(request->path, "/api/v1/namespaces/shop/pods/web-0/exec?stdout=true&stderr=true"
                              "&container=app&command=sync") != 0)
        return fake_answer(peer, 418, NULL, "{}");
    if (act->answer) {
        fake_puts(peer, act->answer);
        return false;
    }
    websocket_accept(key, accept);

    AUTO(free)
    char *head = text_format("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
                             accept, act->protocol ? "Sec-WebSocket-Protocol: " : "",
                             act->protocol ? act->protocol : "", act->protocol ? "\r\n" : "");

    fake_puts(peer, head);
    fake_send(peer, act->bytes, act->length);
    return act->hang ? fake_hang(peer) : false;
}

static struct kube_client *client_of(struct fake *fake, const struct pem_pair *pair)
{
    char server[64], token[] = "t0k3n";
    struct kube_config config = {.server = server, .token = token};
    struct error err = {0};

    snprintf(server, sizeof server, "%s", fake_url(fake));
    config.ca = (struct kube_pem){.data = (char *)pair->cert, .length = strlen(pair->cert)};

    struct kube_client *client = kube_client_start(&config, NULL, &err);

    ck_assert_msg(client != NULL, "%s", err.message);
    return client;
}

static struct pem_pair pair_of(void)
{
    struct pem_pair pair;
    struct pem_wish wish = {
        .from_s = 0, .to_s = 4102444800, .name = "localhost", .authority = true};

    pem_make(&pair, &wish);
    return pair;
}

static bool run(struct kube_client *client, int64_t timeout_ms, struct pod_exec_result *result,
                struct error *err)
{
    AUTO(json) json_t *command = json_row("['sync']");
    const struct pod_exec exec = {.space = "shop",
                                  .pod = "web-0",
                                  .container = "app",
                                  .command = command,
                                  .cancel_fd = -1,
                                  .timeout_ms = timeout_ms,
                                  .output_max = 100};

    *err = (struct error){.message = ""};
    return kube_pod_exec(client, &exec, result, err);
}

START_TEST(connections)
    {
        const struct act *act = &acts[_i];
        struct pem_pair pair = pair_of();
        AUTO(fake) struct fake *fake = fake_start(&pair, serve, (void *)act);
        struct kube_client *client = client_of(fake, &pair);
        AUTO(pod_exec_result) struct pod_exec_result result = {0};
        struct error err;
        bool good = run(client, act->code == ERROR_TIMEOUT ? 300 : 20000, &result, &err);

        ck_assert_msg(good == (act->code == ERROR_NONE), "%d %s", err.code, err.message);
        if (!good)
            ck_assert_msg(err.code == act->code, "%d %s", err.code, err.message);
        ck_assert_int_eq(result.sent, act->sent);
        ck_assert_int_eq(result.ended, act->ended);
        ck_assert_str_eq(text_get(&result.output), act->output);
        ck_assert(!strstr(err.message, "t0k3n"));
        kube_client_stop(client);
    }
END_TEST

static void *cancel(void *client)
{
    struct timespec pause = {.tv_nsec = 100000000};

    nanosleep(&pause, NULL);
    kube_client_cancel(client);
    return NULL;
}

START_TEST(cancelled_in_the_middle)
    {
        static const struct act act = {BYTES("\x82\x04\x01one"), .hang = true, .protocol = V5};
        struct pem_pair pair = pair_of();
        AUTO(fake) struct fake *fake = fake_start(&pair, serve, (void *)&act);
        struct kube_client *client = client_of(fake, &pair);
        AUTO(pod_exec_result) struct pod_exec_result result = {0};
        struct error err;
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, cancel, client), 0);
        ck_assert(!run(client, 60000, &result, &err));
        ck_assert(strstr(err.message, KUBE_STOPPED) != NULL);
        pthread_join(thread, NULL);
        ck_assert(!run(client, 60000, &result, &err));
        kube_client_stop(client);
    }
END_TEST

START_TEST(certificates_are_looked_at)
    {
        struct pem_pair pair = pair_of(), other = pair_of();
        AUTO(fake) struct fake *fake = fake_start(&pair, serve, (void *)&acts[0]);
        struct kube_client *client = client_of(fake, &other);
        AUTO(pod_exec_result) struct pod_exec_result result = {0};
        struct error err;

        ck_assert(!run(client, 20000, &result, &err));
        ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
        ck_assert(!result.sent);
        ck_assert_int_eq(fake_requests(fake), 0);
        kube_client_stop(client);
    }
END_TEST

SUITE(kube_pod_exec)
{
    suite_rows(tests, requests, paths);
    tcase_add_test(tests, long_commands);
    suite_rows(tests, results, ends);
    suite_rows(tests, connections, acts);
    tcase_add_test(tests, cancelled_in_the_middle);
    tcase_add_test(tests, certificates_are_looked_at);
}
