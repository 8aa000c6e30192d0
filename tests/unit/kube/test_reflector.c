#include "kube/reflector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "tests/unit/suite.h"

/*
 * What happened, in words with an argument: "began", "waited", "listed 7", "paged 7", "failed 410",
 * "page 410" (a later one), "large" (a version too large, at the opening), "ended 2000" (ms),
 * "silent", "error 410", "too-large" (the same as an event), "garbled", "left"; "at 500" moves the
 * clock; "later 32": 429 with Retry-After. Events: "saw 7", "mark 7" (a bookmark), "end 7" (that
 * ends the initial events), "saw -".
 */
static const struct {
    const char *word;
    struct reflector_outcome outcome;
} outcomes[] = {
    {"began", {.end = REFLECTOR_BEGAN}},
    {"waited", {.end = REFLECTOR_WAITED}},
    {"listed", {.end = REFLECTOR_LISTED}},
    {"paged", {.end = REFLECTOR_LISTED, .paged = true}},
    {"failed", {.end = REFLECTOR_FAILED}},
    {"page", {.end = REFLECTOR_FAILED, .later_page = true}},
    {"large", {.end = REFLECTOR_FAILED, .status = 504, .too_large_version = true}},
    {"ended", {.end = REFLECTOR_ENDED}},
    {"silent", {.end = REFLECTOR_SILENT}},
    {"error", {.end = REFLECTOR_REPORTED}},
    {"too-large", {.end = REFLECTOR_REPORTED, .status = 504, .too_large_version = true}},
    {"garbled", {.end = REFLECTOR_GARBLED}},
    {"left", {.end = REFLECTOR_LEFT}},
    {"later", {.end = REFLECTOR_FAILED, .status = 429}},
};

static const struct {
    const char *word;
    enum watch_type type;
    bool initial_end;
} events[] = {
    {"saw", WATCH_CHANGED, false}, {"mark", WATCH_BOOKMARK, false}, {"end", WATCH_BOOKMARK, true}};

struct play {
    struct reflector reflector;
    int64_t now_ms;
    uint64_t random;
    struct text told;
};

static void tell(struct play *play, const struct reflector_step *step)
{
    static const char *const acts[] = {"list", "stream", "watch", "wait"};

    text_addf(&play->told, "%s%s", play->told.length ? " " : "", acts[step->act]);
    if (step->act == REFLECTOR_WAIT)
        text_addf(&play->told, "(%lld)", (long long)step->wait_ms);
    else if (step->act == REFLECTOR_LIST)
        text_addf(&play->told, "(%s%s)", step->version, step->limit ? "+" : "");
    else
        text_addf(&play->told, "(%s)", step->version);
}

static bool play_event(struct play *play, const char *word, const char *argument)
{
    static const char *const verdicts[] = {"take", "complete", "leave"};

    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (strcmp(word, events[i].word) != 0)
            continue;

        struct watch_event event = {.type = events[i].type,
                                    .initial_end = events[i].initial_end,
                                    .version = strcmp(argument, "-") == 0 ? NULL : argument};

        text_addf(&play->told, " %s",
                  verdicts[reflector_saw(&play->reflector, &event, play->now_ms)]);
        return true;
    }
    return false;
}

static void play_outcome(struct play *play, const char *word, const char *argument)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        struct reflector_outcome outcome = outcomes[i].outcome;

        if (strcmp(word, outcomes[i].word) != 0)
            continue;
        outcome.version = argument;
        outcome.lasted_ms = strtol(argument, NULL, 10);
        outcome.status = outcome.status ? outcome.status : (int)outcome.lasted_ms;
        outcome.retry_after_s = strcmp(word, "later") == 0 ? outcome.lasted_ms : 0;

        struct reflector_step step =
            reflector_next(&play->reflector, &outcome, play->now_ms, play->random);

        tell(play, &step);
        return;
    }
    ck_abort_msg("what is \"%s\"?", word);
}

static void play_all(struct play *play, const char *script)
{
    struct span rest = span_of(script), part;

    while (text_split(&rest, ',', &part)) {
        struct span words = text_trim(part), word, argument = {0};

        text_split(&words, ' ', &word);
        argument = words;

        AUTO(free) char *name = text_dup(word.data, word.length);
        AUTO(free) char *value = text_dup(argument.data, argument.length);

        if (strcmp(name, "at") == 0)
            play->now_ms = strtol(value, NULL, 10);
        else if (!play_event(play, name, value))
            play_outcome(play, name, value);
    }
}

/* Random is 0: no jitter. */
static const struct {
    const char *script, *told;
    bool streams;
} rows[] = {
    /* L1, L4: from the cache first, then on from the list's version */
    {"began, listed 7", "list(0+) watch(7)", false},
    {"began, listed 7, saw 8, saw 9, ended 2000", "list(0+) watch(7) take take watch(9)", false},
    /* W5: a normal end; W6: without any bookmark; W7: a bookmark moves the version */
    {"began, listed 7, ended 300000", "list(0+) watch(7) watch(7)", false},
    {"began, listed 7, mark 12, ended 300000", "list(0+) watch(7) take watch(12)", false},
    {"began, listed 7, mark -, ended 300000", "list(0+) watch(7) take watch(7)", false},
    /* W1, W2: initial events are in no order and move nothing; what comes behind their end does */
    {"began, saw 9, saw 5, mark 3, end 11, saw 12, ended 5000",
     "stream() take take take complete take watch(12)", true},
    {"began, saw 9, ended 5000, waited, end 11, ended 5000",
     "stream() take wait(800) stream() complete watch(11)", true},
    /* W3, AF11: refused, as status or as event, ignored, cut again and again */
    {"began, failed 422, listed 7", "stream() list(0+) watch(7)", true},
    {"began, failed 400, listed 7", "stream() list(0+) watch(7)", true},
    {"began, error 500, listed 7, error 410, waited",
     "stream() list(0+) watch(7) wait(800) list(7)", true},
    {"began, saw 3, silent, listed 7", "stream() take list(0+) watch(7)", true},
    {"began, ended 1, waited, ended 1, waited, ended 1, listed 7",
     "stream() wait(800) stream() wait(1600) stream() list(0+) watch(7)", true},
    {"began, garbled, waited, end 4", "stream() wait(800) stream() complete", true},
    {"began, end -, left, listed 7", "stream() leave list(0+) watch(7)", true},
    /* not because of the parameter: it is tried again */
    {"began, failed 0, waited, failed 429, waited, failed 503, waited, failed 403, waited",
     "stream() wait(800) stream() wait(1600) stream() wait(3200) stream() wait(6400) stream()",
     true},
    {"began, end 9, error 410, waited, error 410, waited, end 5",
     "stream() complete wait(800) stream(9) wait(1600) stream() complete", true},
    {"began, end 9, error 410, waited, too-large, waited",
     "stream() complete wait(800) stream(9) wait(1600) stream()", true},
    /* L1, W10, AF6: expired in mid-stream, at the opening, and for the list too */
    {"began, listed 7, error 410, waited, listed 9", "list(0+) watch(7) wait(800) list(7) watch(9)",
     false},
    {"began, listed 7, failed 410, waited, failed 410, waited, listed 9",
     "list(0+) watch(7) wait(800) list(7) wait(1600) list(+) watch(9)", false},
    {"began, failed 410, waited, failed 410, waited",
     "list(0+) wait(800) list(+) wait(1600) list(+)", false},
    /* W14 */
    {"began, listed 7, too-large, waited", "list(0+) watch(7) wait(800) list(+)", false},
    {"began, listed 7, large, waited", "list(0+) watch(7) wait(800) list(+)", false},
    {"began, listed 7, error 410, waited, large, waited, large, waited",
     "list(0+) watch(7) wait(800) list(7) wait(1600) list(+) wait(3200) list(+)", false},
    /* L2: a server that pages where it need not is asked for pages from then on */
    {"began, paged 7, error 410, waited", "list(0+) watch(7) wait(800) list(7+)", false},
    {"began, failed 410, waited, paged 7, error 410, waited",
     "list(0+) wait(800) list(+) watch(7) wait(1600) list(7)", false},
    /* L3, AF6: expired at a later page: once as a whole */
    {"began, page 410, listed 7", "list(0+) list(0) watch(7)", false},
    {"began, page 410, page 410, waited, listed 7", "list(0+) list(0) wait(800) list(+) watch(7)",
     false},
    {"began, page 410, failed 500, waited", "list(0+) list(0) wait(800) list(0+)", false},
    /* AF10: a page that fails: the list from its beginning */
    {"began, page 503, waited", "list(0+) wait(800) list(0+)", false},
    /* W9, W18: cut off */
    {"began, listed 7, saw 8, ended 1000", "list(0+) watch(7) take watch(8)", false},
    /* W10 */
    {"began, listed 7, error 429, waited", "list(0+) watch(7) wait(800) watch(7)", false},
    {"began, listed 7, error 500, waited, error 500, waited, error 500, waited",
     "list(0+) watch(7) wait(800) watch(7) wait(1600) watch(7) wait(3200) list(7)", false},
    {"began, listed 7, error 500, waited, error 500, waited, saw 8, error 500, waited",
     "list(0+) watch(7) wait(800) watch(7) wait(1600) watch(7) take wait(3200) watch(8)", false},
    {"began, listed 7, error 400, waited", "list(0+) watch(7) wait(800) list(7)", false},
    {"began, listed 7, error 504, waited", "list(0+) watch(7) wait(800) list(7)", false},
    /* W11: no stampede of lists while the server is away */
    {"began, listed 7, failed 0, waited, failed 429, waited, failed 502, waited, failed 503",
     "list(0+) watch(7) wait(800) watch(7) wait(1600) watch(7) wait(3200) watch(7) wait(6400)",
     false},
    {"began, listed 7, failed 500, waited", "list(0+) watch(7) wait(800) list(7)", false},
    /* W13, AF14, AF15: not allowed, not there: for ever, with backoff */
    {"began, listed 7, failed 403, waited, failed 403, waited, listed 8",
     "list(0+) watch(7) wait(800) list(7) wait(1600) list(7) watch(8)", false},
    {"began, listed 7, failed 404, waited, failed 404, waited, listed 8",
     "list(0+) watch(7) wait(800) list(7) wait(1600) list(7) watch(8)", false},
    {"began, failed 401, waited", "list(0+) wait(800) list(0+)", false},
    /* B2, AF3: as late as the server wants it, and not sooner than we would */
    {"began, listed 7, later 32, waited, later 1, waited",
     "list(0+) watch(7) wait(32000) watch(7) wait(1600) watch(7)", false},
    {"began, later 60, waited", "list(0+) wait(60000) list(0+)", false},
    {"began, later 5, waited", "stream() wait(5000) stream()", true},
    /* AF1, AF6: back after an outage, without the version: no grown pause before the list; once,
     * and what fails behind it waits as long as it would have */
    {"began, listed 7, failed 0, waited, failed 0, waited, failed 503, waited, failed 410, waited, "
     "listed 90",
     "list(0+) watch(7) wait(800) watch(7) wait(1600) watch(7) wait(3200) watch(7) wait(800) "
     "list(7) "
     "watch(90)",
     false},
    {"began, listed 7, failed 0, waited, failed 0, waited, error 410, waited, failed 410, waited",
     "list(0+) watch(7) wait(800) watch(7) wait(1600) watch(7) wait(800) list(7) wait(3200) "
     "list(+)",
     false},
    {"began, end 7, failed 0, waited, failed 0, waited, too-large, waited, end 3",
     "stream() complete wait(800) watch(7) wait(1600) watch(7) wait(800) stream() complete", true},
    {"began, listed 7, failed 0, waited, failed 0, waited, failed 403, waited, failed 410, waited",
     "list(0+) watch(7) wait(800) watch(7) wait(1600) watch(7) wait(3200) list(7) wait(800) "
     "list(+)",
     false},
    /* one that is away now and then, and has no version either, is not asked more often */
    {"began, listed 7, failed 0, waited, failed 410, waited, failed 0, waited, failed 410, waited, "
     "failed 0, waited",
     "list(0+) watch(7) wait(800) watch(7) wait(800) list(7) wait(1600) list(7) wait(800) list(+) "
     "wait(3200) list(+)",
     false},
    /* a watch that was of use since: that 410 has nothing to do with the outage */
    {"began, listed 7, failed 0, waited, failed 0, waited, saw 8, ended 5000, error 410, waited",
     "list(0+) watch(7) wait(800) watch(7) wait(1600) watch(7) take watch(8) wait(3200) list(8)",
     false},
    {"began, listed 7, failed 0, waited, failed 0, waited, ended 5000, failed 410, waited",
     "list(0+) watch(7) wait(800) watch(7) wait(1600) watch(7) watch(7) wait(3200) list(7)", false},
    /* W12: over at once; of one that brings something the backoff does not grow */
    {"began, listed 7, ended 999, waited, ended 0, waited",
     "list(0+) watch(7) wait(800) watch(7) wait(1600) watch(7)", false},
    {"began, listed 7, saw 8, ended 1, waited, mark 9, ended 1, waited",
     "list(0+) watch(7) take wait(800) watch(8) take wait(800) watch(9)", false},
    /* W17: nothing for too long; twice: perhaps it waits until it gets where we are */
    {"began, listed 7, silent, silent, waited", "list(0+) watch(7) watch(7) wait(800) list(7)",
     false},
    {"began, listed 7, silent, mark 7, silent, silent, waited",
     "list(0+) watch(7) watch(7) take watch(7) wait(800) list(7)", false},
    /* W8: too large, or no JSON */
    {"began, listed 7, garbled, waited", "list(0+) watch(7) wait(800) list(7)", false},
    /* W15, AF12: it has gone back */
    {"began, listed 100, saw 99, left, waited, listed 99",
     "list(0+) watch(100) leave wait(800) list(+) watch(99)", false},
    {"began, listed 10, saw 9, left", "list(0+) watch(10) leave wait(800)", false},
    {"began, listed 10, mark 9, left", "list(0+) watch(10) leave wait(800)", false},
    {"began, listed 9, saw 10, saw 10", "list(0+) watch(9) take take", false},
    /* what is no number is not compared */
    {"began, listed x9, saw x8, saw 7, saw 07, saw x", "list(0+) watch(x9) take take take take",
     false},
    /* B1: doubled up to the cap */
    {"began, failed 0, waited, failed 0, waited, failed 0, waited, failed 0, waited, failed 0, "
     "waited, failed 0, waited, failed 0, waited, failed 0",
     "list(0+) wait(800) list(0+) wait(1600) list(0+) wait(3200) list(0+) wait(6400) list(0+) "
     "wait(12800) list(0+) wait(25600) list(0+) wait(30000) list(0+) wait(30000)",
     false},
    /* and from the beginning after two minutes in which nothing failed */
    {"began, failed 0, at 800, waited, listed 7, at 120799, ended 1, waited, at 242398, ended 1, "
     "at 365598, ended 1",
     "list(0+) wait(800) list(0+) watch(7) wait(1600) watch(7) wait(3200) wait(800)", false},
};

START_TEST(steps)
    {
        struct play play = {.reflector = reflector_make(NULL, rows[_i].streams)};

        play_all(&play, rows[_i].script);
        ck_assert_str_eq(text_get(&play.told), rows[_i].told);
        text_done(&play.told);
    }
END_TEST

/* B1, W5: chance makes a wait up to twice as long, and a watch. */
START_TEST(chance)
    {
        struct reflector reflector = reflector_make(NULL, false);
        struct reflector_outcome began = {.end = REFLECTOR_BEGAN},
                                 failed = {.end = REFLECTOR_FAILED},
                                 listed = {.end = REFLECTOR_LISTED, .version = "7"};
        int64_t waits[2] = {INT64_MAX, 0}, watches[2] = {INT64_MAX, 0};

        for (uint64_t random = 0; random < 2000; random++) {
            reflector = reflector_make(NULL, false);
            reflector_next(&reflector, &began, 0, random);

            int64_t wait_ms = reflector_next(&reflector, &failed, 0, random).wait_ms;
            int64_t watch_s = reflector_next(&reflector, &listed, 0, random).timeout_s;

            waits[0] = wait_ms < waits[0] ? wait_ms : waits[0];
            waits[1] = wait_ms > waits[1] ? wait_ms : waits[1];
            watches[0] = watch_s < watches[0] ? watch_s : watches[0];
            watches[1] = watch_s > watches[1] ? watch_s : watches[1];
        }
        ck_assert_int_eq(waits[0], 800);
        ck_assert_int_eq(waits[1], 1600);
        ck_assert_int_eq(watches[0], 300);
        ck_assert_int_eq(watches[1], 600);
    }
END_TEST

/* AF12: ten minutes of doubt, when a list, and not only an event, is older. */
static const struct {
    const char *script;
    bool doubt;
} doubt_rows[] = {
    {"began, listed 100, at 1000, saw 99, left, waited", false},
    {"began, listed 100, at 1000, saw 99, left, waited, listed 100", false},
    {"began, listed 100, at 1000, saw 99, left, waited, listed 99", true},
    {"began, listed 100, at 1000, error 410, waited, listed 50, at 600999", true},
    {"began, listed 100, at 1000, error 410, waited, listed 50, at 601000", false},
    {"began, listed 100, error 410, waited, listed x", false},
};

START_TEST(doubt)
    {
        struct play play = {.reflector = reflector_make(NULL, false)};

        play_all(&play, doubt_rows[_i].script);
        ck_assert_int_eq(reflector_in_doubt(&play.reflector, play.now_ms), doubt_rows[_i].doubt);
        text_done(&play.told);
    }
END_TEST

SUITE(kube_reflector)
{
    suite_rows(tests, steps, rows);
    tcase_add_test(tests, chance);
    suite_rows(tests, doubt, doubt_rows);
}
