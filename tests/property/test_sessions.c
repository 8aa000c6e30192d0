#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "controllers/session_next.h"
#include "tests/property/random.h"
#include "tests/unit/suite.h"

/*
 * A model checker of sessions. Four of them want one target of two hosts: two of one configuration,
 * one of another, and the one that tries the first again. Two controllers look and write, each at
 * any time, so that one of them may be a leader that was paused, or that died after any write;
 * answers get lost; pods die, come back and are scaled; sessions and configurations are deleted;
 * time passes. All interleavings are walked breadth first up to a number of states, and random ones
 * to any depth. What must hold is said in the functions that begin with "must".
 */

#define SESSIONS 4
#define RETRY_OF_FIRST 3
#define HOSTS 2
#define LEADERS 2
#define NOBODY (-1)
#define TICK_S INT64_C(400)

/* Everything is small, so that a state has few bytes, and none of them is padding. */
struct one_session {
    int16_t created, planned;
    int8_t exists, made, phase, removed, total, after, retried, spare;
    int8_t results[HOSTS], truth[HOSTS]; /* as the status has it; what really happened */
};

struct one_pod {
    int8_t present, life, expected;
    int8_t works, does_well; /* the session that its process really works for; how that ended */
    int8_t reports;          /* the session that it has a result for */
};

struct one_claim {
    int16_t since;
    int8_t there, life, attempt, spare;
};

enum kind { IDLE, STEP, GRANT, RELEASE };

/* What a controller has decided and not yet written. The object that it will write is not the one
 * that it saw when `late` is set: the write will be refused. */
struct intent {
    int8_t kind, session, action, work, host, total, succeeded, late;
};

struct state {
    struct one_session sessions[SESSIONS];
    struct one_pod pods[HOSTS];
    struct one_claim claims[HOSTS];
    struct intent intents[LEADERS];
    int16_t since, now;
    int8_t holder, spare;
};

static int64_t seconds(int16_t ticks)
{
    return 1000000 + ticks * TICK_S;
}

/* ---- what a controller sees ---- */

static bool is_final(const struct one_session *session)
{
    return session_phase_is_final((enum session_phase)session->phase);
}

static bool claim_is_gone(const struct state *state, int host)
{
    const struct one_pod *pod = &state->pods[host];

    return !pod->present || pod->life != state->claims[host].life;
}

static void see_host(const struct state *state, int session, int i, struct work_host *host)
{
    static const char *const names[HOSTS] = {"host-0", "host-1"};
    const struct one_claim *claim = &state->claims[i];
    bool ours = state->holder == session;

    *host = (struct work_host){
        .name = names[i],
        .expected = state->pods[i].expected,
        .result = (enum work_result)state->sessions[session].results[i],
        .claimed = ours && claim->there,
        .gone = ours && claim->there && claim_is_gone(state, i),
        .attempt = ours ? claim->attempt : 0,
        .heard_s = seconds(claim->since),
    };
}

static bool sibling_runs(const struct state *state, int session)
{
    int other = session == 0 ? 1 : 0;

    return session < 2 && state->sessions[other].exists &&
           state->sessions[other].phase == SESSION_RUNNING;
}

static bool is_behind(const struct state *state, int session)
{
    const struct one_session *own = &state->sessions[session];

    for (int i = 0; i < SESSIONS; i++) {
        const struct one_session *other = &state->sessions[i];

        if (i != session && other->exists && !other->removed && other->phase <= SESSION_PENDING &&
            (other->created < own->created || (other->created == own->created && i < session)))
            return true;
    }
    return false;
}

static struct session see(const struct state *state, int i, struct work_host hosts[HOSTS])
{
    const struct one_session *own = &state->sessions[i];

    for (int host = 0; host < HOSTS; host++)
        see_host(state, i, host, &hosts[host]);
    return (struct session){
        .work = {.removed = own->removed || !own->exists,
                 .lock = state->holder == NOBODY ? WORK_LOCK_FREE
                         : state->holder == i    ? WORK_LOCK_OURS
                                                 : WORK_LOCK_TAKEN,
                 .started_s = seconds(state->since),
                 .total = own->total,
                 .after = (enum work_after)own->after,
                 .hosts = hosts,
                 .host_count = HOSTS},
        .phase = own->exists ? (enum session_phase)own->phase : SESSION_UNKNOWN,
        .created_s = seconds(own->created),
        .timeout_s = i == 1 ? 3 * TICK_S : 0,
        .sibling_running = sibling_runs(state, i),
        .ahead = is_behind(state, i),
        .retry_left = i == 0,
        .next_retry_s = own->planned ? seconds(own->planned) : 0,
        .retried = own->retried,
        .has_successor = i == 0 && state->sessions[RETRY_OF_FIRST].made,
    };
}

/* ---- writes: each changes one object, and makes decisions about the old one late ---- */

static bool writes_ledger(const struct intent *intent)
{
    return intent->kind == GRANT || intent->kind == RELEASE ||
           (intent->kind == STEP && intent->action == SESSION_WORK &&
            (intent->work == WORK_LOCK || intent->work == WORK_DROP ||
             intent->work == WORK_UNLOCK));
}

static void ledger_changed(struct state *state)
{
    for (int i = 0; i < LEADERS; i++)
        if (writes_ledger(&state->intents[i]))
            state->intents[i].late = 1;
}

static void session_changed(struct state *state, int session)
{
    for (int i = 0; i < LEADERS; i++)
        if (state->intents[i].kind == STEP && !writes_ledger(&state->intents[i]) &&
            state->intents[i].session == session)
            state->intents[i].late = 1;
}

static void make(struct state *state, int session)
{
    if (state->sessions[session].made)
        return;
    state->sessions[session] =
        (struct one_session){.exists = 1,
                             .made = 1,
                             .created = state->now,
                             .total = -1,
                             .after = session == 2 ? WORK_AFTER_WAITING : WORK_AFTER_NONE};
}

static void must_end_by_proof(const struct one_session *session)
{
    int proven = 0;

    for (int i = 0; i < HOSTS; i++) {
        ck_assert_msg(session->results[i] != WORK_FAILED, "success with a failed host");
        if (session->results[i] == WORK_SUCCEEDED) {
            ck_assert_msg(session->truth[i], "success that never happened");
            proven++;
        }
    }
    ck_assert_msg(proven > 0, "success without proof");
    ck_assert(session->after != WORK_AFTER_FAILED && session->after != WORK_AFTER_RUNNING);
}

static void write_work(struct state *state, const struct intent *intent)
{
    struct one_session *session = &state->sessions[intent->session];

    switch (intent->work) {
    case WORK_LOCK:
        state->holder = intent->session;
        state->since = state->now;
        memset(state->claims, 0, sizeof state->claims);
        break;
    case WORK_UNLOCK:
        for (int i = 0; i < HOSTS; i++)
            ck_assert_msg(!state->claims[i].there, "a Lease with claims is given back");
        state->holder = NOBODY;
        memset(state->claims, 0, sizeof state->claims);
        break;
    case WORK_DROP:
        state->claims[intent->host].there = 0;
        break;
    case WORK_START:
        session->phase = SESSION_RUNNING;
        session->total = intent->total;
        break;
    case WORK_COUNT:
        session->total = intent->total;
        break;
    case WORK_FAIL_HOST:
        session->results[intent->host] = WORK_FAILED;
        break;
    case WORK_AFTER:
        session->after = WORK_AFTER_RUNNING;
        break;
    case WORK_END:
        if (intent->succeeded)
            must_end_by_proof(session);
        session->phase = intent->succeeded ? SESSION_SUCCEEDED : SESSION_FAILED;
        break;
    default:
        break;
    }
}

static void write_step(struct state *state, const struct intent *intent)
{
    struct one_session *session = &state->sessions[intent->session];

    if (intent->action == SESSION_WORK)
        write_work(state, intent);
    else if (intent->action == SESSION_PEND)
        session->phase = SESSION_PENDING;
    else if (intent->action == SESSION_SKIP)
        session->phase = SESSION_SKIPPED;
    else if (intent->action == SESSION_PLAN_RETRY)
        session->planned = (int16_t)(state->now + 1);
    else if (intent->action == SESSION_RETRY)
        make(state, RETRY_OF_FIRST);
    else if (intent->action == SESSION_MARK_RETRIED)
        session->retried = 1;
}

/* ---- events; each says whether it was possible ---- */

static bool event_make(struct state *state, int i)
{
    if (i == RETRY_OF_FIRST || state->sessions[i].made)
        return false;
    make(state, i);
    return true;
}

static bool event_look(struct state *state, int leader, int i)
{
    struct work_host hosts[HOSTS];

    if (!state->sessions[i].exists && state->holder != i)
        return false;

    struct session seen = see(state, i, hosts);
    struct session_step step = session_next(&seen, seconds(state->now));

    if (step.action == SESSION_WAIT || step.action == SESSION_DONE)
        return false;
    state->intents[leader] = (struct intent){.kind = STEP,
                                             .session = (int8_t)i,
                                             .action = (int8_t)step.action,
                                             .work = (int8_t)step.work.action,
                                             .host = (int8_t)step.work.host,
                                             .total = (int8_t)step.work.total,
                                             .succeeded = (int8_t)step.work.succeeded};
    return true;
}

/* An agent asks; which answer it will get is written into the ledger first, also when it asks for
 * the same once more. Who asks does not work: a claim of his whose session has ended goes. */
static bool event_ask(struct state *state, int leader, int host)
{
    struct work_host hosts[HOSTS];
    const struct one_pod *pod = &state->pods[host];

    if (state->holder == NOBODY || !pod->present || pod->works != NOBODY || pod->reports != NOBODY)
        return false;

    struct session seen = see(state, state->holder, hosts);
    struct work work = seen.work;

    work.phase = seen.phase == SESSION_RUNNING ? WORK_RUNNING : WORK_ENDED;
    work.attempts_max = WORK_ATTEMPTS_MAX;
    work.deadline_s = session_deadline_s(&seen);

    bool offered = work_is_offered(&work, (size_t)host, seconds(state->now)) ||
                   work_goes_on(&work, (size_t)host, seconds(state->now));

    if (!offered && (!state->claims[host].there || state->claims[host].life != pod->life))
        return false;
    state->intents[leader] = (struct intent){
        .kind = offered ? GRANT : RELEASE, .session = state->holder, .host = (int8_t)host};
    return true;
}

static bool grant(struct state *state, const struct intent *intent, bool lost)
{
    struct one_pod *pod = &state->pods[intent->host];
    struct one_claim *claim = &state->claims[intent->host];

    if (!pod->present || pod->works != NOBODY)
        return true;
    if (!claim->there)
        *claim = (struct one_claim){.there = 1,
                                    .life = pod->life,
                                    .attempt = (int8_t)(claim->attempt + 1),
                                    .since = state->now};
    ledger_changed(state);
    if (!lost && claim->life == pod->life)
        pod->works = intent->session;
    return true;
}

static bool release(struct state *state, const struct intent *intent)
{
    state->claims[intent->host].there = 0;
    ledger_changed(state);
    return true;
}

static bool event_write(struct state *state, int leader, bool lost)
{
    struct intent intent = state->intents[leader];

    if (intent.kind == IDLE)
        return false;
    memset(&state->intents[leader], 0, sizeof intent);
    if (intent.late)
        return true;
    if (intent.kind == GRANT)
        return grant(state, &intent, lost);
    if (intent.kind == RELEASE)
        return release(state, &intent);
    if (!writes_ledger(&intent) && intent.action != SESSION_RETRY &&
        !state->sessions[intent.session].exists)
        return true;

    bool was_final = is_final(&state->sessions[intent.session]);
    int8_t phase = state->sessions[intent.session].phase;

    write_step(state, &intent);
    ck_assert_msg(!was_final || state->sessions[intent.session].phase == phase,
                  "a final phase changed");
    if (writes_ledger(&intent))
        ledger_changed(state);
    else
        session_changed(state, intent.session);
    return true;
}

static bool event_finish(struct state *state, int host, bool well)
{
    struct one_pod *pod = &state->pods[host];

    if (!pod->present || pod->works == NOBODY)
        return false;
    pod->reports = pod->works;
    pod->does_well = well;
    if (well)
        state->sessions[pod->works].truth[host] = 1;
    pod->works = NOBODY;
    return true;
}

/* The answer to progress: end. */
static bool event_stop(struct state *state, int host)
{
    struct work_host hosts[HOSTS];
    const struct one_pod *pod = &state->pods[host];

    if (!pod->present || pod->works == NOBODY)
        return false;

    struct session seen = see(state, pod->works, hosts);
    struct work work = seen.work;

    work.phase = seen.phase == SESSION_RUNNING ? WORK_RUNNING : WORK_ENDED;
    work.deadline_s = session_deadline_s(&seen);
    return !work_goes_on(&work, (size_t)host, seconds(state->now)) &&
           event_finish(state, host, false);
}

/* The result stands in the status, or never will; either way the ledger learns that it has ended.
 */
static bool event_report(struct state *state, int host, bool lost)
{
    struct one_pod *pod = &state->pods[host];

    if (!pod->present || pod->reports == NOBODY)
        return false;

    struct one_session *session = &state->sessions[pod->reports];
    struct one_claim *claim = &state->claims[host];
    bool ours = state->holder == pod->reports && claim->there && claim->life == pod->life;

    if (ours && session->exists && session->phase == SESSION_RUNNING &&
        session->results[host] == WORK_OPEN) {
        session->results[host] = pod->does_well ? WORK_SUCCEEDED : WORK_FAILED;
        session_changed(state, pod->reports);
    }
    if (lost)
        return true;
    if (ours) {
        claim->there = 0;
        ledger_changed(state);
    }
    pod->reports = NOBODY;
    return true;
}

static bool event_die(struct state *state, int host)
{
    struct one_pod *pod = &state->pods[host];

    if (!pod->present)
        return false;
    pod->present = 0;
    pod->works = pod->reports = NOBODY;
    pod->does_well = 0;
    return true;
}

static bool event_born(struct state *state, int host)
{
    struct one_pod *pod = &state->pods[host];

    if (pod->present || !pod->expected || pod->life == 100)
        return false;
    pod->present = 1;
    pod->life++;
    return true;
}

static bool event_scale(struct state *state, int host)
{
    state->pods[host].expected = !state->pods[host].expected;
    if (!state->pods[host].expected)
        (void)event_die(state, host);
    return true;
}

static bool event_delete(struct state *state, int i)
{
    if (!state->sessions[i].exists)
        return false;
    state->sessions[i].exists = 0;
    session_changed(state, i);
    return true;
}

/* The configuration of the first two, and what tries again. */
static bool event_remove(struct state *state, int which)
{
    (void)which;
    if (state->sessions[0].removed)
        return false;
    state->sessions[0].removed = state->sessions[1].removed = 1;
    state->sessions[RETRY_OF_FIRST].removed = 1;
    return true;
}

static bool event_after(struct state *state, bool well)
{
    struct one_session *session = &state->sessions[2];

    if (session->after != WORK_AFTER_RUNNING)
        return false;
    session->after = well ? WORK_AFTER_SUCCEEDED : WORK_AFTER_FAILED;
    session_changed(state, 2);
    return true;
}

static bool event_tick(struct state *state, int which)
{
    (void)which;
    if (state->now == 120)
        return false;
    state->now++;
    return true;
}

#define FORMS 14

/* The events of one form; how many there are of each. */
static const int form_sizes[FORMS] = {SESSIONS,
                                      LEADERS *SESSIONS,
                                      LEADERS *HOSTS,
                                      2 * LEADERS,
                                      2 * HOSTS,
                                      HOSTS,
                                      2 * HOSTS,
                                      HOSTS,
                                      HOSTS,
                                      HOSTS,
                                      SESSIONS,
                                      1,
                                      2,
                                      1};

static bool happen(struct state *state, int form, int which)
{
    switch (form) {
    case 0:
        return event_make(state, which);
    case 1:
        return event_look(state, which % LEADERS, which / LEADERS);
    case 2:
        return event_ask(state, which % LEADERS, which / LEADERS);
    case 3:
        return event_write(state, which / 2, which % 2);
    case 4:
        return event_finish(state, which / 2, which % 2);
    case 5:
        return event_stop(state, which);
    case 6:
        return event_report(state, which / 2, which % 2);
    case 7:
        return event_die(state, which);
    case 8:
        return event_born(state, which);
    case 9:
        return event_scale(state, which);
    case 10:
        return event_delete(state, which);
    case 11:
        return event_remove(state, which);
    case 12:
        return event_after(state, which);
    default:
        return event_tick(state, which);
    }
}

/* ---- what must hold ---- */

static void must_run_alone(const struct state *state)
{
    int running = 0;

    for (int i = 0; i < SESSIONS; i++)
        running += state->sessions[i].exists && state->sessions[i].phase == SESSION_RUNNING;
    ck_assert_msg(running <= 1, "two sessions run on one target");
}

/* The processes, not what is written about them. */
static void must_work_alone(const struct state *state)
{
    for (int i = 0; i < HOSTS; i++) {
        const struct one_pod *pod = &state->pods[i];

        if (pod->works == NOBODY)
            continue;
        ck_assert_msg(state->holder == pod->works, "a pod works for who does not hold the Lease");
        ck_assert_msg(state->claims[i].there && state->claims[i].life == pod->life,
                      "a pod works without a claim");
    }
}

static void must_hold(const struct state *state)
{
    must_run_alone(state);
    must_work_alone(state);
}

/* Whatever has happened: when controllers go on looking, each session ends, and when pods end or
 * answer, the Lease is free. */
enum world { AGENTS_WORK, PODS_ARE_GONE, PODS_DIE_AT_WORK, AGENTS_ARE_SILENT };

static bool lead(struct state *state)
{
    bool any = false;

    for (int i = 0; i < SESSIONS; i++)
        if (event_look(state, 0, i)) {
            (void)event_write(state, 0, false);
            must_hold(state);
            any = true;
        }
    return any;
}

static bool serve(struct state *state, int host)
{
    return event_stop(state, host) || event_finish(state, host, true) ||
           event_report(state, host, false) || event_born(state, host) ||
           (event_ask(state, 0, host) && event_write(state, 0, false));
}

/* Each pod dies as soon as it has begun, and comes back. */
static bool serve_badly(struct state *state, int host)
{
    if (state->pods[host].life > 90)
        return event_die(state, host);
    return (state->pods[host].works != NOBODY && event_die(state, host)) ||
           event_report(state, host, false) || event_born(state, host) ||
           (event_ask(state, 0, host) && event_write(state, 0, false));
}

static bool is_settled(const struct state *state, enum world world)
{
    for (int i = 0; i < SESSIONS; i++)
        if (state->sessions[i].exists && !is_final(&state->sessions[i]))
            return false;
    return world == AGENTS_ARE_SILENT || state->holder == NOBODY;
}

static void must_end(const struct state *from, enum world world)
{
    struct state state = *from;

    memset(state.intents, 0, sizeof state.intents);
    for (int host = 0; world == PODS_ARE_GONE && host < HOSTS; host++)
        (void)event_die(&state, host);
    for (int round = 0; round < 4000 && !is_settled(&state, world); round++) {
        bool any = lead(&state);

        for (int host = 0; world == AGENTS_WORK && host < HOSTS; host++)
            any |= serve(&state, host);
        for (int host = 0; world == PODS_DIE_AT_WORK && host < HOSTS; host++)
            any |= serve_badly(&state, host);
        any |= world == AGENTS_WORK && event_after(&state, true);
        if (!any)
            state.now++;
    }
    ck_assert_msg(is_settled(&state, world), "a path does not end (world %d)", (int)world);
}

/* ---- walks ---- */

static struct state first_state(void)
{
    struct state state;

    memset(&state, 0, sizeof state);
    state.holder = NOBODY;
    state.now = 1;
    for (int i = 0; i < HOSTS; i++) {
        state.pods[i].present = state.pods[i].expected = 1;
        state.pods[i].works = state.pods[i].reports = NOBODY;
    }
    return state;
}

/* All states that were reached, in the order in which they were; a table of places finds them. */
struct reached {
    struct state *states;
    uint32_t *places; /* index + 1 */
    size_t count, max, mask;
};

static uint64_t hash_of(const struct state *state)
{
    const unsigned char *bytes = (const unsigned char *)state;
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < sizeof *state; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 29;
}

static void reach(struct reached *reached, const struct state *state)
{
    size_t at = hash_of(state) & reached->mask;

    while (reached->places[at]) {
        if (memcmp(&reached->states[reached->places[at] - 1], state, sizeof *state) == 0)
            return;
        at = (at + 1) & reached->mask;
    }
    if (reached->count == reached->max)
        return;
    must_hold(state);
    reached->states[reached->count++] = *state;
    reached->places[at] = (uint32_t)reached->count;
}

static void walk_from(struct reached *reached, size_t from)
{
    for (int form = 0; form < FORMS; form++)
        for (int which = 0; which < form_sizes[form]; which++) {
            struct state next = reached->states[from];

            if (happen(&next, form, which))
                reach(reached, &next);
        }
}

START_TEST(all_interleavings)
    {
        size_t max = (size_t)random_setting("SESSION_STATES", 60000), places = 1, level_end = 0;
        int levels = -1;
        struct state first = first_state();

        while (places < 2 * max)
            places *= 2;

        AUTO(free) struct state *states = text_alloc(max * sizeof *states);
        AUTO(free) uint32_t *table = text_alloc(places * sizeof *table);
        struct reached reached = {
            .states = states, .places = table, .max = max, .mask = places - 1};

        memset(table, 0, places * sizeof *table);
        reach(&reached, &first);
        for (size_t i = 0; i < reached.count && reached.count < max; i++) {
            if (i == level_end) {
                level_end = reached.count;
                levels++;
            }
            walk_from(&reached, i);
        }
        printf("  sessions: %zu states, all of the first %d events\n", reached.count, levels);
        ck_assert_uint_eq(reached.count, max);
        for (size_t i = _i; i < reached.count; i += 97)
            for (int world = AGENTS_WORK; world <= AGENTS_ARE_SILENT; world++)
                must_end(&reached.states[i], (enum world)world);
    }
END_TEST

/* Far from the beginning: things happen at random, mostly those that bring a session further. */
static void a_life(struct random *random)
{
    static const int often[] = {0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3,  3,  3,  3,  3,
                                3, 4, 4, 5, 5, 6, 6, 6, 7, 8, 8, 9, 10, 11, 12, 13, 13};
    struct state state = first_state();
    int events = (int)random_below(random, 400);

    for (int i = 0; i < events; i++) {
        int form = often[random_below(random, sizeof often / sizeof *often)];

        if ((form == 10 || form == 11) && !random_often(random, 5))
            continue;
        (void)happen(&state, form, (int)random_below(random, (size_t)form_sizes[form]));
        must_hold(&state);
    }
    must_end(&state, (enum world)random_below(random, AGENTS_ARE_SILENT + 1));
}

START_TEST(long_lives)
    {
        random_some_cases("sessions", a_life, 3000);
    }
END_TEST

SUITE(property_sessions)
{
    tcase_add_test(tests, all_interleavings);
    tcase_add_test(tests, long_lives);
}
