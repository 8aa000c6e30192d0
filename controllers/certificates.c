#include "controllers/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/tree.h"
#include "certs/inspect.h"
#include "controllers/certificates_parts.h"

#define CA_NAME "granary CA"

static void move(struct certs_pair *from, struct certs_pair *to)
{
    certs_pair_done(to);
    *to = *from;
    *from = (struct certs_pair){0};
}

/* A Secret that is lost at this moment is no certificate that is out of use: webhooks go on to
 * serve what stood there last. */
static int64_t needed_until_s(const struct certificates_view *view)
{
    int64_t last_s = view->seen->now_s + ROTATION_LEAF_LIFE_S;

    if (view->rotation.leaves[ROTATION_WEBHOOK].good || !view->rotation.current.there)
        return rotation_needed_until_s(&view->rotation, ROTATION_BY_CURRENT);
    return last_s < view->rotation.current.to_s ? last_s : view->rotation.current.to_s;
}

static void take_over(struct certificates_view *view)
{
    int64_t until_s = needed_until_s(view);

    if (until_s > view->seen->now_s)
        ring_keep(&view->ring, certs_pem_span(&view->ring.current.cert), until_s);
    move(&view->ring.next, &view->ring.current);
}

static void retire(struct ring *ring)
{
    for (size_t i = 0; i < ring->previous_count; i++)
        certs_pem_done(&ring->previous[i]);
    ring->previous_count = 0;
    ring->previous_until_s = 0;
}

static bool make_next(struct certificates_view *view, struct error *err)
{
    struct certs_wish wish = {.name = CA_NAME,
                              .from_s = view->seen->now_s - ROTATION_BACKDATE_S,
                              .to_s = view->seen->now_s + ROTATION_CA_LIFE_S};

    certs_pair_done(&view->ring.next);
    return certs_make_authority(&wish, &view->ring.next, err);
}

static bool make_leaf(const struct certificates_view *view, struct certificates_plan *plan,
                      struct error *err)
{
    AUTO(certs_pair) struct certs_pair made = {0};
    struct certificates_names names;
    struct certs_wish wish = {.name = CERTIFICATES_SERVICE,
                              .from_s = view->seen->now_s - ROTATION_BACKDATE_S,
                              .to_s = view->seen->now_s + ROTATION_LEAF_LIFE_S};

    certificates_name_webhook(view->seen, &names);
    wish.dns = names.list;
    if (!certs_make_leaf(&wish, &view->ring.current, &made, err))
        return false;

    json_t *data = json_object();

    secret_put(data, KEY_CERT, certs_pem_span(&made.cert));
    secret_put(data, KEY_KEY, certs_pem_span(&made.key));
    secret_put(data, KEY_BUNDLE, certificates_span(&view->bundle));
    certificates_write_data_new(view, plan, CERTIFICATES_LEAF, data);
    return true;
}

/* Of a CA that was published too, when the CAs were lost, a webhook may serve a certificate that is
 * older than the one in the Secret. What every place trusts stays trusted, for as long as such a
 * certificate may live; nobody trusts more than before. */
static void keep_published(struct certificates_view *view, struct span cert)
{
    int64_t last_s = view->seen->now_s + ROTATION_LEAF_LIFE_S;
    struct certs_about about;
    struct error err;

    if (span_equal(cert, certs_pem_span(&view->issuer)) ||
        !certificates_is_everywhere(view, cert) || !certs_about(cert, &about, &err) ||
        !about.authority || about.to_s <= view->seen->now_s)
        return;
    ring_keep(&view->ring, cert, about.to_s < last_s ? about.to_s : last_s);
}

/* The CAs were lost: of those that are published, what is needed. */
static void adopt(struct certificates_view *view)
{
    enum certificates_object place = certificates_is_place(view, CERTIFICATES_VALIDATING)
                                         ? CERTIFICATES_VALIDATING
                                         : CERTIFICATES_MUTATING;
    AUTO(certificates_said) struct certificates_said said = {0};
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;

    if (certificates_said_next(view, place, &said) &&
        certs_list_read(certificates_span(&said.text), &list, &err))
        for (size_t i = 0; i < list.count; i++)
            keep_published(view, certs_pem_span(&list.items[i]));
    /* last: of too many the oldest go */
    ring_keep(&view->ring, certs_pem_span(&view->issuer), view->leaf_about.to_s);
}

/* Agents ask for the second of them, or for the cluster IP where there is no DNS. */
struct agent_names {
    char text[4][sizeof CERTIFICATES_AGENTS_SERVICE + NAME_MAX_CHARS + 32];
    const char *dns[5], *addresses[2];
};

static void name_agents(const struct certificates_seen *seen, const char *address,
                        struct agent_names *names)
{
    static const char *const formats[] = {"%s.%s", "%s.%s.svc", "%s.%s.svc.cluster.local"};
    size_t count = sizeof formats / sizeof *formats;

    *names = (struct agent_names){.addresses = {*address ? address : NULL}};
    for (size_t i = 0; i < count; i++) {
        snprintf(names->text[i], sizeof names->text[i], formats[i], CERTIFICATES_AGENTS_SERVICE,
                 seen->space);
        names->dns[i] = names->text[i];
    }
    snprintf(names->text[count], sizeof names->text[count], "%s", CERTIFICATES_AGENTS_SERVICE);
    names->dns[count] = names->text[count];
}

/* It goes nowhere but into the memory of who serves. */
static bool make_agents_leaf(const struct certificates_view *view, struct certificates_plan *plan,
                             struct error *err)
{
    struct agent_names names;
    struct certs_wish wish = {.name = CERTIFICATES_AGENTS_SERVICE,
                              .from_s = view->seen->now_s - ROTATION_BACKDATE_S,
                              .to_s = view->seen->now_s + ROTATION_LEAF_LIFE_S};

    certificates_find_address(view, plan->agents.address);
    name_agents(view->seen, plan->agents.address, &names);
    wish.dns = names.dns;
    wish.addresses = names.addresses[0] ? names.addresses : NULL;
    return certs_make_leaf(&wish, &view->ring.current, &plan->agents.pair, err);
}

/* Changes the CAs as the step says. */
static bool change_ring(struct certificates_view *view, enum rotation_step step, struct error *err)
{
    switch (step) {
    case ROTATION_ADOPT:
        adopt(view);
        return true;
    case ROTATION_MAKE_NEXT:
        return make_next(view, err);
    case ROTATION_SWITCH:
        take_over(view);
        return true;
    case ROTATION_DROP_NEXT:
        certs_pair_done(&view->ring.next);
        return true;
    default:
        retire(&view->ring);
        return true;
    }
}

static bool carry_out(struct certificates_view *view, struct certificates_plan *plan,
                      struct error *err)
{
    switch (plan->next.step) {
    case ROTATION_WAIT:
        return true;
    case ROTATION_PUBLISH:
        certificates_publish(view, plan);
        return true;
    case ROTATION_MAKE_LEAF:
        return plan->next.who == ROTATION_AGENTS ? make_agents_leaf(view, plan, err)
                                                 : make_leaf(view, plan, err);
    default:
        if (!change_ring(view, plan->next.step, err))
            return false;
        certificates_write_data_new(view, plan, CERTIFICATES_CA, ring_data(&view->ring));
        return true;
    }
}

static struct rotation_next wait(const char *reason)
{
    return (struct rotation_next){
        .step = ROTATION_WAIT, .look_s = ROTATION_LOOK_S, .reason = reason};
}

/* What must not be decided on half of the facts: a working certificate would be thrown away. */
static const char *missing_facts(const struct certificates_view *view)
{
    const struct rotation_leaf *leaf = &view->rotation.leaves[ROTATION_WEBHOOK];

    if (view->seen->objects[CERTIFICATES_CA].state == CERTIFICATES_UNKNOWN)
        return "Secret granary-ca can not be read";
    if (view->seen->objects[CERTIFICATES_LEAF].state == CERTIFICATES_UNKNOWN)
        return "Secret granary-webhook-tls can not be read";
    if (leaf->good && leaf->issuer == ROTATION_UNKNOWN && certificates_any_unknown(view))
        return "what is published can not be read";
    return NULL;
}

static bool next_of_our_own(struct certificates_view *view, struct certificates_memory *memory,
                            struct certificates_plan *plan, struct error *err)
{
    struct error problem;

    ring_read(certificates_found(view, CERTIFICATES_CA), &view->ring, &problem);
    snprintf(plan->problem, sizeof plan->problem, "%.*s", (int)sizeof plan->problem - 1,
             problem.message);
    ring_bundle(&view->ring, &view->bundle);
    certificates_look(view, memory);

    const char *missing = missing_facts(view);

    plan->next = missing ? wait(missing) : rotation_next(&view->rotation);
    return carry_out(view, plan, err);
}

/* What others made is published, and nothing else. */
static void take_bundle(struct certificates_view *view, struct span bundle)
{
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;

    if (!certs_list_read(bundle, &list, &err))
        return;
    for (size_t i = 0; i < list.count; i++)
        text_add(&view->bundle, list.items[i].data, list.items[i].length);
}

static bool next_of_others(struct certificates_view *view, struct certificates_memory *memory,
                           struct certificates_plan *plan, struct error *err)
{
    AUTO(text) struct text text = {0};

    if (view->seen->source == CERTIFICATES_FILES)
        take_bundle(view, view->seen->bundle);
    else if (secret_member(certificates_found(view, CERTIFICATES_LEAF), KEY_BUNDLE, &text))
        take_bundle(view, certificates_span(&text));
    certificates_look(view, memory);
    view->rotation.published = view->rotation.published && view->bundle.length > 0;
    if (view->bundle.length == 0)
        plan->next = wait("there is no bundle of CAs that can be read");
    else if (view->rotation.published) {
        plan->next = wait("all is well");
        plan->next.calm = view->seen->source != CERTIFICATES_FILES; /* nobody tells of a file */
    } else if (view->rotation.publish_fails)
        plan->next = wait("some places can not be written");
    else
        plan->next = (struct rotation_next){
            .step = ROTATION_PUBLISH, .reason = "the bundle is not everywhere as it should be"};
    return carry_out(view, plan, err);
}

void certificates_plan_done(struct certificates_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        json_decref(plan->writes[i].body);
    certs_pair_done(&plan->agents.pair);
    *plan = (struct certificates_plan){0};
}

bool certificates_next(const struct certificates_seen *seen, struct certificates_memory *memory,
                       struct certificates_plan *plan, struct error *err)
{
    AUTO(certificates_view) struct certificates_view view = {.seen = seen};
    bool ours = seen->source == CERTIFICATES_SELF;
    bool good =
        ours ? next_of_our_own(&view, memory, plan, err) : next_of_others(&view, memory, plan, err);

    plan->ca_until_s = view.rotation.current.there ? view.rotation.current.to_s : 0;
    plan->leaf_until_s = view.leaf_about.to_s;
    plan->published = view.rotation.published;
    return good;
}
