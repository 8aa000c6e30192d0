#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "base/text.h"

void text_sha256(struct span span, char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[32];

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, span.data ? span.data : "", span.length, digest) < 0)
        abort();
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
}
