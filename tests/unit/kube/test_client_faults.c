#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "kube/client.h"
#include "tests/unit/kube/fake.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

/* What servers, networks and files do wrong to a client. */

#define SECRET "S3CR3T-5f0c"
#define LONG_S 4102444800
#define OLD_TOKEN SECRET "-old"
#define NEW_TOKEN SECRET "-new"

static struct pem_pair pair_of(const char *name, int64_t from_s, int64_t to_s)
{
    struct pem_pair pair;
    struct pem_wish wish = {.from_s = from_s, .to_s = to_s, .name = name, .authority = true};

    pem_make(&pair, &wish);
    return pair;
}

static struct kube_client *client_of(const struct kube_config *config, int64_t look_ms)
{
    struct kube_client_limits limits = {
        .rate = 1e6, .burst = 1e6, .second_ms = 1, .look_ms = look_ms};
    struct error err = {0};
    struct kube_client *client = kube_client_start(config, &limits, &err);

    ck_assert_msg(client != NULL, "%s", err.message);
    return client;
}

static void auto_client(struct kube_client **client)
{
    kube_client_stop(*client);
}

static bool ask(struct kube_client *client, const char *method, int64_t timeout_ms,
                struct error *err)
{
    struct kube_request request = {.method = method,
                                   .path = "/api/v1/pods?limit=1",
                                   .timeout_ms = timeout_ms,
                                   .answer_max = 100000};
    AUTO(kube_answer) struct kube_answer answer = {0};

    *err = (struct error){0};
    return kube_call(client, &request, &answer, err);
}

/* What a server does, by name. */

static bool good(struct fake_peer *peer)
{
    return fake_answer(peer, 200, NULL, "{}");
}

/* Piece after piece, until the other end has enough. */
static bool drip(struct fake_peer *peer, const char *head, const char *piece, int pause_ms)
{
    fake_puts(peer, head);
    while (fake_puts(peer, piece))
        if (pause_ms)
            fake_pause(peer, pause_ms);
    return false;
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define KILO                                                                                       \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"  \
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

struct act {
    const char *name;
    int status; /* of a plain answer; 0: `head` and what follows */
    const char *headers, *body;
    const char *head, *piece;
    int pause_ms;
    int times; /* so often, then good; 0: always */
    const char *method;
    int64_t timeout_ms;
    enum error_code code; /* ERROR_NONE: good in the end */
    const char *message;  /* part of it */
    int requests;         /* 0: any */
};

static const struct act acts[] = {
    /* AF2: no answer, half a head, a body by drops */
    {.name = "silence", .head = "", .timeout_ms = 100, .code = ERROR_TIMEOUT, .message = "in time"},
    {.name = "half a head", .head = "HTTP/1.1 20", .timeout_ms = 100, .code = ERROR_TIMEOUT},
    {.name = "drops",
     .head = HEAD "Content-Length: 100000\r\n\r\n",
     .piece = " ",
     .pause_ms = 10,
     .timeout_ms = 100,
     .code = ERROR_TIMEOUT},
    /* AF3, B2: as the server asks, for every method */
    {.name = "429", .status = 429, .headers = "Retry-After: 1\r\n", .times = 2, .requests = 3},
    {.name = "429 to a write",
     .status = 429,
     .headers = "Retry-After: 1\r\n",
     .times = 2,
     .method = "POST",
     .requests = 3},
    {.name = "503", .status = 503, .headers = "Retry-After: 32\r\n", .times = 1, .requests = 2},
    {.name = "429 for ever",
     .status = 429,
     .headers = "Retry-After: 1\r\n",
     .code = ERROR_TOO_MANY_REQUESTS,
     .requests = 11},
    /* a pause beyond the deadline is not waited for */
    {.name = "429 too long",
     .status = 429,
     .headers = "Retry-After: 60\r\n",
     .timeout_ms = 50,
     .code = ERROR_TOO_MANY_REQUESTS,
     .requests = 1},
    /* AF4: without a word when, the caller has its own backoff */
    {.name = "500", .status = 500, .code = ERROR_INTERNAL, .requests = 1},
    {.name = "502", .status = 502, .code = ERROR_UNAVAILABLE, .requests = 1},
    {.name = "504", .status = 504, .code = ERROR_TIMEOUT, .requests = 1},
    /* B3: reading is repeated after a broken connection, a write is not */
    {.name = "cut", .head = NULL, .times = 2, .requests = 3},
    {.name = "cut write", .times = 2, .method = "PUT", .code = ERROR_UNAVAILABLE, .requests = 1},
    /* CR3: 401 without another token to try */
    {.name = "401", .status = 401, .code = ERROR_UNAUTHORIZED, .requests = 1},
    /* AF16: not followed */
    {.name = "302",
     .status = 302,
     .headers = "Location: http://169.254.169.254/latest\r\n",
     .code = ERROR_BAD_REQUEST,
     .message = "redirects",
     .requests = 1},
    {.name = "307",
     .status = 307,
     .headers = "Location: /api/v1/secrets\r\n",
     .code = ERROR_BAD_REQUEST,
     .requests = 1},
    /* AF17: something else, or too much of it */
    {.name = "html",
     .status = 200,
     .headers = "Content-Type: text/html\r\n",
     .body = "<html>",
     .code = ERROR_INTERNAL,
     .message = "not JSON"},
    {.name = "html of a proxy",
     .status = 503,
     .headers = "Content-Type: text/html\r\n",
     .body = "<html>",
     .code = ERROR_UNAVAILABLE,
     .message = "HTTP 503, text/html"},
    {.name = "no object", .status = 200, .body = "[]", .code = ERROR_INTERNAL},
    {.name = "half", .status = 200, .body = "{\"a\":", .code = ERROR_INTERNAL},
    {.name = "gzip",
     .status = 200,
     .headers = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
     .body = "\x1f\x8b",
     .code = ERROR_INTERNAL,
     .message = "compressed"},
    {.name = "1 GiB",
     .head = HEAD "Content-Length: 1073741824\r\n\r\n",
     .piece = KILO,
     .code = ERROR_TOO_LARGE},
    {.name = "endless",
     .head = HEAD "Connection: close\r\n\r\n",
     .piece = KILO,
     .code = ERROR_TOO_LARGE},
    {.name = "endless failure",
     .head = "HTTP/1.1 500 No\r\nConnection: close\r\n\r\n",
     .piece = KILO,
     .code = ERROR_TOO_LARGE},
    {.name = "endless head",
     .head = "HTTP/1.1 200 OK\r\n",
     .piece = "X-" KILO ": " KILO "\r\n",
     .code = ERROR_TOO_LARGE},
    /* a server that repeats what it was told */
    {.name = "echo",
     .status = 403,
     .body = "{\"kind\":\"Status\",\"message\":\"token " SECRET " is refused\"}",
     .code = ERROR_FORBIDDEN,
     .message = "is refused"},
};

static bool play(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    const struct act *act = context;
    AUTO(text) struct text headers = {0};

    if (act->times && request->number > act->times)
        return good(peer);
    if (!act->status && !act->head)
        return false;
    if (act->head && act->piece)
        return drip(peer, act->head, act->piece, act->pause_ms);
    if (act->head) {
        fake_puts(peer, act->head);
        return fake_hang(peer);
    }
    text_puts(&headers, act->headers ? act->headers : "");
    if (!strstr(text_get(&headers), "Content-Type"))
        text_puts(&headers, "Content-Type: application/json\r\n");
    return fake_answer(peer, act->status, text_get(&headers), act->body ? act->body : "{}");
}

START_TEST(faults)
    {
        const struct act *act = &acts[_i];
        AUTO(fake) struct fake *fake = fake_start(NULL, play, (void *)act);
        struct kube_config config = {.server = (char *)fake_url(fake), .token = (char *)SECRET};
        AUTO(client) struct kube_client *client = client_of(&config, 0);
        struct error err;
        bool well = ask(client, act->method ? act->method : "GET", act->timeout_ms, &err);

        ck_assert_msg(well == (act->code == ERROR_NONE), "%s: %s", act->name, err.message);
        ck_assert_msg(err.code == act->code, "%s: %d %s", act->name, (int)err.code, err.message);
        ck_assert_msg(!act->message || strstr(err.message, act->message), "%s: %s", act->name,
                      err.message);
        ck_assert_msg(!strstr(err.message, SECRET), "%s: %s", act->name, err.message);
        if (act->requests)
            ck_assert_msg(fake_requests(fake) == act->requests, "%s: %d requests", act->name,
                          fake_requests(fake));
    }
END_TEST

/* After a connection that says nothing the next call has another one (AF2). */
static bool first_hangs(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    (void)context;
    return request->connection == 1 ? fake_hang(peer) : good(peer);
}

START_TEST(a_dead_connection_is_left)
    {
        AUTO(fake) struct fake *fake = fake_start(NULL, first_hangs, NULL);
        struct kube_config config = {.server = (char *)fake_url(fake)};
        AUTO(client) struct kube_client *client = client_of(&config, 0);
        struct error err;

        ck_assert(!ask(client, "GET", 50, &err));
        ck_assert_int_eq(err.code, ERROR_TIMEOUT);
        ck_assert_msg(ask(client, "GET", 0, &err), "%s", err.message);
    }
END_TEST

/* Tokens (AF13, CR2, CR3). */

struct guard {
    pthread_mutex_t mutex;
    const char *token;
};

static bool check_token(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct guard *guard = context;
    AUTO(free) char *shown = fake_header(request, "Authorization");

    pthread_mutex_lock(&guard->mutex);

    AUTO(free) char *wanted = text_format("Bearer %s", guard->token);

    pthread_mutex_unlock(&guard->mutex);
    return strcmp(shown, wanted) == 0 ? good(peer) : fake_answer(peer, 401, NULL, "{}");
}

static void expect(struct guard *guard, const char *token)
{
    pthread_mutex_lock(&guard->mutex);
    guard->token = token;
    pthread_mutex_unlock(&guard->mutex);
}

static const struct {
    const char *file; /* NULL: removed */
    const char *accepted;
    bool good;
    int requests; /* of the second call */
} token_rows[] = {
    /* rotated: the server refuses the old one, the file has the new one */
    {NEW_TOKEN, NEW_TOKEN, true, 2},
    {NEW_TOKEN "\n", NEW_TOKEN, true, 2},
    /* rotated, and the old one is still good */
    {NEW_TOKEN, OLD_TOKEN, true, 1},
    /* emptied, removed: the old one is all that there is */
    {"", OLD_TOKEN, true, 1},
    {"\n", OLD_TOKEN, true, 1},
    {NULL, OLD_TOKEN, true, 1},
    {"", NEW_TOKEN, false, 1},
    {NULL, NEW_TOKEN, false, 1},
    /* a fresh one that is refused too: no loop */
    {NEW_TOKEN, SECRET, false, 2},
    /* no header can be made of it */
    {NEW_TOKEN "\r\nX: y", OLD_TOKEN, true, 1},
};

START_TEST(a_token_is_rotated)
    {
        struct guard guard = {PTHREAD_MUTEX_INITIALIZER, OLD_TOKEN};
        AUTO(fake) struct fake *fake = fake_start(NULL, check_token, &guard);
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *path = folder_path(&folder, "token");
        struct kube_config config = {.server = (char *)fake_url(fake), .token_file = path};
        struct error err;

        folder_write(&folder, "token", OLD_TOKEN "\n");

        AUTO(client) struct kube_client *client = client_of(&config, 3600000);

        ck_assert_msg(ask(client, "GET", 0, &err), "%s", err.message);
        if (token_rows[_i].file)
            folder_write(&folder, "token", token_rows[_i].file);
        else
            folder_remove(&folder, "token");
        expect(&guard, token_rows[_i].accepted);
        ck_assert_msg(ask(client, "GET", 0, &err) == token_rows[_i].good, "%s", err.message);
        ck_assert_int_eq(fake_requests(fake), 1 + token_rows[_i].requests);
        if (!token_rows[_i].good)
            ck_assert_int_eq(err.code, ERROR_UNAUTHORIZED);
    }
END_TEST

/* When what was read is old enough it is read again, unasked. */
START_TEST(a_token_is_read_again)
    {
        struct guard guard = {PTHREAD_MUTEX_INITIALIZER, OLD_TOKEN};
        AUTO(fake) struct fake *fake = fake_start(NULL, check_token, &guard);
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *path = folder_path(&folder, "token");
        struct kube_config config = {.server = (char *)fake_url(fake), .token_file = path};
        struct error err;
        int calls = 0;

        folder_write(&folder, "token", OLD_TOKEN);

        AUTO(client) struct kube_client *client = client_of(&config, 1);

        ck_assert_msg(ask(client, "GET", 0, &err), "%s", err.message);
        folder_write(&folder, "token", NEW_TOKEN);
        expect(&guard, NEW_TOKEN);
        for (; calls < 100; calls++)
            ck_assert_msg(ask(client, "GET", 0, &err), "%s", err.message);
    }
END_TEST

/* Certificates (AF13, CR5). */

static bool closes(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    (void)request;
    (void)context;
    fake_answer(peer, 200, "Content-Type: application/json\r\nConnection: close\r\n", "{}");
    return false;
}

START_TEST(a_ca_is_rotated)
    {
        struct pem_pair first = pair_of("localhost", 1, LONG_S),
                        second = pair_of("localhost", 1, LONG_S);
        AUTO(fake) struct fake *fake = fake_start(&first, closes, NULL);
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *path = folder_path(&folder, "ca.crt");
        struct kube_config config = {.server = (char *)fake_url(fake), .ca = {.file = path}};
        struct error err;

        folder_write(&folder, "ca.crt", first.cert);

        AUTO(client) struct kube_client *client = client_of(&config, 3600000);

        ck_assert_msg(ask(client, "GET", 0, &err), "%s", err.message);
        /* what is no certificate keeps the old ones */
        folder_write(&folder, "ca.crt", "-----BEGIN CERTIFICATE-----\nno\n");
        ck_assert_msg(ask(client, "GET", 0, &err), "%s", err.message);
        fake_certificate(fake, &second);
        ck_assert(!ask(client, "GET", 0, &err));
        ck_assert_ptr_nonnull(strstr(err.message, "no CA of the configuration has signed it"));
        folder_write(&folder, "ca.crt", second.cert);
        ck_assert_msg(ask(client, "GET", 0, &err), "%s", err.message);
    }
END_TEST

static const struct {
    const char *name;
    int64_t from_s, to_s;
    bool own; /* its CA is ours */
    bool insecure;
    const char *message; /* NULL: fine */
} certificate_rows[] = {
    {"localhost", 1, LONG_S, true, false, NULL},
    {"localhost", 1, 2, true, false, "it has expired"},
    {"localhost", LONG_S - 1, LONG_S, true, false, "it is not valid yet"},
    {"elsewhere", 1, LONG_S, true, false, "it is for another name"},
    {"localhost", 1, LONG_S, false, false, "no CA of the configuration has signed it"},
    /* only when somebody says so */
    {"elsewhere", 1, 2, false, true, NULL},
};

START_TEST(certificates_are_verified)
    {
        struct pem_pair pair = pair_of(certificate_rows[_i].name, certificate_rows[_i].from_s,
                                       certificate_rows[_i].to_s),
                        other = pair_of("localhost", 1, LONG_S);
        struct guard guard = {PTHREAD_MUTEX_INITIALIZER, SECRET};
        AUTO(fake) struct fake *fake = fake_start(&pair, check_token, &guard);
        char *ca = certificate_rows[_i].own ? pair.cert : other.cert;
        struct kube_config config = {.server = (char *)fake_url(fake),
                                     .token = (char *)SECRET,
                                     .insecure = certificate_rows[_i].insecure,
                                     .ca = {.data = ca, .length = strlen(ca)}};
        AUTO(client) struct kube_client *client = client_of(&config, 0);
        struct error err;
        const char *message = certificate_rows[_i].message;

        ck_assert_msg(ask(client, "POST", 0, &err) == !message, "%s", err.message);
        ck_assert_msg(!message || strstr(err.message, message), "%s", err.message);
        /* CR8: no token before the certificate is good */
        ck_assert_int_eq(fake_requests(fake), message ? 0 : 1);
    }
END_TEST

/* A proxy is asked for a tunnel, and not shown the token (CR8). */
struct told {
    pthread_mutex_t mutex;
    struct text text;
};

static bool is_proxy(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct told *told = context;

    pthread_mutex_lock(&told->mutex);
    text_addf(&told->text, "%s %s\n%s", request->method, request->path, request->headers);
    pthread_mutex_unlock(&told->mutex);
    return fake_answer(peer, 403, NULL, "{}");
}

START_TEST(a_proxy_sees_no_token)
    {
        struct told told = {PTHREAD_MUTEX_INITIALIZER, {0}};
        struct pem_pair pair = pair_of("localhost", 1, LONG_S);
        struct fake *proxy = fake_start(NULL, is_proxy, &told);
        struct kube_config config = {.server = (char *)"https://kubernetes.example:6443",
                                     .proxy = (char *)fake_url(proxy),
                                     .token = (char *)SECRET,
                                     .ca = {.data = pair.cert, .length = strlen(pair.cert)}};
        struct kube_client *client = client_of(&config, 0);
        struct error err;

        ck_assert(!ask(client, "POST", 0, &err));
        kube_client_stop(client);
        fake_stop(proxy);
        ck_assert_ptr_eq(strstr(text_get(&told.text), "CONNECT kubernetes.example:6443\n"),
                         text_get(&told.text));
        ck_assert_ptr_null(strstr(text_get(&told.text), SECRET));
        text_done(&told.text);
    }
END_TEST

/* Credential plugins. */

#define CREDENTIAL(status)                                                                         \
    "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","       \
    "\"status\":{" status "}}'\n"

static const struct {
    const char *script;
    bool good;
} exec_rows[] = {
    {CREDENTIAL("\"token\":\"" SECRET "\""), true},
    {CREDENTIAL("\"token\":\"" SECRET "\",\"expirationTimestamp\":\"2099-01-01T00:00:00Z\""), true},
    {"test -n \"$KUBERNETES_EXEC_INFO\" && test \"$MORE\" = more\n"
     "test $? = 0 || exit 1\n" CREDENTIAL("\"token\":\"" SECRET "\""),
     true},
    {CREDENTIAL("\"token\":\"" SECRET "\"") "exit 1\n", false},
    {CREDENTIAL("\"token\":\"\""), false},
    {CREDENTIAL(""), false},
    {CREDENTIAL("\"token\":7"), false},
    {"echo '{\"apiVersion\":\"v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"" SECRET
     "\"}}'\n",
     false},
    {"echo " SECRET "\n", false},
    {"kill -9 $$\n", false},
    {"exit 0\n", false},
    {"while echo " SECRET "; do :; done\n", false},
};

START_TEST(a_plugin_gives_a_token)
    {
        struct guard guard = {PTHREAD_MUTEX_INITIALIZER, SECRET};
        AUTO(fake) struct fake *fake = fake_start(NULL, check_token, &guard);
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *path = folder_path(&folder, "plugin");
        char *arguments[] = {(char *)"/bin/sh", path, NULL},
             *variables[] = {(char *)"MORE=more", NULL};
        struct kube_config config = {.server = (char *)fake_url(fake),
                                     .exec = {.command = (char *)"/bin/sh",
                                              .arguments = arguments,
                                              .variables = variables,
                                              .version = (char *)"client.authentication.k8s.io/v1",
                                              .interactive = KUBE_EXEC_NEVER}};
        struct error err;

        folder_write(&folder, "plugin", exec_rows[_i].script);

        AUTO(client) struct kube_client *client = client_of(&config, 0);

        ck_assert_msg(ask(client, "GET", 0, &err) == exec_rows[_i].good, "%s", err.message);
        ck_assert_msg(!strstr(err.message, SECRET), "%s", err.message);
        if (!exec_rows[_i].good)
            ck_assert_int_eq(err.code, ERROR_UNAUTHORIZED);
        ck_assert_int_eq(fake_requests(fake), exec_rows[_i].good);
    }
END_TEST

/* The end. */

struct stop {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int inside;
};

static bool counts(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct stop *stop = context;

    (void)request;
    pthread_mutex_lock(&stop->mutex);
    stop->inside++;
    pthread_cond_signal(&stop->changed);
    pthread_mutex_unlock(&stop->mutex);
    return fake_hang(peer);
}

static void *call(void *client)
{
    struct error err;

    ck_assert(!ask(client, "POST", 60000, &err));
    ck_assert_str_eq(err.message, "stopped");
    return NULL;
}

/* Eight calls at once, none of which waits for another; with TLS (row 1), and without. */
START_TEST(a_cancel_ends_all_calls)
    {
        struct stop stop = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
        struct pem_pair pair = pair_of("localhost", 1, LONG_S);
        AUTO(fake) struct fake *fake = fake_start(_i ? &pair : NULL, counts, &stop);
        struct kube_config config = {.server = (char *)fake_url(fake),
                                     .ca = {.data = pair.cert, .length = strlen(pair.cert)}};
        AUTO(client) struct kube_client *client = client_of(&config, 0);
        pthread_t threads[8];
        struct error err;

        for (size_t i = 0; i < 8; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, call, client), 0);
        pthread_mutex_lock(&stop.mutex);
        while (stop.inside < 8)
            pthread_cond_wait(&stop.changed, &stop.mutex);
        pthread_mutex_unlock(&stop.mutex);
        kube_client_cancel(client);
        for (size_t i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
        /* and nothing begins any more */
        ck_assert(!ask(client, "GET", 0, &err));
        ck_assert_str_eq(err.message, "stopped");
    }
END_TEST

SUITE(kube_client_faults)
{
    suite_rows(tests, faults, acts);
    tcase_add_test(tests, a_dead_connection_is_left);
    suite_rows(tests, a_token_is_rotated, token_rows);
    tcase_add_test(tests, a_token_is_read_again);
    tcase_add_test(tests, a_ca_is_rotated);
    suite_rows(tests, certificates_are_verified, certificate_rows);
    tcase_add_test(tests, a_proxy_sees_no_token);
    suite_rows(tests, a_plugin_gives_a_token, exec_rows);
    tcase_add_loop_test(tests, a_cancel_ends_all_calls, 0, 2);
    tcase_set_timeout(tests, 60);
}
