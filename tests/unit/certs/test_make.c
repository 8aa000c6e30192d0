#include <gnutls/x509.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "certs/check.h"
#include "certs/make.h"
#include "tests/unit/suite.h"

/* 2024-01-01, a year and ten years later */
#define FROM_S INT64_C(1704067200)
#define TO_S INT64_C(1735689600)
#define CA_TO_S INT64_C(2019686400)

static const char *const dns[] = {"granary-webhook.granary-system.svc",
                                  "granary-webhook.granary-system.svc.cluster.local", NULL};
static const char *const addresses[] = {"10.96.7.9", "fd00::a", NULL};

static const struct certs_wish ca_wish = {"granary CA", NULL, NULL, FROM_S, CA_TO_S};
static const struct certs_wish leaf_wish = {"granary-webhook", dns, addresses, FROM_S, TO_S};

static void make(struct certs_pair *ca, struct certs_pair *leaf)
{
    struct error err;

    ck_assert_msg(certs_make_authority(&ca_wish, ca, &err), "%s", err.message);
    ck_assert_msg(certs_make_leaf(&leaf_wish, ca, leaf, &err), "%s", err.message);
}

static gnutls_x509_crt_t read_cert(const struct certs_pair *pair)
{
    gnutls_datum_t pem = {(unsigned char *)pair->cert.data, (unsigned)pair->cert.length};
    gnutls_x509_crt_t cert;

    gnutls_x509_crt_init(&cert);
    ck_assert_int_eq(gnutls_x509_crt_import(cert, &pem, GNUTLS_X509_FMT_PEM), 0);
    return cert;
}

/* As a client does: the chain to this CA, the purpose, the name. The clock is the machine's, so
 * validity is left to certs_check(). */
static unsigned verify(const struct certs_pair *ca, const struct certs_pair *leaf, const char *name)
{
    gnutls_x509_crt_t root = read_cert(ca), cert = read_cert(leaf);
    gnutls_x509_trust_list_t trust;
    gnutls_typed_vdata_st asked[] = {
        {GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)name, 0},
        {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER, 0}};
    unsigned status = 0;

    gnutls_x509_trust_list_init(&trust, 0);
    ck_assert_int_eq(gnutls_x509_trust_list_add_cas(trust, &root, 1, 0), 1);
    ck_assert_int_eq(gnutls_x509_trust_list_verify_crt2(trust, &cert, 1, asked, 2,
                                                        GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status,
                                                        NULL),
                     0);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_trust_list_deinit(trust, 1);
    return status;
}

static const struct {
    const char *name;
    bool good;
} names[] = {
    {"granary-webhook.granary-system.svc", true},
    {"granary-webhook.granary-system.svc.cluster.local", true},
    {"10.96.7.9", true},
    {"fd00::a", true},
    {"fd00:0:0::000a", true},
    {"granary-webhook", false},
    {"x.granary-webhook.granary-system.svc", false},
    {"10.96.7.8", false},
    {"fd00::b", false},
};

START_TEST(servers_are_known_by_their_names)
    {
        AUTO(certs_pair) struct certs_pair ca = {0};
        AUTO(certs_pair) struct certs_pair leaf = {0};

        make(&ca, &leaf);
        ck_assert_int_eq(verify(&ca, &leaf, names[_i].name) == 0, names[_i].good);
    }
END_TEST

START_TEST(only_its_own_authority_vouches)
    {
        AUTO(certs_pair) struct certs_pair ca = {0};
        AUTO(certs_pair) struct certs_pair leaf = {0};
        AUTO(certs_pair) struct certs_pair other = {0};
        AUTO(certs_pair) struct certs_pair other_leaf = {0};

        make(&ca, &leaf);
        make(&other, &other_leaf);
        ck_assert(verify(&ca, &leaf, dns[0]) == 0 && verify(&other, &other_leaf, dns[0]) == 0);
        ck_assert(verify(&other, &leaf, dns[0]) & GNUTLS_CERT_INVALID);
        ck_assert(verify(&ca, &other_leaf, dns[0]) & GNUTLS_CERT_INVALID);
        /* a leaf vouches for nothing, also not for itself as a CA would */
        ck_assert(verify(&leaf, &other_leaf, dns[0]) & GNUTLS_CERT_INVALID);
    }
END_TEST

START_TEST(the_server_takes_what_was_made)
    {
        AUTO(certs_pair) struct certs_pair ca = {0};
        AUTO(certs_pair) struct certs_pair leaf = {0};
        struct certs_facts facts;
        struct error err = {0};

        make(&ca, &leaf);

        struct certs_parts parts = {{"tls.crt", certs_pem_span(&leaf.cert)},
                                    {"tls.key", certs_pem_span(&leaf.key)},
                                    {"ca.crt", certs_pem_span(&ca.cert)}};

        ck_assert_msg(certs_check(&parts, FROM_S, &facts, &err), "%s", err.message);
        ck_assert(facts.not_before_s == FROM_S && facts.not_after_s == TO_S);
        ck_assert_str_eq(facts.name, dns[0]);
        ck_assert_str_eq(facts.algorithm, "ECDSA");
        ck_assert_uint_eq(strlen(facts.serial), 32);
        ck_assert(!certs_check(&parts, FROM_S - 1, &facts, &err));
        ck_assert(!certs_check(&parts, TO_S + 1, &facts, &err));
        ck_assert(!strstr(leaf.cert.data, "PRIVATE") && strstr(leaf.key.data, "PRIVATE KEY"));
        ck_assert_uint_eq(strlen(leaf.cert.data), leaf.cert.length);
        ck_assert_uint_eq(strlen(leaf.key.data), leaf.key.length);
    }
END_TEST

/* What Go's crypto/x509 and `openssl verify -x509_strict` look at. RFC 5280 section 4.1 and 4.2. */
static void check_frame(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer)
{
    unsigned char serial[32], id[64], issuer_id[64];
    size_t size = sizeof serial, id_size = sizeof id, issuer_size = sizeof issuer_id;
    unsigned bits, critical;
    gnutls_ecc_curve_t curve;

    ck_assert_int_eq(gnutls_x509_crt_get_version(cert), 3);
    ck_assert_int_eq(gnutls_x509_crt_get_serial(cert, serial, &size), 0);
    ck_assert_uint_eq(size, 16);
    ck_assert(serial[0] >= 0x40 && serial[0] < 0x80);
    ck_assert_int_eq(gnutls_x509_crt_get_signature_algorithm(cert), GNUTLS_SIGN_ECDSA_SHA256);
    ck_assert_int_eq(gnutls_x509_crt_get_pk_algorithm(cert, &bits), GNUTLS_PK_ECDSA);
    ck_assert_int_eq(gnutls_x509_crt_get_pk_ecc_raw(cert, &curve, NULL, NULL), 0);
    ck_assert_int_eq(curve, GNUTLS_ECC_CURVE_SECP256R1);
    ck_assert_int_eq(gnutls_x509_crt_get_authority_key_id(cert, id, &id_size, &critical), 0);
    ck_assert_uint_eq(critical, 0);
    ck_assert_int_eq(gnutls_x509_crt_get_subject_key_id(issuer, issuer_id, &issuer_size, &critical),
                     0);
    ck_assert_uint_eq(critical, 0);
    ck_assert_uint_eq(id_size, issuer_size);
    ck_assert_mem_eq(id, issuer_id, id_size);
    ck_assert_int_eq(gnutls_x509_crt_check_issuer(cert, issuer), 1);
}

START_TEST(certificates_say_what_strict_readers_want)
    {
        AUTO(certs_pair) struct certs_pair ca = {0};
        AUTO(certs_pair) struct certs_pair leaf = {0};
        unsigned critical, usage, is_ca;
        int path;
        char text[128];
        size_t size = sizeof text;

        make(&ca, &leaf);

        gnutls_x509_crt_t root = read_cert(&ca), cert = read_cert(&leaf);

        check_frame(root, root);
        check_frame(cert, root);
        ck_assert_int_eq(gnutls_x509_crt_get_basic_constraints(root, &critical, &is_ca, &path), 1);
        ck_assert(critical && is_ca && path == 0);
        ck_assert_int_eq(gnutls_x509_crt_get_basic_constraints(cert, &critical, &is_ca, &path), 0);
        ck_assert(critical && !is_ca && path == -1);
        ck_assert_int_eq(gnutls_x509_crt_get_key_usage(root, &usage, &critical), 0);
        ck_assert(critical && usage == (GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN));
        ck_assert_int_eq(gnutls_x509_crt_get_key_usage(cert, &usage, &critical), 0);
        ck_assert(critical && usage == GNUTLS_KEY_DIGITAL_SIGNATURE);
        ck_assert_int_eq(gnutls_x509_crt_get_key_purpose_oid(cert, 0, text, &size, &critical), 0);
        ck_assert_str_eq(text, GNUTLS_KP_TLS_WWW_SERVER);
        size = sizeof text;
        ck_assert_int_lt(gnutls_x509_crt_get_key_purpose_oid(cert, 1, text, &size, &critical), 0);
        size = sizeof text;
        ck_assert_int_eq(gnutls_x509_crt_get_dn(cert, text, &size), 0);
        ck_assert_str_eq(text, "CN=granary-webhook");
        gnutls_x509_crt_deinit(root);
        gnutls_x509_crt_deinit(cert);
    }
END_TEST

START_TEST(no_two_are_alike)
    {
        AUTO(certs_pair) struct certs_pair ca = {0};
        AUTO(certs_pair) struct certs_pair leaf = {0};
        AUTO(certs_pair) struct certs_pair other = {0};
        AUTO(certs_pair) struct certs_pair other_leaf = {0};
        char name[64], other_name[64];
        size_t size = sizeof name, other_size = sizeof other_name;

        make(&ca, &leaf);
        make(&other, &other_leaf);
        ck_assert_str_ne(ca.key.data, other.key.data);
        ck_assert_str_ne(leaf.key.data, other_leaf.key.data);

        gnutls_x509_crt_t one = read_cert(&ca), two = read_cert(&other);

        gnutls_x509_crt_get_dn(one, name, &size);
        gnutls_x509_crt_get_dn(two, other_name, &other_size);
        ck_assert_str_ne(name, other_name);
        ck_assert(strncmp(name, "CN=granary CA ", 14) == 0);
        gnutls_x509_crt_deinit(one);
        gnutls_x509_crt_deinit(two);
    }
END_TEST

START_TEST(a_leaf_never_outlives_its_authority)
    {
        AUTO(certs_pair) struct certs_pair ca = {0};
        AUTO(certs_pair) struct certs_pair leaf = {0};
        AUTO(certs_pair) struct certs_pair late = {0};
        struct certs_wish wish = leaf_wish;
        struct error err;

        make(&ca, &leaf);
        wish.to_s = CA_TO_S + 1000;
        ck_assert(certs_make_leaf(&wish, &ca, &late, &err));

        gnutls_x509_crt_t cert = read_cert(&late);

        ck_assert_int_eq(gnutls_x509_crt_get_expiration_time(cert), CA_TO_S);
        gnutls_x509_crt_deinit(cert);
    }
END_TEST

START_TEST(what_can_not_be_made_is_said)
    {
        static const char *const none[] = {NULL}, *const empty[] = {"", NULL};
        static const char *const wrong[] = {"10.96.7.256", NULL}, *const port[] = {"::1:", NULL};
        AUTO(certs_pair) struct certs_pair ca = {0};
        AUTO(certs_pair) struct certs_pair leaf = {0};
        AUTO(certs_pair) struct certs_pair other = {0};
        AUTO(certs_pair) struct certs_pair other_leaf = {0};
        struct error err = {0};

        make(&ca, &leaf);
        make(&other, &other_leaf);

        struct certs_pair crossed = {ca.cert, other.key}, no_key = {ca.cert, {0}};
        struct certs_pair garbage = {{(char *)"nonsense", 8}, ca.key}, nothing = {0};
        const struct {
            const char *const *dns, *const *addresses;
            const struct certs_pair *authority;
            const char *error;
        } rows[] = {
            {NULL, NULL, &ca, "a server's certificate needs a name or an address"},
            {none, none, &ca, "a server's certificate needs a name or an address"},
            {empty, NULL, &ca, "\"\" is not a DNS name"},
            {dns, wrong, &ca, "\"10.96.7.256\" is not an IP address"},
            {dns, port, &ca, "\"::1:\" is not an IP address"},
            {dns, NULL, &crossed, "the key of the CA is not its key"},
            {dns, NULL, &no_key, "the key of the CA is not its key"},
            {dns, NULL, &garbage, "the CA is no certificate of a CA"},
            {dns, NULL, &leaf, "the CA is no certificate of a CA"},
            {dns, NULL, &nothing, "the CA is no certificate of a CA"},
        };

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct certs_wish wish = {"x", rows[i].dns, rows[i].addresses, FROM_S, TO_S};
            struct certs_pair made = {0};

            ck_assert(!certs_make_leaf(&wish, rows[i].authority, &made, &err));
            ck_assert_str_eq(err.message, rows[i].error);
            ck_assert_int_eq(err.code, ERROR_INVALID);
            ck_assert(!made.cert.data && !made.key.data);
        }
    }
END_TEST

SUITE(certs_make)
{
    suite_rows(tests, servers_are_known_by_their_names, names);
    tcase_add_test(tests, only_its_own_authority_vouches);
    tcase_add_test(tests, the_server_takes_what_was_made);
    tcase_add_test(tests, certificates_say_what_strict_readers_want);
    tcase_add_test(tests, no_two_are_alike);
    tcase_add_test(tests, a_leaf_never_outlives_its_authority);
    tcase_add_test(tests, what_can_not_be_made_is_said);
}
