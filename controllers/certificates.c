#include "controllers/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/base64.h"
#include "base/limits.h"
#include "base/tree.h"
#include "certs/inspect.h"

#define CA_NAME "granary CA"
#define KEY_CERT "tls.crt"
#define KEY_KEY "tls.key"
#define KEY_BUNDLE "ca.crt"
#define KEY_ADDRESSES "addresses"

static const struct kube_resource secrets = {"", "v1", "secrets", "Secret", true};
static const struct kube_resource config_maps = {"", "v1", "configmaps", "ConfigMap", true};
static const struct kube_resource services = {"", "v1", "services", "Service", true};
static const struct kube_resource mutating = {"admissionregistration.k8s.io", "v1",
                                              "mutatingwebhookconfigurations",
                                              "MutatingWebhookConfiguration", false};
static const struct kube_resource validating = {"admissionregistration.k8s.io", "v1",
                                                "validatingwebhookconfigurations",
                                                "ValidatingWebhookConfiguration", false};

static const struct {
    const struct kube_resource *resource;
    const char *name, *type; /* of a Secret */
    bool place;              /* clients read there whom to trust */
} objects[CERTIFICATES_OBJECTS] = {
    [CERTIFICATES_CA] = {&secrets, "granary-ca", "Opaque", false},
    [CERTIFICATES_LEAF] = {&secrets, "granary-webhook-tls", "kubernetes.io/tls", false},
    [CERTIFICATES_MUTATING] = {&mutating, "granary-webhook", NULL, true},
    [CERTIFICATES_VALIDATING] = {&validating, "granary-webhook", NULL, true},
    [CERTIFICATES_AGENT] = {&config_maps, IDENTITY_CONFIGMAP, NULL, true},
    [CERTIFICATES_AGENTS] = {&services, CERTIFICATES_AGENTS_SERVICE, NULL, false},
};

const struct kube_resource *certificates_resource(enum certificates_object object)
{
    return objects[object].resource;
}

const char *certificates_name(enum certificates_object object)
{
    return objects[object].name;
}

/* What was seen, read. */
struct view {
    const struct certificates_seen *seen;
    struct ring ring;
    struct text bundle;            /* what has to be everywhere; empty: not known */
    struct certs_pem leaf, issuer; /* the issuer is set when it is one that we do not keep */
    struct certs_about leaf_about;
    struct text addresses; /* of the agent API, one a line; empty: not known */
    struct rotation_seen rotation;
};

static void auto_view(struct view *view)
{
    ring_done(&view->ring);
    text_done(&view->bundle);
    text_done(&view->addresses);
    certs_pem_done(&view->leaf);
    certs_pem_done(&view->issuer);
}

/* A key may have been in it. */
static void auto_wiped(struct text *text)
{
    if (text->data)
        explicit_bzero(text->data, text->room);
    text_done(text);
}

static struct span span(const struct text *text)
{
    return (struct span){text->data, text->length};
}

static bool is_there(const struct view *view, enum certificates_object object)
{
    return view->seen->objects[object].state == CERTIFICATES_THERE;
}

static const json_t *found(const struct view *view, enum certificates_object object)
{
    return is_there(view, object) ? view->seen->objects[object].object : NULL;
}

/* Entries that call somebody else are not ours to change. */
static bool calls_us(const struct view *view, const json_t *webhook)
{
    const json_t *service = tree_at(webhook, "clientConfig.service");

    return span_is(tree_span(service, "name"), CERTIFICATES_SERVICE) &&
           span_is(tree_span(service, "namespace"), view->seen->space);
}

static bool is_configuration(enum certificates_object object)
{
    return object == CERTIFICATES_MUTATING || object == CERTIFICATES_VALIDATING;
}

/* Where something is to be published: what is not installed is no place. */
static bool is_place(const struct view *view, enum certificates_object object)
{
    if (object == CERTIFICATES_MUTATING && view->seen->mutator_waits)
        return false;
    if (is_configuration(object))
        return view->seen->objects[object].state != CERTIFICATES_ABSENT;
    if (object == CERTIFICATES_LEAF)
        return view->seen->source == CERTIFICATES_SELF && is_there(view, object);
    return objects[object].place;
}

/* What a place says, one text for each entry of it. */
struct said {
    const json_t *entries; /* of a configuration; NULL: the place is one text */
    size_t next;
    size_t entry; /* which one `text` is of */
    struct text text;
};

static void auto_said(struct said *said)
{
    text_done(&said->text);
}

static bool said_next(const struct view *view, enum certificates_object object, struct said *said)
{
    const json_t *entries = tree_get(found(view, object), "webhooks"), *entry;

    text_done(&said->text);
    while ((entry = json_array_get(entries, said->next))) {
        said->entry = said->next++;
        if (!calls_us(view, entry))
            continue;

        struct span coded = tree_span(tree_get(entry, "clientConfig"), "caBundle");

        /* one that can not be read says nothing */
        (void)(coded.length <= 2 * CERTS_MAX_BYTES && base64_decode(&said->text, coded));
        return true;
    }
    return false;
}

static void read_text(const struct view *view, enum certificates_object object, struct text *out)
{
    struct span text;

    if (object == CERTIFICATES_LEAF) {
        (void)secret_member(found(view, object), KEY_BUNDLE, out);
        return;
    }
    text = tree_span(tree_get(found(view, object), "data"), KEY_BUNDLE);
    text_add(out, text.data ? text.data : "", text.length);
}

/* Where agents find us stands beside whom they trust. */
static bool has_addresses(const struct view *view, enum certificates_object object)
{
    return object != CERTIFICATES_AGENT || view->addresses.length == 0 ||
           span_equal(tree_span(tree_get(found(view, object), "data"), KEY_ADDRESSES),
                      span(&view->addresses));
}

static bool has_exactly(const struct view *view, enum certificates_object object)
{
    AUTO(said) struct said said = {0};

    if (!is_there(view, object) || !has_addresses(view, object))
        return false;
    if (!is_configuration(object)) {
        read_text(view, object, &said.text);
        return span_equal(span(&said.text), span(&view->bundle));
    }
    while (said_next(view, object, &said))
        if (!span_equal(span(&said.text), span(&view->bundle)))
            return false;
    return true;
}

static bool bundle_has(struct span bundle, struct span cert)
{
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;

    if (!certs_list_read(bundle, &list, &err))
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (span_equal(certs_pem_span(&list.items[i]), cert))
            return true;
    return false;
}

static bool place_trusts(const struct view *view, enum certificates_object object, struct span cert)
{
    AUTO(said) struct said said = {0};

    if (!is_there(view, object))
        return false;
    if (!is_configuration(object)) {
        read_text(view, object, &said.text);
        return bundle_has(span(&said.text), cert);
    }
    while (said_next(view, object, &said))
        if (!bundle_has(span(&said.text), cert))
            return false;
    return true;
}

/* Clients in every place trust it. */
static bool is_everywhere(const struct view *view, struct span cert)
{
    for (int object = 0; object < CERTIFICATES_OBJECTS; object++)
        if (objects[object].place && is_place(view, object) && !place_trusts(view, object, cert))
            return false;
    return true;
}

/* The API server trusts it, for all that it asks us. */
static bool is_trusted_by_server(const struct view *view, struct span cert)
{
    static const enum certificates_object both[] = {CERTIFICATES_MUTATING, CERTIFICATES_VALIDATING};

    for (size_t i = 0; i < 2; i++)
        if (is_place(view, both[i]) && !place_trusts(view, both[i], cert))
            return false;
    return true;
}

/* A CA that we do not keep, but that the API server trusts and that signed the leaf. */
static bool find_published(struct view *view, enum certificates_object object)
{
    AUTO(said) struct said said = {0};
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;

    if (!is_place(view, object) || !said_next(view, object, &said) ||
        !certs_list_read(span(&said.text), &list, &err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        struct span cert = certs_pem_span(&list.items[i]);

        if (certs_signed_by(certs_pem_span(&view->leaf), cert) &&
            is_trusted_by_server(view, cert)) {
            view->issuer = certs_pem_copy(cert);
            return true;
        }
    }
    return false;
}

static bool signed_by(struct span cert, const struct certs_pem *authority)
{
    return authority->data && certs_signed_by(cert, certs_pem_span(authority));
}

/* Of those that we keep. */
static enum rotation_issuer kept_issuer_of(const struct ring *ring, struct span cert)
{
    if (signed_by(cert, &ring->current.cert))
        return ROTATION_BY_CURRENT;
    if (signed_by(cert, &ring->next.cert))
        return ROTATION_BY_NEXT;
    for (size_t i = 0; i < ring->previous_count; i++)
        if (signed_by(cert, &ring->previous[i]))
            return ROTATION_BY_PREVIOUS;
    return ROTATION_UNKNOWN;
}

static enum rotation_issuer issuer_of(struct view *view)
{
    enum rotation_issuer kept = kept_issuer_of(&view->ring, certs_pem_span(&view->leaf));

    if (kept != ROTATION_UNKNOWN)
        return kept;
    return find_published(view, CERTIFICATES_VALIDATING) ||
                   find_published(view, CERTIFICATES_MUTATING)
               ? ROTATION_BY_PUBLISHED
               : ROTATION_UNKNOWN;
}

/* "granary-webhook.<namespace>.svc" is the name that an API server looks for. */
struct names {
    char text[2][sizeof CERTIFICATES_SERVICE + NAME_MAX_CHARS + 32];
    const char *list[3];
};

static void name_webhook(const struct certificates_seen *seen, struct names *names)
{
    snprintf(names->text[0], sizeof names->text[0], "%s.%s.svc", CERTIFICATES_SERVICE, seen->space);
    snprintf(names->text[1], sizeof names->text[1], "%s.%s.svc.cluster.local", CERTIFICATES_SERVICE,
             seen->space);
    names->list[0] = names->text[0];
    names->list[1] = names->text[1];
    names->list[2] = NULL;
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

/* The cluster IP of the agents' Service; "" without one. What can not be read stays what it was. */
static void find_address(const struct view *view, char address[CERTIFICATES_ADDRESS_BYTES])
{
    const json_t *service = found(view, CERTIFICATES_AGENTS);
    const char *ip = tree_text(tree_get(service, "spec"), "clusterIP");

    if (view->seen->objects[CERTIFICATES_AGENTS].state == CERTIFICATES_UNKNOWN)
        ip = view->seen->agents->address;
    if (!ip || strspn(ip, "0123456789abcdefABCDEF.:") != strlen(ip))
        ip = "";
    snprintf(address, CERTIFICATES_ADDRESS_BYTES, "%s", ip);
}

static void write_addresses(struct view *view)
{
    char address[CERTIFICATES_ADDRESS_BYTES];

    if (!view->seen->agents)
        return;
    find_address(view, address);
    text_addf(&view->addresses, "%s.%s.svc:%d\n", CERTIFICATES_AGENTS_SERVICE, view->seen->space,
              CERTIFICATES_AGENTS_PORT);
    if (*address)
        text_addf(&view->addresses, strchr(address, ':') ? "[%s]:%d\n" : "%s:%d\n", address,
                  CERTIFICATES_AGENTS_PORT);
}

static struct rotation_leaf look_at_agents(const struct view *view)
{
    const struct certificates_leaf *kept = view->seen->agents;
    struct rotation_leaf leaf = {.managed = kept && view->seen->source == CERTIFICATES_SELF};
    char address[CERTIFICATES_ADDRESS_BYTES];
    struct certs_about about;
    struct error err;

    if (!leaf.managed || !kept->pair.cert.data ||
        !certs_about(certs_pem_span(&kept->pair.cert), &about, &err))
        return leaf;
    find_address(view, address);
    leaf.good = true;
    leaf.fits = strcmp(kept->address, address) == 0;
    leaf.issuer = kept_issuer_of(&view->ring, certs_pem_span(&kept->pair.cert));
    leaf.from_s = about.from_s;
    leaf.to_s = about.to_s;
    leaf.seed = about.seed;
    return leaf;
}

static struct rotation_leaf look_at_leaf(struct view *view)
{
    AUTO(text) struct text cert = {0};
    AUTO(wiped) struct text key = {0};
    const json_t *secret = found(view, CERTIFICATES_LEAF);
    struct rotation_leaf leaf = {.managed = view->seen->source == CERTIFICATES_SELF};
    struct names names;
    struct error err;

    if (!secret_member(secret, KEY_CERT, &cert) || !secret_member(secret, KEY_KEY, &key) ||
        !certs_pair_fits(span(&cert), span(&key)) ||
        !certs_about(span(&cert), &view->leaf_about, &err))
        return leaf;
    name_webhook(view->seen, &names);
    view->leaf = certs_pem_copy(span(&cert));
    leaf.good = true;
    leaf.fits = certs_has_names(span(&cert), names.list);
    leaf.issuer = issuer_of(view);
    leaf.from_s = view->leaf_about.from_s;
    leaf.to_s = view->leaf_about.to_s;
    leaf.seed = view->leaf_about.seed;
    return leaf;
}

/* Since when this leader has seen it everywhere; -1: it is not. */
static int64_t since_s(const struct view *view, const struct certificates_memory *before,
                       struct span cert, const char *fingerprint)
{
    if (!is_everywhere(view, cert))
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (strcmp(before->known[i].fingerprint, fingerprint) == 0)
            return before->known[i].since_s;
    return view->seen->mono_s;
}

static struct rotation_authority look_at_authority(const struct view *view,
                                                   const struct certs_pem *cert, size_t i,
                                                   const struct certificates_memory *before,
                                                   struct certificates_memory *after)
{
    struct certs_about about;
    struct error err;

    if (!cert->data || !certs_about(certs_pem_span(cert), &about, &err))
        return (struct rotation_authority){.published_s = -1};

    int64_t from_s = since_s(view, before, certs_pem_span(cert), about.fingerprint);

    if (from_s >= 0) {
        memcpy(after->known[i].fingerprint, about.fingerprint, sizeof about.fingerprint);
        after->known[i].since_s = from_s;
    }
    return (struct rotation_authority){
        .there = true,
        .from_s = about.from_s,
        .to_s = about.to_s,
        .published_s = from_s < 0 ? -1 : view->seen->mono_s - from_s,
        .seed = about.seed,
    };
}

static bool all_published(const struct view *view)
{
    for (int object = 0; object < CERTIFICATES_OBJECTS; object++)
        if (is_place(view, object) && !has_exactly(view, object))
            return false;
    return true;
}

static bool any_unknown(const struct view *view)
{
    for (int object = 0; object < CERTIFICATES_OBJECTS; object++)
        if (is_place(view, object) && view->seen->objects[object].state == CERTIFICATES_UNKNOWN)
            return true;
    return false;
}

static void look(struct view *view, struct certificates_memory *memory)
{
    const struct certificates_seen *seen = view->seen;
    struct rotation_seen *rotation = &view->rotation;
    struct certificates_memory after = {0};

    rotation->now_s = seen->now_s;
    rotation->clock_doubted = seen->clock_doubted;
    rotation->settle_s = seen->settle_s;
    rotation->current = look_at_authority(view, &view->ring.current.cert, 0, memory, &after);
    rotation->next = look_at_authority(view, &view->ring.next.cert, 1, memory, &after);
    rotation->previous = view->ring.previous_count;
    rotation->previous_until_s = view->ring.previous_until_s;
    rotation->leaves[ROTATION_WEBHOOK] = look_at_leaf(view);
    rotation->leaves[ROTATION_AGENTS] = look_at_agents(view);
    write_addresses(view);
    rotation->published = all_published(view);
    rotation->publish_fails = seen->publish_fails || any_unknown(view);
    *memory = after;
}

static json_t *operation(const char *op, const char *path, json_t *value_new)
{
    json_t *made = json_object();

    tree_put_text(made, "op", op);
    tree_put_text(made, "path", path);
    tree_put_new(made, "value", value_new);
    return made;
}

/* A patch of the object as it was read, and of no other state. */
static json_t *patch_of(const struct view *view, enum certificates_object object)
{
    const char *version = tree_text(tree_get(found(view, object), "metadata"), "resourceVersion");
    json_t *patch = json_array();

    tree_push_new(
        patch, operation("test", "/metadata/resourceVersion", json_string(version ? version : "")));
    return patch;
}

static json_t *object_of(const struct view *view, enum certificates_object object)
{
    json_t *made = json_object(), *metadata = json_object(), *labels = json_object();

    tree_put_text(made, "apiVersion", "v1");
    tree_put_text(made, "kind", objects[object].resource->kind);
    tree_put_text(metadata, "name", objects[object].name);
    tree_put_text(metadata, "namespace", view->seen->space);
    tree_put_text(labels, "app.kubernetes.io/part-of", "granary");
    tree_put_text(labels, "app.kubernetes.io/managed-by", "granary-controller");
    tree_put_new(metadata, "labels", labels);
    tree_put_new(made, "metadata", metadata);
    if (objects[object].type)
        tree_put_text(made, "type", objects[object].type);
    return made;
}

static void write_new(struct certificates_plan *plan, enum certificates_object object, bool create,
                      json_t *body_new)
{
    plan->writes[plan->count++] = (struct certificates_write){object, create, body_new};
}

/* All of a Secret's data. */
static void write_data_new(const struct view *view, struct certificates_plan *plan,
                           enum certificates_object object, json_t *data_new)
{
    bool create = !is_there(view, object);
    json_t *body = create ? object_of(view, object) : patch_of(view, object);

    if (create)
        tree_put_new(body, "data", data_new);
    else
        tree_push_new(body, operation("add", "/data", data_new));
    write_new(plan, object, create, body);
}

static void publish_in_configuration(const struct view *view, struct certificates_plan *plan,
                                     enum certificates_object object)
{
    AUTO(said) struct said said = {0};
    AUTO(text) struct text coded = {0};
    json_t *patch = patch_of(view, object);

    base64_encode(&coded, span(&view->bundle));
    while (said_next(view, object, &said)) {
        AUTO(free)
        char *path = text_format("/webhooks/%zu/clientConfig/caBundle", said.entry);

        if (!span_equal(span(&said.text), span(&view->bundle)))
            tree_push_new(patch, operation("add", path, json_string(text_get(&coded))));
    }
    write_new(plan, object, false, patch);
}

/* One member beside others, which stay. */
static void publish_in_data(const struct view *view, struct certificates_plan *plan,
                            enum certificates_object object)
{
    json_t *data = tree_copy(tree_member(found(view, object), "data", JSON_OBJECT));

    if (!data)
        data = json_object();
    if (object == CERTIFICATES_LEAF)
        secret_put(data, KEY_BUNDLE, span(&view->bundle));
    else
        tree_put_text(data, KEY_BUNDLE, text_get(&view->bundle));
    if (object == CERTIFICATES_AGENT && view->addresses.length > 0)
        tree_put_text(data, KEY_ADDRESSES, text_get(&view->addresses));
    write_data_new(view, plan, object, data);
}

static void publish(const struct view *view, struct certificates_plan *plan)
{
    for (int object = 0; object < CERTIFICATES_OBJECTS; object++) {
        if (!is_place(view, object) || has_exactly(view, object) ||
            view->seen->objects[object].state == CERTIFICATES_UNKNOWN)
            continue;
        if (is_configuration(object))
            publish_in_configuration(view, plan, object);
        else
            publish_in_data(view, plan, object);
    }
}

static void move(struct certs_pair *from, struct certs_pair *to)
{
    certs_pair_done(to);
    *to = *from;
    *from = (struct certs_pair){0};
}

/* A Secret that is lost at this moment is no certificate that is out of use: webhooks go on to
 * serve what stood there last. */
static int64_t needed_until_s(const struct view *view)
{
    int64_t last_s = view->seen->now_s + ROTATION_LEAF_LIFE_S;

    if (view->rotation.leaves[ROTATION_WEBHOOK].good || !view->rotation.current.there)
        return rotation_needed_until_s(&view->rotation, ROTATION_BY_CURRENT);
    return last_s < view->rotation.current.to_s ? last_s : view->rotation.current.to_s;
}

static void take_over(struct view *view)
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

static bool make_next(struct view *view, struct error *err)
{
    struct certs_wish wish = {.name = CA_NAME,
                              .from_s = view->seen->now_s - ROTATION_BACKDATE_S,
                              .to_s = view->seen->now_s + ROTATION_CA_LIFE_S};

    certs_pair_done(&view->ring.next);
    return certs_make_authority(&wish, &view->ring.next, err);
}

static bool make_leaf(const struct view *view, struct certificates_plan *plan, struct error *err)
{
    AUTO(certs_pair) struct certs_pair made = {0};
    struct names names;
    struct certs_wish wish = {.name = CERTIFICATES_SERVICE,
                              .from_s = view->seen->now_s - ROTATION_BACKDATE_S,
                              .to_s = view->seen->now_s + ROTATION_LEAF_LIFE_S};

    name_webhook(view->seen, &names);
    wish.dns = names.list;
    if (!certs_make_leaf(&wish, &view->ring.current, &made, err))
        return false;

    json_t *data = json_object();

    secret_put(data, KEY_CERT, certs_pem_span(&made.cert));
    secret_put(data, KEY_KEY, certs_pem_span(&made.key));
    secret_put(data, KEY_BUNDLE, span(&view->bundle));
    write_data_new(view, plan, CERTIFICATES_LEAF, data);
    return true;
}

/* Of a CA that was published too, when the CAs were lost, a webhook may serve a certificate that is
 * older than the one in the Secret. What every place trusts stays trusted, for as long as such a
 * certificate may live; nobody trusts more than before. */
static void keep_published(struct view *view, struct span cert)
{
    int64_t last_s = view->seen->now_s + ROTATION_LEAF_LIFE_S;
    struct certs_about about;
    struct error err;

    if (span_equal(cert, certs_pem_span(&view->issuer)) || !is_everywhere(view, cert) ||
        !certs_about(cert, &about, &err) || !about.authority || about.to_s <= view->seen->now_s)
        return;
    ring_keep(&view->ring, cert, about.to_s < last_s ? about.to_s : last_s);
}

/* The CAs were lost: of those that are published, what is needed. */
static void adopt(struct view *view)
{
    enum certificates_object place =
        is_place(view, CERTIFICATES_VALIDATING) ? CERTIFICATES_VALIDATING : CERTIFICATES_MUTATING;
    AUTO(said) struct said said = {0};
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;

    if (said_next(view, place, &said) && certs_list_read(span(&said.text), &list, &err))
        for (size_t i = 0; i < list.count; i++)
            keep_published(view, certs_pem_span(&list.items[i]));
    /* last: of too many the oldest go */
    ring_keep(&view->ring, certs_pem_span(&view->issuer), view->leaf_about.to_s);
}

/* It goes nowhere but into the memory of who serves. */
static bool make_agents_leaf(const struct view *view, struct certificates_plan *plan,
                             struct error *err)
{
    struct agent_names names;
    struct certs_wish wish = {.name = CERTIFICATES_AGENTS_SERVICE,
                              .from_s = view->seen->now_s - ROTATION_BACKDATE_S,
                              .to_s = view->seen->now_s + ROTATION_LEAF_LIFE_S};

    find_address(view, plan->agents.address);
    name_agents(view->seen, plan->agents.address, &names);
    wish.dns = names.dns;
    wish.addresses = names.addresses[0] ? names.addresses : NULL;
    return certs_make_leaf(&wish, &view->ring.current, &plan->agents.pair, err);
}

/* Changes the CAs as the step says. */
static bool change_ring(struct view *view, enum rotation_step step, struct error *err)
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

static bool carry_out(struct view *view, struct certificates_plan *plan, struct error *err)
{
    switch (plan->next.step) {
    case ROTATION_WAIT:
        return true;
    case ROTATION_PUBLISH:
        publish(view, plan);
        return true;
    case ROTATION_MAKE_LEAF:
        return plan->next.who == ROTATION_AGENTS ? make_agents_leaf(view, plan, err)
                                                 : make_leaf(view, plan, err);
    default:
        if (!change_ring(view, plan->next.step, err))
            return false;
        write_data_new(view, plan, CERTIFICATES_CA, ring_data(&view->ring));
        return true;
    }
}

static struct rotation_next wait(const char *reason)
{
    return (struct rotation_next){
        .step = ROTATION_WAIT, .look_s = ROTATION_LOOK_S, .reason = reason};
}

/* What must not be decided on half of the facts: a working certificate would be thrown away. */
static const char *missing_facts(const struct view *view)
{
    const struct rotation_leaf *leaf = &view->rotation.leaves[ROTATION_WEBHOOK];

    if (view->seen->objects[CERTIFICATES_CA].state == CERTIFICATES_UNKNOWN)
        return "Secret granary-ca can not be read";
    if (view->seen->objects[CERTIFICATES_LEAF].state == CERTIFICATES_UNKNOWN)
        return "Secret granary-webhook-tls can not be read";
    if (leaf->good && leaf->issuer == ROTATION_UNKNOWN && any_unknown(view))
        return "what is published can not be read";
    return NULL;
}

static bool next_of_our_own(struct view *view, struct certificates_memory *memory,
                            struct certificates_plan *plan, struct error *err)
{
    struct error problem;

    ring_read(found(view, CERTIFICATES_CA), &view->ring, &problem);
    snprintf(plan->problem, sizeof plan->problem, "%.*s", (int)sizeof plan->problem - 1,
             problem.message);
    ring_bundle(&view->ring, &view->bundle);
    look(view, memory);

    const char *missing = missing_facts(view);

    plan->next = missing ? wait(missing) : rotation_next(&view->rotation);
    return carry_out(view, plan, err);
}

/* What others made is published, and nothing else. */
static void take_bundle(struct view *view, struct span bundle)
{
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;

    if (!certs_list_read(bundle, &list, &err))
        return;
    for (size_t i = 0; i < list.count; i++)
        text_add(&view->bundle, list.items[i].data, list.items[i].length);
}

static bool next_of_others(struct view *view, struct certificates_memory *memory,
                           struct certificates_plan *plan, struct error *err)
{
    AUTO(text) struct text text = {0};

    if (view->seen->source == CERTIFICATES_FILES)
        take_bundle(view, view->seen->bundle);
    else if (secret_member(found(view, CERTIFICATES_LEAF), KEY_BUNDLE, &text))
        take_bundle(view, span(&text));
    look(view, memory);
    view->rotation.published = view->rotation.published && view->bundle.length > 0;
    if (view->bundle.length == 0)
        plan->next = wait("there is no bundle of CAs that can be read");
    else if (view->rotation.published)
        plan->next = wait("all is well");
    else if (view->rotation.publish_fails)
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
    AUTO(view) struct view view = {.seen = seen};
    bool ours = seen->source == CERTIFICATES_SELF;
    bool good =
        ours ? next_of_our_own(&view, memory, plan, err) : next_of_others(&view, memory, plan, err);

    plan->ca_until_s = view.rotation.current.there ? view.rotation.current.to_s : 0;
    plan->leaf_until_s = view.leaf_about.to_s;
    plan->published = view.rotation.published;
    return good;
}
