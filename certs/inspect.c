#include "certs/inspect.h"

#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"

static void auto_crt(gnutls_x509_crt_t *cert)
{
    gnutls_x509_crt_deinit(*cert);
}

static void auto_x509_key(gnutls_x509_privkey_t *key)
{
    gnutls_x509_privkey_deinit(*key);
}

static bool bounded(struct span pem)
{
    return pem.data && pem.length <= CERTS_MAX_BYTES;
}

static gnutls_datum_t datum(struct span pem)
{
    return (gnutls_datum_t){(unsigned char *)pem.data, (unsigned)pem.length};
}

/* `cert` is initialised here; released by the caller also after a failure. */
static bool read_one(struct span pem, gnutls_x509_crt_t *cert)
{
    gnutls_datum_t in = datum(pem);

    gnutls_x509_crt_init(cert);
    return bounded(pem) && gnutls_x509_crt_import(*cert, &in, GNUTLS_X509_FMT_PEM) >= 0;
}

static bool fingerprint(gnutls_x509_crt_t cert, struct certs_about *about)
{
    unsigned char hash[32];
    size_t size = sizeof hash;

    if (gnutls_x509_crt_get_fingerprint(cert, GNUTLS_DIG_SHA256, hash, &size) < 0)
        return false;
    for (size_t i = 0; i < sizeof hash; i++) {
        about->fingerprint[2 * i] = "0123456789abcdef"[hash[i] >> 4];
        about->fingerprint[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
    }
    about->fingerprint[64] = '\0';
    memcpy(&about->seed, hash, sizeof about->seed);
    return true;
}

bool certs_about(struct span pem, struct certs_about *about, struct error *err)
{
    AUTO(crt) gnutls_x509_crt_t cert = NULL;
    struct certs_about found = {0};

    if (!read_one(pem, &cert) || !fingerprint(cert, &found))
        return error_set(err, ERROR_INVALID, "no certificate in PEM");
    found.authority = gnutls_x509_crt_get_ca_status(cert, NULL) > 0;
    found.from_s = gnutls_x509_crt_get_activation_time(cert);
    found.to_s = gnutls_x509_crt_get_expiration_time(cert);
    *about = found;
    return true;
}

bool certs_pair_fits(struct span cert_pem, struct span key_pem)
{
    AUTO(crt) gnutls_x509_crt_t cert = NULL;
    AUTO(x509_key) gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t in = datum(key_pem);
    unsigned char of_key[32], of_cert[32];
    size_t key_size = sizeof of_key, cert_size = sizeof of_cert;

    gnutls_x509_privkey_init(&key);
    return read_one(cert_pem, &cert) && bounded(key_pem) &&
           gnutls_x509_privkey_import2(key, &in, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0 &&
           gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) == 0 &&
           gnutls_x509_crt_get_key_id(cert, GNUTLS_KEYID_USE_SHA256, of_cert, &cert_size) == 0 &&
           memcmp(of_key, of_cert, sizeof of_key) == 0;
}

bool certs_signed_by(struct span cert_pem, struct span authority_pem)
{
    AUTO(crt) gnutls_x509_crt_t cert = NULL;
    AUTO(crt) gnutls_x509_crt_t authority = NULL;
    unsigned verdict = 0;
    unsigned flags = GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS;

    return read_one(cert_pem, &cert) && read_one(authority_pem, &authority) &&
           gnutls_x509_crt_check_issuer(cert, authority) &&
           gnutls_x509_crt_verify(cert, &authority, 1, flags, &verdict) >= 0 && verdict == 0;
}

static bool expects(const char *const *dns, const char *name, size_t length)
{
    for (; *dns; dns++)
        if (strlen(*dns) == length && memcmp(*dns, name, length) == 0)
            return true;
    return false;
}

bool certs_has_names(struct span pem, const char *const *dns)
{
    AUTO(crt) gnutls_x509_crt_t cert = NULL;
    size_t wanted = 0;
    unsigned i = 0;

    while (dns[wanted])
        wanted++;
    if (!read_one(pem, &cert))
        return false;
    for (;; i++) {
        char name[256];
        size_t size = sizeof name;
        int type = gnutls_x509_crt_get_subject_alt_name(cert, i, name, &size, NULL);

        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return i == wanted;
        if (type != GNUTLS_SAN_DNSNAME || !expects(dns, name, size))
            return false;
    }
}

void certs_list_done(struct certs_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        certs_pem_done(&list->items[i]);
    free(list->items);
    *list = (struct certs_list){0};
}

/* libgnutls takes what it finds and passes over the rest; half of a bundle is no bundle. */
static size_t begins(struct span text)
{
    static const char begin[] = "-----BEGIN ";
    const char *at = text.data, *end = at + text.length;
    size_t count = 0;

    while ((at = memmem(at, (size_t)(end - at), begin, sizeof begin - 1))) {
        at += sizeof begin - 1;
        count++;
    }
    return count;
}

static struct certs_list write_all(gnutls_x509_crt_t *certs, unsigned count)
{
    struct certs_list made = {text_alloc(count * sizeof *made.items), 0};

    for (unsigned i = 0; i < count; i++) {
        gnutls_datum_t pem;

        if (gnutls_x509_crt_export2(certs[i], GNUTLS_X509_FMT_PEM, &pem) < 0)
            abort();
        made.items[made.count++] =
            certs_pem_copy((struct span){(const char *)pem.data, (size_t)pem.size});
        gnutls_free(pem.data);
    }
    return made;
}

bool certs_list_read(struct span bundle, struct certs_list *list, struct error *err)
{
    gnutls_x509_crt_t *certs = NULL;
    unsigned count = 0;
    gnutls_datum_t in = datum(bundle);
    size_t wanted = bounded(bundle) ? begins(bundle) : 0;

    if (wanted == 0 || wanted > CERTS_BUNDLE_MAX)
        return error_set(err, ERROR_INVALID, wanted ? "too many certificates" : "no certificate");
    if (gnutls_x509_crt_list_import2(&certs, &count, &in, GNUTLS_X509_FMT_PEM, 0) < 0)
        return error_set(err, ERROR_INVALID, "not only certificates in PEM");

    bool whole = count == wanted;

    if (whole)
        *list = write_all(certs, count);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(certs[i]);
    gnutls_free(certs);
    return whole || error_set(err, ERROR_INVALID, "not only certificates in PEM");
}
