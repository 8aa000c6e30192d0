#include "controllers/drill.h"

#include <stdlib.h>
#include <string.h>

#include "api/cron.h"
#include "api/duration.h"
#include "api/names.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/slot.h"
#include "controllers/work_make.h"
#include "kube/meta.h"

/* Hex digits of a plan. */
#define PLAN_CHARS 16

static const json_t *verify_of(const json_t *configuration)
{
    return tree_at(configuration, "spec.verify");
}

static bool read_schedule(const json_t *configuration, struct cron *cron)
{
    struct error ignored;

    return cron_parse(cron, tree_span(verify_of(configuration), "schedule"), &ignored);
}

bool drill_is_wanted(const json_t *configuration)
{
    struct cron cron;

    return verify_of(configuration) && !tree_true(tree_get(configuration, "spec"), "paused") &&
           read_schedule(configuration, &cron);
}

char *drill_plan_of(const json_t *configurations)
{
    AUTO(text) struct text all = {0};
    const json_t *configuration;
    char hex[65];
    size_t i;

    tree_items (configurations, i, configuration)
        if (drill_is_wanted(configuration))
            text_addf(&all, "%s/%s %s\n", meta_or_empty(configuration, "namespace"),
                      meta_or_empty(configuration, "name"),
                      tree_text(verify_of(configuration), "schedule"));
    if (!all.length)
        return NULL;
    text_sha256((struct span){all.data, all.length}, hex);
    return text_dup(hex, PLAN_CHARS);
}

static int64_t spread_of(const json_t *configuration)
{
    struct span jitter = tree_span(tree_get(configuration, "spec"), "jitter");
    int64_t jitter_ns = 0;
    struct error ignored;

    if (!jitter.length || !duration_parse(jitter, &jitter_ns, &ignored))
        return 0;
    return slot_spread_s(meta_or_empty(configuration, "uid"), jitter_ns / SECOND_NS);
}

int64_t drill_next_s(const json_t *configurations, int64_t after_s)
{
    const json_t *configuration;
    int64_t first_s = -1;
    size_t i;

    tree_items (configurations, i, configuration) {
        int64_t spread_s = spread_of(configuration), slot_s;
        struct cron cron;

        if (!drill_is_wanted(configuration) || !read_schedule(configuration, &cron))
            continue;
        slot_s = cron_next(&cron, after_s > spread_s ? after_s - spread_s : 0);
        if (slot_s >= 0 && (first_s < 0 || slot_s + spread_s < first_s))
            first_s = slot_s + spread_s;
    }
    return first_s;
}

char *drill_folder_of(const json_t *configuration)
{
    AUTO(free)
    char *whole = text_format("%s.%s", meta_or_empty(configuration, "namespace"),
                              meta_or_empty(configuration, "name"));

    return name_fit(whole, NAME_MAX_CHARS);
}

const json_t *drill_command(const json_t *configuration)
{
    const json_t *command = tree_member(verify_of(configuration), "command", JSON_ARRAY);

    return drill_is_wanted(configuration) && json_array_size(command) ? command : NULL;
}

static json_t *run_of(const json_t *configuration)
{
    AUTO(free) char *tag = work_tag(configuration);
    AUTO(free) char *folder = drill_folder_of(configuration);
    int64_t files = tree_int(verify_of(configuration), "files", 0);
    json_t *run = json_object();

    tree_put_text(run, "tag", tag);
    tree_put_text(run, "folder", folder);
    if (files > 0)
        tree_put_int(run, "files", files);
    if (drill_command(configuration))
        tree_put_bool(run, "keep", true);
    return run;
}

json_t *drill_runs(const json_t *configurations)
{
    json_t *runs = json_array();
    const json_t *configuration;
    size_t i;

    tree_items (configurations, i, configuration)
        if (drill_is_wanted(configuration))
            tree_push_new(runs, run_of(configuration));
    return runs;
}

const json_t *drill_claim(const json_t *configurations)
{
    const json_t *configuration, *claim;
    size_t i;

    tree_items (configurations, i, configuration) {
        claim = tree_member(tree_get(configuration, "spec"), "interimVolumeTemplate", JSON_OBJECT);
        if (drill_is_wanted(configuration) && claim)
            return claim;
    }
    return NULL;
}

bool drill_image(const json_t *configuration, const json_t *workload, const char **image,
                 struct error *err)
{
    const char *own = tree_text(verify_of(configuration), "image");
    const json_t *containers = tree_at(workload, "spec.template.spec.containers"), *container;
    size_t i;

    if (own && *own) {
        *image = own;
        return true;
    }
    tree_items (containers, i, container)
        if (!span_is(tree_span(container, "name"), "stash") && tree_text(container, "image")) {
            *image = tree_text(container, "image");
            return true;
        }
    return error_set(err, ERROR_INVALID,
                     "BackupConfiguration %s: spec.verify.image is required with a command, since "
                     "the target has no image of its own",
                     meta_or_empty(configuration, "name"));
}
