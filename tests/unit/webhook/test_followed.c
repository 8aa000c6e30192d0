#include "webhook/followed.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define META "'name':'n','resourceVersion':'7','uid':'u'"
#define LAST "'kubectl.kubernetes.io/last-applied-configuration':'{}'"

/* What of an object stays, by any kind of the table */
static const struct {
    const char *before, *after; /* members beside apiVersion and kind */
} rows[] = {
    {"'metadata':{" META "},'spec':{'a':1},'status':{'conditions':[]}",
     "'metadata':{'name':'n','uid':'u'},'spec':{'a':1}"},
    {"'metadata':{" META "},'status':{'phase':'Running','sessions':[1]}",
     "'metadata':{'name':'n','uid':'u'},'status':{'phase':'Running'}"},
    {"'metadata':{" META ",'annotations':{'a':'b'," LAST "},'managedFields':[]}",
     "'metadata':{'name':'n','uid':'u','annotations':{'a':'b'}}"},
    {"'metadata':{" META ",'annotations':null},'status':'odd'",
     "'metadata':{'name':'n','uid':'u','annotations':null}"},
};

START_TEST(what_is_kept)
    {
        const struct kube_watched *watched = &followed_kinds[1];
        AUTO(free) char *before = text_format("{%s}", rows[_i].before);
        AUTO(free)
        char *after = text_format("{'apiVersion':'stash.appscode.com/v1beta1',"
                                  "'kind':'BackupBlueprint',%s}",
                                  rows[_i].after);
        AUTO(json) json_t *object = json_row(before);
        AUTO(json) json_t *wanted = json_row(after);
        struct error err = {0};

        ck_assert_str_eq(watched->resource.plural, "backupblueprints");
        ck_assert_msg(watched_take(watched, object, true, &err), "%s", err.message);
        ck_assert(tree_equal(object, wanted));
    }
END_TEST

/* G5: nothing of a namespace but its metadata; nobody needs the rest */
START_TEST(the_table)
    {
        for (size_t i = 0; i < followed_count; i++) {
            bool ours = strcmp(followed_kinds[i].resource.group, "stash.appscode.com") == 0;

            ck_assert_int_eq(followed_kinds[i].optional, ours);
            ck_assert_int_eq(followed_kinds[i].metadata_only, !ours);
            ck_assert_msg(strcmp(followed_kinds[i].resource.plural, "secrets") != 0,
                          "Secrets are followed by name only");
            ck_assert_ptr_null(followed_kinds[i].space);
        }
    }
END_TEST

START_TEST(one_secret)
    {
        struct followed_secret secret = {0};

        ck_assert(followed_secret_parse("granary-system/tls.1", &secret));

        struct kube_watched watched = followed_secret_kind(&secret);

        ck_assert_str_eq(watched.space, "granary-system");
        ck_assert_str_eq(watched.fields, "metadata.name=tls.1");
        ck_assert_str_eq(secret.name, "tls.1");
        ck_assert(!watched.optional);
        ck_assert(!watched.cut);
    }
END_TEST

SUITE(webhook_followed)
{
    suite_rows(tests, what_is_kept, rows);
    tcase_add_test(tests, the_table);
    tcase_add_test(tests, one_secret);
}
