#include "controllers/stash_finalizer.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z */
#define NOW_S INT64_C(1714570200)

#define OF(kind, finalizers) "{'kind':'" kind "','metadata':{'finalizers':[" finalizers "]}}"
#define GOES(time)                                                                                 \
    "{'kind':'Repository','metadata':{'finalizers':['stash'],'deletionTimestamp':" time "}}"

static const struct {
    const char *name, *object;
    bool stash, tried;
    int64_t due_s;
    const char *others;
} rows[] = {
    {"of a Repository", OF("Repository", "'stash'"), false, false, 0, "[]"},
    {"of a BackupConfiguration", OF("BackupConfiguration", "'a','stash.appscode.com','b'"), false,
     false, 0, "['a','b']"},
    {"of a RestoreSession", OF("RestoreSession", "'stash.appscode.com'"), false, false, 0, "[]"},
    {"twice", OF("Repository", "'stash','stash'"), false, false, 0, "[]"},
    {"none", OF("Repository", ""), false, false, -1, "[]"},
    {"somebody else's", OF("Repository", "'stash.appscode.com','stash2','kubernetes'"), false,
     false, -1, "['stash.appscode.com','stash2','kubernetes']"},
    {"the other kind's", OF("RestoreSession", "'stash'"), false, false, -1, "['stash']"},
    {"on what Stash puts none on", OF("BackupBlueprint", "'stash','stash.appscode.com'"), false,
     false, -1, "['stash','stash.appscode.com']"},
    {"odd", OF("Repository", "1,null,{},'stash'"), false, false, 0, "[1,null,{}]"},
    {"odder", "{'kind':'Repository','metadata':{'finalizers':'stash'}}", false, false, -1, "[]"},
    {"nothing", "{}", false, false, -1, "[]"},
    {"Stash is there: nobody deletes it", OF("Repository", "'stash'"), true, false, -1, "[]"},
    {"it came back", OF("Repository", "'stash'"), false, true, -1, "[]"},
    {"deleted now", GOES("'2024-05-01T13:30:00Z'"), false, false, 60, "[]"},
    {"deleted 59 s ago", GOES("'2024-05-01T13:29:01Z'"), false, false, 1, "[]"},
    {"deleted a minute ago", GOES("'2024-05-01T13:29:00Z'"), false, false, 0, "[]"},
    {"deleted, and came back before", GOES("'2024-05-01T13:29:00Z'"), false, true, 0, "[]"},
    {"taken over, and Stash may work", GOES("'2024-05-01T13:29:00Z'"), true, false, 540, "[]"},
    {"taken over, and Stash does not", GOES("'2024-05-01T13:20:00Z'"), true, false, 0, "[]"},
    {"our clock is behind", GOES("'2024-05-02T13:30:00Z'"), false, false, 60, "[]"},
    {"an odd time", GOES("'soon'"), false, false, 0, "[]"},
};

START_TEST(when_it_goes)
    {
        AUTO(json) json_t *object = json_row(rows[_i].object);
        AUTO(json) json_t *wanted = json_row(rows[_i].others);
        AUTO(json) json_t *others = stash_finalizer_others(object);
        const struct stash_finalizer_seen seen = {
            .object = object, .stash = rows[_i].stash, .tried = rows[_i].tried, .now_s = NOW_S};

        ck_assert_msg(stash_finalizer_due_s(&seen) == rows[_i].due_s, "%s: %lld", rows[_i].name,
                      (long long)stash_finalizer_due_s(&seen));
        ck_assert_msg(tree_equal(others, wanted), "%s", rows[_i].name);
    }
END_TEST

SUITE(controllers_stash_finalizer)
{
    suite_rows(tests, when_it_goes, rows);
}
