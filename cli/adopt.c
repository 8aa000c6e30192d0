#include "cli/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/syntax.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/confirm.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/proof.h"
#include "cli/repositories.h"
#include "controllers/condition.h"
#include "controllers/session_status.h"

/* ---- whose it is ---- */

/* The UID of the owner; NULL: it can not be taken over, or (`ours`) need not. */
static char *owner_of(const json_t *repository, const char *from, bool *ours, struct error *err)
{
    struct span uid;
    enum proof_owner owner = proof_of_owner(repository, &uid);

    *ours = owner == OWNER_US;
    if (from && !syntax_uid(span_of(from), err)) {
        (void)error_wrap(err, "--from %s", from);
        return NULL;
    }
    if (owner == OWNER_UNKNOWN)
        error_set(err, ERROR_CONFLICT,
                  "no session has looked yet whose it is: `kubectl granary trigger` a backup into "
                  "it, which says so");
    if (owner != OWNER_OTHER)
        return NULL;
    if (!uid.length && !from) {
        error_set(err, ERROR_INVALID,
                  "its condition %s does not name the owner: give its UID with --from",
                  BACKEND_OWNED);
        return NULL;
    }
    if (from && uid.length && !span_is(uid, from)) {
        error_set(err, ERROR_CONFLICT,
                  "--from %s does not own it: cluster %.*s does, as the last session has seen",
                  from, (int)uid.length, uid.data);
        return NULL;
    }
    return from ? text_dup(from, strlen(from)) : text_dup(uid.data, uid.length);
}

static void tell(const json_t *repository, const char *owner, const struct output *output)
{
    AUTO(free)
    char *said = text_printable(
        span_of(condition_message(tree_at(repository, "status.conditions"), BACKEND_OWNED)), 1000);

    fprintf(output->side,
            "The last session said: %s\n"
            "Adopted, cluster %s is refused from its next session on; this one goes on with its\n"
            "snapshots, and its retention removes them. Only when that cluster is gone for good.\n",
            said, owner);
}

/* ---- following ---- */

struct adopting {
    const struct output *output;
    bool said;
};

static enum follow_step look(void *context, const json_t *repository)
{
    struct adopting *adopting = context;
    struct span uid;

    if (!repository)
        return FOLLOW_ON;
    if (proof_of_owner(repository, &uid) == OWNER_US) {
        fputs("It is this cluster's now\n", adopting->output->out);
        return FOLLOW_GOOD;
    }
    if (!adopting->said) {
        fputs("Waiting for the next backup session, which takes it over\n", adopting->output->out);
        fflush(adopting->output->out);
    }
    adopting->said = true;
    return FOLLOW_ON;
}

/* ---- the command ---- */

static enum exit_status adopted(const struct remote *remote, const struct arguments *arguments,
                                const struct output *output, const json_t *repository)
{
    const struct kube_ref ref = repositories_ref(repository);
    struct adopting adopting = {output, false};

    fprintf(output->out, "repository.stash.appscode.com/%s is to be adopted\n", ref.name);
    fputs("The next backup session takes it over: `kubectl granary trigger` begins one.\n",
          output->side);
    fflush(output->out);
    if (!arguments->wait)
        return STATUS_FINE;
    return follow_object(remote, &ref, tree_text(tree_get(repository, "metadata"), "uid"),
                         &(struct follower){look, &adopting}, output);
}

static enum exit_status adopt_run(const struct arguments *arguments, const struct output *output)
{
    AUTO(remote) struct remote remote = {0};
    AUTO(json) json_t *repository = NULL;
    AUTO(free) char *owner = NULL;
    struct error err = {.message = ""};
    bool ours = false;

    if (remote_open(&remote, arguments, &err) &&
        (repository = repositories_find(&remote, arguments->operand, &err)))
        owner = owner_of(repository, arguments->from, &ours, &err);
    if (ours && !*err.message) {
        fputs("It is this cluster's already\n", output->side);
        return STATUS_FINE;
    }
    if (owner)
        tell(repository, owner, output);
    if (!owner || !confirm(arguments, output, "Adopt it?", &err) ||
        !repositories_annotate(&remote, repository, KEY_ADOPT, owner, &err)) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    return adopted(&remote, arguments, output, repository);
}

static const char *const options[] = {"from", "wait", "yes", NULL};

const struct command command_adopt = {
    .name = "adopt",
    .summary = "takes a repository over from a cluster that is gone",
    .side = SIDE_CLUSTER,
    .operand = "NAME",
    .about =
        "Sets the annotation granary.dev/adopt of a Repository to the cluster that owns it. NAME\n"
        "is its name, or a target that is backed up into it as KIND/NAME. Before that it says\n"
        "whose it is, as the last session has seen, and asks. The next backup session takes it\n"
        "over and goes on with the same snapshots; --wait follows until then. Nothing is taken\n"
        "that is not known to belong to another cluster; --from names the one that is meant, and\n"
        "another one is refused.\n"
        "\n"
        "Needs the rights to get and patch Repositories there.\n"
        "\n"
        "exit: 0 asked for or ours already, with --wait: taken over; 1 with --wait: it was "
        "deleted;\n"
        "      2 could not run, or was not meant\n",
    .examples = "  kubectl granary adopt -n shop deploy-web\n"
                "  kubectl granary adopt -n shop deployment/web --wait --yes \\\n"
                "      --from 4f3c2f0e-9f4b-4d0e-8d52-0a8a4f0e9c11\n",
    .only = options,
    .run = adopt_run,
};
