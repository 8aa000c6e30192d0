#include "controllers/agent_api.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "controllers/agent_loop.h"

struct agent_api {
    struct agent_side side;
    struct agent_loop loop;
    struct agent_jobs *jobs;
};

int agent_api_status(size_t place)
{
    static const int statuses[] = {200, 400, 401, 403, 404, 405, 409, 410,
                                   411, 413, 415, 422, 429, 431, 503};

    _Static_assert(sizeof statuses / sizeof *statuses == AGENT_STATUSES - 1, "one for all others");
    return place < sizeof statuses / sizeof *statuses ? statuses[place] : 0;
}

static bool start(struct agent_api *api, struct error *err)
{
    if (!agent_loop_start(&api->loop, err))
        return false;
    api->jobs = agent_jobs_start(&api->side, api->loop.wake, err);
    if (!api->jobs)
        return false;
    api->loop.jobs = api->jobs;
    return agent_loop_run(&api->loop, err);
}

struct agent_api *agent_api_start(const struct agent_api_plan *plan, struct error *err)
{
    struct agent_api *api = text_alloc(sizeof *api);
    char text[ADDRESS_TEXT_BYTES];

    *api = (struct agent_api){
        .side = {.judge = plan->judge, .desk = plan->desk, .gate = agent_gate_make()},
        .loop = {.side = &api->side,
                 .certs = plan->certs,
                 .address = plan->listen,
                 .listening = -1,
                 .wake = -1,
                 .gone = -1},
    };
    if (!start(api, err)) {
        agent_api_stop(api);
        return NULL;
    }
    address_format(&api->loop.address, text);
    log_info("listening", LOG_S("address", text), LOG_S("for", "agents"));
    return api;
}

static void ring(struct agent_api *api)
{
    eventfd_write(api->loop.wake, 1);
}

void agent_api_wake(struct agent_api *api)
{
    if (!api)
        return;
    atomic_fetch_add(&api->side.wakes, 1);
    ring(api);
}

void agent_api_drain(struct agent_api *api)
{
    if (!api)
        return;
    atomic_store(&api->side.draining, true);
    ring(api);
}

void agent_api_stop(struct agent_api *api)
{
    if (!api)
        return;
    agent_api_drain(api);
    if (api->jobs)
        agent_jobs_finish(api->jobs);
    agent_loop_stop(&api->loop);
    agent_jobs_free(api->jobs);
    agent_gate_free(api->side.gate);
    free(api);
}

struct address agent_api_address(const struct agent_api *api)
{
    return api->loop.address;
}

static void fill(const struct agent_side *side, struct agent_api_facts *facts)
{
    const struct {
        int64_t *fact;
        enum agent_count count;
    } rows[] = {
        {&facts->connections, AGENT_COUNT_CONNECTIONS},
        {&facts->waiting, AGENT_COUNT_WAITING},
        {&facts->body_bytes, AGENT_COUNT_BODY_BYTES},
        {&facts->accepted, AGENT_COUNT_ACCEPTED},
        {&facts->turned_away, AGENT_COUNT_TURNED_AWAY},
        {&facts->evicted, AGENT_COUNT_EVICTED},
        {&facts->handshakes_bad, AGENT_COUNT_HANDSHAKES_BAD},
        {&facts->cut, AGENT_COUNT_CUT},
        {&facts->gone, AGENT_COUNT_GONE},
        {&facts->reviews, AGENT_COUNT_REVIEWS},
        {&facts->reviews_bad, AGENT_COUNT_REVIEWS_BAD},
        {&facts->verdicts_cached, AGENT_COUNT_VERDICTS_CACHED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        *rows[i].fact = atomic_load(&side->counts[rows[i].count]);
    for (size_t i = 0; i < AGENT_CALLS; i++)
        facts->calls[i] = atomic_load(&side->counts[AGENT_COUNT_CALLS + i]);
    for (size_t i = 0; i < AGENT_STATUSES; i++)
        facts->statuses[i] = atomic_load(&side->counts[AGENT_COUNT_STATUSES + i]);
}

struct agent_api_facts agent_api_look(struct agent_api *api)
{
    struct agent_api_facts facts = {0};

    if (!api)
        return facts;
    fill(&api->side, &facts);
    facts.certificate_until_s = atomic_load(&api->loop.certificate_until_s);
    return facts;
}
