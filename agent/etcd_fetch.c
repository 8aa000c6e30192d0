#include "agent/etcd_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/etcd_backup.h"
#include "agent/etcd_choose.h"
#include "agent/work.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"

/* Retention or a check may be at it: that is waited for. */
static bool list_snapshots(struct run *run, json_t **list)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(json) json_t *vector = json_array();
    struct error err = {.message = ""};

    tree_push_text(vector, "snapshots");
    tree_push_text(vector, LOCK_WAIT);
    if (!restic_maintenance(&argv, &run->place, vector, &err))
        return failure_set(&run->failure, "ArgumentRefused", "%s", err.message);
    if (!restic_must(run, &argv, READ_DOCUMENT, &output, "listing the snapshots"))
        return false;
    *list = TAKE(output.document);
    return json_is_array(*list) ||
           failure_set(&run->failure, "ResticFailed", "listing the snapshots: restic gave no list");
}

/* What is asked for: {snapshot, host}. */
static json_t *choose(struct run *run, const json_t *list)
{
    AUTO(json)
    json_t *asked = json_loads(run->agent->options->fetch, JSON_REJECT_DUPLICATES, NULL);
    const char *wanted = tree_text(asked, "snapshot"), *host = tree_text(asked, "host");
    struct error err = {.message = ""};
    json_t *chosen = wanted && host ? etcd_choose(list, wanted, host, &err) : NULL;

    if (!wanted || !host)
        failure_set(&run->failure, "WorkNotUnderstood", "--fetch names no snapshot and host");
    else if (!chosen)
        failure_set(&run->failure, "NoSnapshot", "%s", err.message);
    return chosen;
}

static bool restore(struct run *run, const char *id)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(words) struct words patterns = {0};

    words_add(&patterns, ETCD_SNAPSHOT_FILE);
    words_add(&patterns, ETCD_FACTS_FILE);
    restic_drill(&argv, &run->place, id, run->agent->options->restored, &patterns);
    return restic_must(run, &argv, READ_LINES, &output, "restoring the snapshot") &&
           (output.items == 0 ||
            failure_set(&run->failure, "PartlyRestored", "the snapshot can not be read: %s (%s)",
                        text_get(&output.names), text_get(&output.message)));
}

/* Who proves and restores it is another user; the folder is of this pod alone. */
static bool open_all(struct run *run)
{
    char *const roots[] = {(char *)run->agent->options->restored, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    bool good = tree != NULL;

    for (FTSENT *entry; good && (entry = fts_read(tree));) {
        bool folder = entry->fts_info == FTS_D;

        if (folder || entry->fts_info == FTS_F)
            good = chmod(entry->fts_accpath, folder ? 0755 : 0644) == 0;
        else
            good = entry->fts_info == FTS_DP || entry->fts_info == FTS_SL;
    }
    if (!good)
        failure_set(&run->failure, "ScratchUnusable", "%s: %s", run->agent->options->restored,
                    strerror(errno));
    if (tree)
        fts_close(tree);
    return good;
}

static bool tell(struct run *run, const json_t *chosen)
{
    AUTO(free) char *path = text_format("%s/" ETCD_CHOSEN_FILE, run->agent->options->restored);
    AUTO(text) struct text text = {0};
    AUTO(close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    tree_write(&text, chosen, true);
    return (fd >= 0 && write(fd, text.data, text.length) == (ssize_t)text.length) ||
           failure_set(&run->failure, "ScratchUnusable", "%s: %s", path, strerror(errno));
}

bool etcd_fetch_do(struct run *run)
{
    AUTO(json) json_t *list = NULL;
    bool found = false;

    if (!repository_find(run, &found))
        return false;
    if (!found)
        return failure_set(&run->failure, "RepositoryMissing", "there is no repository");
    if (!list_snapshots(run, &list))
        return false;

    AUTO(json) json_t *chosen = choose(run, list);

    if (!chosen)
        return false;
    log_info("snapshot is fetched", LOG_S("snapshot", tree_text(chosen, "snapshot")));
    return restore(run, tree_text(chosen, "snapshot")) && tell(run, chosen) && open_all(run);
}
