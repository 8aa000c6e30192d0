#include "controllers/configuration_edge.h"

#include <string.h>

#include "base/tree.h"
#include "controllers/condition.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* A leader whose caches are never behind, BackupConfiguration shop/web, and what it needs. */

/* 2026-02-17 00:00:00 UTC */
#define NOW INT64_C(1771286400)

#define KEY "shop/web"
#define STASH "/apis/stash.appscode.com/"
#define CONFIGURATION STASH "v1beta1/namespaces/shop/backupconfigurations/web"
#define REPOSITORY STASH "v1alpha1/namespaces/storage/repositories/web"
#define SECRET "/api/v1/namespaces/storage/secrets/keys"
#define TARGET "/apis/apps/v1/namespaces/shop/deployments/web"
#define CRONJOB "/apis/batch/v1/namespaces/shop/cronjobs/stash-trigger-web"

#define KIND(version, kind, space, name)                                                           \
    "'apiVersion':'" version "','kind':'" kind "','metadata':{'namespace':'" space                 \
    "','name':'" name "','generation':1}"
#define A_CONFIGURATION                                                                            \
    "{" KIND("stash.appscode.com/v1beta1", "BackupConfiguration", "shop",                          \
             "web") ",'spec':{'repository':{'name':'web','namespace':'storage'},'schedule':"       \
                    "'0 * * * *','retentionPolicy':{'name':'a','keepLast':5,'prune':true},"        \
                    "'target':{'ref':{'apiVersion':'apps/v1','kind':'Deployment','name':'web'},"   \
                    "'paths':['/data'],'volumeMounts':[{'name':'data','mountPath':'/data'}]}}}"
#define A_REPOSITORY                                                                               \
    "{" KIND("stash.appscode.com/v1alpha1", "Repository", "storage",                               \
             "web") ",'spec':{'backend':{'s3':{'endpoint':'s3','bucket':'b'},"                     \
                    "'storageSecretName':'keys'},'usagePolicy':{'allowedNamespaces':{'from':"      \
                    "'All'}}}}"
#define A_SECRET                                                                                   \
    "{" KIND("v1", "Secret", "storage", "keys") ",'data':{'RESTIC_PASSWORD':'c2VjcmV0'}}"
#define A_TARGET "{" KIND("apps/v1", "Deployment", "shop", "web") "}"
#define A_FOREIGN                                                                                  \
    "{" KIND("batch/v1", "CronJob", "shop", "stash-trigger-web") ",'spec':{'schedule':'@daily'}}"

struct world {
    struct fake_cluster *cluster;
    struct configuration_book *book;
    struct settings settings;
    struct text events; /* "Reason " of each */
    int64_t now_s, now_ms, session_s, again_ms;
};

static void tell(void *context, const json_t *object, const struct kube_event *event)
{
    struct world *world = context;

    ck_assert_str_eq(tree_text(object, "kind"), "BackupConfiguration");
    text_addf(&world->events, "%s ", event->reason);
}

static void put(const struct world *world, const char *path, const char *row)
{
    fake_cluster_put(world->cluster, path, json_row(row));
}

static void start(struct world *world)
{
    *world = (struct world){.cluster = fake_cluster_start(),
                            .book = configuration_book_make(),
                            .now_s = NOW,
                            .now_ms = 1000,
                            .session_s = -1};
    settings_default(&world->settings);
    fake_cluster_clock(world->cluster, NOW);
    put(world, CONFIGURATION, A_CONFIGURATION);
    put(world, REPOSITORY, A_REPOSITORY);
    put(world, SECRET, A_SECRET);
    put(world, TARGET, A_TARGET);
}

static void auto_world(struct world *world)
{
    fake_cluster_stop(world->cluster);
    configuration_book_free(world->book);
    settings_done(&world->settings);
    text_done(&world->events);
}

static void look(const struct world *world, struct configuration_objects *objects)
{
    *objects = (struct configuration_objects){
        .configuration = fake_cluster_get(world->cluster, CONFIGURATION),
        .repository = fake_cluster_get(world->cluster, REPOSITORY),
        .target = fake_cluster_get(world->cluster, TARGET),
        .cronjob = fake_cluster_get(world->cluster, CRONJOB),
        .pods = json_array(),
        .session_s = world->session_s,
    };
}

static bool step_with(struct world *world, const struct configuration_objects *objects)
{
    const struct configuration_edge edge = {
        .client = fake_cluster_client(world->cluster),
        .book = world->book,
        .settings = &world->settings,
        .space = "granary-system",
        .tell = tell,
        .context = world,
        .now_s = world->now_s,
        .now_ms = world->now_ms,
    };
    struct error err = {.message = ""};

    return configuration_edge_step(&edge, KEY, objects, &world->again_ms, &err);
}

static bool step(struct world *world)
{
    AUTO(configuration_objects) struct configuration_objects objects = {0};

    look(world, &objects);
    return step_with(world, &objects);
}

static void pass(struct world *world, int64_t ms)
{
    world->now_ms += ms;
    world->now_s += ms / 1000;
    fake_cluster_clock(world->cluster, world->now_s);
}

/* Until nothing is written any more, in minutes at most; what fails is tried again. */
static void run(struct world *world)
{
    for (int i = 0, calm = 0; i < 30 && calm < 2; i++) {
        int writes = fake_cluster_asked(world->cluster);

        calm = step(world) && fake_cluster_asked(world->cluster) == writes ? calm + 1 : 0;
        pass(world, SECRET_BAD_MS + 1);
    }
}

static json_t *status_of(const struct world *world)
{
    AUTO(json) json_t *configuration = fake_cluster_get(world->cluster, CONFIGURATION);

    return tree_copy(tree_get(configuration, "status"));
}

static void expect_phase(const struct world *world, const char *phase)
{
    AUTO(json) json_t *status = status_of(world);
    const char *found = tree_text(status, "phase");

    ck_assert_msg(found && strcmp(found, phase) == 0, "%s instead of %s", found ? found : "none",
                  phase);
}

static void expect_condition(const struct world *world, const char *type,
                             enum condition_status status, const char *message)
{
    AUTO(json) json_t *all = status_of(world);
    const json_t *conditions = tree_get(all, "conditions");

    ck_assert_msg(condition_status(conditions, type) == status, "%s: %d %s", type,
                  (int)condition_status(conditions, type), condition_message(conditions, type));
    ck_assert_msg(strstr(condition_message(conditions, type), message) != NULL, "%s: %s", type,
                  condition_message(conditions, type));
}

static void change(const struct world *world, const char *path, const char *at, const char *member,
                   json_t *value_new)
{
    json_t *object = fake_cluster_get(world->cluster, path);
    json_t *place = (json_t *)tree_at(object, at);

    ck_assert(json_is_object(place));
    if (value_new)
        tree_put_new(place, member, value_new);
    else
        json_object_del(place, member);
    json_object_del(json_object_get(object, "metadata"), "resourceVersion");
    tree_put_int(json_object_get(object, "metadata"), "generation",
                 tree_int(tree_get(object, "metadata"), "generation", 1) + 1);
    fake_cluster_put(world->cluster, path, object);
}

static bool is_there(const struct world *world, const char *path)
{
    AUTO(json) json_t *object = fake_cluster_get(world->cluster, path);

    return object != NULL;
}

/* ---- the whole life ---- */

START_TEST(ready_after_two_writes)
    {
        AUTO(world) struct world world;

        start(&world);
        ck_assert(step(&world));
        ck_assert_int_eq(fake_cluster_writes(world.cluster), 2);
        expect_phase(&world, "Ready");
        ck_assert_str_eq(text_get(&world.events), "BackupReady ");
        run(&world);

        ck_assert_int_eq(fake_cluster_writes(world.cluster), 2);
        expect_condition(&world, CONDITION_SCHEDULE_KEPT, CONDITION_TRUE, "0 * * * *");
        ck_assert_int_gt(world.again_ms, 0);
    }
END_TEST

START_TEST(nothing_changed_nothing_written)
    {
        AUTO(world) struct world world;
        int writes, reads;

        start(&world);
        run(&world);
        writes = fake_cluster_asked(world.cluster);
        reads = fake_cluster_reads(world.cluster);
        for (int i = 0; i < 20; i++)
            ck_assert(step(&world));
        ck_assert_int_eq(fake_cluster_asked(world.cluster), writes);
        /* the Secret is remembered for seconds */
        ck_assert_int_le(fake_cluster_reads(world.cluster), reads + 1);
    }
END_TEST

/* Everything that it needs, missing at first. */
static const struct {
    const char *path, *row, *condition, *message;
} missing_rows[] = {
    {REPOSITORY, A_REPOSITORY, "RepositoryFound", "Repository storage/web does not exist"},
    {SECRET, A_SECRET, "BackendSecretFound", "Secret storage/keys does not exist"},
    {TARGET, A_TARGET, "BackupTargetFound", "Deployment shop/web does not exist"},
};

START_TEST(false_until_it_appears)
    {
        AUTO(world) struct world world;

        start(&world);
        fake_cluster_remove(world.cluster, missing_rows[_i].path);
        run(&world);
        expect_phase(&world, "NotReady");
        expect_condition(&world, missing_rows[_i].condition, CONDITION_FALSE,
                         missing_rows[_i].message);
        ck_assert(!is_there(&world, CRONJOB));

        put(&world, missing_rows[_i].path, missing_rows[_i].row);
        pass(&world, SECRET_BAD_MAX_MS);
        run(&world);
        expect_phase(&world, "Ready");
        expect_condition(&world, missing_rows[_i].condition, CONDITION_TRUE, "");
        ck_assert(is_there(&world, CRONJOB));
        ck_assert_str_eq(text_get(&world.events), "BackupNotReady BackupReady ");
    }
END_TEST

/* What goes later is said, and the CronJob stays. */
START_TEST(false_when_it_goes)
    {
        AUTO(world) struct world world;

        start(&world);
        run(&world);
        fake_cluster_remove(world.cluster, missing_rows[_i].path);
        pass(&world, SECRET_GOOD_MS + 1);
        run(&world);
        expect_phase(&world, "NotReady");
        expect_condition(&world, missing_rows[_i].condition, CONDITION_FALSE,
                         missing_rows[_i].message);
        ck_assert(is_there(&world, CRONJOB));
    }
END_TEST

/* Objects of one file come one after the other: no "not ready" for that. */
START_TEST(what_comes_together_is_waited_for)
    {
        AUTO(world) struct world world;

        start(&world);
        fake_cluster_remove(world.cluster, REPOSITORY);
        ck_assert(step(&world));
        ck_assert_int_eq(fake_cluster_asked(world.cluster), 0);
        ck_assert_int_eq(world.again_ms, 1000);
        put(&world, REPOSITORY, A_REPOSITORY);
        run(&world);
        ck_assert_str_eq(text_get(&world.events), "BackupReady ");
    }
END_TEST

/* ---- the CronJob ---- */

START_TEST(paused_suspends)
    {
        AUTO(world) struct world world;

        start(&world);
        run(&world);
        change(&world, CONFIGURATION, "spec", "paused", json_true());
        run(&world);

        AUTO(json) json_t *cronjob = fake_cluster_get(world.cluster, CRONJOB);

        ck_assert(tree_true(tree_get(cronjob, "spec"), "suspend"));
        expect_condition(&world, CONDITION_SCHEDULE_KEPT, CONDITION_UNKNOWN, "");
    }
END_TEST

START_TEST(without_a_schedule_it_goes)
    {
        AUTO(world) struct world world;

        start(&world);
        run(&world);
        change(&world, CONFIGURATION, "spec", "paused", json_true());
        change(&world, CONFIGURATION, "spec", "schedule", NULL);
        run(&world);
        ck_assert(!is_there(&world, CRONJOB));
        expect_phase(&world, "Ready");
    }
END_TEST

START_TEST(a_setting_that_goes_goes_from_it)
    {
        AUTO(world) struct world world;

        start(&world);
        change(&world, CONFIGURATION, "spec", "runtimeSettings",
               json_row("{'pod':{'nodeSelector':{'disk':'ssd'}}}"));
        run(&world);
        change(&world, CONFIGURATION, "spec", "runtimeSettings", NULL);
        run(&world);

        AUTO(json) json_t *cronjob = fake_cluster_get(world.cluster, CRONJOB);

        ck_assert_ptr_null(tree_at(cronjob, "spec.jobTemplate.spec.template.spec.nodeSelector"));
    }
END_TEST

/* What somebody does to our CronJob: is put back, in so many writes. */
static const struct {
    const char *at, *member, *value; /* `at` NULL: it is deleted */
    int writes;
} hostile_rows[] = {
    {NULL, NULL, NULL, 1},
    {"spec", "suspend", "true", 1},
    {"spec", "schedule", "'@yearly'", 1},
    {"spec", "startingDeadlineSeconds", NULL, 1},
    {"metadata.labels", "app.kubernetes.io/component", "'x'", 1},
    /* an addition, which an apply would leave there */
    {"spec.jobTemplate.spec.template.spec", "hostNetwork", "true", 2},
    {"spec.jobTemplate.spec.template.spec", "serviceAccountName", "'admin'", 2},
};

START_TEST(somebody_else_writes_it)
    {
        AUTO(world) struct world world;
        AUTO(json) json_t *before = NULL;
        int writes;

        start(&world);
        run(&world);
        before = fake_cluster_get(world.cluster, CRONJOB);
        if (hostile_rows[_i].at)
            change(&world, CRONJOB, hostile_rows[_i].at, hostile_rows[_i].member,
                   hostile_rows[_i].value ? json_row(hostile_rows[_i].value) : NULL);
        else
            fake_cluster_remove(world.cluster, CRONJOB);
        writes = fake_cluster_asked(world.cluster);
        ck_assert(step(&world));
        ck_assert_int_eq(fake_cluster_asked(world.cluster) - writes, hostile_rows[_i].writes);
        run(&world);

        AUTO(json) json_t *after = fake_cluster_get(world.cluster, CRONJOB);

        ck_assert(tree_equal(tree_get(before, "spec"), tree_get(after, "spec")));
        ck_assert(
            tree_equal(tree_at(before, "metadata.labels"), tree_at(after, "metadata.labels")));
        ck_assert_ptr_eq(strstr(text_get(&world.events), "CronJobApplied") ? "told" : NULL,
                         hostile_rows[_i].at ? "told" : NULL);
    }
END_TEST

START_TEST(a_foreign_one_is_left_alone)
    {
        AUTO(world) struct world world;
        AUTO(json) json_t *before = NULL;

        start(&world);
        put(&world, CRONJOB, A_FOREIGN);
        before = fake_cluster_get(world.cluster, CRONJOB);
        run(&world);
        expect_phase(&world, "NotReady");
        expect_condition(&world, "CronJobCreated", CONDITION_FALSE, "belongs to somebody else");

        AUTO(json) json_t *after = fake_cluster_get(world.cluster, CRONJOB);

        ck_assert(tree_equal(before, after));
        fake_cluster_remove(world.cluster, CRONJOB);
        run(&world);
        expect_phase(&world, "Ready");
    }
END_TEST

/* It carries no label of ours, so nobody sees it: the apply does. */
START_TEST(an_unseen_foreign_one_is_left_alone)
    {
        AUTO(world) struct world world;
        AUTO(configuration_objects) struct configuration_objects objects = {0};

        start(&world);
        put(&world, CRONJOB, A_FOREIGN);
        look(&world, &objects);
        json_decref(objects.cronjob);
        objects.cronjob = NULL;
        ck_assert(step_with(&world, &objects));
        expect_phase(&world, "NotReady");
        expect_condition(&world, "CronJobCreated", CONDITION_FALSE, "belongs to somebody else");
        ck_assert_int_gt(world.again_ms, 0);
        ck_assert(strstr(text_get(&world.events), "CronJobRefused") != NULL);

        AUTO(json) json_t *after = fake_cluster_get(world.cluster, CRONJOB);

        ck_assert_str_eq(tree_text(tree_get(after, "spec"), "schedule"), "@daily");
    }
END_TEST

/* ---- sessions that do not begin ---- */

START_TEST(missed_schedules_are_told_once)
    {
        AUTO(world) struct world world;

        start(&world);
        run(&world);
        pass(&world, world.again_ms);
        ck_assert(step(&world));
        expect_condition(&world, CONDITION_SCHEDULE_KEPT, CONDITION_FALSE,
                         "1 session of the schedule did not begin");
        ck_assert_int_lt(world.now_s - NOW, 2 * 3600);
        ck_assert(step(&world));
        ck_assert_str_eq(text_get(&world.events), "BackupReady ScheduleMissed ");
        ck_assert_int_eq(configuration_book_look(world.book).missed, 1);

        world.session_s = world.now_s;
        run(&world);
        expect_condition(&world, CONDITION_SCHEDULE_KEPT, CONDITION_TRUE, "");
    }
END_TEST

/* ---- what fails ---- */

static const enum fake_failure failures[] = {FAILS_BEFORE, FAILS_AFTER, FAILS_REFUSED,
                                             FAILS_CONFLICT};

/* Every write fails in every way, the leader dies and another one goes on who remembers nothing;
 * what comes of it is the same. Spec: catalogue LE5, B3. */
START_TEST(every_write_may_be_the_last)
    {
        for (int number = 1; number <= 4; number++) {
            AUTO(world) struct world world;

            start(&world);
            fake_cluster_fail(world.cluster, number, failures[_i]);
            run(&world);
            configuration_book_free(world.book);
            world.book = configuration_book_make();
            pass(&world, 60000);
            run(&world);
            expect_phase(&world, "Ready");
            expect_condition(&world, "CronJobCreated", CONDITION_TRUE, "");
            ck_assert(is_there(&world, CRONJOB));
        }
    }
END_TEST

/* The same while it is healed and while it goes. */
START_TEST(every_write_of_a_change_may_be_the_last)
    {
        for (int number = 1; number <= 4; number++) {
            AUTO(world) struct world world;

            start(&world);
            run(&world);
            change(&world, CRONJOB, "spec.jobTemplate.spec.template.spec", "hostPID", json_true());
            change(&world, CONFIGURATION, "spec", "schedule", json_string("30 * * * *"));
            fake_cluster_fail(world.cluster, number, failures[_i]);
            run(&world);

            AUTO(json) json_t *healed = fake_cluster_get(world.cluster, CRONJOB);

            ck_assert_str_eq(tree_text(tree_get(healed, "spec"), "schedule"), "30 * * * *");
            ck_assert(!tree_at(healed, "spec.jobTemplate.spec.template.spec.hostPID"));
        }
    }
END_TEST

/* A cache that is behind: what is decided from it is refused, and nothing is lost. */
START_TEST(a_late_cache_writes_nothing)
    {
        AUTO(world) struct world world;
        AUTO(configuration_objects) struct configuration_objects stale = {0};

        start(&world);
        run(&world);
        change(&world, CONFIGURATION, "spec", "paused", json_true());
        look(&world, &stale);
        change(&world, CONFIGURATION, "spec", "paused", NULL);
        change(&world, CRONJOB, "spec", "suspend", json_false());
        ck_assert(step_with(&world, &stale));
        ck_assert_int_eq(world.again_ms, 200);

        AUTO(json) json_t *cronjob = fake_cluster_get(world.cluster, CRONJOB);

        ck_assert(!tree_true(tree_get(cronjob, "spec"), "suspend"));
    }
END_TEST

/* What was made a moment ago is not made again, although no watch has seen it yet. */
START_TEST(a_late_watch_makes_nothing_twice)
    {
        AUTO(world) struct world world;
        AUTO(configuration_objects) struct configuration_objects objects = {0};

        start(&world);
        ck_assert(step(&world));
        look(&world, &objects);
        json_decref(objects.cronjob);
        objects.cronjob = NULL;
        ck_assert(step_with(&world, &objects));
        ck_assert_int_eq(fake_cluster_asked(world.cluster), 2);
        ck_assert_int_gt(world.again_ms, 0);
        ck_assert_int_le(world.again_ms, 1000);
    }
END_TEST

/* ---- Secrets ---- */

/* SEC: no value of a Secret is anywhere but in the Secret. */
START_TEST(secrets_are_not_kept)
    {
        AUTO(world) struct world world;

        start(&world);
        run(&world);

        AUTO(json) json_t *configuration = fake_cluster_get(world.cluster, CONFIGURATION);
        AUTO(json) json_t *cronjob = fake_cluster_get(world.cluster, CRONJOB);
        AUTO(free) char *one = tree_format(configuration, NULL);
        AUTO(free) char *other = tree_format(cronjob, NULL);

        ck_assert(!strstr(one, "c2VjcmV0") && !strstr(other, "c2VjcmV0"));
        ck_assert_int_ge(configuration_book_look(world.book).secret_reads, 1);
    }
END_TEST

/* One that is missing is asked for ever less often. */
START_TEST(missing_secrets_cost_little)
    {
        AUTO(world) struct world world;
        int64_t waited_ms = 0;

        start(&world);
        fake_cluster_remove(world.cluster, SECRET);
        run(&world);
        for (int i = 0; i < 10; i++) {
            ck_assert(step(&world));
            ck_assert_int_gt(world.again_ms, 0);
            waited_ms += world.again_ms;
            pass(&world, world.again_ms);
        }
        ck_assert_int_ge(waited_ms, 4 * SECRET_BAD_MAX_MS);
        ck_assert_int_le(world.again_ms, SECRET_BAD_MAX_MS);
    }
END_TEST

SUITE(controllers_configuration_edge)
{
    tcase_add_test(tests, ready_after_two_writes);
    tcase_add_test(tests, nothing_changed_nothing_written);
    suite_rows(tests, false_until_it_appears, missing_rows);
    suite_rows(tests, false_when_it_goes, missing_rows);
    tcase_add_test(tests, what_comes_together_is_waited_for);
    tcase_add_test(tests, paused_suspends);
    tcase_add_test(tests, without_a_schedule_it_goes);
    tcase_add_test(tests, a_setting_that_goes_goes_from_it);
    suite_rows(tests, somebody_else_writes_it, hostile_rows);
    tcase_add_test(tests, a_foreign_one_is_left_alone);
    tcase_add_test(tests, an_unseen_foreign_one_is_left_alone);
    tcase_add_test(tests, missed_schedules_are_told_once);
    suite_rows(tests, every_write_may_be_the_last, failures);
    suite_rows(tests, every_write_of_a_change_may_be_the_last, failures);
    tcase_add_test(tests, a_late_cache_writes_nothing);
    tcase_add_test(tests, a_late_watch_makes_nothing_twice);
    tcase_add_test(tests, secrets_are_not_kept);
    tcase_add_test(tests, missing_secrets_cost_little);
}
