#include "webhook/review.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/tree.h"
#include "tests/unit/suite.h"

/* The text of a row, with double quotes in place of single ones; the caller frees it. */
static char *quoted(const char *row)
{
    char *text = text_dup(row, strlen(row));

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    return text;
}

#define ENVELOPE(request)                                                                          \
    "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','request':" request "}"
#define REQUEST(rest)                                                                              \
    ENVELOPE("{'uid':'u','kind':{'group':'apps','version':'v1','kind':'Deployment'},"              \
             "'namespace':'demo','name':'shop'," rest "}")
#define CREATE(object) REQUEST("'operation':'CREATE','object':" object)

/* ---- what is no review ---- */

static const struct {
    const char *body, *message; /* the message holds this */
} bad[] = {
    /* J7 */
    {"", ""},
    {"[]", "not an object"},
    {"7", "not an object"},
    {"{}", "AdmissionReview"},
    {CREATE("{}") "{}", ""},
    {CREATE("{}") "x", ""},
    /* J10 */
    {"{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1'}", "request"},
    {ENVELOPE("null"), "request"},
    {ENVELOPE("[]"), "request"},
    {ENVELOPE("{}"), "request.uid"},
    {ENVELOPE("{'uid':''}"), "request.uid"},
    {ENVELOPE("{'uid':7}"), "request.uid"},
    {ENVELOPE("{'uid':null}"), "request.uid"},
    /* J11 */
    {"{'kind':'Review','apiVersion':'admission.k8s.io/v1','request':{}}", "kind"},
    {"{'apiVersion':'admission.k8s.io/v1','request':{}}", "kind"},
    {"{'kind':'AdmissionReview','request':{}}", "apiVersion"},
    {"{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1alpha1'}", "apiVersion"},
    {"{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v2'}", "apiVersion"},
    {"{'kind':'AdmissionReview','apiVersion':'v1'}", "apiVersion"},
    {"{'kind':'AdmissionReview','apiVersion':7}", "apiVersion"},
    /* types of the request */
    {REQUEST("'operation':7"), "request.operation"},
    {REQUEST("'operation':'CREATE','object':{},'subResource':[]"), "request.subResource"},
    {ENVELOPE("{'uid':'u','kind':'Deployment'}"), "request.kind"},
    {ENVELOPE("{'uid':'u','namespace':[]}"), "request.namespace"},
    {ENVELOPE("{'uid':'u','name':{}}"), "request.name"},
    /* J15 */
    {REQUEST("'operation':'CREATE'"), "request.object"},
    {REQUEST("'operation':'CREATE','object':null"), "request.object"},
    {REQUEST("'operation':'UPDATE','object':null,'oldObject':{}"), "request.object"},
    {REQUEST("'operation':'UPDATE','object':null,'oldObject':null"), "request.object"},
    {REQUEST("'operation':'UPDATE','object':[],'oldObject':{}"), "request.object"},
    {REQUEST("'operation':'UPDATE','object':{},'oldObject':'x'"), "request.oldObject"},
    {REQUEST("'operation':'DELETE','object':7"), "request.object"},
    /* J16 */
    {CREATE("{'metadata':{'namespace':'other'}}"), "request.namespace"},
    /* J4: also when one of the two is escaped */
    {REQUEST("'operation':'CREATE','object':{},'object':{}"), ""},
    {CREATE("{'metadata':{'annotations':{'a':'1','\\u0061':'2'}}}"), ""},
    /* J6 */
    {CREATE("{'a':'\\ud800'}"), ""},
    {CREATE("{'a':'\xff'}"), ""},
};

START_TEST(no_review)
    {
        AUTO(free) char *body = quoted(bad[_i].body);
        AUTO(review) struct review review = {0};
        struct error err = {0};

        ck_assert_msg(!review_read(&review, span_of(body), &err), "%s is read", body);
        ck_assert_int_eq(err.code, ERROR_BAD_REQUEST);
        ck_assert_msg(strstr(err.message, bad[_i].message), "%s: %s", body, err.message);
        ck_assert_ptr_null(review.words);
    }
END_TEST

/* ---- what is one ---- */

static const struct {
    const char *body, *group, *kind, *space, *name, *user;
    enum operation operation;
    bool sub_resource, object, old;
} good[] = {
    {CREATE("{}"), "apps", "Deployment", "demo", "shop", "", OPERATION_CREATE, false, true, false},
    /* J12 */
    {REQUEST("'operation':'UPDATE','object':{},'oldObject':{}"), "apps", "Deployment", "demo",
     "shop", "", OPERATION_UPDATE, false, true, true},
    {REQUEST("'operation':'DELETE','object':null,'oldObject':{}"), "apps", "Deployment", "demo",
     "shop", "", OPERATION_DELETE, false, false, true},
    {REQUEST("'operation':'CONNECT','object':{}"), "apps", "Deployment", "demo", "shop", "",
     OPERATION_OTHER, false, true, false},
    {REQUEST("'operation':'create','object':{}"), "apps", "Deployment", "demo", "shop", "",
     OPERATION_OTHER, false, true, false},
    {REQUEST("'operation':'','object':{}"), "apps", "Deployment", "demo", "shop", "",
     OPERATION_OTHER, false, true, false},
    {ENVELOPE("{'uid':'u'}"), "", "", "", "", "", OPERATION_OTHER, false, false, false},
    /* J13: not even looked at */
    {REQUEST("'operation':'CREATE','object':{},'dryRun':'true'"), "apps", "Deployment", "demo",
     "shop", "", OPERATION_CREATE, false, true, false},
    /* J14: the object of a sub-resource may be missing (eviction) */
    {REQUEST("'operation':'CREATE','subResource':'eviction','object':null"), "apps", "Deployment",
     "demo", "shop", "", OPERATION_CREATE, true, false, false},
    {REQUEST("'operation':'CREATE','subResource':'','object':{}"), "apps", "Deployment", "demo",
     "shop", "", OPERATION_CREATE, false, true, false},
    /* J15: an update without the old object */
    {REQUEST("'operation':'UPDATE','object':{},'oldObject':null"), "apps", "Deployment", "demo",
     "shop", "", OPERATION_UPDATE, false, true, false},
    /* J16: request.namespace wins over none */
    {CREATE("{'metadata':{'namespace':''}}"), "apps", "Deployment", "demo", "shop", "",
     OPERATION_CREATE, false, true, false},
    {CREATE("{'metadata':{'namespace':'demo'}}"), "apps", "Deployment", "demo", "shop", "",
     OPERATION_CREATE, false, true, false},
    {CREATE("{'metadata':7}"), "apps", "Deployment", "demo", "shop", "", OPERATION_CREATE, false,
     true, false},
    /* J18 */
    {REQUEST("'operation':'CREATE','object':{},'userInfo':{'username':'jane','groups':['a','b'],"
             "'extra':{'':['x'],'a/b':[]}}"),
     "apps", "Deployment", "demo", "shop", "jane", OPERATION_CREATE, false, true, false},
    {REQUEST("'operation':'CREATE','object':{},'userInfo':[7]"), "apps", "Deployment", "demo",
     "shop", "", OPERATION_CREATE, false, true, false},
    {REQUEST("'operation':'CREATE','object':{},'userInfo':{'username':null}"), "apps", "Deployment",
     "demo", "shop", "", OPERATION_CREATE, false, true, false},
    /* J10: an answer that is there already */
    {"{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1beta1','response':"
     "{'allowed':false},'request':{'uid':'u','operation':'CREATE','object':{}}}",
     "", "", "", "", "", OPERATION_CREATE, false, true, false},
};

START_TEST(a_review)
    {
        AUTO(free) char *body = quoted(good[_i].body);
        AUTO(review) struct review review = {0};
        struct error err = {0};

        ck_assert_msg(review_read(&review, span_of(body), &err), "%s: %s", body, err.message);
        ck_assert_str_eq(review.group, good[_i].group);
        ck_assert_str_eq(review.kind, good[_i].kind);
        ck_assert_str_eq(review.space, good[_i].space);
        ck_assert_str_eq(review.name, good[_i].name);
        ck_assert_str_eq(review.user, good[_i].user);
        ck_assert_int_eq(review.operation, good[_i].operation);
        ck_assert_int_eq(review.sub_resource, good[_i].sub_resource);
        ck_assert_int_eq(review.object != SCAN_NONE, good[_i].object);
        ck_assert_int_eq(review.old != SCAN_NONE, good[_i].old);
    }
END_TEST

/* ---- the answer ---- */

static char *written(const char *body, const struct reply *reply)
{
    AUTO(review) struct review review = {0};
    AUTO(text) struct text out = {0};
    struct error err = {0};

    ck_assert_msg(review_read(&review, span_of(body), &err), "%s", err.message);
    reply_write(&out, &review, reply);
    return text_take(&out);
}

/* J10, J11: the uid byte for byte as it came, escapes and all; the version as asked. */
static const struct {
    const char *version, *uid;
} mirrored[] = {
    {"admission.k8s.io/v1", "0df28fbd-5f5f-11e8-bc74-36e6bb280816"},
    {"admission.k8s.io/v1beta1", "U"},
    {"admission.k8s.io/v1", "a\\\"b\\u0007\\u0000c\\n"},
    {"admission.k8s.io/v1", "\xc3\xa9\\ud83d\\ude00 \xe2\x80\xae"},
    {"admission.k8s.io/v1", "\\/\\u002F"},
};

START_TEST(mirrors)
    {
        AUTO(free)
        char *body = text_format("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"%s\",\"request\":"
                                 "{\"uid\":\"%s\"}}",
                                 mirrored[_i].version, mirrored[_i].uid);
        struct reply reply = {.allowed = true};
        AUTO(free) char *answer = written(body, &reply);
        AUTO(free)
        char *wanted = text_format("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"%s\","
                                   "\"response\":{\"uid\":\"%s\",\"allowed\":true}}",
                                   mirrored[_i].version, mirrored[_i].uid);

        ck_assert_str_eq(answer, wanted);
    }
END_TEST

START_TEST(mirrors_a_long_uid)
    {
        AUTO(text) struct text body = {0};
        struct reply reply = {.allowed = true};

        text_puts(&body, "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
                         "\"request\":{\"uid\":\"");
        for (size_t i = 0; i < 1 << 20; i++)
            text_putc(&body, 'u');
        text_puts(&body, "\"}}");

        AUTO(free) char *answer = written(text_get(&body), &reply);

        ck_assert_uint_gt(strlen(answer), 1 << 20);
        ck_assert_ptr_nonnull(strstr(answer, "uuu\",\"allowed\":true}}"));
    }
END_TEST

static const char plain_review[] = "{\"kind\":\"AdmissionReview\",\"apiVersion\":"
                                   "\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\"}}";

START_TEST(refuses)
    {
        AUTO(reply)
        struct reply reply = {.allowed = false, .code = 422, .details = json_object()};

        text_puts(&reply.message, "a \"b\"\n\x1b");
        reply.patch = json_pack("[{s:s, s:s}]", "op", "remove", "path", "/spec");
        reply_warn(&reply, "w");

        AUTO(free) char *answer = written(plain_review, &reply);

        /* no patch beside a refusal, no reason where none is given */
        ck_assert_str_eq(answer,
                         "{\"kind\":\"AdmissionReview\",\"apiVersion\":"
                         "\"admission.k8s.io/v1\",\"response\":{\"uid\":\"u\",\"allowed\":"
                         "false,\"status\":{\"status\":\"Failure\",\"code\":422,\"message\":"
                         "\"a \\\"b\\\"\\n\\u001b\",\"details\":{}},\"warnings\":[\"w\"]}}");
    }
END_TEST

START_TEST(patches)
    {
        AUTO(reply) struct reply reply = {.allowed = true, .patch = json_array()};
        AUTO(free) char *without = written(plain_review, &reply);

        /* neither an empty patch nor a type without one */
        ck_assert_ptr_null(strstr(without, "patch"));
        json_array_append_new(reply.patch, json_pack("{s:s, s:s}", "op", "remove", "path", "/a"));

        AUTO(free) char *with = written(plain_review, &reply);

        ck_assert_ptr_nonnull(strstr(with, "\"patchType\":\"JSONPatch\",\"patch\":"
                                           "\"W3sib3AiOiJyZW1vdmUiLCJwYXRoIjoiL2EifV0=\""));
    }
END_TEST

/* ---- warnings ---- */

#define LONG                                                                                       \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"     \
    "89012345678901234567890123456789"

static const struct {
    const char *given, *kept;
} warnings[] = {
    {"plain", "plain"},
    {"", NULL},
    /* an API server drops the whole warning for one control character */
    {"a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?"},
    {"\xe2\x80\xae"
     "bidi",
     "?bidi"},
    {"bad \xff utf", "bad ? utf"},
    {"\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80"},
    {LONG, LONG},
    {LONG "x",
     "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
     "2345678901234567890123456..."},
};

START_TEST(warns)
    {
        AUTO(reply) struct reply reply = {0};

        reply_warn(&reply, warnings[_i].given);
        if (!warnings[_i].kept) {
            ck_assert_uint_eq(json_array_size(reply.warnings), 0);
            return;
        }
        ck_assert_uint_eq(json_array_size(reply.warnings), 1);
        ck_assert_str_eq(json_string_value(json_array_get(reply.warnings, 0)), warnings[_i].kept);
    }
END_TEST

static json_t *written_warnings(const struct reply *reply)
{
    AUTO(free) char *text = written(plain_review, reply);
    AUTO(json) json_t *answer = json_loads(text, 0, NULL);

    return tree_copy(tree_at(answer, "response.warnings"));
}

static size_t bytes_of(const json_t *list)
{
    const json_t *warning;
    size_t i, bytes = 0;

    tree_items (list, i, warning)
        bytes += json_string_length(warning);
    return bytes;
}

/* All together stay within what an API server passes on, whatever their length, and none is lost
 * without a word. */
START_TEST(warns_within_bounds)
    {
        AUTO(reply) struct reply reply = {.allowed = true};
        const size_t given = 300 + 900 * (_i % 2);
        unsigned more = 0;

        for (unsigned i = 0; i < given; i++) {
            AUTO(free) char *line = text_format("%u %.*s", i, (int)((unsigned)_i + i % 7), LONG);

            reply_warn(&reply, line);
        }

        AUTO(json) json_t *told = written_warnings(&reply);
        size_t kept = json_array_size(told);
        const char *last = json_string_value(json_array_get(told, kept - 1));

        ck_assert_uint_le(bytes_of(told), WARNINGS_MAX_BYTES);
        if (kept < given) {
            ck_assert_int_eq(
                sscanf(last, "granary: and %u more, see kubectl-granary validate", &more), 1);
            kept--;
        }
        ck_assert_uint_eq(kept + more, given);
    }
END_TEST

START_TEST(warns_once)
    {
        AUTO(reply) struct reply reply = {0};

        for (size_t i = 0; i < 3; i++) {
            reply_warn(&reply, "the same");
            reply_warn(&reply, "another");
        }
        ck_assert_uint_eq(json_array_size(reply.warnings), 2);
    }
END_TEST

START_TEST(audits)
    {
        AUTO(reply) struct reply reply = {0};

        reply_audit(&reply, "nothing", "");
        reply_audit(&reply, "nothing", NULL);
        ck_assert_ptr_null(reply.audit);
        reply_audit(&reply, "plan-sha256", "0a");
        ck_assert_str_eq(tree_text(reply.audit, "plan-sha256"), "0a");
    }
END_TEST

SUITE(review)
{
    suite_rows(tests, no_review, bad);
    suite_rows(tests, a_review, good);
    suite_rows(tests, mirrors, mirrored);
    tcase_add_test(tests, mirrors_a_long_uid);
    tcase_add_test(tests, refuses);
    tcase_add_test(tests, patches);
    suite_rows(tests, warns, warnings);
    tcase_add_loop_test(tests, warns_within_bounds, 0, 120);
    tcase_add_test(tests, warns_once);
    tcase_add_test(tests, audits);
}
