#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/tree.h"
#include "kube/catalog.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

/* How long a callback is waited for: it should come within 0.1 s, or 0.6 s where no event tells. */
#define PATIENCE_S 20

/* How long nothing must happen: longer than a change needs to be reported. */
#define SILENCE_MS 400

/* What one test follows. The callback runs in the watch's thread. */
struct following {
    struct folder folder;
    char *path; /* what is followed */
    struct catalog_watch *watch;
    pthread_mutex_t lock;
    pthread_cond_t called;
    unsigned calls;
    bool held; /* callbacks wait */
};

static void called(void *context)
{
    struct following *following = context;

    pthread_mutex_lock(&following->lock);
    following->calls++;
    pthread_cond_broadcast(&following->called);
    while (following->held)
        pthread_cond_wait(&following->called, &following->lock);
    pthread_mutex_unlock(&following->lock);
}

/* Follows DIR/c (a folder with a.yaml in it), or another path in DIR. */
static void start(struct following *following, const char *path)
{
    struct error err = {0};

    following->path = folder_path(&following->folder, path);
    following->watch = catalog_watch_start(following->path, called, following, &err);
    ck_assert_msg(following->watch != NULL, "%s", err.message);
}

static struct following prepare(void)
{
    struct following following = {.folder = folder_make(),
                                  .lock = PTHREAD_MUTEX_INITIALIZER,
                                  .called = PTHREAD_COND_INITIALIZER};

    folder_make_folder(&following.folder, "c");
    folder_write(&following.folder, "c/a.yaml", "{apiVersion: v1, kind: A}\n");
    return following;
}

static void auto_following(struct following *following)
{
    catalog_watch_stop(following->watch);
    free(following->path);
    folder_done(&following->folder);
}

static unsigned calls(struct following *following)
{
    pthread_mutex_lock(&following->lock);

    unsigned count = following->calls;

    pthread_mutex_unlock(&following->lock);
    return count;
}

static void hold(struct following *following, bool held)
{
    pthread_mutex_lock(&following->lock);
    following->held = held;
    pthread_cond_broadcast(&following->called);
    pthread_mutex_unlock(&following->lock);
}

/* Waits until there have been more calls than `*before`, and says how many. False: none came. */
static bool next_call(struct following *following, unsigned *before)
{
    struct timespec end;
    int number = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&following->lock);
    while (following->calls <= *before && number == 0)
        number = pthread_cond_timedwait(&following->called, &following->lock, &end);
    *before = following->calls;
    pthread_mutex_unlock(&following->lock);
    return number == 0;
}

static void wait_for_call(struct following *following)
{
    unsigned before = 0;

    ck_assert_msg(next_call(following, &before), "no call");
}

/* The kinds in what is followed, such as "A,B", or the message. */
static char *kinds(const struct following *following)
{
    struct error err = {0};
    struct text out = {0};
    const json_t *object;
    size_t i;
    AUTO(json) json_t *objects = catalog_read(following->path, NULL, &err);

    if (!objects)
        text_puts(&out, err.message + strlen(following->path));
    tree_items (objects, i, object)
        text_addf(&out, "%s%s", i ? "," : "", tree_text(object, "kind"));
    return text_take(&out);
}

/* Waits until what is read after a call is this. */
static void wait_for_kinds(struct following *following, unsigned before, const char *wanted)
{
    AUTO(free) char *got = text_dup("nothing", 7);

    while (strcmp(got, wanted) != 0) {
        ck_assert_msg(next_call(following, &before), "\"%s\" instead of \"%s\"", got, wanted);
        free(got);
        got = kinds(following);
    }
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* One thing that happens to the folder. */
enum what { WRITE, FOLDER, LINK, MOVE, REMOVE, FORBID, ALLOW };

struct action {
    enum what what;
    const char *name, *text; /* of a file; target of a link or move */
};

static void act(const struct folder *folder, const struct action *action)
{
    AUTO(free) char *path = folder_path(folder, action->name);

    switch (action->what) {
    case WRITE:
        folder_write(folder, action->name, action->text);
        break;
    case FOLDER:
        folder_make_folder(folder, action->name);
        break;
    case LINK:
        folder_link(folder, action->name, action->text);
        break;
    case MOVE:
        folder_move(folder, action->name, action->text);
        break;
    case REMOVE:
        folder_remove(folder, action->name);
        break;
    case FORBID:
        ck_assert_int_eq(chmod(path, 0), 0);
        break;
    case ALLOW:
        ck_assert_int_eq(chmod(path, 0644), 0);
        break;
    }
}

#define KIND(k) "{apiVersion: v1, kind: " k "}\n"

static const struct {
    const char *what, *path; /* followed; "c" when NULL */
    struct action before[6], then[4];
    const char *wanted;     /* what is read after the first steps */
    struct action again[4]; /* further steps, which only a watch that was renewed sees */
    const char *wanted_again;
} rows[] = {
    {.what = "a new file, then changed in place",
     .then = {{WRITE, "c/b.yaml", KIND("B")}},
     .wanted = "A,B",
     .again = {{WRITE, "c/b.yaml", KIND("C")}},
     .wanted_again = "A,C"},
    {.what = "replaced atomically, then removed",
     .then = {{WRITE, "new", KIND("B")}, {MOVE, "new", "c/a.yaml"}},
     .wanted = "B",
     .again = {{REMOVE, "c/a.yaml", NULL}},
     .wanted_again = ""},
    {.what = "a new folder with a file, then that file",
     .then = {{FOLDER, "c/s", NULL}, {FOLDER, "c/s/t", NULL}, {WRITE, "c/s/t/b.yaml", KIND("B")}},
     .wanted = "A,B",
     .again = {{WRITE, "c/s/t/b.yaml", KIND("C")}},
     .wanted_again = "A,C"},
    {.what = "a folder moved in, changed and moved out",
     .before = {{FOLDER, "s", NULL}, {WRITE, "s/b.yaml", KIND("B")}},
     .then = {{MOVE, "s", "c/s"}, {WRITE, "c/s/b.yaml", KIND("C")}},
     .wanted = "A,C",
     .again = {{MOVE, "c/s", "s"}},
     .wanted_again = "A"},
    {.what = "a folder renamed, then a file in it",
     .before = {{FOLDER, "c/s", NULL}, {WRITE, "c/s/b.yaml", KIND("B")}},
     .then = {{MOVE, "c/s", "c/t"}, {REMOVE, "c/a.yaml", NULL}},
     .wanted = "B",
     .again = {{WRITE, "c/t/b.yaml", KIND("C")}},
     .wanted_again = "C"},
    {.what = "a folder removed, and there again",
     .before = {{FOLDER, "c/s", NULL}, {WRITE, "c/s/b.yaml", KIND("B")}},
     .then = {{REMOVE, "c/s/b.yaml", NULL}, {REMOVE, "c/s", NULL}},
     .wanted = "A",
     .again = {{FOLDER, "c/s", NULL}, {WRITE, "c/s/b.yaml", KIND("C")}},
     .wanted_again = "A,C"},
    {.what = "the link of a ConfigMap mount is turned",
     .before = {{FOLDER, "c/..1", NULL},
                {WRITE, "c/..1/b.yaml", KIND("B")},
                {LINK, "c/..data", "..1"},
                {LINK, "c/b.yaml", "..data/b.yaml"},
                {FOLDER, "c/..2", NULL},
                {WRITE, "c/..2/b.yaml", KIND("C")}},
     .then = {{LINK, "c/..tmp", "..2"}, {MOVE, "c/..tmp", "c/..data"}},
     .wanted = "A,C",
     .again = {{LINK, "c/..tmp", "..1"}, {MOVE, "c/..tmp", "c/..data"}},
     .wanted_again = "A,B"},
    {.what = "the target of a link, elsewhere",
     .before = {{WRITE, "b", KIND("B")}, {LINK, "c/b.yaml", "../b"}},
     .then = {{WRITE, "b", KIND("C")}},
     .wanted = "A,C",
     .again = {{WRITE, "new", KIND("D")}, {MOVE, "new", "b"}},
     .wanted_again = "A,D"},
    {.what = "a folder behind a link",
     .before = {{FOLDER, "s", NULL}, {LINK, "c/s", "../s"}},
     .then = {{WRITE, "s/b.yaml", KIND("B")}},
     .wanted = "A,B",
     .again = {{REMOVE, "c/s", NULL}},
     .wanted_again = "A"},
    {.what = "the folder itself is gone, and made again",
     .then = {{REMOVE, "c/a.yaml", NULL}, {REMOVE, "c", NULL}},
     .wanted = ": No such file or directory",
     .again = {{FOLDER, "c", NULL}, {WRITE, "c/b.yaml", KIND("B")}},
     .wanted_again = "B"},
    {.what = "the folder itself is replaced",
     .before = {{FOLDER, "d", NULL}, {WRITE, "d/b.yaml", KIND("B")}},
     .then = {{MOVE, "c", "old"}, {MOVE, "d", "c"}},
     .wanted = "B",
     .again = {{WRITE, "c/b.yaml", KIND("C")}},
     .wanted_again = "C"},
    {.what = "the folder is a link, which is turned",
     .path = "l",
     .before = {{LINK, "l", "c"}, {FOLDER, "d", NULL}, {WRITE, "d/b.yaml", KIND("B")}},
     .then = {{LINK, "m", "d"}, {MOVE, "m", "l"}},
     .wanted = "B",
     .again = {{WRITE, "d/b.yaml", KIND("C")}},
     .wanted_again = "C"},
    {.what = "a link on the way to the folder is turned",
     .path = "l/x",
     .before = {{FOLDER, "d", NULL},
                {FOLDER, "d/x", NULL},
                {FOLDER, "e", NULL},
                {FOLDER, "e/x", NULL},
                {WRITE, "e/x/b.yaml", KIND("B")},
                {LINK, "l", "d"}},
     .then = {{LINK, "m", "e"}, {MOVE, "m", "l"}},
     .wanted = "B",
     .again = {{WRITE, "e/x/b.yaml", KIND("C")}},
     .wanted_again = "C"},
    {.what = "a single file, in place and replaced",
     .path = "c/a.yaml",
     .then = {{WRITE, "c/a.yaml", KIND("B")}},
     .wanted = "B",
     .again = {{WRITE, "new", KIND("C")}, {MOVE, "new", "c/a.yaml"}},
     .wanted_again = "C"},
    {.what = "a broken file, then repaired",
     .then = {{WRITE, "c/a.yaml", "{"}},
     .wanted = "/a.yaml:2:1: did not find expected node content",
     .again = {{WRITE, "c/a.yaml", KIND("B")}},
     .wanted_again = "B"},
};

static void act_all(const struct folder *folder, const struct action *actions, size_t count)
{
    for (size_t i = 0; i < count && actions[i].name; i++)
        act(folder, &actions[i]);
}

START_TEST(follows)
    {
        AUTO(following) struct following following = prepare();

        act_all(&following.folder, rows[_i].before, 6);
        start(&following, rows[_i].path ? rows[_i].path : "c");
        act_all(&following.folder, rows[_i].then, 4);
        wait_for_kinds(&following, 0, rows[_i].wanted);

        unsigned before = calls(&following);

        act_all(&following.folder, rows[_i].again, 4);
        wait_for_kinds(&following, before, rows[_i].wanted_again);
    }
END_TEST

/* What becomes readable is told. */
START_TEST(follows_permissions)
    {
        AUTO(following) struct following following = prepare();

        act(&following.folder, &(struct action){FORBID, "c/a.yaml", NULL});
        start(&following, "c");
        act(&following.folder, &(struct action){ALLOW, "c/a.yaml", NULL});
        wait_for_call(&following);
    }
END_TEST

/* Many changes without a pause are reported while they go on. */
START_TEST(does_not_postpone_for_ever)
    {
        AUTO(following) struct following following = prepare();
        unsigned written = 0;

        start(&following, "c");
        for (; !calls(&following); written++) {
            ck_assert_uint_lt(written, PATIENCE_S * 100);
            folder_write(&following.folder, "c/a.yaml", KIND("B"));
            pause_ms(10);
        }
        /* and not each by itself */
        ck_assert_uint_gt(written, 8);
    }
END_TEST

START_TEST(ignores_hidden_files)
    {
        AUTO(following) struct following following = prepare();

        start(&following, "c");
        folder_write(&following.folder, "c/.a.yaml.swp", "x");
        folder_write(&following.folder, "beside", "x");
        folder_remove(&following.folder, "c/.a.yaml.swp");
        pause_ms(SILENCE_MS);
        ck_assert_uint_eq(calls(&following), 0);
    }
END_TEST

/* When the kernel's queue runs over, what happened last is lost: here, the only change. */
START_TEST(survives_an_overflow)
    {
        AUTO(following) struct following following = prepare();
        AUTO(fclose) FILE *setting = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
        unsigned long room = 0;

        ck_assert_ptr_nonnull(setting);
        ck_assert_int_eq(fscanf(setting, "%lu", &room), 1);
        ck_assert_uint_lt(room, 1000000);

        start(&following, "c");
        hold(&following, true);
        folder_write(&following.folder, "c/a.yaml", KIND("B"));
        wait_for_call(&following);
        for (unsigned long i = 0; i <= room / 2; i++) {
            folder_write(&following.folder, "c/.hidden", "x");
            folder_remove(&following.folder, "c/.hidden");
        }
        folder_write(&following.folder, "c/a.yaml", KIND("C"));
        hold(&following, false);
        wait_for_kinds(&following, 1, "C");
    }
END_TEST

/* What happens while the callback runs is told by another one. */
START_TEST(sees_changes_during_the_callback)
    {
        AUTO(following) struct following following = prepare();

        start(&following, "c");
        hold(&following, true);
        folder_write(&following.folder, "c/a.yaml", KIND("B"));
        wait_for_call(&following);
        folder_make_folder(&following.folder, "c/s");
        folder_write(&following.folder, "c/s/b.yaml", KIND("C"));
        hold(&following, false);
        wait_for_kinds(&following, 1, "B,C");
    }
END_TEST

START_TEST(stops_at_once_and_for_ever)
    {
        AUTO(following) struct following following = prepare();

        start(&following, "c");
        folder_write(&following.folder, "c/a.yaml", KIND("B"));
        catalog_watch_stop(following.watch);
        following.watch = NULL;

        unsigned before = calls(&following);

        folder_write(&following.folder, "c/a.yaml", KIND("C"));
        pause_ms(SILENCE_MS);
        ck_assert_uint_eq(calls(&following), before);
        catalog_watch_stop(NULL);
    }
END_TEST

START_TEST(starts_and_stops_without_leaks)
    {
        AUTO(following) struct following following = prepare();
        int first = dup(STDIN_FILENO);

        close(first);
        for (int i = 0; i < 20; i++) {
            start(&following, "c");
            catalog_watch_stop(following.watch);
            free(following.path);
        }
        following.watch = NULL;
        following.path = NULL;

        int last = dup(STDIN_FILENO);

        close(last);
        ck_assert_int_eq(first, last);
    }
END_TEST

START_TEST(needs_something_to_follow)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *path = folder_path(&folder, "none");
        struct error err = {0};

        ck_assert_ptr_null(catalog_watch_start(path, called, NULL, &err));
        ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
        ck_assert_ptr_nonnull(strstr(err.message, "/none: does not exist"));
    }
END_TEST

/* A program that has no file descriptors left hears it at the start, not by missing changes. */
START_TEST(needs_descriptors)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct rlimit before, none;
        struct error err = {0};

        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = (struct rlimit){0, before.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);

        struct catalog_watch *watch = catalog_watch_start(folder.path, called, NULL, &err);

        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        ck_assert_ptr_null(watch);
        ck_assert_int_eq(err.code, ERROR_INTERNAL);
        ck_assert_ptr_nonnull(strstr(err.message, " can not be watched: Too many open files"));
    }
END_TEST

SUITE(kube_catalog_watch)
{
    suite_rows(tests, follows, rows);
    tcase_add_test(tests, follows_permissions);
    tcase_add_test(tests, does_not_postpone_for_ever);
    tcase_add_test(tests, ignores_hidden_files);
    tcase_add_test(tests, survives_an_overflow);
    tcase_add_test(tests, sees_changes_during_the_callback);
    tcase_add_test(tests, stops_at_once_and_for_ever);
    tcase_add_test(tests, starts_and_stops_without_leaks);
    tcase_add_test(tests, needs_something_to_follow);
    tcase_add_test(tests, needs_descriptors);
}
