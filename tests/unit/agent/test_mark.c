#include "agent/mark.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/memory.h"
#include "base/auto.h"
#include "base/text.h"
#include "tests/unit/suite.h"

#define UID "5f0d8a3e-6b0f-4f0e-9a55-0b6f7a1c2d3e"

static const struct {
    const char *text;
    enum mark_state state;
    const char *uid;
} marks[] = {
    {"done " UID, MARK_DONE, UID},
    {"restoring " UID "\n", MARK_RESTORING, UID},
    {"done fresh", MARK_DONE, "fresh"},
    {"", MARK_NONE, ""},
    {"done", MARK_NONE, ""},
    {"done ", MARK_NONE, ""},
    {"finished x", MARK_NONE, ""},
    {"Done x", MARK_NONE, ""},
    {"done 0123456789012345678901234567890123456789012345678901234567890123", MARK_NONE, ""},
};

START_TEST(marks_are_read)
    {
        struct mark mark;

        mark_parse(span_of(marks[_i].text), &mark);
        ck_assert_int_eq(mark.state, marks[_i].state);
        ck_assert_str_eq(mark.uid, marks[_i].uid);
    }
END_TEST

START_TEST(marks_are_written)
    {
        char folder[] = "/tmp/granary-mark-XXXXXX";
        AUTO(free) char *file = NULL;
        struct mark mark;
        struct error err = {.message = ""};

        ck_assert(mkdtemp(folder) != NULL);
        file = text_format("%s/" MARK_FILE, folder);
        mark_read(folder, &mark);
        ck_assert_int_eq(mark.state, MARK_NONE);
        ck_assert(volume_is_empty(folder));
        ck_assert(mark_write(folder, MARK_RESTORING, UID, &err));
        ck_assert(mark_write(folder, MARK_DONE, UID, &err));
        mark_read(folder, &mark);
        ck_assert_int_eq(mark.state, MARK_DONE);
        ck_assert_str_eq(mark.uid, UID);
        ck_assert(volume_is_empty(folder));
        /* what the application puts there is no way out of the volume */
        removexattr(folder, MARK_ATTRIBUTE);
        unlink(file);
        ck_assert_int_eq(symlink("/etc/passwd", file), 0);
        mark_read(folder, &mark);
        ck_assert_int_eq(mark.state, MARK_NONE);
        scratch_remove(folder);
        ck_assert(access(folder, F_OK) != 0);
        ck_assert(!mark_write(folder, MARK_DONE, UID, &err));
        ck_assert(!volume_is_empty(folder));
    }
END_TEST

START_TEST(emptiness_is_known)
    {
        char folder[] = "/tmp/granary-mark-XXXXXX";
        AUTO(free) char *lost = NULL;
        AUTO(free) char *hidden = NULL;

        ck_assert(mkdtemp(folder) != NULL);
        lost = text_format("%s/lost+found", folder);
        hidden = text_format("%s/.hidden", folder);
        ck_assert_int_eq(mkdir(lost, 0700), 0);
        ck_assert(volume_is_empty(folder));
        ck_assert_int_eq(mkdir(hidden, 0700), 0);
        ck_assert(!volume_is_empty(folder));
        scratch_remove(folder);
    }
END_TEST

/* Two volumes: what their marks say, whether there is a file, and what is told. */
static const struct {
    const char *marks[2];
    bool files[2];
    const char *told, *after; /* after those that are empty have started fresh */
    int half;                 /* -1: none */
} volumes[] = {
    {{NULL, NULL}, {false, false}, "fresh", "fresh", -1},
    {{"done a", "done a"}, {true, true}, "restored a", "restored a", -1},
    {{"done a", NULL}, {true, false}, "restored a", "restored a", -1},
    {{"done a", "done fresh"}, {true, true}, "restored a", "restored a", -1},
    {{"done fresh", "done fresh"}, {true, false}, "fresh", "fresh", -1},
    {{"done a", "done b"}, {true, true}, "data", "data", -1},
    {{"done a", NULL}, {true, true}, "data", "data", -1},
    {{NULL, "done fresh"}, {true, true}, "data", "data", -1},
    {{NULL, "restoring a"}, {false, false}, "data", "data", 1},
};

START_TEST(volumes_are_told)
    {
        char folders[2][32] = {"/tmp/granary-mark-XXXXXX", "/tmp/granary-mark-XXXXXX"};
        AUTO(words) struct words mounts = {0};
        AUTO(text) struct text told = {0};
        AUTO(text) struct text after = {0};
        struct error err = {.message = ""};
        const char *half;

        for (int i = 0; i < 2; i++) {
            struct mark mark = {MARK_NONE, ""};

            ck_assert(mkdtemp(folders[i]) != NULL);
            words_add(&mounts, folders[i]);
            if (volumes[_i].files[i]) {
                AUTO(free) char *file = text_format("%s/file", folders[i]);

                ck_assert_int_eq(mkdir(file, 0700), 0);
            }
            mark_parse(span_of(volumes[_i].marks[i] ? volumes[_i].marks[i] : ""), &mark);
            if (mark.state != MARK_NONE)
                ck_assert(mark_write(folders[i], mark.state, mark.uid, &err));
        }
        volumes_tell(&mounts, &told);
        ck_assert_str_eq(text_get(&told), volumes[_i].told);
        half = volumes_half_restored(&mounts);
        ck_assert(volumes[_i].half < 0 ? !half : half == mounts.list[volumes[_i].half]);
        ck_assert(volumes_start_fresh(&mounts, &err));
        volumes_tell(&mounts, &after);
        ck_assert_str_eq(text_get(&after), volumes[_i].after);
        scratch_remove(folders[0]);
        scratch_remove(folders[1]);
    }
END_TEST

#define LINE(path, options)                                                                        \
    "36 35 98:0 /mnt1 " path " " options ",noatime master:1 - ext3 /dev/root rw\n"

static const char mountinfo[] =
    LINE("/", "rw") LINE("/proc", "rw") LINE("/proc/x", "rw") LINE("/dev/termination-log", "rw")
        LINE("/etc/hosts", "rw") LINE("/etc/hostsfile", "rw") LINE("/data", "rw")
            LINE("/data/inner", "rw") LINE("/config", "ro") LINE("/with\\040blank", "rw")
                LINE("/stash-tmp", "rw") LINE("/var/run/secrets/kubernetes.io/serviceaccount", "ro")
                    LINE("/processed", "rw") "nonsense\n1 2 3\n";

START_TEST(mounts_are_found)
    {
        static const char *const wanted[] = {"/etc/hostsfile", "/data", "/data/inner",
                                             "/with blank", "/processed"};
        static const char *const ours[] = {"/stash-tmp", NULL};
        AUTO(words) struct words mounts = {0};

        mounts_parse(&mounts, span_of(mountinfo), ours);
        ck_assert_uint_eq(mounts.count, sizeof wanted / sizeof *wanted);
        for (size_t i = 0; i < mounts.count; i++)
            ck_assert_str_eq(mounts.list[i], wanted[i]);
        ck_assert_str_eq(mount_of(&mounts, "/data"), "/data");
        ck_assert_str_eq(mount_of(&mounts, "/data/x"), "/data");
        ck_assert_str_eq(mount_of(&mounts, "/data/inner/x"), "/data/inner");
        ck_assert_str_eq(mount_of(&mounts, "/data/innermost"), "/data");
        ck_assert_str_eq(mount_of(&mounts, "/database"), "/database");
    }
END_TEST

static const struct {
    const char *text;
    int64_t bytes;
} limits[] = {
    {"134217728\n", 134217728}, {"max\n", 0}, {"", 0},
    {"9223372036854771712", 0}, {"12x", 0},   {"99999999999999999999999", 0},
};

START_TEST(memory_limits_are_read)
    {
        ck_assert_int_eq(memory_limit_parse(span_of(limits[_i].text)), limits[_i].bytes);
    }
END_TEST

/* What containers find at /sys/fs/cgroup: v2, v1, and both beside each other. */
static const struct {
    const char *v2, *v1; /* NULL: there is no such file */
    int64_t bytes;
} hierarchies[] = {
    {"134217728\n", NULL, 134217728},
    {"max\n", NULL, 0},
    {NULL, "67108864\n", 67108864},
    {NULL, "9223372036854771712\n", 0},
    /* v2 has no such file at its root, nor where v1 has the memory controller */
    {NULL, NULL, 0},
    {"max\n", "67108864\n", 67108864},
    {"134217728\n", "67108864\n", 134217728},
    {"", NULL, 0},
};

static void put_file(const char *folder, const char *name, const char *text)
{
    AUTO(free) char *path = text_format("%s/%s", folder, name);
    AUTO(close) int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
}

START_TEST(cgroups_of_both_kinds_are_read)
    {
        char folder[] = "/tmp/granary-cgroup-XXXXXX";
        AUTO(free) char *inner = NULL;

        ck_assert(mkdtemp(folder) != NULL);
        inner = text_format("%s/memory", folder);
        ck_assert_int_eq(mkdir(inner, 0700), 0);
        if (hierarchies[_i].v2)
            put_file(folder, "memory.max", hierarchies[_i].v2);
        if (hierarchies[_i].v1)
            put_file(inner, "memory.limit_in_bytes", hierarchies[_i].v1);
        ck_assert_int_eq(memory_limit_at(folder), hierarchies[_i].bytes);
        scratch_remove(folder);
    }
END_TEST

START_TEST(caches_are_bounded)
    {
        char folder[] = "/tmp/granary-cache-XXXXXX";
        AUTO(free) char *inner = NULL;
        AUTO(free) char *file = NULL;
        char bytes[8192] = "x";

        ck_assert(mkdtemp(folder) != NULL);
        inner = text_format("%s/data", folder);
        file = text_format("%s/data/x", folder);
        ck_assert_int_eq(mkdir(inner, 0700), 0);
        {
            AUTO(close) int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

            ck_assert_int_eq(write(fd, bytes, sizeof bytes), sizeof bytes);
            fsync(fd);
        }
        cache_bound(folder, 1 << 20);
        ck_assert(access(file, F_OK) == 0);
        cache_bound(folder, 4096);
        ck_assert(access(file, F_OK) != 0);
        ck_assert(access(inner, F_OK) == 0);
        scratch_remove(folder);
        cache_bound(folder, 0);
        ck_assert(memory_of(getpid()) > 0);
    }
END_TEST

SUITE(agent_mark)
{
    suite_rows(tests, volumes_are_told, volumes);
    suite_rows(tests, marks_are_read, marks);
    tcase_add_test(tests, marks_are_written);
    tcase_add_test(tests, emptiness_is_known);
    tcase_add_test(tests, mounts_are_found);
    suite_rows(tests, memory_limits_are_read, limits);
    suite_rows(tests, cgroups_of_both_kinds_are_read, hierarchies);
    tcase_add_test(tests, caches_are_bounded);
}
