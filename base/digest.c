#include "base/digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

static gnutls_hash_hd_t state_of(struct digest *digest)
{
    gnutls_hash_hd_t state = digest->state;

    if (!state && gnutls_hash_init(&state, GNUTLS_DIG_SHA256) < 0)
        abort();
    digest->state = state;
    return state;
}

void digest_add(struct digest *digest, struct span piece)
{
    if (gnutls_hash(state_of(digest), piece.data ? piece.data : "", piece.length) < 0)
        abort();
}

void digest_end(struct digest *digest, unsigned char out[DIGEST_BYTES])
{
    gnutls_hash_deinit(state_of(digest), out);
    digest->state = NULL;
}

void digest_done(struct digest *digest)
{
    if (digest->state)
        gnutls_hash_deinit(digest->state, NULL);
    digest->state = NULL;
}
