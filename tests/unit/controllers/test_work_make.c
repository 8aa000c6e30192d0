#include "controllers/work_make.h"

#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* A tag tells the snapshots of one target from those of all others, and fits into a message. */

static char *tag_of(const char *name_space, size_t name_bytes)
{
    AUTO(free) char *name = text_alloc(name_bytes + 1);
    json_t *ref = json_object(), *target = json_object();
    AUTO(json) json_t *invoker = json_object();
    json_t *spec = json_object(), *metadata = json_object();

    memset(name, 'n', name_bytes);
    tree_put_text(ref, "apiVersion", "apps/v1");
    tree_put_text(ref, "kind", "Deployment");
    tree_put_text(ref, "name", name);
    tree_put_new(target, "ref", ref);
    tree_put_new(spec, "target", target);
    tree_put_text(metadata, "namespace", name_space);
    tree_put_new(invoker, "metadata", metadata);
    tree_put_new(invoker, "spec", spec);
    return work_tag(invoker);
}

START_TEST(tags_fit)
    {
        AUTO(free) char *plain = tag_of("shop", 3);
        AUTO(free) char *longest = tag_of("shop", 253), *other = tag_of("show", 253);

        ck_assert_str_eq(plain, "target:apps/Deployment/shop/nnn");
        ck_assert_uint_eq(strlen(longest), strlen("target:") + 64);
        ck_assert_str_ne(longest, other);
    }
END_TEST

START_TEST(without_a_target_there_is_none)
    {
        AUTO(json) json_t *invoker = json_row("{'metadata':{'namespace':'shop'},'spec':{}}");

        ck_assert_ptr_null(work_tag(invoker));
    }
END_TEST

#define APP_TARGET                                                                                 \
    "'target':{'ref':{'apiVersion':'appcatalog.appscode.com/v1alpha1','kind':'AppBinding','name':" \
    "'pg'}"
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Of an application, one snapshot of a dump proves it. */
static const struct {
    const char *what, *invoker, *path;
    bool restore, proven;
} proofs[] = {
    {"a path that is named",
     "{'spec':{'target':{'paths':['/dump'],'ref':{'apiVersion':'appcatalog.appscode.com/v1alpha1',"
     "'kind':'AppBinding','name':'pg'}}}}",
     "/dump", false, true},
    {"a path that nobody has named", "{'spec':{" APP_TARGET "}}}", "/dump", false, false},
    {"a folder of a step", "{'spec':{" APP_TARGET "}}}", "/stash-tmp/data", false, true},
    {"a dump of a database", "{'spec':{" APP_TARGET "}}}", "/dumpfile.sql", false, true},
    {"something else", "{'spec':{" APP_TARGET "}}}", "/etc/passwd", false, false},
    {"the newest, back", "{'spec':{" APP_TARGET ",'rules':[{}]}}}", "/dumpfile.sql", true, true},
    {"one by its id", "{'spec':{" APP_TARGET ",'rules':[{'snapshots':['latest']}]}}}",
     "/dumpfile.sql", true, true},
    {"no rule", "{'spec':{" APP_TARGET "}}}", "/dumpfile.sql", true, false},
};

START_TEST(dumps_of_applications)
    {
        AUTO(json) json_t *invoker = json_row(proofs[_i].invoker);
        AUTO(free) struct message_report *report = text_alloc(sizeof *report);

        *report = (struct message_report){.host = "host-0", .snapshot_count = 1};
        report->snapshots[0] = (struct message_snapshot){.id = ID, .path = proofs[_i].path};
        ck_assert_msg(work_is_proven(report, invoker, proofs[_i].restore) == proofs[_i].proven,
                      "%s", proofs[_i].what);
    }
END_TEST

SUITE(controllers_work_make)
{
    suite_rows(tests, dumps_of_applications, proofs);
    tcase_add_test(tests, tags_fit);
    tcase_add_test(tests, without_a_target_there_is_none);
}
