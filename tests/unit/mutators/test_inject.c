#include "mutators/inject.h"

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* Templates that no release of ours wrote, or that others have changed since. */

#define TEMPLATE(annotations, spec)                                                                \
    "{'metadata': {'annotations': {" annotations "}}, 'spec': {" spec "}}"
#define BARE(spec) "{'metadata': {}, 'spec': {" spec "}}"
#define MARK "'granary.dev/agent': 'v1.11111111.22222222'"
#define STASHED "'stash.appscode.com/last-applied-backup-invoker-hash': '1'"
#define APP "{'name': 'app', 'image': 'i'}"
#define OURS(name, rest) "{'name': '" name "', 'image': 'old'" rest "}"
#define MOUNTS(list) ", 'volumeMounts': [" list "]"
#define DATA "{'name': 'data', 'mountPath': '/data'}"
#define SCRATCH "{'name': 'stash-tmp-dir', 'mountPath': '/stash-tmp'}"
#define VOLUMES(list)                                                                              \
    "'volumes': [{'name': 'data', 'persistentVolumeClaim': {'claimName': 'c'}}" list "]"
#define TMP ", {'name': 'stash-tmp-dir', 'emptyDir': {}}"
#define SAFE ", {'name': 'stash-local', 'hostPath': {'path': '/x'}}"
#define CONTEXT(rest) ", 'securityContext': {" rest "}"
#define STRICT                                                                                     \
    "'securityContext': {'runAsNonRoot': true, 'runAsUser': 5, 'seccompProfile': {'type':"         \
    " 'RuntimeDefault'}}"
#define STRICT_APP                                                                                 \
    "{'name': 'app', 'image': 'i', 'securityContext': {'allowPrivilegeEscalation': false,"         \
    " 'capabilities': {'drop': ['ALL']}}}"
#define OWNER BARE("'containers': [" APP "], " VOLUMES(""))
#define STORED(mark, rest)                                                                         \
    TEMPLATE(mark, "'containers': [" APP                                                           \
                   ", " OURS("stash", MOUNTS(DATA ", " SCRATCH) rest) "], " VOLUMES(TMP))

/* "app stash | data stash-tmp-dir | mark", and the user of the sidecar behind it when it has one.
 */
static char *told(const json_t *template)
{
    static const char *const lists[] = {"initContainers", "containers", "volumes"};
    const json_t *spec = tree_get(template, "spec"), *item;
    const char *mark = tree_text(tree_at(template, "metadata.annotations"), KEY_AGENT);
    struct text out = {0};
    size_t i;

    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        tree_items (tree_get(spec, lists[l]), i, item)
            text_addf(&out, "%s ", tree_text(item, "name"));
        text_puts(&out, "| ");
    }
    text_addf(&out, "%.11s", mark ? mark : "none");
    return text_take(&out);
}

/* What of the stored part stays when no plan can be made. */
static const struct {
    const char *template, *previous, *told;
} keep_rows[] = {
    {OWNER, STORED(MARK, ""), "| app stash | data stash-tmp-dir | v1.11111111"},
    {STORED(MARK, ""), STORED(MARK, ""), "| app stash | data stash-tmp-dir | v1.11111111"},
    /* the mark was dropped, the container not: it is still ours */
    {STORED("", ""), STORED(MARK, ""), "| app stash | data stash-tmp-dir | v1.11111111"},
    /* a mark that is none of ours names no inputs */
    {BARE("'containers': [" APP "], 'resources': {'limits': {'cpu': '1'}}, " VOLUMES("")),
     STORED("'granary.dev/agent': 'x'", ", 'resources': {'limits': {'cpu': '1'}}"),
     "| app stash | data stash-tmp-dir | v1.00000000"},
    {BARE("'containers': [" APP "], 'resources': {'limits': {'cpu': '1'}}, " VOLUMES("")),
     STORED("'granary.dev/agent': 'v2.11111111.22222222'",
            ", 'resources': {'limits': {'cpu': '1'}}"),
     "| app stash | data stash-tmp-dir | v1.00000000"},
    /* nothing of ours was there, or what was there is somebody else's, or Stash's */
    {OWNER, OWNER, "| app | data | none"},
    {OWNER, STORED("", ""), "| app | data | none"},
    {OWNER, STORED(STASHED, ""), "| app | data | none"},
    {STORED("", ""), OWNER, "| app stash | data stash-tmp-dir | none"},
    /* an init container alone */
    {OWNER,
     TEMPLATE(MARK, "'containers': [" APP "], 'initContainers': [" OURS(
                        "stash-init", MOUNTS(DATA ", " SCRATCH)) "], " VOLUMES(TMP)),
     "stash-init | app | data stash-tmp-dir | v1.11111111"},
    /* mounts without a name, and one of a volume that is not there */
    {OWNER,
     TEMPLATE(MARK, "'containers': [" APP ", " OURS(
                        "stash", MOUNTS(DATA ", {'mountPath': '/n'}, " SCRATCH)) "], " VOLUMES("")),
     "| app stash | data | v1.11111111"},
    /* a promise that it would break: it follows, or goes */
    {BARE("'containers': [" APP "], 'securityContext': {'runAsNonRoot': true}, " VOLUMES("")),
     STORED(MARK, CONTEXT("'runAsUser': 0")), "| app stash | data stash-tmp-dir | v1.11111111"},
    {BARE("'containers': [" APP "], 'securityContext': {'runAsNonRoot': true}, " VOLUMES("")),
     STORED(MARK, CONTEXT("'runAsNonRoot': false")),
     "| app stash | data stash-tmp-dir | v1.11111111"},
    {BARE("'containers': [" APP "], 'securityContext': {'runAsNonRoot': true}, " VOLUMES("")),
     STORED(MARK, CONTEXT("'runAsUser': 7")), "| app stash | data stash-tmp-dir | v1.11111111"},
    {BARE("'containers': [" STRICT_APP "], " STRICT ", " VOLUMES("")),
     STORED(MARK, CONTEXT("'runAsUser': 7")), "| app stash | data stash-tmp-dir | v1.11111111"},
    {BARE("'containers': [" STRICT_APP "], " STRICT ", " VOLUMES("")),
     TEMPLATE(MARK,
              "'containers': [" APP ", " OURS(
                  "stash",
                  MOUNTS(DATA ", {'name': 'stash-local', 'mountPath': '/x'}")) "], " VOLUMES(SAFE)),
     "| app | data | none"},
};

START_TEST(kept)
    {
        AUTO(json) json_t *template = json_row(keep_rows[_i].template);
        AUTO(json) json_t *previous = json_row(keep_rows[_i].previous);
        AUTO(json) json_t *copy = tree_copy(template), *before = tree_copy(previous);
        AUTO(json) json_t *made = template_keep(template, previous);
        AUTO(json) json_t *again = template_keep(made, previous);
        AUTO(free) char *shown = told(made);

        ck_assert_str_eq(shown, keep_rows[_i].told);
        ck_assert(tree_equal(template, copy) && tree_equal(previous, before));
        ck_assert(tree_equal(made, again));
    }
END_TEST

/* Plans by hand: what they carry, what is broken. */
static const struct {
    const char *template, *previous; /* NULL: CREATE */
    bool backup, if_exists, backup_broken, restore_broken, keep_init;
    const char *temp_dir;
    const char *told;
} inject_rows[] = {
    {OWNER, NULL, .backup = true,
     .told = "| app stash | data granary-identity stash-tmp-dir | v1.44136fa3"},
    {OWNER, NULL, .told = "| app | data | none"},
    {STORED(MARK, ""), NULL, .told = "| app | data | none"},
    /* somebody else's name, also where the stored one knows no better */
    {STORED("", ""), NULL, .backup = true, .told = "| app stash | data stash-tmp-dir | none"},
    {STORED("", ""), OWNER, .backup = true, .told = "| app stash | data stash-tmp-dir | none"},
    {STORED("", ""), STORED("", ""), .backup = true,
     .told = "| app stash | data stash-tmp-dir | none"},
    {STORED("", ""), STORED(STASHED, ""), .backup = true,
     .told = "| app stash | data stash-tmp-dir granary-identity | v1.44136fa3"},
    /* Stash's part is taken over as a whole, or goes */
    {STORED(STASHED, ""), NULL, .backup = true,
     .told = "| app stash | data granary-identity stash-tmp-dir | v1.44136fa3"},
    {TEMPLATE(STASHED, "'containers': [" APP ", " OURS("stash", "") "], " VOLUMES(
                           ", {'name': 'stash-podinfo'}, {'name': 'stash-local'}")),
     NULL, .told = "| app | data | none"},
    /* what is broken keeps its container, where a plan has none for it */
    {OWNER, STORED(MARK, ""), .backup_broken = true,
     .told = "| app stash | data stash-tmp-dir | v1.44136fa3"},
    {OWNER, STORED(MARK, ""), .backup = true, .backup_broken = true,
     .told = "| app stash | data stash-tmp-dir granary-identity | v1.44136fa3"},
    {OWNER, STORED(MARK, ""), .if_exists = true, .backup = true, .restore_broken = true,
     .keep_init = true,
     .told = "stash-init | app stash | data stash-tmp-dir granary-identity | v1.44136fa3"},
    {OWNER, STORED(STASHED, ""), .backup_broken = true, .told = "| app | data | none"},
    /* a scratch volume that changed is no restore that is over */
    {OWNER,
     TEMPLATE(MARK, "'containers': [" APP "], 'initContainers': [" OURS(
                        "stash-init", MOUNTS(DATA ", " SCRATCH)) "], " VOLUMES(TMP)),
     .backup = true, .keep_init = true, .temp_dir = "{'medium': 'Memory'}",
     .told = "stash-init | app stash | data stash-tmp-dir granary-identity | v1.44136fa3"},
};

START_TEST(injected)
    {
        AUTO(json) json_t *template = json_row(inject_rows[_i].template);
        AUTO(json)
        json_t *previous = inject_rows[_i].previous ? json_row(inject_rows[_i].previous) : NULL;
        struct plan plan = {.state = PLAN_MADE,
                            .backup_broken = inject_rows[_i].backup_broken,
                            .restore_broken = inject_rows[_i].restore_broken,
                            .carry = {.backup = inject_rows[_i].backup,
                                      .restore_if_exists = inject_rows[_i].if_exists,
                                      .inputs = json_object(),
                                      .mounts = json_row("[" DATA "]")}};
        struct settings settings;

        if (inject_rows[_i].temp_dir)
            plan.carry.temp_dir = json_row(inject_rows[_i].temp_dir);
        settings_default(&settings);

        AUTO(json)
        json_t *made =
            template_inject(&plan, &settings, template, previous, inject_rows[_i].keep_init);
        AUTO(free) char *shown = told(made);

        carry_done(&plan.carry);
        settings_done(&settings);
        ck_assert_str_eq(shown, inject_rows[_i].told);
    }
END_TEST

SUITE(mutators_inject)
{
    suite_rows(tests, kept, keep_rows);
    suite_rows(tests, injected, inject_rows);
}
