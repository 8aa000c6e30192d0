#include "controllers/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/target.h"
#include "base/tree.h"
#include "controllers/exposition.h"

struct coverage {
    struct covered *claims;
    size_t count;
    json_t *places;  /* "namespace/name" to the claim's place */
    json_t *series;  /* "namespace/<name without -number>" to a list of places */
    json_t *targets; /* "Kind/namespace/name" to a list of [place, volume] */
};

static const char *const words[COVERS] = {"unprotected", "excluded", "protected"};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = tree_text(object, key);

    return text ? text : "";
}

static const json_t *metadata_of(const json_t *object)
{
    return tree_get(object, "metadata");
}

static bool opts_out(const json_t *object)
{
    return span_is(tree_span(tree_get(metadata_of(object), "annotations"), KEY_BACKUP), "false");
}

/* ---- what is said ---- */

/* Who protects counts most, then who excludes; of equals the first. */
static void say(struct covered *claim, enum cover cover, char *by)
{
    if (cover < claim->cover || (claim->by && cover == claim->cover)) {
        free(by);
        return;
    }
    free(claim->by);
    claim->cover = cover;
    claim->by = by;
}

/* ---- claims ---- */

static char *key_of(const char *space, const char *name)
{
    return text_format("%s/%s", space, name);
}

static json_t *list_at(json_t *map, const char *key)
{
    json_t *list = json_object_get(map, key);

    if (!list) {
        list = json_array();
        tree_put_new(map, key, list);
    }
    return list;
}

/* Claims of a StatefulSet are called <template>-<set>-<number>. */
static void file_by_series(struct coverage *coverage, const struct covered *claim, size_t place)
{
    const char *dash = strrchr(claim->name, '-');

    if (!dash || !dash[1] || dash[1 + strspn(dash + 1, "0123456789")])
        return;

    AUTO(free)
    char *key = text_format("%s/%.*s", claim->space, (int)(dash - claim->name), claim->name);

    tree_push_new(list_at(coverage->series, key), json_integer((json_int_t)place));
}

static void say_of_itself(struct covered *claim, const json_t *object,
                          const struct settings *settings)
{
    const json_t *owner;
    size_t i;

    if (opts_out(object))
        say(claim, COVER_EXCLUDED, text_format("its annotation " KEY_BACKUP));
    if (settings_excludes(settings, claim->space))
        say(claim, COVER_EXCLUDED, text_format("excludedNamespaces of the settings"));
    tree_items (tree_get(metadata_of(object), "ownerReferences"), i, owner)
        if (span_is(tree_span(owner, "kind"), "Pod"))
            say(claim, COVER_EXCLUDED,
                text_format("ephemeral volume of Pod %s", text_of(owner, "name")));
}

static void add_claim(struct coverage *coverage, const json_t *object,
                      const struct settings *settings)
{
    struct covered *claim = &coverage->claims[coverage->count];
    const char *space = tree_text(metadata_of(object), "namespace");
    const char *name = tree_text(metadata_of(object), "name");

    if (!space || !name)
        return;
    *claim = (struct covered){.object = object, .space = space, .name = name};

    AUTO(free) char *key = key_of(space, name);

    tree_put_int(coverage->places, key, (int64_t)coverage->count);
    file_by_series(coverage, claim, coverage->count++);
    say_of_itself(claim, object, settings);
}

static struct covered *claim_at(const struct coverage *coverage, const char *space,
                                const char *name)
{
    AUTO(free) char *key = key_of(space, name);
    const json_t *place = tree_get(coverage->places, key);

    return place ? &coverage->claims[json_integer_value(place)] : NULL;
}

/* ---- workloads ---- */

static char *target_key(const json_t *reference, const char *space, const char *name)
{
    const struct target_kind *kind = target_kind_in(reference);

    return text_format("%s/%s/%s/%s", kind ? kind->group : "", text_of(reference, "kind"), space,
                       name);
}

static json_t *used(size_t place, const char *volume)
{
    json_t *pair = json_array();

    tree_push_new(pair, json_integer((json_int_t)place));
    tree_push_text(pair, volume);
    return pair;
}

static void add_volumes(struct coverage *coverage, const json_t *workload, const char *space,
                        json_t *list)
{
    const json_t *volume;
    size_t i;

    tree_items (tree_at(workload, "spec.template.spec.volumes"), i, volume) {
        const char *name = tree_text(volume, "name");
        const char *claim_name = tree_text(tree_get(volume, "persistentVolumeClaim"), "claimName");
        const struct covered *claim =
            name && claim_name ? claim_at(coverage, space, claim_name) : NULL;

        if (claim)
            tree_push_new(list, used((size_t)(claim - coverage->claims), name));
    }
}

static void add_templates(struct coverage *coverage, const json_t *workload, const char *space,
                          json_t *list)
{
    const char *set = text_of(metadata_of(workload), "name");
    const json_t *template, *place;
    size_t i, k;

    tree_items (tree_at(workload, "spec.volumeClaimTemplates"), i, template) {
        const char *name = text_of(metadata_of(template), "name");
        AUTO(free) char *key = text_format("%s/%s-%s", space, name, set);

        tree_items (tree_get(coverage->series, key), k, place)
            tree_push_new(list, used((size_t)json_integer_value(place), name));
    }
}

static struct covered *claim_used(const struct coverage *coverage, const json_t *pair)
{
    return &coverage->claims[json_integer_value(json_array_get(pair, 0))];
}

static void say_opted_out(const struct coverage *coverage, const json_t *workload,
                          const json_t *list)
{
    const json_t *pair;
    size_t i;

    tree_items (list, i, pair)
        say(claim_used(coverage, pair), COVER_EXCLUDED,
            text_format("annotation " KEY_BACKUP " of %s %s", text_of(workload, "kind"),
                        text_of(metadata_of(workload), "name")));
}

static void add_workload(struct coverage *coverage, const json_t *workload)
{
    const char *space = text_of(metadata_of(workload), "namespace");
    AUTO(free)
    char *key = target_key(workload, space, text_of(metadata_of(workload), "name"));
    json_t *list = list_at(coverage->targets, key);

    add_volumes(coverage, workload, space, list);
    add_templates(coverage, workload, space, list);
    if (opts_out(workload))
        say_opted_out(coverage, workload, list);
}

/* ---- configurations ---- */

/* What a configuration does for the volumes that it backs up. */
struct service {
    const json_t *configuration;
    enum cover cover;
    const char *but; /* why it does not protect; "" */
};

static struct service service_of(const json_t *configuration)
{
    struct service service = {configuration, COVER_PROTECTED, ""};

    if (tree_true(tree_get(configuration, "spec"), "paused")) {
        service.cover = COVER_EXCLUDED;
        service.but = " is paused";
    } else if (!span_is(tree_span(tree_get(configuration, "status"), "phase"), "Ready")) {
        service.cover = COVER_NONE;
        service.but = " is not ready";
    }
    return service;
}

static void serve(const struct service *service, struct covered *claim)
{
    const json_t *metadata = metadata_of(service->configuration);

    say(claim, service->cover,
        text_format("BackupConfiguration %s/%s%s", text_of(metadata, "namespace"),
                    text_of(metadata, "name"), service->but));
}

/* Without mounts: all of the workload. */
static bool mounts(const json_t *configuration, const json_t *volume)
{
    const json_t *list = tree_at(configuration, "spec.target.volumeMounts");

    return !json_array_size(list) || tree_named(list, json_string_value(volume));
}

static void leave_out(const struct service *service, struct covered *claim)
{
    const json_t *metadata = metadata_of(service->configuration);

    say(claim, COVER_EXCLUDED,
        text_format("volumeMounts of BackupConfiguration %s/%s", text_of(metadata, "namespace"),
                    text_of(metadata, "name")));
}

static void add_configuration(const struct coverage *coverage, const json_t *configuration)
{
    const json_t *ref = tree_at(configuration, "spec.target.ref"), *pair;
    const char *own = text_of(metadata_of(configuration), "namespace");
    const char *space = *text_of(ref, "namespace") ? text_of(ref, "namespace") : own;
    const struct service service = service_of(configuration);
    const struct target_kind *kind = target_kind_in(ref);
    AUTO(free) char *key = target_key(ref, space, text_of(ref, "name"));
    size_t i;

    if (!kind || tree_get(metadata_of(configuration), "deletionTimestamp"))
        return;
    if (kind->class == TARGET_CLAIM) {
        struct covered *claim = claim_at(coverage, space, text_of(ref, "name"));

        if (claim)
            serve(&service, claim);
        return;
    }
    tree_items (tree_get(coverage->targets, key), i, pair) {
        if (mounts(configuration, json_array_get(pair, 1)))
            serve(&service, claim_used(coverage, pair));
        else
            leave_out(&service, claim_used(coverage, pair));
    }
}

/* ---- all ---- */

struct coverage *coverage_make(const struct coverage_seen *seen)
{
    struct coverage *coverage = text_alloc(sizeof *coverage);
    const json_t *object;
    size_t i;

    *coverage = (struct coverage){
        .claims = text_alloc((json_array_size(seen->claims) + 1) * sizeof *coverage->claims),
        .places = json_object(),
        .series = json_object(),
        .targets = json_object(),
    };
    tree_items (seen->claims, i, object)
        add_claim(coverage, object, seen->settings);
    tree_items (seen->workloads, i, object)
        add_workload(coverage, object);
    tree_items (seen->configurations, i, object)
        add_configuration(coverage, object);
    return coverage;
}

void coverage_free(struct coverage *coverage)
{
    if (!coverage)
        return;
    for (size_t i = 0; i < coverage->count; i++)
        free(coverage->claims[i].by);
    free(coverage->claims);
    json_decref(coverage->places);
    json_decref(coverage->series);
    json_decref(coverage->targets);
    free(coverage);
}

const struct covered *coverage_claims(const struct coverage *coverage, size_t *count)
{
    *count = coverage->count;
    return coverage->claims;
}

bool coverage_count(const struct coverage *coverage, const json_t *target, size_t counts[COVERS])
{
    const char *space = text_of(metadata_of(target), "namespace");
    const char *name = text_of(metadata_of(target), "name");
    const struct target_kind *kind = target_kind_in(target);
    AUTO(free) char *key = target_key(target, space, name);
    const json_t *list = tree_get(coverage->targets, key), *pair;
    const struct covered *claim =
        kind && kind->class == TARGET_CLAIM ? claim_at(coverage, space, name) : NULL;
    size_t i;

    memset(counts, 0, COVERS * sizeof *counts);
    if (claim)
        counts[claim->cover]++;
    tree_items (list, i, pair)
        counts[claim_used(coverage, pair)->cover]++;
    return claim || list;
}

json_t *coverage_places(const struct coverage *coverage, const json_t *workload)
{
    AUTO(free)
    char *key = target_key(workload, text_of(metadata_of(workload), "namespace"),
                           text_of(metadata_of(workload), "name"));
    json_t *places = json_array();
    const json_t *pair;
    size_t i;

    tree_items (tree_get(coverage->targets, key), i, pair)
        tree_push_new(places, tree_share(json_array_get(pair, 0)));
    return places;
}

/* ---- metrics ---- */

static void put_claim(struct text *text, const struct covered *claim)
{
    AUTO(text) struct text labels = {0};

    exposition_label(&labels, "namespace", claim->space);
    exposition_label(&labels, "claim", claim->name);
    exposition_label(&labels, "state", words[claim->cover]);
    exposition_label(&labels, "by", claim->by);
    exposition_series(text, "granary_controller_claim", text_get(&labels), 1);
}

void coverage_metrics(const struct coverage *coverage, struct text *text)
{
    size_t counts[COVERS] = {0}, told = 0;

    for (size_t i = 0; i < coverage->count; i++)
        counts[coverage->claims[i].cover]++;
    text_puts(text, "# HELP granary_controller_claims PersistentVolumeClaims of the cluster.\n"
                    "# TYPE granary_controller_claims gauge\n");
    for (size_t i = 0; i < COVERS; i++)
        text_addf(text, "granary_controller_claims{state=\"%s\"} %zu\n", words[i], counts[i]);
    text_puts(text, "# HELP granary_controller_claim Whether a claim is backed up, and by whom.\n"
                    "# TYPE granary_controller_claim gauge\n");
    for (size_t cover = 0; cover < COVERS; cover++)
        for (size_t i = 0; i < coverage->count && told < COVERAGE_SERIES_MAX; i++)
            if (coverage->claims[i].cover == (enum cover)cover) {
                put_claim(text, &coverage->claims[i]);
                told++;
            }
}
