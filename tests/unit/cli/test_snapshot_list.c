#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "cli/snapshot_list.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define CONFIGURATION(name)                                                                        \
    "{'metadata':{'namespace':'shop','name':'" name                                                \
    "','creationTimestamp':'2026-01-01T00:00:00Z'},'spec':{'repository':{'name':'store'},"         \
    "'target':{'ref':{'apiVersion':'apps/v1','kind':'Deployment','name':'web'}}}}"
#define SESSION(name, of, made, snapshots)                                                         \
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupSession','metadata':{'namespace':"   \
    "'shop','name':'" name "','creationTimestamp':'" made                                          \
    "'},'spec':{'invoker':{'kind':'BackupConfiguration','name':'" of                               \
    "'}},'status':{'phase':'Succeeded','targets':[{'stats':[{'hostname':'host-0','snapshots':"     \
    "[" snapshots "]}]}]}}"
#define STORE(status) "[{'metadata':{'namespace':'shop','name':'store'},'status':" status "}]"

static const struct {
    const char *configurations, *sessions, *repositories;
    const char *rows; /* "session:snapshot:path " of each */
    const char *told; /* a part; "": nothing */
} rows[] = {
    /* the newest first; those of others are not ours */
    {"[" CONFIGURATION("one") "]",
     "[" SESSION("a", "one", "2026-01-02T00:00:00Z", "{'name':'aa','path':'/x'}") "," SESSION(
         "b", "one", "2026-01-03T00:00:00Z",
         "{'name':'bb','path':'/x'},{'name':'bc','path':'/y'}") "," SESSION("c", "two",
                                                                            "2026-01-03T00:00:00Z",
                                                                            "{'name':'cc'}") "]",
     STORE("{'snapshotCount':3}"), "b:bb:/x b:bc:/y a:aa:/x ", ""},
    /* of a configuration that was made anew */
    {"[" CONFIGURATION("one") "]",
     "[" SESSION("old", "one", "2025-01-02T00:00:00Z", "{'name':'aa'}") "]",
     STORE("{'snapshotCount':9}"), "", "held 9 snapshots when it was last counted, 0 are named"},
    /* what two share is told once */
    {"[" CONFIGURATION("one") "," CONFIGURATION("two") "]",
     "[" SESSION("a", "one", "2026-01-02T00:00:00Z", "{'name':'aa','path':'/x'}") "," SESSION(
         "b", "two", "2026-01-02T00:00:00Z", "{'name':'bb','path':'/x'}") "]",
     STORE("{'snapshotCount':2}"), "a:aa:/x b:bb:/x ", ""},
    {"[" CONFIGURATION("one") "]", "[]", STORE("{}"), "",
     "Repository shop/store: how many snapshots it holds is not known"},
    {"[" CONFIGURATION("one") "]", "[]", "[]", "", "is not known"},
    {"[" CONFIGURATION("one") "]", "[]", STORE("{'snapshotCount':0}"), "", ""},
    {"[]", "[" SESSION("a", "one", "2026-01-02T00:00:00Z", "{'name':'aa'}") "]", "[]", "", ""},
    {"[" CONFIGURATION("one") "]",
     "[7,{},{'status':{'targets':7}}," SESSION("a", "one", "2026-01-02T00:00:00Z",
                                               "7,{},{'name':3},{'name':''}") "]",
     STORE("{'snapshotCount':0}"), "", ""},
};

START_TEST(snapshots_are_those_that_sessions_name)
    {
        AUTO(json) json_t *configurations = json_row(rows[_i].configurations);
        AUTO(json) json_t *sessions = json_row(rows[_i].sessions);
        AUTO(json) json_t *repositories = json_row(rows[_i].repositories);
        const struct snapshots_seen seen = {configurations, sessions, repositories};
        AUTO(json) json_t *made = snapshot_list(&seen);
        AUTO(text) struct text got = {0}, told = {0};
        const json_t *row;
        size_t i;

        tree_items (made, i, row) {
            ck_assert_str_eq(tree_text(row, "host"), "host-0");
            ck_assert_str_eq(tree_text(tree_get(row, "target"), "name"), "web");
            text_addf(&got, "%s:%s:%s ", tree_text(row, "session"), tree_text(row, "snapshot"),
                      tree_text(row, "path"));
        }
        ck_assert_str_eq(text_get(&got), rows[_i].rows);
        snapshots_not_told(&seen, made, &told);
        ck_assert_msg(*rows[_i].told ? strstr(text_get(&told), rows[_i].told) != NULL
                                     : told.length == 0,
                      "%s", text_get(&told));
        ck_assert(strchr(text_get(&told), '\n') == strrchr(text_get(&told), '\n'));
    }
END_TEST

SUITE(cli_snapshot_list)
{
    suite_rows(tests, snapshots_are_those_that_sessions_name, rows);
}
