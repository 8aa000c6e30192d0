#include "agent/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"

/* linux/ioprio.h */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_SHIFT 13

/* An out-of-memory kill takes the child rather than us, where the kernel may choose. */
#define OOM_SCORE "1000"

void children_reap(struct children *children)
{
    siginfo_t info = {.si_pid = 0};

    pthread_mutex_lock(&children->mutex);
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid &&
           info.si_pid != children->own) {
        waitpid(info.si_pid, NULL, WNOHANG);
        info.si_pid = 0;
    }
    pthread_mutex_unlock(&children->mutex);
}

/* From here to execve(): the child, with what is safe between the two only. */

static void be_modest(const struct child_spec *spec)
{
    int fd;

    /* or the file would be root's; execve(2) does the same */
    prctl(PR_SET_DUMPABLE, 1);
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    /* all of these are wishes: what is not granted changes no result */
    if (fd >= 0) {
        (void)!write(fd, OOM_SCORE, sizeof OOM_SCORE - 1);
        close(fd);
    }
    if (spec->nice)
        (void)setpriority(PRIO_PROCESS, 0, spec->nice);
    if (spec->io_class > 0)
        (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                      spec->io_class << IOPRIO_CLASS_SHIFT | spec->io_level);
}

static bool place(int from, int to)
{
    if (from != to)
        return dup2(from, to) >= 0;
    return fcntl(to, F_SETFD, 0) >= 0;
}

/* Files go up high first, so that none is overwritten before it is in its place. */
static bool place_all(const struct child_spec *spec, int out, int err)
{
    int high = CHILD_FILE_FIRST + (int)spec->file_count;
    int in = spec->input >= 0 ? fcntl(spec->input, F_DUPFD_CLOEXEC, high)
                              : open("/dev/null", O_RDONLY | O_CLOEXEC);

    out = fcntl(out, F_DUPFD_CLOEXEC, high);
    err = fcntl(err, F_DUPFD_CLOEXEC, high);
    for (size_t i = 0; i < spec->file_count; i++) {
        int moved = fcntl(spec->files[i], F_DUPFD_CLOEXEC, high);

        if (moved < 0 || !place(moved, CHILD_FILE_FIRST + (int)i))
            return false;
    }
    return in >= 0 && out >= 0 && err >= 0 && place(in, STDIN_FILENO) &&
           place(out, STDOUT_FILENO) && place(err, STDERR_FILENO);
}

static _Noreturn void become(const struct child_spec *spec, int out, int err, int failed)
{
    sigset_t none;
    int why;

    failed = fcntl(failed, F_DUPFD_CLOEXEC, CHILD_FILE_FIRST + (int)spec->file_count);
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    be_modest(spec);
    if (place_all(spec, out, err))
        execve(spec->program, (char *const *)spec->argv, (char *const *)spec->environment);
    why = errno;
    (void)!write(failed, &why, sizeof why);
    _exit(127);
}

static pid_t start(struct children *children, const struct child_spec *spec, const int *ends)
{
    pthread_mutex_lock(&children->mutex);

    pid_t pid = fork();

    if (pid == 0)
        become(spec, ends[1], ends[3], ends[5]);
    if (pid > 0)
        children->own = pid;
    pthread_mutex_unlock(&children->mutex);
    return pid;
}

static void forget(struct children *children)
{
    pthread_mutex_lock(&children->mutex);
    children->own = 0;
    pthread_mutex_unlock(&children->mutex);
    /* those that ended behind it may wait since then */
    children_reap(children);
}

static bool open_pipes(int *ends, struct error *err)
{
    for (size_t i = 0; i < 3; i++)
        if (pipe2(ends + 2 * i, O_CLOEXEC) < 0)
            return error_set(err, ERROR_INTERNAL, "pipe: %s", strerror(errno));
    return true;
}

static void close_all(const int *ends, size_t first, size_t step)
{
    for (size_t i = first; i < 6; i += step)
        if (ends[i] >= 0)
            close(ends[i]);
}

bool child_start(struct children *children, const struct child_spec *spec, struct child *child,
                 struct error *err)
{
    int ends[6] = {-1, -1, -1, -1, -1, -1}, why = 0;
    bool piped = open_pipes(ends, err);
    pid_t pid = piped ? start(children, spec, ends) : -1;

    close_all(ends, 1, 2);
    if (pid < 0) {
        close_all(ends, 0, 2);
        return piped ? error_set(err, ERROR_INTERNAL, "fork: %s", strerror(errno)) : false;
    }
    setpgid(pid, pid);
    if (read(ends[4], &why, sizeof why) == (ssize_t)sizeof why) {
        close_all(ends, 0, 2);
        waitpid(pid, NULL, 0);
        forget(children);
        return error_set(err, ERROR_INTERNAL, "%s: %s", spec->program, strerror(why));
    }
    close(ends[4]);
    *child = (struct child){pid, pidfd_open(pid, 0), ends[0], ends[2]};
    fcntl(child->out, F_SETFL, O_NONBLOCK);
    fcntl(child->err, F_SETFL, O_NONBLOCK);
    return true;
}

void child_signal(const struct child *child, int number)
{
    kill(-child->pid, number);
}

bool child_has_ended(const struct child *child)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == child->pid;
}

int child_end(struct children *children, struct child *child)
{
    int status = 0;

    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    child_signal(child, SIGKILL);
    for (size_t i = 0; i < 3; i++) {
        int fd = i == 0 ? child->ended_fd : i == 1 ? child->out : child->err;

        if (fd >= 0)
            close(fd);
    }
    forget(children);
    return status;
}
