#include "agent/etcd_in_use.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/dir.h"
#include "base/auto.h"
#include "base/text.h"

/* A file of the member, as open descriptors of processes are compared with it. */
struct known {
    dev_t device;
    ino_t inode;
};

struct files {
    struct known list[DIR_NAMES_MAX];
    size_t count;
};

static bool refuse(struct error *err, const char *name)
{
    return error_set(err, ERROR_CONFLICT,
                     "an etcd still runs on this data dir: %s is locked. Stop it first", name);
}

static bool is_locked(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return true;
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool look_at_file(int folder, const char *name, struct files *files, struct error *err)
{
    AUTO(close) int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat what;

    if (fd < 0 && (errno == ENOENT || errno == ELOOP))
        return true;
    if (fd < 0 || fstat(fd, &what) != 0)
        return error_set(err, ERROR_INTERNAL, "%s: %s", name, strerror(errno));
    if (!S_ISREG(what.st_mode))
        return true;
    if (is_locked(fd))
        return refuse(err, name);
    if (files->count < DIR_NAMES_MAX)
        files->list[files->count++] = (struct known){what.st_dev, what.st_ino};
    return true;
}

static bool look_at_folder(int member, const char *name, struct files *files, struct error *err)
{
    AUTO(close) int folder = dir_open(member, name);
    AUTO(words) struct words names = {0};

    if (folder < 0)
        return true;
    if (!dir_names(folder, &names, err))
        return error_wrap(err, "%s", name);
    for (size_t i = 0; i < names.count; i++)
        if (!look_at_file(folder, names.list[i], files, err))
            return false;
    return true;
}

/* ---- what processes have open ---- */

static bool is_number(const char *name)
{
    return isdigit((unsigned char)name[0]) && strtol(name, NULL, 10) != getpid();
}

static bool is_known(const struct files *files, const struct stat *what)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->list[i].device == what->st_dev && files->list[i].inode == what->st_ino)
            return true;
    return false;
}

static bool refuse_process(int process, const char *pid, struct error *err)
{
    AUTO(close) int file = openat(process, "comm", O_RDONLY | O_CLOEXEC);
    char name[64];
    ssize_t got = file < 0 ? 0 : read(file, name, sizeof name);
    struct span comm = text_trim((struct span){name, got > 0 ? (size_t)got : 0});

    return error_set(err, ERROR_CONFLICT,
                     "process %s (%.*s) has files of this data dir open. Stop it first", pid,
                     (int)comm.length, comm.data ? comm.data : "");
}

/* A process that ends meanwhile, or that may not be looked at, says nothing: the locks do. */
static bool look_at_process(int proc, const char *pid, const struct files *files, struct error *err)
{
    AUTO(close) int process = dir_open(proc, pid);
    AUTO(close) int open_files = process < 0 ? -1 : dir_open(process, "fd");
    AUTO(words) struct words names = {0};
    struct error unread = {.message = ""};
    struct stat what;

    if (open_files < 0 || !dir_names(open_files, &names, &unread))
        return true;
    for (size_t i = 0; i < names.count; i++)
        if (fstatat(open_files, names.list[i], &what, 0) == 0 && is_known(files, &what))
            return refuse_process(process, pid, err);
    return true;
}

static bool look_at_processes(const struct files *files, struct error *err)
{
    AUTO(closedir) DIR *list = opendir("/proc");
    const struct dirent *entry;

    if (!list)
        return error_set(err, ERROR_INTERNAL, "/proc: %s", strerror(errno));
    while ((entry = readdir(list)))
        if (is_number(entry->d_name) && !look_at_process(dirfd(list), entry->d_name, files, err))
            return false;
    return true;
}

bool etcd_is_unused(int folder, struct error *err)
{
    static const char *const parts[] = {"snap", "wal"};
    AUTO(close) int member = dir_open(folder, "member");
    AUTO(free) struct files *files = text_alloc(sizeof *files);

    files->count = 0;
    if (member < 0)
        return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!look_at_folder(member, parts[i], files, err))
            return false;
    return files->count == 0 || look_at_processes(files, err);
}
