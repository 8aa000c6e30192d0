#include "cli/validate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/plan.h"
#include "api/validate.h"
#include "base/tree.h"
#include "base/yaml.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "cli/ruling.h"
#include "mutators/restore_rules.h"
#include "mutators/workload.h"

/* One line of the report. */
struct remark {
    size_t number; /* in the order in which it was found */
    char *file, *object, *field, *message;
    struct yaml_place place;
    enum finding_level level;
    const char *reason; /* static, or "" */
};

/* One validation under way. */
struct validating {
    const struct arguments *arguments;
    const struct inputs *inputs;
    struct remark *remarks;
    size_t count, errors, warnings, judged;
};

static void auto_validating(struct validating *validating)
{
    for (size_t i = 0; i < validating->count; i++) {
        struct remark *remark = &validating->remarks[i];

        free(remark->file);
        free(remark->object);
        free(remark->field);
        free(remark->message);
    }
    free(validating->remarks);
}

/* ---- what is found ---- */

static void add(struct validating *validating, struct remark remark)
{
    remark.number = validating->count;
    validating->remarks =
        text_realloc(validating->remarks, (validating->count + 1) * sizeof *validating->remarks);
    validating->remarks[validating->count++] = remark;
    if (remark.level == FINDING_ERROR)
        validating->errors++;
    else
        validating->warnings++;
}

static char *copy(const char *text)
{
    return text_dup(text, strlen(text));
}

static void add_finding(struct validating *validating, const struct catalog_document *document,
                        const struct finding *finding, enum finding_level level)
{
    add(validating,
        (struct remark){
            .file = copy(document->file),
            .object = inputs_title(document->document.value),
            .field = copy(finding->field),
            .message = copy(finding->message),
            .place = *finding->field ? yaml_locate_field(&document->document, finding->field)
                                     : document->document.place,
            .level = level,
            .reason = finding->reason,
        });
}

static void add_findings(struct validating *validating, const struct catalog_document *document,
                         const struct findings *findings, bool deny)
{
    for (size_t i = 0; i < findings->count; i++)
        add_finding(validating, document, &findings->items[i],
                    deny ? FINDING_ERROR : findings->items[i].level);
}

/* A line "file:line:column: text" of the readers. File names may hold anything. */
static void add_reading(struct validating *validating, struct span line)
{
    AUTO(free) char *text = text_dup(line.data, line.length);

    for (char *at = strchr(text, ':'); at; at = strchr(at + 1, ':')) {
        struct yaml_place place;
        int length = 0;

        if (sscanf(at, ":%u:%u: %n", &place.line, &place.column, &length) < 2 || length == 0)
            continue;
        add(validating, (struct remark){.file = text_dup(text, (size_t)(at - text)),
                                        .object = copy(""),
                                        .field = copy(""),
                                        .message = copy(at + length),
                                        .place = place,
                                        .level = FINDING_WARNING,
                                        .reason = ""});
        return;
    }
}

static void add_readings(struct validating *validating)
{
    struct span rest = {validating->inputs->remarks.data, validating->inputs->remarks.length};
    struct span line;

    while (text_split(&rest, '\n', &line))
        add_reading(validating, line);
}

/* ---- our own kinds ---- */

/* A RestoreSession is judged after its rules were moved; the places are those of the manifest. */
static json_t *as_admitted(const struct catalog_document *document, struct findings *findings)
{
    const json_t *object = document->document.value;
    const json_t *spec = tree_member(object, "spec", JSON_OBJECT);
    struct error err;

    if (!span_is(tree_span(object, "kind"), "RestoreSession") || !spec)
        return tree_share(object);

    AUTO(json) json_t *moved = restore_rules_moved(spec, NULL, &err);

    if (!moved) {
        findings_add(findings, FINDING_ERROR, REASON_INVALID, "spec.rules", "%s", err.message);
        return NULL;
    }

    json_t *admitted = json_copy((json_t *)object);

    tree_put_new(admitted, "spec", TAKE(moved));
    return admitted;
}

static void locate_moved_rules(struct findings *findings, const json_t *object)
{
    static const char from[] = "spec.target.rules", to[] = "spec.rules";

    if (json_array_size(tree_at(object, "spec.rules")) == 0)
        return;
    for (size_t i = 0; i < findings->count; i++) {
        char *field = findings->items[i].field;

        if (strncmp(field, from, strlen(from)) != 0)
            continue;
        findings->items[i].field = text_format("%s%s", to, field + strlen(from));
        free(field);
    }
}

static void judge_own(struct validating *validating, const struct catalog_document *document)
{
    AUTO(findings) struct findings findings = {0};
    AUTO(json) json_t *object = as_admitted(document, &findings);

    if (object)
        validate_object(
            &(struct validation){.object = object, .cluster = validating->inputs->cluster},
            &findings);
    locate_moved_rules(&findings, document->document.value);
    add_findings(validating, document, &findings, false);
}

/* ---- targets ---- */

static bool is_ours(const struct plan *plan)
{
    return plan->state == PLAN_BROKEN || plan->state == PLAN_MADE || plan->mistakes.count ||
           plan->cautions.count || !strcmp(plan->why, "opted-out");
}

/* Injecting may find that a container or volume name is taken. */
static void try_injecting(const struct validating *validating, const struct target *target,
                          struct plan *plan)
{
    struct change change = {.settings = &validating->inputs->settings,
                            .cluster = validating->inputs->cluster,
                            .target = target};
    enum rule rule;
    json_t *wanted = workload_template(&change, plan, &rule);

    json_decref(wanted);
}

static bool judge_shape(struct validating *validating, const struct catalog_document *document,
                        const struct target *target)
{
    const char *misshapen =
        target->kind->class == TARGET_WORKLOAD ? workload_misshapen(target->template) : NULL;
    AUTO(findings) struct findings findings = {0};

    if (!misshapen)
        return true;
    findings_add(&findings, FINDING_WARNING, REASON_TYPE_INVALID, "spec.template",
                 "%s: the API server refuses this, granary does not look at it", misshapen);
    add_findings(validating, document, &findings, false);
    return false;
}

static bool judge_target(struct validating *validating, const struct catalog_document *document,
                         const struct target *target)
{
    AUTO(plan) struct plan plan = {0};

    if (!judge_shape(validating, document, target))
        return true;
    plan_make(&plan, &(struct plan_request){.settings = &validating->inputs->settings,
                                            .cluster = validating->inputs->cluster,
                                            .target = target});
    if (target->kind->class == TARGET_WORKLOAD && plan.state != PLAN_FOREIGN)
        try_injecting(validating, target, &plan);
    add_findings(validating, document, &plan.mistakes, plan.deny);
    add_findings(validating, document, &plan.cautions, false);
    return is_ours(&plan);
}

/* ---- kinds that nobody knows ---- */

static void judge_unknown(struct validating *validating, const struct catalog_document *document)
{
    static const char *const kinds[] = {"BackupBlueprint",
                                        "BackupConfiguration",
                                        "BackupSession",
                                        "RestoreSession",
                                        "Repository",
                                        "Function",
                                        "Task",
                                        "AppBinding",
                                        NULL};
    struct span kind = tree_span(document->document.value, "kind");
    const char *nearest = text_did_you_mean(kind, kinds);
    const char *meant = nearest && !span_is(kind, nearest) ? nearest : NULL;
    AUTO(free) char *shown = text_printable(kind, 63);
    AUTO(findings) struct findings findings = {0};

    findings_add(&findings, FINDING_WARNING, REASON_NOT_SUPPORTED, "kind",
                 "granary knows no kind \"%s\"%s%s%s", shown, meant ? ", did you mean " : "",
                 meant ? meant : "", meant ? "?" : "");
    add_findings(validating, document, &findings, false);
}

static void judge_document(struct validating *validating, const struct catalog_document *document)
{
    const json_t *object = document->document.value;
    struct span group = inputs_group(object);
    bool own = ruling_judges(object), judged = own;
    struct target target;

    if (own)
        judge_own(validating, document);
    if (target_of_object(&target, object, validating->arguments->space))
        judged = judge_target(validating, document, &target) || own;
    else if (!own && (span_is(group, GROUP_STASH) || span_is(group, GROUP_APPCATALOG)))
        judge_unknown(validating, document);
    validating->judged += judged;
}

/* ---- the report ---- */

static int compare(const void *left, const void *right)
{
    const struct remark *a = left, *b = right;
    int order = strcmp(a->file, b->file);

    if (order != 0)
        return order;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

static const char *level_name(const struct remark *remark)
{
    return remark->level == FINDING_ERROR ? "error" : "warning";
}

static void write_line(const struct output *output, const struct remark *remark)
{
    enum colour colour = remark->level == FINDING_ERROR ? COLOUR_RED : COLOUR_YELLOW;
    AUTO(free) char *file = text_printable(span_of(remark->file), 4096);

    fprintf(output->out, "%s:%u:%u: %s%s:%s %s%s%s\n", file, remark->place.line,
            remark->place.column, output_begin(output->out_colour, colour), level_name(remark),
            output_end(output->out_colour), remark->field, *remark->field ? ": " : "",
            remark->message);
}

static void write_count(FILE *out, const char *before, size_t count, const char *what)
{
    fprintf(out, "%s%zu %s%s", before, count, what, count == 1 ? "" : "s");
}

static void write_text(const struct validating *validating, const struct output *output)
{
    for (size_t i = 0; i < validating->count; i++)
        write_line(output, &validating->remarks[i]);
    write_count(output->out, "", validating->inputs->given.count, "document");
    fprintf(output->out, ", %zu judged", validating->judged);
    write_count(output->out, ": ", validating->errors, "error");
    write_count(output->out, ", ", validating->warnings, "warning");
    fputc('\n', output->out);
}

static json_t *remark_tree(const struct remark *remark)
{
    json_t *tree = json_object();

    tree_put_text(tree, "file", remark->file);
    tree_put_int(tree, "line", remark->place.line);
    tree_put_int(tree, "column", remark->place.column);
    tree_put_text(tree, "level", level_name(remark));
    tree_put_text(tree, "object", remark->object);
    tree_put_text(tree, "field", remark->field);
    tree_put_text(tree, "reason", remark->reason);
    tree_put_text(tree, "message", remark->message);
    return tree;
}

static void write_json(const struct validating *validating, const struct output *output)
{
    AUTO(json) json_t *report = json_object();
    json_t *findings = json_array();

    tree_put_int(report, "documents", (int64_t)validating->inputs->given.count);
    tree_put_int(report, "judged", (int64_t)validating->judged);
    tree_put_int(report, "errors", (int64_t)validating->errors);
    tree_put_int(report, "warnings", (int64_t)validating->warnings);
    for (size_t i = 0; i < validating->count; i++)
        tree_push_new(findings, remark_tree(&validating->remarks[i]));
    tree_put_new(report, "findings", findings);
    output_document(output, FORM_JSON, report, true);
}

static enum exit_status validate_run(const struct arguments *arguments, const struct output *output)
{
    AUTO(inputs) struct inputs inputs = {0};
    AUTO(validating)
    struct validating validating = {.arguments = arguments, .inputs = &inputs};
    struct error err;

    if (!inputs_read(&inputs, arguments, &err)) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    add_readings(&validating);
    for (size_t i = 0; i < inputs.given.count; i++)
        judge_document(&validating, &inputs.given.items[i]);
    if (validating.count)
        qsort(validating.remarks, validating.count, sizeof *validating.remarks, compare);
    (arguments->form == FORM_JSON ? write_json : write_text)(&validating, output);
    return validating.errors || (arguments->strict && validating.warnings) ? STATUS_FINDINGS
                                                                           : STATUS_FINE;
}

static const char *const options[] = {"strict", NULL};
static const enum form forms[] = {FORM_TEXT, FORM_JSON};

const struct command command_validate = {
    .name = "validate",
    .side = SIDE_MANIFESTS,
    .summary = "judges manifests as admission would, with the line of each finding",
    .about =
        "Judges each BackupBlueprint, Repository, BackupConfiguration, BackupSession,\n"
        "RestoreSession, Function, Task and AppBinding, and the annotations of each workload and\n"
        "PersistentVolumeClaim in FILE, as if it was being created. Other documents are left\n"
        "alone. All documents together, and those of --catalog, count as the cluster.\n"
        "\n"
        "  text  FILE:LINE:COLUMN: error|warning: FIELD: MESSAGE, and a line with the sum\n"
        "  json  one object: documents, judged, errors, warnings, findings\n"
        "\n"
        "exit: 0 admission lets all of it in (it may warn; with --strict: it does not),\n"
        "      1 it refuses something, 2 could not run (a file that is no YAML, too)\n",
    .examples = "  kubectl-granary validate -f manifests/ --strict\n"
                "  helm template ./chart | kubectl-granary validate -f - --catalog blueprints/\n",
    .only = options,
    .forms = forms,
    .form_count = sizeof forms / sizeof *forms,
    .run = validate_run,
};
