#include "api/dump_command.h"

#include "api/plan.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/planned.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* ---- what is planned ---- */

#define ALLOWED BLUEPRINT("daily", ", 'overrides': [{'key': 'dump'}, {'key': 'paths'}]")
#define COMMAND ASKS ", 'granary.dev/dump-command': '[\\'pg_dump\\', \\'-Fc\\']'"
#define PODS_OF_DB "db"

/* A request; the words of a mistake, and of what is decided. NULL: it is planned. */
static const struct {
    struct request_row request;
    const char *why, *mistake;
    const char *field; /* of the mistake */
} plans[] = {
    {.request = {.annotations = COMMAND, .objects = {ALLOWED}}},
    {.request = {.annotations = COMMAND, .pod = PODS_OF_DB, .objects = {ALLOWED}}},
    {.request = {.annotations = COMMAND ", 'granary.dev/dump-container': 'app'",
                 .objects = {ALLOWED}}},
    {.request = {.kind = "StatefulSet", .annotations = COMMAND, .objects = {ALLOWED}}},
    /* nobody named a blueprint: the label of the namespace, also without claims */
    {.request = {.annotations = "'granary.dev/dump-command': '[\\'pg_dump\\', \\'-Fc\\']'",
                 .pod = PODS_OF_DB,
                 .objects = {ALLOWED, LABELLED}}},
    {.request = {.annotations = COMMAND ", 'granary.dev/dump-container': 'other'",
                 .objects = {ALLOWED}},
     .why = "dump-invalid",
     .mistake = "no container of that name",
     .field = "metadata.annotations[granary.dev/dump-container]"},
    {.request = {.kind = "DaemonSet", .annotations = COMMAND, .objects = {ALLOWED}},
     .why = "dump-invalid",
     .mistake = "a pod on each node",
     .field = "metadata.annotations[granary.dev/dump-command]"},
    {.request = {.annotations = COMMAND ", 'stash.appscode.com/target-paths': '/data'",
                 .objects = {ALLOWED}},
     .why = "dump-invalid",
     .mistake = "either paths or a command",
     .field = "metadata.annotations[stash.appscode.com/target-paths]"},
    {.request = {.annotations = COMMAND ", 'stash.appscode.com/volume-mounts': 'data:/data'",
                 .objects = {ALLOWED}},
     .why = "dump-invalid",
     .mistake = "either paths or a command",
     .field = "metadata.annotations[stash.appscode.com/target-paths]"},
};

START_TEST(planned_or_not)
    {
        AUTO(planned) struct planned asked = {0};

        plan_row(&asked, &plans[_i].request);
        ck_assert_str_eq(asked.plan.why, plans[_i].why ? plans[_i].why : "planned");
        findings_say(&asked.plan.mistakes, plans[_i].mistake ? plans[_i].mistake : "");
        if (plans[_i].why) {
            ck_assert_str_eq(asked.plan.mistakes.items[0].field, plans[_i].field);
            return;
        }

        const json_t *made = asked.plan.backups[0].configuration;
        const json_t *annotations = tree_at(made, "metadata.annotations");

        ck_assert(dump_command_is_of(made));
        ck_assert_str_eq(tree_text(annotations, "granary.dev/dump-command"),
                         "[\"pg_dump\", \"-Fc\"]");
        ck_assert_str_eq(tree_text(tree_get(made, "spec"), "mode"), "Job");
        ck_assert(span_is(tree_value(json_array_get(tree_at(made, "spec.target.paths"), 0)),
                          DUMP_COMMAND_PATH));
        ck_assert(!asked.plan.carry.backup);
    }
END_TEST

/* Who may not write it gets what he had before, and is told. */
START_TEST(not_allowed)
    {
        const struct request_row row = {.annotations = COMMAND};
        AUTO(planned) struct planned asked = {0};

        plan_row(&asked, &row);
        ck_assert_str_eq(asked.plan.why, "planned");
        ck_assert(!dump_command_is_of(asked.plan.backups[0].configuration));
        ck_assert_uint_eq(asked.plan.mistakes.count, 1);
        ck_assert_str_eq(asked.plan.mistakes.items[0].field,
                         "metadata.annotations[granary.dev/dump-command]");
    }
END_TEST

/* ---- what both say ---- */

#define SAYS(rest) "{'metadata':{'annotations':{'granary.dev/dump-command':" rest "}}}"
#define DUMP "'[\\'a\\',\\'b\\']'"

static const struct {
    const char *configuration, *workload, *container, *error; /* error NULL: agreed */
    enum error_code code;
} agreements[] = {
    {SAYS(DUMP), SAYS(DUMP), NULL, NULL, 0},
    {SAYS(DUMP ",'granary.dev/dump-container':'db'"),
     SAYS(DUMP ",'granary.dev/dump-container':'db'"), "db", NULL, 0},
    {SAYS(DUMP), "null", NULL, "not there", ERROR_NOT_FOUND},
    {SAYS(DUMP), "{'metadata':{}}", NULL, "another one", ERROR_CONFLICT},
    {SAYS("'[\\'sh\\']'"), SAYS(DUMP), NULL, "another one", ERROR_CONFLICT},
    {SAYS(DUMP ",'granary.dev/dump-container':'db'"), SAYS(DUMP), NULL, "another one",
     ERROR_CONFLICT},
    {"{}", "{}", NULL, "no list of texts", ERROR_INVALID},
    {SAYS("'x'"), SAYS("'x'"), NULL, "no list of texts", ERROR_INVALID},
};

static json_t *row_of(const char *text)
{
    AUTO(text) struct text made = {0};

    for (; *text; text++)
        if (text[0] == '\\' && text[1] == '\'') {
            text_puts(&made, "\\\"");
            text++;
        } else {
            text_putc(&made, *text == '\'' ? '"' : *text);
        }
    return json_loads(text_get(&made), JSON_DECODE_ANY, NULL);
}

START_TEST(agreed)
    {
        AUTO(json) json_t *configuration = row_of(agreements[_i].configuration);
        AUTO(json) json_t *workload = row_of(agreements[_i].workload);
        struct error err = {.message = ""};
        const char *container = NULL;
        AUTO(json)
        json_t *command = dump_command_agreed(
            configuration, json_is_null(workload) ? NULL : workload, &container, &err);

        ck_assert_ptr_nonnull(configuration);
        ck_assert_msg((command != NULL) == !agreements[_i].error, "%s", err.message);
        if (agreements[_i].error) {
            ck_assert_msg(strstr(err.message, agreements[_i].error), "%s", err.message);
            ck_assert_int_eq(err.code, agreements[_i].code);
            return;
        }
        ck_assert_uint_eq(json_array_size(command), 2);
        ck_assert_pstr_eq(container, agreements[_i].container);
    }
END_TEST

/* ---- which pod ---- */

#define POD(name, owner, phase, ready, rest)                                                       \
    "{'metadata':{'name':'" name "','ownerReferences':[{'controller':true,'uid':'" owner           \
    "'}]" rest "},'spec':{'containers':[{'name':'stash'},{'name':'db'},{'name':'log'}]},"          \
    "'status':{'phase':'" phase "','containerStatuses':[{'name':'stash','ready':true},"            \
    "{'name':'db','ready':" ready "},{'name':'log','ready':true}]}}"
#define READY(name) POD(name, "u1", "Running", "true", "")

static const struct {
    const char *pods, *wanted, *pod, *container; /* pod NULL: none */
} choices[] = {
    {"[" READY("db-1") "," READY("db-0") "]", NULL, "db-0", "db"},
    {"[" READY("db-0") "," READY("db-1") "]", "log", "db-0", "log"},
    {"[" READY("db-0") "]", " log ", "db-0", "log"},
    {"[" POD("db-0", "u1", "Running", "false", "") "," READY("db-1") "]", NULL, "db-1", "db"},
    {"[" POD("db-0", "u1", "Running", "false", "") "]", "log", "db-0", "log"},
    {"[" POD("db-0", "u2", "Running", "true", "") "]", NULL, NULL, NULL},
    {"[" POD("db-0", "u1", "Pending", "true", "") "]", NULL, NULL, NULL},
    {"[" POD("db-0", "u1", "Running", "true", ",'deletionTimestamp':'x'") "]", NULL, NULL, NULL},
    {"[" READY("db-0") "]", "stash", NULL, NULL}, /* never ours, which has keys */
    {"[" READY("db-0") "]", "x", NULL, NULL},
    {"[{}]", NULL, NULL, NULL},
    {"[]", NULL, NULL, NULL},
};

START_TEST(chosen)
    {
        static const char *const owners[] = {"u0", "u1"};
        AUTO(json) json_t *pods = json_row(choices[_i].pods);
        const json_t *list[2] = {json_array_get(pods, 0), json_array_get(pods, 1)};
        const char *container = choices[_i].wanted;
        struct error err = {.message = ""};
        const json_t *pod =
            dump_command_pod(list, json_array_size(pods), owners, 2, &container, &err);

        ck_assert_pstr_eq(tree_text(tree_get(pod, "metadata"), "name"), choices[_i].pod);
        if (pod)
            ck_assert_pstr_eq(container, choices[_i].container);
        else
            ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
    }
END_TEST

SUITE(api_dump_command)
{
    suite_rows(tests, planned_or_not, plans);
    tcase_add_test(tests, not_allowed);
    suite_rows(tests, agreed, agreements);
    suite_rows(tests, chosen, choices);
}
