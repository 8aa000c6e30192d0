#include "certs/make.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"

#define SERIAL_BYTES 16

/* Of the serial, in the name of a CA. */
#define NAME_TAIL_BYTES 4

static void auto_crt(gnutls_x509_crt_t *cert)
{
    gnutls_x509_crt_deinit(*cert);
}

static void auto_x509_key(gnutls_x509_privkey_t *key)
{
    gnutls_x509_privkey_deinit(*key);
}

static void auto_abstract_key(gnutls_privkey_t *key)
{
    gnutls_privkey_deinit(*key);
}

void certs_pem_done(struct certs_pem *pem)
{
    if (pem->data)
        explicit_bzero(pem->data, pem->length);
    free(pem->data);
    *pem = (struct certs_pem){0};
}

struct certs_pem certs_pem_copy(struct span text)
{
    return (struct certs_pem){text_dup(text.data, text.length), text.length};
}

void certs_pair_done(struct certs_pair *pair)
{
    certs_pem_done(&pair->cert);
    certs_pem_done(&pair->key);
}

static bool done(int code, const char *what, struct error *err)
{
    return code >= 0 || error_set(err, ERROR_INTERNAL, "%s: %s", what, gnutls_strerror(code));
}

/* GnuTLS' own copy is wiped too. */
static struct certs_pem take(gnutls_datum_t *datum)
{
    struct certs_pem pem =
        certs_pem_copy((struct span){(const char *)datum->data, (size_t)datum->size});

    gnutls_memset(datum->data, 0, datum->size);
    gnutls_free(datum->data);
    return pem;
}

static bool make_key(gnutls_x509_privkey_t *key, struct error *err)
{
    gnutls_x509_privkey_init(key);
    return done(gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA,
                                             GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                "make a key", err);
}

/* Positive, not zero, and 16 bytes in DER too: the highest bit is 0, the next one 1. */
static bool make_serial(unsigned char serial[SERIAL_BYTES], struct error *err)
{
    if (!done(gnutls_rnd(GNUTLS_RND_RANDOM, serial, SERIAL_BYTES), "make a serial", err))
        return false;
    serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40);
    return true;
}

static bool put_name(gnutls_x509_crt_t cert, const char *name, struct error *err)
{
    if (gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                      (unsigned)strlen(name)) < 0)
        return error_set(err, ERROR_INVALID, "a certificate can not have this common name");
    return true;
}

static bool put_frame(gnutls_x509_crt_t cert, const struct certs_wish *wish,
                      const unsigned char *serial, gnutls_x509_privkey_t key, struct error *err)
{
    return done(gnutls_x509_crt_set_version(cert, 3), "version", err) &&
           done(gnutls_x509_crt_set_serial(cert, serial, SERIAL_BYTES), "serial", err) &&
           done(gnutls_x509_crt_set_activation_time(cert, (time_t)wish->from_s), "begin", err) &&
           done(gnutls_x509_crt_set_expiration_time(cert, (time_t)wish->to_s), "end", err) &&
           done(gnutls_x509_crt_set_key(cert, key), "key", err);
}

/* RFC 5280 section 4.2.1.2, by the first of its methods or a like one; only equality counts. */
static bool put_key_id(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer, struct error *err)
{
    unsigned char own[32], theirs[32];
    size_t own_size = sizeof own, their_size = sizeof theirs;

    return done(gnutls_x509_crt_get_key_id(cert, 0, own, &own_size), "key id", err) &&
           done(gnutls_x509_crt_set_subject_key_id(cert, own, own_size), "key id", err) &&
           done(gnutls_x509_crt_get_key_id(issuer, 0, theirs, &their_size), "key id", err) &&
           done(gnutls_x509_crt_set_authority_key_id(cert, theirs, their_size), "key id", err);
}

static bool sign(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer, gnutls_x509_privkey_t key,
                 struct error *err)
{
    AUTO(abstract_key) gnutls_privkey_t signer = NULL;

    gnutls_privkey_init(&signer);
    return done(gnutls_privkey_import_x509(signer, key, 0), "sign", err) &&
           done(gnutls_x509_crt_privkey_sign(cert, issuer, signer, GNUTLS_DIG_SHA256, 0), "sign",
                err);
}

static bool give(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, struct certs_pair *made,
                 struct error *err)
{
    gnutls_datum_t cert_pem, key_pem;

    if (!done(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                                &key_pem),
              "write the key", err))
        return false;

    AUTO(certs_pem) struct certs_pem wrapped = take(&key_pem);

    if (!done(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &cert_pem), "write", err))
        return false;
    made->cert = take(&cert_pem);
    made->key = wrapped;
    wrapped = (struct certs_pem){0};
    return true;
}

static bool put_authority(gnutls_x509_crt_t cert, const struct certs_wish *wish,
                          const unsigned char *serial, struct error *err)
{
    AUTO(text) struct text name = {0};

    text_addf(&name, "%s ", wish->name);
    for (size_t i = 0; i < NAME_TAIL_BYTES; i++)
        text_addf(&name, "%02x", serial[SERIAL_BYTES - 1 - i]);
    return put_name(cert, text_get(&name), err) &&
           done(gnutls_x509_crt_set_basic_constraints(cert, 1, 0), "constraints", err) &&
           done(gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN),
                "usage", err) &&
           put_key_id(cert, cert, err);
}

bool certs_make_authority(const struct certs_wish *wish, struct certs_pair *made, struct error *err)
{
    AUTO(x509_key) gnutls_x509_privkey_t key = NULL;
    AUTO(crt) gnutls_x509_crt_t cert = NULL;
    unsigned char serial[SERIAL_BYTES];

    gnutls_x509_crt_init(&cert);
    return make_key(&key, err) && make_serial(serial, err) &&
           put_frame(cert, wish, serial, key, err) && put_authority(cert, wish, serial, err) &&
           sign(cert, cert, key, err) && give(cert, key, made, err);
}

static bool put_address(gnutls_x509_crt_t cert, const char *address, struct error *err)
{
    unsigned char bytes[16];
    bool four = inet_pton(AF_INET, address, bytes) == 1;

    if (!four && inet_pton(AF_INET6, address, bytes) != 1)
        return error_set(err, ERROR_INVALID, "\"%s\" is not an IP address", address);
    return done(gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_IPADDRESS, bytes,
                                                     four ? 4 : 16, GNUTLS_FSAN_APPEND),
                "address", err);
}

static bool put_dns(gnutls_x509_crt_t cert, const char *name, struct error *err)
{
    if (!*name ||
        gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
                                             GNUTLS_FSAN_APPEND) < 0)
        return error_set(err, ERROR_INVALID, "\"%s\" is not a DNS name", name);
    return true;
}

static bool put_server(gnutls_x509_crt_t cert, const struct certs_wish *wish, struct error *err)
{
    size_t names = 0;

    for (const char *const *dns = wish->dns; dns && *dns; dns++, names++)
        if (!put_dns(cert, *dns, err))
            return false;
    for (const char *const *address = wish->addresses; address && *address; address++, names++)
        if (!put_address(cert, *address, err))
            return false;
    if (names == 0)
        return error_set(err, ERROR_INVALID, "a server's certificate needs a name or an address");
    return put_name(cert, wish->name, err) &&
           done(gnutls_x509_crt_set_basic_constraints(cert, 0, -1), "constraints", err) &&
           done(gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_DIGITAL_SIGNATURE), "usage", err) &&
           done(gnutls_x509_crt_set_key_purpose_oid(cert, GNUTLS_KP_TLS_WWW_SERVER, 0), "purpose",
                err);
}

static bool same_key(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key)
{
    unsigned char of_key[32], of_cert[32];
    size_t key_size = sizeof of_key, cert_size = sizeof of_cert;

    return gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) == 0 &&
           gnutls_x509_crt_get_key_id(cert, GNUTLS_KEYID_USE_SHA256, of_cert, &cert_size) == 0 &&
           memcmp(of_key, of_cert, sizeof of_key) == 0;
}

/* `cert` and `key` are initialised here; released by the caller also after a failure. */
static bool read_authority(const struct certs_pair *pair, gnutls_x509_crt_t *cert,
                           gnutls_x509_privkey_t *key, struct error *err)
{
    gnutls_datum_t cert_pem = {(unsigned char *)pair->cert.data, (unsigned)pair->cert.length};
    gnutls_datum_t key_pem = {(unsigned char *)pair->key.data, (unsigned)pair->key.length};

    gnutls_x509_crt_init(cert);
    gnutls_x509_privkey_init(key);
    if (!cert_pem.data || gnutls_x509_crt_import(*cert, &cert_pem, GNUTLS_X509_FMT_PEM) < 0 ||
        gnutls_x509_crt_get_ca_status(*cert, NULL) <= 0)
        return error_set(err, ERROR_INVALID, "the CA is no certificate of a CA");
    if (!key_pem.data ||
        gnutls_x509_privkey_import2(*key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0 ||
        !same_key(*cert, *key))
        return error_set(err, ERROR_INVALID, "the key of the CA is not its key");
    return true;
}

bool certs_make_leaf(const struct certs_wish *wish, const struct certs_pair *authority,
                     struct certs_pair *made, struct error *err)
{
    AUTO(x509_key) gnutls_x509_privkey_t key = NULL;
    AUTO(x509_key) gnutls_x509_privkey_t signer = NULL;
    AUTO(crt) gnutls_x509_crt_t cert = NULL;
    AUTO(crt) gnutls_x509_crt_t issuer = NULL;
    unsigned char serial[SERIAL_BYTES];
    struct certs_wish bounded = *wish;

    if (!read_authority(authority, &issuer, &signer, err))
        return false;

    int64_t end_s = gnutls_x509_crt_get_expiration_time(issuer);

    if (bounded.to_s > end_s)
        bounded.to_s = end_s;
    gnutls_x509_crt_init(&cert);
    return make_key(&key, err) && make_serial(serial, err) &&
           put_frame(cert, &bounded, serial, key, err) && put_server(cert, &bounded, err) &&
           put_key_id(cert, issuer, err) && sign(cert, issuer, signer, err) &&
           give(cert, key, made, err);
}
