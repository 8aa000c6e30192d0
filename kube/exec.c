#include "kube/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/tree.h"
#include "kube/exec_info.h"

extern char **environ;

void exec_credential_done(struct exec_credential *credential)
{
    char *secrets[] = {credential->token, credential->cert, credential->key};

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        if (secrets[i])
            explicit_bzero(secrets[i], strlen(secrets[i]));
        free(secrets[i]);
    }
    *credential = (struct exec_credential){0};
}

/* The environment of the plugin: ours, then what the configuration sets, then what it is told. */
static char **environment(const struct kube_exec *exec, const char *info)
{
    size_t ours = 0, theirs = 0, count = 0;

    while (environ[ours])
        ours++;
    while (exec->variables && exec->variables[theirs])
        theirs++;

    char **all = text_alloc((ours + theirs + 2) * sizeof *all);

    /* the first of a name counts for getenv() */
    all[count++] = text_format("KUBERNETES_EXEC_INFO=%s", info);
    for (size_t i = 0; i < theirs; i++)
        all[count++] = text_format("%s", exec->variables[i]);
    for (size_t i = 0; i < ours; i++)
        if (!exec_variable_is_set(all, count, environ[i]))
            all[count++] = text_format("%s", environ[i]);
    return all;
}

static void auto_strings(char ***strings)
{
    for (char **s = *strings; s && *s; s++)
        free(*s);
    free(*strings);
}

/* A process group of its own, so that all of it can be ended; ^C from a terminal still reaches a
 * plugin that may ask, which therefore stays in ours. */
static int spawn(const struct kube_exec *exec, char **variables, bool interactive, int out,
                 pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;

    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (!interactive)
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                  (interactive ? 0 : POSIX_SPAWN_SETPGROUP)));

    int failed =
        posix_spawnp(pid, exec->command, &actions, &attributes, exec->arguments, variables);

    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* Reads to the end of what is printed. */
static bool collect(int from, int64_t until_ms, int cancel_fd, struct text *out, struct error *err)
{
    struct pollfd ready[] = {{.fd = from, .events = POLLIN}, {.fd = cancel_fd, .events = POLLIN}};
    char piece[4096];

    for (;;) {
        int64_t left_ms = until_ms - clock_mono_ms();

        if (left_ms <= 0)
            return error_set(err, ERROR_UNAUTHORIZED, "it took too long");
        if (poll(ready, 2, left_ms > 60000 ? 60000 : (int)left_ms) < 0 && errno != EINTR)
            return error_set(err, ERROR_INTERNAL, "poll: %s", strerror(errno));
        if (ready[1].revents)
            return error_set(err, ERROR_UNAVAILABLE, "stopped");
        if (!ready[0].revents)
            continue;

        ssize_t got = read(from, piece, sizeof piece);

        if (got == 0)
            return true;
        if (got < 0)
            return error_set(err, ERROR_INTERNAL, "read: %s", strerror(errno));
        if (out->length + (size_t)got > KUBE_EXEC_MAX_BYTES)
            return error_set(err, ERROR_UNAUTHORIZED, "it printed more than %u bytes",
                             KUBE_EXEC_MAX_BYTES);
        text_add(out, piece, (size_t)got);
        explicit_bzero(piece, sizeof piece);
    }
}

/* It closed its output, so it is about to end; a process that does not is ended. */
static int reap(pid_t pid, int64_t until_ms, bool kill_now, bool interactive)
{
    pid_t group = interactive ? pid : -pid;
    int status;

    while (!kill_now) {
        pid_t ended = waitpid(pid, &status, WNOHANG);

        if (ended == pid)
            return status;
        kill_now = (ended < 0 && errno != EINTR) || clock_mono_ms() >= until_ms;
        poll(NULL, 0, 2);
    }
    kill(group, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 0;
    return status;
}

static bool run(const struct kube_exec *exec, char **variables, bool interactive, int64_t until_ms,
                int cancel_fd, struct text *out, struct error *err)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(err, ERROR_INTERNAL, "pipe: %s", strerror(errno));

    int failed = spawn(exec, variables, interactive, ends[1], &pid);

    close(ends[1]);

    AUTO(close) int from = ends[0];

    if (failed)
        return error_set(err, ERROR_UNAUTHORIZED, "%s%s%s", strerror(failed),
                         exec->hint ? ". " : "", exec->hint ? exec->hint : "");

    bool collected = collect(from, until_ms, cancel_fd, out, err);
    int status = reap(pid, until_ms, !collected, interactive);

    if (!collected)
        return false;
    if (WIFSIGNALED(status))
        return error_set(err, ERROR_UNAUTHORIZED, "ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status))
        return error_set(err, ERROR_UNAUTHORIZED, "exit status %d", WEXITSTATUS(status));
    return true;
}

bool exec_credential(const struct kube_config *config, int64_t until_ms, int cancel_fd,
                     struct exec_credential *out, struct error *err)
{
    const struct kube_exec *exec = &config->exec;
    bool interactive = exec->interactive != KUBE_EXEC_NEVER && isatty(STDIN_FILENO);
    AUTO(secret_text) struct text printed = {0};

    if (exec->interactive == KUBE_EXEC_ALWAYS && !interactive)
        return error_set(err, ERROR_UNAUTHORIZED, "%s: has to ask on a terminal, and there is none",
                         exec->command);

    AUTO(free) char *info = exec_info(config, interactive);
    AUTO(strings) char **variables = environment(exec, info);
    bool fine = run(exec, variables, interactive, until_ms, cancel_fd, &printed, err) &&
                exec_credential_parse((struct span){text_get(&printed), printed.length},
                                      exec->version, out, err);

    if (fine)
        return true;
    err->code = ERROR_UNAUTHORIZED;
    return error_wrap(err, "%s", exec->command);
}
