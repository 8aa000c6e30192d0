#include "cli/restore.h"

#include <stdlib.h>
#include <string.h>

#include "api/cluster.h"
#include "api/target.h"
#include "api/validate.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/confirm.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/restoring.h"
#include "controllers/restore_next.h"
#include "controllers/session_make.h"

/* One that is asked for. */
struct asked {
    const struct remote *remote;
    const struct arguments *arguments;
    const struct output *output;
    json_t *session, *repository; /* owned; the second may be NULL */
};

static void auto_asked(struct asked *asked)
{
    json_decref(asked->session);
    json_decref(asked->repository);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = tree_text(object, key);

    return text ? text : "";
}

static void warn(const struct asked *asked, char *text_new)
{
    AUTO(free) char *text = text_new;

    output_warning(asked->output, text);
}

/* ---- what is there ---- */

/* Without the right to look the controller says it later. */
static bool may_go_on(const struct asked *asked, const struct error *err)
{
    if (err->code != ERROR_FORBIDDEN)
        return false;
    output_warning(asked->output, err->message);
    return true;
}

static void warn_of_repository(const struct asked *asked)
{
    const json_t *status = tree_get(asked->repository, "status");
    const char *name = text_of(tree_get(asked->repository, "metadata"), "name");

    if (json_is_false(tree_get(status, "integrity")))
        warn(asked, text_format("the last check found Repository %s damaged: what the damage "
                                "touches will fail",
                                name));
    if (tree_int(status, "snapshotCount", -1) == 0)
        warn(asked, text_format("Repository %s has no snapshots as far as its status says", name));
}

static bool look_at_repository(struct asked *asked, struct error *err)
{
    const json_t *ref = tree_at(asked->session, "spec.repository");
    const char *space = tree_text(ref, "namespace"), *name = text_of(ref, "name");
    const struct kube_ref place = {
        &remote_repositories,
        space && *space ? space : tree_text(tree_get(asked->session, "metadata"), "namespace"),
        name, NULL};

    asked->repository = kube_get(asked->remote->client, &place, err);
    if (!asked->repository && err->code == ERROR_NOT_FOUND)
        return error_set(err, ERROR_NOT_FOUND,
                         "Repository %s/%s is not there: make it again with its place and Secret, "
                         "then its snapshots are found",
                         place.space, name);
    if (!asked->repository)
        return may_go_on(asked, err);
    warn_of_repository(asked);
    return true;
}

static void warn_of_workload(const struct asked *asked, const json_t *target)
{
    struct span strategy = tree_span(tree_at(target, "spec.strategy"), "type");

    if (span_is(tree_span(target, "kind"), "Deployment") && !span_is(strategy, "Recreate"))
        warn(asked, text_format("its strategy is RollingUpdate: old pods write while new ones "
                                "restore; with `strategy: {type: Recreate}` they do not"));
}

static bool look_at_target(const struct asked *asked, struct error *err)
{
    const json_t *ref = tree_at(asked->session, "spec.target.ref");
    const struct target_kind *kind = target_kind_in(ref);
    AUTO(json) json_t *target = session_target(asked->session), *found = NULL;
    const char *version = text_of(ref, "apiVersion"), *slash = strchr(version, '/');

    if (!kind)
        return true; /* it is judged */

    const struct kube_resource resource = {kind->group, slash ? slash + 1 : version, kind->resource,
                                           kind->kind, true};

    found = kube_get(
        asked->remote->client,
        &(struct kube_ref){&resource, text_of(target, "namespace"), text_of(target, "name"), NULL},
        err);
    if (!found && err->code == ERROR_NOT_FOUND)
        warn(asked, text_format("there is no %s %s in namespace %s: the restore waits for it",
                                kind->kind, text_of(target, "name"), text_of(target, "namespace")));
    else if (!found)
        return may_go_on(asked, err);
    warn_of_workload(asked, found);
    return true;
}

/* Two would come one after the other, and the second over the first. */
static bool look_at_others(const struct asked *asked, struct error *err)
{
    AUTO(json) json_t *others = remote_list(asked->remote, &remote_restores, err);
    AUTO(json) json_t *target = session_target(asked->session);
    AUTO(free) char *place = session_target_text(target);
    const json_t *other;
    size_t i;

    if (!others)
        return may_go_on(asked, err);
    tree_items (others, i, other) {
        AUTO(json) json_t *its = session_target(other);
        AUTO(free) char *its_place = its ? session_target_text(its) : NULL;
        const char *phase = text_of(tree_get(other, "status"), "phase");
        const char *name = text_of(tree_get(other, "metadata"), "name");

        if (its_place && strcmp(place, its_place) == 0 &&
            !restore_phase_is_final(restore_phase_of(phase)))
            return error_set(err, ERROR_CONFLICT,
                             "RestoreSession %s of the same target is not over (%s): wait for it, "
                             "or `kubectl -n %s delete restoresession %s`",
                             name, *phase ? phase : "new",
                             text_of(tree_get(other, "metadata"), "namespace"), name);
    }
    return true;
}

/* ---- what the webhook will say ---- */

static bool judge(const struct asked *asked, struct error *err)
{
    AUTO(json) json_t *known = json_array();
    AUTO(findings) struct findings findings = {0};

    tree_push_new(known, tree_share(asked->repository));

    AUTO(cluster) const struct cluster *cluster = cluster_make(known);

    validate_object(&(struct validation){.object = asked->session, .cluster = cluster}, &findings);
    for (size_t i = 0; i < findings.count; i++) {
        AUTO(free)
        char *text = text_format("%s: %s", findings.items[i].field, findings.items[i].message);

        (findings.items[i].level == FINDING_ERROR ? output_error : output_warning)(asked->output,
                                                                                   text);
    }
    return findings_count(&findings, FINDING_ERROR) == 0 ||
           error_set(err, ERROR_INVALID, "nothing was made: see above");
}

/* ---- making it ---- */

static bool create(const struct asked *asked, bool dry_run, json_t **made, struct error *err)
{
    const json_t *metadata = tree_get(asked->session, "metadata");
    const struct kube_ref ref = {&remote_restores, tree_text(metadata, "namespace"),
                                 tree_text(metadata, "name"), NULL};
    const struct kube_options options = {.manager = REMOTE_MANAGER, .dry_run = dry_run};
    AUTO(kube_result) struct kube_result result = {0};

    if (!kube_create(asked->remote->client, &ref, asked->session, &options, &result, err))
        return error_wrap(err, "RestoreSession %s", ref.name);
    if (made)
        *made = tree_share(result.object);
    return true;
}

/* The server says whether it would take it, with its webhooks and this person's rights. */
static bool try_out(const struct asked *asked, struct error *err)
{
    enum form form = asked->arguments->form == FORM_TEXT ? FORM_YAML : asked->arguments->form;

    output_document(asked->output, form, asked->session, true);
    fflush(asked->output->out);
    if (!create(asked, true, NULL, err))
        return error_wrap(err, "it would be refused");
    fputs("The cluster would take it; nothing was made.\n", asked->output->side);
    return true;
}

static enum exit_status follow(const struct asked *asked, const json_t *made)
{
    const json_t *metadata = tree_get(made, "metadata");
    enum exit_status status =
        follow_session(asked->remote,
                       &(struct kube_ref){&remote_restores, tree_text(metadata, "namespace"),
                                          tree_text(metadata, "name"), NULL},
                       tree_text(metadata, "uid"), asked->output);
    AUTO(free) char *remedy = status == STATUS_FINDINGS ? restoring_remedy(made) : NULL;

    if (remedy)
        fprintf(asked->output->side, "What to do: %s.\n", remedy);
    return status;
}

static bool begin(const struct asked *asked, json_t **made, struct error *err)
{
    if (!confirm(asked->arguments, asked->output, "Restore?", err) ||
        !create(asked, false, made, err))
        return false;
    if (asked->arguments->form != FORM_TEXT)
        output_document(asked->output, asked->arguments->form, *made, true);
    else
        fprintf(asked->output->out, "restoresession.stash.appscode.com/%s created\n",
                text_of(tree_get(*made, "metadata"), "name"));
    fflush(asked->output->out);
    return true;
}

static void tell(const struct asked *asked)
{
    AUTO(text) struct text text = {0};

    restoring_tell(asked->session, &text);
    output_lines(asked->output, text_get(&text));
}

/* ---- the command ---- */

static bool prepare(struct asked *asked, struct error *err)
{
    const struct arguments *arguments = asked->arguments;
    AUTO(json) json_t *list = remote_list(asked->remote, &remote_configurations, err);
    const json_t *configuration = list ? remote_find(list, arguments->operand, err) : NULL;
    const struct restore_wish wish = {.configuration = configuration,
                                      .snapshots = arguments->snapshots.items,
                                      .snapshot_count = arguments->snapshots.count,
                                      .as_of = arguments->as_of,
                                      .host = arguments->host,
                                      .to = arguments->to,
                                      .params = arguments->params.items,
                                      .param_count = arguments->params.count,
                                      .now_s = clock_now_s()};

    if (!configuration)
        return false;
    asked->session = restoring_make(&wish, err);
    if (!asked->session || !look_at_repository(asked, err) || !judge(asked, err) ||
        !look_at_others(asked, err))
        return false;
    tell(asked);
    return look_at_target(asked, err);
}

static enum exit_status restore_run(const struct arguments *arguments, const struct output *output)
{
    AUTO(remote) struct remote remote = {0};
    AUTO(asked) struct asked asked = {.remote = &remote, .arguments = arguments, .output = output};
    AUTO(json) json_t *made = NULL;
    struct error err = {.message = ""};
    bool good = remote_open(&remote, arguments, &err) && prepare(&asked, &err) &&
                (arguments->dry_run ? try_out(&asked, &err) : begin(&asked, &made, &err));

    if (!good) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    return made && arguments->wait ? follow(&asked, made) : STATUS_FINE;
}

static const char *const options[] = {"snapshot", "as-of", "host", "to", "param",
                                      "dry-run",  "wait",  "yes",  NULL};
static const enum form forms[] = {FORM_TEXT, FORM_YAML, FORM_JSON};

const struct command command_restore = {
    .name = "restore",
    .summary = "brings data back from a backup",
    .side = SIDE_CLUSTER,
    .operand = "NAME",
    .about =
        "Makes a RestoreSession of what a BackupConfiguration backs up: repository, paths, mounts\n"
        "and settings are taken from there. NAME is its name, or its target as KIND/NAME. Before\n"
        "anything is made it says what will happen, and asks; with --wait it is followed to its\n"
        "end, on a terminal with a bar, and what failed is said with what to do.\n"
        "\n"
        "Without --snapshot and --as-of the newest snapshot of each path is taken. --to names\n"
        "another target of the same kind in the same namespace, or a PersistentVolumeClaim for\n"
        "one volume of a workload: to look at old data beside the new. Of an AppBinding the Task\n"
        "is the one that restores what its Task backs up; --param overwrite=true and the like\n"
        "are for that.\n"
        "\n"
        "--dry-run prints the RestoreSession, asks the API server whether it would take it, and\n"
        "writes nothing. What it prints can be edited and given to `kubectl create -f`.\n"
        "\n"
        "Needs the rights to list BackupConfigurations and RestoreSessions and to create the\n"
        "latter there, with --wait also to get them. What it may read of Repository and target\n"
        "is looked at first.\n"
        "\n"
        "exit: 0 made, with --wait: restored; 1 with --wait: failed, or it is not known what it\n"
        "      has left; 2 could not run, or was not meant\n",
    .examples = "  kubectl granary restore -n shop deployment/web --wait\n"
                "  kubectl granary restore -n shop pvc/data --as-of 2026-01-31T18:00:00Z\n"
                "  kubectl granary restore -n shop sts/db --host host-1 --snapshot 4bba301e\n"
                "  kubectl granary restore -n shop deployment/web --to pvc/old-data\n"
                "  kubectl granary restore -n shop deployment/web --dry-run > session.yaml\n",
    .only = options,
    .forms = forms,
    .form_count = sizeof forms / sizeof *forms,
    .run = restore_run,
};
