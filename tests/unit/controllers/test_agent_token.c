#include "controllers/agent_token.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/base64.h"

#define NOW_S 1000

/* AG13: header lines, "Name: value\n" each; the token, or NULL when there is none to be found */
static const struct {
    const char *name[2], *value[2], *token;
} rows[] = {
    {{"Authorization"}, {"Bearer a.b-_.c9"}, "a.b-_.c9"},
    {{"authorization"}, {" bEARER \t x "}, "x"},
    {{"X", "Authorization"}, {"Bearer y", "Bearer x"}, "x"},
    {{NULL}, {NULL}, NULL},
    {{"Authorization"}, {""}, NULL},
    {{"Authorization"}, {"Bearer"}, NULL},
    {{"Authorization"}, {"Bearer "}, NULL},
    {{"Authorization"}, {"Bearerx"}, NULL},
    {{"Authorization"}, {"Basic x"}, NULL},
    {{"Authorization"}, {"Bearer a b"}, NULL},
    {{"Authorization"}, {"Bearer a,b"}, NULL},
    {{"Authorization"}, {"Bearer a\tb"}, NULL},
    {{"Authorization"}, {"Bearer \xe4"}, NULL},
    {{"Authorization", "authorization"}, {"Bearer x", "Bearer x"}, NULL},
    {{"Proxy-Authorization"}, {"Bearer x"}, NULL},
};

START_TEST(one_bearer_token_is_found)
    {
        struct head_line lines[2];
        struct head head = {.lines = lines};
        struct span token = span_of("untouched");
        struct error err = {.code = ERROR_NONE};

        for (; head.count < 2 && rows[_i].name[head.count]; head.count++)
            lines[head.count] = (struct head_line){span_of(rows[_i].name[head.count]),
                                                   span_of(rows[_i].value[head.count])};
        ck_assert_int_eq(agent_token_find(&head, &token, &err), rows[_i].token != NULL);
        ck_assert(span_is(token, rows[_i].token ? rows[_i].token : "untouched"));
        ck_assert_int_eq(err.code, rows[_i].token ? ERROR_NONE : ERROR_UNAUTHORIZED);
    }
END_TEST

#define BOUND                                                                                      \
    "\"kubernetes.io\":{\"namespace\":\"shop\",\"pod\":{\"name\":\"web-0\",\"uid\":\"p\"},"        \
    "\"serviceaccount\":{\"name\":\"web\",\"uid\":\"a\"}}"
#define FREE                                                                                       \
    "\"kubernetes.io\":{\"namespace\":\"shop\",\"serviceaccount\":{\"name\":\"web\",\"uid\":"      \
    "\"a\"}}"
#define AUD "\"aud\":[\"other\",\"granary\"]"

/* AG13 */
static const struct {
    const char *payload;
    int status;
} payload_rows[] = {
    {"{" AUD ",\"exp\":5000," BOUND "}", 0},
    {"{" AUD ",\"exp\":5000,\"x\":{\"y\":[1]}," BOUND "}", 0},
    {"{" AUD ",\"exp\":940," BOUND "}", 0}, /* clocks differ */
    {"{" AUD ",\"exp\":939," BOUND "}", 401},
    {"{" AUD ",\"exp\":-1," BOUND "}", 401},
    {"{" AUD ",\"exp\":5000.5," BOUND "}", 401},
    {"{" AUD "," BOUND "}", 401},
    {"{\"aud\":[\"granary2\"],\"exp\":5000," BOUND "}", 401},
    {"{\"aud\":[],\"exp\":5000," BOUND "}", 401},
    {"{\"aud\":\"granary\",\"exp\":5000," BOUND "}", 401},
    {"{\"exp\":5000," BOUND "}", 401},
    {"{" AUD ",\"exp\":5000}", 401},
    {"{" AUD ",\"exp\":5000," FREE "}", 403},
    {"{" AUD ",\"exp\":5000,\"kubernetes.io\":{\"namespace\":\"shop\",\"pod\":{\"name\":\"web-0\","
     "\"uid\":\"p\"}}}",
     401},
    {"{" AUD ",\"exp\":5000,\"kubernetes.io\":{\"namespace\":\"shop\",\"pod\":{\"name\":\"web-0\"},"
     "\"serviceaccount\":{\"name\":\"web\",\"uid\":\"a\"}}}",
     401},
    {"{" AUD ",\"exp\":5000," BOUND "," BOUND "}", 401},
    {"[]", 401},
    {"", 401},
    {"x", 401},
};

static char *token_of(const char *payload)
{
    AUTO(text) struct text text = {0};

    base64_encode(&text, span_of(payload));
    for (size_t i = 0; i < text.length; i++)
        text.data[i] = text.data[i] == '+' ? '-' : text.data[i] == '/' ? '_' : text.data[i];
    return text_format("h.%.*s.s", (int)strcspn(text_get(&text), "="), text_get(&text));
}

START_TEST(what_a_token_says_is_presumed)
    {
        AUTO(free) char *token = token_of(payload_rows[_i].payload);
        struct agent_presumed presumed = {0};
        struct error err = {.code = ERROR_NONE};
        bool good = agent_token_presume(span_of(token), "granary", NOW_S, &presumed, &err);

        ck_assert_int_eq(err.code, payload_rows[_i].status);
        ck_assert_int_eq(good, payload_rows[_i].status == 0);
        ck_assert_int_eq(presumed.payload != NULL, good);
        if (good) {
            ck_assert_str_eq(presumed.caller.space, "shop");
            ck_assert_str_eq(presumed.caller.pod, "web-0");
            ck_assert_str_eq(presumed.caller.pod_uid, "p");
            ck_assert_str_eq(presumed.caller.account, "web");
        }
        agent_presumed_done(&presumed);
    }
END_TEST

static const char *const shapes[] = {"",         ".",      "..",      "h..s",
                                     "h.e30",    "h.e30.", ".e30.s",  "h.e30.s.t",
                                     "h.e30=.s", "h.e3.s", "h.****.s"};

START_TEST(what_has_not_three_parts_is_none)
    {
        struct agent_presumed presumed = {0};
        struct error err;

        ck_assert(!agent_token_presume(span_of(shapes[_i]), "granary", NOW_S, &presumed, &err));
        ck_assert_int_eq(err.code, ERROR_UNAUTHORIZED);
        ck_assert_ptr_null(presumed.payload);
    }
END_TEST

SUITE(controllers_agent_token)
{
    suite_rows(tests, one_bearer_token_is_found, rows);
    suite_rows(tests, what_a_token_says_is_presumed, payload_rows);
    suite_rows(tests, what_has_not_three_parts_is_none, shapes);
}
