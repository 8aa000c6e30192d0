#include "certs/check.h"

#include <assert.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"

#define RSA_MIN_BITS 2048

/* The certificates of one file, in its order. */
struct chain {
    gnutls_x509_crt_t *certs;
    unsigned count;
};

static void auto_chain(struct chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        gnutls_x509_crt_deinit(chain->certs[i]);
    gnutls_free(chain->certs);
}

static void auto_privkey(gnutls_x509_privkey_t *key)
{
    gnutls_x509_privkey_deinit(*key);
}

static gnutls_datum_t datum(struct span pem)
{
    return (gnutls_datum_t){(unsigned char *)pem.data, (unsigned)pem.length};
}

static bool invalid(struct error *err, const struct certs_part *part, const char *what)
{
    return error_set(err, ERROR_INVALID, "%s: %s", part->name, what);
}

static bool read_chain(struct chain *chain, const struct certs_part *part, struct error *err)
{
    gnutls_datum_t pem = datum(part->pem);
    int made =
        gnutls_x509_crt_list_import2(&chain->certs, &chain->count, &pem, GNUTLS_X509_FMT_PEM, 0);

    if (made >= 0 && chain->count > 0)
        return true;
    *chain = (struct chain){0};
    return made < 0 ? error_set(err, ERROR_INVALID, "%s: no certificate in PEM: %s", part->name,
                                gnutls_strerror(made))
                    : invalid(err, part, "no certificate in PEM");
}

static bool check_time(const struct certs_part *part, const struct certs_facts *facts,
                       int64_t now_s, struct error *err)
{
    char when[CLOCK_TEXT_BYTES];

    if (now_s < facts->not_before_s) {
        clock_format(facts->not_before_s * 1000, when);
        return error_set(err, ERROR_INVALID, "%s: not valid before %s", part->name, when);
    }
    if (now_s > facts->not_after_s) {
        clock_format(facts->not_after_s * 1000, when);
        return error_set(err, ERROR_INVALID, "%s: expired at %s", part->name, when);
    }
    return true;
}

bool certs_valid(const struct certs_facts *facts, int64_t now_s)
{
    return facts->not_before_s <= now_s && now_s <= facts->not_after_s;
}

/* Clients look at alternative names only: RFC 6125, and Go since 1.15. */
static bool check_name(const struct certs_part *part, gnutls_x509_crt_t leaf,
                       struct certs_facts *facts, struct error *err)
{
    unsigned char name[sizeof facts->name];
    size_t size = sizeof name;
    int type = gnutls_x509_crt_get_subject_alt_name(leaf, 0, name, &size, NULL);

    if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
        return invalid(err, part, "its first alternative name is too long");
    if (type < 0)
        return invalid(err, part, "no subject alternative name, so clients will not accept it");
    if (type != GNUTLS_SAN_IPADDRESS) {
        AUTO(free)
        char *printable = text_printable((struct span){(char *)name, size}, sizeof name - 1);

        snprintf(facts->name, sizeof facts->name, "%s", printable);
        return true;
    }
    return size == 4 ? snprintf(facts->name, sizeof facts->name, "%u.%u.%u.%u", name[0], name[1],
                                name[2], name[3]) > 0
                     : snprintf(facts->name, sizeof facts->name, "an IPv6 address") > 0;
}

/* No extended key usage at all means every use. */
static bool for_servers(gnutls_x509_crt_t leaf)
{
    char oid[64];
    size_t size = sizeof oid;

    for (unsigned i = 0; gnutls_x509_crt_get_key_purpose_oid(leaf, i, oid, &size, NULL) !=
                         GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
         i++, size = sizeof oid) {
        if (strcmp(oid, GNUTLS_KP_TLS_WWW_SERVER) == 0 || strcmp(oid, GNUTLS_KP_ANY) == 0)
            return true;
        if (i > 32)
            return false;
    }
    size = sizeof oid;
    return gnutls_x509_crt_get_key_purpose_oid(leaf, 0, oid, &size, NULL) ==
           GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

static bool check_strength(const struct certs_part *part, gnutls_x509_crt_t cert, bool root,
                           struct error *err)
{
    unsigned bits = 0;
    int algorithm = gnutls_x509_crt_get_pk_algorithm(cert, &bits);
    int sign = gnutls_x509_crt_get_signature_algorithm(cert);

    if ((algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_RSA_PSS) && bits < RSA_MIN_BITS)
        return error_set(err, ERROR_INVALID, "%s: an RSA key of %u bits, at least %d are needed",
                         part->name, bits, RSA_MIN_BITS);
    if (!root && (sign < 0 || !gnutls_sign_is_secure2(sign, GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS)))
        return error_set(err, ERROR_INVALID, "%s: signed with %s, which clients refuse", part->name,
                         sign < 0 ? "an unknown algorithm" : gnutls_sign_get_name(sign));
    return true;
}

/* A chain lives as long as its shortest member. */
static bool check_chain(const struct certs_part *part, const struct chain *chain,
                        struct certs_facts *facts, struct error *err)
{
    facts->not_before_s = INT64_MIN;
    facts->not_after_s = INT64_MAX;
    for (unsigned i = 0; i < chain->count; i++) {
        gnutls_x509_crt_t cert = chain->certs[i];
        int64_t from_s = gnutls_x509_crt_get_activation_time(cert);
        int64_t to_s = gnutls_x509_crt_get_expiration_time(cert);

        if (from_s < 0 || to_s < 0)
            return invalid(err, part, "its validity can not be read");
        if (from_s > facts->not_before_s)
            facts->not_before_s = from_s;
        if (to_s < facts->not_after_s)
            facts->not_after_s = to_s;
        /* the signature of a root is its own and nobody checks it */
        if (!check_strength(part, cert, gnutls_x509_crt_check_issuer(cert, cert), err))
            return false;
    }
    return true;
}

static void describe(gnutls_x509_crt_t leaf, struct certs_facts *facts)
{
    unsigned char serial[20];
    size_t size = sizeof serial;
    const char *algorithm =
        gnutls_pk_algorithm_get_name(gnutls_x509_crt_get_pk_algorithm(leaf, NULL));

    facts->serial[0] = '\0';
    if (gnutls_x509_crt_get_serial(leaf, serial, &size) == 0)
        for (size_t i = 0; i < size; i++)
            snprintf(facts->serial + 2 * i, 3, "%02x", serial[i]);
    if (algorithm && strncmp(algorithm, "EC", 2) == 0)
        algorithm = "ECDSA";
    snprintf(facts->algorithm, sizeof facts->algorithm, "%s", algorithm ? algorithm : "unknown");
}

static bool check_key(const struct certs_parts *parts, gnutls_x509_crt_t leaf, struct error *err)
{
    AUTO(privkey) gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t pem = datum(parts->key.pem);
    unsigned char of_key[64], of_cert[64];
    size_t key_size = sizeof of_key, cert_size = sizeof of_cert;
    int read;

    gnutls_x509_privkey_init(&key);
    read = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (read < 0)
        return error_set(err, ERROR_INVALID, "%s: no private key in PEM: %s", parts->key.name,
                         gnutls_strerror(read));
    if (gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) < 0 ||
        gnutls_x509_crt_get_key_id(leaf, GNUTLS_KEYID_USE_SHA256, of_cert, &cert_size) < 0)
        return invalid(err, &parts->key, "its public key can not be computed");
    if (key_size != cert_size || memcmp(of_key, of_cert, key_size) != 0)
        return error_set(err, ERROR_INVALID, "%s: not the key of %s", parts->key.name,
                         parts->cert.name);
    return true;
}

static bool check_client_ca(const struct certs_part *part, struct error *err)
{
    AUTO(chain) struct chain chain = {0};

    return !part->pem.data || read_chain(&chain, part, err);
}

bool certs_check(const struct certs_parts *parts, int64_t now_s, struct certs_facts *facts,
                 struct error *err)
{
    AUTO(chain) struct chain chain = {0};
    struct certs_facts found = {0};

    if (!read_chain(&chain, &parts->cert, err))
        return false;
    assert(chain.certs);
    if (!check_key(parts, chain.certs[0], err) || !check_chain(&parts->cert, &chain, &found, err) ||
        !check_time(&parts->cert, &found, now_s, err) ||
        !check_name(&parts->cert, chain.certs[0], &found, err))
        return false;
    if (!for_servers(chain.certs[0]))
        return invalid(err, &parts->cert, "its extended key usage is not for servers");
    if (!check_client_ca(&parts->client_ca, err))
        return false;
    describe(chain.certs[0], &found);
    *facts = found;
    return true;
}
