#include "controllers/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/tree.h"
#include "certs/inspect.h"
#include "kube/time.h"

#define KEY_PREVIOUS "previous.crt"
#define KEY_UNTIL "previous-until"

void ring_done(struct ring *ring)
{
    certs_pair_done(&ring->current);
    certs_pair_done(&ring->next);
    for (size_t i = 0; i < ring->previous_count; i++)
        certs_pem_done(&ring->previous[i]);
    *ring = (struct ring){0};
}

bool secret_member(const json_t *secret, const char *key, struct text *out)
{
    struct span coded = tree_span(tree_member(secret, "data", JSON_OBJECT), key);

    return coded.length > 0 && coded.length <= 2 * CERTS_MAX_BYTES && base64_decode(out, coded);
}

void secret_put(json_t *data, const char *key, struct span bytes)
{
    AUTO(secret_text) struct text coded = {0};

    base64_encode(&coded, bytes);
    tree_put_text(data, key, text_get(&coded));
}

static struct span span(const struct text *text)
{
    return (struct span){text->data, text->length};
}

static void note(struct error *problem, const char *what, const char *why)
{
    if (*problem->message)
        return;
    error_set(problem, ERROR_INVALID, "%s: %s", what, why);
}

static bool is_authority(struct span pem)
{
    struct certs_about about;
    struct error err;

    return certs_about(pem, &about, &err) && about.authority;
}

static void read_pair(const json_t *secret, const char *name, struct certs_pair *pair,
                      struct error *problem)
{
    AUTO(secret_text) struct text cert = {0};
    AUTO(secret_text) struct text key = {0};
    AUTO(free) char *cert_key = text_format("%s.crt", name);
    AUTO(free) char *key_key = text_format("%s.key", name);
    AUTO(certs_list) struct certs_list list = {0};
    const json_t *data = tree_member(secret, "data", JSON_OBJECT);
    struct error err;

    if (!tree_get(data, cert_key) && !tree_get(data, key_key))
        return;
    if (!secret_member(secret, cert_key, &cert) || !certs_list_read(span(&cert), &list, &err) ||
        list.count != 1 || !is_authority(span(&cert)))
        return note(problem, cert_key, "not one certificate of a CA");
    if (!secret_member(secret, key_key, &key) || !certs_pair_fits(span(&cert), span(&key)))
        return note(problem, key_key, "not the key of the certificate");
    pair->cert = certs_pem_copy(certs_pem_span(&list.items[0]));
    pair->key = certs_pem_copy(span(&key));
}

/* Without a time that can be read, they are kept as long as any leaf of theirs may live. */
static int64_t read_until(const json_t *secret, const struct ring *ring, struct error *problem)
{
    AUTO(text) struct text text = {0};
    struct error err;
    int64_t until_s = 0;

    if (secret_member(secret, KEY_UNTIL, &text) && time_parse(span(&text), &until_s))
        return until_s;
    note(problem, KEY_UNTIL, "no time");
    for (size_t i = 0; i < ring->previous_count; i++) {
        struct certs_about about;

        if (certs_about(certs_pem_span(&ring->previous[i]), &about, &err) && about.to_s > until_s)
            until_s = about.to_s;
    }
    return until_s;
}

static void read_previous(const json_t *secret, struct ring *ring, struct error *problem)
{
    AUTO(text) struct text text = {0};
    AUTO(certs_list) struct certs_list list = {0};
    struct error err;

    if (!tree_get(tree_member(secret, "data", JSON_OBJECT), KEY_PREVIOUS))
        return;
    if (!secret_member(secret, KEY_PREVIOUS, &text) || !certs_list_read(span(&text), &list, &err))
        return note(problem, KEY_PREVIOUS, "not only certificates");
    for (size_t i = 0; i < list.count; i++) {
        if (is_authority(certs_pem_span(&list.items[i])))
            ring_keep(ring, certs_pem_span(&list.items[i]), 0);
        else
            note(problem, KEY_PREVIOUS, "a certificate of no CA");
    }
    if (ring->previous_count > 0)
        ring->previous_until_s = read_until(secret, ring, problem);
}

void ring_read(const json_t *secret, struct ring *ring, struct error *problem)
{
    *problem = (struct error){.message = ""};
    read_pair(secret, "current", &ring->current, problem);
    read_pair(secret, "next", &ring->next, problem);
    read_previous(secret, ring, problem);
}

static void put_pair(json_t *data, const char *name, const struct certs_pair *pair)
{
    AUTO(free) char *cert_key = text_format("%s.crt", name);
    AUTO(free) char *key_key = text_format("%s.key", name);

    if (!pair->cert.data)
        return;
    secret_put(data, cert_key, certs_pem_span(&pair->cert));
    secret_put(data, key_key, certs_pem_span(&pair->key));
}

json_t *ring_data(const struct ring *ring)
{
    AUTO(text) struct text previous = {0};
    json_t *data = json_object();
    char until[CLOCK_TEXT_BYTES];

    put_pair(data, "current", &ring->current);
    put_pair(data, "next", &ring->next);
    for (size_t i = 0; i < ring->previous_count; i++)
        text_add(&previous, ring->previous[i].data, ring->previous[i].length);
    if (ring->previous_count > 0) {
        clock_format(ring->previous_until_s * 1000, until);
        secret_put(data, KEY_PREVIOUS, span(&previous));
        secret_put(data, KEY_UNTIL, span_of(until));
    }
    return data;
}

void ring_keep(struct ring *ring, struct span cert, int64_t until_s)
{
    if (until_s > ring->previous_until_s)
        ring->previous_until_s = until_s;
    for (size_t i = 0; i < ring->previous_count; i++)
        if (span_equal(certs_pem_span(&ring->previous[i]), cert))
            return;
    if (ring->previous_count == ROTATION_PREVIOUS_MAX) {
        certs_pem_done(&ring->previous[0]);
        memmove(ring->previous, ring->previous + 1,
                (ROTATION_PREVIOUS_MAX - 1) * sizeof *ring->previous);
        ring->previous_count--;
    }
    ring->previous[ring->previous_count++] = certs_pem_copy(cert);
}

static void add(struct text *bundle, const struct certs_pem *cert)
{
    /* one that stands there already, since somebody put an old Secret back, is not needed twice */
    if (cert->data && !(bundle->data && strstr(bundle->data, cert->data)))
        text_add(bundle, cert->data, cert->length);
}

void ring_bundle(const struct ring *ring, struct text *bundle)
{
    for (size_t i = 0; i < ring->previous_count; i++)
        add(bundle, &ring->previous[i]);
    add(bundle, &ring->current.cert);
    add(bundle, &ring->next.cert);
}
