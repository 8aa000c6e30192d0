#include "cli/trigger.h"

#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "controllers/session_make.h"
#include "controllers/slot.h"

static void warn_if_paused(const struct output *output, const json_t *configuration)
{
    if (tree_true(tree_get(configuration, "spec"), "paused"))
        output_warning(output, "it is paused: the controller will skip this session; `kubectl "
                               "granary resume` ends the pause");
}

/* Named as the schedule names its own, by the second: who presses twice makes one. */
static bool make(const struct remote *remote, const json_t *configuration, json_t **made,
                 struct error *err)
{
    const json_t *metadata = tree_get(configuration, "metadata");
    AUTO(free) char *name = slot_session_name(tree_text(metadata, "name"), clock_now_s());
    AUTO(json)
    json_t *session = session_make(configuration, name, session_retries(configuration));
    AUTO(kube_result) struct kube_result result = {0};
    struct kube_ref ref = {&remote_sessions, tree_text(metadata, "namespace"), name, NULL};

    if (!kube_create(remote->client, &ref, session,
                     &(struct kube_options){.manager = REMOTE_MANAGER}, &result, err))
        return error_wrap(err, "BackupSession %s", name);
    *made = tree_share(result.object);
    return true;
}

static enum exit_status trigger(const struct remote *remote, const struct arguments *arguments,
                                const struct output *output, struct error *err)
{
    AUTO(json) json_t *list = remote_list(remote, &remote_configurations, err), *made = NULL;
    const json_t *configuration = list ? remote_find(list, arguments->operand, err) : NULL;
    const json_t *metadata;

    if (!configuration || !make(remote, configuration, &made, err)) {
        output_error(output, err->message);
        return STATUS_CANNOT;
    }
    warn_if_paused(output, configuration);
    metadata = tree_get(made, "metadata");
    if (arguments->form != FORM_TEXT)
        output_document(output, arguments->form, made, true);
    else
        fprintf(output->out, "backupsession.stash.appscode.com/%s created\n",
                tree_text(metadata, "name"));
    if (!arguments->wait)
        return STATUS_FINE;
    return follow_session(remote,
                          &(struct kube_ref){&remote_sessions, tree_text(metadata, "namespace"),
                                             tree_text(metadata, "name"), NULL},
                          tree_text(metadata, "uid"), output);
}

static enum exit_status trigger_run(const struct arguments *arguments, const struct output *output)
{
    AUTO(remote) struct remote remote = {0};
    struct error err = {.message = ""};

    if (!remote_open(&remote, arguments, &err)) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    return trigger(&remote, arguments, output, &err);
}

static const char *const options[] = {"wait", NULL};
static const enum form forms[] = {FORM_TEXT, FORM_JSON, FORM_YAML};

const struct command command_trigger = {
    .name = "trigger",
    .summary = "begins a backup now, beside its schedule",
    .side = SIDE_CLUSTER,
    .operand = "NAME",
    .about = "Makes a BackupSession. NAME is that of a BackupConfiguration, or its target as\n"
             "KIND/NAME. With --wait it is followed to its end, on a terminal with a bar, and its\n"
             "snapshots are named; what goes wrong is said with its reason.\n"
             "\n"
             "Needs the rights to list BackupConfigurations and to create BackupSessions there,\n"
             "with --wait also to get them.\n"
             "\n"
             "exit: 0 made, with --wait: succeeded; 1 with --wait: failed or skipped;\n"
             "      2 could not run\n",
    .examples = "  kubectl granary trigger deploy-web\n"
                "  kubectl granary trigger -n shop deployment/web --wait\n",
    .only = options,
    .forms = forms,
    .form_count = sizeof forms / sizeof *forms,
    .run = trigger_run,
};
