#include "tests/unit/controllers/world.h"

#include <string.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/tree.h"
#include "certs/inspect.h"
#include "tests/unit/suite.h"

#define BOOTSTRAP "make-next publish switch make-leaf"

static void start_well(struct world *world)
{
    world_start(world);
    ck_assert(world_turn(world, SIZE_MAX));
    ck_assert(world_is_well(world));
    world_wait(world, 10 * ROTATION_DAY_S);
    ck_assert(world_turn(world, SIZE_MAX));
    world->steps[0] = '\0';
    world->writes = 0;
}

START_TEST(from_nothing)
    {
        AUTO(world) struct world world;

        world_start(&world);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, BOOTSTRAP);
        /* both configurations and the map; the CA twice; the leaf */
        ck_assert_uint_eq(world.writes, 6);
        ck_assert(world_is_well(&world));

        /* a second start writes nothing */
        world_elect(&world);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_uint_eq(world.writes, 6);
    }
END_TEST

START_TEST(entries_of_others_are_left_alone)
    {
        AUTO(world) struct world world;
        const json_t *entries;

        start_well(&world);
        entries = tree_get(world.objects[CERTIFICATES_MUTATING], "webhooks");
        ck_assert_ptr_nonnull(
            tree_get(tree_get(json_array_get(entries, 0), "clientConfig"), "caBundle"));
        ck_assert_ptr_null(
            tree_get(tree_get(json_array_get(entries, 1), "clientConfig"), "caBundle"));
        ck_assert_ptr_nonnull(
            tree_get(tree_get(json_array_get(entries, 2), "clientConfig"), "caBundle"));
        ck_assert_ptr_null(
            tree_get(tree_get(json_array_get(entries, 3), "clientConfig"), "caBundle"));
    }
END_TEST

/* What somebody does to a world that is well, and what is done about it. */
struct damage {
    const char *what;
    enum certificates_object object;
    const char *path;    /* NULL: the object is deleted */
    const char *value;   /* JSON; NULL: removed */
    const char *at_once; /* steps of the first turn */
    const char *later;   /* steps of the turn six minutes after that */
    bool new_leaf;       /* the certificate is another one in the end */
};

#define BUNDLE0 "/webhooks/0/clientConfig/caBundle"
#define REBUILD "adopt make-next publish"
#define REBUILT "switch make-leaf"

static const struct damage damages[] = {
    {"nothing", CERTIFICATES_CA, "/metadata/annotations", "{}", "", "", false},

    /* what is published: F7 */
    {"caBundle overwritten", CERTIFICATES_MUTATING, BUNDLE0, "\"Zm9v\"", "publish", "", false},
    {"caBundle of the third entry", CERTIFICATES_MUTATING, "/webhooks/2/clientConfig/caBundle",
     "\"\"", "publish", "", false},
    {"caBundle removed", CERTIFICATES_VALIDATING, BUNDLE0, NULL, "publish", "", false},
    {"caBundle is a number", CERTIFICATES_VALIDATING, BUNDLE0, "7", "publish", "", false},
    {"caBundle is no base64", CERTIFICATES_VALIDATING, BUNDLE0, "\"****\"", "publish", "", false},
    {"somebody else's caBundle", CERTIFICATES_MUTATING, "/webhooks/1/clientConfig/caBundle",
     "\"Zm9v\"", "", "", false},
    {"ConfigMap deleted", CERTIFICATES_AGENT, NULL, NULL, "publish", "", false},
    {"ConfigMap emptied", CERTIFICATES_AGENT, "/data", NULL, "publish", "", false},
    {"ConfigMap edited", CERTIFICATES_AGENT, "/data/ca.crt", "\"x\"", "publish", "", false},
    {"ConfigMap with more", CERTIFICATES_AGENT, "/data/addresses", "\"x:1\"", "", "", false},
    {"bundle beside the leaf", CERTIFICATES_LEAF, "/data/ca.crt", "\"Zm9v\"", "publish", "", false},
    {"configuration deleted", CERTIFICATES_VALIDATING, NULL, NULL, "", "", false},
    {"configuration without entries", CERTIFICATES_MUTATING, "/webhooks", NULL, "", "", false},

    /* the leaf */
    {"leaf deleted", CERTIFICATES_LEAF, NULL, NULL, "make-leaf", "", true},
    {"leaf without data", CERTIFICATES_LEAF, "/data", NULL, "publish make-leaf", "", true},
    {"leaf is garbage", CERTIFICATES_LEAF, "/data/tls.crt", "\"Zm9v\"", "make-leaf", "", true},
    {"key is garbage", CERTIFICATES_LEAF, "/data/tls.key", "\"Zm9v\"", "make-leaf", "", true},
    {"key is a list", CERTIFICATES_LEAF, "/data/tls.key", "[]", "make-leaf", "", true},

    /* the CA: its leaf goes on to work */
    {"CA deleted", CERTIFICATES_CA, NULL, NULL, REBUILD, REBUILT, true},
    {"CA without data", CERTIFICATES_CA, "/data", NULL, REBUILD, REBUILT, true},
    {"CA is garbage", CERTIFICATES_CA, "/data/current.crt", "\"Zm9v\"", REBUILD, REBUILT, true},
    {"its key is lost", CERTIFICATES_CA, "/data/current.key", NULL, REBUILD, REBUILT, true},
    {"its key is garbage", CERTIFICATES_CA, "/data/current.key", "\"Zm9v\"", REBUILD, REBUILT,
     true},
    {"a next one that is none", CERTIFICATES_CA, "/data/next.crt", "\"Zm9v\"", "", "", false},
};

static json_t *value_of(const char *text)
{
    return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

static void do_damage(struct world *world, const struct damage *damage)
{
    if (damage->path)
        world_set(world, damage->object, damage->path, value_of(damage->value));
    else
        world_delete(world, damage->object);
}

START_TEST(damage_is_repaired)
    {
        const struct damage *damage = &damages[_i];
        AUTO(world) struct world world;
        AUTO(text) struct text leaf = {0};

        start_well(&world);
        text_puts(&leaf, world_leaf(&world));
        do_damage(&world, damage);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_msg(strcmp(world.steps, damage->at_once) == 0, "%s: %s", damage->what,
                      world.steps);
        world.steps[0] = '\0';
        world_wait(&world, 360);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_msg(strcmp(world.steps, damage->later) == 0, "%s: later %s", damage->what,
                      world.steps);
        ck_assert_msg(world_works(&world), "%s", damage->what);
        ck_assert_int_eq(strcmp(world_leaf(&world), text_get(&leaf)) != 0, damage->new_leaf);

        /* there is nothing left to do, for anybody */
        size_t writes = world.writes;

        world_elect(&world);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_uint_eq(world.writes, writes);
    }
END_TEST

/* With both Secrets gone there is nothing that has to go on: the old CA is trusted no more. */
START_TEST(who_deletes_both_secrets_ends_the_trust)
    {
        AUTO(world) struct world world;
        AUTO(ring) struct ring before = {0};
        AUTO(text) struct text bundle = {0};
        struct error err;

        start_well(&world);
        ring_read(world.objects[CERTIFICATES_CA], &before, &err);
        world_delete(&world, CERTIFICATES_CA);
        world_delete(&world, CERTIFICATES_LEAF);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, BOOTSTRAP);
        ck_assert(world_is_well(&world));
        text_puts(&bundle,
                  tree_text(tree_get(world.objects[CERTIFICATES_AGENT], "data"), "ca.crt"));
        ck_assert_ptr_null(strstr(text_get(&bundle), before.current.cert.data));
    }
END_TEST

/* The Secret with the certificate is lost just when the next CA is taken into use: webhooks go on
 * to serve what stood in it, so that CA stays in every bundle. */
START_TEST(a_certificate_lost_in_a_rotation_is_still_trusted)
    {
        AUTO(world) struct world world;
        AUTO(ring) struct ring before = {0};
        AUTO(text) struct text bundle = {0};
        struct error err;

        start_well(&world);
        for (int day = 0; day < 350 && !strstr(world.steps, "make-next"); day++) {
            world_wait(&world, ROTATION_DAY_S);
            ck_assert(world_turn(&world, SIZE_MAX));
        }
        ring_read(world.objects[CERTIFICATES_CA], &before, &err);
        ck_assert_ptr_nonnull(before.next.cert.data);
        world.steps[0] = '\0';
        world_wait(&world, 360);
        world_delete(&world, CERTIFICATES_LEAF);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "switch make-leaf");
        ck_assert(world_works(&world));
        text_puts(&bundle,
                  tree_text(tree_get(world.objects[CERTIFICATES_AGENT], "data"), "ca.crt"));
        ck_assert_ptr_nonnull(strstr(text_get(&bundle), before.current.cert.data));
        ck_assert_ptr_nonnull(strstr(text_get(&bundle), before.next.cert.data));
    }
END_TEST

/* The CAs are lost soon after a rotation: a webhook that has not heard of its new certificate goes
 * on to serve the one before, so both issuers stay in every bundle. */
START_TEST(both_issuers_outlive_the_loss_of_the_cas)
    {
        AUTO(world) struct world world;
        AUTO(ring) struct ring before = {0};
        AUTO(ring) struct ring after = {0};
        struct error err;

        start_well(&world);
        for (int day = 0; day < 350 && !strstr(world.steps, "switch make-leaf"); day++) {
            world_wait(&world, ROTATION_DAY_S);
            ck_assert(world_turn(&world, SIZE_MAX));
        }
        ring_read(world.objects[CERTIFICATES_CA], &before, &err);
        ck_assert_uint_eq(before.previous_count, 1);
        world.steps[0] = '\0';
        world_delete(&world, CERTIFICATES_CA);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, REBUILD);
        world_wait(&world, 360);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert(world_works(&world));
        ring_read(world.objects[CERTIFICATES_CA], &after, &err);
        ck_assert_uint_eq(after.previous_count, 2);
        ck_assert_str_eq(after.previous[0].data, before.previous[0].data);
        ck_assert_str_eq(after.previous[1].data, before.current.cert.data);

        const char *agents =
            tree_text(tree_get(world.objects[CERTIFICATES_AGENT], "data"), "ca.crt");

        ck_assert_ptr_nonnull(strstr(agents, before.previous[0].data));
        ck_assert_ptr_nonnull(strstr(agents, before.current.cert.data));
        ck_assert_ptr_nonnull(strstr(agents, after.current.cert.data));
    }
END_TEST

/* PF1: the leader dies before and behind every write of every repair; another one goes on. */
START_TEST(a_death_at_every_write)
    {
        const struct damage *damage = &damages[_i];
        bool whole = false;

        for (size_t lives = 0; !whole; lives++) {
            AUTO(world) struct world world;

            start_well(&world);
            do_damage(&world, damage);
            whole = world_turn(&world, lives);
            world_elect(&world);
            ck_assert(world_turn(&world, SIZE_MAX));
            world_wait(&world, 360);
            ck_assert(world_turn(&world, SIZE_MAX));
            ck_assert_msg(world_works(&world), "%s, after %zu", damage->what, lives);
        }
    }
END_TEST

START_TEST(a_death_at_every_write_of_the_first_start)
    {
        for (size_t lives = 0; lives <= 6; lives++) {
            AUTO(world) struct world world;

            world_start(&world);
            ck_assert(world_turn(&world, lives) == (lives == 6));
            world_elect(&world);
            ck_assert(world_turn(&world, SIZE_MAX));
            ck_assert_msg(world_is_well(&world), "after %zu", lives);
        }
    }
END_TEST

/* Two leaders: who decided by what is not true any more, writes nothing. LE6, PF2. */
START_TEST(who_is_late_writes_nothing)
    {
        for (size_t step = 0; step < 4; step++) {
            AUTO(world) struct world world;
            AUTO(certificates_plan) struct certificates_plan late = {0};
            struct certificates_memory memory = {0};
            struct error err;
            size_t lives[] = {0, 1, 4, 5};

            world_start(&world);
            world_turn(&world, lives[step]);

            struct certificates_seen seen = world_see(&world, false);

            ck_assert(certificates_next(&seen, &memory, &late, &err));
            ck_assert_uint_gt(late.count, 0);
            ck_assert(world_turn(&world, SIZE_MAX));
            ck_assert(world_is_well(&world));
            for (size_t i = 0; i < late.count; i++)
                ck_assert(!world_write(&world, &late.writes[i]));
            ck_assert(world_is_well(&world));
        }
    }
END_TEST

/* Almost a year of a leader who looks once a day, and twice at that: the CA is renewed once, with
 * overlap, and no moment without service (world_turn() looks after every write). */
START_TEST(a_year)
    {
        AUTO(world) struct world world;
        size_t bundles_of_two = 0;

        start_well(&world);
        for (int day = 0; day < 350; day++) {
            world_wait(&world, ROTATION_DAY_S - 360);
            ck_assert(world_turn(&world, SIZE_MAX));
            world_wait(&world, 360);
            ck_assert(world_turn(&world, SIZE_MAX));

            AUTO(ring) struct ring ring = {0};
            struct error err;

            ring_read(world.objects[CERTIFICATES_CA], &ring, &err);
            ck_assert_str_eq(err.message, "");
            bundles_of_two += ring.previous_count > 0 || ring.next.cert.data;
        }
        ck_assert(world_is_well(&world));
        /* a leaf may become due while the new CA settles, and is then one of the old */
        ck_assert_msg(strstr(world.steps, "make-next publish switch make-leaf") ||
                          strstr(world.steps, "make-next publish make-leaf switch make-leaf"),
                      "steps: %s", world.steps);
        ck_assert_ptr_nonnull(strstr(world.steps, "retire publish"));
        /* about as long as a leaf lives */
        ck_assert_uint_gt(bundles_of_two, 20);
        ck_assert_uint_lt(bundles_of_two, 100);
    }
END_TEST

START_TEST(what_can_not_be_read_is_not_lost)
    {
        for (int object = 0; object < CERTIFICATES_OBJECTS; object++) {
            AUTO(world) struct world world;
            AUTO(text) struct text leaf = {0};

            start_well(&world);
            text_puts(&leaf, world_leaf(&world));
            world.unreadable[object] = true;
            ck_assert(world_turn(&world, SIZE_MAX));
            world_wait(&world, 3600);
            ck_assert(world_turn(&world, SIZE_MAX));
            ck_assert_str_eq(world.steps, "");
            if (object != CERTIFICATES_CA && object != CERTIFICATES_LEAF) {
                /* and the CA is lost at the same time: its leaf is left alone */
                world_delete(&world, CERTIFICATES_CA);
                ck_assert(world_turn(&world, SIZE_MAX));
            }
            ck_assert_str_eq(world_leaf(&world), text_get(&leaf));
            world.unreadable[object] = false;
            ck_assert(world_turn(&world, SIZE_MAX));
            world_wait(&world, 360);
            ck_assert(world_turn(&world, SIZE_MAX));
            ck_assert(world_is_well(&world));
        }
    }
END_TEST

/* PF3, AF13 */
START_TEST(with_a_doubted_clock_nothing_is_made)
    {
        AUTO(world) struct world world;

        start_well(&world);
        world.doubted = true;
        world.now_s += 10 * 365 * ROTATION_DAY_S;
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "");
        /* what heals without a clock is healed */
        world_set(&world, CERTIFICATES_MUTATING, BUNDLE0, json_string("Zm9v"));
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "publish");
    }
END_TEST

START_TEST(a_place_that_refuses_holds_nothing_up)
    {
        AUTO(world) struct world world;

        start_well(&world);
        world.refuses = true;
        world_set(&world, CERTIFICATES_MUTATING, BUNDLE0, json_string("Zm9v"));
        world_delete(&world, CERTIFICATES_LEAF);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "publish make-leaf");
        world.refuses = false;
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert(world_is_well(&world));
    }
END_TEST

START_TEST(beside_stash_the_mutator_gets_nothing)
    {
        AUTO(world) struct world world;
        const json_t *entry;

        world_start(&world);
        world.stash = true;
        ck_assert(world_turn(&world, SIZE_MAX));
        entry = json_array_get(tree_get(world.objects[CERTIFICATES_MUTATING], "webhooks"), 0);
        ck_assert_ptr_null(tree_get(tree_get(entry, "clientConfig"), "caBundle"));
        ck_assert(world_works(&world));
        world.steps[0] = '\0';
        world.stash = false;
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "publish");
        ck_assert(world_is_well(&world));
    }
END_TEST

/* Somebody else makes certificates: what he says is published and healed, and nothing is made. */
START_TEST(certificates_of_others)
    {
        AUTO(world) struct world theirs;
        AUTO(world) struct world world;
        AUTO(text) struct text bundle = {0};

        start_well(&theirs);
        ck_assert(secret_member(theirs.objects[CERTIFICATES_LEAF], "ca.crt", &bundle));
        world_start(&world);
        world.source = _i ? CERTIFICATES_FILES : CERTIFICATES_CERT_MANAGER;
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "");
        world.bundle = text_get(&bundle);
        world.objects[CERTIFICATES_LEAF] = tree_copy(theirs.objects[CERTIFICATES_LEAF]);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "publish");
        ck_assert(world_works(&world));
        ck_assert_ptr_null(world.objects[CERTIFICATES_CA]);
        world_set(&world, CERTIFICATES_VALIDATING, BUNDLE0, NULL);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "publish publish");
        /* a bundle that can not be read takes nothing away */
        world.bundle = "";
        world_set(&world, CERTIFICATES_LEAF, "/data/ca.crt", json_string("Zm9v"));
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "publish publish");
        ck_assert(world_works(&world));
    }
END_TEST

static const char *addresses_of(const struct world *world)
{
    return tree_text(tree_get(world->objects[CERTIFICATES_AGENT], "data"), "addresses");
}

static bool agents_trust(const struct world *world)
{
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;
    bool good = false;

    ck_assert(certs_list_read(
        tree_span(tree_get(world->objects[CERTIFICATES_AGENT], "data"), "ca.crt"), &list, &err));
    for (size_t i = 0; i < list.count; i++)
        good |= certs_signed_by(certs_pem_span(&world->agents.pair.cert),
                                certs_pem_span(&list.items[i]));
    return good && certs_pair_fits(certs_pem_span(&world->agents.pair.cert),
                                   certs_pem_span(&world->agents.pair.key));
}

#define CLUSTER_IP "{\"metadata\": {}, \"spec\": {\"clusterIP\": \"%s\"}}"

static void serve_at(struct world *world, const char *ip)
{
    AUTO(free) char *service = text_format(CLUSTER_IP, ip);

    json_decref(world->objects[CERTIFICATES_AGENTS]);
    world->objects[CERTIFICATES_AGENTS] = json_loads(service, 0, NULL);
    world->serves = true;
    ck_assert(world_turn(world, SIZE_MAX));
}

static const struct {
    const char *ip, *addresses;
} address_rows[] = {
    {"10.96.0.9", "granary-agents.granary-system.svc:443\n10.96.0.9:443\n"},
    {"fd00::9", "granary-agents.granary-system.svc:443\n[fd00::9]:443\n"},
    {"None", "granary-agents.granary-system.svc:443\n"},
    {"", "granary-agents.granary-system.svc:443\n"},
    {"10.0.0.1\\nevil:1", "granary-agents.granary-system.svc:443\n"},
};

START_TEST(agents_are_told_where_we_are)
    {
        AUTO(world) struct world world;
        size_t writes;

        world_start(&world);
        serve_at(&world, address_rows[_i].ip);
        ck_assert_str_eq(addresses_of(&world), address_rows[_i].addresses);
        ck_assert(agents_trust(&world));
        ck_assert(world_is_well(&world));
        /* the leaf is in nobody's memory but the leader's: another makes his own, and writes
         * nothing */
        writes = world.writes;
        world.steps[0] = '\0';
        world_elect(&world);
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "make-leaf");
        ck_assert_uint_eq(world.writes, writes);
        ck_assert(agents_trust(&world));
        /* what somebody else writes there is put right */
        world_set(&world, CERTIFICATES_AGENT, "/data/addresses", json_string("evil:1"));
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(addresses_of(&world), address_rows[_i].addresses);
    }
END_TEST

START_TEST(another_address_is_another_leaf)
    {
        AUTO(world) struct world world;

        start_well(&world);
        serve_at(&world, "10.96.0.9");
        world.steps[0] = '\0';
        /* who can not read the Service keeps what he has */
        world.unreadable[CERTIFICATES_AGENTS] = true;
        ck_assert(world_turn(&world, SIZE_MAX));
        ck_assert_str_eq(world.steps, "");
        world.unreadable[CERTIFICATES_AGENTS] = false;
        world_wait(&world, 600);
        serve_at(&world, "10.96.0.10");
        ck_assert_str_eq(world.steps, "publish make-leaf");
        ck_assert_str_eq(world.agents.address, "10.96.0.10");
        ck_assert(agents_trust(&world));
    }
END_TEST

/* The CA in the ConfigMap is always one that signed the leaf in use. */
START_TEST(a_year_of_agents)
    {
        AUTO(world) struct world world;

        start_well(&world);
        serve_at(&world, "10.96.0.9");
        for (int day = 0; day < 400; day++) {
            world_wait(&world, ROTATION_DAY_S);
            for (int turn = 0; turn < 3; turn++) {
                ck_assert(world_turn(&world, SIZE_MAX));
                ck_assert(agents_trust(&world));
                world_wait(&world, 400);
            }
        }
        ck_assert(world_is_well(&world));
    }
END_TEST

START_TEST(with_certificates_of_others_no_leaf_is_made)
    {
        AUTO(world) struct world world;

        world_start(&world);
        world.source = CERTIFICATES_CERT_MANAGER;
        serve_at(&world, "10.96.0.9");
        ck_assert_str_eq(world.steps, "");
        ck_assert_ptr_null(world.agents.pair.cert.data);
    }
END_TEST

SUITE(controllers_certificates)
{
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, from_nothing);
    tcase_add_test(tests, entries_of_others_are_left_alone);
    suite_rows(tests, damage_is_repaired, damages);
    tcase_add_test(tests, who_deletes_both_secrets_ends_the_trust);
    tcase_add_test(tests, a_certificate_lost_in_a_rotation_is_still_trusted);
    tcase_add_test(tests, both_issuers_outlive_the_loss_of_the_cas);
    suite_rows(tests, a_death_at_every_write, damages);
    tcase_add_test(tests, a_death_at_every_write_of_the_first_start);
    tcase_add_test(tests, who_is_late_writes_nothing);
    tcase_add_test(tests, a_year);
    tcase_add_test(tests, what_can_not_be_read_is_not_lost);
    tcase_add_test(tests, with_a_doubted_clock_nothing_is_made);
    tcase_add_test(tests, a_place_that_refuses_holds_nothing_up);
    tcase_add_test(tests, beside_stash_the_mutator_gets_nothing);
    tcase_add_loop_test(tests, certificates_of_others, 0, 2);
    suite_rows(tests, agents_are_told_where_we_are, address_rows);
    tcase_add_test(tests, another_address_is_another_leaf);
    tcase_add_test(tests, a_year_of_agents);
    tcase_add_test(tests, with_certificates_of_others_no_leaf_is_made);
}
