#include <string.h>

#include "base/tree.h"
#include "controllers/blueprint_status.h"
#include "controllers/condition.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define NOW INT64_C(1771286400)

#define BLUEPRINT "{'metadata':{'name':'nightly','generation':4}}"
#define MADE(generation)                                                                           \
    "{'metadata':{'annotations':{'granary.dev/blueprint-generation':'" generation "'}},'status':"  \
    "{'phase':'Ready'}}"
#define NOT_READY                                                                                  \
    "{'metadata':{'annotations':{'granary.dev/blueprint-generation':'4'}},'status':{'phase':"      \
    "'NotReady','conditions':[{'type':'A','status':'True','message':'no'},{'type':'B','status':"   \
    "'False','message':'no Secret'}]}}"

struct row_target {
    const char *name, *configuration, *problem;
    size_t protected, unprotected;
};

static const struct {
    const char *what, *fault;
    struct row_target targets[8];
    struct blueprint_counts counts;
    const char *error, *behind, *failing;
} rows[] = {
    {"nobody uses it", NULL, {{0}}, {0}, "", "", ""},
    {"it is not sound",
     "spec.backend: is required",
     {{0}},
     {0},
     "spec.backend: is required",
     "",
     ""},
    {"all is well",
     NULL,
     {{"Deployment shop/web", MADE("4"), NULL, 2, 0}, {"PVC shop/a", MADE("4"), NULL, 1, 0}},
     {2, 2, 0, 3, 0},
     "",
     "",
     ""},
    {"an edit is on its way",
     NULL,
     {{"b", MADE("4"), NULL, 1, 0}, {"c", MADE("3"), NULL, 1, 0}, {"a", NULL, NULL, 0, 2}},
     {3, 1, 0, 2, 2},
     "",
     "not yet as the blueprint says: a, c",
     ""},
    {"two fail",
     NULL,
     {{"b", NOT_READY, NULL, 0, 1}, {"a", NULL, "nothing to back up", 0, 0}},
     {2, 1, 2, 0, 1},
     "a: nothing to back up",
     "not yet as the blueprint says: a",
     "a, b"},
    {"a condition says why",
     NULL,
     {{"b", NOT_READY, NULL, 0, 1}},
     {1, 1, 1, 0, 1},
     "b: no Secret",
     "",
     "b"},
    {"it could not be found out",
     NULL,
     {{"b",
       "{'metadata':{'annotations':{'granary.dev/blueprint-generation':'4'}},'status':{'phase':"
       "'NotReady','conditions':[{'type':'B','status':'Unknown','message':'may not read'}]}}",
       NULL, 0, 1}},
     {1, 1, 1, 0, 1},
     "b: may not read",
     "",
     "b"},
    {"many",
     NULL,
     {{"g", NULL, "x", 0, 0},
      {"f", NULL, "x", 0, 0},
      {"e", NULL, "x", 0, 0},
      {"d", NULL, "x", 0, 0},
      {"c", NULL, "x", 0, 0},
      {"b", NULL, "x", 0, 0}},
     {6, 0, 6, 0, 0},
     "b: x",
     "not yet as the blueprint says: b, c, d, e, f and more",
     "b, c, d, e, f and more"},
    {"five",
     NULL,
     {{"f", NULL, "x", 0, 0},
      {"e", NULL, "x", 0, 0},
      {"d", NULL, "x", 0, 0},
      {"c", NULL, "x", 0, 0},
      {"b", NULL, "x", 0, 0}},
     {5, 0, 5, 0, 0},
     "b: x",
     "not yet as the blueprint says: b, c, d, e, f",
     "b, c, d, e, f"},
    {"no phase yet",
     NULL,
     {{"a", "{}", NULL, 0, 0}},
     {1, 0, 0, 0, 0},
     "",
     "not yet as the blueprint says: a",
     ""},
    {"not ready, and nobody says why",
     NULL,
     {{"a", "{'status':{'phase':'Invalid'}}", NULL, 0, 0}},
     {1, 0, 1, 0, 0},
     "a: its BackupConfiguration is not ready",
     "not yet as the blueprint says: a",
     "a"},
    {"odd shapes",
     NULL,
     {{"a", "{'metadata':7,'status':{'phase':1,'conditions':'x'}}", NULL, 0, 0}},
     {1, 0, 0, 0, 0},
     "",
     "not yet as the blueprint says: a",
     ""},
};

struct scene {
    json_t *blueprint;
    struct blueprint_target targets[8];
    struct blueprint_seen seen;
};

static void auto_scene(struct scene *scene)
{
    json_decref(scene->blueprint);
    for (size_t i = 0; i < scene->seen.count; i++)
        json_decref((json_t *)scene->targets[i].configuration);
}

static void make_scene(struct scene *scene, int row)
{
    scene->blueprint = json_row(BLUEPRINT);
    for (size_t i = 0; i < 8 && rows[row].targets[i].name; i++) {
        const struct row_target *from = &rows[row].targets[i];

        scene->targets[i] = (struct blueprint_target){
            from->name, from->configuration ? json_row(from->configuration) : NULL, from->problem,
            from->protected, from->unprotected};
        scene->seen.count++;
    }
    scene->seen.blueprint = scene->blueprint;
    scene->seen.fault = rows[row].fault;
    scene->seen.targets = scene->targets;
    scene->seen.now_s = NOW;
}

START_TEST(what_became_of_it)
    {
        AUTO(scene) struct scene scene = {0};

        make_scene(&scene, _i);

        AUTO(json) json_t *status = blueprint_status(&scene.seen, NULL);
        const json_t *conditions = tree_get(status, "conditions");
        const struct blueprint_counts *wanted = &rows[_i].counts;

        ck_assert_int_eq(tree_int(status, "observedGeneration", -1), 4);
        ck_assert_uint_eq(tree_int(status, "matchedTargets", -1), wanted->matched);
        ck_assert_uint_eq(tree_int(status, "upToDateTargets", -1), wanted->up_to_date);
        ck_assert_uint_eq(tree_int(status, "failingTargets", -1), wanted->failing);
        ck_assert_uint_eq(tree_int(status, "protectedVolumes", -1), wanted->protected);
        ck_assert_uint_eq(tree_int(status, "unprotectedVolumes", -1), wanted->unprotected);
        ck_assert_str_eq(tree_text(status, "lastError"), rows[_i].error);
        ck_assert_str_eq(condition_message(conditions, "TargetsUpToDate"), rows[_i].behind);
        ck_assert_str_eq(condition_message(conditions, "TargetsReady"), rows[_i].failing);
        ck_assert_int_eq(condition_status(conditions, "ValidationPassed"),
                         rows[_i].fault ? CONDITION_FALSE : CONDITION_TRUE);
    }
END_TEST

START_TEST(the_same_again)
    {
        AUTO(scene) struct scene scene = {0};

        make_scene(&scene, _i);

        AUTO(json) json_t *theirs = json_row("{'conditions':'odd','x':1}");
        AUTO(json) json_t *status = blueprint_status(&scene.seen, theirs);

        scene.seen.now_s += 60;

        AUTO(json) json_t *again = blueprint_status(&scene.seen, status);

        ck_assert_msg(tree_equal(status, again), "%s", rows[_i].what);
        ck_assert_int_eq(tree_int(status, "x", 0), 1);
    }
END_TEST

/* The CRD takes so many bytes. */
START_TEST(errors_are_cut)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(text) struct text long_text = {0};

        make_scene(&scene, 5);
        for (int i = 0; i < 3000; i++)
            text_puts(&long_text, "\xc3\xa4");
        scene.targets[0].problem = text_get(&long_text);

        AUTO(json) json_t *status = blueprint_status(&scene.seen, NULL);

        ck_assert_uint_le(strlen(tree_text(status, "lastError")), BLUEPRINT_ERROR_MAX_BYTES);
    }
END_TEST

SUITE(controllers_blueprint_status)
{
    suite_rows(tests, what_became_of_it, rows);
    suite_rows(tests, the_same_again, rows);
    tcase_add_test(tests, errors_are_cut);
}
