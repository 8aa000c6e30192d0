#include "tests/property/random.h"
#include "tests/unit/controllers/world.h"
#include "tests/unit/suite.h"

/*
 * Months of an installation in which objects get lost, are overwritten with old states of
 * themselves, can not be read or written, leaders die between two writes, and clocks go. Each write
 * is checked by world_turn(): what worked goes on to work. What must hold beyond that is said here.
 * The same with numbers for certificates, and far more of it, is in test_rotation.c.
 */

#define CASES 12
#define EVENTS 60

static void overwrite(struct random *random, struct world *world)
{
    static const char *const paths[] = {"/webhooks/0/clientConfig/caBundle", "/data"};
    enum certificates_object object = random_below(random, CERTIFICATES_OBJECTS);
    bool configuration = object == CERTIFICATES_MUTATING || object == CERTIFICATES_VALIDATING;

    if (world->objects[object])
        world_set(world, object, paths[!configuration],
                  configuration ? json_string("Zm9v") : json_object());
}

/* An old state of an object, as a restored backup brings it. */
static void put_back(struct random *random, struct world *world, json_t **old)
{
    enum certificates_object object = random_below(random, CERTIFICATES_OBJECTS);

    if (old[object] && world->objects[object] && random_often(random, 50)) {
        json_t *data = json_object_get(old[object], "data");

        if (data)
            world_set(world, object, "/data", json_deep_copy(data));
        return;
    }
    json_decref(old[object]);
    old[object] = json_incref(world->objects[object]);
}

static void lose(struct random *random, struct world *world)
{
    static const enum certificates_object lost[] = {CERTIFICATES_CA, CERTIFICATES_LEAF,
                                                    CERTIFICATES_AGENT};

    world_delete(world, lost[random_below(random, 3)]);
}

static void event(struct random *random, struct world *world, json_t **old)
{
    switch (random_below(random, 8)) {
    case 0:
        lose(random, world);
        break;
    case 1:
        overwrite(random, world);
        break;
    case 2:
        put_back(random, world, old);
        break;
    case 3:
        world->unreadable[random_below(random, CERTIFICATES_OBJECTS)] = true;
        break;
    case 4:
        world->refuses = random_often(random, 50);
        break;
    case 5:
        world_elect(world);
        break;
    case 6:
        world->stash = random_often(random, 30);
        break;
    default:
        world_wait(world, (int64_t)random_below(random, 20 * ROTATION_DAY_S));
    }
}

static void calm(struct world *world)
{
    for (int i = 0; i < CERTIFICATES_OBJECTS; i++)
        world->unreadable[i] = false;
    world->refuses = world->stash = false;
}

static void keeps_certificates(struct random *random)
{
    json_t *old[CERTIFICATES_OBJECTS] = {NULL};
    struct world world;

    world_start(&world);
    for (int i = 0; i < EVENTS; i++) {
        event(random, &world, old);
        world.steps[0] = '\0';
        if (!world_turn(&world, random_often(random, 20) ? random_below(random, 5) : SIZE_MAX))
            world_elect(&world);
        if (random_often(random, 30))
            calm(&world);
    }
    calm(&world);
    for (int i = 0; i < 3; i++) {
        world.steps[0] = '\0';
        PROPERTY_MUST(random, world_turn(&world, SIZE_MAX));
        PROPERTY_MUST(random, world_works(&world));
        world_wait(&world, 360);
    }
    PROPERTY_MUST(random, world_turn(&world, SIZE_MAX));
    PROPERTY_MUST(random, world_is_well(&world));
    for (int i = 0; i < CERTIFICATES_OBJECTS; i++)
        json_decref(old[i]);
    world_done(&world);
}

START_TEST(certificates_survive)
    {
        random_some_cases("certificates", keeps_certificates, CASES);
    }
END_TEST

SUITE(property_certificates)
{
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, certificates_survive);
}
