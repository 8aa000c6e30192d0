#include "controllers/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/tree.h"
#include "controllers/leader.h"
#include "http/admin.h"
#include "kube/config.h"
#include "kube/events.h"
#include "kube/lease.h"

#define LEASE_NAME "granary-controller"
#define USER_AGENT "granary-controller/" GRANARY_VERSION

/* Questions who shows a token, a second and at once. They have a budget of their own, so that a
 * thousand agents that begin to work at the same time keep nothing else waiting. */
#define JUDGE_RATE 50
#define JUDGE_BURST 100

/* What is under way may go on so long after a signal. */
#define FINISH_MS 5000

/* For events that are not written yet, at the end. */
#define TELL_MS 1000

struct run {
    const struct controller_options *options;
    char *space;
    /* of their own, so that none waits */
    struct kube_client *client, *lease_client, *watcher, *judge;
    struct kube_lease *lease;
    struct leader *leader;
    struct admin *admin;
    struct status status;
    struct kube_events *events;
    struct settings_store *settings;
    struct event_source source; /* of events */
    json_t *self;               /* what they are about: the Deployment */
    char host[65];
    int signals, changed; /* readable: a signal came; the Lease is ours, or lost */
};

static const char *what_of(int signal)
{
    return signal == SIGTERM ? "SIGTERM" : "SIGINT";
}

static void end_at_once(int number)
{
    (void)number;
    _exit(CONTROLLER_CUT_SHORT);
}

/* From now on a signal is the second one. */
static void obey_at_once(void)
{
    struct sigaction action = {.sa_handler = end_at_once};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static bool read_config(const struct controller_options *options, struct kube_config *config,
                        struct error *err)
{
    if (options->kubeconfig)
        return kube_config_read(options->kubeconfig, options->context, config, err);
    return kube_config_in_cluster(config, err) ||
           error_wrap(err, "%s", "no --kubeconfig, and this is no pod");
}

static bool find_space(struct run *run, const struct kube_config *config, struct error *err)
{
    const char *space = run->options->space ? run->options->space : config->space;

    if (!space)
        return error_set(err, ERROR_INVALID, "--namespace is needed: the configuration names none");
    run->space = text_dup(space, strlen(space));
    return true;
}

/* In the thread of the Lease. */
static void lease_changed(enum kube_lease_state state, void *context)
{
    const struct run *run = context;

    (void)state;
    eventfd_write(run->changed, 1);
}

/* Times keep their proportions: 15 s, 10 s, 2 s, 4 s. */
static struct election_rules rules_of(int64_t lease_ms)
{
    return (struct election_rules){
        .duration_ms = lease_ms,
        .leads_ms = lease_ms * 10 / 15,
        .retry_ms = lease_ms * 2 / 15,
        .answer_ms = lease_ms * 4 / 15,
    };
}

static bool stand(struct run *run, struct error *err)
{
    struct kube_lease_options options = {
        .space = run->space,
        .name = LEASE_NAME,
        .identity = run->host,
        .rules = rules_of(run->options->lease_ms),
        .changed = lease_changed,
        .context = run,
    };

    if (gethostname(run->host, sizeof run->host - 1) != 0 || !*run->host)
        return error_set(err, ERROR_INTERNAL, "this machine has no name");
    run->lease = kube_lease_start(run->lease_client, &options, err);
    return run->lease != NULL;
}

/* Those who lead write them; they are about the Deployment that we belong to. */
static bool start_events(struct run *run, struct error *err)
{
    json_t *metadata = json_object();

    tree_put_text(metadata, "namespace", run->space);
    tree_put_text(metadata, "name", "granary-controller");
    run->self = json_object();
    tree_put_text(run->self, "apiVersion", "apps/v1");
    tree_put_text(run->self, "kind", "Deployment");
    tree_put_new(run->self, "metadata", metadata);
    run->source = (struct event_source){"granary.dev/controller", run->host};
    run->events = kube_events_start(run->client, &run->source, err);
    return run->events != NULL;
}

/* The Lease first: what the other client writes is fenced by it. */
static bool start_clients(struct run *run, struct error *err)
{
    AUTO(kube_config) struct kube_config config = {0};
    struct kube_client_limits limits = {.user_agent = USER_AGENT};

    if (!read_config(run->options, &config, err) || !find_space(run, &config, err))
        return false;
    run->lease_client = kube_client_start(&config, &limits, err);
    if (!run->lease_client || !stand(run, err))
        return false;
    run->watcher = kube_client_start(&config, &limits, err);
    limits.fence = kube_lease_fence(run->lease);
    limits.reads = KUBE_READS;
    run->client = kube_client_start(&config, &limits, err);
    limits.reads = 0;
    limits.rate = JUDGE_RATE;
    limits.burst = JUDGE_BURST;
    run->judge = kube_client_start(&config, &limits, err);
    return run->watcher && run->client && run->judge && start_events(run, err);
}

/* The admin address. */

static void bring_up_to_date(struct run *run)
{
    struct kube_client_facts api = kube_client_look(run->client);
    const struct kube_client_facts others[] = {kube_client_look(run->lease_client),
                                               kube_client_look(run->watcher),
                                               kube_client_look(run->judge)};
    struct event_facts events = kube_events_look(run->events);
    bool stuck = kube_lease_look(run->lease).stuck;
    struct status_facts *facts = status_open(&run->status);

    facts->lease_stuck = stuck;
    facts->api = api;
    facts->heap = heap_look();
    facts->events_lost = events.dropped + events.failed;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        facts->api.calls += others[i].calls;
        facts->api.failures += others[i].failures;
        facts->api.repeated += others[i].repeated;
        if (others[i].last_answer_s > facts->api.last_answer_s)
            facts->api.last_answer_s = others[i].last_answer_s;
    }
    status_close(&run->status);
}

static struct status_facts look(struct run *run)
{
    bring_up_to_date(run);
    return status_look(&run->status);
}

static unsigned livez(void *context, struct text *body)
{
    struct status_facts facts = look(context);
    bool alive = status_alive(&facts, clock_mono_ms(), body);

    return alive ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned readyz(void *context, struct text *body)
{
    struct status_facts facts = look(context);
    bool ready = status_ready(&facts, clock_now_s(), body);

    text_puts(body, ready ? "ready\n" : "not ready\n");
    return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned metrics(void *context, struct text *body)
{
    struct run *run = context;
    struct status_facts facts = look(run);

    status_metrics(&facts, body);
    status_show(&run->status, body);
    return MHD_HTTP_OK;
}

static const struct http_route routes[] = {
    {"/livez", HTTP_TYPE_TEXT, livez},
    {"/readyz", HTTP_TYPE_TEXT, readyz},
    {"/metrics", HTTP_TYPE_METRICS, metrics},
    {0},
};

/* Leading. */

static bool may_write(void *context)
{
    const struct run *run = context;

    return kube_lease_left_ms(run->lease) > 0;
}

static void tell(void *context, bool warning, const char *reason, const char *note)
{
    struct run *run = context;

    struct kube_event event = {
        .warning = warning, .reason = reason, .action = "Reconcile", .note = note};

    kube_events_note(run->events, run->self, &event);
}

static void set_leader(struct run *run, bool leads)
{
    struct status_facts *facts = status_open(&run->status);

    facts->leader = leads;
    if (!leads) {
        facts->work_ms = 0;
        facts->synced = false;
        facts->loop_count = 0;
    }
    status_close(&run->status);
}

static bool begin_to_lead(struct run *run, struct error *err)
{
    struct leader_plan plan = {
        .client = run->client,
        .watcher = run->watcher,
        .judge = run->judge,
        .options = run->options,
        .space = run->space,
        .status = &run->status,
        .settings = run->settings,
        .events = run->events,
        .may_write = may_write,
        .tell = tell,
        .context = run,
    };

    set_leader(run, true);
    run->leader = leader_start(&plan, err);
    return run->leader != NULL;
}

static int read_signal(struct run *run)
{
    struct signalfd_siginfo info;

    return read(run->signals, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

static void cancel_calls(const struct run *run)
{
    kube_client_cancel(run->client);
    kube_client_cancel(run->judge);
}

/* What is under way is finished, or given up after a while; then nothing writes any more. */
static void stop_work(struct run *run, int64_t finish_ms)
{
    if (!leader_finish(run->leader, finish_ms))
        cancel_calls(run);
    leader_stop(TAKE(run->leader));
    set_leader(run, false);
}

/* What a change of the Lease leads to. True: the end, with a code. */
static bool heed_lease(struct run *run, enum controller_exit *code, struct error *err)
{
    struct kube_lease_facts lease = kube_lease_look(run->lease);

    if (lease.state == KUBE_LEASE_LOST) {
        stop_work(run, 0);
        *code = CONTROLLER_LOST;
        return true;
    }
    if (lease.state == KUBE_LEASE_LEADS && !run->leader && !begin_to_lead(run, err)) {
        *code = CONTROLLER_CANNOT;
        return true;
    }
    return false;
}

static enum controller_exit obey(struct run *run, int signal)
{
    obey_at_once();
    log_info("ending", LOG_S("signal", what_of(signal)));
    status_open(&run->status)->leaving = true;
    status_close(&run->status);
    stop_work(run, FINISH_MS);
    /* who looks at the Lease, or is fenced by it, goes first */
    admin_stop(TAKE(run->admin));
    kube_events_stop(TAKE(run->events), TELL_MS);
    kube_client_stop(TAKE(run->judge));
    kube_client_stop(TAKE(run->client));
    if (kube_lease_stop(TAKE(run->lease)))
        return CONTROLLER_FINE;
    log_warn("the lease was not given back: it has to expire", LOG_S("lease", LEASE_NAME));
    return CONTROLLER_CUT_SHORT;
}

static enum controller_exit live(struct run *run, struct error *err)
{
    struct pollfd ready[] = {{run->signals, POLLIN, 0}, {run->changed, POLLIN, 0}};
    enum controller_exit code;
    eventfd_t count;
    int signal;

    while ((signal = read_signal(run)) == 0) {
        if (heed_lease(run, &code, err))
            return code;
        poll(ready, sizeof ready / sizeof *ready, -1);
        eventfd_read(run->changed, &count);
    }
    return obey(run, signal);
}

/* The admin address first: it looks at all the others. */
static void done(struct run *run)
{
    admin_stop(run->admin);
    leader_stop(run->leader);
    kube_events_stop(run->events, 0);
    json_decref(run->self);
    kube_client_stop(run->judge);
    kube_client_stop(run->client);
    (void)kube_lease_stop(run->lease);
    kube_client_stop(run->watcher);
    kube_client_stop(run->lease_client);
    settings_store_free(run->settings);
    free(run->space);
    if (run->signals >= 0)
        close(run->signals);
    if (run->changed >= 0)
        close(run->changed);
}

static bool start(struct run *run, struct error *err)
{
    struct address address = run->options->admin_listen;

    run->signals = signals_catch((const int[]){SIGTERM, SIGINT, 0});
    run->changed = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (run->signals < 0 || run->changed < 0)
        return error_set(err, ERROR_INTERNAL, "no signals can be taken: %s", strerror(errno));
    run->settings = settings_store_make(run->options->settings, false, err);
    if (!run->settings || !start_clients(run, err))
        return false;
    run->admin = admin_start(&address, routes, run, err);
    return run->admin != NULL;
}

enum controller_exit controller_run(const struct controller_options *options, struct error *err)
{
    struct run run = {
        .options = options,
        .signals = -1,
        .changed = -1,
        .status = STATUS_INITIALIZER,
    };
    enum controller_exit code = start(&run, err) ? live(&run, err) : CONTROLLER_CANNOT;

    done(&run);
    return code;
}
