#include "webhook/server.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/signals.h"
#include "base/text.h"
#include "webhook/listener.h"
#include "webhook/secret.h"

/* Milliseconds between two looks at deadlines: the precision of every time that a user sets. */
#define TICK_MS 100

struct server {
    const struct options *options;
    struct service service;
    struct listener admission, admin;
    int signals;
    int64_t told_ms, delay_ms; /* the first signal; 0: none yet */
    int64_t watch_ms, look_ms; /* when deadlines, and files, are looked at again */
    bool hurried;              /* there was a second signal */
};

enum drain drain_next(int64_t since_ms, int64_t delay_ms, int64_t timeout_ms, size_t open)
{
    if (since_ms < 0)
        return DRAIN_NOT;
    if (since_ms >= timeout_ms)
        return DRAIN_OVER;
    if (since_ms < delay_ms)
        return DRAIN_LEAVING;
    return open > 0 ? DRAIN_CLOSING : DRAIN_OVER;
}

static size_t cores(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static void say_taken(const struct certs_facts *facts)
{
    char until[CLOCK_TEXT_BYTES];

    clock_format(facts->not_after_s * 1000, until);
    log_info("certificate taken", LOG_S("name", facts->name), LOG_S("serial", facts->serial),
             LOG_S("key", facts->algorithm), LOG_S("expires", until));
    if (strncmp(facts->algorithm, "RSA", 3) == 0)
        log_warn("the certificate has an RSA key: handshakes are cheaper with ECDSA P-256",
                 LOG_S("key", facts->algorithm));
}

static void look_at_certificates(struct server *server, int64_t now_ms)
{
    struct certs_store *store = server->service.certs;
    struct error err;

    server->look_ms = now_ms + CERTS_LOOK_MS;
    switch (certs_store_look(store, clock_now_s(), now_ms, &err)) {
    case CERTS_SAME:
        return;
    case CERTS_REFUSED: {
        AUTO(credentials) struct credentials *old = certs_store_get(store);

        metrics_add(&server->service.metrics, METRIC_CERT_ERRORS, 1);
        log_error("certificate refused", LOG_S("error", err.message),
                  LOG_S("in-use", old ? "the last good one" : "none"));
        return;
    }
    case CERTS_TAKEN: {
        AUTO(credentials) struct credentials *now = certs_store_get(store);

        metrics_add(&server->service.metrics, METRIC_CERT_RELOADS, 1);
        say_taken(credentials_facts(now));
    }
    }
}

static void look_at_settings(struct server *server)
{
    const struct options *options = server->options;
    struct settings_store *store = server->service.settings;
    struct error err;

    switch (settings_store_look(store, &err)) {
    case SETTINGS_SAME:
        return;
    case SETTINGS_REFUSED:
        log_error("settings refused", LOG_S("error", err.message),
                  LOG_S("in-use", "the last good ones"));
        return;
    case SETTINGS_TAKEN: {
        AUTO(settings_held) const struct settings *settings = settings_store_get(store);

        if (!options->log_level_given)
            log_set_level(settings->log_level);
        log_info("settings taken", LOG_S("settings", options->settings));
    }
    }
}

static void look_at_files(struct server *server, int64_t now_ms)
{
    look_at_certificates(server, now_ms);
    look_at_settings(server);
}

/* In the informer's thread. What is given is judged, as files would be, by the next look. */
static void secret_changed(void *context, const json_t *secret)
{
    struct server *server = context;
    struct error err;

    if (!secret) {
        log_warn("the certificate's Secret is gone", LOG_S("in-use", "the last good one"));
        return;
    }
    if (secret_give(secret, server->service.certs, &err))
        return;
    metrics_add(&server->service.metrics, METRIC_CERT_ERRORS, 1);
    log_error("certificate refused", LOG_S("error", err.message),
              LOG_S("in-use", "the last good one"));
}

static void obey(struct server *server, int signal, int64_t now_ms)
{
    if (signal == SIGHUP) {
        look_at_files(server, now_ms);
        return;
    }
    if (server->told_ms) {
        server->hurried = true;
        return;
    }
    server->told_ms = now_ms;
    server->delay_ms = signal == SIGTERM ? server->options->drain_delay_ms : 0;
    atomic_store(&server->service.leaving, true);
    log_info("shutting down", LOG_S("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"),
             LOG_N("connections", (int64_t)listener_count(&server->admission)));
}

static void read_signals(struct server *server, int64_t now_ms)
{
    struct signalfd_siginfo info;

    while (read(server->signals, &info, sizeof info) == sizeof info)
        obey(server, (int)info.ssi_signo, now_ms);
}

static bool start(struct server *server, const struct options *options, struct error *err)
{
    struct connection_times admin_times = options->times;
    struct listener_plan admission = {
        WORKER_ADMISSION,
        options->listen,
        options->times,
        connections_possible((size_t)options->connections_max),
        options->workers ? (size_t)options->workers : cores(),
    };
    struct listener_plan admin = {WORKER_ADMIN, options->admin_listen, admin_times,
                                  ADMIN_CONNECTIONS_MAX, 1};

    return listener_start(&server->admin, &admin, &server->service, err) &&
           listener_start(&server->admission, &admission, &server->service, err);
}

/* Accepting, deadlines, certificates, settings: all that is not an answer happens here, in one
 * thread. */
static void turn(struct server *server)
{
    struct pollfd ready[] = {
        {server->signals, POLLIN, 0},
        {listener_waits_on(&server->admission), POLLIN, 0},
        {listener_waits_on(&server->admin), POLLIN, 0},
    };
    int count = poll(ready, sizeof ready / sizeof *ready, TICK_MS);
    int64_t now_ms = clock_mono_ms();

    if (now_ms >= server->watch_ms) {
        server->watch_ms = now_ms + TICK_MS;
        listener_watch(&server->admission, now_ms);
        listener_watch(&server->admin, now_ms);
    }
    if (now_ms >= server->look_ms) {
        look_at_files(server, now_ms);
        state_watch(server->service.state, now_ms);
    }
    if (count <= 0)
        return;
    read_signals(server, now_ms);
    if (ready[1].revents)
        listener_accept(&server->admission);
    if (ready[2].revents)
        listener_accept(&server->admin);
}

static void serve(struct server *server)
{
    enum drain drain = DRAIN_NOT;

    while (drain != DRAIN_OVER && !server->hurried) {
        turn(server);
        drain =
            drain_next(server->told_ms ? clock_mono_ms() - server->told_ms : -1, server->delay_ms,
                       server->options->drain_timeout_ms, listener_count(&server->admission));
        if (drain >= DRAIN_CLOSING)
            listener_close(&server->admission);
    }
}

static enum exit_code end(struct server *server)
{
    int64_t lost = metrics_get(&server->service.metrics, METRIC_IN_FLIGHT);

    if (lost > 0)
        log_warn("ended before every request was answered", LOG_N("requests", lost));
    else
        log_info("ended");
    return lost > 0 || server->hurried ? EXIT_CUT_SHORT : EXIT_FINE;
}

static void release(struct server *server)
{
    listener_stop(&server->admission);
    listener_stop(&server->admin);
    state_stop(server->service.state);
    certs_store_free(server->service.certs);
    close(server->signals);
    free(server);
}

static struct server *make(const struct options *options, struct settings_store *settings)
{
    struct certs_files files = {options->tls_cert, options->tls_key, options->client_ca};
    struct server *server = text_alloc(sizeof *server);

    *server = (struct server){
        .options = options,
        .service = {.settings = settings,
                    .certs = certs_store_make(&files),
                    .body_max = options->body_max,
                    .body_budget = options->body_budget},
        .admission.fd = -1,
        .admin.fd = -1,
        .signals = signals_catch((const int[]){SIGTERM, SIGINT, SIGHUP, 0}),
    };
    return server;
}

static bool read_config(const struct options *options, struct kube_config *config,
                        struct error *err)
{
    if (options->catalog)
        return true;
    if (options->kubeconfig)
        return kube_config_read(options->kubeconfig, options->context, config, err);
    return kube_config_in_cluster(config, err) ||
           error_wrap(err, "neither --catalog nor --kubeconfig, and not in a pod");
}

static bool know(struct server *server, struct error *err)
{
    const struct options *options = server->options;
    AUTO(kube_config) struct kube_config config = {0};

    if (!read_config(options, &config, err))
        return false;
    if (config.server)
        log_info("following a cluster", LOG_S("server", config.server));

    const struct state_source source = {
        .catalog = options->catalog,
        .config = &config,
        .secret = &options->tls_secret,
        .secret_changed = secret_changed,
        .context = server,
    };

    server->service.state = state_start(&source, err);
    look_at_certificates(server, clock_mono_ms());
    return server->service.state;
}

enum exit_code server_run(const struct options *options, struct settings_store *settings,
                          struct error *err)
{
    struct server *server = make(options, settings);
    enum exit_code code = EXIT_CANNOT;

    if (know(server, err) && start(server, options, err)) {
        serve(server);
        code = end(server);
    }
    release(server);
    return code;
}
