#include "agent/work.h"

#include <stdarg.h>
#include <string.h>

#include "agent/database_options.h"
#include "agent/database_work.h"
#include "agent/left_out.h"
#include "agent/links.h"
#include "agent/mark.h"
#include "agent/whole_session.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"

/* One restore under way. */
struct restore {
    struct run *run;
    const struct words *mounts;
    struct message_report *report;
    struct words *kept;
    struct words marked;  /* roots whose mark says "restoring" */
    struct left_out left; /* what was written, and not as it was */
    const char *uid;      /* that their mark gets: the session that it comes from, or that asks */
};

/* ---- what is said of it ---- */

static bool note(struct restore *restore, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Always true. */
static bool note(struct restore *restore, const char *format, ...)
{
    AUTO(text) struct text text = {0};
    AUTO(free) char *cut = NULL;
    va_list args;

    va_start(args, format);
    text_addv(&text, format, args);
    va_end(args);
    cut = text_printable((struct span){text_get(&text), text.length}, MESSAGE_NOTE_MAX_BYTES / 4);
    log_info("of this restore", LOG_S("note", cut));
    words_add(restore->kept, cut);
    restore->report->note = restore->kept->list[restore->kept->count - 1];
    return true;
}

/* Behind what was said before, if anything. */
static void note_left_out(struct restore *restore)
{
    const struct left_out *left = &restore->left;
    const char *before = restore->report->note;

    if (left->count == 0)
        return;
    log_warn("owner or mode is not as it was", LOG_N("count", (int64_t)left->count),
             LOG_S("names", text_get(&left->names)));
    (void)note(restore,
               "%s%sowner or mode of %llu files is not as it was, since only root may set it "
               "(fileAccess: Root): %s%s",
               before ? before : "", before ? "; " : "", (unsigned long long)left->count,
               text_get(&left->names), left->count > ITEMS_MAX ? " and more" : "");
}

static bool list_snapshots(struct run *run, const char *host, const char *path, json_t **list)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};

    restic_snapshots(&argv, &run->place, host, path);
    if (!restic_must(run, &argv, READ_DOCUMENT, &output, "listing the snapshots"))
        return false;
    *list = TAKE(output.document);
    return json_is_array(*list) ||
           failure_set(&run->failure, "ResticFailed", "listing the snapshots: restic gave no list");
}

static bool list_tagged(struct run *run, const char *tag, json_t **list)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};

    restic_tagged(&argv, &run->place, tag);
    if (!restic_must(run, &argv, READ_DOCUMENT, &output, "listing the snapshots"))
        return false;
    *list = TAKE(output.document);
    return json_is_array(*list) ||
           failure_set(&run->failure, "ResticFailed", "listing the snapshots: restic gave no list");
}

static bool is_mounted(const struct words *mounts, const char *root)
{
    for (size_t i = 0; i < mounts->count; i++)
        if (strcmp(mounts->list[i], root) == 0)
            return true;
    return false;
}

/* Nobody may start on what is written from now on. False: failed; *leave: not to be touched. */
static bool begin_on(struct restore *restore, const char *path, bool *leave)
{
    struct run *run = restore->run;
    struct error err = {.message = ""};
    struct mark mark;

    const char *root = mount_of(restore->mounts, path);

    *leave = false;

    for (size_t i = 0; i < restore->marked.count; i++)
        if (strcmp(restore->marked.list[i], root) == 0)
            return true;
    mark_read(root, &mark);
    if (run->work->restore.if_exists && !is_mounted(restore->mounts, root)) {
        log_info("there is no volume there any more", LOG_S("path", path));
        *leave = true;
        return true;
    }
    *leave = run->work->restore.if_exists && mark.state != MARK_RESTORING &&
             (mark.state == MARK_DONE || !volume_is_empty(root));
    if (*leave) {
        log_info("volume is in use and left alone", LOG_S("volume", root));
        return true;
    }
    if (!mark_write(root, MARK_RESTORING, restore->uid, &err))
        return failure_set(&run->failure, "MarkNotWritten", "%s", err.message);
    words_add(&restore->marked, root);
    return true;
}

static bool add_snapshot(struct restore *restore, const char *id, const char *path,
                         const struct restic_line *summary)
{
    struct message_report *report = restore->report;

    if (report->snapshot_count == PATHS_MAX)
        return failure_set(&restore->run->failure, "TooMuch", "more than %u paths", PATHS_MAX);
    words_add(restore->kept, id);
    words_add(restore->kept, path);
    report->snapshots[report->snapshot_count++] =
        (struct message_snapshot){.id = restore->kept->list[restore->kept->count - 2],
                                  .path = restore->kept->list[restore->kept->count - 1],
                                  .total_bytes = summary->total_bytes,
                                  .processing_ms = summary->duration_ms,
                                  .files_total = summary->total_files};
    return true;
}

/* True when the snapshot says of itself that it holds no file. */
static bool holds_nothing(const json_t *snapshot)
{
    return tree_int(tree_get(snapshot, "summary"), "total_files_processed", -1) == 0;
}

static void break_link(void *path, const char *item)
{
    links_break(path, item);
}

/* Removes what restic would write and would not write rightly. */
static bool loosen(struct restore *restore, const char *id, const char *path,
                   const struct message_rule *rule)
{
    struct run *run = restore->run;
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};

    restic_restore(&argv, &run->place, id, path, rule, RESTIC_DRY);
    run->on_item = break_link;
    run->context = (char *)path;

    bool good = restic_must(run, &argv, READ_LINES, &output, "looking at what is to be restored");

    run->on_item = NULL;
    return good;
}

static bool restore_one(struct restore *restore, const json_t *snapshot, const char *path,
                        const struct message_rule *rule)
{
    struct run *run = restore->run;
    const char *id = tree_text(snapshot, "id");
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(free) char *doing = text_format("the restore of %s", path);
    bool leave, linked;

    if (run->work->restore.if_exists && session_of(snapshot)) {
        words_add(restore->kept, session_of(snapshot));
        restore->uid = restore->kept->list[restore->kept->count - 1];
    }
    if (!begin_on(restore, path, &leave))
        return false;
    if (leave)
        return true;
    linked = links_are_in(path);
    if (linked && !loosen(restore, id, path, rule))
        return false;
    restic_restore(&argv, &run->place, id, path, rule, linked ? RESTIC_VERIFY : RESTIC_PLAIN);
    if (!restic_must(run, &argv, READ_LINES, &output, doing)) {
        if (output.items > 0)
            text_addf(&run->failure.message, " Not written: %s%s.", text_get(&output.names),
                      output.items > ITEMS_MAX ? " and more" : "");
        return false;
    }
    if (output.items > 0)
        return failure_set(&run->failure, "PartlyRestored", "%s: not written as it was: %s (%s)",
                           doing, text_get(&output.names), text_get(&output.message));
    if (output.summary.files_restored == 0 && !holds_nothing(snapshot))
        return failure_set(&run->failure, "NothingRestored",
                           "%s: nothing of the snapshot matches. What to do: check include and "
                           "exclude of the rule.",
                           doing);
    if (left_out_can_be())
        left_out_find(run, id, path, &restore->left);
    return add_snapshot(restore, id, path, &output.summary);
}

/* The newest snapshot of this path that the rule allows. */
static bool restore_path(struct restore *restore, const char *path, const struct message_rule *rule)
{
    struct run *run = restore->run;
    const char *host =
        rule->source_host && *rule->source_host ? rule->source_host : run->work->host;
    AUTO(json) json_t *list = NULL;

    if (!list_snapshots(run, host, path, &list))
        return false;

    const json_t *snapshot = restic_newest(list, rule->as_of);

    if (snapshot)
        return restore_one(restore, snapshot, path, rule);
    return failure_set(&run->failure, "NoSnapshot",
                       "the restore of %s: the repository has no snapshot of it for host %s%s%s. "
                       "What to do: check sourceHost and asOf of the rule.",
                       path, host, rule->as_of ? " before " : "", rule->as_of ? rule->as_of : "");
}

/* "latest", or an id or its beginning; of two that begin so, none. */
static const json_t *find(const json_t *list, const char *wanted)
{
    const json_t *one, *found = NULL;
    size_t i;

    if (strcmp(wanted, "latest") == 0)
        return restic_newest(list, NULL);
    tree_items (list, i, one) {
        const char *id = tree_text(one, "id");

        if (!id || !restic_id_is(id) || strncmp(id, wanted, strlen(wanted)) != 0)
            continue;
        if (found)
            return NULL;
        found = one;
    }
    return found;
}

/* All that a snapshot holds. */
static bool restore_snapshot(struct restore *restore, const json_t *list, const char *wanted,
                             const struct message_rule *rule)
{
    const json_t *snapshot = find(list, wanted), *path;
    size_t i;

    if (!snapshot)
        return failure_set(&restore->run->failure, "NoSnapshot",
                           "the repository has no snapshot %s, or more than one that begins so",
                           wanted);
    tree_items (tree_get(snapshot, "paths"), i, path) {
        const char *text = json_string_value(path);

        if (!text || text[0] != '/' || !restore_one(restore, snapshot, text, rule))
            return text && text[0] == '/'
                       ? false
                       : failure_set(&restore->run->failure, "NoSnapshot",
                                     "snapshot %s holds no absolute path", wanted);
    }
    return true;
}

/* A database gets one dump: that of the snapshot which the rule names, or the newest one. */
static bool restore_dump(struct restore *restore, const struct message_rule *rule)
{
    struct run *run = restore->run;
    const char *wanted = rule->snapshot_count ? rule->snapshots[0] : "latest";
    const char *host =
        rule->source_host && *rule->source_host ? rule->source_host : run->work->host;
    AUTO(free) char *path = text_format("/%s", run->agent->options->database->kind->dump);
    AUTO(json) json_t *list = NULL;
    const struct restic_line nothing = {.kind = RESTIC_SUMMARY};
    bool newest = strcmp(wanted, "latest") == 0;

    if (rule->snapshot_count > 1)
        return failure_set(&run->failure, "TooMuch", "the rule names more than one snapshot");
    if (!list_snapshots(run, newest ? host : NULL, path, &list))
        return false;

    const json_t *snapshot = newest ? restic_newest(list, rule->as_of) : find(list, wanted);
    const char *id = tree_text(snapshot, "id");

    if (!id)
        return failure_set(&run->failure, "NoSnapshot",
                           "the repository has no dump %s of host %s in its snapshot %s. What to "
                           "do: check snapshots, sourceHost and asOf of the rule.",
                           path, host, wanted);
    return database_restore(run, id, restore->report, restore->kept) &&
           add_snapshot(restore, id, path, &nothing);
}

static bool restore_rule(struct restore *restore, const struct message_rule *rule)
{
    AUTO(json) json_t *list = NULL;

    if (restore->run->agent->options->database)
        return restore_dump(restore, rule);
    if (rule->snapshot_count > 0 && !list_snapshots(restore->run, NULL, NULL, &list))
        return false;
    for (size_t i = 0; i < rule->snapshot_count; i++)
        if (!restore_snapshot(restore, list, rule->snapshots[i], rule))
            return false;
    for (size_t i = 0; rule->snapshot_count == 0 && i < rule->path_count; i++)
        if (!restore_path(restore, rule->paths[i], rule))
            return false;
    return rule->snapshot_count + rule->path_count > 0 ||
           failure_set(&restore->run->failure, "NothingRestored",
                       "the rule names neither a path nor a snapshot");
}

/* Nothing is left that a later start would stumble over. */
static bool finish_fresh(struct restore *restore)
{
    const char *half = volumes_half_restored(restore->mounts);
    struct error err = {.message = ""};

    if (half)
        return failure_set(&restore->run->failure, "HalfRestored",
                           "a restore into %s was begun and never finished, and the newest session "
                           "holds nothing for it. What to do: make a RestoreSession.",
                           half);
    return volumes_start_fresh(restore->mounts, &err) ||
           failure_set(&restore->run->failure, "MarkNotWritten", "%s", err.message);
}

/* Written last: whoever starts from now on finds all of it. */
static bool finish(struct restore *restore)
{
    struct error err = {.message = ""};

    for (size_t i = 0; i < restore->marked.count; i++)
        if (!mark_write(restore->marked.list[i], MARK_DONE, restore->uid, &err))
            return failure_set(&restore->run->failure, "MarkNotWritten", "%s", err.message);
    return !restore->run->work->restore.if_exists || finish_fresh(restore);
}

/* ---- when nobody asked for it by name ---- */

/* Its host's newest snapshot, for a person who wonders. */
static bool note_older(struct restore *restore, const json_t *list, const char *why)
{
    const json_t *older = session_snapshot(list, NULL, restore->run->work->host, NULL);
    const char *id = tree_text(older, "id"), *time = tree_text(older, "time");

    return note(restore, "%s: started fresh%s%.8s%s%.19s", why,
                id ? "; the newest snapshot of this host is " : "", id ? id : "", id ? " of " : "",
                id && time ? time : "");
}

/* Snapshots that another program took: nobody can say which of them belong together. */
static bool check_untold(struct restore *restore)
{
    struct run *run = restore->run;
    AUTO(json) json_t *all = NULL;

    if (!list_snapshots(run, run->work->host, NULL, &all))
        return false;
    if (json_array_size(all) == 0)
        return note(restore, "the repository has no snapshot of it: started fresh");
    return failure_set(&run->failure, "SnapshotsUntold",
                       "the repository has snapshots of host %s that do not say which session took "
                       "them (of another program, or of another target): what comes back is not "
                       "guessed. What to do: make a RestoreSession, or take the "
                       "annotation " KEY_RESTORE_IF_EXISTS " away to start without them.",
                       run->work->host);
}

static bool restore_paths(struct restore *restore, const json_t *list, const char *session)
{
    const struct message_rule *rule = &restore->run->work->restore.rules[0];
    const char *host = restore->run->work->host;
    bool covered = false;

    for (size_t i = 0; i < rule->path_count; i++) {
        const json_t *snapshot = session_snapshot(list, session, host, rule->paths[i]);

        if (snapshot && !restore_one(restore, snapshot, rule->paths[i], rule))
            return false;
        covered = covered || snapshot;
    }
    return covered ? note(restore, "restored what session %s has backed up", session)
                   : note_older(restore, list, "the newest session did not cover this host");
}

/* What the repository itself proves: no object of a session is left that could say it. */
static bool restore_newest(struct restore *restore)
{
    struct run *run = restore->run;
    const struct message_restore *wanted = &run->work->restore;
    AUTO(json) json_t *list = NULL;
    bool found = false;

    if (!repository_find(run, &found))
        return false;
    if (!found)
        return note(restore, "there is no repository: started fresh");
    if (!list_tagged(run, wanted->tag, &list))
        return false;
    if (json_array_size(list) == 0)
        return check_untold(restore);

    const char *session = session_newest(list);

    if (!session)
        return note_older(restore, list, "no session has ever backed up all of it");
    if (wanted->session && strcmp(wanted->session, session) != 0)
        return note_older(restore, list, "the other pods were restored from an older session");
    return restore_paths(restore, list, session);
}

bool restore_do(struct run *run, const struct words *mounts, struct message_report *report,
                struct words *kept)
{
    struct restore restore = {.run = run,
                              .mounts = mounts,
                              .report = report,
                              .kept = kept,
                              .uid = run->work->session.uid};
    const struct message_restore *wanted = &run->work->restore;
    bool newest = wanted->if_exists && wanted->tag, good = newest || repository_open(run, false);

    run->progress.stage = MESSAGE_WORK;
    if (good && !run_progress(run, true))
        good = failure_set(&run->failure, "Cancelled", "the session was ended: %s", run->cancelled);
    if (good && wanted->rule_count == 0)
        good = failure_set(&run->failure, "NothingRestored", "no rule is meant for host %s",
                           run->work->host);
    if (good && newest)
        good = restore_newest(&restore);
    for (size_t i = 0; good && !newest && i < wanted->rule_count; i++)
        good = restore_rule(&restore, &wanted->rules[i]);
    good = good && finish(&restore);
    note_left_out(&restore);
    left_out_done(&restore.left);
    words_done(&restore.marked);
    return good;
}
