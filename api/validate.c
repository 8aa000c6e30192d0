#include "api/validate.h"

#include "api/keys.h"
#include "api/syntax.h"
#include "api/validate_shared.h"
#include "base/tree.h"

/* ---- what may not change ---- */

static void session_changed(struct judge *judge, const json_t *old, const json_t *spec)
{
    if (!tree_equal(old, spec))
        judge_error(judge, REASON_FORBIDDEN, NULL,
                    "can not change once the session is made: make a new one");
}

static void configuration_changed(struct judge *judge, const json_t *old, const json_t *spec)
{
    const json_t *labels = tree_at(judge->in->old, "metadata.labels");
    const char *phase = tree_text(tree_get(judge->in->old, "status"), "phase");

    if (!phase || strcmp(phase, "Ready") != 0 || tree_get(labels, LABEL_BLUEPRINT))
        return;
    if (!tree_equal(judge_get(old, "target"), judge_get(spec, "target")))
        judge_error(judge, REASON_FORBIDDEN, "target",
                    "can not change while the phase is Ready: make a new BackupConfiguration");
}

/* ---- the kinds ---- */

struct judged_kind {
    const char *group, *kind, *api_version;
    const struct schema *spec; /* NULL: refused */
    void (*changed)(struct judge *judge, const json_t *old, const json_t *spec);
};

static const struct judged_kind kinds[] = {
    {GROUP_STASH, "BackupBlueprint", API_STASH_V1BETA1, &blueprint_schema, NULL},
    {GROUP_STASH, "Repository", API_STASH_V1ALPHA1, &repository_schema, judge_storage_change},
    {GROUP_STASH, "BackupConfiguration", API_STASH_V1BETA1, &configuration_schema,
     configuration_changed},
    {GROUP_STASH, "BackupSession", API_STASH_V1BETA1, &session_schema, session_changed},
    {GROUP_STASH, "RestoreSession", API_STASH_V1BETA1, &restore_schema, session_changed},
    {GROUP_STASH, "Function", API_STASH_V1BETA1, &function_schema, NULL},
    {GROUP_STASH, "Task", API_STASH_V1BETA1, &task_schema, NULL},
    {GROUP_APPCATALOG, "AppBinding", API_APPCATALOG, &app_schema, NULL},
    {GROUP_STASH, "BackupBatch", API_STASH_V1BETA1, NULL, NULL},
    {GROUP_STASH, "RestoreBatch", API_STASH_V1BETA1, NULL, NULL},
};

static const struct judged_kind *kind_find(struct span group, struct span kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(group, kinds[i].group) && span_is(kind, kinds[i].kind))
            return &kinds[i];
    return NULL;
}

bool validate_knows(const char *group, const char *kind)
{
    return kind_find(span_of(group), span_of(kind)) != NULL;
}

/* Of {apiVersion: group/version, kind}. */
static const struct judged_kind *kind_of(const json_t *object)
{
    struct span rest = tree_span(object, "apiVersion"), group;

    if (!text_split(&rest, '/', &group))
        return NULL;
    return kind_find(group, tree_span(object, "kind"));
}

/* ---- the object ---- */

static const struct member metadata_members[] = {
    {"name", STRING, .check = syntax_subdomain},
    {"namespace", STRING, .check = syntax_label},
    {"labels", STRING, MAP, .check = syntax_label_value, .key_check = syntax_label_key},
    {"annotations", ANY, MAP, .key_check = syntax_annotation_key}, /* values may hold NUL */
};

/* The rest of metadata is the API server's. */
static const struct schema metadata = {MEMBERS(metadata_members), .open = true};

static const struct member object_members[] = {
    {"apiVersion", STRING, REQUIRED},
    {"kind", STRING, REQUIRED},
    {"metadata", OBJECT, .of = &metadata},
    {"spec", ANY},
    {"status", ANY},
};

static const struct schema object_schema = {MEMBERS(object_members)};

static void judge_spec(struct judge *judge, const struct judged_kind *kind, const json_t *spec)
{
    const json_t *old = judge_get(judge->in->old, "spec");
    size_t mark = judge_enter(judge, "spec");

    if (!spec)
        judge_error(judge, REASON_REQUIRED, NULL, "is required");
    else
        judge_object(judge, kind->spec, spec);
    if (judge->in->old && kind->changed && json_is_object(spec))
        kind->changed(judge, old, spec);
    judge_leave(judge, mark);
}

static void judge_kind(struct judge *judge, const struct judged_kind *kind)
{
    const json_t *object = judge->in->object;

    if (!span_is(tree_span(object, "apiVersion"), kind->api_version))
        judge_error(judge, REASON_NOT_SUPPORTED, "apiVersion", "of a %s is %s", kind->kind,
                    kind->api_version);
    judge_object(judge, &object_schema, object);
    judge_spec(judge, kind, judge_get(object, "spec"));
}

/* An edit that leaves spec alone (a label, a finalizer) is let through whatever stands in spec: it
 * was accepted once, perhaps before we came, and is not made worse. */
static bool is_untouched(const struct validation *in)
{
    const json_t *old = judge_get(in->old, "spec"), *spec = judge_get(in->object, "spec");

    return in->old && old && spec && tree_equal(old, spec);
}

static void say_the_rest(struct judge *judge)
{
    if (!judge->dropped)
        return;
    findings_add(judge->findings, judge->dropped_error ? FINDING_ERROR : FINDING_WARNING,
                 REASON_TOO_MANY, "", "%zu more findings are not shown", judge->dropped);
}

void validate_resolved(const json_t *spec, const json_t *resolved, struct findings *findings)
{
    static const struct validation nothing = {.object = NULL};
    struct judge judge = {.in = &nothing, .findings = findings, .space = ""};
    size_t mark = judge_enter(&judge, "spec");

    judge_changed(&judge, &blueprint_schema, spec, resolved);
    judge_leave(&judge, mark);
    say_the_rest(&judge);
    text_done(&judge.path);
}

void validate_object(const struct validation *in, struct findings *findings)
{
    const struct judged_kind *kind = kind_of(in->object);
    const json_t *meta = tree_get(in->object, "metadata");
    const char *space = tree_text(meta, "namespace");
    struct judge judge = {.in = in, .findings = findings, .space = space ? space : ""};

    if (!kind || judge_get(meta, "deletionTimestamp"))
        return;
    if (!kind->spec) {
        judge_error(&judge, REASON_NOT_SUPPORTED, "kind",
                    "granary has no %s: write one BackupConfiguration or RestoreSession for each "
                    "target",
                    kind->kind);
    } else if (!is_untouched(in)) {
        judge_kind(&judge, kind);
        say_the_rest(&judge);
    }
    text_done(&judge.path);
}
