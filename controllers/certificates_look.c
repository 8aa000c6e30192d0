#include "controllers/certificates_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/tree.h"

/* A CA that we do not keep, but that the API server trusts and that signed the leaf. */
static bool find_published(struct certificates_view *view, enum certificates_object object)
{
    AUTO(certificates_said) struct certificates_said said = {0};
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;

    if (!certificates_is_place(view, object) || !certificates_said_next(view, object, &said) ||
        !certs_list_read(certificates_span(&said.text), &list, &err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        struct span cert = certs_pem_span(&list.items[i]);

        if (certs_signed_by(certs_pem_span(&view->leaf), cert) &&
            certificates_is_trusted_by_server(view, cert)) {
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

static enum rotation_issuer issuer_of(struct certificates_view *view)
{
    enum rotation_issuer kept = kept_issuer_of(&view->ring, certs_pem_span(&view->leaf));

    if (kept != ROTATION_UNKNOWN)
        return kept;
    return find_published(view, CERTIFICATES_VALIDATING) ||
                   find_published(view, CERTIFICATES_MUTATING)
               ? ROTATION_BY_PUBLISHED
               : ROTATION_UNKNOWN;
}

void certificates_name_webhook(const struct certificates_seen *seen,
                               struct certificates_names *names)
{
    snprintf(names->text[0], sizeof names->text[0], "%s.%s.svc", CERTIFICATES_SERVICE, seen->space);
    snprintf(names->text[1], sizeof names->text[1], "%s.%s.svc.cluster.local", CERTIFICATES_SERVICE,
             seen->space);
    names->list[0] = names->text[0];
    names->list[1] = names->text[1];
    names->list[2] = NULL;
}

/* The cluster IP of the agents' Service; "" without one. What can not be read stays what it was. */
void certificates_find_address(const struct certificates_view *view,
                               char address[CERTIFICATES_ADDRESS_BYTES])
{
    const json_t *service = certificates_found(view, CERTIFICATES_AGENTS);
    const char *ip = tree_text(tree_get(service, "spec"), "clusterIP");

    if (view->seen->objects[CERTIFICATES_AGENTS].state == CERTIFICATES_UNKNOWN)
        ip = view->seen->agents->address;
    if (!ip || strspn(ip, "0123456789abcdefABCDEF.:") != strlen(ip))
        ip = "";
    snprintf(address, CERTIFICATES_ADDRESS_BYTES, "%s", ip);
}

static void write_addresses(struct certificates_view *view)
{
    char address[CERTIFICATES_ADDRESS_BYTES];

    if (!view->seen->agents)
        return;
    certificates_find_address(view, address);
    text_addf(&view->addresses, "%s.%s.svc:%d\n", CERTIFICATES_AGENTS_SERVICE, view->seen->space,
              CERTIFICATES_AGENTS_PORT);
    if (*address)
        text_addf(&view->addresses, strchr(address, ':') ? "[%s]:%d\n" : "%s:%d\n", address,
                  CERTIFICATES_AGENTS_PORT);
}

static struct rotation_leaf look_at_agents(const struct certificates_view *view)
{
    const struct certificates_leaf *kept = view->seen->agents;
    struct rotation_leaf leaf = {.managed = kept && view->seen->source == CERTIFICATES_SELF};
    char address[CERTIFICATES_ADDRESS_BYTES];
    struct certs_about about;
    struct error err;

    if (!leaf.managed || !kept->pair.cert.data ||
        !certs_about(certs_pem_span(&kept->pair.cert), &about, &err))
        return leaf;
    certificates_find_address(view, address);
    leaf.good = true;
    leaf.fits = strcmp(kept->address, address) == 0;
    leaf.issuer = kept_issuer_of(&view->ring, certs_pem_span(&kept->pair.cert));
    leaf.from_s = about.from_s;
    leaf.to_s = about.to_s;
    leaf.seed = about.seed;
    return leaf;
}

static struct rotation_leaf look_at_leaf(struct certificates_view *view)
{
    AUTO(text) struct text cert = {0};
    AUTO(secret_text) struct text key = {0};
    const json_t *secret = certificates_found(view, CERTIFICATES_LEAF);
    struct rotation_leaf leaf = {.managed = view->seen->source == CERTIFICATES_SELF};
    struct certificates_names names;
    struct error err;

    if (!secret_member(secret, KEY_CERT, &cert) || !secret_member(secret, KEY_KEY, &key) ||
        !certs_pair_fits(certificates_span(&cert), certificates_span(&key)) ||
        !certs_about(certificates_span(&cert), &view->leaf_about, &err))
        return leaf;
    certificates_name_webhook(view->seen, &names);
    view->leaf = certs_pem_copy(certificates_span(&cert));
    leaf.good = true;
    leaf.fits = certs_has_names(certificates_span(&cert), names.list);
    leaf.issuer = issuer_of(view);
    leaf.from_s = view->leaf_about.from_s;
    leaf.to_s = view->leaf_about.to_s;
    leaf.seed = view->leaf_about.seed;
    return leaf;
}

/* Since when this leader has seen it everywhere; -1: it is not. */
static int64_t since_s(const struct certificates_view *view,
                       const struct certificates_memory *before, struct span cert,
                       const char *fingerprint)
{
    if (!certificates_is_everywhere(view, cert))
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (strcmp(before->known[i].fingerprint, fingerprint) == 0)
            return before->known[i].since_s;
    return view->seen->mono_s;
}

static struct rotation_authority look_at_authority(const struct certificates_view *view,
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

void certificates_look(struct certificates_view *view, struct certificates_memory *memory)
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
    rotation->published = certificates_all_published(view);
    rotation->publish_fails = seen->publish_fails || certificates_any_unknown(view);
    *memory = after;
}
