#include "controllers/status.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "http/routes.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define PREFIX "granary_controller_"

struct status_facts *status_open(struct status *status)
{
    pthread_mutex_lock(&status->mutex);
    return &status->facts;
}

void status_close(struct status *status)
{
    pthread_mutex_unlock(&status->mutex);
}

void status_attend(struct status *status, void (*show)(void *context, struct text *text),
                   void *context)
{
    pthread_mutex_lock(&status->showing);
    status->show = show;
    status->context = context;
    pthread_mutex_unlock(&status->showing);
}

void status_show(struct status *status, struct text *text)
{
    pthread_mutex_lock(&status->showing);
    if (status->show)
        status->show(status->context, text);
    pthread_mutex_unlock(&status->showing);
}

struct status_facts status_look(struct status *status)
{
    struct status_facts facts = *status_open(status);

    status_close(status);
    return facts;
}

bool status_ready(const struct status_facts *facts, int64_t now_s, struct text *text)
{
    bool answers = http_check(text, "api-server",
                              facts->api.last_answer_s != 0 &&
                                  now_s - facts->api.last_answer_s <= STATUS_SILENCE_S,
                              "it has not answered for a minute");
    bool stays = http_check(text, "shutdown", !facts->leaving, "under way");

    if (text)
        text_puts(text, facts->leader ? "[+]role: leader\n" : "[+]role: waiting\n");
    return answers && stays;
}

bool status_alive(const struct status_facts *facts, int64_t mono_ms, struct text *text)
{
    bool works = facts->work_ms == 0 || mono_ms - facts->work_ms <= STATUS_STUCK_MS;
    bool renews = http_check(text, "lease", !facts->lease_stuck, "not renewed for far too long");

    return http_check(text, "worker", works, "hangs") && renews;
}

/* One figure, or one of several that differ by a label. */
static void figure(struct text *text, const char *name, const char *labels, int64_t value)
{
    text_addf(text, PREFIX "%s%s %lld\n", name, labels, (long long)value);
}

static void head(struct text *text, const char *name, const char *type, const char *help)
{
    text_addf(text, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void format_steps(const struct status_facts *facts, struct text *text)
{
    static const char *const steps[STATUS_STEPS] = {
        [ROTATION_ADOPT] = "{step=\"adopt\"}",
        [ROTATION_MAKE_NEXT] = "{step=\"make-next\"}",
        [ROTATION_PUBLISH] = "{step=\"publish\"}",
        [ROTATION_SWITCH] = "{step=\"switch\"}",
        [ROTATION_DROP_NEXT] = "{step=\"drop-next\"}",
        [ROTATION_MAKE_LEAF] = "{step=\"make-leaf\"}",
        [ROTATION_RETIRE] = "{step=\"retire\"}",
    };

    head(text, "certificate_steps_total", "counter", "Steps taken about certificates.");
    for (size_t i = 0; i < COUNT(steps); i++)
        if (steps[i])
            figure(text, "certificate_steps_total", steps[i], facts->steps[i]);
}

static void format_certificates(const struct status_facts *facts, struct text *text)
{
    head(text, "certificate_not_after_seconds", "gauge", "When a certificate ends; 0: none.");
    figure(text, "certificate_not_after_seconds", "{of=\"ca\"}", facts->ca_until_s);
    figure(text, "certificate_not_after_seconds", "{of=\"webhook\"}", facts->leaf_until_s);
    format_steps(facts, text);
}

static void format_loops(const struct status_facts *facts, struct text *text)
{
    static const struct {
        const char *name, *type, *help;
        size_t member;
    } rows[] = {
#define AT(member) offsetof(struct status_loop, member)
        {"loop_ready", "gauge", "Keys that wait for a worker.", AT(ready)},
        {"loop_waiting", "gauge", "Keys that wait for their time.", AT(waiting)},
        {"loop_working", "gauge", "Keys that are worked on.", AT(working)},
        {"loop_steps_total", "counter", "Steps taken.", AT(steps)},
        {"loop_failures_total", "counter", "Steps that failed.", AT(failures)},
        {"loop_problems", "gauge", "Keys of which something is wrong, see their events.",
         AT(problems)},
#undef AT
    };

    for (size_t i = 0; facts->loop_count > 0 && i < COUNT(rows); i++) {
        head(text, rows[i].name, rows[i].type, rows[i].help);
        for (size_t l = 0; l < facts->loop_count; l++) {
            const char *loop = (const char *)&facts->loops[l];
            AUTO(free) char *label = text_format("{loop=\"%s\"}", facts->loops[l].name);
            int64_t value;

            memcpy(&value, loop + rows[i].member, sizeof value);
            figure(text, rows[i].name, label, value);
        }
    }
}

static void format_agent_calls(const struct agent_api_facts *agents, struct text *text)
{
    static const char *const calls[AGENT_CALLS] = {"claim", "progress", "report", "trigger",
                                                   "stream"};

    head(text, "agent_requests_total", "counter", "Well-formed requests of agents.");
    for (size_t i = 0; i < AGENT_CALLS; i++) {
        AUTO(free) char *label = text_format("{call=\"%s\"}", calls[i]);

        figure(text, "agent_requests_total", label, agents->calls[i]);
    }
    head(text, "agent_responses_total", "counter", "Answers to agents, by HTTP status.");
    for (size_t i = 0; i < AGENT_STATUSES; i++) {
        int status = agent_api_status(i);
        AUTO(free)
        char *label =
            status ? text_format("{code=\"%d\"}", status) : text_format("{code=\"other\"}");

        figure(text, "agent_responses_total", label, agents->statuses[i]);
    }
}

/* Of who serves agents. */
static void format_agents(const struct agent_api_facts *agents, struct text *text)
{
    const struct {
        const char *name, *type, *help;
        int64_t value;
    } plain[] = {
        {"agent_connections", "gauge", "Connections of agents.", agents->connections},
        {"agent_waiting", "gauge", "Agents that wait for work.", agents->waiting},
        {"agent_body_bytes", "gauge", "Bytes of requests that are being read.", agents->body_bytes},
        {"agent_connections_accepted_total", "counter", "Connections taken.", agents->accepted},
        {"agent_connections_turned_away_total", "counter",
         "Connections closed at once: too many of one address, or no certificate.",
         agents->turned_away},
        {"agent_connections_evicted_total", "counter", "Connections that made room for others.",
         agents->evicted},
        {"agent_connections_cut_total", "counter", "Connections past a deadline.", agents->cut},
        {"agent_connections_gone_total", "counter", "Agents that left while they waited.",
         agents->gone},
        {"agent_tls_handshake_failures_total", "counter", "Something came, and no handshake.",
         agents->handshakes_bad},
        {"agent_token_reviews_total", "counter", "Tokens that the API server was asked about.",
         agents->reviews},
        {"agent_tokens_refused_total", "counter", "Tokens that it refused.", agents->reviews_bad},
        {"agent_verdicts_cached_total", "counter", "Tokens that it needed not be asked about.",
         agents->verdicts_cached},
        {"agent_certificate_expiry_timestamp_seconds", "gauge",
         "When the certificate of the agent API expires.", agents->certificate_until_s},
    };

    for (size_t i = 0; i < COUNT(plain); i++) {
        head(text, plain[i].name, plain[i].type, plain[i].help);
        figure(text, plain[i].name, "", plain[i].value);
    }
    format_agent_calls(agents, text);
}

/* What is not known is not said. */
static void format_found(struct text *text, const char *name, const char *help,
                         enum status_found found)
{
    if (found == STATUS_UNKNOWN)
        return;
    head(text, name, "gauge", help);
    figure(text, name, "", found == STATUS_YES);
}

void status_metrics(const struct status_facts *facts, struct text *text)
{
    const struct {
        const char *name, *type, *help;
        int64_t value;
    } plain[] = {
        {"leader", "gauge", "1: this one writes.", facts->leader},
        {"looks_total", "counter", "Looks at the cluster.", facts->looks},
        {"look_errors_total", "counter", "Looks that did not see everything.", facts->look_errors},
        {"last_look_seconds", "gauge", "When everything was seen last.", facts->looked_s},
        {"writes_total", "counter", "Objects written.", facts->writes},
        {"write_errors_total", "counter", "Writes that failed.", facts->write_errors},
        {"bundle_published", "gauge", "1: the CAs are everywhere as they should be.",
         facts->published},
        {"clock_doubted", "gauge", "1: our clock and that of the API server are far apart.",
         facts->clock_doubted},
        {"api_server_ahead_seconds", "gauge", "By how much its clock is ahead of ours.",
         facts->api.ahead_s},
        {"probes_total", "counter", "Questions whether the webhook is reached.", facts->probes},
        {"last_probe_seconds", "gauge", "When that was asked last; 0: never.", facts->probed_s},
        {"synced", "gauge", "1: all kinds are known, loops run.", facts->synced},
        {"paused", "gauge", "1: loops do nothing, since Stash is or may be installed.",
         facts->paused},
        {"objects", "gauge", "Objects that are known.", facts->objects},
        {"watch_errors_total", "counter", "Failures of lists and watches.", facts->watch_errors},
        {"events_lost_total", "counter", "Events that could not be written.", facts->events_lost},
        {"heap_used_bytes", "gauge", "Memory that is in use.", facts->heap.used},
        {"heap_free_bytes", "gauge", "Memory that is kept for what comes.", facts->heap.free},
        {"api_requests_total", "counter", "Requests to the API server.", facts->api.calls},
        {"api_failures_total", "counter", "Requests that failed.", facts->api.failures},
        {"api_repeats_total", "counter", "Requests sent again.", facts->api.repeated},
    };

    for (size_t i = 0; i < COUNT(plain); i++) {
        head(text, plain[i].name, plain[i].type, plain[i].help);
        figure(text, plain[i].name, "", plain[i].value);
    }
    format_certificates(facts, text);
    format_loops(facts, text);
    if (facts->agents.certificate_until_s)
        format_agents(&facts->agents, text);
    format_found(text, "stash_found", "1: Stash is installed in this cluster.", facts->stash);
    format_found(text, "webhook_reached", "1: the API server reaches the mutating webhook.",
                 facts->reached);
}
