#include "agent/work.h"

#include <string.h>

#include "agent/database_work.h"
#include "agent/own_lock.h"
#include "agent/stream_work.h"
#include "base/auto.h"
#include "base/tree.h"

/* True when restic lists this snapshot as one of our host and path: without that, nothing is
 * called a success. */
bool backup_is_listed(struct run *run, const char *id, const char *path)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    const json_t *one, *listed;
    bool found = false;
    size_t i;

    restic_listed(&argv, &run->place, id);
    if (!restic_must(run, &argv, READ_DOCUMENT, &output, "listing the new snapshot"))
        return false;
    tree_items (output.document, i, one) {
        const char *its = tree_text(one, "id"), *host = tree_text(one, "hostname");

        listed = json_array_get(tree_get(one, "paths"), 0);
        found =
            found || (its && host && strcmp(its, id) == 0 && strcmp(host, run->work->host) == 0 &&
                      json_is_string(listed) && strcmp(json_string_value(listed), path) == 0);
    }
    return found ||
           failure_set(&run->failure, "SnapshotNotListed",
                       "the backup of %s: its snapshot %s is not in the repository", path, id);
}

void backup_add(struct message_report *report, struct words *kept, const char *path,
                const struct restic_line *summary)
{
    words_add(kept, summary->id);
    report->snapshots[report->snapshot_count++] =
        (struct message_snapshot){.id = kept->list[kept->count - 1],
                                  .path = path,
                                  .total_bytes = summary->total_bytes,
                                  .uploaded_bytes = summary->added_bytes,
                                  .processing_ms = summary->duration_ms,
                                  .files_total = summary->total_files,
                                  .files_new = summary->files_new,
                                  .files_changed = summary->files_changed,
                                  .files_unmodified = summary->files_unmodified};
}

static bool judge(struct run *run, const struct output *output, const char *path)
{
    AUTO(free) char *doing = text_format("the backup of %s", path);
    size_t before = run->failure.message.length;

    if (!restic_judge(&output->end, doing, &run->failure)) {
        if (output->items > 0 && before == 0)
            text_addf(&run->failure.message, " Not read: %s%s.", text_get(&output->names),
                      output->items > ITEMS_MAX ? " and more" : "");
        return false;
    }
    return output->summary.kind == RESTIC_SUMMARY && output->summary.id[0]
               ? true
               : failure_set(&run->failure, "NoSnapshot", "%s: restic names no snapshot", doing);
}

/* False also when this path failed and the others may still go well. */
static bool backup_path(struct run *run, const char *path, struct message_report *report,
                        struct words *kept, bool *stop)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    struct error err = {.message = ""};

    *stop = true;
    if (!restic_backup(&argv, &run->place, path, &err))
        return failure_set(&run->failure, "ArgumentRefused", "%s", err.message);
    if (!restic_run(run, &argv, READ_LINES, &output))
        return false;
    *stop = output.end.cause != RESTIC_BY_ITSELF;
    if (!judge(run, &output, path) || !backup_is_listed(run, output.summary.id, path))
        return false;
    backup_add(report, kept, path, &output.summary);
    return true;
}

/* What steps before ours have left stands for all paths. */
static bool backup_dump(struct run *run, const struct dump *dump, struct message_report *report,
                        struct words *kept)
{
    bool stop = false;

    if (!backup_path(run, dump->path, report, kept, &stop))
        return false;
    report->dump = dump->facts;
    return true;
}

bool backup_do(struct run *run, struct message_report *report, struct words *kept)
{
    const struct message_backup *backup = &run->work->backup;
    bool good = true, stop = false;

    const struct dump *dump = run->agent->dump;

    if (dump && dump->error[0])
        return failure_set(&run->failure, "DumpFailed", "%s", dump->error);
    if (run->agent->options->database)
        return database_backup(run, report, kept);
    if (run->work->kind == MESSAGE_STREAM)
        return stream_backup(run, report, kept);
    if (!repository_open(run, true))
        return false;
    own_lock_clear(run); /* of a container before this one */
    run->progress.stage = MESSAGE_WORK;
    if (!run_progress(run, true))
        return failure_set(&run->failure, "Cancelled", "the session was ended: %s", run->cancelled);
    if (dump)
        return backup_dump(run, dump, report, kept);
    for (size_t i = 0; i < backup->path_count && !stop; i++)
        good = backup_path(run, backup->paths[i], report, kept, &stop) && good;
    if (!good)
        own_lock_clear(run);
    return good && message_report_covers(report, backup);
}
