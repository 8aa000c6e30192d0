#include "tests/unit/controllers/world.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/patch.h"
#include "base/tree.h"
#include "certs/inspect.h"

#define STEPS_MAX 12

static const char *const step_names[] = {
    [ROTATION_WAIT] = "wait",           [ROTATION_ADOPT] = "adopt",
    [ROTATION_MAKE_NEXT] = "make-next", [ROTATION_PUBLISH] = "publish",
    [ROTATION_SWITCH] = "switch",       [ROTATION_DROP_NEXT] = "drop-next",
    [ROTATION_MAKE_LEAF] = "make-leaf", [ROTATION_RETIRE] = "retire",
};

static json_t *parse(const char *text)
{
    json_t *tree = json_loads(text, 0, NULL);

    ck_assert_ptr_nonnull(tree);
    return tree;
}

static void store(struct world *world, enum certificates_object object, json_t *value_new)
{
    char version[24];

    snprintf(version, sizeof version, "%lld", (long long)++world->version);
    tree_put_text(json_object_get(value_new, "metadata"), "resourceVersion", version);
    json_decref(world->objects[object]);
    world->objects[object] = value_new;
}

#define SERVICE(name, space)                                                                       \
    "{\"clientConfig\": {\"service\": {\"name\": \"" name "\", \"namespace\": \"" space "\"}}}"
#define OURS SERVICE("granary-webhook", WORLD_SPACE)

void world_start(struct world *world)
{
    *world = (struct world){.now_s = 1704067200, .mono_s = 1000};
    store(world, CERTIFICATES_MUTATING,
          parse("{\"metadata\": {\"name\": \"granary-webhook\"}, \"webhooks\": [" OURS ", " SERVICE(
              "other", WORLD_SPACE) ", " OURS ", {\"clientConfig\": {\"url\": \"https://x\"}}]}"));
    store(world, CERTIFICATES_VALIDATING,
          parse("{\"metadata\": {\"name\": \"granary-webhook\"}, \"webhooks\": [" OURS "]}"));
}

void world_done(struct world *world)
{
    for (int i = 0; i < CERTIFICATES_OBJECTS; i++)
        json_decref(world->objects[i]);
    certs_pair_done(&world->agents.pair);
    *world = (struct world){0};
}

struct certificates_seen world_see(const struct world *world, bool publish_fails)
{
    struct certificates_seen seen = {
        .source = world->source,
        .space = WORLD_SPACE,
        .bundle = span_of(world->bundle),
        .now_s = world->now_s,
        .mono_s = world->mono_s,
        .clock_doubted = world->doubted,
        .publish_fails = publish_fails,
        .mutator_waits = world->stash,
        .agents = world->serves ? &world->agents : NULL,
    };

    for (int i = 0; i < CERTIFICATES_OBJECTS; i++) {
        seen.objects[i].object = world->unreadable[i] ? NULL : world->objects[i];
        seen.objects[i].state = world->unreadable[i] ? CERTIFICATES_UNKNOWN
                                : world->objects[i]  ? CERTIFICATES_THERE
                                                     : CERTIFICATES_ABSENT;
    }
    return seen;
}

/* No key in what everybody may read, and no byte of one as plain text anywhere. */
static void must_hold_no_key(const struct certificates_write *write)
{
    AUTO(text) struct text text = {0};

    tree_write(&text, write->body, true);
    ck_assert_ptr_null(strstr(text_get(&text), "PRIVATE"));
    if (write->object == CERTIFICATES_CA || write->object == CERTIFICATES_LEAF)
        return;
    ck_assert_ptr_null(strstr(text_get(&text), "\"current.key\""));
    ck_assert_ptr_null(strstr(text_get(&text), "\"tls.key\""));
    ck_assert_ptr_null(strstr(text_get(&text), "LS0tLS1CRUdJTiBQUklWQVRF"));
}

bool world_write(struct world *world, const struct certificates_write *write)
{
    json_t *before = world->objects[write->object];
    struct error err;

    must_hold_no_key(write);
    if (write->create ? before != NULL : before == NULL)
        return false;
    if (world->refuses && write->object != CERTIFICATES_CA && write->object != CERTIFICATES_LEAF)
        return false;

    json_t *after = write->create ? tree_copy(write->body) : patch_apply(before, write->body, &err);

    if (!after)
        return false;
    world->writes++;
    /* what the API server would refuse */
    ck_assert(tree_member(after, "metadata", JSON_OBJECT));
    store(world, write->object, tree_copy(after));
    json_decref(after);
    return true;
}

static void note(struct world *world, enum rotation_step step)
{
    size_t length = strlen(world->steps);

    snprintf(world->steps + length, sizeof world->steps - length, "%s%s", length ? " " : "",
             step_names[step]);
}

bool world_turn(struct world *world, size_t lives)
{
    bool failed = false;

    for (int step = 0; step < STEPS_MAX; step++) {
        AUTO(certificates_plan) struct certificates_plan plan = {0};
        struct certificates_seen seen = world_see(world, failed);
        struct error err;
        bool worked = world_works(world);

        ck_assert_msg(certificates_next(&seen, &world->memory, &plan, &err), "%s", err.message);
        ck_assert_ptr_nonnull(plan.next.reason);
        if (plan.agents.pair.cert.data) {
            ck_assert_uint_eq(plan.count, 0);
            note(world, plan.next.step);
            certs_pair_done(&world->agents.pair);
            world->agents = plan.agents;
            plan.agents.pair = (struct certs_pair){0};
            continue;
        }
        if (plan.count == 0) {
            ck_assert_int_eq(plan.next.step, ROTATION_WAIT);
            ck_assert_int_gt(plan.next.look_s, 0);
            return true;
        }
        note(world, plan.next.step);
        for (size_t i = 0; i < plan.count; i++) {
            if (lives-- == 0)
                return false;
            failed = !world_write(world, &plan.writes[i]) || failed;
            if (worked)
                ck_assert_msg(world_works(world), "step %s broke what worked: %s", world->steps,
                              plan.next.reason);
        }
    }
    ck_abort_msg("no end: %s", world->steps);
}

void world_wait(struct world *world, int64_t seconds)
{
    world->now_s += seconds;
    world->mono_s += seconds;
}

void world_elect(struct world *world)
{
    world->memory = (struct certificates_memory){0};
    certs_pair_done(&world->agents.pair);
    world->agents.address[0] = '\0';
}

static bool trusted(const json_t *configuration, struct span leaf)
{
    const json_t *webhook;
    size_t i;

    tree_items (tree_get(configuration, "webhooks"), i, webhook) {
        AUTO(text) struct text bundle = {0};
        AUTO(certs_list) struct certs_list list = {0};
        const char *name = tree_text(tree_at(webhook, "clientConfig.service"), "name");
        struct error err;
        bool good = false;

        if (!name || strcmp(name, "granary-webhook") != 0)
            continue;
        if (!base64_decode(&bundle, tree_span(tree_get(webhook, "clientConfig"), "caBundle")) ||
            !certs_list_read((struct span){bundle.data, bundle.length}, &list, &err))
            return false;
        for (size_t k = 0; k < list.count; k++)
            good = good || certs_signed_by(leaf, certs_pem_span(&list.items[k]));
        if (!good)
            return false;
    }
    return true;
}

bool world_works(const struct world *world)
{
    AUTO(text) struct text cert = {0};
    AUTO(text) struct text key = {0};
    const json_t *secret = world->objects[CERTIFICATES_LEAF];
    struct certs_about about;
    struct error err;

    if (!secret_member(secret, "tls.crt", &cert) || !secret_member(secret, "tls.key", &key))
        return false;

    struct span leaf = {cert.data, cert.length};

    return certs_pair_fits(leaf, (struct span){key.data, key.length}) &&
           certs_about(leaf, &about, &err) && about.from_s <= world->now_s &&
           world->now_s <= about.to_s &&
           (world->stash || trusted(world->objects[CERTIFICATES_MUTATING], leaf)) &&
           trusted(world->objects[CERTIFICATES_VALIDATING], leaf);
}

bool world_is_well(const struct world *world)
{
    AUTO(certificates_plan) struct certificates_plan plan = {0};
    AUTO(ring) struct ring ring = {0};
    struct certificates_memory memory = world->memory;
    struct certificates_seen seen = world_see(world, false);
    struct error err;

    ring_read(world->objects[CERTIFICATES_CA], &ring, &err);
    return certificates_next(&seen, &memory, &plan, &err) && plan.count == 0 && plan.published &&
           !*plan.problem && ring.current.cert.data && !ring.next.cert.data && world_works(world);
}

void world_set(struct world *world, enum certificates_object object, const char *path,
               json_t *value_new)
{
    json_t *patch = json_array(), *operation = json_object();
    struct error err;

    tree_put_text(operation, "op", value_new ? "add" : "remove");
    tree_put_text(operation, "path", path);
    tree_put_new(operation, "value", value_new);
    tree_push_new(patch, operation);

    json_t *after = patch_apply(world->objects[object], patch, &err);

    ck_assert_msg(after != NULL, "%s", err.message);
    store(world, object, tree_copy(after));
    json_decref(after);
    json_decref(patch);
}

void world_delete(struct world *world, enum certificates_object object)
{
    json_decref(world->objects[object]);
    world->objects[object] = NULL;
}

const char *world_leaf(const struct world *world)
{
    const char *coded = tree_text(tree_get(world->objects[CERTIFICATES_LEAF], "data"), "tls.crt");

    return coded ? coded : "";
}
