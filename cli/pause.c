#include "cli/pause.h"

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/output.h"
#include "cli/remote.h"

/* Of the very object that was looked at. */
static bool put(const struct remote *remote, const json_t *configuration, bool paused,
                struct error *err)
{
    const json_t *metadata = tree_get(configuration, "metadata");
    AUTO(json) json_t *patch = json_object();
    AUTO(kube_result) struct kube_result result = {0};
    json_t *spec = json_object(), *named = json_object();
    struct kube_ref ref = {&remote_configurations, tree_text(metadata, "namespace"),
                           tree_text(metadata, "name"), NULL};

    tree_put_text(named, "uid", tree_text(metadata, "uid"));
    tree_put_new(patch, "metadata", named);
    tree_put_bool(spec, "paused", paused);
    tree_put_new(patch, "spec", spec);
    return kube_merge_patch(remote->client, &ref, patch,
                            &(struct kube_options){.manager = REMOTE_MANAGER}, &result, err);
}

static enum exit_status run(const struct arguments *arguments, const struct output *output,
                            bool paused)
{
    AUTO(remote) struct remote remote = {0};
    AUTO(json) json_t *list = NULL;
    struct error err = {.message = ""};
    const json_t *configuration = NULL;

    if (remote_open(&remote, arguments, &err) &&
        (list = remote_list(&remote, &remote_configurations, &err)))
        configuration = remote_find(list, arguments->operand, &err);
    if (!configuration || (tree_true(tree_get(configuration, "spec"), "paused") != paused &&
                           !put(&remote, configuration, paused, &err))) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    fprintf(output->out, "backupconfiguration.stash.appscode.com/%s %s\n",
            tree_text(tree_get(configuration, "metadata"), "name"), paused ? "paused" : "resumed");
    return STATUS_FINE;
}

static enum exit_status pause_run(const struct arguments *arguments, const struct output *output)
{
    return run(arguments, output, true);
}

static enum exit_status resume_run(const struct arguments *arguments, const struct output *output)
{
    return run(arguments, output, false);
}

static const char *const options[] = {NULL};

#define NEEDS                                                                                      \
    "\n"                                                                                           \
    "Needs the rights to list and patch BackupConfigurations there.\n"                             \
    "\n"                                                                                           \
    "exit: 0 it is so now, 2 could not run\n"

const struct command command_pause = {
    .name = "pause",
    .summary = "lets a schedule rest",
    .side = SIDE_CLUSTER,
    .operand = "NAME",
    .about = "Sets spec.paused of a BackupConfiguration. NAME is its name, or its target as\n"
             "KIND/NAME. No backup begins then, neither by schedule nor by hand; one that is at\n"
             "work ends. What is paused by hand stays so when its blueprint changes.\n" NEEDS,
    .examples = "  kubectl granary pause -n shop deployment/web\n",
    .only = options,
    .run = pause_run,
};

const struct command command_resume = {
    .name = "resume",
    .summary = "ends a pause",
    .side = SIDE_CLUSTER,
    .operand = "NAME",
    .about = "Unsets spec.paused of a BackupConfiguration. NAME is its name, or its target as\n"
             "KIND/NAME. The next backup begins when the schedule is due.\n" NEEDS,
    .examples = "  kubectl granary resume -n shop deployment/web\n",
    .only = options,
    .run = resume_run,
};
