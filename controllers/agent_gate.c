#include "controllers/agent_gate.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "controllers/agent_table.h"

/* A bucket that was full at `at_ms` less what was taken since. All zeros: never used. */
struct rate {
    double left;
    int64_t at_ms; /* 0: full */
};

struct verdict {
    enum agent_verdict verdict;
    int64_t until_ms;
    struct agent_identity identity;
    enum error_code code;
    char *why; /* owned; of a refusal */
};

struct agent_gate {
    pthread_mutex_t lock;
    struct agent_table *requests, *failures, *verdicts; /* under the lock */
};

void agent_identity_done(struct agent_identity *identity)
{
    free(identity->space);
    free(identity->pod);
    free(identity->pod_uid);
    free(identity->account);
    *identity = (struct agent_identity){0};
}

static char *copy_of(const char *text)
{
    return text_dup(text, strlen(text));
}

static struct agent_identity identity_copy(const struct agent_identity *from)
{
    return (struct agent_identity){copy_of(from->space), copy_of(from->pod), copy_of(from->pod_uid),
                                   copy_of(from->account)};
}

static void forget(void *value)
{
    struct verdict *verdict = value;

    agent_identity_done(&verdict->identity);
    free(verdict->why);
}

struct agent_gate *agent_gate_make(void)
{
    struct agent_gate *gate = text_alloc(sizeof *gate);

    pthread_mutex_init(&gate->lock, NULL);
    gate->requests = agent_table_make(AGENT_RATES_MAX, sizeof(struct rate), NULL);
    gate->failures = agent_table_make(AGENT_RATES_MAX, sizeof(struct rate), NULL);
    gate->verdicts = agent_table_make(AGENT_VERDICTS_MAX, sizeof(struct verdict), forget);
    return gate;
}

void agent_gate_free(struct agent_gate *gate)
{
    if (!gate)
        return;
    agent_table_free(gate->requests);
    agent_table_free(gate->failures);
    agent_table_free(gate->verdicts);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

/* Rates. */

static void refill(struct rate *rate, double per_s, double burst, int64_t now_ms)
{
    if (rate->at_ms == 0)
        rate->left = burst;
    else if (now_ms > rate->at_ms)
        rate->left = fmin(burst, rate->left + per_s * (double)(now_ms - rate->at_ms) / 1000);
    rate->at_ms = now_ms;
}

/* 0 when one is left, which is taken if that is wanted; else seconds until there is one. */
static int64_t ask(struct rate *rate, double per_s, double burst, bool takes, int64_t now_ms)
{
    refill(rate, per_s, burst, now_ms);
    if (rate->left < 1)
        return (int64_t)ceil((1 - rate->left) / per_s);
    if (takes)
        rate->left -= 1;
    return 0;
}

int64_t agent_gate_request(struct agent_gate *gate, const struct agent_key *who, int64_t now_ms)
{
    pthread_mutex_lock(&gate->lock);

    int64_t wait_s = ask(agent_table_at(gate->requests, who), AGENT_REQUEST_RATE,
                         AGENT_REQUEST_BURST, true, now_ms);

    pthread_mutex_unlock(&gate->lock);
    return wait_s;
}

static int64_t ask_failures(struct agent_gate *gate, const struct agent_key *address, bool takes,
                            int64_t now_ms)
{
    pthread_mutex_lock(&gate->lock);

    int64_t wait_s = ask(agent_table_at(gate->failures, address), AGENT_REFUSED_RATE,
                         AGENT_REFUSED_BURST, takes, now_ms);

    pthread_mutex_unlock(&gate->lock);
    return wait_s;
}

int64_t agent_gate_may_fail(struct agent_gate *gate, const struct agent_key *address,
                            int64_t now_ms)
{
    return ask_failures(gate, address, false, now_ms);
}

void agent_gate_failed(struct agent_gate *gate, const struct agent_key *address, int64_t now_ms)
{
    (void)ask_failures(gate, address, true, now_ms);
}

/* Verdicts. */

enum agent_verdict agent_gate_recall(struct agent_gate *gate, const struct agent_key *token,
                                     int64_t now_ms, struct agent_identity *identity,
                                     struct error *err)
{
    enum agent_verdict found = AGENT_UNKNOWN;

    pthread_mutex_lock(&gate->lock);

    const struct verdict *verdict = agent_table_at(gate->verdicts, token);

    if (now_ms < verdict->until_ms)
        found = verdict->verdict;
    if (found == AGENT_KNOWN)
        *identity = identity_copy(&verdict->identity);
    if (found == AGENT_REFUSED)
        error_set(err, verdict->code, "%s", verdict->why);
    pthread_mutex_unlock(&gate->lock);
    return found;
}

/* Under the lock. */
static void replace(struct agent_gate *gate, const struct agent_key *token, struct verdict verdict)
{
    struct verdict *place = agent_table_at(gate->verdicts, token);

    forget(place);
    *place = verdict;
}

void agent_gate_learn(struct agent_gate *gate, const struct agent_key *token, int64_t now_ms,
                      const struct agent_identity *identity)
{
    pthread_mutex_lock(&gate->lock);
    replace(gate, token,
            (struct verdict){.verdict = AGENT_KNOWN,
                             .until_ms = now_ms + AGENT_VERDICT_MS,
                             .identity = identity_copy(identity)});
    pthread_mutex_unlock(&gate->lock);
}

void agent_gate_refuse(struct agent_gate *gate, const struct agent_key *token, int64_t now_ms,
                       const struct error *err)
{
    pthread_mutex_lock(&gate->lock);
    replace(gate, token,
            (struct verdict){.verdict = AGENT_REFUSED,
                             .until_ms = now_ms + AGENT_REFUSAL_MS,
                             .code = err->code,
                             .why = copy_of(err->message)});
    pthread_mutex_unlock(&gate->lock);
}
