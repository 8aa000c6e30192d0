#include "cli/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/plan.h"
#include "base/limits.h"
#include "base/patch.h"
#include "base/tree.h"
#include "base/yaml.h"
#include "cli/inputs.h"
#include "cli/line_diff.h"
#include "cli/output.h"
#include "cli/ruling.h"

/* One rendering under way. */
struct rendering {
    const struct arguments *arguments;
    const struct output *output;
    const struct inputs *inputs;
    size_t concerned; /* how many of the given objects admission looks at */
    bool written;     /* something, so that the next document is separated */
    enum exit_status status;
};

/* ---- what is said beside the documents ---- */

static void warn(const struct rendering *rendering, const json_t *object,
                 const struct ruling *ruling)
{
    AUTO(free) char *title = inputs_title(object);
    const json_t *warning;
    size_t i;

    tree_items (ruling->warnings, i, warning) {
        AUTO(free) char *text = text_printable(tree_value(warning), 2 * WARNING_MAX_CHARS);
        AUTO(free) char *line = text_format("%s: %s", title, text);

        output_warning(rendering->output, rendering->concerned > 1 ? line : text);
    }
}

static void complain(struct rendering *rendering, const json_t *object, enum exit_status status,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

static void complain(struct rendering *rendering, const json_t *object, enum exit_status status,
                     const char *format, ...)
{
    AUTO(free) char *title = inputs_title(object);
    AUTO(text) struct text line = {0};
    va_list args;

    text_addf(&line, "%s: ", title);
    va_start(args, format);
    text_addv(&line, format, args);
    va_end(args);
    output_error(rendering->output, text_get(&line));
    if (rendering->status < status)
        rendering->status = status;
}

/* ---- documents ---- */

static void write_diff(struct rendering *rendering, const json_t *before, const json_t *after)
{
    AUTO(text) struct text old = {0}, new = {0}, diff = {0};
    AUTO(free) char *title = inputs_title(after);

    if (before)
        yaml_write(&old, before);
    yaml_write(&new, after);
    text_addf(&diff, "--- %s%s\n+++ %s%s\n", before ? title : "/dev/null",
              before ? ", as written" : "", title, before ? ", as admitted" : "");
    line_diff(&diff, (struct span){old.data, old.length}, (struct span){new.data, new.length});
    output_diff(rendering->output, (struct span){diff.data, diff.length});
}

static void write_object(struct rendering *rendering, const json_t *before, const json_t *after)
{
    if (rendering->arguments->form == FORM_DIFF)
        write_diff(rendering, before, after);
    else
        output_document(rendering->output, rendering->arguments->form, after, !rendering->written);
    rendering->written = true;
}

static void write_plan(struct rendering *rendering, const struct plan *plan)
{
    for (size_t i = 0; i < plan->backup_count; i++) {
        const struct plan_backup *backup = &plan->backups[i];

        if (backup->repository)
            write_object(rendering, NULL, backup->repository);
        if (backup->configuration)
            write_object(rendering, NULL, backup->configuration);
    }
}

/* ---- a recorded answer ---- */

static bool read_file(const char *path, struct text *content, struct error *err)
{
    AUTO(fclose) FILE *file = fopen(path, "re");
    char piece[4096];
    size_t length;

    if (!file)
        return error_set(err, ERROR_NOT_FOUND, "%s: %s", path, strerror(errno));
    while ((length = fread(piece, 1, sizeof piece, file)) > 0 && content->length < BODY_MAX_BYTES)
        text_add(content, piece, length);
    return !ferror(file) || error_set(err, ERROR_INTERNAL, "%s: %s", path, strerror(errno));
}

static bool read_answer(struct ruling *ruling, const char *path, struct error *err)
{
    AUTO(text) struct text content = {0};

    if (!read_file(path, &content, err))
        return false;
    return ruling_read(ruling, (struct span){content.data, content.length}, err) ||
           error_wrap(err, "%s", path);
}

/* A recorded answer counts as it is; what it says differently from today's decision is a finding.
 */
static void compare(struct rendering *rendering, const json_t *object,
                    const struct ruling *recorded, const struct ruling *today)
{
    const char *before = tree_text(recorded->audit, "plan-sha256");
    const char *now = tree_text(today->audit, "plan-sha256");

    if (recorded->allowed != today->allowed)
        complain(rendering, object, STATUS_FINDINGS, "the answer %s what is %s here",
                 recorded->allowed ? "lets in" : "refuses", today->allowed ? "let in" : "refused");
    if (!tree_equal(recorded->patch, today->patch))
        complain(rendering, object, STATUS_FINDINGS,
                 "the answer's patch is not the one that is made here");
    if (strcmp(before ? before : "none", now ? now : "none") != 0)
        complain(rendering, object, STATUS_FINDINGS,
                 "the answer was made for another plan: plan-sha256 %s, here %s",
                 before ? before : "none", now ? now : "none");
}

static bool rule(struct rendering *rendering, const json_t *object, struct ruling *ruling,
                 struct error *err)
{
    AUTO(ruling) struct ruling today = {0};

    if (!rendering->arguments->answer)
        return ruling_ask(ruling, rendering->inputs, object, err);
    if (!read_answer(ruling, rendering->arguments->answer, err) ||
        !ruling_ask(&today, rendering->inputs, object, err))
        return false;
    compare(rendering, object, ruling, &today);
    return true;
}

/* ---- one object ---- */

static void plan_for(const struct rendering *rendering, const json_t *object, struct plan *plan)
{
    struct target target;

    if (target_of_object(&target, object, rendering->arguments->space))
        plan_make(plan, &(struct plan_request){.settings = &rendering->inputs->settings,
                                               .cluster = rendering->inputs->cluster,
                                               .target = &target});
}

static void show(struct rendering *rendering, const json_t *object, const struct ruling *ruling)
{
    AUTO(plan) struct plan plan = {0};
    struct error err;
    AUTO(json) json_t *admitted = patch_apply(object, ruling->patch, &err);

    if (!admitted) {
        complain(rendering, object, STATUS_CANNOT, "the patch does not apply: %s", err.message);
        return;
    }
    warn(rendering, object, ruling);
    if (rendering->arguments->form == FORM_PATCH) {
        output_document(rendering->output, FORM_PATCH, ruling->patch, true);
        return;
    }
    write_object(rendering, object, admitted);
    plan_for(rendering, object, &plan);
    write_plan(rendering, &plan);
}

static void render_object(struct rendering *rendering, const json_t *object)
{
    AUTO(ruling) struct ruling ruling = {0};
    struct error err;

    if (rendering->arguments->form == FORM_REVIEW) {
        AUTO(free) char *question = ruling_question(object);

        fprintf(rendering->output->out, "%s\n", question);
        return;
    }
    if (!rule(rendering, object, &ruling, &err))
        complain(rendering, object, STATUS_CANNOT, "%s", err.message);
    else if (!ruling.allowed)
        complain(rendering, object, STATUS_FINDINGS, "refused: %s", ruling.message);
    else
        show(rendering, object, &ruling);
}

/* ---- all ---- */

static bool is_possible(const struct rendering *rendering)
{
    if (rendering->concerned == 0)
        output_error(rendering->output, "nothing to render: -f holds no Deployment, StatefulSet, "
                                        "DaemonSet, PersistentVolumeClaim, AppBinding or "
                                        "RestoreSession");
    else if (rendering->arguments->answer && rendering->concerned > 1)
        output_error(rendering->output, "--answer is about one object, -f holds several");
    else
        return true;
    return false;
}

/* Admission changes or plans this; or the question about it is asked for. */
static bool is_wanted(const struct rendering *rendering, const json_t *object)
{
    return ruling_concerns(object) ||
           (rendering->arguments->form == FORM_REVIEW && ruling_judges(object));
}

static void render_all(struct rendering *rendering)
{
    const struct catalog_documents *given = &rendering->inputs->given;

    for (size_t i = 0; i < given->count; i++)
        rendering->concerned += is_wanted(rendering, given->items[i].document.value);
    if (!is_possible(rendering)) {
        rendering->status = STATUS_CANNOT;
        return;
    }
    for (size_t i = 0; i < given->count; i++)
        if (is_wanted(rendering, given->items[i].document.value))
            render_object(rendering, given->items[i].document.value);
}

static enum exit_status render_run(const struct arguments *arguments, const struct output *output)
{
    AUTO(inputs) struct inputs inputs = {0};
    struct rendering rendering = {.arguments = arguments, .output = output, .inputs = &inputs};
    struct error err;

    if (!inputs_read(&inputs, arguments, &err)) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    render_all(&rendering);
    return rendering.status;
}

static const char *const options[] = {"answer", NULL};
static const enum form forms[] = {FORM_YAML, FORM_JSON, FORM_PATCH, FORM_DIFF, FORM_REVIEW};

const struct command command_render = {
    .name = "render",
    .side = SIDE_MANIFESTS,
    .summary = "shows what admission makes of a manifest, without a cluster",
    .about =
        "For each workload, PersistentVolumeClaim, AppBinding and RestoreSession in FILE: the\n"
        "object as admission stores it, then the Repository and the BackupConfiguration that\n"
        "follow. The answer is the webhook's own, for the creation of the object; its warnings\n"
        "go to standard error. Other documents in FILE (a BackupBlueprint, a Namespace) count\n"
        "as part of the cluster, together with those of --catalog.\n"
        "\n"
        "  yaml, json  the objects; JSON as a stream of documents\n"
        "  patch       the JSON patch (RFC 6902) of each object, nothing else\n"
        "  diff        what admission adds, and the objects that follow\n"
        "  review      the AdmissionReview that is asked, for granary-webhook --once or curl\n"
        "\n"
        "exit: 0 let in, 1 refused (or --answer differs), 2 could not run\n",
    .examples = "  kubectl-granary render -f deployment.yaml --catalog blueprints/ -o diff\n"
                "  kubectl-granary render -f deployment.yaml --catalog blueprints/ -o review |\n"
                "      granary-webhook --catalog blueprints/ --once\n",
    .only = options,
    .forms = forms,
    .form_count = sizeof forms / sizeof *forms,
    .run = render_run,
};
