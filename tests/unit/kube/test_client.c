#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "kube/client.h"
#include "tests/unit/kube/fake.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

/* The client over real sockets, against what servers do wrong. */

#define SECRET "S3CR3T-5f0c"
#define LONG_S 4102444800

static struct pem_pair pair_of(const char *name, int64_t from_s, int64_t to_s)
{
    struct pem_pair pair;
    struct pem_wish wish = {.from_s = from_s, .to_s = to_s, .name = name, .authority = true};

    pem_make(&pair, &wish);
    return pair;
}

static struct pem_pair good_pair(void)
{
    return pair_of("localhost", 1, LONG_S);
}

/* A client of a fake that has this certificate. */
static struct kube_client *client_of(struct fake *fake, const char *ca, const char *token)
{
    struct kube_config config = {
        .server = (char *)fake_url(fake),
        .ca = {.data = (char *)ca, .length = ca ? strlen(ca) : 0},
        .token = (char *)token,
    };
    struct kube_client_limits limits = {.rate = 1e6, .burst = 1e6, .second_ms = 1};
    struct error err = {0};
    struct kube_client *client = kube_client_start(&config, &limits, &err);

    ck_assert_msg(client != NULL, "%s", err.message);
    return client;
}

static void auto_client(struct kube_client **client)
{
    kube_client_stop(*client);
}

static const struct kube_request get = {.method = "GET", .path = "/api/v1/pods?limit=1"};

/* Asks as many times as a row says, the last answer counts. */
static bool ask(struct kube_client *client, struct kube_answer *answer, struct error *err)
{
    struct kube_request request = get;

    request.timeout_ms = 20000;
    return kube_call(client, &request, answer, err);
}

static bool says_hello(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    (void)request;
    (void)context;
    return fake_answer(peer, 200,
                       "Content-Type: application/json\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
                       "{\"kind\": \"PodList\", \"hello\": 1}");
}

/* The outcome of a call that may be held back. */
static enum error_code call_of(struct kube_client *client, const char *method)
{
    struct kube_request request = {.method = method, .path = "/api/v1/pods", .timeout_ms = 20000};
    AUTO(kube_answer) struct kube_answer answer = {0};
    struct error err = {0};

    return kube_call(client, &request, &answer, &err) ? ERROR_NONE : err.code;
}

/* B4: the second write would have to wait for a thousand seconds. */
START_TEST(reads_are_counted_apart)
    {
        struct pem_pair pair = good_pair();
        AUTO(fake) struct fake *fake = fake_start(&pair, says_hello, NULL);
        struct kube_config config = {
            .server = (char *)fake_url(fake),
            .ca = {.data = (char *)pair.cert, .length = strlen(pair.cert)},
        };
        struct kube_client_limits limits = {.rate = 0.001, .burst = 1, .reads = 1e6};
        struct error err = {0};
        AUTO(client) struct kube_client *client = kube_client_start(&config, &limits, &err);

        ck_assert_msg(client != NULL, "%s", err.message);
        ck_assert_int_eq(call_of(client, "POST"), ERROR_NONE);
        ck_assert_int_eq(call_of(client, "POST"), ERROR_TIMEOUT);
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(call_of(client, "GET"), ERROR_NONE);
        kube_client_pace(client, 1e6);
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(call_of(client, "POST"), ERROR_NONE);
    }
END_TEST

START_TEST(an_answer_comes_over_tls)
    {
        struct pem_pair pair = good_pair();
        AUTO(fake) struct fake *fake = fake_start(&pair, says_hello, NULL);
        AUTO(client) struct kube_client *client = client_of(fake, pair.cert, SECRET);
        AUTO(kube_answer) struct kube_answer answer = {0};
        struct error err = {0};

        ck_assert_msg(ask(client, &answer, &err), "%s", err.message);
        ck_assert_int_eq(answer.status, 200);
        ck_assert_int_eq(answer.date_s, 784111777);
        ck_assert_int_lt(kube_client_look(client).ahead_s, -10 * 365 * 86400);
        ck_assert_int_eq(json_integer_value(json_object_get(answer.json, "hello")), 1);

        /* one connection for one call after the other */
        for (int i = 0; i < 5; i++) {
            kube_answer_done(&answer);
            ck_assert_msg(ask(client, &answer, &err), "%s", err.message);
        }
        ck_assert_int_eq(fake_connections(fake), 1);
    }
END_TEST

/* Streams. */

static bool says_three_pieces(struct fake_peer *peer, const struct fake_request *request,
                              void *context)
{
    (void)request;
    (void)context;
    fake_puts(peer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n4\r\n{}{}\r\n");
    fake_puts(peer, "3\r\n{ }\r\n");
    fake_puts(peer, "0\r\n\r\n");
    return true;
}

START_TEST(a_stream_comes_to_its_end)
    {
        struct pem_pair pair = good_pair();
        AUTO(fake) struct fake *fake = fake_start(&pair, says_three_pieces, NULL);
        AUTO(client) struct kube_client *client = client_of(fake, pair.cert, NULL);
        AUTO(kube_answer) struct kube_answer answer = {0};
        AUTO(text) struct text text = {0};
        struct error err = {0};
        AUTO(kube_stream)
        struct kube_stream *stream = kube_stream_open(client, &get, &answer, &err);
        enum kube_read led_to;

        ck_assert_msg(stream != NULL, "%s", err.message);
        while ((led_to = kube_stream_read(stream, &text, 20000, &err)) == KUBE_DATA)
            ;
        ck_assert_int_eq(led_to, KUBE_END);
        ck_assert_str_eq(text_get(&text), "{}{}{ }");
    }
END_TEST

SUITE(kube_client)
{
    tcase_add_test(tests, an_answer_comes_over_tls);
    tcase_add_test(tests, reads_are_counted_apart);
    tcase_add_test(tests, a_stream_comes_to_its_end);
}
