#include "controllers/repository_place.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define NOW INT64_C(1714570200)
#define REPOSITORY(space, backend)                                                                 \
    "{'metadata':{'name':'r','namespace':'" space "'},'spec':{'backend':{" backend "}}}"
#define S3(prefix) "'s3':{'endpoint':'e','bucket':'b','prefix':'" prefix "'}"
#define CLAIM(name) "'local':{'mountPath':'/m','persistentVolumeClaim':{'claimName':'" name "'}}"
#define PATH(path) "'local':{'mountPath':'/m','hostPath':{'path':'" path "'}}"
#define NFS(path) "'local':{'mountPath':'/m','nfs':{'server':'n','path':'" path "'}}"

static const struct {
    const char *one, *other;
    bool same;
} places[] = {
    {REPOSITORY("a", S3("p")), REPOSITORY("b", S3("/p/")), true},
    {REPOSITORY("a", S3("p")), REPOSITORY("a", S3("p/q")), false},
    {REPOSITORY("a", S3("p")), REPOSITORY("a", S3("")), false},
    {REPOSITORY("a", S3("p")), REPOSITORY("a", "'b2':{'bucket':'b','prefix':'p'}"), false},
    {REPOSITORY("a", "'rest':{'url':'https://u:hush@h/r'}"),
     REPOSITORY("b", "'rest':{'url':'https://v:hush@h/r'}"), true},
    {REPOSITORY("a", CLAIM("c")), REPOSITORY("a", CLAIM("c")), true},
    {REPOSITORY("a", CLAIM("c")), REPOSITORY("b", CLAIM("c")), false},
    {REPOSITORY("a", PATH("/x")), REPOSITORY("b", PATH("/x")), true},
    {REPOSITORY("a", NFS("/x")), REPOSITORY("b", NFS("/x")), true},
    {REPOSITORY("a", NFS("/x")), REPOSITORY("b", NFS("/y")), false},
};

START_TEST(which_are_one)
    {
        AUTO(json) json_t *one = json_row(places[_i].one);
        AUTO(json) json_t *other = json_row(places[_i].other);
        AUTO(free) char *first = repository_place_of(one);
        AUTO(free) char *second = repository_place_of(other);

        ck_assert_ptr_nonnull(first);
        ck_assert_msg((strcmp(first, second) == 0) == places[_i].same, "%s, %s", first, second);
        ck_assert_ptr_null(strstr(first, "hush"));
    }
END_TEST

static const char *const nowhere[] = {"{}",
                                      "[]",
                                      "{'spec':{}}",
                                      REPOSITORY("a", ""),
                                      REPOSITORY("a", "'s3':7"),
                                      REPOSITORY("a", "'other':{}")};

START_TEST(which_have_none)
    {
        AUTO(json) json_t *repository = json_row(nowhere[_i]);

        ck_assert_ptr_null(repository_place_of(repository));
    }
END_TEST

static const json_t *said(const json_t *status)
{
    return tree_item(tree_get(status, "conditions"), "type", REPOSITORY_PLACE);
}

START_TEST(what_is_said)
    {
        AUTO(json)
        json_t *repository = json_row(REPOSITORY("a", "'rest':{'url':'https://u:hush@h'}"));
        AUTO(json) json_t *first = json_row(REPOSITORY("b", "'rest':{'url':'https://v:hush@h'}"));
        AUTO(json) json_t *status = json_row("{'references':[]}");
        AUTO(free) char *none = repository_place_put(status, repository, NULL, NOW);

        ck_assert_ptr_null(none);
        ck_assert_ptr_null(tree_get(status, "conditions")); /* who was never taken says nothing */

        AUTO(free) char *news = repository_place_put(status, repository, first, NOW);

        ck_assert_ptr_nonnull(strstr(news, "Repository b/r keeps its data"));
        ck_assert(!strstr(news, "hush"));
        ck_assert_str_eq(tree_text(said(status), "status"), "False");
        ck_assert_str_eq(tree_text(said(status), "reason"), "LocationTaken");

        AUTO(free) char *again = repository_place_put(status, repository, first, NOW + 5);

        ck_assert_ptr_null(again);

        AUTO(free) char *over = repository_place_put(status, repository, NULL, NOW + 9);

        ck_assert_ptr_null(over);
        ck_assert_str_eq(tree_text(said(status), "status"), "True");
        ck_assert_ptr_null(tree_get(said(status), "message"));
    }
END_TEST

SUITE(repository_place)
{
    suite_rows(tests, which_are_one, places);
    suite_rows(tests, which_have_none, nowhere);
    tcase_add_test(tests, what_is_said);
}
