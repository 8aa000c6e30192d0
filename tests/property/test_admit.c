#include "webhook/admit.h"

#include <stdio.h>

#include "api/keys.h"
#include "api/part.h"
#include "api/plan.h"
#include "api/pod.h"
#include "base/tree.h"
#include "mutators/workload.h"
#include "tests/property/scene.h"
#include "tests/unit/asking.h"
#include "tests/unit/defaulting.h"
#include "tests/unit/strict.h"
#include "tests/unit/suite.h"

/* Catalogue JP4 to JP7, J22 to J24: what holds for whatever an API server may show to us. */
#define TIMEOUT_S 3600
#define CASES 1000

/* A scene, and admission over it. */
struct stage {
    struct random *random;
    struct scene scene;
    struct asking asking;
};

static void stage_make(struct stage *stage, struct random *random)
{
    *stage = (struct stage){.random = random, .scene = scene_make(random)};
    asking_make(&stage->asking, stage->scene.objects, NULL);
    snprintf(asking_case, sizeof asking_case,
             "SEED=%llu PROPERTY_FIRST=%zu PROPERTY_COUNT=1: ", (unsigned long long)random->seed,
             random->number);
}

static void auto_stage(struct stage *stage)
{
    scene_done(&stage->scene);
    asking_done(&stage->asking);
}

/* What an API server hands back for this request. */
static json_t *requested(const struct stage *stage, const struct asking *asking, const json_t *now,
                         const json_t *old)
{
    AUTO(json) json_t *review = asking_review(old ? "UPDATE" : "CREATE", now, old);
    struct error err = {0};
    AUTO(json) json_t *answer = asking_answer(asking, review, &err);

    PROPERTY_MUST(stage->random, answer != NULL);
    PROPERTY_MUST(stage->random, tree_true(tree_get(answer, "response"), "allowed"));
    return asking_result(review, answer);
}

static json_t *created(const struct stage *stage, const json_t *object)
{
    return requested(stage, &stage->asking, object, NULL);
}

static void must_be_sound(const json_t *object)
{
    AUTO(free)
    char *fault = strict_fault(tree_at(object, "spec.template"),
                               tree_at(object, "spec.volumeClaimTemplates"));

    ck_assert_msg(!fault, "%s%s", asking_case, fault);
}

static json_t *template_of(const json_t *object)
{
    return (json_t *)tree_at(object, "spec.template");
}

/* The part of its owner. */
static json_t *owners(const json_t *object)
{
    json_t *copy = tree_copy(object);
    const json_t *template = template_of(object);
    json_t *plain = template_strip(template, template_owner_of(template));

    tree_put_new(json_object_get(copy, "spec"), "template", plain);
    return copy;
}

/* What came in with Stash's container may keep it. */
static void must_be_as_restricted(const struct stage *stage, const json_t *before,
                                  const json_t *after)
{
    AUTO(json) json_t *plain = owners(before);
    enum pod_security whole = pod_security_level(template_of(before)),
                      part = pod_security_level(template_of(plain));

    PROPERTY_MUST(stage->random, stage->scene.loose || pod_security_level(template_of(after)) >=
                                                           (whole < part ? whole : part));
}

/* ---- the properties ---- */

/* A Guaranteed pod stays one; a pod with resources of its own gets no others. */
static void must_keep_its_class(const struct stage *stage, const json_t *before,
                                const json_t *after)
{
    const json_t *template = template_of(after);
    const json_t *sidecar = template_element(template, sidecar_place);
    bool ours = template_owner_of(template) == TEMPLATE_OURS;

    if (ours && pod_is_guaranteed(template_of(before)) && !pod_has_resources(template_of(before)))
        PROPERTY_MUST(stage->random, pod_is_guaranteed(template));
    if (ours && sidecar && pod_has_resources(template_of(before)))
        PROPERTY_MUST(stage->random, json_object_size(tree_get(sidecar, "resources")) == 0);
}

/* No mount point has to be made in what is read-only. */
static void must_be_mountable(const struct stage *stage, const json_t *result)
{
    const json_t *sidecar = template_element(template_of(result), sidecar_place);
    const json_t *mounts = tree_get(sidecar, "volumeMounts"), *outer, *inner;
    size_t i, j;

    if (template_owner_of(template_of(result)) != TEMPLATE_OURS)
        return;
    tree_items (mounts, i, outer) {
        tree_items (mounts, j, inner)
            PROPERTY_MUST(stage->random, i == j || !tree_true(outer, "readOnly") ||
                                             !pod_path_within(tree_text(inner, "mountPath"),
                                                              tree_text(outer, "mountPath")));
    }
}

/* A sound object stays sound and as restricted as it was, and its owner's part is untouched. */
static void stays_sound(struct random *random)
{
    AUTO(stage) struct stage stage;

    stage_make(&stage, random);
    must_be_sound(stage.scene.object);

    AUTO(json) json_t *result = created(&stage, stage.scene.object);
    AUTO(json) json_t *before = owners(stage.scene.object), *after = owners(result);

    must_be_sound(result);
    asking_must_be_same("the owner's part", before, after);
    must_be_as_restricted(&stage, stage.scene.object, result);
    must_keep_its_class(&stage, before, result);
    must_be_mountable(&stage, result);
}

/* Run on its own result, as it is and as an API server stores it, nothing is left to do. */
static void is_idempotent(struct random *random)
{
    AUTO(stage) struct stage stage;

    stage_make(&stage, random);

    AUTO(json) json_t *once = created(&stage, stage.scene.object);
    AUTO(json) json_t *twice = created(&stage, once);
    AUTO(json) json_t *kept = requested(&stage, &stage.asking, once, once);
    AUTO(json) json_t *stored = tree_copy(once);

    default_object(stored);

    AUTO(json) json_t *again = created(&stage, stored);
    AUTO(json) json_t *updated = requested(&stage, &stage.asking, stored, stored);

    asking_must_be_same("CREATE again", once, twice);
    asking_must_be_same("UPDATE", once, kept);
    asking_must_be_same("CREATE of what is stored", stored, again);
    asking_must_be_same("UPDATE of what is stored", stored, updated);
}

/* ---- another mutation, before or after ours ---- */

static void neighbour_label(json_t *object)
{
    tree_put_new(json_object_get(object, "metadata"), "labels", json_pack("{s:s}", "team", "x"));
}

static json_t *neighbour(void)
{
    return json_pack("{s:s, s:s}", "name", "neighbour", "image", "i");
}

static void neighbour_first(json_t *object)
{
    json_array_insert_new(json_object_get(scene_pod_of(object), "containers"), 0, neighbour());
}

static void neighbour_last(json_t *object)
{
    json_array_append_new(json_object_get(scene_pod_of(object), "containers"), neighbour());
}

static void neighbour_init(json_t *object)
{
    struct error err;
    json_t *list = tree_list(scene_pod_of(object), "initContainers", &err);

    json_array_insert_new(list, 0, neighbour());
}

static void neighbour_volume(json_t *object)
{
    struct error err;
    json_t *list = tree_list(scene_pod_of(object), "volumes", &err);

    json_array_insert_new(list, 0, json_pack("{s:s, s:{}}", "name", "neighbour", "emptyDir"));
}

/* The owner's containers in another order; ours, where it is there, anywhere. */
static void neighbour_order(json_t *object)
{
    json_t *list = json_object_get(scene_pod_of(object), "containers");
    json_t *app = tree_copy(tree_named(list, "app"));

    json_array_remove(list, (size_t)tree_named_index(list, "app"));
    json_array_append_new(list, app);
}

static void neighbour_env(json_t *object)
{
    json_t *list = json_object_get(scene_pod_of(object), "containers");
    json_t *app = json_array_get(list, (size_t)tree_named_index(list, "app"));
    struct error err;

    tree_push_new(tree_list(app, "env", &err), json_pack("{s:s, s:s}", "name", "N", "value", "1"));
}

static void (*const neighbours[])(json_t *object) = {
    neighbour_label,  neighbour_first, neighbour_last, neighbour_init,
    neighbour_volume, neighbour_order, neighbour_env,
};

/* Everything of ours, without the place where it stands. */
static json_t *our_part(const json_t *object)
{
    const json_t *template = template_of(object);
    json_t *part = json_object();

    tree_put_new(part, "sidecar", tree_copy(template_element(template, sidecar_place)));
    tree_put_new(part, "init", tree_copy(template_element(template, init_place)));
    tree_put_new(part, "mark",
                 tree_copy(tree_get(tree_at(template, "metadata.annotations"), KEY_AGENT)));
    for (size_t i = 0; our_volumes[i]; i++)
        tree_put_new(part, our_volumes[i],
                     tree_copy(tree_named(tree_at(template, "spec.volumes"), our_volumes[i])));
    return part;
}

static void commutes(struct random *random)
{
    AUTO(stage) struct stage stage;
    void (*edit)(json_t * object) =
        neighbours[random_below(random, sizeof neighbours / sizeof *neighbours)];

    stage_make(&stage, random);

    AUTO(json) json_t *first = tree_copy(stage.scene.object);

    edit(first);

    AUTO(json) json_t *theirs_then_ours = created(&stage, first);
    AUTO(json) json_t *ours = created(&stage, stage.scene.object);

    edit(ours);

    AUTO(json) json_t *ours_then_theirs = created(&stage, ours);
    AUTO(json) json_t *one = owners(theirs_then_ours), *other = owners(ours_then_theirs);
    AUTO(json)
    json_t *part = our_part(theirs_then_ours), *other_part = our_part(ours_then_theirs);

    asking_must_be_same("the owner's part", one, other);
    /* of two volumes at one path the first container's keeps it, so the order means something */
    if (edit != neighbour_order)
        asking_must_be_same("our part", part, other_part);
    must_be_sound(ours_then_theirs);
}

/* ---- plan() ---- */

static void tell(struct text *out, const struct plan *plan)
{
    const struct findings *lists[] = {&plan->mistakes, &plan->cautions};

    text_addf(out, "%d %s %d\n%s", plan->state, plan->why, plan->deny, text_get(&plan->notes));
    for (size_t i = 0; i < plan->backup_count; i++)
        text_addf(out, "%s %s\n", plan->backups[i].origin, plan->backups[i].sha256);
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            text_addf(out, "%s %s\n", lists[l]->items[i].field, lists[l]->items[i].message);
}

static void is_pure(struct random *random)
{
    AUTO(stage) struct stage stage;
    AUTO(text) struct text told = {0}, told_again = {0};
    AUTO(plan) struct plan plan = {0};
    AUTO(plan) struct plan again = {0};
    struct target target = {0};

    stage_make(&stage, random);

    AUTO(json) json_t *object = tree_copy(stage.scene.object);
    AUTO(json) json_t *objects = tree_copy(stage.scene.objects);

    PROPERTY_MUST(random, target_of_object(&target, stage.scene.object, "demo"));

    struct plan_request request = {
        .settings = &stage.asking.settings, .cluster = stage.asking.cluster, .target = &target};

    plan_make(&plan, &request);
    plan_make(&again, &request);
    tell(&told, &plan);
    tell(&told_again, &again);
    PROPERTY_MUST(random, strcmp(text_get(&told), text_get(&told_again)) == 0);
    PROPERTY_MUST(random, plan_same_carry(&plan, &again));
    PROPERTY_MUST(random, tree_equal(object, stage.scene.object));
    PROPERTY_MUST(random, tree_equal(objects, stage.scene.objects));
}

/* ---- updates ---- */

static json_t *without_reasons(const json_t *object)
{
    json_t *copy = tree_copy(object);

    json_object_del(json_object_get(json_object_get(copy, "metadata"), "annotations"),
                    KEY_BLUEPRINT);
    return copy;
}

/* The container of a restore goes only with a change of its owner's. */
static bool is_restore_kept(const json_t *object)
{
    return template_element(template_of(object), init_place) != NULL;
}

/* When no reason is left, exactly the owner's object is. */
static void can_be_removed(struct random *random)
{
    AUTO(stage) struct stage stage;

    stage_make(&stage, random);

    AUTO(asking) struct asking empty = {0};
    AUTO(json) json_t *stored = created(&stage, stage.scene.object);

    asking_make(&empty, NULL, NULL);
    default_object(stored);

    AUTO(json) json_t *without = without_reasons(stored);
    json_t *annotations = json_object_get(json_object_get(without, "metadata"), "annotations");

    tree_put_text(annotations, KEY_STAMP, "removed");

    AUTO(json) json_t *removed = requested(&stage, &empty, without, stored);
    AUTO(json) json_t *original = owners(stage.scene.object), *left = owners(removed);

    default_object(original);
    default_object(left);
    asking_must_be_same("the template", template_of(original), template_of(left));
    if (!is_restore_kept(removed))
        asking_must_be_same("nothing of ours", template_of(left), template_of(removed));
}

/* A new release, other settings, a cluster that has changed: as long as owner and reasons say the
 * same, nobody is restarted; and what a replace threw out comes back byte for byte. */
static void never_rolls_by_itself(struct random *random)
{
    AUTO(stage) struct stage stage;

    stage_make(&stage, random);

    AUTO(asking) struct asking later = {0};
    AUTO(json)
    json_t *settings = json_pack("{s:{s:s, s:{s:{s:s}}}}", "agent", "image", "new/image:2",
                                 "resources", "limits", "memory", "3Gi");
    AUTO(json) json_t *stored = created(&stage, stage.scene.object);

    asking_make(&later, stage.scene.objects, settings);
    default_object(stored);

    AUTO(json) json_t *edited = tree_copy(stored);
    AUTO(json) json_t *replaced = owners(stored);

    neighbour_label(edited);

    AUTO(json) json_t *after_edit = requested(&stage, &later, edited, stored);
    AUTO(json) json_t *after_replace = requested(&stage, &later, replaced, stored);

    asking_must_be_same("a label", edited, after_edit);
    if (template_owner_of(template_of(stored)) == TEMPLATE_OURS)
        asking_must_be_same("a replace", template_of(stored), template_of(after_replace));
}

/* The owner's next template may be any other one, with or without a blueprint in sight: what is
 * planned or kept of ours fits into it. */
static void fits_any_template(struct random *random)
{
    AUTO(stage) struct stage stage;

    stage_make(&stage, random);

    AUTO(asking) struct asking empty = {0};
    AUTO(json) json_t *stored = created(&stage, stage.scene.object);
    bool claims = tree_at(stored, "spec.volumeClaimTemplates") != NULL;
    AUTO(json) json_t *now = tree_copy(stored);

    asking_make(&empty, NULL, NULL);
    default_object(stored);
    tree_put_new(json_object_get(now, "spec"), "template", scene_template(random, claims));

    const struct asking *asked = random_often(random, 50) ? &empty : &stage.asking;
    AUTO(json) json_t *result = requested(&stage, asked, now, stored);
    AUTO(json) json_t *again = requested(&stage, asked, result, stored);

    must_be_sound(result);
    asking_must_be_same("again", result, again);
    must_be_as_restricted(&stage, now, result);
}

/* ---- odd shapes ---- */

/* Whatever shape a request has: refused as none, or answered, and a patch applies. */
static void bears_any_shape(struct random *random)
{
    AUTO(stage) struct stage stage;
    struct error err = {0};

    stage_make(&stage, random);

    AUTO(json) json_t *stored = created(&stage, stage.scene.object);
    AUTO(json)
    json_t *now = random_edited(random, stored, 1 + (unsigned)random_below(random, 4));
    AUTO(json)
    json_t *old = random_edited(random, stored, (unsigned)random_below(random, 3));

    if (!json_is_object(now) || !json_is_object(old))
        return;

    AUTO(json) json_t *review = asking_review("UPDATE", now, old);
    AUTO(json) json_t *answer = asking_answer(&stage.asking, review, &err);

    if (!answer) {
        PROPERTY_MUST(random, err.code == ERROR_BAD_REQUEST);
        return;
    }

    AUTO(json) json_t *result = asking_result(review, answer);

    PROPERTY_MUST(random, result != NULL);
}

static const struct {
    const char *name;
    void (*property)(struct random *random);
} rows[] = {
    {"a sound object stays sound and as restricted", stays_sound},
    {"admission on its own result patches nothing", is_idempotent},
    {"another mutation may come before or after", commutes},
    {"a plan is pure", is_pure},
    {"what was added can be removed", can_be_removed},
    {"nothing rolls by itself", never_rolls_by_itself},
    {"what is kept fits any template", fits_any_template},
    {"any shape is borne", bears_any_shape},
};

START_TEST(property)
    {
        random_some_cases(rows[_i].name, rows[_i].property, CASES);
    }
END_TEST

SUITE(property_admit)
{
    tcase_set_timeout(tests, TIMEOUT_S);
    suite_rows(tests, property, rows);
}
