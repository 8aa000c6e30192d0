#include "certs/rotation.h"
#include "tests/unit/suite.h"

#define DAY ROTATION_DAY_S
#define NOW (1000 * DAY)
#define LONG (10 * DAY) /* published for so long */

/* In the middle of their lives. */
#define CA(published)                                                                              \
    {                                                                                              \
        true, NOW - 100 * DAY, NOW + 265 * DAY, published, 0                                       \
    }
#define DUE_CA(published)                                                                          \
    {                                                                                              \
        true, NOW - 245 * DAY, NOW + 120 * DAY, published, 0                                       \
    }
#define NEW_CA(published)                                                                          \
    {                                                                                              \
        true, NOW - 3600, NOW + 365 * DAY, published, 0                                            \
    }
#define DEAD_CA                                                                                    \
    {                                                                                              \
        true, NOW - 366 * DAY, NOW - 1, LONG, 0                                                    \
    }
#define FUTURE_CA                                                                                  \
    {                                                                                              \
        true, NOW + 1, NOW + 365 * DAY, LONG, 0                                                    \
    }
#define NO_CA                                                                                      \
    {                                                                                              \
        false, 0, 0, -1, 0                                                                         \
    }

#define LEAF(by)                                                                                   \
    {                                                                                              \
        true, true, true, ROTATION_##by, NOW - 10 * DAY, NOW + 80 * DAY, 0                         \
    }
#define DUE_LEAF(by)                                                                               \
    {                                                                                              \
        true, true, true, ROTATION_##by, NOW - 50 * DAY, NOW + 40 * DAY, 0                         \
    }
#define DEAD_LEAF(by)                                                                              \
    {                                                                                              \
        true, true, true, ROTATION_##by, NOW - 91 * DAY, NOW - 1, 0                                \
    }
#define FUTURE_LEAF(by)                                                                            \
    {                                                                                              \
        true, true, true, ROTATION_##by, NOW + 1, NOW + 90 * DAY, 0                                \
    }
#define MISFIT(by)                                                                                 \
    {                                                                                              \
        true, true, false, ROTATION_##by, NOW - 10 * DAY, NOW + 80 * DAY, 0                        \
    }
#define NO_LEAF                                                                                    \
    {                                                                                              \
        true, false, false, ROTATION_UNKNOWN, 0, 0, 0                                              \
    }
#define NOT_OURS                                                                                   \
    {                                                                                              \
        false, true, false, ROTATION_UNKNOWN, 0, 0, 0                                              \
    }

#define SEEN(current, next, previous, until, published, ...)                                       \
    {                                                                                              \
        NOW, false, current, next, previous, until, {__VA_ARGS__}, published, false, 0             \
    }
#define LEAVES(by) LEAF(by), LEAF(by)

static const struct {
    const char *what;
    struct rotation_seen seen;
    enum rotation_step step;
    enum rotation_who who;
} rows[] = {
    {"all is well", SEEN(CA(LONG), NO_CA, 0, 0, true, LEAVES(BY_CURRENT)), ROTATION_WAIT, 0},

    /* from nothing */
    {"nothing", SEEN(NO_CA, NO_CA, 0, 0, false, NO_LEAF, NO_LEAF), ROTATION_MAKE_NEXT, 0},
    {"made, not published", SEEN(NO_CA, NEW_CA(-1), 0, 0, false, NO_LEAF, NO_LEAF),
     ROTATION_PUBLISH, 0},
    {"published just now", SEEN(NO_CA, NEW_CA(0), 0, 0, true, NO_LEAF, NO_LEAF), ROTATION_SWITCH,
     0},
    {"switched", SEEN(NEW_CA(0), NO_CA, 0, 0, true, NO_LEAF, NO_LEAF), ROTATION_MAKE_LEAF,
     ROTATION_WEBHOOK},
    {"one leaf made", SEEN(NEW_CA(1), NO_CA, 0, 0, true, LEAF(BY_CURRENT), NO_LEAF),
     ROTATION_MAKE_LEAF, ROTATION_AGENTS},
    {"places refuse", SEEN(NO_CA, NEW_CA(-1), 0, 0, false, NO_LEAF, NO_LEAF), ROTATION_PUBLISH, 0},

    /* rotation of the CA */
    {"the day before", SEEN(CA(LONG), NO_CA, 0, 0, true, LEAVES(BY_CURRENT)), ROTATION_WAIT, 0},
    {"due", SEEN(DUE_CA(LONG), NO_CA, 0, 0, true, LEAVES(BY_CURRENT)), ROTATION_MAKE_NEXT, 0},
    {"next made", SEEN(DUE_CA(LONG), NEW_CA(-1), 0, 0, false, LEAVES(BY_CURRENT)), ROTATION_PUBLISH,
     0},
    {"next new everywhere", SEEN(DUE_CA(LONG), NEW_CA(299), 0, 0, true, LEAVES(BY_CURRENT)),
     ROTATION_WAIT, 0},
    {"next long everywhere", SEEN(DUE_CA(LONG), NEW_CA(300), 0, 0, true, LEAVES(BY_CURRENT)),
     ROTATION_SWITCH, 0},
    {"not everywhere", SEEN(DUE_CA(LONG), NEW_CA(-1), 0, 0, true, LEAVES(BY_CURRENT)),
     ROTATION_WAIT, 0},
    {"next expired meanwhile", SEEN(DUE_CA(LONG), DEAD_CA, 0, 0, true, LEAVES(BY_CURRENT)),
     ROTATION_MAKE_NEXT, 0},
    {"switched", SEEN(NEW_CA(300), NO_CA, 1, NOW + 80 * DAY, true, LEAVES(BY_PREVIOUS)),
     ROTATION_MAKE_LEAF, ROTATION_WEBHOOK},
    {"switched and restarted", SEEN(NEW_CA(0), NO_CA, 1, NOW + 80 * DAY, true, LEAVES(BY_PREVIOUS)),
     ROTATION_WAIT, 0},
    {"old leaf not over", SEEN(CA(LONG), NO_CA, 1, NOW, true, LEAVES(BY_CURRENT)), ROTATION_WAIT,
     0},
    {"old leaf over", SEEN(CA(LONG), NO_CA, 1, NOW - 1, true, LEAVES(BY_CURRENT)), ROTATION_RETIRE,
     0},
    {"old leaf over, but in use",
     SEEN(NEW_CA(0), NO_CA, 1, NOW - 1, true, LEAF(BY_CURRENT), LEAF(BY_PREVIOUS)), ROTATION_WAIT,
     0},
    {"the end is absurd", SEEN(CA(LONG), NO_CA, 1, NOW + 366 * DAY, true, LEAVES(BY_CURRENT)),
     ROTATION_RETIRE, 0},
    {"a next one without need", SEEN(CA(LONG), CA(LONG), 0, 0, true, LEAVES(BY_CURRENT)),
     ROTATION_DROP_NEXT, 0},
    {"an expired one without need", SEEN(CA(LONG), DEAD_CA, 0, 0, true, LEAVES(BY_CURRENT)),
     ROTATION_DROP_NEXT, 0},

    /* leaves */
    {"leaf due", SEEN(CA(LONG), NO_CA, 0, 0, true, LEAF(BY_CURRENT), DUE_LEAF(BY_CURRENT)),
     ROTATION_MAKE_LEAF, ROTATION_AGENTS},
    {"leaf due, bundle healed just now",
     SEEN(CA(299), NO_CA, 0, 0, true, DUE_LEAF(BY_CURRENT), LEAF(BY_CURRENT)), ROTATION_WAIT, 0},
    {"leaf lost", SEEN(CA(LONG), NO_CA, 0, 0, true, NO_LEAF, LEAF(BY_CURRENT)), ROTATION_MAKE_LEAF,
     ROTATION_WEBHOOK},
    {"leaf lost, bundle healed just now", SEEN(CA(0), NO_CA, 0, 0, true, NO_LEAF, LEAF(BY_CURRENT)),
     ROTATION_MAKE_LEAF, ROTATION_WEBHOOK},
    {"leaf lost in a rotation", SEEN(DUE_CA(LONG), NEW_CA(0), 0, 0, true, NO_LEAF, NO_LEAF),
     ROTATION_MAKE_LEAF, ROTATION_WEBHOOK},
    {"leaf expired", SEEN(CA(0), NO_CA, 0, 0, true, DEAD_LEAF(BY_CURRENT), LEAF(BY_CURRENT)),
     ROTATION_MAKE_LEAF, ROTATION_WEBHOOK},
    {"leaf not valid yet",
     SEEN(CA(0), NO_CA, 0, 0, true, LEAF(BY_CURRENT), FUTURE_LEAF(BY_CURRENT)), ROTATION_MAKE_LEAF,
     ROTATION_AGENTS},
    {"leaf of somebody", SEEN(CA(0), NO_CA, 0, 0, true, LEAF(UNKNOWN), LEAF(BY_CURRENT)),
     ROTATION_MAKE_LEAF, ROTATION_WEBHOOK},
    {"other names", SEEN(CA(LONG), NO_CA, 0, 0, true, LEAF(BY_CURRENT), MISFIT(BY_CURRENT)),
     ROTATION_MAKE_LEAF, ROTATION_AGENTS},
    {"not ours", SEEN(CA(LONG), NO_CA, 0, 0, true, NOT_OURS, LEAF(BY_CURRENT)), ROTATION_WAIT, 0},
    {"as long as its CA",
     {NOW,
      false,
      {true, NOW - 355 * DAY, NOW + 10 * DAY, LONG, 0},
      NEW_CA(10),
      0,
      0,
      {LEAF(BY_CURRENT),
       {true, true, true, ROTATION_BY_CURRENT, NOW - 80 * DAY, NOW + 10 * DAY, 0}},
      true,
      false,
      0},
     ROTATION_WAIT,
     0},

    /* what somebody broke */
    {"bundle overwritten", SEEN(CA(-1), NO_CA, 0, 0, false, LEAVES(BY_CURRENT)), ROTATION_PUBLISH,
     0},
    {"bundle overwritten, leaf lost", SEEN(CA(-1), NO_CA, 0, 0, false, NO_LEAF, NO_LEAF),
     ROTATION_PUBLISH, 0},
    {"CA lost, its leaf works", SEEN(NO_CA, NO_CA, 0, 0, false, LEAVES(BY_PUBLISHED)),
     ROTATION_ADOPT, ROTATION_WEBHOOK},
    {"adopted", SEEN(NO_CA, NO_CA, 1, NOW + 80 * DAY, true, LEAVES(BY_PREVIOUS)),
     ROTATION_MAKE_NEXT, 0},
    {"adopted, next made", SEEN(NO_CA, NEW_CA(-1), 1, NOW + 80 * DAY, false, LEAVES(BY_PREVIOUS)),
     ROTATION_PUBLISH, 0},
    {"adopted, next published",
     SEEN(NO_CA, NEW_CA(0), 1, NOW + 80 * DAY, true, LEAVES(BY_PREVIOUS)), ROTATION_WAIT, 0},
    {"CA lost, leaf unknown", SEEN(NO_CA, NO_CA, 0, 0, false, LEAVES(UNKNOWN)), ROTATION_MAKE_NEXT,
     0},
    {"an old CA put back", SEEN(CA(LONG), NO_CA, 0, 0, false, LEAF(BY_CURRENT), LEAF(BY_PUBLISHED)),
     ROTATION_ADOPT, ROTATION_AGENTS},
    {"expired and published is not adopted",
     SEEN(CA(LONG), NO_CA, 0, 0, true, LEAF(BY_CURRENT), DEAD_LEAF(BY_PUBLISHED)),
     ROTATION_MAKE_LEAF, ROTATION_AGENTS},

    /* controller away for a year, and clocks */
    {"all expired", SEEN(DEAD_CA, NO_CA, 0, 0, true, DEAD_LEAF(BY_CURRENT), NO_LEAF),
     ROTATION_MAKE_NEXT, 0},
    {"all expired, next made", SEEN(DEAD_CA, NEW_CA(0), 0, 0, true, DEAD_LEAF(BY_CURRENT), NO_LEAF),
     ROTATION_SWITCH, 0},
    {"CA not valid yet", SEEN(FUTURE_CA, NO_CA, 0, 0, true, FUTURE_LEAF(BY_CURRENT), NO_LEAF),
     ROTATION_MAKE_NEXT, 0},
};

START_TEST(each_state_has_its_step)
    {
        struct rotation_next next = rotation_next(&rows[_i].seen);

        ck_assert_msg(next.step == rows[_i].step, "%s: step %d, expected %d (%s)", rows[_i].what,
                      next.step, rows[_i].step, next.reason);
        ck_assert_msg(next.who == rows[_i].who, "%s: %d", rows[_i].what, next.who);
        if (next.step == ROTATION_WAIT)
            ck_assert_int_eq(next.look_s, ROTATION_LOOK_S);
        else
            ck_assert(!next.calm);
    }
END_TEST

static const struct {
    const char *what;
    struct rotation_seen seen;
    bool calm;
} calm_rows[] = {
    {"all is well", SEEN(CA(LONG), NO_CA, 0, 0, true, LEAVES(BY_CURRENT)), true},
    {"a leader has just begun", SEEN(CA(0), NO_CA, 0, 0, true, LEAVES(BY_CURRENT)), true},
    {"an old leaf is not over", SEEN(CA(LONG), NO_CA, 1, NOW, true, LEAVES(BY_CURRENT)), true},
    {"the next CA settles", SEEN(DUE_CA(LONG), NEW_CA(299), 0, 0, true, LEAVES(BY_CURRENT)), false},
    {"a leaf waits for its CA",
     SEEN(CA(299), NO_CA, 0, 0, true, DUE_LEAF(BY_CURRENT), LEAF(BY_CURRENT)), false},
    {"not ours", SEEN(CA(LONG), NO_CA, 0, 0, true, NOT_OURS, LEAF(BY_CURRENT)), true},
};

/* Whoever is told of changes looks rarely only when no minutes have to go by. */
START_TEST(calm_is_when_nothing_is_under_way)
    {
        struct rotation_seen doubted = calm_rows[_i].seen;
        struct rotation_next next = rotation_next(&calm_rows[_i].seen);

        ck_assert_msg(next.step == ROTATION_WAIT && next.calm == calm_rows[_i].calm, "%s: %s",
                      calm_rows[_i].what, next.reason);
        doubted.clock_doubted = true;
        ck_assert(!rotation_next(&doubted).calm);
    }
END_TEST

/* Another time in place of the usual one, for both of its uses. */
START_TEST(a_settling_time_of_ones_own)
    {
        struct rotation_seen next = SEEN(DUE_CA(LONG), NEW_CA(7), 0, 0, true, LEAVES(BY_CURRENT));
        struct rotation_seen leaf =
            SEEN(CA(7), NO_CA, 0, 0, true, DUE_LEAF(BY_CURRENT), LEAF(BY_CURRENT));

        next.settle_s = leaf.settle_s = 8;
        ck_assert_int_eq(rotation_next(&next).step, ROTATION_WAIT);
        ck_assert_int_eq(rotation_next(&leaf).step, ROTATION_WAIT);
        next.settle_s = leaf.settle_s = 7;
        ck_assert_int_eq(rotation_next(&next).step, ROTATION_SWITCH);
        ck_assert_int_eq(rotation_next(&leaf).step, ROTATION_MAKE_LEAF);
    }
END_TEST

/* With a clock that is far from the server's, what works is kept and healed, and nothing is made.
 */
START_TEST(a_doubted_clock_makes_nothing)
    {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct rotation_seen seen = rows[i].seen;

            seen.clock_doubted = true;

            enum rotation_step step = rotation_next(&seen).step;

            ck_assert_msg(step == ROTATION_WAIT || step == ROTATION_ADOPT ||
                              (step == ROTATION_PUBLISH && !seen.published),
                          "%s: step %d", rows[i].what, step);
        }
    }
END_TEST

/* A place that refuses holds up neither what is lost, nor another try later. */
START_TEST(a_refusing_place_holds_nothing_up)
    {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct rotation_seen seen = rows[i].seen;

            seen.publish_fails = true;
            ck_assert_msg(rotation_next(&seen).step != ROTATION_PUBLISH, "%s", rows[i].what);
        }

        struct rotation_seen lost = SEEN(CA(-1), NO_CA, 0, 0, false, NO_LEAF, NO_LEAF);

        lost.publish_fails = true;
        ck_assert_int_eq(rotation_next(&lost).step, ROTATION_MAKE_LEAF);
    }
END_TEST

/* The jitter only makes it earlier, and never by more than it may. */
START_TEST(renewal_is_spread)
    {
        struct rotation_seen seen = SEEN(CA(LONG), NO_CA, 0, 0, true, LEAVES(BY_CURRENT));
        int64_t first_s = 0, last_s = 0;

        for (uint64_t seed = 0; seed < 64; seed++) {
            int64_t age_s = 0;

            seen.leaves[0].seed = seed * UINT64_C(0x9e3779b97f4a7c15);
            for (; age_s < 90 * DAY; age_s += 3600) {
                seen.leaves[0].from_s = NOW - age_s;
                seen.leaves[0].to_s = NOW - age_s + 90 * DAY;
                if (rotation_next(&seen).step == ROTATION_MAKE_LEAF)
                    break;
            }
            first_s = first_s && first_s < age_s ? first_s : age_s;
            last_s = last_s > age_s ? last_s : age_s;
        }
        ck_assert_int_ge(first_s, 40 * DAY);
        ck_assert_int_le(last_s, 50 * DAY);
        ck_assert_int_gt(last_s - first_s, 7 * DAY);
    }
END_TEST

START_TEST(facts_of_leaves_in_use)
    {
        struct rotation_seen seen =
            SEEN(CA(LONG), NO_CA, 1, 0, true, LEAF(BY_CURRENT), DUE_LEAF(BY_PREVIOUS));

        ck_assert_int_eq(rotation_needed_until_s(&seen, ROTATION_BY_CURRENT), NOW + 80 * DAY);
        ck_assert_int_eq(rotation_needed_until_s(&seen, ROTATION_BY_PREVIOUS), NOW + 40 * DAY);
        ck_assert_int_eq(rotation_needed_until_s(&seen, ROTATION_BY_NEXT), 0);
        ck_assert_int_eq(rotation_expiry_s(&seen), NOW + 40 * DAY);
        seen.leaves[1].managed = false;
        ck_assert_int_eq(rotation_needed_until_s(&seen, ROTATION_BY_PREVIOUS), 0);
        ck_assert_int_eq(rotation_expiry_s(&seen), NOW + 80 * DAY);
        seen.leaves[0].good = false;
        ck_assert_int_eq(rotation_expiry_s(&seen), 0);
    }
END_TEST

SUITE(certs_rotation)
{
    suite_rows(tests, each_state_has_its_step, rows);
    suite_rows(tests, calm_is_when_nothing_is_under_way, calm_rows);
    tcase_add_test(tests, a_settling_time_of_ones_own);
    tcase_add_test(tests, a_doubted_clock_makes_nothing);
    tcase_add_test(tests, a_refusing_place_holds_nothing_up);
    tcase_add_test(tests, renewal_is_spread);
    tcase_add_test(tests, facts_of_leaves_in_use);
}
