#pragma once

#include <stddef.h>

#include "base/span.h"

/* SHA-256 of what comes piece by piece. */

/* Bytes of a digest. */
#define DIGEST_BYTES 32

/** One under way. {0} before; release with digest_done(). */
struct digest {
    void *state;
};

/** Takes one more piece; the first one begins. */
void digest_add(struct digest *digest, struct span piece);

/** The digest of all pieces; afterwards it is {0} again. */
void digest_end(struct digest *digest, unsigned char out[DIGEST_BYTES]);

void digest_done(struct digest *digest);
