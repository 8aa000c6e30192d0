#include "agent/agent.h"

#include <string.h>

#include "api/agent_messages.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"

/* Milliseconds for one request; until the identity is looked for again. */
#define ASK_MS 30000
#define LOOK_MS 2000

static enum agent_exit done(const struct message_triggered *triggered)
{
    log_info(triggered->created ? "session made" : "session was made already",
             LOG_S("session", triggered->session.name),
             LOG_S("namespace", triggered->session.space), LOG_S("uid", triggered->session.uid));
    return AGENT_FINE;
}

/* The pause before the next try; -1: there is none. */
static int64_t judge(struct agent *agent, const struct refusal *refusal, unsigned failures,
                     const struct error *err)
{
    if (err->code == ERROR_GONE && refusal->status == 0)
        return -1;
    agent_say(agent, "no session yet", err->message);
    if (agent_next(refusal) != CLIENT_AGAIN)
        return -1;
    /* the identity is not there: a kubelet shows it soon */
    if (err->code == ERROR_NOT_FOUND && refusal->status == 0)
        return LOOK_MS;
    return agent_pause_ms(refusal, failures, agent_chance(agent->client));
}

enum agent_exit agent_trigger(struct agent *agent)
{
    const struct agent_options *options = agent->options;
    const struct message_trigger message = {.agent_version = GRANARY_VERSION};
    int64_t late_ms = (int64_t)(agent_chance(agent->client) * (double)options->jitter_ms);
    int64_t until_ms = clock_mono_ms() + late_ms + options->deadline_ms;

    if (late_ms > 0)
        log_info("waiting, so that not all begin at once", LOG_N("milliseconds", late_ms));
    if (!agent_rest(agent->client, late_ms))
        return AGENT_ENDED;
    for (unsigned failures = 1;; failures++) {
        AUTO(json) json_t *document = NULL;
        struct message_triggered triggered;
        struct refusal refusal;
        struct error err = {.message = ""};
        int64_t left_ms = until_ms - clock_mono_ms();

        if (left_ms > 0 &&
            agent_ask(agent->client, CLIENT_TRIGGER, &message, left_ms < ASK_MS ? left_ms : ASK_MS,
                      &triggered, &document, &refusal, &err))
            return done(&triggered);

        int64_t pause_ms = left_ms > 0 ? judge(agent, &refusal, failures, &err) : -1;

        if (pause_ms < 0 || clock_mono_ms() + pause_ms >= until_ms ||
            !agent_rest(agent->client, pause_ms)) {
            log_error("no session", LOG_S("reason", agent->said));
            return AGENT_ENDED;
        }
    }
}
