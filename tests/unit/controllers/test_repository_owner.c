#include "base/tree.h"
#include "controllers/repository_owner.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define NOW 1714570200 /* 2024-05-01T13:30:00Z */
#define TIME "2024-05-01T13:30:00Z"
#define OWNED(status, more, time)                                                                  \
    "{'type':'BackendRepositoryOwned','status':'" status "'" more ",'lastTransitionTime':'" time   \
    "'}"
#define SESSION(status, more, time) "{'status':{'conditions':[" OWNED(status, more, time) "]}}"
#define FOREIGN(of) ",'reason':'ForeignRepository','message':'it belongs to " of "'"
#define OURS ",'reason':'OwnedByThisCluster'"
#define CONDITIONS(list) "{'conditions':[" list "]}"

static const struct {
    const char *what, *status, *sessions, *next, *told;
} rows[] = {
    {"none", "{}", "[]", "{}", NULL},
    {"none that knows", "{}", "[{'status':{'conditions':[]}},{},7]", "{}", NULL},
    {"ours", "{}", "[" SESSION("True", OURS, TIME) "]", CONDITIONS(OWNED("True", OURS, TIME)),
     NULL},
    {"foreign", "{}", "[" SESSION("False", FOREIGN("a"), TIME) "]",
     CONDITIONS(OWNED("False", FOREIGN("a"), TIME)), "it belongs to a"},
    {"foreign as before", CONDITIONS(OWNED("False", FOREIGN("a"), "2024-04-01T00:00:00Z")),
     "[" SESSION("False", FOREIGN("a"), TIME) "]",
     CONDITIONS(OWNED("False", FOREIGN("a"), "2024-04-01T00:00:00Z")), NULL},
    {"of another one now", CONDITIONS(OWNED("False", FOREIGN("a"), "2024-04-01T00:00:00Z")),
     "[" SESSION("False", FOREIGN("b"), TIME) "]", CONDITIONS(OWNED("False", FOREIGN("b"), TIME)),
     "it belongs to b"},
    {"adopted: the newest counts", CONDITIONS(OWNED("False", FOREIGN("a"), TIME)),
     "[" SESSION("True", OURS, "2024-05-01T13:20:00Z") "," SESSION("False", FOREIGN("a"),
                                                                   "2024-05-01T13:10:00Z") "]",
     CONDITIONS(OWNED("True", OURS, TIME)), NULL},
    {"adopted by another one", CONDITIONS(OWNED("True", OURS, TIME)),
     "[" SESSION("True", OURS, "2024-05-01T13:10:00Z") "," SESSION("False", FOREIGN("b"),
                                                                   "2024-05-01T13:20:00Z") "]",
     CONDITIONS(OWNED("False", FOREIGN("b"), TIME)), "it belongs to b"},
    {"history that is over", CONDITIONS(OWNED("False", FOREIGN("a"), TIME)), "[]",
     CONDITIONS(OWNED("False", FOREIGN("a"), TIME)), NULL},
    {"odd lists", "{}", "'odd'", "{}", NULL},
};

START_TEST(the_owner_follows)
    {
        AUTO(json) json_t *status = json_row(rows[_i].status);
        AUTO(json) json_t *sessions = json_row(rows[_i].sessions);
        AUTO(json) json_t *wanted = json_row(rows[_i].next);
        const char *told = repository_owner_put(status, sessions, NOW);

        ck_assert_msg(tree_equal(status, wanted), "%s", rows[_i].what);
        ck_assert_msg(told ? rows[_i].told && strcmp(told, rows[_i].told) == 0 : !rows[_i].told,
                      "%s: %s", rows[_i].what, told);
    }
END_TEST

SUITE(controllers_repository_owner)
{
    suite_rows(tests, the_owner_follows, rows);
}
