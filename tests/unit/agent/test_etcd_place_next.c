#include <stdlib.h>
#include <string.h>

#include "agent/etcd_journal.h"
#include "agent/etcd_place_next.h"
#include "base/auto.h"
#include "tests/unit/suite.h"

static const struct {
    struct etcd_place_seen seen;
    enum etcd_place_what what;
    bool last;
    const char *why; /* begin of it */
} rows[] = {
    /* restoring */
    {{.here = 1, .member_here = true}, ETCD_DO_BEGIN, false, NULL},
    {{.here = 0}, ETCD_DO_BEGIN, false, NULL},
    {{.kept = ETCD_PLACED, .here = 1}, ETCD_DO_BEGIN, false, NULL},
    {{.kept = ETCD_PLACED, .idle = true, .here = 1}, ETCD_DO_NOTHING, true, NULL},
    {{.aside = 1}, ETCD_DO_REFUSE, false, "entries were moved aside"},
    {{.phase = ETCD_MAKING, .same = true, .here = 1}, ETCD_DO_MAKE, false, NULL},
    {{.phase = ETCD_MAKING, .same = true, .aside = 1}, ETCD_DO_REFUSE, false, "entries were moved"},
    /* nothing was moved, so another one may begin */
    {{.phase = ETCD_MAKING, .here = 1}, ETCD_DO_BEGIN, false, NULL},
    {{.phase = ETCD_ASIDE, .same = true, .here = 2, .member_made = true},
     ETCD_DO_MOVE_ASIDE,
     false,
     NULL},
    {{.phase = ETCD_ASIDE, .here = 2, .member_made = true},
     ETCD_DO_REFUSE,
     false,
     "another restore was begun here"},
    {{.phase = ETCD_IN, .same = true, .member_made = true}, ETCD_DO_MOVE_IN, false, NULL},
    {{.phase = ETCD_IN, .same = true, .member_made = true, .here = 1},
     ETCD_DO_REFUSE,
     false,
     "something was put into the data dir"},
    {{.phase = ETCD_IN, .same = true, .member_here = true, .here = 1},
     ETCD_DO_NOTE_PLACED,
     false,
     NULL},
    {{.phase = ETCD_IN, .same = true}, ETCD_DO_REFUSE, false, "what was restored is neither"},
    {{.phase = ETCD_IN}, ETCD_DO_REFUSE, false, "another restore was begun here"},
    {{.phase = ETCD_PLACED, .same = true, .here = 1}, ETCD_DO_KEEP, true, NULL},
    {{.phase = ETCD_PLACED, .here = 1}, ETCD_DO_KEEP, false, NULL},
    {{.phase = ETCD_OUT, .same = true}, ETCD_DO_REFUSE, false, "a restore is being undone"},
    {{.phase = ETCD_BACK, .same = true}, ETCD_DO_REFUSE, false, "a restore is being undone"},
    {{.phase = ETCD_UNDONE, .same = true}, ETCD_DO_KEEP, false, NULL},
    /* undoing */
    {{.undo = true, .foreign = true, .here = 1}, ETCD_DO_NOTHING, true, NULL},
    {{.undo = true, .foreign = true, .phase = ETCD_PLACED}, ETCD_DO_NOTHING, true, NULL},
    {{.undo = true, .foreign = true, .kept = ETCD_PLACED}, ETCD_DO_NOTHING, true, NULL},
    {{.undo = true, .here = 1}, ETCD_DO_REFUSE, false, "no restore was made here"},
    {{.undo = true, .aside = 1}, ETCD_DO_REFUSE, false, "entries were moved aside"},
    {{.undo = true, .kept = ETCD_PLACED}, ETCD_DO_REOPEN, false, NULL},
    /* one step back, not one more with each repetition */
    {{.undo = true, .kept = ETCD_UNDONE}, ETCD_DO_NOTHING, true, NULL},
    {{.undo = true, .phase = ETCD_MAKING}, ETCD_DO_DISCARD, false, NULL},
    {{.undo = true, .phase = ETCD_ASIDE, .member_made = true}, ETCD_DO_NOTE_BACK, false, NULL},
    {{.undo = true, .phase = ETCD_IN, .member_made = true}, ETCD_DO_NOTE_BACK, false, NULL},
    {{.undo = true, .phase = ETCD_IN, .member_here = true}, ETCD_DO_NOTE_OUT, false, NULL},
    {{.undo = true, .phase = ETCD_IN}, ETCD_DO_NOTE_OUT, false, NULL},
    {{.undo = true, .phase = ETCD_PLACED}, ETCD_DO_NOTE_OUT, false, NULL},
    {{.undo = true, .phase = ETCD_OUT}, ETCD_DO_MOVE_OUT, false, NULL},
    {{.undo = true, .phase = ETCD_BACK}, ETCD_DO_MOVE_BACK, false, NULL},
    {{.undo = true, .phase = ETCD_UNDONE}, ETCD_DO_KEEP, true, NULL},
};

START_TEST(the_next_step)
    {
        struct etcd_place_step step = etcd_place_next(&rows[_i].seen);

        ck_assert_int_eq(step.what, rows[_i].what);
        ck_assert_int_eq(step.last, rows[_i].last);
        if (rows[_i].why)
            ck_assert_msg(strncmp(step.why, rows[_i].why, strlen(rows[_i].why)) == 0, "%s",
                          step.why);
    }
END_TEST

/*
 * Catalogue ET3, as a model that is searched through as a whole: four entries in three folders,
 * each step in moves of one entry, a kill after any of them, and then either the restore again or
 * its undoing, in any order.
 */

enum { OLD_MEMBER, OLD_OTHER, NEW_MEMBER, NEW_OTHER, ENTRIES };
enum { NOWHERE, HERE, ASIDE, MADE };

struct model {
    unsigned char at[ENTRIES];
    unsigned char phase, kept; /* kept: the work folder has its last name */
};

static bool is_member(int entry)
{
    return entry == OLD_MEMBER || entry == NEW_MEMBER;
}

static size_t count_at(const struct model *model, int where)
{
    size_t count = 0;

    for (int i = 0; i < ENTRIES; i++)
        count += model->at[i] == where;
    return count;
}

static bool member_at(const struct model *model, int where)
{
    return model->at[OLD_MEMBER] == where || model->at[NEW_MEMBER] == where;
}

static struct etcd_place_seen look(const struct model *model, bool undo)
{
    bool kept = model->kept;

    return (struct etcd_place_seen){
        .phase = kept ? ETCD_NONE : (enum etcd_phase)model->phase,
        .kept = kept ? (enum etcd_phase)model->phase : ETCD_NONE,
        .undo = undo,
        .same = true,
        .idle = kept && model->phase == ETCD_PLACED && !undo,
        .member_made = !kept && member_at(model, MADE),
        .member_here = member_at(model, HERE),
        .here = count_at(model, HERE),
        .aside = kept ? 0 : count_at(model, ASIDE),
    };
}

/* One entry, the members last. True when one was moved. */
static bool move_one(struct model *model, int from, int to)
{
    for (int members = 0; members <= 1; members++)
        for (int i = 0; i < ENTRIES; i++)
            if (model->at[i] == from && is_member(i) == members) {
                ck_assert(!is_member(i) || !member_at(model, to));
                model->at[i] = (unsigned char)to;
                return true;
            }
    return false;
}

static void move_then(struct model *model, int from, int to, enum etcd_phase then)
{
    if (!move_one(model, from, to))
        model->phase = (unsigned char)then;
}

/* As much of a step as a kill may leave. */
static void act(struct model *model, enum etcd_place_what what)
{
    switch (what) {
    case ETCD_DO_BEGIN:
        *model = (struct model){.phase = ETCD_MAKING,
                                .at = {model->at[OLD_MEMBER], model->at[OLD_OTHER]}};
        break;
    case ETCD_DO_MAKE:
        if (model->at[NEW_MEMBER] == MADE)
            model->phase = ETCD_ASIDE;
        model->at[NEW_MEMBER] = MADE;
        break;
    case ETCD_DO_MOVE_ASIDE:
        move_then(model, HERE, ASIDE, ETCD_IN);
        break;
    case ETCD_DO_MOVE_IN:
        model->at[NEW_MEMBER] = HERE;
        break;
    case ETCD_DO_NOTE_PLACED:
        model->phase = ETCD_PLACED;
        break;
    case ETCD_DO_REOPEN:
        model->kept = false;
        break;
    case ETCD_DO_NOTE_OUT:
        model->phase = ETCD_OUT;
        break;
    case ETCD_DO_MOVE_OUT:
        move_then(model, HERE, MADE, ETCD_BACK);
        break;
    case ETCD_DO_NOTE_BACK:
        model->phase = ETCD_BACK;
        break;
    case ETCD_DO_MOVE_BACK:
        move_then(model, ASIDE, HERE, ETCD_UNDONE);
        break;
    case ETCD_DO_DISCARD:
        model->at[NEW_MEMBER] = NOWHERE;
        model->phase = ETCD_UNDONE;
        break;
    case ETCD_DO_KEEP:
        model->kept = true;
        break;
    default:
        ck_abort_msg("no step to do");
    }
}

/* Until what was asked is done; then everything is where it belongs. */
static void finish(struct model model, bool undo)
{
    bool old_was = model.at[OLD_MEMBER] != NOWHERE;

    for (int turns = 0; turns < 100; turns++) {
        struct etcd_place_seen seen = look(&model, undo);
        struct etcd_place_step step = etcd_place_next(&seen);

        if (step.what == ETCD_DO_REFUSE) {
            /* only what must not be mixed: a restore into one that is being undone, or nothing
             * to undo */
            ck_assert(undo ? model.phase == ETCD_NONE
                           : model.phase == ETCD_OUT || model.phase == ETCD_BACK);
            return;
        }
        if (step.what != ETCD_DO_NOTHING)
            act(&model, step.what);
        if (!step.last)
            continue;
        ck_assert_int_eq(model.at[NEW_MEMBER] == HERE, !undo);
        if (old_was)
            ck_assert_int_eq(model.at[OLD_MEMBER], undo ? HERE : ASIDE);
        return;
    }
    ck_abort_msg("it does not end");
}

#define STATES_MAX 4096

struct search {
    struct model list[STATES_MAX];
    size_t count;
};

static void add(struct search *search, const struct model *model)
{
    for (size_t i = 0; i < search->count; i++)
        if (memcmp(&search->list[i], model, sizeof *model) == 0)
            return;
    ck_assert_uint_lt(search->count, STATES_MAX);
    search->list[search->count++] = *model;
}

static void check_state(const struct model *model, const struct model *begin)
{
    for (int i = 0; i <= OLD_OTHER; i++)
        ck_assert_int_eq(model->at[i] == NOWHERE, begin->at[i] == NOWHERE);
    for (int i = 0; i < ENTRIES; i++)
        ck_assert(model->at[i] != HERE || model->at[i ^ 2] != HERE);
    ck_assert(model->at[OLD_OTHER] != HERE || model->at[NEW_MEMBER] != HERE);
    ck_assert(model->at[OLD_MEMBER] != HERE || model->at[NEW_OTHER] != HERE);
    finish(*model, false);
    finish(*model, true);
}

/* In every state that kills and changes of mind lead to, nothing of before is lost, both of the old
 * and the new are never mixed in the data dir, and either way on ends. */
static size_t search_from(const struct model *begin)
{
    struct search *search = calloc(1, sizeof *search);
    size_t found;

    add(search, begin);
    for (size_t i = 0; i < search->count; i++) {
        check_state(&search->list[i], begin);
        for (int undo = 0; undo <= 1; undo++) {
            struct model next = search->list[i];
            struct etcd_place_seen seen = look(&next, undo);
            struct etcd_place_step step = etcd_place_next(&seen);

            if (step.what == ETCD_DO_REFUSE || step.what == ETCD_DO_NOTHING)
                continue;
            if (step.what == ETCD_DO_BEGIN && next.phase != ETCD_NONE)
                continue; /* a second restore: the old of that is another */
            act(&next, step.what);
            add(search, &next);
            /* an etcd that ran on what was restored left something beside it */
            if (next.phase == ETCD_PLACED && next.at[NEW_MEMBER] == HERE) {
                next.at[NEW_OTHER] = HERE;
                add(search, &next);
            }
        }
    }
    found = search->count;
    free(search);
    return found;
}

static const struct model begins[] = {
    {.at = {HERE, HERE, NOWHERE, NOWHERE}},
    {.at = {HERE, NOWHERE, NOWHERE, NOWHERE}},
    {.at = {NOWHERE, HERE, NOWHERE, NOWHERE}},
    {.at = {NOWHERE, NOWHERE, NOWHERE, NOWHERE}},
};

START_TEST(no_kill_loses_anything)
    {
        ck_assert_uint_gt(search_from(&begins[_i]), 10);
    }
END_TEST

/* ---- the journal ---- */

static const struct {
    const char *text;
    bool good;
} journals[] = {
    {"{\"phase\":\"in\",\"id\":\"a\",\"beganMs\":1,\"snapshot\":\"b\",\"member\":\"c\"}", true},
    {"{\"phase\":\"in\",\"id\":\"a\",\"beganMs\":1,\"snapshot\":\"b\"}", false},
    {"{\"phase\":\"in\",\"id\":\"a\",\"snapshot\":\"b\",\"member\":\"c\"}", false},
    {"{\"phase\":\"odd\",\"id\":\"a\",\"beganMs\":1,\"snapshot\":\"b\",\"member\":\"c\"}", false},
    {"{\"phase\":\"\",\"id\":\"a\",\"beganMs\":1,\"snapshot\":\"b\",\"member\":\"c\"}", false},
    {"{\"phase\":\"in\",\"id\":1,\"beganMs\":1,\"snapshot\":\"b\",\"member\":\"c\"}", false},
    {"{\"phase\":\"in\",\"id\":\"a\",\"beganMs\":-1,\"snapshot\":\"b\",\"member\":\"c\"}", false},
    /* 65 characters */
    {"{\"phase\":\"in\",\"id\":"
     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaa\",\"beganMs\":1,\"snapshot\":\"b\",\"member\":\"c\"}",
     false},
    {"{\"phase\":\"in\",", false},
    {"[]", false},
    {"", false},
    {"\n", false},
};

START_TEST(a_journal_is_understood_or_refused)
    {
        struct etcd_journal journal = {.phase = ETCD_OUT};
        struct error err = {.message = ""};

        ck_assert_int_eq(etcd_journal_parse(span_of(journals[_i].text), &journal, &err),
                         journals[_i].good);
        ck_assert_int_eq(journal.phase, journals[_i].good ? ETCD_IN : ETCD_OUT);
    }
END_TEST

START_TEST(a_journal_comes_back)
    {
        for (int phase = ETCD_MAKING; phase <= ETCD_UNDONE; phase++) {
            AUTO(text) struct text text = {0};
            struct etcd_journal journal = {.phase = (enum etcd_phase)phase,
                                           .id = "i",
                                           .began_ms = 1770000000123,
                                           .stamp_ns = 1770000000123456789,
                                           .revision = 7,
                                           .snapshot = "s",
                                           .member = "m\"1"};
            struct etcd_journal read;
            struct error err = {.message = ""};

            etcd_journal_format(&journal, &text);
            ck_assert(etcd_journal_parse((struct span){text.data, text.length}, &read, &err));
            ck_assert_int_eq(read.phase, phase);
            ck_assert_str_eq(read.id, journal.id);
            ck_assert_int_eq(read.began_ms, journal.began_ms);
            ck_assert_int_eq(read.stamp_ns, journal.stamp_ns);
            ck_assert_int_eq(read.revision, journal.revision);
            ck_assert_str_eq(read.snapshot, journal.snapshot);
            ck_assert_str_eq(read.member, journal.member);
        }
    }
END_TEST

SUITE(agent_etcd_place_next)
{
    suite_rows(tests, the_next_step, rows);
    suite_rows(tests, no_kill_loses_anything, begins);
    suite_rows(tests, a_journal_is_understood_or_refused, journals);
    tcase_add_test(tests, a_journal_comes_back);
}
