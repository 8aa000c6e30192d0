#include "agent/etcd_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/etcd_in_use.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"

#define JOURNAL "journal"
#define JOURNAL_NEW "journal.new"

/* One that runs through the steps. */
struct placing {
    const struct etcd_wish *wish;
    struct etcd_place *place;
    int work; /* our folder in it; -1: not there */
    struct etcd_journal journal;
    char *kept; /* out */
};

static bool fail(struct error *err, const char *what)
{
    return error_set(err, ERROR_INTERNAL, "%s: %s", what, strerror(errno));
}

/* ---- the data dir ---- */

bool etcd_place_open(struct etcd_place *place, const char *path, struct error *err)
{
    AUTO(close) int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *place = (struct etcd_place){path, -1};
    if (folder < 0)
        return errno == ENOENT || fail(err, path);
    if (flock(folder, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, ERROR_CONFLICT, "%s: another restore is at work here", path);
    place->folder = folder;
    folder = -1;
    return true;
}

void etcd_place_close(struct etcd_place *place)
{
    if (place->folder >= 0)
        close(place->folder);
    place->folder = -1;
}

/* It belongs to whom its parent belongs to. */
static bool create(struct etcd_place *place, struct error *err)
{
    AUTO(free) char *parent = text_format("%s/..", place->path);
    struct stat above;

    if (place->folder >= 0)
        return true;
    if (mkdir(place->path, 0700) != 0 && errno != EEXIST)
        return fail(err, place->path);
    if (!etcd_place_open(place, place->path, err))
        return false;
    /* who is not root is the user of etcd himself */
    if (stat(parent, &above) != 0 ||
        (geteuid() == 0 && fchown(place->folder, above.st_uid, above.st_gid) != 0))
        return fail(err, place->path);

    AUTO(close) int up = openat(place->folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return up >= 0 ? dir_flush(up, err) : fail(err, parent);
}

static bool is_ours(const char *name)
{
    return strncmp(name, ETCD_WORK, strlen(ETCD_WORK)) == 0 || strcmp(name, "lost+found") == 0 ||
           strcmp(name, MARK_FILE) == 0;
}

/* Entries that are moved, "member" last. */
static bool list_theirs(int folder, struct words *names, struct error *err)
{
    AUTO(words) struct words all = {0};
    bool member = false;

    if (!dir_names(folder, &all, err))
        return false;
    for (size_t i = 0; i < all.count; i++) {
        if (strcmp(all.list[i], "member") == 0)
            member = true;
        else if (!is_ours(all.list[i]))
            words_add(names, all.list[i]);
    }
    if (member)
        words_add(names, "member");
    return true;
}

static bool is_there(int folder, const char *name)
{
    return folder >= 0 && faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- the journal ---- */

static bool read_journal(int work, struct etcd_journal *journal, struct error *err)
{
    AUTO(close)
    int file =
        work < 0 ? -1 : openat(work, JOURNAL, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char text[ETCD_JOURNAL_MAX_BYTES + 1];
    ssize_t got;

    *journal = (struct etcd_journal){.phase = ETCD_NONE};
    if (file < 0)
        return work < 0 || errno == ENOENT || fail(err, JOURNAL);
    got = read(file, text, sizeof text);
    return got < 0 ? fail(err, JOURNAL)
                   : etcd_journal_parse((struct span){text, (size_t)got}, journal, err);
}

static bool write_journal(int work, const struct etcd_journal *journal, struct error *err)
{
    AUTO(text) struct text text = {0};
    AUTO(close)
    int file =
        openat(work, JOURNAL_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    etcd_journal_format(journal, &text);
    if (file < 0 || write(file, text.data, text.length) != (ssize_t)text.length ||
        fsync(file) != 0 || renameat(work, JOURNAL_NEW, work, JOURNAL) != 0)
        return fail(err, "the journal of the restore can not be written");
    return dir_flush(work, err);
}

static bool note(struct placing *placing, enum etcd_phase phase, struct error *err)
{
    placing->journal.phase = phase;
    return write_journal(placing->work, &placing->journal, err);
}

bool etcd_place_journal(const struct etcd_place *place, struct etcd_journal *journal,
                        struct error *err)
{
    AUTO(close) int work = place->folder < 0 ? -1 : dir_open(place->folder, ETCD_WORK);

    return read_journal(work, journal, err);
}

/* ---- restores that have ended ---- */

static void kept_name(char name[64], int64_t began_ms)
{
    time_t at = (time_t)(began_ms / 1000);
    struct tm when;
    size_t used = strlen(ETCD_WORK "-");

    memcpy(name, ETCD_WORK "-", used + 1);
    gmtime_r(&at, &when);
    used += strftime(name + used, 64 - used, "%Y%m%dT%H%M%S", &when);
    snprintf(name + used, 64 - used, ".%03dZ", (int)(began_ms % 1000));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Their folders, the oldest first: names are times. */
static bool list_kept(int folder, struct words *kept, struct error *err)
{
    AUTO(words) struct words all = {0};

    if (folder >= 0 && !dir_names(folder, &all, err))
        return false;
    for (size_t i = 0; i < all.count; i++)
        if (strncmp(all.list[i], ETCD_WORK "-", strlen(ETCD_WORK "-")) == 0)
            words_add(kept, all.list[i]);
    if (kept->count)
        qsort(kept->list, kept->count, sizeof *kept->list, by_name);
    return true;
}

static bool read_kept(int folder, const char *name, struct etcd_journal *journal, struct error *err)
{
    AUTO(close) int inner = dir_open(folder, name);

    if (inner < 0)
        return fail(err, name);
    return read_journal(inner, journal, err) || error_wrap(err, "%s", name);
}

/* The journal of the newest; phase NONE: there is none. */
static bool newest_kept(int folder, struct etcd_journal *journal, char name[64], struct error *err)
{
    AUTO(words) struct words kept = {0};

    *journal = (struct etcd_journal){.phase = ETCD_NONE};
    if (!list_kept(folder, &kept, err))
        return false;
    if (kept.count == 0)
        return true;
    snprintf(name, 64, "%s", kept.list[kept.count - 1]);
    return read_kept(folder, name, journal, err);
}

/* Only what is older than wished, and never the newest. */
static bool forget_kept(int folder, const struct etcd_wish *wish, struct error *err)
{
    AUTO(words) struct words kept = {0};

    if (wish->keep_ms <= 0)
        return true;
    if (!list_kept(folder, &kept, err))
        return false;
    for (size_t i = 0; i + 1 < kept.count; i++) {
        struct etcd_journal journal = {.phase = ETCD_NONE};

        if (!read_kept(folder, kept.list[i], &journal, err))
            return false;
        if (journal.began_ms + wish->keep_ms > wish->now_ms)
            continue;
        log_info("what an earlier restore replaced is removed", LOG_S("folder", kept.list[i]));
        if (!dir_remove(folder, kept.list[i], err))
            return false;
    }
    return true;
}

/* ---- what is seen ---- */

static bool count_in(int folder, const char *name, size_t *count, struct error *err)
{
    AUTO(close) int inner = folder < 0 ? -1 : dir_open(folder, name);
    AUTO(words) struct words names = {0};

    if (inner >= 0 && !list_theirs(inner, &names, err))
        return false;
    *count = names.count;
    return true;
}

static bool is_idle(const struct etcd_place *place, const struct etcd_wish *wish,
                    const struct etcd_journal *kept)
{
    return kept->phase == ETCD_PLACED && strcmp(kept->id, wish->id) == 0 && kept->stamp_ns > 0 &&
           dir_written_ns(place->folder, "member") == kept->stamp_ns;
}

/* The newest restore, under way or ended, is not of whom it is asked for. */
static bool is_foreign(const struct etcd_wish *wish, const struct etcd_journal *journal,
                       const struct etcd_journal *kept)
{
    const struct etcd_journal *newest = journal->phase != ETCD_NONE ? journal : kept;

    return wish->undo && wish->session &&
           (newest->phase == ETCD_NONE || strcmp(newest->session, wish->session) != 0);
}

bool etcd_place_see(const struct etcd_place *place, const struct etcd_wish *wish,
                    struct etcd_place_seen *seen, struct error *err)
{
    AUTO(close) int work = place->folder < 0 ? -1 : dir_open(place->folder, ETCD_WORK);
    AUTO(close) int made = work < 0 ? -1 : dir_open(work, "made");
    struct etcd_place_seen is = {.undo = wish->undo};
    struct etcd_journal journal = {.phase = ETCD_NONE}, kept = {.phase = ETCD_NONE};
    char name[64];

    if (!read_journal(work, &journal, err) || !newest_kept(place->folder, &kept, name, err) ||
        !count_in(place->folder, ".", &is.here, err) || !count_in(work, "aside", &is.aside, err))
        return false;
    is.phase = journal.phase;
    is.kept = kept.phase;
    is.foreign = is_foreign(wish, &journal, &kept);
    is.same = wish->undo || strcmp(journal.id, wish->id) == 0;
    is.idle = place->folder >= 0 && !wish->undo && is_idle(place, wish, &kept);
    is.member_made = is_there(made, "member");
    is.member_here = is_there(place->folder, "member");
    *seen = is;
    return true;
}

/* ---- the steps ---- */

static bool open_in_work(const struct placing *placing, const char *name, int *fd,
                         struct error *err)
{
    *fd = dir_open(placing->work, name);
    return *fd >= 0 || fail(err, name);
}

static bool begin(struct placing *placing, struct error *err)
{
    const struct etcd_wish *wish = placing->wish;
    struct etcd_journal before = {.phase = ETCD_NONE};
    char name[64];

    if (!create(placing->place, err) || !newest_kept(placing->place->folder, &before, name, err))
        return false;
    if (mkdirat(placing->place->folder, ETCD_WORK, 0700) != 0 && errno != EEXIST)
        return fail(err, ETCD_WORK);
    if (placing->work < 0)
        placing->work = dir_open(placing->place->folder, ETCD_WORK);
    if (placing->work < 0 || (mkdirat(placing->work, "aside", 0700) != 0 && errno != EEXIST))
        return fail(err, ETCD_WORK);
    placing->journal = wish->journal;
    snprintf(placing->journal.id, sizeof placing->journal.id, "%s", wish->id);
    /* names are times, also when the clock went back */
    placing->journal.began_ms =
        before.phase && before.began_ms >= wish->now_ms ? before.began_ms + 1 : wish->now_ms;
    placing->journal.stamp_ns = 0;
    return dir_flush(placing->place->folder, err) && note(placing, ETCD_MAKING, err);
}

/* As the member that was there, else as the data dir. */
static void owner_before(const struct placing *placing, struct dir_owner *owner, mode_t *mode)
{
    struct stat what = {.st_mode = 0700};

    if (fstatat(placing->place->folder, "member", &what, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(what.st_mode))
        *mode = what.st_mode & 07777;
    else if (fstat(placing->place->folder, &what) == 0)
        *mode = 0700;
    *owner = (struct dir_owner){what.st_uid, what.st_gid};
    if (geteuid() != 0) /* the user of etcd himself, who can give nothing away */
        *owner = (struct dir_owner){geteuid(), getegid()};
}

static bool settle(struct placing *placing, struct error *err)
{
    AUTO(close) int made = -1;
    struct dir_owner owner;
    mode_t mode = 0700;

    if (!open_in_work(placing, "made", &made, err))
        return false;
    owner_before(placing, &owner, &mode);
    if (!dir_settle(placing->work, "made", &owner, err))
        return false;
    placing->journal.stamp_ns = dir_written_ns(made, "member");
    if (fchmodat(made, "member", mode, 0) != 0)
        return fail(err, "made/member");
    return dir_flush(made, err) && dir_flush(placing->work, err);
}

/* What could not be made leaves nothing behind. */
static bool give_up(struct placing *placing)
{
    struct error ignored = {.message = ""};

    if (!dir_remove(placing->place->folder, ETCD_WORK, &ignored))
        log_warn("what is left of a restore that failed stays", LOG_S("reason", ignored.message));
    return false;
}

static bool make(struct placing *placing, struct error *err)
{
    AUTO(free) char *into = text_format("%s/" ETCD_WORK "/made", placing->place->path);

    if (!dir_remove(placing->work, "made", err))
        return false;
    if (!placing->wish->make(placing->wish->context, into, err) || !settle(placing, err))
        return give_up(placing);
    return note(placing, ETCD_ASIDE, err);
}

static bool move_all(int from, int to, struct error *err)
{
    AUTO(words) struct words names = {0};

    if (!list_theirs(from, &names, err))
        return false;
    for (size_t i = 0; i < names.count; i++)
        if (!dir_move(from, names.list[i], to, names.list[i], err))
            return false;
    return dir_flush(to, err) && dir_flush(from, err);
}

static bool move_aside(struct placing *placing, struct error *err)
{
    AUTO(close) int aside = -1;

    return etcd_is_unused(placing->place->folder, err) &&
           open_in_work(placing, "aside", &aside, err) &&
           move_all(placing->place->folder, aside, err) && note(placing, ETCD_IN, err);
}

/* An etcd that was started just before its files were moved goes on with them. */
static bool move_in(struct placing *placing, struct error *err)
{
    AUTO(close) int aside = -1;
    AUTO(close) int made = -1;

    return open_in_work(placing, "aside", &aside, err) &&
           open_in_work(placing, "made", &made, err) && etcd_is_unused(aside, err) &&
           dir_move(made, "member", placing->place->folder, "member", err) &&
           dir_flush(placing->place->folder, err) && dir_flush(made, err);
}

static bool note_placed(struct placing *placing, struct error *err)
{
    return note(placing, ETCD_PLACED, err);
}

static bool reopen(struct placing *placing, struct error *err)
{
    struct etcd_journal journal = {.phase = ETCD_NONE};
    char name[64] = "";

    return newest_kept(placing->place->folder, &journal, name, err) &&
           dir_move(placing->place->folder, name, placing->place->folder, ETCD_WORK, err) &&
           dir_flush(placing->place->folder, err);
}

static bool note_out(struct placing *placing, struct error *err)
{
    return etcd_is_unused(placing->place->folder, err) && note(placing, ETCD_OUT, err);
}

static bool move_out(struct placing *placing, struct error *err)
{
    AUTO(close) int made = -1;

    return etcd_is_unused(placing->place->folder, err) &&
           open_in_work(placing, "made", &made, err) &&
           move_all(placing->place->folder, made, err) && note(placing, ETCD_BACK, err);
}

static bool note_back(struct placing *placing, struct error *err)
{
    return note(placing, ETCD_BACK, err);
}

static bool move_back(struct placing *placing, struct error *err)
{
    AUTO(close) int aside = -1;

    return open_in_work(placing, "aside", &aside, err) && etcd_is_unused(aside, err) &&
           move_all(aside, placing->place->folder, err) && note(placing, ETCD_UNDONE, err);
}

static bool discard(struct placing *placing, struct error *err)
{
    return dir_remove(placing->work, "made", err) && note(placing, ETCD_UNDONE, err);
}

static bool keep(struct placing *placing, struct error *err)
{
    int folder = placing->place->folder;

    kept_name(placing->kept, placing->journal.began_ms);
    return dir_move(folder, ETCD_WORK, folder, placing->kept, err) && dir_flush(folder, err) &&
           forget_kept(folder, placing->wish, err);
}

static bool (*const steps[])(struct placing *, struct error *) = {
    [ETCD_DO_BEGIN] = begin,
    [ETCD_DO_MAKE] = make,
    [ETCD_DO_MOVE_ASIDE] = move_aside,
    [ETCD_DO_MOVE_IN] = move_in,
    [ETCD_DO_NOTE_PLACED] = note_placed,
    [ETCD_DO_REOPEN] = reopen,
    [ETCD_DO_NOTE_OUT] = note_out,
    [ETCD_DO_MOVE_OUT] = move_out,
    [ETCD_DO_NOTE_BACK] = note_back,
    [ETCD_DO_MOVE_BACK] = move_back,
    [ETCD_DO_DISCARD] = discard,
    [ETCD_DO_KEEP] = keep,
};

static bool do_step(struct etcd_place *place, const struct etcd_wish *wish,
                    enum etcd_place_what what, char *kept, struct error *err)
{
    struct placing placing = {.wish = wish, .place = place, .kept = kept};
    bool good;

    placing.work = place->folder < 0 ? -1 : dir_open(place->folder, ETCD_WORK);
    good = read_journal(placing.work, &placing.journal, err);
    /* who goes on with what somebody else began has it as his own */
    if (good && !wish->undo && what != ETCD_DO_BEGIN && what != ETCD_DO_KEEP)
        memcpy(placing.journal.session, wish->journal.session, sizeof placing.journal.session);
    good = good && steps[what](&placing, err);
    if (placing.work >= 0)
        close(placing.work);
    return good;
}

bool etcd_place_run(struct etcd_place *place, const struct etcd_wish *wish, char kept[64],
                    struct error *err)
{
    struct etcd_place_step step = {.last = false};

    kept[0] = '\0';
    while (!step.last) {
        struct etcd_place_seen seen;

        if (!etcd_place_see(place, wish, &seen, err))
            return false;
        step = etcd_place_next(&seen);
        if (step.what == ETCD_DO_REFUSE)
            return error_set(err, ERROR_CONFLICT, "%s", step.why);
        if (step.what != ETCD_DO_NOTHING && !do_step(place, wish, step.what, kept, err))
            return false;
    }
    return true;
}
