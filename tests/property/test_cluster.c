#include "api/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/property/random.h"
#include "tests/unit/suite.h"

/*
 * A snapshot that was made from the one before answers every question as one that was made from
 * nothing, whatever came, went and changed, also while two objects have one name. Catalogue LD5.
 */

#define CASES 400
#define STEPS 12
#define NAMES 7
#define SPACES 2
#define GROUP "stash.appscode.com"

static const struct {
    const char *version, *kind;
} kinds[] = {
    {GROUP "/v1beta1", "BackupBlueprint"},
    {GROUP "/v1beta1", "BackupConfiguration"},
    {GROUP "/v1beta1", "RestoreSession"},
    {GROUP "/v1alpha1", "Repository"},
    {GROUP "/v1beta1", "Task"},
    {"v1", "Namespace"},
    {"stash.appscode.dev/v1", "Repository"},
    {"v1", "Secret"},
};

static void put_name(struct random *random, json_t *object, const char *key, const char *prefix)
{
    AUTO(free) char *name = text_format("%s%zu", prefix, random_below(random, NAMES));

    tree_put_text(object, key, name);
}

static json_t *metadata(struct random *random)
{
    static const char *const ages[] = {"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", NULL};
    json_t *metadata = json_object();

    put_name(random, metadata, "name", "n");
    if (random_often(random, 80))
        tree_put_text(metadata, "namespace", random_often(random, 50) ? "s0" : "s1");
    tree_put_text(metadata, "creationTimestamp", ages[random_below(random, 3)]);
    if (random_often(random, 50)) {
        json_t *annotations = json_object();
        AUTO(free)
        char *target = text_format("apps/Deployment/s0/n%zu", random_below(random, NAMES));

        tree_put_text(annotations, "granary.dev/target", target);
        tree_put_new(metadata, "annotations", annotations);
    }
    return metadata;
}

/* Where data lies, whom it is of, and what may be wrong with it. */
static json_t *spec(struct random *random)
{
    json_t *spec = json_object(), *backend = json_object(), *local = json_object();
    json_t *target = json_object(), *ref = json_object();

    put_name(random, local, "bucket", "bucket-");
    tree_put_new(backend, random_often(random, 80) ? "s3" : "gcs", local);
    tree_put_new(spec, "backend", backend);
    tree_put_text(ref, "apiVersion", "apps/v1");
    tree_put_text(ref, "kind", random_often(random, 80) ? "Deployment" : "StatefulSet");
    if (random_often(random, 90))
        put_name(random, ref, "name", "n");
    tree_put_new(target, "ref", ref);
    tree_put_new(spec, "target", target);
    tree_put_text(spec, "schedule", random_often(random, 70) ? "@daily" : "never");
    return spec;
}

static json_t *object(struct random *random)
{
    size_t kind = random_below(random, sizeof kinds / sizeof *kinds);
    json_t *object = json_object();

    tree_put_text(object, "apiVersion", kinds[kind].version);
    if (random_often(random, 98))
        tree_put_text(object, "kind", kinds[kind].kind);
    tree_put_new(object, "metadata", random_often(random, 97) ? metadata(random) : json_object());
    tree_put_new(object, "spec", spec(random));
    return object;
}

/* "kind space name" of what an API server has once only. */
static char *identity(const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");
    const char *kind = tree_text(object, "kind"), *space = tree_text(metadata, "namespace");

    return text_format("%s %s %s", kind ? kind : "", space ? space : "",
                       tree_text(metadata, "name") ? tree_text(metadata, "name") : "");
}

static void drop_same(json_t *objects, const json_t *other)
{
    AUTO(free) char *name = identity(other);

    for (size_t i = json_array_size(objects); i-- > 0;) {
        AUTO(free) char *its = identity(json_array_get(objects, i));

        if (strcmp(name, its) == 0)
            json_array_remove(objects, i);
    }
}

/* In most cases no two have one name. */
static void change(struct random *random, json_t *objects, bool doubles)
{
    size_t count = random_below(random, 6);

    while (count-- > 0) {
        AUTO(json) json_t *next = object(random);

        if (random_often(random, 30) && json_array_size(objects) > 0) {
            json_array_remove(objects, random_below(random, json_array_size(objects)));
            continue;
        }
        if (!doubles || random_often(random, 90))
            drop_same(objects, next);
        json_array_insert(objects, random_below(random, json_array_size(objects) + 1), next);
        /* the very same tree twice */
        if (doubles && random_often(random, 5))
            tree_push_new(objects, tree_share(next));
    }
}

/* Comparison: the same trees, not equal ones. */

static void same_list(struct random *random, const json_t *got, const json_t *wanted)
{
    PROPERTY_MUST(random, json_array_size(got) == json_array_size(wanted));
    PROPERTY_MUST(random, (got == NULL) == (wanted == NULL));
    for (size_t i = 0; i < json_array_size(wanted); i++)
        PROPERTY_MUST(random, json_array_get(got, i) == json_array_get(wanted, i));
}

static void same_named(struct random *random, const struct cluster *got,
                       const struct cluster *wanted, const char *name)
{
    PROPERTY_MUST(random, cluster_blueprint(got, name) == cluster_blueprint(wanted, name));
    PROPERTY_MUST(random, cluster_namespace(got, name) == cluster_namespace(wanted, name));
    PROPERTY_MUST(random, cluster_task(got, name) == cluster_task(wanted, name));
    for (size_t i = 0; i <= SPACES; i++) {
        static const char *const spaces[] = {"s0", "s1", "default"};
        const char *space = spaces[i];

        PROPERTY_MUST(random, cluster_repository(got, space, name) ==
                                  cluster_repository(wanted, space, name));
        PROPERTY_MUST(random, cluster_configuration(got, space, name) ==
                                  cluster_configuration(wanted, space, name));
        for (size_t k = 0; k < 2; k++) {
            const char *kind = k ? "Deployment" : "StatefulSet";

            same_list(random, cluster_configurations_of(got, "apps", kind, space, name),
                      cluster_configurations_of(wanted, "apps", kind, space, name));
            same_list(random, cluster_restores_of(got, "apps", kind, space, name),
                      cluster_restores_of(wanted, "apps", kind, space, name));
            same_list(random, cluster_repositories_of(got, "apps", kind, space, name),
                      cluster_repositories_of(wanted, "apps", kind, space, name));
        }
    }
}

/* Also of what is gone: nothing of it may be left. */
static void same_of_object(struct random *random, const struct cluster *got,
                           const struct cluster *wanted, const json_t *object)
{
    const char *one = cluster_fault(got, object), *other = cluster_fault(wanted, object);
    AUTO(text) struct text location = {0};

    PROPERTY_MUST(random, (one == NULL) == (other == NULL));
    PROPERTY_MUST(random, !one || strcmp(one, other) == 0);
    backend_location(&location, tree_at(object, "spec.backend"));
    same_list(random, cluster_repositories_at(got, text_get(&location)),
              cluster_repositories_at(wanted, text_get(&location)));
}

static void same(struct random *random, const struct cluster *got, const struct cluster *wanted,
                 const json_t *ever)
{
    const char *const *names = cluster_blueprint_names(got), *const *wanted_names =
                                                                 cluster_blueprint_names(wanted);
    const json_t *object;
    size_t i;

    PROPERTY_MUST(random, cluster_size(got) == cluster_size(wanted));
    PROPERTY_MUST(random, cluster_knows_namespaces(got) == cluster_knows_namespaces(wanted));
    for (i = 0; names[i] && wanted_names[i]; i++)
        PROPERTY_MUST(random, strcmp(names[i], wanted_names[i]) == 0);
    PROPERTY_MUST(random, names[i] == wanted_names[i]);
    for (i = 0; i < NAMES; i++) {
        AUTO(free) char *name = text_format("n%zu", i);

        same_named(random, got, wanted, name);
    }
    tree_items (ever, i, object)
        same_of_object(random, got, wanted, object);
}

static void changed_is_as_made(struct random *random)
{
    AUTO(json) json_t *objects = json_array();
    AUTO(json) json_t *ever = json_array();
    const struct cluster *now = NULL;
    bool doubles = random_often(random, 25);

    for (size_t step = 0; step < STEPS; step++) {
        AUTO(cluster) const struct cluster *before = now;

        change(random, objects, doubles);
        json_array_extend(ever, objects);
        now = cluster_next(before, objects);

        AUTO(cluster) const struct cluster *made = cluster_make(objects);

        same(random, now, made, ever);
    }
    cluster_unref(now);
}

/* What was there before is as it was, whatever was made from it. */
static void before_is_as_it_was(struct random *random)
{
    AUTO(json) json_t *first = json_array();
    AUTO(json) json_t *second = json_array();

    for (size_t i = 0; i < 4; i++)
        change(random, first, false);
    json_array_extend(second, first);
    for (size_t i = 0; i < 4; i++)
        change(random, second, false);

    AUTO(cluster) const struct cluster *before = cluster_make(first);
    AUTO(cluster) const struct cluster *wanted = cluster_make(first);
    AUTO(cluster) const struct cluster *next = cluster_next(before, second);

    same(random, before, wanted, second);
    PROPERTY_MUST(random, next != before);
}

START_TEST(incremental)
    {
        random_some_cases("a changed cluster", changed_is_as_made, CASES);
        random_some_cases("the cluster before", before_is_as_it_was, CASES);
    }
END_TEST

SUITE(property_cluster)
{
    tcase_add_test(tests, incremental);
}
