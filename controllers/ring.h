#pragma once

#include <jansson.h>

#include "base/text.h"
#include "certs/make.h"
#include "certs/rotation.h"

/*
 * The CAs that are kept, and how they stand in Secret `granary-ca`:
 *
 *     current.crt, current.key  signs
 *     next.crt, next.key        is published and signs nothing yet; absent apart from a rotation
 *     previous.crt              those whose leaves still live, oldest first; without keys
 *     previous-until            RFC 3339: when the last of these leaves has expired
 */

/** {0} is none. */
struct ring {
    struct certs_pair current, next; /* cert.data NULL: there is none */
    struct certs_pem previous[ROTATION_PREVIOUS_MAX];
    size_t previous_count;
    int64_t previous_until_s; /* 0 without previous ones */
};

void ring_done(struct ring *ring);

static inline void auto_ring(struct ring *ring)
{
    ring_done(ring);
}

/**
 * Reads what stands in a Secret; each part by itself, so that a broken one takes no other with it.
 *
 * @param secret   The object; NULL or any shape. Only `data` is looked at.
 * @param ring     {0} before.
 * @param problem  What was passed over, without a byte of it; "" when nothing was.
 */
void ring_read(const json_t *secret, struct ring *ring, struct error *problem);

/** New `data` of the Secret. Of two equal rings equal. */
json_t *ring_data(const struct ring *ring);

/** Adds a CA to the previous ones (beyond ROTATION_PREVIOUS_MAX the oldest goes), until at least
 *  this time. */
void ring_keep(struct ring *ring, struct span cert, int64_t until_s);

/** Appends the certificates of all CAs: what clients have to trust. */
void ring_bundle(const struct ring *ring, struct text *bundle);

/** A member of a Secret's `data`, decoded and appended. False: absent, or no base64. */
bool secret_member(const json_t *secret, const char *key, struct text *out);

/** Sets a member of a Secret's `data`. */
void secret_put(json_t *data, const char *key, struct span bytes);
