#include "agent/work.h"

#include <string.h>

#include "agent/half_made.h"
#include "agent/mark.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/log.h"

#define OPENING "opening the repository"

/* A folder that is not empty holds something of somebody else. */
static bool is_foreign(const struct run *run)
{
    const char *url = run->work->repository.url;

    return url[0] == '/' && !volume_is_empty(url) && !half_made_clear(url);
}

static bool make(struct run *run)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};

    if (!run->work->repository.initialize)
        return failure_set(&run->failure, "RepositoryMissing",
                           OPENING ": there is none at this address, and none is to be made here. "
                                   "What to do: check bucket, prefix and endpoint.");
    if (is_foreign(run))
        return failure_set(&run->failure, "ForeignFolder",
                           OPENING ": the folder is no repository and not empty. What to do: name "
                                   "an empty folder.");
    restic_init(&argv, &run->place);
    if (!restic_must(run, &argv, READ_LINES, &output, "making the repository"))
        return false;
    log_info("repository made", LOG_S("session", run->work->session.name));
    return true;
}

/* Lists the marks; *absent when it is proven that there is no repository. */
static bool list_owners(struct run *run, bool *absent, json_t **list)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};

    restic_owners(&argv, &run->place);
    if (!restic_run(run, &argv, READ_DOCUMENT, &output))
        return false;
    *absent = restic_proves_absence(&output.end);
    if (*absent)
        return true;
    if (restic_refuses_password(&output.end) && run->work->repository.key_exchange)
        return failure_set(
            &run->failure, WRONG_PASSWORD,
            OPENING ": it does not open with RESTIC_PASSWORD yet. RESTIC_PASSWORD_OLD is in the "
                    "Secret, so maintenance exchanges the key of the repository next, and what "
                    "begins after that has the new one; how that goes is told by the condition "
                    "RepositoryPasswordValid of the Repository.");
    if (!restic_judge(&output.end, OPENING, &run->failure))
        return false;
    *list = TAKE(output.document);
    return json_is_array(*list) ||
           failure_set(&run->failure, "ResticFailed", OPENING ": restic gave no list");
}

static bool is_ours(const struct run *run, const char *owner)
{
    const char *us = run->work->repository.cluster;

    return owner && us && strcmp(owner, us) == 0;
}

static bool is_adopted(const struct run *run, const char *owner)
{
    const char *from = run->work->repository.adopt;

    return owner && from && strcmp(owner, from) == 0;
}

static bool refuse(struct run *run, const char *owner)
{
    const struct message_repository *repository = &run->work->repository;

    return failure_set(
        &run->failure, FOREIGN_REPOSITORY,
        "it belongs to another cluster: %s, this one is %s. Nothing was written; restores from it "
        "are possible. What to do: give this cluster another bucket or prefix. If that cluster is "
        "gone for good and this one is to go on with its backups, adopt the repository: annotate "
        "the Repository with " KEY_ADOPT "=%s.%s%s%s",
        owner, repository->cluster, owner, repository->adopt ? " (" KEY_ADOPT " names " : "",
        repository->adopt ? repository->adopt : "",
        repository->adopt ? ", which does not own it.)" : "");
}

/* `from`: the mark that ours takes over from; NULL: there was none. */
static bool put_mark(struct run *run, const struct restic_mark *from)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(json) json_t *list = NULL;
    bool absent = false, good;
    struct error err = {.message = ""};
    AUTO(close) int text = memory_file(span_of(run->work->repository.cluster), &err);

    if (text < 0)
        return failure_set(&run->failure, "ResticNotStarted", "%s", err.message);
    restic_mark_owner(&argv, &run->place, from->id);
    run->input = text;
    good = restic_must(run, &argv, READ_LINES, &output, "marking the repository");
    run->input = -1;
    if (!good || !list_owners(run, &absent, &list))
        return false;

    /* of two that marked it at once, the earlier one owns it */
    const char *owner = restic_owner(list).uid;

    if (!owner)
        return failure_set(&run->failure, "ResticFailed",
                           "marking the repository: the mark is not listed");
    if (!is_ours(run, owner))
        return refuse(run, owner);
    log_info(from->id ? "repository adopted" : "repository marked as this cluster's",
             LOG_S("before", from->uid ? from->uid : ""));
    return true;
}

/* Nobody but its owner writes to it. */
static bool own(struct run *run, const json_t *list)
{
    struct restic_mark owner = restic_owner(list);

    if (!run->work->repository.cluster || is_ours(run, owner.uid))
        return true;
    if (owner.uid && !is_adopted(run, owner.uid))
        return refuse(run, owner.uid);
    /* who may make it may mark it: nobody else writes to it now */
    return (!owner.uid && !run->work->repository.initialize) || put_mark(run, &owner);
}

bool repository_find(struct run *run, bool *found)
{
    AUTO(json) json_t *list = NULL;
    bool absent = false;

    if (!list_owners(run, &absent, &list))
        return false;
    *found = !absent;
    run->progress.initialized = *found;
    return true;
}

bool repository_open(struct run *run, bool writes)
{
    AUTO(json) json_t *list = NULL;
    bool absent = false;

    if (!list_owners(run, &absent, &list) || (absent && !make(run)) || (writes && !own(run, list)))
        return false;
    run->progress.initialized = true;
    return true;
}
