#include <string.h>

#include "base/auto.h"
#include "controllers/claims.h"
#include "tests/unit/suite.h"

#define NOW 1000

static struct claims *read_ledger(const char *row, json_t **document)
{
    struct claims *claims = text_alloc(sizeof *claims);
    char *text = text_dup(row, strlen(row));
    struct error err = {0};

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    *document = claims_read(span_of(text), claims, &err);
    free(text);
    ck_assert_msg(*document, "%s", err.message);
    return claims;
}

static void must_be(const struct claims *claims, const char *row)
{
    AUTO(text) struct text out = {0};

    claims_write(claims, &out);
    for (size_t i = 0; i < out.length; i++)
        if (out.data[i] == '"')
            out.data[i] = '\'';
    ck_assert_str_eq(text_get(&out), row);
}

#define HEAD "{'session':'s','since':1"
#define OF(pod, instance, attempt, since)                                                          \
    "{'host':'host-0','pod':'" pod "','instance':'" instance "','attempt':" attempt                \
    ",'since':" since "}"
#define NOBODY(attempt) "{'host':'host-0','attempt':" attempt ",'since':5}"
#define OTHER "{'host':'host-1','pod':'q','instance':'j','attempt':1,'since':5}"

static const struct {
    const char *what, *before;
    struct work work;
    struct work_host host;
    bool initialized;
    enum claims_answer answer;
    const char *after; /* NULL: unchanged */
} ask_rows[] = {
    {"first",
     HEAD "}",
     {.phase = WORK_RUNNING},
     {.expected = true},
     true,
     CLAIMS_WORK,
     HEAD ",'claims':[" OF("p", "i", "1", "1000") "]}"},
    {"once more, the answer was lost",
     HEAD ",'claims':[" OF("p", "i", "1", "5") "]}",
     {.phase = WORK_RUNNING},
     {.expected = true},
     true,
     CLAIMS_AGAIN,
     NULL},
    {"the container was restarted",
     HEAD ",'claims':[" OF("p", "old", "1", "5") "]}",
     {.phase = WORK_RUNNING},
     {.expected = true},
     true,
     CLAIMS_WORK,
     HEAD ",'claims':[" OF("p", "i", "2", "1000") "]}"},
    {"restarted too often",
     HEAD ",'claims':[" OF("p", "old", "3", "5") "]}",
     {.phase = WORK_RUNNING},
     {.expected = true},
     true,
     CLAIMS_RELEASE,
     HEAD ",'claims':[" NOBODY("3") "]}"},
    {"another pod has it",
     HEAD ",'claims':[" OF("q", "i", "1", "5") "]}",
     {.phase = WORK_RUNNING},
     {.expected = true},
     true,
     CLAIMS_NOTHING,
     NULL},
    {"the pod of its Job",
     HEAD ",'claims':[{'host':'host-0','job':'J','attempt':0,'since':5}]}",
     {.phase = WORK_RUNNING},
     {.expected = true},
     true,
     CLAIMS_WORK,
     HEAD
     ",'claims':[{'host':'host-0','pod':'p','instance':'i','job':'J','attempt':1,'since':1000}]"
     "}"},
    {"another pod had it",
     HEAD ",'claims':[" NOBODY("1") "]}",
     {.phase = WORK_RUNNING},
     {.expected = true},
     true,
     CLAIMS_WORK,
     HEAD ",'claims':[" OF("p", "i", "2", "1000") "]}"},
    {"the session has ended, he asks for more",
     HEAD ",'claims':[" OF("p", "i", "1", "5") "]}",
     {.phase = WORK_ENDED},
     {.expected = true},
     true,
     CLAIMS_RELEASE,
     HEAD ",'claims':[" NOBODY("1") "]}"},
    {"its result stands in the status",
     HEAD ",'claims':[" OF("p", "i", "1", "5") "]}",
     {.phase = WORK_RUNNING},
     {.expected = true, .result = WORK_SUCCEEDED},
     true,
     CLAIMS_RELEASE,
     HEAD ",'claims':[" NOBODY("1") "]}"},
    {"not wanted",
     HEAD "}",
     {.phase = WORK_RUNNING},
     {.expected = false},
     true,
     CLAIMS_NOTHING,
     NULL},
    {"somebody may be making the repository",
     HEAD ",'claims':[" OTHER "]}",
     {.phase = WORK_RUNNING},
     {.expected = true},
     false,
     CLAIMS_NOTHING,
     NULL},
    {"it is there",
     HEAD ",'claims':[" OTHER "]}",
     {.phase = WORK_RUNNING},
     {.expected = true},
     true,
     CLAIMS_WORK,
     HEAD ",'claims':[" OTHER "," OF("p", "i", "1", "1000") "]}"},
};

START_TEST(claims_are_answered)
    {
        AUTO(json) json_t *document = NULL;
        AUTO(free) struct claims *claims = read_ledger(ask_rows[_i].before, &document);
        struct work_host host = ask_rows[_i].host;
        struct work work = ask_rows[_i].work;
        const struct claims_caller caller = {.pod = "p", .instance = "i"};

        host.name = "host-0";
        claims_fill(claims, &host, 1);
        work.lock = WORK_LOCK_OURS;
        work.attempts_max = WORK_ATTEMPTS_MAX;
        work.hosts = &host;
        work.host_count = 1;
        ck_assert_msg(claims_ask(claims, &work, 0, &caller, ask_rows[_i].initialized, NOW) ==
                          ask_rows[_i].answer,
                      "%s", ask_rows[_i].what);
        must_be(claims, ask_rows[_i].after ? ask_rows[_i].after : ask_rows[_i].before);
    }
END_TEST

static const char *const bad_rows[] = {
    "",
    "{}",
    "[]",
    "{\"session\":\"s\"}",
    "{\"session\":\"s\",\"since\":-1}",
    "{\"session\":\"s\",\"since\":1,\"claims\":[{}]}",
    "{\"session\":\"s\",\"since\":1,\"claims\":[{\"host\":\"h\",\"pod\":\"p\",\"attempt\":1,"
    "\"since\":1}]}",
    "{\"session\":\"s\",\"since\":1,\"claims\":[{\"host\":\"h\",\"attempt\":0,\"since\":1}]}",
    "{\"session\":\"s\",\"since\":1,\"claims\":[{\"host\":\"h\",\"attempt\":1,\"since\":1},"
    "{\"host\":\"h\",\"attempt\":1,\"since\":1}]}",
};

START_TEST(what_is_no_ledger_is_not_guessed)
    {
        AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
        struct error err = {0};
        AUTO(json) json_t *document = claims_read(span_of(bad_rows[_i]), claims, &err);

        ck_assert_ptr_null(document);
        ck_assert(err.message[0]);
    }
END_TEST

START_TEST(a_full_ledger_lets_others_wait)
    {
        AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
        struct work_host host = {.name = "one more", .expected = true};
        struct work work = {.phase = WORK_RUNNING,
                            .lock = WORK_LOCK_OURS,
                            .attempts_max = 3,
                            .hosts = &host,
                            .host_count = 1};
        const struct claims_caller caller = {.pod = "p", .instance = "i"};

        *claims = (struct claims){.session = "s", .count = CLAIMS_MAX};
        for (size_t i = 0; i < CLAIMS_MAX; i++)
            claims->list[i] = (struct claim){.host = "h", .pod = "q", .instance = "j"};
        ck_assert_int_eq(claims_ask(claims, &work, 0, &caller, true, NOW), CLAIMS_NOTHING);
        ck_assert_uint_eq(claims->count, CLAIMS_MAX);
    }
END_TEST

START_TEST(only_who_has_it_reports)
    {
        AUTO(json) json_t *document = NULL;
        AUTO(free)
        struct claims *claims =
            read_ledger(HEAD ",'claims':[" OF("p", "i", "2", "5") "]}", &document);
        const struct claims_caller he = {"p", "i"}, restarted = {"p", "k"}, other = {"q", "i"};

        ck_assert(claims_is_of(claims, "host-0", &he, 2));
        ck_assert(!claims_is_of(claims, "host-0", &he, 1));
        ck_assert(!claims_is_of(claims, "host-1", &he, 2));
        ck_assert(!claims_is_of(claims, "host-0", &restarted, 2));
        ck_assert(!claims_is_of(claims, "host-0", &other, 2));
        ck_assert(claims_any(claims) && claims_drop(claims, "host-0") && !claims_any(claims));
        ck_assert(!claims_drop(claims, "host-0") && !claims_drop(claims, "host-1"));
        ck_assert(!claims_is_of(claims, "host-0", &he, 2));
    }
END_TEST

START_TEST(jobs_are_recorded)
    {
        AUTO(json) json_t *document = NULL;
        AUTO(free)
        struct claims *claims =
            read_ledger(HEAD ",'claims':[" OF("p", "i", "2", "5") "]}", &document);

        ck_assert(claims_set_job(claims, "host-1", "J", 7));
        ck_assert(claims_set_job(claims, "host-0", "K", 8));
        must_be(claims, HEAD ",'claims':[{'host':'host-0','pod':'p','instance':'i','job':'K',"
                             "'attempt':2,'since':8},{'host':'host-1','job':'J','attempt':0,"
                             "'since':7}]}");
        ck_assert_str_eq(claims_host_of_job(claims, "J"), "host-1");
        ck_assert_ptr_null(claims_host_of_job(claims, "L"));
        claims->count = CLAIMS_MAX;
        for (size_t i = 0; i < CLAIMS_MAX; i++)
            claims->list[i] = (struct claim){.host = "h", .attempt = 1};
        ck_assert(!claims_set_job(claims, "one more", "J", 7));
        ck_assert_ptr_null(claims_host_of_job(claims, "J"));
    }
END_TEST

SUITE(controllers_claims)
{
    suite_rows(tests, claims_are_answered, ask_rows);
    suite_rows(tests, what_is_no_ledger_is_not_guessed, bad_rows);
    tcase_add_test(tests, a_full_ledger_lets_others_wait);
    tcase_add_test(tests, only_who_has_it_reports);
    tcase_add_test(tests, jobs_are_recorded);
}
