#include "controllers/progress_loop.h"

#include <stdlib.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* The loop before an API server that keeps objects. */

#define TIMEOUT_MS 60000

#define SPACE "/apis/stash.appscode.com/v1beta1/namespaces/shop/"
#define BACKUP SPACE "backupsessions/s1"
#define RESTORE SPACE "restoresessions/r1"
#define BACKUP_UID "22222222-0000-4000-8000-000000000001"
#define RESTORE_UID "22222222-0000-4000-8000-000000000002"
#define OBJECT(kind, name, uid, status)                                                            \
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'" kind "','metadata':{'name':'" name       \
    "','namespace':'shop','uid':'" uid "'},'status':" status "}"
#define A_BACKUP(status) OBJECT("BackupSession", "s1", BACKUP_UID, status)
#define A_RESTORE(status) OBJECT("RestoreSession", "r1", RESTORE_UID, status)

struct stand {
    struct fake_cluster *cluster;
    struct settings_store *settings;
    struct loops *loops;
};

static void put(const struct stand *stand, const char *path, const char *row)
{
    fake_cluster_put(stand->cluster, path, json_row(row));
}

static void start(struct stand *stand)
{
    static const struct loop *const table[] = {&progress_loop, NULL};
    struct error err = {.message = ""};

    log_setup(LOG_TEXT, LOG_ERROR);
    *stand = (struct stand){.cluster = fake_cluster_start()};
    put(stand, BACKUP, A_BACKUP("{'phase':'Running'}"));
    put(stand, RESTORE, A_RESTORE("{'phase':'Running'}"));
    stand->settings = settings_store_make(NULL, false, &err);
    ck_assert_ptr_nonnull(stand->settings);

    struct loops_options options = {
        .table = table,
        .client = fake_cluster_client(stand->cluster),
        .settings = stand->settings,
        .space = "granary-system",
        .limits = {.first_ms = 1, .max_ms = 10, .rate = 1e6, .burst = 1e6},
        .watching = {.backoff_ms = 1, .backoff_max_ms = 4, .short_ms = 1},
        .lists_only = true,
    };

    stand->loops = loops_start(&options, &err);
    ck_assert_msg(stand->loops != NULL, "%s", err.message);
    ck_assert(known_wait_synced(loops_known(stand->loops), TIMEOUT_MS));
}

static void stop(struct stand *stand)
{
    kube_client_cancel(fake_cluster_client(stand->cluster));
    loops_stop(TAKE(stand->loops));
    settings_store_free(TAKE(stand->settings));
    fake_cluster_stop(stand->cluster);
}

static void say(const struct stand *stand, const char *session, int64_t done)
{
    const struct message_progress message = {
        .session = session, .host = "host-0", .attempt = 1, .bytes_done = done, .bytes_total = 100};

    progress_loop_note(stand->loops, &message);
}

/* What the session says is done; -1: nothing. */
static int64_t shown(const struct stand *stand, const char *path)
{
    AUTO(json) json_t *session = fake_cluster_get(stand->cluster, path);

    return tree_int(tree_at(session, "status.progress"), "percent", -1);
}

static void await(const struct stand *stand, const char *path, int64_t percent)
{
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < TIMEOUT_MS && shown(stand, path) != percent; i++)
        nanosleep(&pause, NULL);
    ck_assert_int_eq(shown(stand, path), percent);
}

START_TEST(progress_gets_into_the_status)
    {
        struct stand stand;

        start(&stand);
        say(&stand, BACKUP_UID, 42);
        await(&stand, BACKUP, 42);
        say(&stand, RESTORE_UID, 7);
        await(&stand, RESTORE, 7);
        stop(&stand);
    }
END_TEST

/* Somebody was faster, or it is not allowed for a while: it is said again. */
static const enum fake_failure failure_rows[] = {FAILS_CONFLICT, FAILS_REFUSED};

START_TEST(a_write_that_fails_is_tried_again)
    {
        struct stand stand;

        start(&stand);
        fake_cluster_fail(stand.cluster, 1, failure_rows[_i]);
        say(&stand, BACKUP_UID, 42);
        await(&stand, BACKUP, 42);
        stop(&stand);
    }
END_TEST

static const char *const ended_rows[] = {"{'phase':'Succeeded'}", "{'phase':'Failed'}", NULL};

/* Nothing is written to what has ended or is gone. */
START_TEST(what_comes_late_is_dropped)
    {
        struct stand stand;
        int asked;

        start(&stand);
        if (ended_rows[_i])
            put(&stand, BACKUP, A_BACKUP("{'phase':'Failed'}"));
        else
            fake_cluster_remove(stand.cluster, BACKUP);

        struct timespec pause = {.tv_nsec = 1000000};

        for (int i = 0; i < TIMEOUT_MS; i++) {
            AUTO(json)
            json_t *known = known_uid(loops_known(stand.loops), KNOWN_SESSION, BACKUP_UID);

            if (!span_is(tree_span(tree_get(known, "status"), "phase"), "Running"))
                break;
            nanosleep(&pause, NULL);
        }
        asked = fake_cluster_asked(stand.cluster);
        say(&stand, BACKUP_UID, 42);
        say(&stand, "33333333-0000-4000-8000-000000000009", 42);
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), asked);
        stop(&stand);
    }
END_TEST

SUITE(controllers_progress_loop)
{
    tcase_add_test(tests, progress_gets_into_the_status);
    tcase_add_loop_test(tests, a_write_that_fails_is_tried_again, 0, 2);
    tcase_add_loop_test(tests, what_comes_late_is_dropped, 0, 3);
}
