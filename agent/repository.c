#include "agent/work.h"

#include <string.h>

#include "agent/mark.h"
#include "base/auto.h"
#include "base/log.h"

#define OPENING "opening the repository"

/* A folder that is not empty holds something of somebody else. */
static bool is_foreign(const struct run *run)
{
    const char *url = run->work->repository.url;

    return url[0] == '/' && !volume_is_empty(url);
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
    if (!restic_judge(&output.end, OPENING, &run->failure))
        return false;
    *list = TAKE(output.document);
    return json_is_array(*list) ||
           failure_set(&run->failure, "ResticFailed", OPENING ": restic gave no list");
}

static bool check_owner(struct run *run, const json_t *list, bool *marked)
{
    const char *owner = restic_owner(list), *us = run->work->repository.cluster;

    *marked = owner != NULL;
    if (!owner || !us || strcmp(owner, us) == 0)
        return true;
    return failure_set(&run->failure, "ForeignRepository",
                       OPENING ": it belongs to the cluster %s. What to do: use another bucket or "
                               "prefix, or adopt it (granary.dev/adopt on the Repository).",
                       owner);
}

static bool put_mark(struct run *run)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(json) json_t *list = NULL;
    bool absent = false, marked = false, good;
    struct error err = {.message = ""};
    AUTO(close) int text = memory_file(span_of(run->work->repository.cluster), &err);

    if (text < 0)
        return failure_set(&run->failure, "ResticNotStarted", "%s", err.message);
    restic_mark_owner(&argv, &run->place);
    run->input = text;
    good = restic_must(run, &argv, READ_LINES, &output, "marking the repository");
    run->input = -1;
    if (!good)
        return false;
    /* of two that marked it at once, the earlier one owns it */
    return list_owners(run, &absent, &list) && check_owner(run, list, &marked) &&
           (marked || failure_set(&run->failure, "ResticFailed",
                                  "marking the repository: the mark is not listed"));
}

bool repository_open(struct run *run, bool writes)
{
    AUTO(json) json_t *list = NULL;
    bool absent = false, marked = false;

    if (!list_owners(run, &absent, &list) || (absent && !make(run)))
        return false;
    if (writes && !absent && !check_owner(run, list, &marked))
        return false;
    /* who may make it may mark it: nobody else writes to it now */
    if (writes && !marked && run->work->repository.initialize && run->work->repository.cluster &&
        !put_mark(run))
        return false;
    run->progress.initialized = true;
    return true;
}
