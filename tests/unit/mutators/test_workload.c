#include "mutators/workload.h"

#include "api/keys.h"
#include "api/part.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/api/planned.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/defaulting.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/*
 * When the template of a workload changes, and when our part stays byte for byte. Spec: design,
 * Admission; the reasons themselves are in tests/unit/api/test_plan.c.
 */

/* ---- one decision, as admission takes it ---- */

static json_t *decided(const struct planned *asked, const struct target *target,
                       const struct target *stored, enum rule *rule)
{
    struct change change = {&asked->settings, asked->cluster, target, stored};
    AUTO(json)
    json_t *owners = template_owners_part(target->template, stored ? stored->template : NULL);
    AUTO(plan) struct plan plan = {0};
    struct target owned = *target;

    owned.template = owners;
    plan_make(&plan, &(struct plan_request){
                         .settings = change.settings, .cluster = change.cluster, .target = &owned});
    return workload_template(&change, &plan, rule);
}

static json_t *spec_of(const json_t *object)
{
    return json_object_get(object, "spec");
}

/* The object that is stored when a row's request is let through. */
static json_t *created(const struct request_row *row)
{
    AUTO(planned) struct planned asked = {0};
    enum rule rule;

    plan_row(&asked, row);

    json_t *object = tree_copy(asked.object);

    tree_put_new(spec_of(object), "template", decided(&asked, &asked.target, NULL, &rule));
    default_object(object);
    return object;
}

/* "stash-init setup | app stash | a granary-identity | new": names, and what became of the mark. */
static char *told(const json_t *template, const json_t *stored)
{
    static const char *const lists[] = {"initContainers", "containers", "volumes"};
    const json_t *mark = tree_get(tree_at(template, "metadata.annotations"), KEY_AGENT);
    const json_t *before = tree_get(tree_at(stored, "metadata.annotations"), KEY_AGENT), *item;
    struct text out = {0};
    size_t i;

    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        tree_items (tree_get(tree_get(template, "spec"), lists[l]), i, item)
            text_addf(&out, "%s ", tree_text(item, "name"));
        text_puts(&out, "| ");
    }
    text_puts(&out, !mark ? "none" : tree_equal(mark, before) ? "same" : "new");
    return text_take(&out);
}

struct change_row {
    struct request_row before; /* the request that made what is stored */
    struct request_row now;    /* the cluster, the settings and the annotations of this one */
    const char *edit;          /* merged into the stored object; NULL: nothing */
    const char *pod;           /* the owner's template, without our part; NULL: as stored */
    bool create;               /* what is stored is created again */
    enum rule rule;
    const char *told;
};

static json_t *edited(const struct change_row *row, const json_t *stored, const json_t *asked)
{
    json_t *object = tree_copy(stored);

    tree_put_new(json_object_get(object, "metadata"), "annotations",
                 tree_copy(tree_at(asked, "metadata.annotations")));
    if (row->pod)
        tree_put_new(spec_of(object), "template", pod_row(row->pod));
    if (row->edit) {
        AUTO(json) json_t *edit = json_row(row->edit);

        merge_row(object, edit);
    }
    default_object(object);
    return object;
}

static void check_change(const struct change_row *row)
{
    AUTO(planned) struct planned asked = {0};
    AUTO(json) json_t *stored = created(&row->before);
    struct target was = {0}, is = {0};
    enum rule rule, again_rule;

    plan_row(&asked, &row->now);

    AUTO(json) json_t *object = edited(row, stored, asked.object);

    ck_assert(target_of_object(&was, stored, "default"));
    ck_assert(target_of_object(&is, object, "default"));

    const struct target *old = row->create ? NULL : &was;
    AUTO(json) json_t *template = decided(&asked, &is, old, &rule);
    AUTO(free) char *shown = told(template, was.template);

    ck_assert_str_eq(shown, row->told);
    ck_assert_str_eq(rule_name(rule), rule_name(row->rule));

    /* on its own result there is nothing left to do */
    struct target result = is;

    result.template = template;

    AUTO(json) json_t *again = decided(&asked, &result, old, &again_rule);

    ck_assert_msg(tree_equal(template, again), "not the same again: %s", shown);
}

#define BROKEN_RESTORE RESTORE("'name': 'back', 'uid': 'u-9'", RULES, ", 'timeOut': 'soon'", "")
#define POD_EDIT(rest) "{'spec': {'template': {'spec': {" rest "}}}}"
#define NEW_IMAGE POD_EDIT("'containers': [{'name': 'app', 'image': 'new'}]")
#define STAMP "'granary.dev/stamp': '1'"
#define SIDECAR "| app stash | a granary-identity stash-tmp-dir | "
#define RESTORED "stash-init | app | a granary-identity stash-tmp-dir | "
#define BOTH "stash-init | app stash | a granary-identity stash-tmp-dir | "
#define NOTHING "| app | a | none"
#define NOBODY                                                                                     \
    {                                                                                              \
        .annotations = ""                                                                          \
    }
#define ANNOTATED                                                                                  \
    {                                                                                              \
        .annotations = ASKS                                                                        \
    }
#define WAITS                                                                                      \
    {                                                                                              \
        .annotations = "", .objects = { WAITING }                                                  \
    }
#define BREAKS                                                                                     \
    {                                                                                              \
        .annotations = "", .objects = { BROKEN_RESTORE }                                           \
    }
#define IF_EXISTS                                                                                  \
    {                                                                                              \
        .annotations = ASKS ", 'granary.dev/restore-if-exists': 'true'"                            \
    }

/* What is ours comes, stays and goes. */
static const struct change_row change_rows[] = {
    /* the same again, and what means nothing to us */
    {.before = ANNOTATED, .now = ANNOTATED, .rule = RULE_STAYS, .told = SIDECAR "same"},
    {.before = ANNOTATED,
     .now = ANNOTATED,
     .edit = "{'metadata': {'labels': {'a': 'b'}, 'annotations': {'a': 'b'}}}",
     .rule = RULE_STAYS,
     .told = SIDECAR "same"},
    {.before = ANNOTATED,
     .now = {.annotations = ASKS ", 'stash.appscode.com/schedule': '@hourly'"},
     .rule = RULE_STAYS,
     .told = SIDECAR "same"},
    {.before = ANNOTATED,
     .now = {.settings = "{'agent': {'image': 'new'}}"},
     .rule = RULE_STAYS,
     .told = SIDECAR "same"},
    {.before = ANNOTATED,
     .now = {.annotations = ASKS ", 'stash.appscode.com/schedule': '@hourly'",
             .settings = "{'agent': {'image': 'new'}}"},
     .rule = RULE_STAYS,
     .told = SIDECAR "same"},
    /* what a replace threw out is put back; a dropped mark too */
    {.before = ANNOTATED,
     .now = ANNOTATED,
     .pod = WEB_POD,
     .rule = RULE_STAYS,
     .told = SIDECAR "same"},
    /* today's settings with the owner's next change, a new stamp or refresh; a removed one is none
     */
    {.before = ANNOTATED,
     .now = {.settings = "{'agent': {'image': 'new'}}"},
     .edit = NEW_IMAGE,
     .rule = RULE_PLANNED,
     .told = SIDECAR "new"},
    {.before = ANNOTATED,
     .now = {.annotations = ASKS ", " STAMP, .settings = "{'agent': {'image': 'new'}}"},
     .rule = RULE_PLANNED,
     .told = SIDECAR "new"},
    {.before = ANNOTATED,
     .now = {.annotations = ASKS ", 'granary.dev/refresh': 'x'",
             .settings = "{'agent': {'image': 'new'}}"},
     .rule = RULE_PLANNED,
     .told = SIDECAR "new"},
    {.before = {.annotations = ASKS ", " STAMP},
     .now = {.settings = "{'agent': {'image': 'new'}}"},
     .rule = RULE_STAYS,
     .told = SIDECAR "same"},
    {.before = {.annotations = ASKS ", " STAMP},
     .now = {.annotations = ASKS ", " STAMP, .settings = "{'agent': {'image': 'new'}}"},
     .rule = RULE_STAYS,
     .told = SIDECAR "same"},
    {.before = ANNOTATED,
     .now = {.annotations = ASKS ", " STAMP},
     .rule = RULE_PLANNED,
     .told = SIDECAR "same"},
    /* an object from before we were installed waits, unless its owner's template changes */
    {.before = NOBODY, .now = ANNOTATED, .rule = RULE_PLANNED, .told = SIDECAR "new"},
    {.before = {.objects = {NAMESPACE("")}}, .now = ANNOTATED, .rule = RULE_STAYS, .told = NOTHING},
    {.before = {.objects = {NAMESPACE("")}},
     .now = ANNOTATED,
     .edit = NEW_IMAGE,
     .rule = RULE_PLANNED,
     .told = SIDECAR "new"},
    /* the reason goes */
    {.before = ANNOTATED, .now = NOBODY, .rule = RULE_PLANNED, .told = NOTHING},
    {.before = ANNOTATED, .now = NOBODY, .create = true, .rule = RULE_PLANNED, .told = NOTHING},
    /* a plan that can not be made */
    {.before = ANNOTATED,
     .now = {.objects = {NAMESPACE("")}},
     .edit = NEW_IMAGE,
     .rule = RULE_KEPT,
     .told = SIDECAR "same"},
    {.before = ANNOTATED,
     .now = {.objects = {NAMESPACE("")}},
     .create = true,
     .rule = RULE_KEPT,
     .told = SIDECAR "same"},
    {.before = {.objects = {NAMESPACE("")}},
     .now = {.objects = {NAMESPACE("")}},
     .edit = NEW_IMAGE,
     .rule = RULE_KEPT,
     .told = NOTHING},
    {.before = IF_EXISTS,
     .now = {.annotations = ASKS ", 'granary.dev/restore-if-exists': 'true'",
             .objects = {NAMESPACE("")}},
     .edit = NEW_IMAGE,
     .rule = RULE_KEPT,
     .told = BOTH "same"},
    /* nothing of ours fits any more: no data to mount, or pods that can not hold it */
    {.before = ANNOTATED,
     .now = {.objects = {NAMESPACE("")}},
     .pod = "pvc b; app b:/data",
     .rule = RULE_KEPT,
     .told = "| app | b | none"},
    {.before = ANNOTATED,
     .now = {.objects = {NAMESPACE("")}},
     .edit = POD_EDIT("'shareProcessNamespace': true"),
     .rule = RULE_KEPT,
     .told = NOTHING},
    {.before = ANNOTATED,
     .now = {.objects = {NAMESPACE("")}},
     .edit = POD_EDIT("'nodeSelector': {'kubernetes.io/os': 'windows'}"),
     .rule = RULE_KEPT,
     .told = NOTHING},
    /* what fits in part changes, and its mark says so */
    {.before = {.pod = "pvc a b; app a:/data b:/b"},
     .now = {.objects = {NAMESPACE("")}},
     .pod = WEB_POD,
     .rule = RULE_KEPT,
     .told = SIDECAR "new"},
    {.before = ANNOTATED,
     .now = {.objects = {NAMESPACE("")}},
     .edit = POD_EDIT("'resources': {'limits': {'cpu': '1'}}"),
     .rule = RULE_KEPT,
     .told = SIDECAR "new"},
    {.before = ANNOTATED,
     .now = {.objects = {NAMESPACE("")}},
     .edit = POD_EDIT("'securityContext': {'runAsNonRoot': true, 'runAsUser': 5}"),
     .rule = RULE_KEPT,
     .told = SIDECAR "new"},
    /* somebody else's names */
    {.before = {.annotations = "", .pod = WEB_POD "; stash"},
     .now = ANNOTATED,
     .rule = RULE_UNTOUCHED,
     .told = "| app stash | a | none"},
    {.before = ANNOTATED,
     .now = {.settings = "{'excludedNamespaces': ['shop']}"},
     .rule = RULE_UNTOUCHED,
     .told = SIDECAR "same"},
    /* our place is kept, others come and go around us */
    {.before = ANNOTATED,
     .now = ANNOTATED,
     .pod = "pvc a; app a:/data; other",
     .rule = RULE_PLANNED,
     .told = "| app stash other | a granary-identity stash-tmp-dir | same"},
};

START_TEST(changes)
    {
        check_change(&change_rows[_i]);
    }
END_TEST

/* The container of a restore: it goes only with the owner's next change after its session is over,
 * and while the session can not be used nothing is taken away. */
static const struct change_row restore_rows[] = {
    {.before = NOBODY,
     .now = WAITS,
     .edit = NEW_IMAGE,
     .rule = RULE_PLANNED,
     .told = RESTORED "new"},
    {.before = WAITS,
     .now = WAITS,
     .edit = NEW_IMAGE,
     .rule = RULE_PLANNED,
     .told = RESTORED "same"},
    {.before = WAITS, .now = WAITS, .create = true, .rule = RULE_PLANNED, .told = RESTORED "same"},
    {.before = WAITS, .now = NOBODY, .rule = RULE_STAYS, .told = RESTORED "same"},
    {.before = WAITS, .now = NOBODY, .edit = NEW_IMAGE, .rule = RULE_PLANNED, .told = NOTHING},
    {.before = WAITS, .now = NOBODY, .create = true, .rule = RULE_PLANNED, .told = NOTHING},
    {.before = WAITS, .now = {.annotations = STAMP}, .rule = RULE_PLANNED, .told = RESTORED "same"},
    /* it stays beside a backup that comes or goes */
    {.before = WAITS, .now = ANNOTATED, .rule = RULE_PLANNED, .told = BOTH "new"},
    {.before = {.objects = {DAILY, WAITING}},
     .now = NOBODY,
     .rule = RULE_PLANNED,
     .told = RESTORED "new"},
    /* a session that can not be used */
    {.before = WAITS, .now = BREAKS, .rule = RULE_STAYS, .told = RESTORED "same"},
    {.before = WAITS,
     .now = BREAKS,
     .edit = NEW_IMAGE,
     .rule = RULE_PLANNED,
     .told = RESTORED "same"},
    {.before = WAITS,
     .now = BREAKS,
     .pod = WEB_POD "; other",
     .rule = RULE_PLANNED,
     .told = "stash-init | app other | a granary-identity stash-tmp-dir | same"},
    {.before = WAITS, .now = BREAKS, .create = true, .rule = RULE_PLANNED, .told = RESTORED "same"},
    {.before = {.objects = {DAILY, WAITING}},
     .now = {.objects = {DAILY, BROKEN_RESTORE}},
     .edit = NEW_IMAGE,
     .rule = RULE_PLANNED,
     .told = BOTH "same"},
    {.before = {.objects = {DAILY, WAITING}},
     .now = {.objects = {DAILY, BROKEN_RESTORE}},
     .create = true,
     .rule = RULE_PLANNED,
     .told = BOTH "same"},
    {.before = {.objects = {DAILY, WAITING}},
     .now = {.objects = {BROKEN_RESTORE}},
     .edit = NEW_IMAGE,
     .rule = RULE_KEPT,
     .told = BOTH "same"},
    {.before = NOBODY, .now = BREAKS, .edit = NEW_IMAGE, .rule = RULE_PLANNED, .told = NOTHING},
    {.before = WAITS,
     .now = BREAKS,
     .edit = POD_EDIT("'hostPID': true"),
     .rule = RULE_PLANNED,
     .told = NOTHING},
    /* the init container of an empty volume is the backup's, and goes with it */
    {.before = IF_EXISTS, .now = NOBODY, .rule = RULE_PLANNED, .told = NOTHING},
    {.before = IF_EXISTS, .now = ANNOTATED, .rule = RULE_PLANNED, .told = SIDECAR "new"},
    {.before = IF_EXISTS, .now = BREAKS, .edit = NEW_IMAGE, .rule = RULE_PLANNED, .told = NOTHING},
    /* backups that can not be planned beside a restore that can: the sidecar stays */
    {.before = ANNOTATED,
     .now = {.objects = {WAITING}},
     .edit = NEW_IMAGE,
     .rule = RULE_PLANNED,
     .told = BOTH "new"},
    {.before = ANNOTATED,
     .now = {.objects = {WAITING}},
     .create = true,
     .rule = RULE_PLANNED,
     .told = BOTH "new"},
};

START_TEST(restores)
    {
        check_change(&restore_rows[_i]);
    }
END_TEST

/* Shapes that Kubernetes refuses are its to refuse. */
static const struct {
    const char *template, *fault; /* NULL: none */
} shape_rows[] = {
    {"{'spec': {'containers': [{}]}}", NULL},
    {"{'spec': {'containers': [{}], 'initContainers': null, 'volumes': null}}", NULL},
    {"{'metadata': null, 'spec': {'containers': [{}]}}", NULL},
    {"{'metadata': {'annotations': null}, 'spec': {'containers': [{}]}}", NULL},
    {"{}", "spec.template.spec is not an object"},
    {"[]", "spec.template.spec is not an object"},
    {"{'spec': []}", "spec.template.spec is not an object"},
    {"{'spec': {}}", "containers is empty"},
    {"{'spec': {'containers': {}}}", "containers is empty"},
    {"{'metadata': 1, 'spec': {'containers': [{}]}}", "metadata is not an object"},
    {"{'metadata': {'annotations': []}, 'spec': {'containers': [{}]}}",
     "annotations is not an object"},
    {"{'spec': {'containers': [{}, 1]}}", "containers is not a list of objects"},
    {"{'spec': {'containers': [{}], 'initContainers': ['x']}}",
     "initContainers is not a list of objects"},
    {"{'spec': {'containers': [{}], 'volumes': {}}}", "volumes is not a list of objects"},
};

START_TEST(shapes)
    {
        AUTO(json) json_t *template = json_row(shape_rows[_i].template);
        const char *fault = workload_misshapen(template);

        ck_assert_int_eq(fault != NULL, shape_rows[_i].fault != NULL);
        if (fault)
            ck_assert_msg(strstr(fault, shape_rows[_i].fault) != NULL, "%s", fault);
    }
END_TEST

SUITE(mutators_workload)
{
    suite_rows(tests, changes, change_rows);
    suite_rows(tests, restores, restore_rows);
    suite_rows(tests, shapes, shape_rows);
}
