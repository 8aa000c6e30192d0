#include "controllers/repository_holders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "tests/unit/suite.h"

#define NOW 1000

static struct holders *read_ledger(const char *row, json_t **document)
{
    struct holders *holders = text_alloc(sizeof *holders);
    char *text = text_dup(row, strlen(row));
    struct error err = {0};

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    *document = holders_read(span_of(text), holders, &err);
    free(text);
    return holders;
}

static void must_be(const struct holders *holders, const char *row)
{
    AUTO(text) struct text out = {0};

    holders_write(holders, &out);
    for (size_t i = 0; i < out.length; i++)
        if (out.data[i] == '"')
            out.data[i] = '\'';
    ck_assert_str_eq(text_get(&out), row);
}

#define A "{'session':'s','pod':'a','since':1}"
#define NEW(session, pod) "{'session':'" session "','pod':'" pod "','since':1000}"
#define ALONE(who) "{'exclusive':true,'holders':[" who "]}"

/* ---- one question ---- */

static const struct {
    const char *what, *before;
    bool alone;
    const char *session, *pod;
    enum holders_answer answer;
    const char *after;
} rows[] = {
    {"nobody there", "", false, "s", "b", HOLDERS_LET_IN, "{'holders':[" NEW("s", "b") "]}"},
    {"a second one", "{'holders':[" A "]}", false, "t", "b", HOLDERS_LET_IN,
     "{'holders':[" A "," NEW("t", "b") "]}"},
    {"the same again", "{'holders':[" A "]}", false, "s", "a", HOLDERS_ALREADY,
     "{'holders':[" NEW("s", "a") "]}"},
    {"the same pod for another session", "{'holders':[" A "]}", false, "t", "a", HOLDERS_LET_IN,
     "{'holders':[" A "," NEW("t", "a") "]}"},
    {"beside maintenance", ALONE(A), false, "t", "b", HOLDERS_WAIT, ALONE(A)},
    {"maintenance itself", ALONE(A), false, "s", "a", HOLDERS_WAIT, ALONE(A)},
    {"somebody waits", "{'wanted':5,'holders':[" A "]}", false, "t", "b", HOLDERS_WAIT,
     "{'wanted':5,'holders':[" A "]}"},
    {"somebody waits for this session", "{'wanted':5,'holders':[" A "]}", false, "s", "b",
     HOLDERS_LET_IN, "{'wanted':5,'holders':[" A "," NEW("s", "b") "]}"},
    {"somebody waits, and nobody is there", "{'wanted':5}", false, "s", "b", HOLDERS_WAIT,
     "{'wanted':5}"},
    {"somebody waited, long ago", "{'wanted':5,'holders':[" A "]}", false, "u", "late",
     HOLDERS_LET_IN, "{'wanted':5,'holders':[" A ",{'session':'u','pod':'late','since':30000}]}"},
    {"waits for too long", "{'wanted':5,'holders':[" A "]}", true, "u", "late", HOLDERS_WANTED,
     "{'wanted':30000,'holders':[" A "]}"},
    {"alone", "", true, "m", "j", HOLDERS_LET_IN, ALONE(NEW("m", "j"))},
    {"alone, after waiting", "{'wanted':5}", true, "m", "j", HOLDERS_LET_IN, ALONE(NEW("m", "j"))},
    {"alone, once more", ALONE(A), true, "s", "a", HOLDERS_ALREADY, ALONE(A)},
    {"alone, two of them", ALONE(A), true, "m", "j", HOLDERS_WANTED,
     "{'exclusive':true,'wanted':1000,'holders':[" A "]}"},
    {"alone beside a backup", "{'holders':[" A "]}", true, "m", "j", HOLDERS_WANTED,
     "{'wanted':1000,'holders':[" A "]}"},
    {"alone, waits already", "{'wanted':5,'holders':[" A "]}", true, "m", "j", HOLDERS_WAIT,
     "{'wanted':5,'holders':[" A "]}"},
    {"alone, although he shares it", "{'holders':[" A "]}", true, "s", "a", HOLDERS_WANTED,
     "{'wanted':1000,'holders':[" A "]}"},
};

START_TEST(test_ask)
    {
        AUTO(json) json_t *document = NULL;
        AUTO(free) struct holders *holders = read_ledger(rows[_i].before, &document);
        const char *session = rows[_i].session, *pod = rows[_i].pod;
        int64_t now_s = strcmp(pod, "late") ? NOW : 30000;

        ck_assert_ptr_nonnull(document);
        ck_assert_int_eq(rows[_i].alone ? holders_exclude(holders, session, pod, now_s)
                                        : holders_share(holders, session, pod, now_s),
                         rows[_i].answer);
        must_be(holders, rows[_i].after);
    }
END_TEST

/* What is no ledger of ours lets nobody in. */
static const char *const bad[] = {
    "x",
    "[]",
    "null",
    "{'holders':7}",
    "{'holders':[{'session':'s','since':1}]}",
    "{'holders':[{'session':'s','pod':'','since':1}]}",
    "{'holders':[{'session':'s','pod':'a','since':-1}]}",
    "{'holders':[{'session':'s','pod':'a'}]}",
    "{'holders':[" A "," A "]}",
    "{'exclusive':true}",
    "{'exclusive':1}",
    "{'exclusive':true,'holders':[" A "," NEW("t", "b") "]}",
    "{'wanted':'x'}",
};

START_TEST(test_bad)
    {
        AUTO(json) json_t *document = NULL;
        struct holders *holders = read_ledger(bad[_i], &document);

        free(holders);
        ck_assert_msg(!document, "%s", bad[_i]);
    }
END_TEST

static enum holder_state as_told(void *context, const struct holder *holder)
{
    (void)holder;
    return *(const enum holder_state *)context;
}

static const struct {
    enum holder_state state;
    size_t gone;
    const char *after;
} sweeps[] = {
    {HOLDER_UNKNOWN, 0, ALONE(A)},
    {HOLDER_WORKS, 0, ALONE(A)},
    {HOLDER_ENDED, 1, "{}"},
    {HOLDER_GONE, 1, "{}"},
};

START_TEST(test_sweep)
    {
        AUTO(json) json_t *document = NULL;
        AUTO(free) struct holders *holders = read_ledger(ALONE(A), &document);
        enum holder_state state = sweeps[_i].state;

        ck_assert_uint_eq(holders_sweep(holders, as_told, &state), sweeps[_i].gone);
        must_be(holders, sweeps[_i].after);
    }
END_TEST

static const struct {
    const char *before;
    size_t gone;
    const char *after;
} clears[] = {
    {ALONE(A), 1, "{}"},
    {"{'holders':[" A "," NEW("t", "b") "]}", 2, "{}"},
    {"{'wanted':5,'holders':[" A "]}", 1, "{'wanted':5}"},
    {"", 0, "{}"},
};

START_TEST(test_clear)
    {
        AUTO(json) json_t *document = NULL;
        AUTO(free) struct holders *holders = read_ledger(clears[_i].before, &document);

        ck_assert_uint_eq(holders_clear(holders), clears[_i].gone);
        must_be(holders, clears[_i].after);
    }
END_TEST

START_TEST(test_full)
    {
        AUTO(free) struct holders *holders = text_alloc(sizeof *holders);
        static char names[HOLDERS_MAX + 1][8];

        *holders = (struct holders){.count = 0};
        for (size_t i = 0; i <= HOLDERS_MAX; i++) {
            snprintf(names[i], sizeof names[i], "p%zu", i);
            ck_assert_int_eq(holders_share(holders, "s", names[i], NOW),
                             i < HOLDERS_MAX ? HOLDERS_LET_IN : HOLDERS_WAIT);
        }

        AUTO(text) struct text out = {0};
        AUTO(free) struct holders *again = text_alloc(sizeof *again);
        struct error err = {0};

        holders_write(holders, &out);
        ck_assert_uint_le(out.length, HOLDERS_MAX_BYTES);
        AUTO(json)
        json_t *document = holders_read((struct span){out.data, out.length}, again, &err);
        ck_assert_msg(document != NULL, "%s", err.message);
        ck_assert_uint_eq(again->count, HOLDERS_MAX);
    }
END_TEST

/* ---- all that can happen ----
 *
 * Four that want to work: three pods of two sessions, and two maintenance Jobs. The ledger is
 * written with a precondition, so each answer takes effect as a whole or not at all. Lost answers:
 * somebody is let in and never begins, or asks again. Proof comes late, or never. Whoever leads is
 * of no account: the ledger is all that he knows.
 */

#define WORKERS 5

static const struct {
    const char *session, *pod;
    bool alone;
} workers[WORKERS] = {
    {"s", "a", false}, {"s", "b", false}, {"t", "c", false}, {"m", "j", true}, {"n", "k", true},
};

/* What each really does. Only LET_IN may begin; who has ended does not come back under its name,
 * unless it asks anew. */
enum real { IDLE, LET_IN, WORKING, DEAD, REALS };

struct state {
    enum real real[WORKERS];
    bool in[WORKERS]; /* stands in the ledger */
    bool exclusive, wanted;
};

#define STATES (4u * 4 * 4 * 4 * 4 * 32 * 4)

static unsigned encode(const struct state *state)
{
    unsigned code = 0;

    for (size_t i = 0; i < WORKERS; i++)
        code = code * REALS + state->real[i];
    for (size_t i = 0; i < WORKERS; i++)
        code = code * 2 + state->in[i];
    return (code * 2 + state->exclusive) * 2 + state->wanted;
}

static struct state decode(unsigned code)
{
    struct state state;

    state.wanted = code % 2;
    code /= 2;
    state.exclusive = code % 2;
    code /= 2;
    for (size_t i = WORKERS; i-- > 0; code /= 2)
        state.in[i] = code % 2;
    for (size_t i = WORKERS; i-- > 0; code /= REALS)
        state.real[i] = code % REALS;
    return state;
}

static void load(const struct state *state, struct holders *holders)
{
    holders->count = 0;
    holders->exclusive = state->exclusive;
    holders->wanted_s = state->wanted;
    for (size_t i = 0; i < WORKERS; i++)
        if (state->in[i])
            holders->list[holders->count++] =
                (struct holder){workers[i].session, workers[i].pod, 1};
}

static void store(const struct holders *holders, struct state *state)
{
    state->exclusive = holders->exclusive;
    state->wanted = holders->wanted_s != 0;
    for (size_t i = 0; i < WORKERS; i++)
        state->in[i] = holders_has(holders, workers[i].session, workers[i].pod);
}

/* One of them has died, and that is known; or not yet. */
static enum holder_state proven(void *context, const struct holder *holder)
{
    const struct state *state = context;

    for (size_t i = 0; i < WORKERS; i++)
        if (!strcmp(holder->pod, workers[i].pod))
            return state->real[i] == DEAD ? HOLDER_GONE : HOLDER_WORKS;
    return HOLDER_UNKNOWN;
}

enum move { ASK, BEGIN, DIE, MOVES };

/* False: nothing like that can happen to this one now. */
static bool move(struct state *state, size_t i, enum move what, struct holders *holders)
{
    if (what == BEGIN && state->real[i] == LET_IN)
        state->real[i] = WORKING;
    else if (what == DIE && (state->real[i] == WORKING || state->real[i] == LET_IN))
        state->real[i] = DEAD;
    else if (what == ASK && (state->real[i] == IDLE || state->real[i] == LET_IN)) {
        load(state, holders);

        enum holders_answer answer = (workers[i].alone ? holders_exclude : holders_share)(
            holders, workers[i].session, workers[i].pod, 1);

        if (answer == HOLDERS_LET_IN || answer == HOLDERS_ALREADY)
            state->real[i] = LET_IN;
        store(holders, state);
    } else {
        return false;
    }
    return true;
}

static void sweep(struct state *state, struct holders *holders)
{
    load(state, holders);
    holders_sweep(holders, proven, state);
    store(holders, state);
    for (size_t i = 0; i < WORKERS; i++) /* a new pod of the same kind may come */
        if (state->real[i] == DEAD && !state->in[i])
            state->real[i] = IDLE;
}

static void judge(const struct state *state)
{
    size_t alone = 0, shared = 0;

    for (size_t i = 0; i < WORKERS; i++) {
        bool works = state->real[i] == WORKING || state->real[i] == LET_IN;

        alone += works && workers[i].alone;
        shared += works && !workers[i].alone;
        ck_assert_msg(!works || state->in[i], "who works stands in the ledger");
    }
    ck_assert_msg(alone == 0 || (alone == 1 && shared == 0), "a writer beside an exclusive holder");
}

struct search {
    unsigned char *seen;
    unsigned *queue;
    size_t count;
};

static void visit(struct search *search, const struct state *state)
{
    unsigned code = encode(state);

    if (search->seen[code])
        return;
    judge(state);
    search->seen[code] = 1;
    search->queue[search->count++] = code;
}

/* From here everybody dies, that is noticed, and who waits gets it. */
static void must_end(struct state state, struct holders *holders)
{
    for (size_t i = 0; i < WORKERS; i++)
        (void)move(&state, i, DIE, holders);
    sweep(&state, holders);
    for (size_t i = 0; i < WORKERS; i++)
        ck_assert(!state.in[i]);
    ck_assert(move(&state, 3, ASK, holders));
    ck_assert_int_eq(state.real[3], LET_IN);
    judge(&state);
}

START_TEST(test_all_states)
    {
        AUTO(free) unsigned char *seen = calloc(STATES, 1);
        AUTO(free) unsigned *queue = text_alloc(STATES * sizeof *queue);
        AUTO(free) struct holders *holders = text_alloc(sizeof *holders);
        struct search search = {.seen = seen, .queue = queue};
        struct state start = {.exclusive = false};
        size_t worked[2] = {0};

        visit(&search, &start);
        for (size_t next = 0; next < search.count; next++) {
            const struct state from = decode(queue[next]);
            struct state to = from;

            for (size_t i = 0; i < WORKERS * MOVES; i++, to = from)
                if (move(&to, i / MOVES, i % MOVES, holders))
                    visit(&search, &to);
            sweep(&to, holders);
            visit(&search, &to);
            to = from;
            to.wanted =
                false; /* holders_unwant(): what was to be done needs not be done any more */
            visit(&search, &to);
            must_end(from, holders);
            worked[0] +=
                from.real[0] == WORKING && from.real[1] == WORKING && from.real[2] == WORKING;
            worked[1] += from.real[3] == WORKING;
        }
        /* the search has been somewhere */
        ck_assert_uint_gt(search.count, 100);
        ck_assert_uint_gt(worked[0], 0);
        ck_assert_uint_gt(worked[1], 0);
    }
END_TEST

SUITE(repository_holders)
{
    suite_rows(tests, test_ask, rows);
    suite_rows(tests, test_bad, bad);
    suite_rows(tests, test_sweep, sweeps);
    suite_rows(tests, test_clear, clears);
    tcase_add_test(tests, test_full);
    tcase_add_test(tests, test_all_states);
}
