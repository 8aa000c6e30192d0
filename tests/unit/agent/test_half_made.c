#include "agent/half_made.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/memory.h"
#include "base/auto.h"
#include "base/text.h"
#include "tests/unit/suite.h"

/* RS5: what lies in a folder (with a slash at its end: a folder; "->": a link), and whether that is
 * what somebody left who was killed while he made a repository. */
static const struct {
    const char *names[8];
    bool half_made;
} rows[] = {
    {{"data/"}, true},
    {{"data/", "data/00/", "data/ff/", "index/", "keys/", "locks/", "snapshots/"}, true},
    {{"data/", "keys/", "keys/1234"}, true},
    {{"lost+found/", "keys/", "keys/1234"}, true},
    {{"lost+found/", "lost+found/#12"}, false},
    {{"keys/", "keys/1234", "keys/1234-tmp-5"}, true},
    {{"data/", "data/00/", "data/00/0012"}, false},
    {{"data/", "data/0012"}, false},
    {{"data/", "data/000/"}, false},
    {{"data/", "data/00/", "data/00/00/"}, false},
    {{"keys/", "keys/1234", "snapshots/", "snapshots/1234"}, false},
    {{"keys/", "keys/1234", "index/", "index/1234"}, false},
    {{"keys/", "keys/1234", "locks/", "locks/1234"}, false},
    {{"keys/", "keys/1234", "config"}, false},
    {{"keys/", "keys/1234", "diary"}, false},
    {{"keys/", "keys/1234", "diary/"}, false},
    {{"keys/", "keys/->"}, false},
    {{"keys/", "keys/deep/"}, false},
    {{"keys"}, false},
    {{"data->"}, false},
};

static void put(const char *folder, const char *name)
{
    AUTO(free) char *path = text_format("%s/%s", folder, name);
    size_t length = strlen(path);

    if (path[length - 1] == '/')
        ck_assert_int_eq(mkdir(path, 0700), 0);
    else if (path[length - 1] == '>')
        ck_assert_int_eq(symlink("/etc", path), 0);
    else
        ck_assert_int_eq(close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600)), 0);
}

START_TEST(what_is_half_made_is_cleared)
    {
        char folder[] = "/tmp/granary-half-XXXXXX";
        bool are_left = true;

        ck_assert(mkdtemp(folder) != NULL);
        for (size_t i = 0; rows[_i].names[i]; i++)
            put(folder, rows[_i].names[i]);
        ck_assert_int_eq(half_made_clear(folder), rows[_i].half_made);
        for (size_t i = 0; rows[_i].names[i]; i++) {
            AUTO(free) char *path = text_format("%s/%s", folder, rows[_i].names[i]);
            struct stat status;
            bool is_there = lstat(path, &status) == 0;

            are_left = are_left && (is_there || rows[_i].half_made);
            ck_assert(!rows[_i].half_made || !is_there || S_ISDIR(status.st_mode));
        }
        ck_assert(are_left);
        scratch_remove(folder);
        ck_assert(!half_made_clear(folder));
    }
END_TEST

SUITE(agent_half_made)
{
    suite_rows(tests, what_is_half_made_is_cleared, rows);
}
