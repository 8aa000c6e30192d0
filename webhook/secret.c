#include "webhook/secret.h"

#include <gnutls/gnutls.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"

static void auto_decoded(gnutls_datum_t *decoded)
{
    if (decoded->data)
        explicit_bzero(decoded->data, decoded->size);
    gnutls_free(decoded->data);
}

static bool decode(const json_t *secret, const char *key, gnutls_datum_t *out, struct error *err)
{
    struct span coded = tree_span(tree_get(secret, "data"), key);
    const gnutls_datum_t in = {(unsigned char *)coded.data, (unsigned)coded.length};

    if (!coded.data)
        return error_set(err, ERROR_INVALID, "data has no %s", key);
    /* four characters for three bytes */
    if (coded.length / 4 * 3 > CERTS_MAX_BYTES)
        return error_set(err, ERROR_INVALID, "%s: more than %u bytes", key, CERTS_MAX_BYTES);
    if (gnutls_base64_decode2(&in, out) < 0)
        return error_set(err, ERROR_INVALID, "%s: not base64", key);
    return true;
}

bool secret_give(const json_t *secret, struct certs_store *store, struct error *err)
{
    AUTO(decoded) gnutls_datum_t cert = {0};
    AUTO(decoded) gnutls_datum_t key = {0};

    if (!decode(secret, "tls.crt", &cert, err) || !decode(secret, "tls.key", &key, err))
        return false;
    certs_store_give(store, &(struct certs_parts){
                                .cert = {"tls.crt", {(char *)cert.data, cert.size}},
                                .key = {"tls.key", {(char *)key.data, key.size}},
                            });
    return true;
}
