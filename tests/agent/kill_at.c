/*
 * Preloaded into a program: counts its calls that change files, and kills it before the one of
 * number KILL_AT. At a normal end the count is written to the file KILL_COUNT. Calls for standard
 * output and error do not count.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static unsigned long calls;
static pid_t us;

__attribute__((constructor)) static void begin(void)
{
    us = getpid();
}

/* A child that is not yet another program does not count. */
static void count(void)
{
    const char *at = getenv("KILL_AT");

    if (getpid() == us && ++calls == (at ? strtoul(at, NULL, 10) : 0))
        kill(getpid(), SIGKILL);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("KILL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;

    if (file) {
        fprintf(file, "%lu", calls);
        fclose(file);
    }
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int openat(int folder, const char *path, int flags, ...)
{
    va_list rest;
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
        count();
    }
    return NEXT(openat)(folder, path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (fd > STDERR_FILENO)
        count();
    return NEXT(write)(fd, data, size);
}

int fsync(int fd)
{
    count();
    return NEXT(fsync)(fd);
}

int mkdir(const char *path, mode_t mode)
{
    count();
    return NEXT(mkdir)(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
    count();
    return NEXT(mkdirat)(folder, path, mode);
}

int unlinkat(int folder, const char *path, int flags)
{
    count();
    return NEXT(unlinkat)(folder, path, flags);
}

int renameat(int from, const char *old, int to, const char *new)
{
    count();
    return NEXT(renameat)(from, old, to, new);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    count();
    return NEXT(renameat2)(from, old, to, new, flags);
}

int fchown(int fd, uid_t user, gid_t group)
{
    count();
    return NEXT(fchown)(fd, user, group);
}

int fchmodat(int folder, const char *path, mode_t mode, int flags)
{
    count();
    return NEXT(fchmodat)(folder, path, mode, flags);
}

pid_t fork(void)
{
    count();
    return NEXT(fork)();
}
