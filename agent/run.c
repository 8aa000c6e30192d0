#include "agent/run.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "agent/identity.h"
#include "api/host.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/signals.h"

/* Milliseconds between two looks at the identity: until it is good, and afterwards. */
#define LOOK_OFTEN_MS 2000
#define LOOK_SELDOM_MS 30000

/* What was said last, so that it is said once. */
struct said {
    bool anything;
    enum identity_state state;
    char problem[sizeof((struct error *)0)->message];
    struct identity_addresses addresses;
};

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

static void say(struct said *said, enum identity_state state,
                const struct identity_addresses *addresses, const struct error *err)
{
    bool same =
        said->anything && said->state == state &&
        (state == IDENTITY_GOOD ? memcmp(&said->addresses, addresses, sizeof *addresses) == 0
                                : strcmp(said->problem, err->message) == 0);

    if (same)
        return;
    said->anything = true;
    said->state = state;
    if (state == IDENTITY_GOOD) {
        said->addresses = *addresses;
        log_info("identity is there", LOG_S("address", addresses->list[0]),
                 LOG_N("addresses", (int64_t)addresses->count));
        return;
    }
    memcpy(said->problem, err->message, sizeof said->problem);
    log_event(state == IDENTITY_BAD ? LOG_WARN : LOG_INFO, "waiting for the identity",
              LOG_S("reason", err->message));
}

static int look(const char *folder, struct said *said)
{
    struct identity_addresses addresses = {.count = 0};
    struct error err = {.message = ""};
    enum identity_state state = identity_look(folder, &addresses, &err);

    say(said, state, &addresses, &err);
    return state == IDENTITY_GOOD ? LOOK_SELDOM_MS : LOOK_OFTEN_MS;
}

static void reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

/* The name of the signal that ends us, or NULL. */
static const char *heed_signals(int signals)
{
    struct signalfd_siginfo got;
    const char *end = NULL;

    while (read(signals, &got, sizeof got) == (ssize_t)sizeof got) {
        if (got.ssi_signo == SIGCHLD)
            reap();
        else
            end = got.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT";
    }
    return end;
}

static const char *wait_for_the_end(int signals, const char *folder)
{
    struct said said = {.anything = false};
    struct pollfd waits = {signals, POLLIN, 0};
    const char *end = NULL;

    while (!end) {
        if (poll(&waits, 1, look(folder, &said)) > 0)
            end = heed_signals(signals);
    }
    return end;
}

enum agent_exit agent_run(const struct agent_options *options)
{
    AUTO(close) int signals = signals_catch((const int[]){SIGTERM, SIGINT, SIGCHLD, 0});
    const char *reason = options->mode == AGENT_INIT
                             ? agent_must_wait(options, getenv(ENV_POD_NAME), getenv(ENV_NODE_NAME))
                             : NULL;

    if (signals < 0) {
        log_error("no signals can be taken");
        return AGENT_CANNOT;
    }
    if (options->mode == AGENT_INIT && !reason) {
        log_info("no restore is asked of this pod, the application may start");
        return AGENT_FINE;
    }
    if (reason)
        log_warn("the application does not start yet", LOG_S("reason", reason),
                 LOG_S("session", options->session ? options->session : ""),
                 LOG_S("namespace", options->session ? options->session_namespace : ""));
    log_info("ended", LOG_S("by", wait_for_the_end(signals, options->identity)));
    return options->mode == AGENT_INIT ? AGENT_ENDED : AGENT_FINE;
}
