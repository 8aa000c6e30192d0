#include <string.h>

#include "agent/whole_session.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define ID(digit) digit "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TAKEN(digit, hour, host, path, tags)                                                       \
    "{'id':'" ID(digit) "','time':'2026-11-21T" hour ":00:00Z','hostname':'" host                  \
                        "','paths':['" path "'],'tags':[" tags "]}"
#define OF(session, needed) "'target:x','session:" session "','snapshots:" needed "'"

static const struct {
    const char *what, *list, *newest;
} rows[] = {
    {"nothing", "[]", NULL},
    {"one", "[" TAKEN("1", "10", "host-0", "/a", OF("s", "1")) "]", "s"},
    {"the newer one",
     "[" TAKEN("1", "11", "host-0", "/a", OF("t", "1")) "," TAKEN("2", "10", "host-0", "/a",
                                                                  OF("s", "1")) "]",
     "t"},
    {"one that lacks a path",
     "[" TAKEN("1", "11", "host-0", "/a", OF("t", "2")) "," TAKEN("2", "10", "host-0", "/a",
                                                                  OF("s", "1")) "]",
     "s"},
    {"one that lacks a host",
     "[" TAKEN("1", "11", "host-0", "/a", OF("t", "2")) "," TAKEN(
         "2", "10", "host-0", "/a", OF("s", "2")) "," TAKEN("3", "10", "host-1", "/a",
                                                            OF("s", "2")) "]",
     "s"},
    {"a host that was tried again is one",
     "[" TAKEN("1", "10", "host-0", "/a", OF("s", "2")) "," TAKEN("2", "11", "host-0", "/a",
                                                                  OF("s", "2")) "]",
     NULL},
    {"hosts that became more: the larger number counts",
     "[" TAKEN("1", "10", "host-0", "/a", OF("s", "1")) "," TAKEN("2", "11", "host-1", "/a",
                                                                  OF("s", "3")) "]",
     NULL},
    {"no number", "[" TAKEN("1", "10", "host-0", "/a", "'session:s'") "]", NULL},
    {"no session", "[" TAKEN("1", "10", "host-0", "/a", "'snapshots:1'") "]", NULL},
    {"odd numbers",
     "[" TAKEN("1", "10", "host-0", "/a", OF("s", "0")) "," TAKEN(
         "2", "10", "host-0", "/a", OF("t", "-1")) "," TAKEN("3", "10", "host-0", "/a",
                                                             OF("u", "x")) "]",
     NULL},
    {"odd shapes", "[7,{},{'tags':7},{'tags':['session:s','snapshots:1']}]", NULL},
    {"odd list", "{}", NULL},
};

START_TEST(the_newest_whole_one)
    {
        AUTO(json) json_t *list = json_row(rows[_i].list);
        const char *newest = session_newest(list);

        ck_assert_msg(newest ? rows[_i].newest && strcmp(newest, rows[_i].newest) == 0
                             : !rows[_i].newest,
                      "%s: %s", rows[_i].what, newest);
    }
END_TEST

#define ALL                                                                                        \
    "[" TAKEN("1", "10", "host-0", "/a", OF("s", "1")) "," TAKEN(                                  \
        "2", "11", "host-0", "/a",                                                                 \
        OF("s", "1")) "," TAKEN("3", "12", "host-0", "/b",                                         \
                                OF("t", "1")) "," TAKEN("4", "13", "host-1", "/a",                 \
                                                        OF("t", "1")) "]"

static const struct {
    const char *session, *host, *path, *id;
} chosen[] = {
    {"s", "host-0", "/a", ID("2")},  {"t", "host-0", "/a", NULL},
    {"t", "host-0", "/b", ID("3")},  {NULL, "host-0", NULL, ID("3")},
    {NULL, "host-1", NULL, ID("4")}, {"s", "host-1", "/a", NULL},
    {NULL, "host-2", NULL, NULL},
};

START_TEST(one_is_chosen)
    {
        AUTO(json) json_t *list = json_row(ALL);
        const char *id = tree_text(
            session_snapshot(list, chosen[_i].session, chosen[_i].host, chosen[_i].path), "id");

        ck_assert(id ? chosen[_i].id && strcmp(id, chosen[_i].id) == 0 : !chosen[_i].id);
    }
END_TEST

SUITE(agent_whole_session)
{
    suite_rows(tests, the_newest_whole_one, rows);
    suite_rows(tests, one_is_chosen, chosen);
}
