#include "base/tree.h"
#include "controllers/references.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define OBJECT(space, name) "{'metadata':{'namespace':'" space "','name':'" name "'}}"
#define REFERENCE(kind, space, name)                                                               \
    "{'apiGroup':'stash.appscode.com','kind':'" kind "','namespace':'" space "','name':'" name "'" \
    "}"
#define BATCH "{'apiGroup':'stash.appscode.com','kind':'BackupBatch','name':'all'}"

static const struct {
    const char *what, *status, *configurations, *restores, *next;
} rows[] = {
    {"nobody", "null", "[]", "[]", "{}"},
    {"a new one", "{'snapshotCount':3}", "[" OBJECT("shop", "web") "]", "[]",
     "{'snapshotCount':3,'references':[" REFERENCE("BackupConfiguration", "shop", "web") "]}"},
    {"in their order", "{}",
     "[" OBJECT("shop", "web") "," OBJECT("bank", "z") "," OBJECT("shop", "api") "]",
     "[" OBJECT("bank", "a") "]",
     "{'references':[" REFERENCE("BackupConfiguration", "bank", "z") "," REFERENCE(
         "BackupConfiguration", "shop",
         "api") "," REFERENCE("BackupConfiguration", "shop",
                              "web") "," REFERENCE("RestoreSession", "bank", "a") "]}"},
    {"a stale one", "{'references':[" REFERENCE("RestoreSession", "shop", "old") "]}", "[]", "[]",
     "{'references':[]}"},
    {"somebody else's", "{'references':[" BATCH "," REFERENCE("RestoreSession", "a", "b") "]}",
     "[" OBJECT("shop", "web") "]", "[]",
     "{'references':[" BATCH "," REFERENCE("BackupConfiguration", "shop", "web") "]}"},
    {"one that is being deleted", "{}",
     "[{'metadata':{'namespace':'shop','name':'web','deletionTimestamp':'x'}}]", "[]", "{}"},
    {"odd shapes", "{'references':'odd'}", "[1,{},{'metadata':{'name':3}}]", "'odd'",
     "{'references':[]}"},
    {"odd entries stay", "{'references':[7,{'kind':1}]}", "[]", "[]",
     "{'references':[7,{'kind':1}]}"},
};

START_TEST(references_follow)
    {
        AUTO(json) json_t *status = json_row(rows[_i].status);
        AUTO(json) json_t *configurations = json_row(rows[_i].configurations);
        AUTO(json) json_t *restores = json_row(rows[_i].restores);
        AUTO(json) json_t *wanted = json_row(rows[_i].next);
        const struct references_seen seen = {configurations, restores};
        AUTO(json) json_t *next = references_status(&seen, status);
        AUTO(json) json_t *again = references_status(&seen, next);

        ck_assert_msg(tree_equal(next, wanted), "%s", rows[_i].what);
        ck_assert_msg(tree_equal(again, next), "%s: written again", rows[_i].what);
    }
END_TEST

/* The CRD takes no more. */
START_TEST(references_are_bounded)
    {
        AUTO(json) json_t *many = json_array();

        for (int i = 0; i <= (int)REFERENCES_MAX; i++) {
            AUTO(free) char *name = text_format("c%06d", i);
            json_t *object = json_object(), *metadata = json_object();

            tree_put_text(metadata, "name", name);
            tree_put_new(object, "metadata", metadata);
            tree_push_new(many, object);
        }

        AUTO(json) json_t *next = references_status(&(struct references_seen){many, many}, NULL);

        ck_assert_uint_eq(json_array_size(json_object_get(next, "references")), REFERENCES_MAX);
    }
END_TEST

SUITE(controllers_references)
{
    suite_rows(tests, references_follow, rows);
    tcase_add_test(tests, references_are_bounded);
}
