#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "kube/review.h"
#include "tests/unit/json.h"
#include "tests/unit/kube/fake.h"
#include "tests/unit/suite.h"

/* Who somebody is, and what somebody may do. Answers as a real server gives them. */

#define SECRET "S3CR3T-5f0c"
#define STATUS(inside)                                                                             \
    "{'apiVersion':'authentication.k8s.io/v1','kind':'TokenReview','status':{" inside "}}"
#define USER(name, extra)                                                                          \
    "'user':{'username':'" name "','uid':'u','groups':['g'],'extra':{" extra "}}"
#define POD                                                                                        \
    "'authentication.kubernetes.io/pod-name':['web-0'],'authentication.kubernetes.io/pod-uid':["   \
    "'p-1'],'authentication.kubernetes.io/node-name':['n-1']"
#define GOOD "'authenticated':true,'audiences':['granary'],"

static const struct {
    const char *answer;
    const char *who; /* "space account pod uid node", or the refusal */
} token_rows[] = {
    {STATUS(GOOD USER("system:serviceaccount:shop:web", POD)), "shop web web-0 p-1 n-1"},
    {STATUS(GOOD USER("system:serviceaccount:shop:web", "")), "shop web - - -"},
    {STATUS("'authenticated':true,'audiences':['x','granary']," USER("alice", "")), "- - - - -"},
    /* a failure is an answer too */
    {STATUS(
         "'user':{},'error':'[invalid bearer token, service account token has been invalidated]'"),
     "!401 the token is refused: [invalid bearer token, service account token has been "
     "invalidated]"},
    {STATUS("'user':{}"), "!401 the token is refused: not authenticated"},
    {STATUS("'authenticated':'true'," USER("alice", "")),
     "!401 the token is refused: not authenticated"},
    {STATUS("'authenticated':false," USER("alice", "")),
     "!401 the token is refused: not authenticated"},
    /* for somebody else */
    {STATUS("'authenticated':true," USER("alice", "")),
     "!401 the token is refused: it is for others"},
    {STATUS("'authenticated':true,'audiences':['granary-x']," USER("alice", "")),
     "!401 the token is refused: it is for others"},
    {STATUS("'authenticated':true,'audiences':'granary'," USER("alice", "")),
     "!401 the token is refused: it is for others"},
    {STATUS(GOOD "'user':{}"), "!401 the token is refused: of nobody"},
    {STATUS(GOOD USER("a\\u0000b", "")), "!401 the token is refused: of nobody"},
    /* accounts that are none */
    {STATUS(GOOD USER("system:serviceaccount:shop", "")), "- - - - -"},
    {STATUS(GOOD USER("system:serviceaccount:shop:web:x", "")), "- - - - -"},
    {STATUS(GOOD USER("system:serviceaccount:a\\u0000b:web", "")),
     "!401 the token is refused: of nobody"},
    {STATUS(GOOD USER("system:serviceaccount::web", "")), "- web - - -"},
    {STATUS(GOOD USER("alice", "'authentication.kubernetes.io/pod-uid':['a','b']")), "- - - - -"},
    {STATUS(GOOD USER("alice", "'authentication.kubernetes.io/pod-uid':'a'")), "- - - - -"},
    {STATUS(GOOD USER("alice", "'authentication.kubernetes.io/pod-uid':['']")), "- - - - -"},
    {"{}", "!401 the token is refused: not authenticated"},
};

static const char *or_none(const char *text)
{
    return text ? text : "-";
}

START_TEST(tokens)
    {
        AUTO(json) json_t *answer = json_row(token_rows[_i].answer);
        AUTO(kube_identity) struct kube_identity who = {0};
        AUTO(text) struct text text = {0};
        struct error err = {0};

        if (token_review_read(answer, "granary", &who, &err))
            text_addf(&text, "%s %s %s %s %s", or_none(who.space), or_none(who.account),
                      or_none(who.pod), or_none(who.pod_uid), or_none(who.node));
        else
            text_addf(&text, "!%d %s", (int)err.code, err.message);
        ck_assert_str_eq(text_get(&text), token_rows[_i].who);
    }
END_TEST

struct desk {
    int status;
    const char *answer;
    struct text told;
};

static bool serve(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct desk *desk = context;
    AUTO(json) json_t *answer = json_row(desk->answer);
    AUTO(free) char *body = tree_format(answer, NULL);

    text_addf(&desk->told, "%s %s %.*s", request->method, request->path, (int)request->body.length,
              request->body.data);
    return fake_answer(peer, desk->status, NULL, body);
}

static struct kube_client *client_of(struct fake *fake)
{
    struct kube_config config = {.server = (char *)fake_url(fake)};
    struct error err = {0};
    struct kube_client *client = kube_client_start(&config, NULL, &err);

    ck_assert_msg(client != NULL, "%s", err.message);
    return client;
}

static const struct {
    struct span token;
    int status;
    const char *answer;
    enum error_code code;
    bool asked;
} ask_rows[] = {
    {{SECRET, sizeof SECRET - 1}, 201, STATUS(GOOD USER("alice", "")), ERROR_NONE, true},
    {{SECRET, sizeof SECRET - 1}, 201, STATUS("'user':{}"), ERROR_UNAUTHORIZED, true},
    /* our own trouble is not the token's */
    {{SECRET, sizeof SECRET - 1}, 401, "{'kind':'Status'}", ERROR_UNAVAILABLE, true},
    {{SECRET, sizeof SECRET - 1}, 403, "{'kind':'Status'}", ERROR_FORBIDDEN, true},
    {{SECRET, sizeof SECRET - 1}, 500, "{'kind':'Status'}", ERROR_INTERNAL, true},
    {{SECRET, sizeof SECRET - 1}, 201, "{'kind':'Other'}", ERROR_INTERNAL, true},
    /* nothing that could be one */
    {{"", 0}, 201, "{}", ERROR_UNAUTHORIZED, false},
    {{NULL, 0}, 201, "{}", ERROR_UNAUTHORIZED, false},
    {{SECRET "\0x", sizeof SECRET + 1}, 201, "{}", ERROR_UNAUTHORIZED, false},
    {{SECRET "\r\n", sizeof SECRET + 1}, 201, "{}", ERROR_UNAUTHORIZED, false},
    {{SECRET "\xff", sizeof SECRET}, 201, "{}", ERROR_UNAUTHORIZED, false},
};

START_TEST(tokens_are_asked_about)
    {
        struct desk desk = {ask_rows[_i].status, ask_rows[_i].answer, {0}};
        struct fake *fake = fake_start(NULL, serve, &desk);
        struct kube_client *client = client_of(fake);
        AUTO(kube_identity) struct kube_identity who = {0};
        struct error err = {0};
        bool good = kube_token_review(client, ask_rows[_i].token, "granary", &who, &err);

        kube_client_stop(client);
        fake_stop(fake);
        ck_assert_msg(good == (ask_rows[_i].code == ERROR_NONE), "%s", err.message);
        ck_assert_int_eq(err.code, ask_rows[_i].code);
        ck_assert_ptr_null(strstr(err.message, SECRET));
        ck_assert_str_eq(
            text_get(&desk.told),
            ask_rows[_i].asked
                ? "POST /apis/authentication.k8s.io/v1/tokenreviews "
                  "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
                  "\"metadata\":{},\"spec\":{\"token\":\"" SECRET "\",\"audiences\":[\"granary\"]}}"
                : "");
        text_done(&desk.told);
    }
END_TEST

START_TEST(a_long_token_is_not_sent)
    {
        struct desk desk = {201, "{}", {0}};
        struct fake *fake = fake_start(NULL, serve, &desk);
        struct kube_client *client = client_of(fake);
        AUTO(kube_identity) struct kube_identity who = {0};
        AUTO(text) struct text token = {0};
        struct error err = {0};

        while (token.length <= KUBE_TOKEN_MAX_BYTES)
            text_putc(&token, 'x');
        ck_assert(!kube_token_review(client, (struct span){token.data, token.length}, "granary",
                                     &who, &err));
        ck_assert_int_eq(fake_requests(fake), 0);
        kube_client_stop(client);
        fake_stop(fake);
    }
END_TEST

#define MAY(inside)                                                                                \
    "{'apiVersion':'authorization.k8s.io/v1','kind':'SubjectAccessReview','status':{" inside "}}"
#define ALICE "{'username':'alice','uid':'u','groups':['g','h'],'extra':{'x':['y']}}"

static const struct {
    const char *user;
    int status;
    const char *answer;
    enum error_code code;
    const char *message;
} may_rows[] = {
    {ALICE, 201, MAY("'allowed':true"), ERROR_NONE, ""},
    {ALICE, 201, MAY("'allowed':false"), ERROR_FORBIDDEN, "alice may not use repositories in shop"},
    {ALICE, 201, MAY("'allowed':true,'denied':true"), ERROR_FORBIDDEN, NULL},
    {ALICE, 201, MAY("'allowed':'true'"), ERROR_FORBIDDEN, NULL},
    {ALICE, 201, MAY(""), ERROR_FORBIDDEN, NULL},
    /* no answer is no permission, and says so */
    {ALICE, 500, "{'kind':'Status'}", ERROR_INTERNAL, NULL},
    {ALICE, 403, "{'kind':'Status'}", ERROR_UNAVAILABLE, NULL},
    {ALICE, 201, "{'status':{'allowed':true}}", ERROR_INTERNAL, NULL},
    {"{'groups':['system:masters']}", 201, MAY("'allowed':true"), ERROR_FORBIDDEN,
     "nobody may use repositories"},
    {"{'username':''}", 201, MAY("'allowed':true"), ERROR_FORBIDDEN, NULL},
    {"null", 201, MAY("'allowed':true"), ERROR_FORBIDDEN, NULL},
};

START_TEST(rights_are_asked_for)
    {
        static const struct kube_wish wish = {.verb = "use",
                                              .group = "stash.appscode.com",
                                              .resource = "repositories",
                                              .space = "shop",
                                              .name = "r"};
        struct desk desk = {may_rows[_i].status, may_rows[_i].answer, {0}};
        struct fake *fake = fake_start(NULL, serve, &desk);
        struct kube_client *client = client_of(fake);
        AUTO(json) json_t *user = json_row(may_rows[_i].user);
        struct error err = {0};
        bool good = kube_may(client, user, &wish, &err);

        kube_client_stop(client);
        fake_stop(fake);
        ck_assert_msg(good == (may_rows[_i].code == ERROR_NONE), "%s", err.message);
        ck_assert_int_eq(err.code, may_rows[_i].code);
        if (may_rows[_i].message)
            ck_assert_str_eq(err.message, may_rows[_i].message);
        if (good)
            ck_assert_str_eq(text_get(&desk.told),
                             "POST /apis/authorization.k8s.io/v1/subjectaccessreviews "
                             "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
                             "\"SubjectAccessReview\",\"metadata\":{},\"spec\":{"
                             "\"resourceAttributes\":{\"verb\":\"use\",\"group\":"
                             "\"stash.appscode.com\",\"resource\":\"repositories\",\"namespace\":"
                             "\"shop\",\"name\":\"r\"},\"user\":\"alice\",\"uid\":\"u\",\"groups\":"
                             "[\"g\",\"h\"],\"extra\":{\"x\":[\"y\"]}}}");
        text_done(&desk.told);
    }
END_TEST

SUITE(kube_review)
{
    suite_rows(tests, tokens, token_rows);
    suite_rows(tests, tokens_are_asked_about, ask_rows);
    tcase_add_test(tests, a_long_token_is_not_sent);
    suite_rows(tests, rights_are_asked_for, may_rows);
}
