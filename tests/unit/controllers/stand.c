#include "tests/unit/controllers/stand.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "tests/unit/await.h"
#include "tests/unit/json.h"

#define IDLE_MS 60000

void stand_over(struct stand *stand, struct fake_cluster *cluster)
{
    struct error err = {.message = ""};

    log_setup(LOG_TEXT, LOG_ERROR);
    *stand = (struct stand){.cluster = cluster, .settings = settings_store_make(NULL, false, &err)};
    ck_assert_msg(stand->settings != NULL, "%s", err.message);
}

void stand_prepare(struct stand *stand)
{
    stand_over(stand, fake_cluster_start());
}

void stand_lead(struct stand *stand, const struct loop *const *table)
{
    struct error err = {.message = ""};
    struct loops_options options = {
        .table = table,
        .client = fake_cluster_client(stand->cluster),
        .settings = stand->settings,
        .space = "granary-system",
        .functions = stand->functions,
        .bare_ms = stand->bare_ms,
        .limits = {.first_ms = 1, .max_ms = 10, .rate = 1e6, .burst = 1e6},
        .watching = {.backoff_ms = 1, .backoff_max_ms = 4, .short_ms = 1, .missing_ms = 1},
        .lists_only = true,
    };

    loops_stop(TAKE(stand->loops));
    stand->loops = loops_start(&options, &err);
    ck_assert_msg(stand->loops != NULL, "%s", err.message);
}

void stand_stop(struct stand *stand)
{
    kube_client_cancel(fake_cluster_client(stand->cluster));
    loops_stop(TAKE(stand->loops));
}

void stand_leave(struct stand *stand)
{
    stand_stop(stand);
    settings_store_free(TAKE(stand->settings));
}

void stand_done(struct stand *stand)
{
    stand_leave(stand);
    fake_cluster_stop(TAKE(stand->cluster));
}

void stand_put(const struct stand *stand, const char *path, const char *row)
{
    fake_cluster_put(stand->cluster, path, json_row(row));
}

void stand_put_namespace(const struct stand *stand, const char *name)
{
    AUTO(free) char *path = text_format("/api/v1/namespaces/%s", name);
    AUTO(free)
    char *row =
        text_format("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'%s'}}", name);

    stand_put(stand, path, row);
}

bool stand_has(const struct stand *stand, const char *path, const char *row)
{
    AUTO(json) json_t *object = fake_cluster_get(stand->cluster, path);
    AUTO(json) json_t *wanted = row ? json_row(row) : NULL;
    const json_t *value;
    const char *key;

    if (!row || !object)
        return !row && !object;
    tree_each (wanted, key, value)
        if (!tree_equal(tree_at(object, key), value))
            return false;
    return true;
}

static char *shown(const struct stand *stand, const char *path)
{
    AUTO(json) json_t *object = fake_cluster_get(stand->cluster, path);

    return object ? tree_format(object, NULL) : text_format("none");
}

void stand_await(const struct stand *stand, const char *path, const char *row)
{
    AWAIT(stand_has(stand, path, row), "%s: %s", path, shown(stand, path));
}

void stand_look_again(const struct stand *stand, size_t number, int64_t steps)
{
    int64_t enough = loops_look_at(stand->loops, number).steps + steps;

    loops_sweep(stand->loops);
    AWAIT(loops_look_at(stand->loops, number).steps >= enough, "nothing is looked at again");
    ck_assert(loops_wait_idle(stand->loops, IDLE_MS));
}

void stand_must_rest(const struct stand *stand, size_t number, int64_t steps)
{
    int writes = fake_cluster_asked(stand->cluster);

    stand_look_again(stand, number, steps);
    ck_assert_int_eq(fake_cluster_asked(stand->cluster), writes);
}
