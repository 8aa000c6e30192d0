#include "base/tree.h"
#include "controllers/repository_times.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define SESSION(phase, made)                                                                       \
    "{'metadata':{'creationTimestamp':'" made "'},'status':{'phase':'" phase "'}}"
#define MAY "2024-05-01T13:30:00Z"
#define JUNE "2024-06-01T13:30:00Z"
#define JULY "2024-07-01T13:30:00Z"
#define TIMES(first, last) "{'firstBackupTime':'" first "','lastBackupTime':'" last "'}"

static const struct {
    const char *what, *status, *sessions, *next;
} rows[] = {
    {"none", "{}", "[]", "{}"},
    {"the first", "{}", "[" SESSION("Succeeded", JUNE) "]", TIMES(JUNE, JUNE)},
    {"several", "{}",
     "[" SESSION("Succeeded", JUNE) "," SESSION("Succeeded", MAY) "," SESSION("Succeeded",
                                                                              JULY) "]",
     TIMES(MAY, JULY)},
    {"no other phase", "{}",
     "[" SESSION("Failed", JUNE) "," SESSION("Running", JUNE) "," SESSION("Skipped", JUNE) "]",
     "{}"},
    {"history that is over", TIMES(MAY, JULY), "[" SESSION("Succeeded", JUNE) "]",
     TIMES(MAY, JULY)},
    {"a newer one", TIMES(MAY, JUNE), "[" SESSION("Succeeded", JULY) "]", TIMES(MAY, JULY)},
    {"odd moments", "{'firstBackupTime':7,'lastBackupTime':'soon'}",
     "[" SESSION("Succeeded", "soon") ",7,{}," SESSION("Succeeded", JUNE) "]", TIMES(JUNE, JUNE)},
    {"odd lists", "{}", "'odd'", "{}"},
};

START_TEST(times_follow)
    {
        AUTO(json) json_t *status = json_row(rows[_i].status);
        AUTO(json) json_t *sessions = json_row(rows[_i].sessions);
        AUTO(json) json_t *wanted = json_row(rows[_i].next);

        repository_times_put(status, sessions);
        ck_assert_msg(tree_equal(status, wanted), "%s", rows[_i].what);
    }
END_TEST

SUITE(controllers_repository_times)
{
    suite_rows(tests, times_follow, rows);
}
