#include "agent/own_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/dir.h"
#include "agent/restic.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"

#define NOTE "restic-runs-"

/* Characters of the name of a lock. */
#define ID_CHARS 64

/* restic's words for most of what goes wrong, and for being told to end: the last thing that it
 * does is to take its lock away, which fails when the storage is away. */
enum { EXIT_WRONG = 1, EXIT_TOLD = 130 };

/* ---- notes ---- */

static char *path_of(const char *scratch, int64_t pid)
{
    return text_format("%s/" NOTE "%lld", scratch, (long long)pid);
}

void own_lock_note(const char *scratch, int64_t pid)
{
    AUTO(free) char *path = path_of(scratch, pid);
    AUTO(close) int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (file < 0)
        log_info("that restic runs is not noted", LOG_S("reason", strerror(errno)));
}

void own_lock_forget(const char *scratch, int64_t pid)
{
    AUTO(free) char *path = path_of(scratch, pid);

    if (unlink(path) != 0 && errno != ENOENT)
        log_info("that restic ran is not forgotten", LOG_S("reason", strerror(errno)));
}

bool own_lock_may_be_left(int status)
{
    return !WIFEXITED(status) || WEXITSTATUS(status) == EXIT_WRONG ||
           WEXITSTATUS(status) == EXIT_TOLD;
}

/* 0: it is no note. */
static int64_t pid_of(const char *name)
{
    const char *digits = name + sizeof NOTE - 1;
    char *end = NULL;

    if (strncmp(name, NOTE, sizeof NOTE - 1) != 0 || *digits < '1' || *digits > '9')
        return 0;

    long long pid = strtoll(digits, &end, 10);

    return *end || pid > INT32_MAX ? 0 : pid;
}

size_t own_lock_notes(const char *scratch, int64_t *pids)
{
    AUTO(closedir) DIR *list = opendir(scratch);
    const struct dirent *entry;
    size_t count = 0;

    while (list && count < OWN_LOCK_NOTES_MAX && (entry = readdir(list)))
        if (pid_of(entry->d_name) > 0)
            pids[count++] = pid_of(entry->d_name);
    return count;
}

/* ---- locks ---- */

enum own_lock own_lock_of(const json_t *lock, const char *host, const int64_t *pids, size_t count)
{
    struct span its = tree_span(lock, "hostname");
    int64_t pid = tree_int(lock, "pid", 0);

    if (its.length && !span_is(its, host))
        return OWN_LOCK_OTHERS;
    for (size_t i = 0; its.length && i < count; i++)
        if (pids[i] == pid)
            return OWN_LOCK_DEAD;
    return OWN_LOCK_UNKNOWN;
}

/* The names of all locks. */
struct names {
    struct words list;
    bool many;
};

static bool take_name(void *context, struct span line)
{
    struct names *names = context;

    if (line.length != ID_CHARS)
        return false;
    names->many = names->many || names->list.count == OWN_LOCKS_MAX;
    if (!names->many)
        words_addf(&names->list, "%.*s", (int)line.length, line.data);
    return true;
}

/* False: not known. */
static bool list_names(struct run *run, struct names *names)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    bool listed;

    restic_list_locks(&argv, &run->place);
    run->on_line = take_name;
    run->context = names;
    listed = restic_run(run, &argv, READ_LINES, &output);
    run->on_line = NULL;
    run->context = NULL;
    return listed && output.end.status == 0 && !names->many;
}

static bool read_lock(struct run *run, const char *name, json_t **lock)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};

    restic_read_lock(&argv, &run->place, name);
    if (!restic_run(run, &argv, READ_DOCUMENT, &output) || output.end.status != 0)
        return false;
    *lock = TAKE(output.document);
    return json_is_object(*lock);
}

/* *dead: how many are of those who are dead. False: with one of them nobody knows. */
static bool judge(struct run *run, const int64_t *pids, size_t count, size_t *dead)
{
    AUTO(words) struct words list = {0};
    struct names names = {0};
    struct utsname host;
    bool known = uname(&host) == 0 && list_names(run, &names);

    list = names.list; /* released here */
    for (size_t i = 0; known && i < list.count; i++) {
        AUTO(json) json_t *lock = NULL;
        enum own_lock its = read_lock(run, list.list[i], &lock)
                                ? own_lock_of(lock, host.nodename, pids, count)
                                : OWN_LOCK_UNKNOWN;

        known = its != OWN_LOCK_UNKNOWN;
        *dead += its == OWN_LOCK_DEAD;
    }
    return known;
}

static bool unlock(struct run *run)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};

    restic_unlock(&argv, &run->place);
    return restic_run(run, &argv, READ_LINES, &output) && output.end.status == 0;
}

void own_lock_clear(struct run *run)
{
    int64_t pids[OWN_LOCK_NOTES_MAX];
    size_t count = own_lock_notes(run->place.scratch, pids), dead = 0;

    if (!count || !judge(run, pids, count, &dead))
        return;
    if (dead && !unlock(run))
        return;
    if (dead)
        log_info("the lock of a restic that was killed in this pod is removed",
                 LOG_N("locks", (int64_t)dead));
    for (size_t i = 0; i < count; i++)
        own_lock_forget(run->place.scratch, pids[i]);
}
