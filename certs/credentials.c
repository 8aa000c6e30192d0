#include "certs/credentials.h"

#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/text.h"

struct credentials {
    atomic_uint references;
    gnutls_certificate_credentials_t gnutls;
    struct certs_facts facts;
    bool ask_clients;
};

struct credentials *credentials_ref(struct credentials *credentials)
{
    if (credentials)
        atomic_fetch_add_explicit(&credentials->references, 1, memory_order_relaxed);
    return credentials;
}

void credentials_unref(struct credentials *credentials)
{
    if (!credentials ||
        atomic_fetch_sub_explicit(&credentials->references, 1, memory_order_acq_rel) > 1)
        return;
    gnutls_certificate_free_credentials(credentials->gnutls);
    free(credentials);
}

const struct certs_facts *credentials_facts(const struct credentials *credentials)
{
    return &credentials->facts;
}

/* GnuTLS asks for a certificate and then believes it, unless it is told to look. */
static int verify_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID,
                                     (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0};
    unsigned status = 0;

    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0 || status != 0)
        return GNUTLS_E_CERTIFICATE_ERROR;
    return 0;
}

static bool fill(struct credentials *credentials, const struct certs_parts *parts,
                 struct error *err)
{
    gnutls_datum_t cert = {(unsigned char *)parts->cert.pem.data, (unsigned)parts->cert.pem.length};
    gnutls_datum_t key = {(unsigned char *)parts->key.pem.data, (unsigned)parts->key.pem.length};
    gnutls_datum_t ca = {(unsigned char *)parts->client_ca.pem.data,
                         (unsigned)parts->client_ca.pem.length};
    int set =
        gnutls_certificate_set_x509_key_mem(credentials->gnutls, &cert, &key, GNUTLS_X509_FMT_PEM);

    if (set < 0)
        return error_set(err, ERROR_INVALID, "%s: %s", parts->cert.name, gnutls_strerror(set));
    if (!ca.data)
        return true;
    set = gnutls_certificate_set_x509_trust_mem(credentials->gnutls, &ca, GNUTLS_X509_FMT_PEM);
    if (set <= 0)
        return error_set(err, ERROR_INVALID, "%s: %s", parts->client_ca.name,
                         set < 0 ? gnutls_strerror(set) : "no certificate");
    gnutls_certificate_set_verify_function(credentials->gnutls, verify_client);
    credentials->ask_clients = true;
    return true;
}

struct credentials *credentials_make(const struct certs_parts *parts, int64_t now_s,
                                     struct error *err)
{
    struct certs_facts facts;

    if (!certs_check(parts, now_s, &facts, err))
        return NULL;

    AUTO(credentials) struct credentials *credentials = text_alloc(sizeof *credentials);

    atomic_init(&credentials->references, 1);
    credentials->facts = facts;
    if (gnutls_certificate_allocate_credentials(&credentials->gnutls) < 0)
        abort();
    return fill(credentials, parts, err) ? TAKE(credentials) : NULL;
}

void credentials_use(struct credentials *credentials, gnutls_session_t session)
{
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials->gnutls);
    gnutls_certificate_server_set_request(session, credentials->ask_clients ? GNUTLS_CERT_REQUIRE
                                                                            : GNUTLS_CERT_IGNORE);
}
