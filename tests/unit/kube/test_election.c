#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "kube/election.h"
#include "tests/property/random.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/*
 * The election, searched: all that can happen to two or three candidates and a server, in every
 * order. Whoever does not run is paused, whatever is not delivered is late, each clock has a speed
 * of its own; requests and answers get lost, and a write that was given up may arrive later. States
 * are kept in a form in which times are ages and versions are ranks, so that the search meets the
 * same state again and ends.
 */

#define MEMBERS_MAX 3
#define LATE_MAX 1
#define OLD 5000    /* ages beyond this make no difference: more than any duration below */
#define NOW 1000000 /* every local clock, when a state is taken up */

enum phase { IDLE, ASKED, ANSWERED, GONE };

/* A Lease: holder 0: nobody; 1 ...: that member. */
struct small_record {
    int16_t present, holder, duration_s, version, uid;
};

struct member {
    int16_t phase, act, version; /* of the request under way */
    int16_t end;                 /* what the answer says */
    struct small_record answer, seen;
    int16_t known, fresh, claimed, led, stopping, over;
    int16_t seen_age, sent_age, next_in, alone_in, leads_for, stop_in;
};

/* A write that was given up, on its way. */
struct late {
    int16_t member, act, version; /* member -1: none */
};

struct state {
    struct small_record server;
    int16_t stops, deletes; /* that may still happen */
    struct member members[MEMBERS_MAX];
    struct late late[LATE_MAX];
};

struct model {
    int members;
    struct election_rules rules;
    int64_t tick_ms[MEMBERS_MAX]; /* of each clock, while the same time passes */
    int16_t stops, deletes;
    int16_t given_back; /* there is a Lease that somebody gave back; else none */
    size_t states_max;
};

/* Between the two forms. */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int16_t age(int64_t moment_ms)
{
    return (int16_t)least(NOW - moment_ms, OLD);
}

static int16_t ahead(int64_t moment_ms)
{
    return (int16_t)(moment_ms > NOW ? moment_ms - NOW : 0);
}

static struct election_record large(const struct small_record *small)
{
    struct election_record record = {.present = small->present, .duration_s = small->duration_s};

    if (!small->present)
        return record;
    snprintf(record.version, sizeof record.version, "%d", small->version);
    snprintf(record.uid, sizeof record.uid, "%d", small->uid);
    if (small->holder)
        snprintf(record.holder, sizeof record.holder, "m%d", small->holder);
    return record;
}

static struct small_record small(const struct election_record *record)
{
    return (struct small_record){
        .present = record->present,
        .holder = (int16_t)(*record->holder ? record->holder[1] - '0' : 0),
        .duration_s = (int16_t)record->duration_s,
        .version = (int16_t)(record->present ? strtol(record->version, NULL, 10) : 0),
        .uid = (int16_t)(record->present ? strtol(record->uid, NULL, 10) : 0)};
}

static struct election expand(const struct model *model, const struct member *member, int i)
{
    char self[16];

    snprintf(self, sizeof self, "m%d", i + 1);

    struct election election = election_make(&model->rules, self, NOW);

    election.seen = large(&member->seen);
    election.seen_ms = member->known ? NOW - member->seen_age : 0;
    election.fresh = member->fresh;
    election.claimed = member->claimed;
    election.led = member->led;
    election.stopping = member->stopping;
    election.over = member->over;
    election.act = member->act;
    election.sent_ms = NOW - member->sent_age;
    election.next_ms = NOW + member->next_in;
    election.alone_ms = NOW + member->alone_in;
    election.leads_until_ms = member->leads_for ? NOW + member->leads_for : 0;
    election.stop_until_ms = NOW + member->stop_in;
    return election;
}

static void shrink(const struct election *election, struct member *member)
{
    member->seen = small(&election->seen);
    member->known = election->seen_ms != 0;
    member->seen_age = member->known ? age(election->seen_ms) : 0;
    member->fresh = election->fresh;
    member->claimed = election->claimed;
    member->led = election->led;
    member->stopping = election->stopping;
    member->over = election->over;
    member->act = (int16_t)election->act;
    member->sent_age = age(election->sent_ms);
    member->next_in = ahead(election->next_ms);
    member->alone_in = ahead(election->alone_ms);
    member->leads_for = (int16_t)election_left_ms(election, NOW);
    member->stop_in = ahead(election->stop_until_ms);
}

/* Versions and UIDs are compared for equality only: the same order with the smallest numbers. */
enum { NUMBERS_MAX = 1 + 3 * MEMBERS_MAX + LATE_MAX };

static size_t versions_of(struct state *state, int16_t *versions[])
{
    size_t count = 0;

    versions[count++] = &state->server.version;
    for (int i = 0; i < MEMBERS_MAX; i++) {
        versions[count++] = &state->members[i].version;
        versions[count++] = &state->members[i].answer.version;
        versions[count++] = &state->members[i].seen.version;
    }
    for (int i = 0; i < LATE_MAX; i++)
        versions[count++] = &state->late[i].version;
    return count;
}

static size_t uids_of(struct state *state, int16_t *uids[])
{
    size_t count = 0;

    uids[count++] = &state->server.uid;
    for (int i = 0; i < MEMBERS_MAX; i++) {
        uids[count++] = &state->members[i].answer.uid;
        uids[count++] = &state->members[i].seen.uid;
    }
    return count;
}

static void rank(int16_t *numbers[], size_t count)
{
    int16_t last = 0;

    for (int16_t rank = 1;; rank++) {
        int16_t next = INT16_MAX;

        for (size_t i = 0; i < count; i++)
            if (*numbers[i] > last && *numbers[i] < next)
                next = *numbers[i];
        if (next == INT16_MAX)
            return;
        for (size_t i = 0; i < count; i++)
            if (*numbers[i] == next)
                *numbers[i] = rank;
        last = rank;
    }
}

static void rank_all(struct state *state)
{
    int16_t *numbers[NUMBERS_MAX];

    rank(numbers, versions_of(state, numbers));
    rank(numbers, uids_of(state, numbers));
}

static int16_t next_of(int16_t *const numbers[], size_t count)
{
    int16_t most = 0;

    for (size_t i = 0; i < count; i++)
        if (*numbers[i] > most)
            most = *numbers[i];
    return (int16_t)(most + 1);
}

/* What happens. */

static void step(const struct model *model, struct state *state, int i,
                 const struct election_outcome *outcome, bool stop)
{
    struct member *member = &state->members[i];
    struct election election = expand(model, member, i);

    if (stop)
        election_stop(&election, NOW);

    struct election_step next = election_next(&election, outcome, NOW, 0);

    shrink(&election, member);
    member->answer = (struct small_record){0};
    member->end = 0;
    member->version = 0;
    if (next.act == ELECTION_LOST || next.act == ELECTION_OVER) {
        *member = (struct member){.phase = GONE};
    } else if (next.act == ELECTION_WAIT) {
        member->phase = IDLE;
        member->sent_age = 0; /* only a failure asks for it */
    } else {
        member->phase = ASKED;
        member->version =
            next.act == ELECTION_READ || next.act == ELECTION_CREATE ? 0 : member->seen.version;
    }
}

/* As the API server does it: a write that names another version is refused. */
static bool carry_out(const struct model *model, struct state *state, int i, int act,
                      int16_t version)
{
    struct small_record *server = &state->server;
    int16_t *numbers[NUMBERS_MAX];

    if (act == ELECTION_CREATE ? server->present : !server->present || server->version != version)
        return false;
    server->version = next_of(numbers, versions_of(state, numbers));
    if (act == ELECTION_CREATE)
        server->uid = next_of(numbers, uids_of(state, numbers));
    server->present = 1;
    server->holder = (int16_t)(act == ELECTION_RELEASE ? 0 : i + 1);
    server->duration_s =
        (int16_t)(act == ELECTION_RELEASE ? 1 : (model->rules.duration_ms + 999) / 1000);
    return true;
}

static void deliver(const struct model *model, struct state *state, int i)
{
    struct member *member = &state->members[i];

    member->phase = ANSWERED;
    if (member->act == ELECTION_READ)
        member->end = ELECTION_SEEN;
    else
        member->end = carry_out(model, state, i, member->act, member->version) ? ELECTION_WRITTEN
                                                                               : ELECTION_FAILED;
    member->version = 0;
    if (member->end != ELECTION_FAILED)
        member->answer = state->server;
}

static void answer(const struct model *model, struct state *state, int i, bool lost)
{
    struct election_record record = large(&state->members[i].answer);
    struct election_outcome outcome = {.end = lost ? ELECTION_FAILED : state->members[i].end,
                                       .record = &record};

    step(model, state, i, &outcome, false);
}

static bool give_up(const struct model *model, struct state *state, int i, bool arrives)
{
    const struct member *member = &state->members[i];

    for (int k = 0; arrives && k < LATE_MAX; k++)
        if (state->late[k].member < 0 && member->act != ELECTION_READ) {
            state->late[k] = (struct late){(int16_t)i, member->act, member->version};
            arrives = false;
        }
    if (arrives)
        return false;
    answer(model, state, i, true);
    return true;
}

static void pass_time(const struct model *model, struct state *state)
{
    for (int i = 0; i < model->members; i++) {
        struct member *member = &state->members[i];
        int64_t tick_ms = model->tick_ms[i];

        if (member->phase == GONE)
            continue;
        if (member->known)
            member->seen_age = (int16_t)least(member->seen_age + tick_ms, OLD);
        if (member->phase != IDLE)
            member->sent_age = (int16_t)least(member->sent_age + tick_ms, OLD);
        member->next_in = (int16_t)(member->next_in > tick_ms ? member->next_in - tick_ms : 0);
        member->alone_in = (int16_t)(member->alone_in > tick_ms ? member->alone_in - tick_ms : 0);
        member->leads_for =
            (int16_t)(member->leads_for > tick_ms ? member->leads_for - tick_ms : 0);
        member->stop_in = (int16_t)(member->stop_in > tick_ms ? member->stop_in - tick_ms : 0);
    }
}

/* Somebody deletes the Lease, whoever has just been started, whatever is on its way. */
static bool delete (struct state *state)
{
    if (!state->server.present || state->deletes == 0)
        return false;
    state->deletes--;
    state->server = (struct small_record){0};
    return true;
}

enum event { RUN, DELIVER, DROP, LATER, ANSWER, LOSE, STOP, EVENTS };

static bool member_event(const struct model *model, struct state *state, int i, enum event event)
{
    static const struct election_outcome waited = {.end = ELECTION_WAITED};
    static const enum phase phases[] = {IDLE, ASKED, ASKED, ASKED, ANSWERED, ANSWERED, IDLE};
    struct member *member = &state->members[i];

    if (member->phase != (int16_t)phases[event])
        return false;
    switch (event) {
    case RUN:
        step(model, state, i, &waited, false);
        return true;
    case DELIVER:
        deliver(model, state, i);
        return true;
    case DROP:
    case LATER:
        return give_up(model, state, i, event == LATER);
    case ANSWER:
    case LOSE:
        answer(model, state, i, event == LOSE);
        return true;
    case STOP:
        if (member->stopping || state->stops == 0)
            return false;
        state->stops--;
        step(model, state, i, &waited, true);
        return true;
    default:
        return false;
    }
}

static bool late_event(const struct model *model, struct state *state, int k, bool arrives)
{
    struct late late = state->late[k];

    if (late.member < 0)
        return false;
    state->late[k] = (struct late){-1, 0, 0};
    if (arrives)
        (void)carry_out(model, state, late.member, late.act, late.version);
    return true;
}

/* The event of that number, or false when it can not happen now. */
static bool happen(const struct model *model, struct state *state, int number)
{
    int own = EVENTS * model->members;

    if (number < own)
        return member_event(model, state, number / EVENTS, (enum event)(number % EVENTS));
    number -= own;
    if (number == 0) {
        pass_time(model, state);
        return true;
    }
    if (number == 1)
        return delete (state);
    return late_event(model, state, (number - 2) / 2, (number - 2) % 2 == 0);
}

static int events_of(const struct model *model)
{
    return EVENTS * model->members + 2 + 2 * LATE_MAX;
}

static struct state begin(const struct model *model)
{
    struct state state = {.stops = model->stops, .deletes = model->deletes};
    static const struct election_outcome began = {.end = ELECTION_BEGAN};

    if (model->given_back)
        state.server = (struct small_record){.present = 1, .duration_s = 1, .version = 1, .uid = 1};
    for (int i = 0; i < MEMBERS_MAX; i++)
        state.members[i].phase = GONE;
    for (int k = 0; k < LATE_MAX; k++)
        state.late[k].member = -1;
    for (int i = 0; i < model->members; i++) {
        state.members[i] = (struct member){0};
        step(model, &state, i, &began, false);
    }
    return state;
}

/* What has to hold. */

static int leaders(const struct state *state)
{
    int count = 0;

    for (int i = 0; i < MEMBERS_MAX; i++)
        count += state->members[i].phase != GONE && state->members[i].leads_for > 0;
    return count;
}

static int leader(const struct state *state)
{
    for (int i = 0; i < MEMBERS_MAX; i++)
        if (state->members[i].phase != GONE && state->members[i].leads_for > 0)
            return i;
    return -1;
}

/* All that can be done at once is done, and nothing gets lost. */
static void settle(const struct model *model, struct state *state)
{
    for (int k = 0; k < LATE_MAX; k++)
        (void)late_event(model, state, k, true);
    for (int round = 0; round < 6; round++)
        for (int i = 0; i < model->members; i++)
            if (!member_event(model, state, i, DELIVER) && !member_event(model, state, i, ANSWER))
                (void)member_event(model, state, i, RUN);
}

/* From here on nothing goes wrong: whoever wants to stop has stopped, and if anybody is left, one
 * leads, and goes on. */
static bool comes_to_lead(const struct model *model, struct state state)
{
    int64_t slowest_ms = model->tick_ms[0];
    bool left = false;

    for (int i = 0; i < model->members; i++)
        slowest_ms = least(slowest_ms, model->tick_ms[i]);

    int64_t ticks =
        (model->rules.duration_ms + 2 * model->rules.retry_ms + ELECTION_STOP_MS) / slowest_ms + 4;

    for (int64_t i = 0; i < ticks; i++, pass_time(model, &state))
        settle(model, &state);
    settle(model, &state);

    int first = leader(&state);

    for (int i = 0; i < model->members; i++) {
        if (state.members[i].phase != GONE && state.members[i].stopping)
            return false;
        left |= state.members[i].phase != GONE;
    }
    for (int i = 0; i < 4; i++) {
        pass_time(model, &state);
        settle(model, &state);
        if (leader(&state) != first)
            return false;
    }
    return first >= 0 || !left;
}

/* The search. */

struct search {
    struct state *states;
    size_t count, room;
    uint32_t *table; /* of indexes + 1 */
    size_t slots;
};

static uint64_t hash(const struct state *state)
{
    const unsigned char *bytes = (const unsigned char *)state;
    uint64_t sum = 14695981039346656037u;

    for (size_t i = 0; i < sizeof *state; i++)
        sum = (sum ^ bytes[i]) * 1099511628211u;
    return sum ^ sum >> 29;
}

/* False when it is known already. */
static bool add(struct search *search, const struct state *state)
{
    size_t slot = hash(state) & (search->slots - 1);

    while (search->table[slot]) {
        if (memcmp(&search->states[search->table[slot] - 1], state, sizeof *state) == 0)
            return false;
        slot = (slot + 1) & (search->slots - 1);
    }
    search->states[search->count++] = *state;
    search->table[slot] = (uint32_t)search->count;
    return true;
}

struct findings {
    size_t states;
    bool whole;  /* there are no more states */
    size_t two;  /* states in which two lead */
    size_t none; /* from which nobody comes to lead */
    size_t led;  /* in which one leads */
};

static struct findings explore(const struct model *model)
{
    struct search search = {.room = model->states_max, .slots = 1};
    struct findings findings = {.whole = true};
    struct state first = begin(model);

    while (search.slots < 2 * search.room)
        search.slots *= 2;
    search.states = text_alloc((search.room + 1) * sizeof *search.states);
    search.table = text_alloc(search.slots * sizeof *search.table);
    add(&search, &first);
    for (size_t at = 0; at < search.count; at++) {
        findings.led += leaders(&search.states[at]) == 1;
        findings.two += leaders(&search.states[at]) > 1;
        findings.none += at % 13 == 0 && !comes_to_lead(model, search.states[at]);
        for (int event = 0; event < events_of(model); event++) {
            struct state next = search.states[at];

            if (!happen(model, &next, event))
                continue;
            rank_all(&next);
            if (search.count < search.room)
                add(&search, &next);
            else
                findings.whole = false;
        }
    }
    findings.states = search.count;
    free(search.states);
    free(search.table);
    return findings;
}

static const struct {
    struct model model;
    bool two; /* two are found to lead: so the search can fail */
} models[] = {
    /* one alone, with all that can happen to it */
    {{1, {3000, 2000, 1000, 1000}, {1000}, 1, 1, 0, 25000}, false},
    /* two */
    {{2, {3000, 2000, 1000, 1000}, {1000, 1000}, 0, 0, 1, 20000}, false},
    {{2, {3000, 2000, 1000, 1000}, {1000, 1000}, 1, 0, 1, 20000}, false},
    {{2, {3000, 2000, 1000, 1000}, {1000, 1000}, 0, 1, 1, 20000}, false},
    {{2, {3000, 2000, 1000, 1000}, {1000, 1000}, 1, 2, 1, 20000}, false},
    {{3, {3000, 2000, 1000, 1000}, {1000, 1000, 1000}, 1, 2, 1, 20000}, false},
    {{2, {3000, 2000, 1000, 1000}, {1000, 1000}, 0, 0, 0, 60000}, false},
    /* clocks of different speed: below 3/2 */
    {{2, {3000, 2000, 1000, 1000}, {700, 1040}, 0, 0, 1, 20000}, false},
    {{2, {3000, 2000, 1000, 1000}, {1040, 700}, 1, 0, 1, 20000}, false},
    {{3, {3000, 2000, 1000, 1000}, {1000, 1000, 1000}, 1, 0, 1, 20000}, false},
    {{3, {3000, 2000, 1000, 1000}, {900, 1000, 1300}, 0, 0, 1, 20000}, false},
    /* beyond what is promised */
    {{2, {3000, 2000, 1000, 1000}, {800, 1600}, 0, 0, 1, 20000}, true},
    {{2, {3000, 4000, 1000, 1000}, {1000, 1000}, 0, 0, 1, 60000}, true},
};

#define MODELS_SOUND 11

/* PF2 */
START_TEST(never_two_lead_and_one_comes_to)
    {
        struct model model = models[_i].model;

        model.states_max = random_setting("ELECTION_STATES", model.states_max);

        struct findings findings = explore(&model);

        if (getenv("ELECTION_STATES"))
            printf("election %d: %zu states%s, one leads in %zu, two in %zu\n", _i, findings.states,
                   findings.whole ? " (all)" : "", findings.led, findings.two);
        ck_assert_uint_gt(findings.led, 0);
        ck_assert_int_eq(findings.two > 0, models[_i].two);
        if (!models[_i].two)
            ck_assert_uint_eq(findings.none, 0);
    }
END_TEST

/* Mostly what keeps things going, else nobody would ever come to lead. */
static int some_event(struct random *random, const struct model *model)
{
    static const enum event usual[] = {RUN, DELIVER, ANSWER};
    int member = (int)random_below(random, (size_t)model->members);

    if (random_often(random, 8))
        return EVENTS * model->members;
    if (random_often(random, 92))
        return EVENTS * member + (int)usual[random_below(random, 3)];
    return (int)random_below(random, (size_t)events_of(model));
}

/* Further than a search gets: long series of events by chance. */
static void walk(struct random *random)
{
    struct model model = models[random_below(random, MODELS_SOUND)].model;
    struct state state = begin(&model);

    for (int i = 0; i < 400; i++) {
        if (!happen(&model, &state, some_event(random, &model)))
            continue;
        rank_all(&state);
        PROPERTY_MUST(random, leaders(&state) <= 1);
    }
    PROPERTY_MUST(random, comes_to_lead(&model, state));
}

START_TEST(whatever_happens)
    {
        random_some_cases("election", walk, 1000);
    }
END_TEST

/* Too rare for both: somebody deletes the Lease under its leader, another one creates it and is
 * told to end at once, and a third one finds what that one left. */
START_TEST(what_was_given_back_too_early_says_nothing)
    {
        static const struct model model = {3, {3000, 2000, 1000, 1000}, {1000, 1000, 1000}, 1, 1, 1,
                                           0};
        static const struct {
            int member;
            enum event event; /* EVENTS: somebody deletes it */
        } script[] = {
            {0, DELIVER}, {0, ANSWER},  {0, DELIVER}, {0, ANSWER}, {0, EVENTS},  {1, DELIVER},
            {1, ANSWER},  {1, DELIVER}, {1, ANSWER},  {1, STOP},   {1, DELIVER}, {1, ANSWER},
            {2, DELIVER}, {2, ANSWER},  {2, DELIVER}, {2, ANSWER},
        };
        struct state state = begin(&model);

        for (size_t i = 0; i < sizeof script / sizeof *script; i++) {
            if (script[i].event == EVENTS)
                ck_assert(delete (&state));
            else
                (void)member_event(&model, &state, script[i].member, script[i].event);
            ck_assert_int_eq(leaders(&state), i >= 3);
        }
        ck_assert(state.members[1].phase == GONE);
        ck_assert(comes_to_lead(&model, state));
    }
END_TEST

/* With the real times: how long nobody leads. */

#define STEP_MS 10

struct candidate {
    struct election election;
    struct election_step next;
    int64_t ready_ms; /* when its answer is there, or it has waited */
    bool dead;
};

struct desk {
    struct election_record lease;
    int version, writes;
};

static enum election_end serve(struct desk *desk, const struct election *election,
                               enum election_act act)
{
    if (act == ELECTION_READ)
        return ELECTION_SEEN;
    if (act == ELECTION_CREATE ? desk->lease.present
                               : strcmp(desk->lease.version, election->seen.version) != 0)
        return ELECTION_FAILED;

    AUTO(json) json_t *body = election_body(election, act, 0);
    json_t *metadata = json_object_get(body, "metadata");
    AUTO(free) char *version = text_format("%d", ++desk->version);

    desk->writes++;
    tree_put_text(metadata, "resourceVersion", version);
    desk->lease = election_record(body);
    return ELECTION_WRITTEN;
}

static void go(struct desk *desk, struct candidate *candidate, int64_t now_ms, uint64_t random)
{
    struct election_outcome outcome = {.end = ELECTION_WAITED, .record = &desk->lease};

    if (candidate->dead || now_ms < candidate->ready_ms)
        return;
    if (candidate->next.act != ELECTION_WAIT)
        outcome.end = serve(desk, &candidate->election, candidate->next.act);
    candidate->next = election_next(&candidate->election, &outcome, now_ms, random);
    candidate->dead = candidate->next.act == ELECTION_LOST || candidate->next.act == ELECTION_OVER;
    candidate->ready_ms =
        now_ms + (candidate->next.act == ELECTION_WAIT ? candidate->next.wait_ms : 20);
}

/* Milliseconds from the moment that the first one ends to the moment that another leads. */
static int64_t fail_over(struct random *random, bool clean)
{
    struct election_rules rules = {0};
    struct desk desk = {0};
    struct candidate all[2] = {0};
    int64_t now_ms = 1000, end_ms = 30000 + (int64_t)random_below(random, 10000);

    for (int i = 0; i < 2; i++)
        all[i].election = election_make(&rules, i ? "b" : "a", now_ms);
    all[1].ready_ms = 5000;
    for (; now_ms < end_ms + 60000; now_ms += STEP_MS) {
        if (now_ms >= end_ms && now_ms < end_ms + STEP_MS) {
            ck_assert_int_gt(election_left_ms(&all[0].election, now_ms), 0);
            ck_assert_int_le(desk.writes, 22);
            if (clean)
                election_stop(&all[0].election, now_ms);
            all[0].dead = !clean;
            if (all[0].next.act == ELECTION_WAIT)
                all[0].ready_ms = now_ms;
        }
        for (int i = 0; i < 2; i++)
            go(&desk, &all[i], now_ms, random_bits(random));
        if (election_left_ms(&all[1].election, now_ms) > 0)
            return now_ms - end_ms;
    }
    return INT64_MAX;
}

static void is_in_time(struct random *random)
{
    PROPERTY_MUST(random, fail_over(random, true) < 5000);
    PROPERTY_MUST(random, fail_over(random, false) < 20000);
}

/* LE10 */
START_TEST(another_leads_in_time)
    {
        random_some_cases("failover", is_in_time, 300);
    }
END_TEST

/* The Lease as it is written. */

static const struct {
    const char *lease; /* NULL: none */
    const char *holder, *version, *uid;
    int64_t duration_s, transitions;
} record_rows[] = {
    {NULL, "", "", "", 0, 0},
    {"{'metadata':{'resourceVersion':'7','uid':'u'},'spec':{'holderIdentity':'a',"
     "'leaseDurationSeconds':15,'leaseTransitions':3}}",
     "a", "7", "u", 15, 3},
    {"{'metadata':{'resourceVersion':'7'}}", "", "7", "", 0, 0},
    {"{'metadata':7,'spec':[]}", "", "", "", 0, 0},
    {"{'spec':{'holderIdentity':null,'leaseDurationSeconds':'x'}}", "", "", "", 0, 0},
    {"{'spec':{'holderIdentity':'a\\u0000b'}}", "", "", "", 0, 0},
};

START_TEST(records)
    {
        AUTO(json)
        json_t *lease = record_rows[_i].lease ? json_row(record_rows[_i].lease) : NULL;
        struct election_record record = election_record(lease);

        ck_assert_int_eq(record.present, lease != NULL);
        ck_assert_str_eq(record.holder, record_rows[_i].holder);
        ck_assert_str_eq(record.version, record_rows[_i].version);
        ck_assert_str_eq(record.uid, record_rows[_i].uid);
        ck_assert_int_eq(record.duration_s, record_rows[_i].duration_s);
        ck_assert_int_eq(record.transitions, record_rows[_i].transitions);
    }
END_TEST

static const struct {
    enum election_act act;
    const char *body;
} body_rows[] = {
    {ELECTION_CREATE,
     "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{},'spec':{"
     "'holderIdentity':'me','leaseDurationSeconds':15,'leaseTransitions':3,"
     "'acquireTime':'2024-02-29T23:59:59.123000Z','renewTime':'2024-02-29T23:59:59.123000Z'}}"},
    {ELECTION_TAKE,
     "{'metadata':{'resourceVersion':'7'},'spec':{'holderIdentity':'me','leaseDurationSeconds':15,"
     "'leaseTransitions':4,'acquireTime':'2024-02-29T23:59:59.123000Z',"
     "'renewTime':'2024-02-29T23:59:59.123000Z'}}"},
    {ELECTION_RENEW,
     "{'metadata':{'resourceVersion':'7'},'spec':{'holderIdentity':'me','leaseDurationSeconds':15,"
     "'leaseTransitions':3,'renewTime':'2024-02-29T23:59:59.123000Z'}}"},
    {ELECTION_RELEASE,
     "{'metadata':{'resourceVersion':'7'},'spec':{'holderIdentity':'','leaseDurationSeconds':1,"
     "'leaseTransitions':3,'renewTime':'2024-02-29T23:59:59.123000Z'}}"},
};

START_TEST(bodies)
    {
        struct election_rules rules = {0};
        struct election election = election_make(&rules, "me", 1);
        AUTO(json) json_t *lease = json_row(record_rows[1].lease);
        AUTO(json) json_t *wanted = json_row(body_rows[_i].body);

        election.seen = election_record(lease);

        AUTO(json) json_t *body = election_body(&election, body_rows[_i].act, 1709251199123);

        ck_assert(tree_equal(body, wanted));
    }
END_TEST

SUITE(kube_election)
{
    suite_rows(tests, never_two_lead_and_one_comes_to, models);
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, what_was_given_back_too_early_says_nothing);
    tcase_add_test(tests, another_leads_in_time);
    suite_rows(tests, records, record_rows);
    suite_rows(tests, bodies, body_rows);
}

SUITE(property_election)
{
    tcase_add_test(tests, whatever_happens);
    tcase_set_timeout(tests, 600);
}
