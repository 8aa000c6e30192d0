#include "agent/own_lock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/dir.h"
#include "base/auto.h"
#include "base/text.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const struct {
    const char *lock;
    enum own_lock its;
} locks[] = {
    {"{'hostname':'web-0','pid':14}", OWN_LOCK_DEAD},
    {"{'hostname':'web-0','pid':15,'exclusive':true}", OWN_LOCK_DEAD},
    {"{'hostname':'web-0','pid':16}", OWN_LOCK_UNKNOWN},
    {"{'hostname':'web-0'}", OWN_LOCK_UNKNOWN},
    {"{'hostname':'web-0','pid':'14'}", OWN_LOCK_UNKNOWN},
    {"{'hostname':'web-1','pid':14}", OWN_LOCK_OTHERS},
    {"{'hostname':'web-01','pid':14}", OWN_LOCK_OTHERS},
    {"{'hostname':'web','pid':14}", OWN_LOCK_OTHERS},
    /* whose it is nobody says */
    {"{'hostname':'','pid':14}", OWN_LOCK_UNKNOWN},
    {"{'pid':14}", OWN_LOCK_UNKNOWN},
    {"{}", OWN_LOCK_UNKNOWN},
    {"[]", OWN_LOCK_UNKNOWN},
};

START_TEST(whose_it_is)
    {
        AUTO(json) json_t *lock = json_row(locks[_i].lock);
        const int64_t pids[] = {14, 15};

        ck_assert_int_eq(own_lock_of(lock, "web-0", pids, 2), locks[_i].its);
        ck_assert_int_ne(own_lock_of(lock, "web-0", pids, 0), OWN_LOCK_DEAD);
    }
END_TEST

/* As waitpid(2) gives them. */
static const struct {
    int status;
    bool left;
} statuses[] = {
    {W_EXITCODE(0, 0), false},  {W_EXITCODE(3, 0), false},      {W_EXITCODE(11, 0), false},
    {W_EXITCODE(12, 0), false}, {W_EXITCODE(1, 0), true},       {W_EXITCODE(130, 0), true},
    {W_EXITCODE(0, 9), true},   {W_EXITCODE(0, 9 | 128), true},
};

START_TEST(when_it_may_be_left)
    {
        ck_assert_int_eq(own_lock_may_be_left(statuses[_i].status), statuses[_i].left);
    }
END_TEST

static void put_file(const char *folder, const char *name)
{
    AUTO(free) char *path = text_format("%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_ge(file, 0);
    close(file);
}

static void clear(const char *folder)
{
    struct error err;

    ck_assert(dir_remove(AT_FDCWD, folder, &err));
}

START_TEST(notes)
    {
        static const char *const others[] = {
            "restic-runs-", "restic-runs-0",           "restic-runs-1x",  "restic-runs--1",
            "restic-cache", "restic-runs-99999999999", "restic-runs- 12", "x-restic-runs-7"};
        char folder[] = "/tmp/own-lock-XXXXXX";
        int64_t pids[OWN_LOCK_NOTES_MAX];

        ck_assert_ptr_nonnull(mkdtemp(folder));
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            put_file(folder, others[i]);
        ck_assert_uint_eq(own_lock_notes(folder, pids), 0);
        own_lock_note(folder, 14);
        own_lock_note(folder, 14);
        ck_assert_uint_eq(own_lock_notes(folder, pids), 1);
        ck_assert_int_eq(pids[0], 14);
        own_lock_forget(folder, 15);
        ck_assert_uint_eq(own_lock_notes(folder, pids), 1);
        own_lock_forget(folder, 14);
        ck_assert_uint_eq(own_lock_notes(folder, pids), 0);
        for (int pid = 1; pid < 40; pid++)
            own_lock_note(folder, pid);
        ck_assert_uint_eq(own_lock_notes(folder, pids), OWN_LOCK_NOTES_MAX);
        clear(folder);
        ck_assert_uint_eq(own_lock_notes(folder, pids), 0);
        own_lock_note(folder, 14); /* there is no such folder: that is logged */
    }
END_TEST

SUITE(own_lock)
{
    suite_rows(tests, whose_it_is, locks);
    suite_rows(tests, when_it_may_be_left, statuses);
    tcase_add_test(tests, notes);
}
