#include "cli/explain.h"

#include <stdlib.h>
#include <string.h>

#include "api/annotation.h"
#include "api/backend.h"
#include "api/keys.h"
#include "base/limits.h"
#include "base/tree.h"
#include "cli/explanation.h"

/* ---- the decision, and what would change it ---- */

static const struct {
    const char *why, *decision, *change;
} outcomes[] = {
    {"no-reason", "It is not backed up: nothing asks for it.",
     "Annotate it with " KEY_BLUEPRINT ": NAME, or label its namespace with " LABEL_BLUEPRINT
     "=NAME, where NAME is a BackupBlueprint."},
    {"opted-out", "It is not backed up: its owner said no.",
     "Remove the annotation " KEY_BACKUP "."},
    {"owned", "It is left alone: another object makes it, and that one is looked at.",
     "Annotate the object that makes it."},
    {"excluded-namespace", "It is left alone: its namespace is excluded.",
     "The administrator's settings (excludedNamespaces) decide that."},
    {"blueprint-missing", "It can not be planned now: a blueprint that it names does not exist.",
     "Create the BackupBlueprint, or name one that exists. Until then, what is in the pods stays."},
    {"blueprint-invalid", "It can not be planned now: the blueprint is not valid.",
     "The administrator repairs the BackupBlueprint. Until then, what is in the pods stays."},
    {"blueprint-forbidden", "It can not be planned: the blueprint is not for this namespace.",
     "Use another BackupBlueprint, or let its spec.allowedNamespaces have this namespace."},
    {"blueprint-unresolved", "It can not be planned now: the blueprint does not fit this target.",
     "The administrator repairs the BackupBlueprint. Until then, what is in the pods stays."},
    {"blueprint-unfit", "It can not be planned now: the blueprint does not fit this target.",
     "The administrator repairs the BackupBlueprint. Until then, what is in the pods stays."},
    {"nothing-to-back-up", "It can not be planned: there is nothing to back up.",
     "Mount a volume of a PersistentVolumeClaim, or name a volume in " KEY_VOLUME_MOUNTS "."},
    {"dump-invalid", "It can not be planned: its command can not be run as it is written.",
     "Repair or remove " KEY_DUMP_COMMAND " and " KEY_DUMP_CONTAINER "."},
    {"name-taken", "It can not be planned: somebody's own BackupConfiguration has that name.",
     "Remove or rename that BackupConfiguration, or remove the annotation."},
    {"windows", "It can not be backed up: its pods run Windows.",
     "A PersistentVolumeClaim can be annotated itself: a Job backs it up."},
};

/* A decision that stands: what ends it, what alters it, and at which price. */
static void change_of_made(const struct explanation *it)
{
    if (it->plan.backup_count)
        explain_line(it, "Removing the reason (annotation, label, BackupConfiguration), or the "
                         "annotation " KEY_BACKUP ": \"false\",");
    if (it->plan.backup_count)
        explain_line(it, "  ends the backup and keeps its data.");
    explain_line(it, "Another schedule or retention follows by itself and restarts nothing.");
    if (it->plan.carry.backup)
        explain_line(it,
                     "So do other paths below the same mounts; other mounts or resources of our "
                     "container restart the pods once.");
}

static void decision_of_made(const struct explanation *it)
{
    const struct carry *carry = &it->plan.carry;

    if (it->plan.backup_count)
        explain_line(it, "It is backed up, by %s.",
                     carry->backup ? "a sidecar in each of its pods" : "a Job");
    if (carry->restore)
        explain_line(it, "A restore runs in each new pod, before its containers start.");
    if (carry->restore_if_exists)
        explain_line(it, "A new pod with an empty volume gets its last backup back first.");
}

static void section_decision(const struct explanation *it)
{
    explain_head(it, "Decision");
    if (it->plan.state == PLAN_MADE)
        decision_of_made(it);
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        if (!strcmp(outcomes[i].why, it->plan.why))
            explain_line(it, "%s", outcomes[i].decision);
    if (it->plan.deny && it->plan.mistakes.count)
        explain_line(it, "Admission refuses it: the administrator wants mistakes refused.");
}

static void section_change(const struct explanation *it)
{
    explain_head(it, "What would change that");
    if (it->plan.state == PLAN_MADE)
        change_of_made(it);
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        if (!strcmp(outcomes[i].why, it->plan.why))
            explain_line(it, "%s", outcomes[i].change);
}

/* ---- why ---- */

static void section_why(const struct explanation *it)
{
    struct span rest = {it->trace.data, it->trace.length}, sentence;

    if (!it->trace.length)
        return;
    explain_head(it, "Why");
    while (text_split(&rest, '\n', &sentence)) {
        AUTO(free) char *line = text_printable(sentence, 400);

        explain_line(it, "%s", line);
    }
}

static void say_place(const struct explanation *it, const char *kind, const char *space,
                      const char *name)
{
    const struct catalog_document *document = inputs_find(it->inputs, kind, space, name);
    AUTO(free) char *shown = text_printable(span_of(name), OBJECT_NAME_MAX_CHARS);

    if (document)
        explain_line(it, "%s %s: %s:%u", kind, shown, document->file,
                     document->document.place.line);
    else
        explain_line(it, "%s %s: not found among the manifests", kind, shown);
}

static void section_places(const struct explanation *it)
{
    const struct annotations *annotations = &it->annotations;
    const json_t *space = cluster_namespace(it->inputs->cluster, it->target.space);
    const char *label = tree_text(tree_at(space, "metadata.labels"), LABEL_BLUEPRINT);

    if (!annotations->blueprint_count && !label && !it->plan.backup_count)
        return;
    explain_head(it, "Where that is written");
    for (size_t i = 0; i < annotations->blueprint_count; i++)
        say_place(it, "BackupBlueprint", "", annotations->blueprints[i]);
    if (label) {
        say_place(it, "Namespace", "", it->target.space);
        if (!annotations->blueprint_count)
            say_place(it, "BackupBlueprint", "", label);
    }
    for (size_t i = 0; i < it->plan.backup_count; i++)
        if (it->plan.backups[i].reason == REASON_CONFIGURATION)
            say_place(it, "BackupConfiguration", it->target.space, it->plan.backups[i].origin);
}

/* ---- what follows ---- */

static void say_object(const struct explanation *it, const json_t *object, const char *what)
{
    AUTO(free) char *title = inputs_title(object);

    explain_line(it, "%s%s%s", title, *what ? ": " : "", what);
}

static void section_objects(const struct explanation *it)
{
    bool any = false;

    for (size_t i = 0; i < it->plan.backup_count; i++) {
        const struct plan_backup *backup = &it->plan.backups[i];
        AUTO(text) struct text where = {0};

        if (!backup->repository)
            continue;
        if (!any)
            explain_head(it, "What follows");
        any = true;
        backend_describe(&where, tree_at(backup->repository, "spec.backend"));
        say_object(it, backup->repository, text_get(&where));
        say_object(it, backup->configuration, "");
        explain_line(it, "  plan-sha256 of both: %s", backup->sha256);
    }
}

static void say_findings(const struct explanation *it, const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        explain_line(it, "%s%s%s", finding->field, *finding->field ? ": " : "", finding->message);
    }
}

static void section_findings(const struct explanation *it)
{
    if (!it->plan.mistakes.count && !it->plan.cautions.count)
        return;
    explain_head(it, "What is wrong or doubtful");
    say_findings(it, &it->plan.mistakes);
    say_findings(it, &it->plan.cautions);
}

/* ---- one target ---- */

static void auto_explanation(struct explanation *it)
{
    plan_done(&it->plan);
    annotations_done(&it->annotations);
    text_done(&it->trace);
}

static void title(const struct explanation *it, const struct catalog_document *document, bool first)
{
    const struct output *output = it->output;
    AUTO(free) char *title = inputs_title(document->document.value);

    fprintf(output->out, "%s%s%s%s, %s:%u\n", first ? "" : "\n",
            output_begin(output->out_colour, COLOUR_BOLD), title, output_end(output->out_colour),
            document->file, document->document.place.line);
}

static void decide(struct explanation *it)
{
    AUTO(findings) struct findings ignored = {0}; /* the plan has them too */

    annotations_parse(&it->annotations, tree_get(it->target.metadata, "annotations"), &ignored);
    plan_make(&it->plan, &(struct plan_request){.settings = &it->inputs->settings,
                                                .cluster = it->inputs->cluster,
                                                .target = &it->target,
                                                .trace = &it->trace});
}

static void explain_target(struct explanation *it, const struct catalog_document *document,
                           bool first)
{
    decide(it);
    title(it, document, first);
    section_decision(it);
    section_why(it);
    section_places(it);
    explain_annotations(it);
    explain_data(it);
    explain_pods(it);
    section_objects(it);
    section_findings(it);
    section_change(it);
}

static enum exit_status explain_run(const struct arguments *arguments, const struct output *output)
{
    AUTO(inputs) struct inputs inputs = {0};
    struct error err;
    size_t targets = 0;

    if (!inputs_read(&inputs, arguments, &err)) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    for (size_t i = 0; i < inputs.given.count; i++) {
        AUTO(explanation) struct explanation it = {.output = output, .inputs = &inputs};

        if (target_of_object(&it.target, inputs.given.items[i].document.value, arguments->space))
            explain_target(&it, &inputs.given.items[i], targets++ == 0);
    }
    if (targets)
        return STATUS_FINE;
    output_error(output, "nothing to explain: -f holds no workload, PersistentVolumeClaim or "
                         "AppBinding");
    return STATUS_CANNOT;
}

static const char *const options[] = {NULL};
static const enum form forms[] = {FORM_TEXT};

const struct command command_explain = {
    .name = "explain",
    .side = SIDE_MANIFESTS,
    .summary = "says which rule decided what about a target, in sentences",
    .about =
        "For each workload, PersistentVolumeClaim and AppBinding in FILE: whether it is backed\n"
        "up and why; which blueprint was found where, with the value and the origin of each\n"
        "variable; what each annotation does; which paths and mounts are taken and why; whether\n"
        "there is a sidecar, and as which user it runs; what would change the decision.\n"
        "\n"
        "It is the decision for a new object. When an object is updated, our part of a template\n"
        "stays as it is unless something that concerns it changed: docs/admission.md.\n"
        "\n"
        "exit: 0 explained, 2 could not run\n",
    .examples = "  kubectl-granary explain -f deployment.yaml --catalog blueprints/\n"
                "  kubectl get deployment web -o yaml | kubectl-granary explain -f - --catalog "
                "blueprints/\n",
    .only = options,
    .forms = forms,
    .form_count = sizeof forms / sizeof *forms,
    .run = explain_run,
};
