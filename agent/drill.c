#include "agent/drill.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/drill_plan.h"
#include "api/pod.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"

#define DAMAGED "RepositoryDamaged"

/* Said of a snapshot that restic leaves out of its list, and calls that a success. */
#define LEFT_OUT "failed to load snapshot"

/* One target's drill under way. */
struct drilling {
    struct run *run;
    const struct drill *drill;
    const json_t *snapshots; /* all of them */
    size_t at;               /* which one is restored */
    struct maintenance_result *result;
};

/* ---- the scratch ---- */

/* Bytes that fit; what is not known fits. */
static int64_t room_of(const struct agent_options *options)
{
    struct statvfs status;
    int64_t left = INT64_MAX;

    if (statvfs(options->restored, &status) == 0)
        left = (int64_t)(status.f_bavail * status.f_frsize);
    return options->room_bytes > 0 && options->room_bytes < left ? options->room_bytes : left;
}

static bool count_files(const char *folder, struct drill_count *count, struct error *err)
{
    char *const roots[] = {(char *)folder, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    bool good = tree != NULL;

    *count = (struct drill_count){0};
    for (FTSENT *entry; good && (entry = fts_read(tree));) {
        if (entry->fts_info == FTS_F) {
            count->files++;
            count->bytes += entry->fts_statp->st_size;
        }
        good = (entry->fts_info != FTS_DNR && entry->fts_info != FTS_ERR &&
                entry->fts_info != FTS_NS) ||
               error_set(err, ERROR_INTERNAL, "%s", strerror(entry->fts_errno));
    }
    if (tree)
        fts_close(tree);
    return good;
}

/* What can not be removed goes with the volume. */
static void remove_all(const char *folder)
{
    char *const roots[] = {(char *)folder, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

    for (FTSENT *entry; tree && (entry = fts_read(tree));) {
        bool inner = entry->fts_info == FTS_D;

        if (inner)
            (void)chmod(entry->fts_accpath, 0700);
        else
            (void)remove(entry->fts_accpath);
    }
    if (tree)
        fts_close(tree);
}

static bool make_folder(struct run *run, const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST ||
           failure_set(&run->failure, "ScratchUnusable", "%s: %s", path, strerror(errno));
}

/* ---- what is restored, and where ---- */

static const json_t *this_one(const struct drilling *drilling)
{
    return json_array_get(drilling->snapshots, drilling->at);
}

static bool overlap(const json_t *one, const json_t *other)
{
    const json_t *a, *b;
    size_t i, k;

    tree_items (tree_get(one, "paths"), i, a)
        tree_items (tree_get(other, "paths"), k, b) {
            const char *x = json_string_value(a), *y = json_string_value(b);

            if (!x || !y || pod_path_within(x, y) || pod_path_within(y, x))
                return true;
        }
    return false;
}

/* True when one that was restored before lies where this one goes. */
static bool is_taken(const struct drilling *drilling)
{
    AUTO(free) char *own = drill_folder(this_one(drilling));

    for (size_t i = 0; drilling->drill->keep && i < drilling->at; i++) {
        const json_t *other = json_array_get(drilling->snapshots, i);
        AUTO(free) char *theirs = drill_folder(other);

        if (strcmp(own, theirs) == 0 && overlap(this_one(drilling), other))
            return true;
    }
    return false;
}

static char *place_of(const struct drilling *drilling)
{
    AUTO(free) char *own = drill_folder(this_one(drilling));
    const char *root = drilling->run->agent->options->restored;

    if (!is_taken(drilling))
        return text_format("%s/%s/%s", root, drilling->drill->folder, own);
    return text_format("%s/%s/%s.%.8s", root, drilling->drill->folder, own,
                       tree_text(this_one(drilling), "id"));
}

/* ---- the steps ---- */

static bool take_line(void *context, struct span line)
{
    return drill_listing_take(context, line);
}

/* A listing that crashed (restic 0.18 does where a folder is damaged) is not the last word: the
 * restore says why. */
static bool list_files(struct drilling *drilling, struct drill_listing *listing,
                       struct failure *failure)
{
    struct run *run = drilling->run;
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};

    restic_contents(&argv, &run->place, tree_text(this_one(drilling), "id"));
    run->on_line = take_line;
    run->context = listing;

    bool started = restic_run(run, &argv, READ_LINES, &output);

    run->on_line = NULL;
    if (!started)
        return false;
    if (restic_judge(&output.end, "listing the files", failure) && !listing->told)
        failure_set(failure, "ResticFailed", "listing the files: restic named no snapshot");
    return true;
}

static bool fits(struct drilling *drilling, const struct drill_listing *listing)
{
    int64_t room = room_of(drilling->run->agent->options);
    int64_t needed = listing->wanted ? listing->drawn.bytes : listing->all.bytes;

    return needed <= room ||
           failure_set(&drilling->run->failure, "ScratchTooSmall",
                       "snapshot %.8s needs %lld bytes, and the scratch volume has %lld. What to "
                       "do: give the BackupConfiguration an interimVolumeTemplate that is large "
                       "enough, or a number of files that are drawn (verify.files)",
                       tree_text(this_one(drilling), "id"), (long long)needed, (long long)room);
}

static bool restore(struct drilling *drilling, const struct drill_listing *listing,
                    const char *folder)
{
    struct run *run = drilling->run;
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(free)
    char *doing = text_format("restoring snapshot %.8s", tree_text(this_one(drilling), "id"));
    AUTO(words) struct words patterns = {0};

    for (size_t i = 0; i < listing->count; i++)
        words_add(&patterns, listing->list[i].pattern);
    restic_drill(&argv, &run->place, tree_text(this_one(drilling), "id"), folder, &patterns);
    if (!restic_must(run, &argv, READ_LINES, &output, doing)) {
        if (output.items > 0)
            text_addf(&run->failure.message, " Not restored: %s%s.", text_get(&output.names),
                      output.items > ITEMS_MAX ? " and more" : "");
        return false;
    }
    return output.items == 0 ||
           failure_set(&run->failure, "PartlyRestored", "%s: not as it was: %s (%s)", doing,
                       text_get(&output.names), text_get(&output.message));
}

/* What differs is damage: restic itself saw none. */
static bool compare(struct drilling *drilling, const struct drill_listing *listing,
                    const char *folder, const struct drill_count *before)
{
    struct failure *failure = &drilling->run->failure;
    const json_t *snapshot = this_one(drilling);
    struct error err = {.message = ""};
    struct drill_count after;

    if (!count_files(folder, &after, &err))
        return failure_set(failure, "ScratchUnusable", "what was restored can not be looked at: %s",
                           err.message);
    after.files -= before->files;
    after.bytes -= before->bytes;
    if (!drill_check_summary(snapshot, &listing->all, &err) ||
        !drill_check_restored(listing, &after, &err))
        return failure_set(failure, DAMAGED,
                           "snapshot %.8s of host %.200s: %s. What to do: keep the repository as "
                           "it is, and check it.",
                           tree_text(snapshot, "id"), tree_text(snapshot, "hostname"), err.message);
    drilling->result->verified++;
    drilling->result->restored_files += after.files;
    drilling->result->restored_bytes += after.bytes;
    return true;
}

static bool restore_and_compare(struct drilling *drilling, const struct drill_listing *listing,
                                struct failure *listed)
{
    AUTO(free) char *folder = place_of(drilling);
    struct drill_count before = {0};
    struct error ignored;
    bool good;

    if (!make_folder(drilling->run, folder))
        return false;
    if (!count_files(folder, &before, &ignored))
        before = (struct drill_count){0};
    good = restore(drilling, listing, folder) &&
           (!listed->reason || failure_set(&drilling->run->failure, listed->reason, "%s",
                                           text_get(&listed->message))) &&
           compare(drilling, listing, folder, &before);
    if (!drilling->drill->keep)
        remove_all(folder);
    return good;
}

static bool drill_one(struct drilling *drilling)
{
    AUTO(drill_listing) struct drill_listing listing = {0};
    AUTO(failure) struct failure listed = {0};
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
        seed = (uint64_t)drilling->run->started_ms;
    drill_listing_init(&listing, drilling->drill->files, seed);
    return list_files(drilling, &listing, &listed) && fits(drilling, &listing) &&
           restore_and_compare(drilling, &listing, &listed);
}

/* ---- all of it ---- */

static bool list_snapshots(struct run *run, const char *tag, json_t **list)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};

    restic_tagged(&argv, &run->place, tag);
    if (!restic_must(run, &argv, READ_DOCUMENT, &output, "listing the snapshots"))
        return false;
    if (strstr(text_get(&output.message), LEFT_OUT))
        return failure_set(&run->failure, DAMAGED,
                           "a snapshot can not be read: %.900s. What to do: keep the repository as "
                           "it is, and check it.",
                           text_get(&output.message));
    *list = TAKE(output.document);
    return json_is_array(*list) ||
           failure_set(&run->failure, "ResticFailed", "listing the snapshots: restic gave no list");
}

static bool drill_target(struct run *run, const struct drill *drill,
                         struct maintenance_result *result)
{
    AUTO(json) json_t *list = NULL;
    AUTO(free)
    char *root = text_format("%s/%s", run->agent->options->restored, drill->folder);

    if (!list_snapshots(run, drill->tag, &list))
        return false;

    AUTO(json) json_t *snapshots = drill_snapshots(list);
    struct drilling drilling = {
        .run = run, .drill = drill, .snapshots = snapshots, .result = result};

    if (!json_array_size(snapshots))
        return failure_set(&run->failure, "NoSnapshot", "there is no snapshot with the tag %s",
                           drill->tag);
    if (!make_folder(run, root))
        return false;
    for (; drilling.at < json_array_size(snapshots); drilling.at++)
        if (!drill_one(&drilling))
            return false;
    log_info("snapshots restored and compared", LOG_S("tag", drill->tag),
             LOG_N("snapshots", result->verified), LOG_N("files", result->restored_files),
             LOG_N("bytes", result->restored_bytes));
    return true;
}

bool drill_do(struct run *run, struct maintenance_result *result)
{
    const struct agent_options *options = run->agent->options;
    struct error err = {.message = ""};

    result->verified = result->restored_files = result->restored_bytes = 0;
    for (size_t i = 0; i < options->drill_count; i++) {
        struct drill drill;
        AUTO(json) json_t *document = drill_read(span_of(options->drills[i]), &drill, &err);

        if (!document)
            return failure_set(&run->failure, "WorkNotUnderstood", "drill %zu: %s", i, err.message);
        if (!drill_target(run, &drill, result))
            return false;
    }
    return true;
}
