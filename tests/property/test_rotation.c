#include <stdio.h>
#include <string.h>

#include "certs/rotation.h"
#include "tests/property/random.h"
#include "tests/unit/suite.h"

/*
 * Months of a controller's life in a world where Secrets get lost, bundles are overwritten, writes
 * fail, clocks step and controllers are away. CAs are numbers here. What must hold is said in the
 * functions that begin with "must".
 */

#define TIMEOUT_S 3600
#define CASES 150
#define DAYS 500
#define SET_MAX 16
#define STEPS_MAX 12
#define CAS_MAX 4096

/* After so long without a fault, with a controller, all is well. */
#define HEALED_S INT64_C(900)

/* A clock that is further away is noticed. */
#define DOUBT_S INT64_C(600)

struct set {
    int ids[SET_MAX];
    size_t count;
};

struct leaf {
    bool good;
    int ca;
    int64_t from_s, to_s;
};

/* Secret granary-ca. Number 0 is no CA. */
struct ring {
    int current, next;
    struct set previous;
    int64_t until_s;
};

/* Bundles: of the webhook configurations, of the ConfigMaps. */
enum place { CONFIGURATIONS, MAPS, PLACES };

struct world {
    struct random *random;
    int64_t now_s;
    int64_t skew_s; /* of the controller's clock */
    struct {
        int64_t from_s, to_s;
        int64_t since_s[PLACES]; /* in this place without a break; -1: it is not there */
    } cas[CAS_MAX];
    int made;
    struct ring ring;
    struct leaf leaves[ROTATION_LEAVES]; /* the second lives in the controller's memory */
    struct set places[PLACES];
    bool up, refuses; /* the controller runs; places can not be written */
    int64_t up_from_s, fault_s;
    struct {
        int id;
        int64_t since_s; /* of a steady clock */
    } known[2];          /* what the controller remembers of the publication of current and next */
    bool publish_failed;
    size_t leaves_made, cas_made;
};

static bool has(const struct set *set, int id)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->ids[i] == id)
            return true;
    return false;
}

static void add(struct set *set, int id)
{
    if (id == 0 || has(set, id))
        return;
    if (set->count == ROTATION_PREVIOUS_MAX + 2) {
        memmove(set->ids, set->ids + 1, (set->count - 1) * sizeof *set->ids);
        set->count--;
    }
    set->ids[set->count++] = id;
}

static struct set bundle(const struct ring *ring)
{
    struct set set = ring->previous;

    add(&set, ring->current);
    add(&set, ring->next);
    return set;
}

static bool same(const struct set *a, const struct set *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (!has(b, a->ids[i]))
            return false;
    return a->count == b->count;
}

/* Notes since when each CA is there; to be called whenever a place changes. */
static void write_place(struct world *world, enum place place, const struct set *set)
{
    world->places[place] = *set;
    for (int id = 1; id <= world->made; id++) {
        int64_t *since_s = &world->cas[id].since_s[place];

        if (!has(set, id))
            *since_s = -1;
        else if (*since_s < 0)
            *since_s = world->now_s;
    }
}

static enum place place_of(int who)
{
    return who == ROTATION_WEBHOOK ? CONFIGURATIONS : MAPS;
}

/* A client with a right clock accepts it. */
static bool works(const struct world *world, int who)
{
    const struct leaf *leaf = &world->leaves[who];

    return leaf->good && leaf->from_s <= world->now_s && world->now_s <= leaf->to_s &&
           has(&world->places[place_of(who)], leaf->ca);
}

static int64_t known_for_s(struct world *world, size_t i, int id)
{
    bool there = has(&world->places[CONFIGURATIONS], id) && has(&world->places[MAPS], id);

    if (id == 0 || !there || world->known[i].id != id || world->known[i].since_s < 0) {
        /* the next CA keeps its age when it becomes the current one */
        if (there && i == 0 && world->known[1].id == id && world->known[1].since_s >= 0) {
            world->known[0].since_s = world->known[1].since_s;
        } else
            world->known[i].since_s = there ? world->now_s : -1;
        world->known[i].id = id;
    }
    return world->known[i].since_s < 0 ? -1 : world->now_s - world->known[i].since_s;
}

static struct rotation_authority see_authority(struct world *world, size_t i, int id)
{
    return (struct rotation_authority){
        .there = id != 0,
        .from_s = world->cas[id].from_s,
        .to_s = world->cas[id].to_s,
        .published_s = known_for_s(world, i, id),
        .seed = (uint64_t)id * 7919,
    };
}

static enum rotation_issuer issuer_of(const struct world *world, int who, int ca)
{
    if (ca == world->ring.current)
        return ROTATION_BY_CURRENT;
    if (ca == world->ring.next)
        return ROTATION_BY_NEXT;
    if (has(&world->ring.previous, ca))
        return ROTATION_BY_PREVIOUS;
    return has(&world->places[place_of(who)], ca) ? ROTATION_BY_PUBLISHED : ROTATION_UNKNOWN;
}

static struct rotation_seen see(struct world *world)
{
    struct set wanted = bundle(&world->ring);
    struct rotation_seen seen = {
        .now_s = world->now_s + world->skew_s,
        .clock_doubted = world->skew_s > DOUBT_S || world->skew_s < -DOUBT_S,
        .current = see_authority(world, 0, world->ring.current),
        .next = see_authority(world, 1, world->ring.next),
        .previous = world->ring.previous.count,
        .previous_until_s = world->ring.until_s,
        .published =
            same(&wanted, &world->places[CONFIGURATIONS]) && same(&wanted, &world->places[MAPS]),
        .publish_fails = world->publish_failed,
    };

    for (int who = 0; who < ROTATION_LEAVES; who++) {
        const struct leaf *leaf = &world->leaves[who];

        seen.leaves[who] = (struct rotation_leaf){
            .managed = true,
            .good = leaf->good,
            .fits = true,
            .issuer = leaf->good ? issuer_of(world, who, leaf->ca) : ROTATION_UNKNOWN,
            .from_s = leaf->from_s,
            .to_s = leaf->to_s,
            .seed = (uint64_t)leaf->from_s,
        };
    }
    return seen;
}

static int make_ca(struct world *world, int64_t now_s)
{
    int id = ++world->made;

    ck_assert_int_lt(id, CAS_MAX);
    world->cas[id].from_s = now_s - ROTATION_BACKDATE_S;
    world->cas[id].to_s = now_s + ROTATION_CA_LIFE_S;
    world->cas[id].since_s[0] = world->cas[id].since_s[1] = -1;
    world->cas_made++;
    return id;
}

/* The first rule: no leaf by a CA that has not been everywhere long enough, if one works. */
static void must_be_published(struct world *world, int who, int ca)
{
    int64_t since_s = world->cas[ca].since_s[place_of(who)];

    if (works(world, who))
        PROPERTY_MUST(world->random,
                      since_s >= 0 && world->now_s - since_s >= ROTATION_PUBLISHED_S);
}

static void make_leaf(struct world *world, int who, int64_t now_s)
{
    int ca = world->ring.current;
    int64_t end_s = now_s + ROTATION_LEAF_LIFE_S;

    must_be_published(world, who, ca);
    world->leaves[who] = (struct leaf){true, ca, now_s - ROTATION_BACKDATE_S,
                                       end_s < world->cas[ca].to_s ? end_s : world->cas[ca].to_s};
    world->leaves_made++;
}

static void keep_previous(struct world *world, int ca, int64_t until_s)
{
    add(&world->ring.previous, ca);
    if (until_s > world->ring.until_s)
        world->ring.until_s = until_s;
}

static void publish(struct world *world)
{
    struct set wanted = bundle(&world->ring);

    for (int place = 0; place < PLACES; place++) {
        if (world->refuses && random_often(world->random, 60))
            world->publish_failed = true;
        else
            write_place(world, place, &wanted);
    }
}

static void take_over(struct world *world, const struct rotation_seen *seen)
{
    int64_t until_s = rotation_needed_until_s(seen, ROTATION_BY_CURRENT);

    if (until_s > 0)
        keep_previous(world, world->ring.current, until_s);
    world->ring.current = world->ring.next;
    world->ring.next = 0;
}

static void carry_out(struct world *world, const struct rotation_seen *seen,
                      const struct rotation_next *next)
{
    switch (next->step) {
    case ROTATION_WAIT:
        break;
    case ROTATION_ADOPT:
        keep_previous(world, world->leaves[next->who].ca, world->leaves[next->who].to_s);
        break;
    case ROTATION_MAKE_NEXT:
        world->ring.next = make_ca(world, seen->now_s);
        break;
    case ROTATION_PUBLISH:
        publish(world);
        break;
    case ROTATION_SWITCH:
        take_over(world, seen);
        break;
    case ROTATION_DROP_NEXT:
        world->ring.next = 0;
        break;
    case ROTATION_MAKE_LEAF:
        make_leaf(world, next->who, seen->now_s);
        break;
    case ROTATION_RETIRE:
        world->ring.previous = (struct set){0};
        world->ring.until_s = 0;
    }
}

/* The second rule: nothing that the controller does breaks what works. */
static void must_not_break(struct world *world, const bool *worked, enum rotation_step step)
{
    for (int who = 0; who < ROTATION_LEAVES; who++)
        if (worked[who] && !works(world, who)) {
            printf("step %d broke %d: now %lld skew %lld ring cur %d next %d prev %zu; leaf ca %d "
                   "to %lld good %d; places %zu %zu\n",
                   step, who, (long long)world->now_s, (long long)world->skew_s,
                   world->ring.current, world->ring.next, world->ring.previous.count,
                   world->leaves[who].ca, (long long)world->leaves[who].to_s,
                   world->leaves[who].good, world->places[0].count, world->places[1].count);
            PROPERTY_MUST(world->random, works(world, who));
        }
}

/* The controller's turn: steps until there is nothing to do, or it crashes between two. */
static void turn(struct world *world)
{
    int steps = 0;

    world->publish_failed = false;
    for (; steps < STEPS_MAX; steps++) {
        struct rotation_seen seen = see(world);
        struct rotation_next next = rotation_next(&seen);
        bool worked[ROTATION_LEAVES] = {works(world, 0), works(world, 1)};

        PROPERTY_MUST(world->random, next.reason);
        if (next.step == ROTATION_WAIT) {
            PROPERTY_MUST(world->random, next.look_s > 0 && next.look_s <= ROTATION_LOOK_S);
            break;
        }
        if (random_often(world->random, 5))
            break; /* the write failed; the next turn begins anew */
        carry_out(world, &seen, &next);
        must_not_break(world, worked, next.step);
    }
    PROPERTY_MUST(world->random, steps < STEPS_MAX);
}

static void start_controller(struct world *world)
{
    world->up = true;
    world->up_from_s = world->now_s;
    memset(world->known, 0, sizeof world->known);
    world->known[0].since_s = world->known[1].since_s = -1;
    world->leaves[ROTATION_AGENTS] = (struct leaf){0};
}

static void overwrite(struct world *world, enum place place)
{
    struct set foreign = {0};

    if (random_often(world->random, 50))
        add(&foreign, make_ca(world, world->now_s));
    if (random_often(world->random, 30))
        add(&foreign, world->ring.current);
    write_place(world, place, &foreign);
}

static void lose_ring(struct world *world)
{
    switch (random_below(world->random, 4)) {
    case 0:
        world->ring = (struct ring){0};
        break;
    case 1: /* the key is not that of the certificate any more */
        world->ring.current = 0;
        break;
    case 2:
        world->ring.next = 0;
        break;
    case 3: /* an old copy is put back */
        world->ring = (struct ring){.current = world->made ? 1 : 0};
    }
}

static void fault(struct world *world)
{
    static const int64_t skews_s[] = {0, 0, 0, 500, -500, 3600, -3600, 315360000, -86400};

    world->fault_s = world->now_s;
    switch (random_below(world->random, 9)) {
    case 0:
        lose_ring(world);
        break;
    case 1:
        world->leaves[ROTATION_WEBHOOK] = (struct leaf){0};
        break;
    case 2:
        overwrite(world, CONFIGURATIONS);
        break;
    case 3:
        overwrite(world, MAPS);
        break;
    case 4:
    case 5:
        start_controller(world);
        break;
    case 6:
        world->up = !world->up;
        if (world->up)
            start_controller(world);
        break;
    case 7:
        world->refuses = !world->refuses;
        break;
    case 8:
        world->skew_s = skews_s[random_below(world->random, sizeof skews_s / sizeof *skews_s)];
    }
}

/* The third rule: without faults everything works again soon, and stays so with much time left. */
static void must_be_well(struct world *world)
{
    if (!world->up || world->refuses || world->skew_s > DOUBT_S || world->skew_s < -DOUBT_S ||
        world->now_s - world->fault_s < HEALED_S)
        return;
    for (int who = 0; who < ROTATION_LEAVES; who++) {
        PROPERTY_MUST(world->random, works(world, who));
        PROPERTY_MUST(world->random, world->leaves[who].to_s - world->now_s >
                                         ROTATION_LEAF_RENEW_S - ROTATION_DAY_S);
    }
}

/* The fourth rule: one CA, apart from a rotation and the life of a leaf after it. */
static void must_be_one(struct world *world)
{
    struct set all = bundle(&world->ring);
    int64_t quiet_s = world->now_s - world->fault_s;

    PROPERTY_MUST(world->random, all.count <= ROTATION_PREVIOUS_MAX + 2);
    if (!world->up || world->refuses || quiet_s < ROTATION_LEAF_LIFE_S + ROTATION_DAY_S)
        return;
    PROPERTY_MUST(world->random, all.count <= 2);
    PROPERTY_MUST(world->random, world->ring.current != 0);
}

/* The fifth: no more is made than needed. */
static void must_be_modest(struct world *world, size_t cas_made, size_t leaves_made)
{
    PROPERTY_MUST(world->random, world->cas_made - cas_made <= 4);
    PROPERTY_MUST(world->random, world->leaves_made - leaves_made <= 24);
}

/* Looks as often as the loop does after a fault, and seldom when nothing happens. */
static int64_t pause_s(struct world *world)
{
    if (world->now_s - world->fault_s < 2 * HEALED_S)
        return 1 + (int64_t)random_below(world->random, ROTATION_LOOK_S);
    return 60 + (int64_t)random_below(world->random, 6 * 3600);
}

static void live(struct world *world, unsigned fault_percent)
{
    int64_t end_s = world->now_s + DAYS * ROTATION_DAY_S;

    while (world->now_s < end_s) {
        world->now_s += pause_s(world);
        if (fault_percent && random_often(world->random, fault_percent) &&
            (random_often(world->random, 10) || world->now_s - world->fault_s > HEALED_S))
            fault(world);
        if (world->up)
            turn(world);
        must_be_well(world);
        must_be_one(world);
    }
}

static void start_world(struct world *world, struct random *random)
{
    memset(world, 0, sizeof *world);
    world->random = random;
    world->now_s = 1704067200;
    world->fault_s = world->now_s;
    start_controller(world);
}

static void keeps_its_promises(struct random *random)
{
    static struct world world;

    start_world(&world, random);
    live(&world, 1);
    /* whatever it was, it ends */
    world.up = true;
    world.refuses = false;
    world.skew_s = 0;
    start_controller(&world);
    world.fault_s = world.now_s;
    live(&world, 0);
}

static void quiet_years_are_quiet(struct random *random)
{
    static struct world world;

    start_world(&world, random);
    live(&world, 0);
    must_be_modest(&world, 0, 0);
    live(&world, 0);
}

START_TEST(rotation_keeps_its_promises)
    {
        random_some_cases("rotation", keeps_its_promises, CASES);
    }
END_TEST

START_TEST(rotation_without_faults)
    {
        random_some_cases("quiet rotation", quiet_years_are_quiet, CASES / 10);
    }
END_TEST

SUITE(property_rotation)
{
    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_test(tests, rotation_keeps_its_promises);
    tcase_add_test(tests, rotation_without_faults);
}
