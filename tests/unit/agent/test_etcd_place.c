#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/etcd_in_use.h"
#include "agent/etcd_member.h"
#include "agent/etcd_place.h"
#include "base/auto.h"
#include "base/text.h"
#include "tests/unit/suite.h"

static char folder[32];

static void set_up(void)
{
    strcpy(folder, "/tmp/granary-etcd-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void tear_down(void)
{
    struct error err = {.message = ""};

    ck_assert_msg(dir_remove(AT_FDCWD, folder, &err), "%s", err.message);
}

static char *path_of(const char *name)
{
    return text_format("%s/%s", folder, name);
}

static void put(const char *name, const char *content)
{
    AUTO(free) char *path = path_of(name);
    AUTO(fclose) FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(content, file);
}

static void make_folder(const char *name)
{
    AUTO(free) char *path = path_of(name);

    ck_assert_int_eq(mkdir(path, 0700), 0);
}

/* Its first line; NULL: there is no such file. Static memory. */
static const char *content(const char *name)
{
    static char line[64];
    AUTO(free) char *path = path_of(name);
    AUTO(fclose) FILE *file = fopen(path, "r");

    return file ? fgets(line, sizeof line, file) : NULL;
}

static void make_member(const char *of, const char *data)
{
    static const char *const parts[] = {"", "/member", "/member/snap", "/member/wal"};
    AUTO(free) char *database = text_format("%s/member/snap/db", of);

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        AUTO(free) char *part = text_format("%s/%s%s", folder, of, parts[i]);

        if (mkdir(part, 0700) != 0)
            ck_assert(i == 0);
    }
    put(database, data);
}

static bool make_new(void *context, const char *into, struct error *err)
{
    const char *data = context;
    const char *below = into + strlen(folder) + 1;

    if (!data)
        return error_set(err, ERROR_INTERNAL, "no snapshot");
    make_member(below, data);
    return true;
}

static bool run(const struct etcd_wish *wish, char kept[64], struct error *err)
{
    AUTO(free) char *path = path_of("data");
    AUTO(etcd_place) struct etcd_place place = {path, -1};

    return etcd_place_open(&place, path, err) && etcd_place_run(&place, wish, kept, err);
}

static struct etcd_wish restore_of(const char *id, const char *data, int64_t now_ms)
{
    return (struct etcd_wish){
        .id = id, .now_ms = now_ms, .make = make_new, .context = (void *)data};
}

#define NOW_MS 1767225600123 /* 2026-01-01T00:00:00.123Z */

START_TEST(a_restore_and_back)
    {
        struct etcd_wish restore = restore_of("a", "new", NOW_MS);
        struct etcd_wish undo = {.undo = true, .id = "", .now_ms = NOW_MS + 1};
        struct error err = {.message = ""};
        char kept[64];

        make_member("data", "old");
        put("data/member_id", "of the chart");
        make_folder("data/lost+found");
        ck_assert_msg(run(&restore, kept, &err), "%s", err.message);
        ck_assert_str_eq(kept, ".granary-etcd-20260101T000000.123Z");
        ck_assert_str_eq(content("data/member/snap/db"), "new");
        ck_assert_ptr_null(content("data/member_id"));
        ck_assert_str_eq(content("data/.granary-etcd-20260101T000000.123Z/aside/member/snap/db"),
                         "old");
        ck_assert_str_eq(content("data/.granary-etcd-20260101T000000.123Z/aside/member_id"),
                         "of the chart");
        /* again: nothing has run on it */
        ck_assert(run(&restore, kept, &err));
        ck_assert_str_eq(kept, "");
        ck_assert_msg(run(&undo, kept, &err), "%s", err.message);
        ck_assert_str_eq(content("data/member/snap/db"), "old");
        ck_assert_str_eq(content("data/member_id"), "of the chart");
        ck_assert_str_eq(content("data/.granary-etcd-20260101T000000.123Z/made/member/snap/db"),
                         "new");
        /* and again */
        ck_assert(run(&undo, kept, &err));
        ck_assert_str_eq(kept, "");
        ck_assert_str_eq(content("data/member/snap/db"), "old");
    }
END_TEST

/* A session undoes what it has replaced itself, and nothing that was there before it. */
START_TEST(a_session_undoes_its_own)
    {
        struct etcd_wish first = restore_of("a", "first", NOW_MS);
        struct etcd_wish second = restore_of("b", "second", NOW_MS + 1);
        struct etcd_wish undo = {.undo = true, .id = "", .session = "s-2", .now_ms = NOW_MS + 2};
        struct error err = {.message = ""};
        char kept[64];

        strcpy(first.journal.session, "s-1");
        strcpy(second.journal.session, "s-2");
        make_member("data", "old");
        ck_assert_msg(run(&undo, kept, &err), "%s", err.message);
        ck_assert_str_eq(content("data/member/snap/db"), "old");
        ck_assert_msg(run(&first, kept, &err), "%s", err.message);
        ck_assert_msg(run(&undo, kept, &err), "%s", err.message);
        ck_assert_str_eq(content("data/member/snap/db"), "first");
        ck_assert_msg(run(&second, kept, &err), "%s", err.message);
        ck_assert_msg(run(&undo, kept, &err), "%s", err.message);
        ck_assert_str_eq(content("data/member/snap/db"), "first");
        ck_assert_msg(run(&undo, kept, &err), "%s", err.message);
        ck_assert_str_eq(content("data/member/snap/db"), "first");
    }
END_TEST

START_TEST(what_can_not_be_made_changes_nothing)
    {
        struct etcd_wish restore = restore_of("a", NULL, NOW_MS);
        struct error err = {.message = ""};
        AUTO(free) char *work = path_of("data/" ETCD_WORK);
        char kept[64];

        make_member("data", "old");
        ck_assert(!run(&restore, kept, &err));
        ck_assert_str_eq(err.message, "no snapshot");
        ck_assert_str_eq(content("data/member/snap/db"), "old");
        ck_assert_int_ne(access(work, F_OK), 0);
    }
END_TEST

START_TEST(a_data_dir_that_is_gone_is_made)
    {
        struct etcd_wish restore = restore_of("a", "new", NOW_MS);
        struct error err = {.message = ""};
        AUTO(free) char *path = path_of("data");
        struct stat what;
        char kept[64];

        ck_assert_msg(run(&restore, kept, &err), "%s", err.message);
        ck_assert_str_eq(content("data/member/snap/db"), "new");
        ck_assert_int_eq(stat(path, &what), 0);
        ck_assert_int_eq(what.st_mode & 07777, 0700);
    }
END_TEST

/* Two in the same millisecond, and when the clock has gone back; of three the oldest is removed
 * when it is old enough, the newest never. */
START_TEST(earlier_ones_are_kept_as_long_as_wished)
    {
        struct error err = {.message = ""};
        AUTO(free) char *first = path_of("data/.granary-etcd-20260101T000000.123Z");
        AUTO(free) char *second = path_of("data/.granary-etcd-20260101T000000.124Z");
        AUTO(free) char *third = path_of("data/.granary-etcd-20260101T000001.123Z");
        struct etcd_wish wishes[] = {restore_of("a", "1", NOW_MS), restore_of("b", "2", NOW_MS - 5),
                                     restore_of("c", "3", NOW_MS + 1000)};
        char kept[64];

        wishes[2].keep_ms = 1000;
        for (size_t i = 0; i < 3; i++)
            ck_assert_msg(run(&wishes[i], kept, &err), "%s", err.message);
        ck_assert_int_ne(access(first, F_OK), 0);
        ck_assert_int_eq(access(second, F_OK), 0);
        ck_assert_int_eq(access(third, F_OK), 0);
        ck_assert_str_eq(content("data/member/snap/db"), "3");
    }
END_TEST

START_TEST(one_at_a_time)
    {
        AUTO(free) char *path = path_of("data");
        AUTO(etcd_place) struct etcd_place first = {path, -1};
        AUTO(etcd_place) struct etcd_place second = {path, -1};
        struct error err = {.message = ""};

        make_member("data", "old");
        ck_assert(etcd_place_open(&first, path, &err));
        ck_assert(!etcd_place_open(&second, path, &err));
        ck_assert_int_eq(err.code, ERROR_CONFLICT);
    }
END_TEST

/* A folder of ours that is a link leads nowhere. */
START_TEST(links_are_not_followed)
    {
        struct etcd_wish restore = restore_of("a", "new", NOW_MS);
        struct error err = {.message = ""};
        AUTO(free) char *link = path_of("data/" ETCD_WORK);
        AUTO(free) char *other = path_of("other");
        char kept[64];

        make_member("data", "old");
        make_folder("other");
        ck_assert_int_eq(symlink(other, link), 0);
        ck_assert(!run(&restore, kept, &err));
        ck_assert_str_eq(content("data/member/snap/db"), "old");
        ck_assert_int_eq(rmdir(other), 0);
    }
END_TEST

/* Catalogue ET3: who has the database locked, or a file open, works with it. */
START_TEST(who_works_with_it_is_seen)
    {
        AUTO(free) char *path = path_of("data");
        AUTO(free) char *database = path_of("data/member/snap/db");
        struct error err = {.message = ""};

        make_member("data", "old");

        AUTO(close) int data = open(path, O_RDONLY | O_DIRECTORY);
        AUTO(close) int file = open(database, O_RDWR);

        ck_assert_msg(etcd_is_unused(data, &err), "%s", err.message);
        ck_assert_int_eq(flock(file, LOCK_SH), 0);
        ck_assert(!etcd_is_unused(data, &err));
        ck_assert_int_eq(err.code, ERROR_CONFLICT);
        ck_assert_int_eq(flock(file, LOCK_UN), 0);
        ck_assert(etcd_is_unused(data, &err));
        ck_assert_int_eq(
            fcntl(file, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET}), 0);
        ck_assert(!etcd_is_unused(data, &err));
    }
END_TEST

/* ---- peer URLs ---- */

static const struct {
    const char *cluster, *name, *urls, *error;
} rows[] = {
    {"a=http://1:2380", "a", "http://1:2380", NULL},
    /* by name, not by position: etcd-10 stands before etcd-2 */
    {"etcd-0=http://0:1,etcd-1=http://1:1,etcd-10=http://10:1,etcd-2=http://2:1", "etcd-2",
     "http://2:1", NULL},
    {"b=https://1:2,a=https://2:2,b=https://3:2", "b", "https://1:2,https://3:2", NULL},
    {"a=http://1:2380", "b", NULL, "the list of members has no \"b\""},
    {"a=http://1:2380", "", NULL, "this can not be the name"},
    {"a=http://1:2380", "a b", NULL, "this can not be the name"},
    {"", "a", NULL, "the list of members has no"},
    {"a", "a", NULL, "the list of members must read"},
    {"a=", "a", NULL, "the list of members must read"},
    {"=http://1:1", "a", NULL, "the list of members must read"},
    {"a=http://1:1,b", "a", NULL, "the list of members must read"},
    {"a=http://", "a", NULL, "the list of members must read"},
    {"a=file:///etc", "a", NULL, "the list of members must read"},
    {"a=http://1:1 ", "a", NULL, "the list of members must read"},
    {"a=http://1:1\n", "a", NULL, "the list of members must read"},
};

START_TEST(peer_urls_are_found_by_name)
    {
        AUTO(text) struct text urls = {0};
        struct error err = {.message = ""};

        ck_assert_int_eq(etcd_peer_urls(rows[_i].cluster, rows[_i].name, &urls, &err),
                         rows[_i].urls != NULL);
        if (rows[_i].urls)
            ck_assert_str_eq(text_get(&urls), rows[_i].urls);
        else
            ck_assert_msg(strncmp(err.message, rows[_i].error, strlen(rows[_i].error)) == 0, "%s",
                          err.message);
    }
END_TEST

SUITE(agent_etcd_place)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_restore_and_back);
    tcase_add_test(tests, a_session_undoes_its_own);
    tcase_add_test(tests, what_can_not_be_made_changes_nothing);
    tcase_add_test(tests, a_data_dir_that_is_gone_is_made);
    tcase_add_test(tests, earlier_ones_are_kept_as_long_as_wished);
    tcase_add_test(tests, one_at_a_time);
    tcase_add_test(tests, links_are_not_followed);
    tcase_add_test(tests, who_works_with_it_is_seen);
    suite_rows(tests, peer_urls_are_found_by_name, rows);
}
