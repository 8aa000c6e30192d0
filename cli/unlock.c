#include "cli/unlock.h"

#include <stdlib.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/confirm.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/proof.h"
#include "cli/repositories.h"
#include "controllers/condition.h"
#include "controllers/maintenance_read.h"
#include "controllers/maintenance_status.h"
#include "controllers/repository_lease.h"

/* ---- proof ---- */

/* Pods that are in the ledger; -1: it may not be read. */
static bool count_workers(const struct remote *remote, const json_t *repository, long *workers,
                          struct error *err)
{
    const struct kube_ref ref = repositories_ref(repository);
    AUTO(free) char *name = text_format("%s/%s", ref.space, ref.name);
    AUTO(repository_ledger) struct repository_ledger ledger = {0};

    *workers = -1;
    if (!repository_ledger_get(remote->client, NAMESPACE_SYSTEM, name, &ledger, err))
        return err->code == ERROR_FORBIDDEN;
    *workers = (long)ledger.holders->count;
    return true;
}

static bool tell(const struct remote *remote, const json_t *repository, const struct output *output,
                 struct error *err)
{
    AUTO(json)
    json_t *configurations = remote_list_beside(remote, &remote_configurations, output, err);
    AUTO(json)
    json_t *sessions =
        configurations ? remote_list_beside(remote, &remote_sessions, output, err) : NULL;
    AUTO(json)
    json_t *restores = sessions ? remote_list_beside(remote, &remote_restores, output, err) : NULL;
    struct proof_seen seen = {repository, configurations, sessions, restores, -1};
    AUTO(text) struct text text = {0};
    size_t found;

    if (!restores || !count_workers(remote, repository, &seen.workers, err))
        return false;
    found = proof_of_locks(&seen, &text);
    output_lines(output, text_get(&text));
    if (found == 0)
        output_warning(output, "nothing says that a lock is in the way: no session and no "
                               "maintenance failed with RepositoryLocked");
    fputs("All locks are removed, also one of a restic outside of this cluster, which is not known "
          "here:\nwhat it writes beside a prune damages the repository.\n",
          output->side);
    return true;
}

/* ---- following ---- */

struct unlocking {
    const struct output *output;
    int64_t failed_s; /* when one has failed before this was asked for; 0: none */
    bool said;
};

static int64_t failed_s(const json_t *repository)
{
    struct maintenance seen = {0};

    maintenance_status_read(tree_get(repository, "status"), &seen);
    return seen.past[MAINTENANCE_UNLOCK].failed_s;
}

static enum follow_step look(void *context, const json_t *repository)
{
    struct unlocking *unlocking = context;
    const char *type = maintenance_condition(MAINTENANCE_UNLOCK);
    int64_t last_s;

    if (!repository)
        return FOLLOW_ON;
    if (!maintenance_unlock_asked(repository)) {
        fputs("Its locks are removed\n", unlocking->output->out);
        return FOLLOW_GOOD;
    }
    last_s = failed_s(repository);
    if (last_s > 0 && last_s != unlocking->failed_s) {
        output_error(unlocking->output,
                     condition_message(tree_at(repository, "status.conditions"), type));
        fputs("What to do: repair what is said; the controller tries again by itself.\n",
              unlocking->output->side);
        return FOLLOW_BAD;
    }
    if (!unlocking->said) {
        fputs("Waiting for who works there, and for the Job\n", unlocking->output->out);
        fflush(unlocking->output->out);
    }
    unlocking->said = true;
    return FOLLOW_ON;
}

/* ---- the command ---- */

static bool begin(const struct remote *remote, const struct arguments *arguments,
                  const struct output *output, const json_t *repository, struct error *err)
{
    AUTO(free) char *value = text_format("%lld", (long long)clock_now_s());
    struct span uid;

    if (maintenance_unlock_asked(repository)) {
        fputs("It was asked for already, and is not done yet\n", output->side);
        return true;
    }
    if (proof_of_owner(repository, &uid) == OWNER_OTHER)
        return error_set(err, ERROR_CONFLICT,
                         "it belongs to another cluster, and only that one may remove locks; "
                         "`kubectl granary adopt` takes it over");
    return tell(remote, repository, output, err) &&
           confirm(arguments, output, "Remove all locks?", err) &&
           repositories_annotate(remote, repository, KEY_UNLOCK, value, err);
}

static enum exit_status unlock_run(const struct arguments *arguments, const struct output *output)
{
    AUTO(remote) struct remote remote = {0};
    AUTO(json) json_t *repository = NULL;
    struct unlocking unlocking = {.output = output};
    struct error err = {.message = ""};

    if (!remote_open(&remote, arguments, &err) ||
        !(repository = repositories_find(&remote, arguments->operand, &err)) ||
        !begin(&remote, arguments, output, repository, &err)) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }

    const struct kube_ref ref = repositories_ref(repository);

    unlocking.failed_s = failed_s(repository);
    fprintf(output->out, "repository.stash.appscode.com/%s is to be unlocked\n", ref.name);
    fflush(output->out);
    if (!arguments->wait)
        return STATUS_FINE;
    return follow_object(&remote, &ref, tree_text(tree_get(repository, "metadata"), "uid"),
                         &(struct follower){look, &unlocking}, output);
}

static const char *const options[] = {"wait", "yes", NULL};

const struct command command_unlock = {
    .name = "unlock",
    .summary = "removes the locks that somebody left in a repository",
    .side = SIDE_CLUSTER,
    .operand = "NAME",
    .about =
        "Sets the annotation granary.dev/unlock of a Repository. NAME is its name, or a target\n"
        "that is backed up into it as KIND/NAME. Before that it says what failed for a lock, who\n"
        "of this cluster works there, and asks. The controller waits for them, then a Job removes\n"
        "all locks; --wait follows it until they are gone. Locks of pods that are proven to be\n"
        "dead are removed without this.\n"
        "\n"
        "Whose locks lie in the repository is not known without opening it: before you say yes,\n"
        "make sure that no restic outside of this cluster works there.\n"
        "\n"
        "Needs the rights to get and patch Repositories there; what it may read of sessions and\n"
        "of the Leases in granary-system it tells.\n"
        "\n"
        "exit: 0 asked for, with --wait: done; 1 with --wait: failed;\n"
        "      2 could not run, or was not meant\n",
    .examples = "  kubectl granary unlock -n shop deploy-web --wait\n"
                "  kubectl granary unlock -n shop deployment/web --yes\n",
    .only = options,
    .run = unlock_run,
};
