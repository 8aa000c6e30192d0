#include "agent/run.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/agent.h"
#include "api/host.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/wait.h"

/* Milliseconds from a signal until we are gone: restic gets a chance to take its lock away (a pod
 * has 30 s); without it, only a name server that does not answer could hold us. */
#define END_MS 25000
#define END_IDLE_MS 500

/* True unless the session names its hosts and this pod is surely none of them. */
static bool is_covered(const struct agent_options *options, const char *pod, const char *node)
{
    AUTO(text) struct text host = {0};
    struct host_of where = {options->target_kind, options->alias, pod, node};

    if (options->host_count == 0 || !host_name(&host, &where))
        return true;
    for (size_t i = 0; i < options->host_count; i++)
        if (strcmp(options->hosts[i], text_get(&host)) == 0)
            return true;
    return false;
}

const char *agent_must_wait(const struct agent_options *options, const char *pod, const char *node)
{
    if (options->session && is_covered(options, pod, node))
        return "a restore is asked, and only the agent API knows how far it is";
    if (options->restore_if_exists)
        return "only the agent API knows whether there is a backup";
    return NULL;
}

void agent_say(struct agent *agent, const char *message, const char *reason)
{
    if (strcmp(agent->said, reason) == 0)
        return;
    snprintf(agent->said, sizeof agent->said, "%s", reason);
    log_warn(message, LOG_S("reason", reason));
}

/* The name of the signal that ends us, or NULL. */
static const char *heed_signals(int signals, struct children *children)
{
    struct signalfd_siginfo got;
    const char *end = NULL;

    while (read(signals, &got, sizeof got) == (ssize_t)sizeof got) {
        if (got.ssi_signo == SIGCHLD)
            children_reap(children);
        else
            end = got.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT";
    }
    return end;
}

/* The thread that works: what it needs and what it says when it is over. */
struct worker {
    struct agent agent;
    struct children children;
    int done_fd;
    enum agent_exit result;
};

static void *work(void *context)
{
    static enum agent_exit (*const modes[])(struct agent *) = {
        [AGENT_SIDECAR] = agent_sidecar,   [AGENT_INIT] = agent_init,
        [AGENT_STEP] = agent_step,         [AGENT_TRIGGER] = agent_trigger,
        [AGENT_MAINTAIN] = agent_maintain, [AGENT_UPDATE] = agent_update_status};
    struct worker *worker = context;
    const struct agent_options *options = worker->agent.options;

    if (options->mode != AGENT_MAINTAIN)
        worker->agent.client = agent_make(options->identity, worker->agent.stop_fd);
    worker->result = modes[options->mode](&worker->agent);
    agent_free(worker->agent.client);
    wait_raise(worker->done_fd);
    return NULL;
}

static void draw_instance(char instance[INSTANCE_BYTES])
{
    unsigned char bytes[(INSTANCE_BYTES - 1) / 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort();
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(instance + 2 * i, 3, "%02x", bytes[i]);
}

static bool has_child(struct children *children)
{
    pthread_mutex_lock(&children->mutex);

    bool has = children->own > 0;

    pthread_mutex_unlock(&children->mutex);
    return has;
}

/* Until the worker is done, or would hold us too long. True when it is done. */
static bool wait_for_the_end(struct worker *worker, int signals)
{
    struct pollfd waits[] = {{signals, POLLIN, 0}, {worker->done_fd, POLLIN, 0}};
    int64_t asked_ms = 0;

    for (;;) {
        int64_t left_ms = 60000;

        if (asked_ms > 0)
            left_ms =
                asked_ms + (has_child(&worker->children) ? END_MS : END_IDLE_MS) - clock_mono_ms();
        if (left_ms <= 0)
            return false;
        if (poll(waits, 2, (int)left_ms) <= 0)
            continue;
        if (waits[1].revents)
            return true;

        const char *by = heed_signals(signals, &worker->children);

        if (by && asked_ms == 0) {
            asked_ms = clock_mono_ms();
            log_info("told to end", LOG_S("by", by));
            wait_raise(worker->agent.stop_fd);
        }
    }
}

static enum agent_exit run(struct worker *worker, int signals)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, work, worker) != 0) {
        log_error("no threads left");
        return AGENT_CANNOT;
    }
    if (!wait_for_the_end(worker, signals)) {
        log_warn("ended without waiting for what was under way");
        if (has_child(&worker->children))
            kill(-worker->children.own, SIGKILL);
        _exit(worker->agent.options->mode == AGENT_SIDECAR ? AGENT_FINE : AGENT_ENDED);
    }
    pthread_join(thread, NULL);
    return worker->result;
}

enum agent_exit agent_run(const struct agent_options *options)
{
    const char *reason = options->mode == AGENT_INIT
                             ? agent_must_wait(options, getenv(ENV_POD_NAME), getenv(ENV_NODE_NAME))
                             : NULL;
    AUTO(close) int signals = signals_catch((const int[]){SIGTERM, SIGINT, SIGCHLD, 0});
    AUTO(close) int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    AUTO(close) int done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct worker worker = {.children = {.mutex = PTHREAD_MUTEX_INITIALIZER}, .done_fd = done};

    if (signals < 0 || stop < 0 || done < 0) {
        log_error("no descriptors left");
        return AGENT_CANNOT;
    }
    if (options->mode == AGENT_INIT && !reason) {
        log_info("no restore is asked of this pod, the application may start");
        return AGENT_FINE;
    }
    /* tokens and keys are nobody else's to read */
    prctl(PR_SET_DUMPABLE, 0);
    if (reason)
        log_warn("the application does not start yet", LOG_S("reason", reason),
                 LOG_S("session", options->session ? options->session : ""),
                 LOG_S("namespace", options->session ? options->session_namespace : ""));
    worker.agent =
        (struct agent){.options = options, .stop_fd = stop, .children = &worker.children};
    draw_instance(worker.agent.instance);
    return run(&worker, signals);
}
