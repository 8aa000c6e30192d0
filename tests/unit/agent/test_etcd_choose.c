#include "agent/etcd_choose.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define ID(digit) digit "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TAKEN(digit, hour, host, path)                                                             \
    "{'id':'" ID(digit) "','time':'2026-11-21T" hour ":00:00Z','hostname':'" host                  \
                        "','paths':['" path "']}"
#define OURS "/stash-tmp/data"
#define LIST                                                                                       \
    "[" TAKEN("1", "10", "host-0", OURS) "," TAKEN("2", "12", "host-0", OURS) "," TAKEN(           \
        "3", "14", "host-0",                                                                       \
        "/var/www") "," TAKEN("4", "15", "alias-1",                                                \
                              "/stash-interim-volume/data") "," TAKEN("5", "16", "granary",        \
                                                                      "/cluster") "]"

/* ET4: one snapshot for all members; the newest of the host, not of the whole repository. */
static const struct {
    const char *what, *list, *wanted, *host;
    const char *chosen, *newest; /* digits; "": none */
    const char *message;
} rows[] = {
    {"the newest of a host", LIST, "latest", "host-0", "2", "", NULL},
    {"of another one, on a volume", LIST, "latest", "alias-1", "4", "", NULL},
    {"an older one", LIST, "1aaaaaaa", "host-0", "1", "2", NULL},
    {"of another host by its id", LIST, "4aaaaaaaaa", "host-0", "4", "2", NULL},
    {"no such host", LIST, "latest", "host-1", "", "", "no snapshot of a dump of host host-1"},
    {"no such id", LIST, "6aaaaaaa", "host-0", "", "", "there is no snapshot 6aaaaaaa"},
    {"files", LIST, "3aaaaaaa", "host-0", "", "", "has no dump"},
    {"too short", LIST, "1aaa", "host-0", "", "", "8 digits at least"},
    {"several", "[" TAKEN("1", "10", "h", OURS) "," TAKEN("1", "11", "h", OURS) "]", "1aaaaaaa",
     "h", "", "", "several snapshots"},
    {"odd shapes", "[7,{},{'id':'x','hostname':'host-0','paths':['" OURS "']},{'id':7}]", "latest",
     "host-0", "", "", "no snapshot"},
    {"odd list", "{}", "latest", "host-0", "", "", "no snapshot"},
};

static void check_digit(const json_t *said, const char *key, const char *digit, const char *what)
{
    const char *id = tree_text(said, key);

    ck_assert_msg(*digit ? id && id[0] == digit[0] : !id, "%s: %s is %s", what, key,
                  id ? id : "not there");
}

START_TEST(which_one)
    {
        AUTO(json) json_t *list = json_row(rows[_i].list);
        struct error err = {.message = ""};
        AUTO(json) json_t *said = etcd_choose(list, rows[_i].wanted, rows[_i].host, &err);

        ck_assert_msg(!said == !*rows[_i].chosen, "%s: %s", rows[_i].what, err.message);
        check_digit(said, "snapshot", rows[_i].chosen, rows[_i].what);
        check_digit(said, "newest", rows[_i].newest, rows[_i].what);
        if (rows[_i].message)
            ck_assert_msg(strstr(err.message, rows[_i].message) != NULL, "%s: %s", rows[_i].what,
                          err.message);
    }
END_TEST

SUITE(agent_etcd_choose)
{
    suite_rows(tests, which_one, rows);
}
