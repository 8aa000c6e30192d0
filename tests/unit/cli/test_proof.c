#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "cli/proof.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define US "11111111-2222-3333-4444-555555555555"
#define THEM "4f3c2f0e-9f4b-4d0e-8d52-0a8a4f0e9c11"
#define NAMED "'metadata':{'namespace':'shop','name':'deploy-web'}"
#define REPOSITORY(status) "{" NAMED ",'status':" status "}"
#define USER(more) "{" NAMED ",'spec':{'repository':{'name':'deploy-web'" more "}}}"
#define SESSION(name, status)                                                                      \
    "{'kind':'BackupSession','metadata':{'namespace':'shop','name':'" name                         \
    "'},'spec':{'invoker':{'kind':'BackupConfiguration','name':'deploy-web'}},'status':" status    \
    "}"
#define FAILED(error) "{'phase':'Failed','targets':[{'stats':[{'error':'" error "'}]}]}"

static const struct {
    const char *repository, *configurations, *sessions, *restores;
    long workers;
    size_t found;
    const char *words[3], *absent;
} rows[] = {
    {REPOSITORY("{}"), "[]", "[]", "[]", 0, 0, {"no pod of this cluster works there"}, "failed"},
    {REPOSITORY("{}"), "[]", "[]", "[]", 3, 0, {"3 pods of this cluster work there"}, "failed"},
    {REPOSITORY("{}"), "[]", "[]", "[]", -1, 0, {"may not be read"}, "failed"},
    /* what failed for a lock, and nothing else */
    {REPOSITORY("{'maintenance':[{'kind':'forget','reason':'RepositoryLocked','failures':4,"
                "'lastFailure':'2026-01-01T00:00:00Z'},{'kind':'check','reason':'Other'}]}"),
     "[]",
     "[]",
     "[]",
     0,
     1,
     {"maintenance (forget) failed with RepositoryLocked, 4 times in a row, last "
      "2026-01-01T00:00:00Z"},
     "check"},
    {REPOSITORY("{}"),
     "[" USER("") "]",
     "[" SESSION("one", FAILED("RepositoryLocked: wait")) "," SESSION(
         "two", FAILED("DiskFull")) "," SESSION("three", "{'phase':'Running'}") "]",
     "[]",
     0,
     1,
     {"BackupSession one failed: RepositoryLocked: wait", "BackupSession three is at work"},
     "two"},
    /* of another repository of the same name */
    {REPOSITORY("{}"),
     "[" USER(",'namespace':'other'") "]",
     "[" SESSION("one", FAILED("RepositoryLocked: wait")) "]",
     "[]",
     0,
     0,
     {NULL},
     "one"},
    {REPOSITORY("{}"),
     "[]",
     "[]",
     "[{'kind':'RestoreSession','metadata':{'namespace':'shop','name':'back'},'spec':{'repository':"
     "{'name':'deploy-web'}},'status':{'phase':'Failed','stats':[{'error':'RepositoryLocked: x'}]}"
     "}]",
     0,
     1,
     {"RestoreSession back failed: RepositoryLocked: x"},
     NULL},
    {"7", "{}", "[7,{},{'status':[]}]", "[7,{}]", 0, 0, {"no pod"}, "failed"},
};

START_TEST(what_says_that_a_lock_is_in_the_way)
    {
        AUTO(json) json_t *repository = json_row(rows[_i].repository);
        AUTO(json) json_t *configurations = json_row(rows[_i].configurations);
        AUTO(json) json_t *sessions = json_row(rows[_i].sessions);
        AUTO(json) json_t *restores = json_row(rows[_i].restores);
        AUTO(text) struct text text = {0};
        struct proof_seen seen = {repository, configurations, sessions, restores, rows[_i].workers};

        ck_assert_uint_eq(proof_of_locks(&seen, &text), rows[_i].found);
        for (size_t i = 0; i < 3 && rows[_i].words[i]; i++)
            ck_assert_msg(strstr(text_get(&text), rows[_i].words[i]), "%s", text_get(&text));
        ck_assert_msg(!rows[_i].absent || !strstr(text_get(&text), rows[_i].absent), "%s",
                      text_get(&text));
    }
END_TEST

#define OWNED(status, message)                                                                     \
    REPOSITORY("{'conditions':[{'type':'BackendRepositoryOwned','status':'" status                 \
               "','reason':'X','message':'" message "'}]}")

static const struct {
    const char *repository;
    enum proof_owner owner;
    const char *uid;
} owners[] = {
    {OWNED("False", "ForeignRepository: it belongs to another cluster: " THEM ", this one is " US
                    ". Nothing was written"),
     OWNER_OTHER, THEM},
    {OWNED("True", ""), OWNER_US, ""},
    {OWNED("Unknown", "another cluster: " THEM), OWNER_UNKNOWN, ""},
    {REPOSITORY("{}"), OWNER_UNKNOWN, ""},
    /* what is no UID is nobody's */
    {OWNED("False", "it belongs to another cluster: 4f3c"), OWNER_OTHER, ""},
    {OWNED("False", "it belongs to another cluster: ../../../../../../../../../../../../../x"),
     OWNER_OTHER, ""},
    {OWNED("False", ""), OWNER_OTHER, ""},
};

START_TEST(whose_a_repository_is)
    {
        AUTO(json) json_t *repository = json_row(owners[_i].repository);
        struct span uid;

        ck_assert_int_eq(proof_of_owner(repository, &uid), owners[_i].owner);
        ck_assert_uint_eq(uid.length, strlen(owners[_i].uid));
        ck_assert(uid.length == 0 || span_is(uid, owners[_i].uid));
    }
END_TEST

SUITE(cli_proof)
{
    suite_rows(tests, what_says_that_a_lock_is_in_the_way, rows);
    suite_rows(tests, whose_a_repository_is, owners);
}
