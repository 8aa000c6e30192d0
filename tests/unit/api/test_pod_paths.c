#include "api/pod.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define ENV(entries) " + {'containers': [{'name': 'app', 'env': [" entries "]}]}"
#define LITERAL(name, value) "{'name': '" name "', 'value': '" value "'}"
#define FIELD(name, path)                                                                          \
    "{'name': '" name "', 'valueFrom': {'fieldRef': {'apiVersion': 'v1', 'fieldPath': '" path "'}" \
    "}}"
#define POD FIELD("POD", "metadata.name")

/*
 * What a subPathExpr needs to be copied: the literal or fieldRef variables that it names. Spec:
 * design, "Our part never makes a valid object invalid".
 */
static const struct {
    const char *pod, *variables; /* NULL: can not be copied */
} variable_rows[] = {
    {"pvc a; app a:/data", "[]"},
    {"pvc a; app a:/data:plain", "[]"},
    {"pvc a; app a:/data:$(POD)" ENV(POD), "[" POD "]"},
    {"pvc a; app a:/data:$(X)" ENV(LITERAL("X", "x")), "[" LITERAL("X", "x") "]"},
    {"pvc a; app a:/data:logs/$(NS)/$(POD)/x" ENV(POD ", " FIELD("NS", "metadata.namespace")),
     "[" FIELD("NS", "metadata.namespace") ", " POD "]"},
    /* each of them once */
    {"pvc a b; app a:/a:$(POD) b:/b:$(POD)-$(POD)" ENV(POD), "[" POD "]"},
    /* the last of a name counts */
    {"pvc a; app a:/data:$(X)" ENV(LITERAL("X", "old") ", " LITERAL("X", "new")),
     "[" LITERAL("X", "new") "]"},
    /* two dollar signs are one, and no variable */
    {"pvc a; app a:/data:$$(X)$(POD)" ENV(POD), "[" POD "]"},
    {"pvc a; app a:/data:$(POD)$" ENV(POD), "[" POD "]"},
    {"pvc a; app a:/data:$$$(POD)" ENV(POD), "[" POD "]"},
    /* defined nowhere, or in another container only, or from elsewhere */
    {"pvc a; app a:/data:$(X)", NULL},
    {"pvc a; app a:/data:$(X); other + {'containers': [{'name': 'other', 'env': [" LITERAL(
         "X", "x") "]}]}",
     NULL},
    {"pvc a; app a:/data:$(X)" ENV("{'name': 'X', 'valueFrom': {'secretKeyRef': {'name': 's',"
                                   " 'key': 'k'}}}"),
     NULL},
    {"pvc a; app a:/data:$(X)" ENV("{'name': 'X', 'valueFrom': {'configMapKeyRef': {'name': 's',"
                                   " 'key': 'k'}}}"),
     NULL},
    {"pvc a; app a:/data:$(X)" ENV("{'name': 'X', 'valueFrom': {'resourceFieldRef': {'resource':"
                                   " 'limits.cpu'}}}"),
     NULL},
    {"pvc a; app a:/data:$(X) + {'containers': [{'name': 'app', 'envFrom': [{'configMapRef':"
     " {'name': 'c'}}]}]}",
     NULL},
    /* a literal that depends on others */
    {"pvc a; app a:/data:$(X)" ENV(LITERAL("Y", "y") ", " LITERAL("X", "$(Y)")), NULL},
    /* a variable without a value is empty, as the server writes it */
    {"pvc a; app a:/data:$(X)" ENV("{'name': 'X'}"), "[{'name': 'X'}]"},
    {"pvc a; app a:/data:$(X)" ENV("{'name': 'X', 'value': 1}"), NULL},
    {"pvc a; app a:/data:$(X)" ENV(LITERAL("X", "")), "[{'name': 'X'}]"},
    /* not closed, or empty */
    {"pvc a; app a:/data:$(POD" ENV(POD), NULL},
    {"pvc a; app a:/data:$()" ENV(POD), NULL},
    /* one name that means two things in two containers */
    {"pvc a b; app a:/a:$(X); other b:/b:$(X) + {'containers': [{'name': 'app', 'env': [" LITERAL(
         "X", "1") "]}, {'name': 'other', 'env': [" LITERAL("X", "2") "]}]}",
     NULL},
    {"pvc a b; app a:/a:$(X); other b:/b:$(X) + {'containers': [{'name': 'app', 'env': [" LITERAL(
         "X", "1") "]}, {'name': 'other', 'env': [" LITERAL("X", "1") "]}]}",
     "[" LITERAL("X", "1") "]"},
    /* an init container that mounts it */
    {"pvc a; init:setup a:/data:$(X); app + {'initContainers': [{'name': 'setup', 'env':"
     " [" LITERAL("X", "x") "]}]}",
     "[" LITERAL("X", "x") "]"},
};

START_TEST(path_variables)
    {
        AUTO(json) json_t *template = pod_row(variable_rows[_i].pod);
        AUTO(findings) struct findings ignored = {0};
        AUTO(json)
        json_t *mounts = pod_derive_mounts(&(struct pod_claims){template, NULL}, &ignored),
               *variables = pod_path_variables(template, mounts);

        ck_assert_int_eq(variables != NULL, variable_rows[_i].variables != NULL);
        if (variables) {
            AUTO(json) json_t *expected = json_row(variable_rows[_i].variables);

            ck_assert(tree_equal(variables, expected));
        }
    }
END_TEST

/* Mounts that no container has: nothing can define what their paths name. */
START_TEST(path_variables_of_nobody)
    {
        AUTO(json)
        json_t *template = pod_row("pvc a; app a:/data:$(POD)" ENV(POD)),
               *mounts = json_row("[{'name': 'b', 'mountPath': '/b', 'subPathExpr': '$(POD)'}]"),
               *plain = json_row("[{'name': 'b', 'mountPath': '/b', 'subPathExpr': 'x'}, {}]"),
               *variables = pod_path_variables(template, plain);

        ck_assert_ptr_null(pod_path_variables(template, mounts));
        ck_assert_ptr_null(pod_path_variables(NULL, mounts));
        ck_assert_uint_eq(json_array_size(variables), 0);
    }
END_TEST

static const struct {
    const char *path;
    bool sound, sub_sound;
} sound_rows[] = {
    {NULL, false, true},       {"", false, true},        {"/", false, false},
    {"/data", true, false},    {"/data/", true, false},  {"data", false, true},
    {"data/x", false, true},   {"/a:b", false, false},   {"a:b", false, true},
    {"/..", false, false},     {"..", false, false},     {"../x", false, false},
    {"/a/../b", false, false}, {"a/../b", false, false}, {"/a/..", false, false},
    {"a/..", false, false},    {"/..a", true, false},    {"..a", false, true},
    {"/a..", true, false},     {"a../b", false, true},   {"/a/...", true, false},
};

START_TEST(sound_paths)
    {
        ck_assert_int_eq(pod_path_is_sound(sound_rows[_i].path), sound_rows[_i].sound);
        ck_assert_int_eq(pod_sub_path_is_sound(sound_rows[_i].path), sound_rows[_i].sub_sound);
    }
END_TEST

SUITE(api_pod_paths)
{
    suite_rows(tests, path_variables, variable_rows);
    tcase_add_test(tests, path_variables_of_nobody);
    suite_rows(tests, sound_paths, sound_rows);
}
