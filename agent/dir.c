#include "agent/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

static bool fail(struct error *err, const char *name)
{
    return error_set(err, ERROR_INTERNAL, "%s: %s", name, strerror(errno));
}

int dir_open(int folder, const char *name)
{
    return openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool dir_names(int folder, struct words *names, struct error *err)
{
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(closedir) DIR *list = again < 0 ? NULL : fdopendir(again);
    const struct dirent *entry;

    if (!list) {
        if (again >= 0)
            close(again);
        return fail(err, "a folder can not be read");
    }
    for (errno = 0; (entry = readdir(list)); errno = 0) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (names->count == DIR_NAMES_MAX)
            return error_set(err, ERROR_TOO_LARGE, "a folder has more than %u entries",
                             DIR_NAMES_MAX);
        words_add(names, entry->d_name);
    }
    return errno == 0 || fail(err, "a folder can not be read");
}

static bool remove_at(int folder, const char *name, int levels, struct error *err)
{
    AUTO(close) int inner = dir_open(folder, name);
    AUTO(words) struct words names = {0};

    if (inner < 0 && errno == ENOENT)
        return true;
    if (inner < 0)
        return unlinkat(folder, name, 0) == 0 || fail(err, name);
    if (levels == 0)
        return error_set(err, ERROR_TOO_LARGE, "%s: too deep", name);
    if (!dir_names(inner, &names, err))
        return error_wrap(err, "%s", name);
    for (size_t i = 0; i < names.count; i++)
        if (!remove_at(inner, names.list[i], levels - 1, err))
            return error_wrap(err, "%s", name);
    return unlinkat(folder, name, AT_REMOVEDIR) == 0 || fail(err, name);
}

bool dir_remove(int folder, const char *name, struct error *err)
{
    return remove_at(folder, name, DIR_LEVELS_MAX, err);
}

static bool settle_at(int folder, const char *name, const struct dir_owner *owner, int levels,
                      struct error *err)
{
    AUTO(close) int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    AUTO(words) struct words names = {0};
    struct stat what;

    if (fd < 0 || fstat(fd, &what) != 0)
        return fail(err, name);
    if (levels == 0)
        return error_set(err, ERROR_TOO_LARGE, "%s: too deep", name);
    if (S_ISDIR(what.st_mode) && !dir_names(fd, &names, err))
        return error_wrap(err, "%s", name);
    for (size_t i = 0; i < names.count; i++)
        if (!settle_at(fd, names.list[i], owner, levels - 1, err))
            return error_wrap(err, "%s", name);
    if ((what.st_uid != owner->user || what.st_gid != owner->group) &&
        fchown(fd, owner->user, owner->group) != 0)
        return fail(err, name);
    return fsync(fd) == 0 || fail(err, name);
}

bool dir_settle(int folder, const char *name, const struct dir_owner *owner, struct error *err)
{
    return settle_at(folder, name, owner, DIR_LEVELS_MAX, err);
}

static int64_t written_at(int folder, const char *name, int levels)
{
    AUTO(close) int inner = dir_open(folder, name);
    AUTO(words) struct words names = {0};
    struct error err = {.message = ""};
    struct stat what;
    int64_t newest = 0;

    if (inner < 0 || levels == 0)
        return fstatat(folder, name, &what, AT_SYMLINK_NOFOLLOW) == 0
                   ? (int64_t)what.st_mtim.tv_sec * 1000000000 + what.st_mtim.tv_nsec
                   : 0;
    if (!dir_names(inner, &names, &err))
        return 0;
    for (size_t i = 0; i < names.count; i++) {
        int64_t written = written_at(inner, names.list[i], levels - 1);

        newest = written > newest ? written : newest;
    }
    return newest;
}

int64_t dir_written_ns(int folder, const char *name)
{
    return written_at(folder, name, DIR_LEVELS_MAX);
}

bool dir_flush(int folder, struct error *err)
{
    return fsync(folder) == 0 || fail(err, "a folder can not be flushed");
}

/* For file systems that do not know RENAME_NOREPLACE, such as NFS. */
static int move_plainly(int from, const char *name, int to, const char *new_name)
{
    struct stat what;

    if (fstatat(to, new_name, &what, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from, name, to, new_name);
}

bool dir_move(int from, const char *name, int to, const char *new_name, struct error *err)
{
    int moved = renameat2(from, name, to, new_name, RENAME_NOREPLACE);

    if (moved != 0 && (errno == EINVAL || errno == ENOSYS))
        moved = move_plainly(from, name, to, new_name);
    if (moved == 0)
        return true;
    return error_set(err, errno == EEXIST ? ERROR_CONFLICT : ERROR_INTERNAL,
                     "%s can not be moved: %s", name, strerror(errno));
}
