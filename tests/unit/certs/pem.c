#include "tests/unit/certs/pem.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

static void must(int done)
{
    if (done < 0)
        abort();
}

static gnutls_x509_privkey_t make_key(const struct pem_wish *wish)
{
    gnutls_x509_privkey_t key;

    must(gnutls_x509_privkey_init(&key));
    if (wish->rsa_1024)
        must(gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 1024, 0));
    else
        must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                          GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    return key;
}

static void fill(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, const struct pem_wish *wish)
{
    static const unsigned char serial[] = {0x0a, 0xbc};
    const char *error;

    must(gnutls_x509_crt_set_version(cert, 3));
    must(gnutls_x509_crt_set_serial(cert, serial, sizeof serial));
    must(gnutls_x509_crt_set_dn(cert, "CN=test", &error));
    must(gnutls_x509_crt_set_activation_time(cert, (time_t)wish->from_s));
    must(gnutls_x509_crt_set_expiration_time(cert, (time_t)wish->to_s));
    must(gnutls_x509_crt_set_key(cert, key));
    must(gnutls_x509_crt_set_basic_constraints(cert, wish->authority, -1));
    if (wish->name)
        must(gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, wish->name,
                                                  (unsigned)strlen(wish->name), GNUTLS_FSAN_SET));
    if (wish->purpose)
        must(gnutls_x509_crt_set_key_purpose_oid(cert, wish->purpose, 0));
}

void pem_make(struct pem_pair *pair, const struct pem_wish *wish)
{
    gnutls_x509_privkey_t key = make_key(wish);
    gnutls_x509_crt_t cert, issuer;
    size_t key_size = sizeof pair->key, cert_size = sizeof pair->cert;
    const char *error;

    must(gnutls_x509_crt_init(&cert));
    must(gnutls_x509_crt_init(&issuer));
    must(gnutls_x509_crt_set_dn(issuer, wish->authority ? "CN=test" : "CN=issuer", &error));
    must(gnutls_x509_crt_set_key(issuer, key));
    fill(cert, key, wish);
    must(gnutls_x509_crt_sign2(cert, issuer, key, wish->sha1 ? GNUTLS_DIG_SHA1 : GNUTLS_DIG_SHA256,
                               0));
    must(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, pair->key, &key_size));
    must(gnutls_x509_crt_export(cert, GNUTLS_X509_FMT_PEM, pair->cert, &cert_size));
    gnutls_x509_crt_deinit(issuer);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}
