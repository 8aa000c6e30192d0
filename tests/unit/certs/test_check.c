#include <gnutls/x509.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/text.h"
#include "certs/check.h"
#include "tests/unit/certs/pem.h"
#include "tests/unit/suite.h"

/* 2024-01-01 and a year later */
#define FROM_S 1704067200
#define TO_S 1735689600

static struct certs_part part(const char *name, const char *pem)
{
    return (struct certs_part){name, span_of(pem)};
}

/* H24: at each edge of its validity, and what clients would refuse */
static const struct {
    struct pem_wish wish;
    int64_t now_s;
    const char *error; /* NULL: good */
} rows[] = {
    {{FROM_S, TO_S, "a.example", NULL, 0, 0, 0}, FROM_S, NULL},
    {{FROM_S, TO_S, "a.example", NULL, 0, 0, 0}, TO_S, NULL},
    {{FROM_S, TO_S, "a.example", NULL, 0, 0, 0},
     FROM_S - 1,
     "cert: not valid before 2024-01-01T00:00:00.000Z"},
    {{FROM_S, TO_S, "a.example", NULL, 0, 0, 0},
     TO_S + 1,
     "cert: expired at 2025-01-01T00:00:00.000Z"},
    {{FROM_S, TO_S, NULL, NULL, 0, 0, 0},
     FROM_S,
     "cert: no subject alternative name, so clients will not accept it"},
    {{FROM_S, TO_S, "a.example", GNUTLS_KP_TLS_WWW_SERVER, 0, 0, 0}, FROM_S, NULL},
    {{FROM_S, TO_S, "a.example", GNUTLS_KP_ANY, 0, 0, 0}, FROM_S, NULL},
    {{FROM_S, TO_S, "a.example", GNUTLS_KP_TLS_WWW_CLIENT, 0, 0, 0},
     FROM_S,
     "cert: its extended key usage is not for servers"},
    {{FROM_S, TO_S, "a.example", NULL, 1, 0, 0},
     FROM_S,
     "cert: an RSA key of 1024 bits, at least 2048 are needed"},
    {{FROM_S, TO_S, "a.example", NULL, 0, 1, 0},
     FROM_S,
     "cert: signed with ECDSA-SHA1, which clients refuse"},
    /* nobody checks the signature that a root puts on itself */
    {{FROM_S, TO_S, "a.example", NULL, 0, 1, 1}, FROM_S, NULL},
};

START_TEST(certificates_are_judged)
    {
        struct pem_pair pair;
        struct certs_facts facts = {.not_after_s = -1};
        struct error err = {0};

        pem_make(&pair, &rows[_i].wish);

        struct certs_parts parts = {part("cert", pair.cert), part("key", pair.key), {0}};
        bool good = certs_check(&parts, rows[_i].now_s, &facts, &err);

        if (rows[_i].error) {
            ck_assert(!good);
            ck_assert_str_eq(err.message, rows[_i].error);
            ck_assert_int_eq(err.code, ERROR_INVALID);
            ck_assert_int_eq(facts.not_after_s, -1);
            return;
        }
        ck_assert_msg(good, "%s", err.message);
        ck_assert_int_eq(facts.not_before_s, FROM_S);
        ck_assert_int_eq(facts.not_after_s, TO_S);
        ck_assert_str_eq(facts.serial, "0abc");
        ck_assert_str_eq(facts.name, "a.example");
        ck_assert_str_eq(facts.algorithm, "ECDSA");
    }
END_TEST

static const struct pem_wish good = {FROM_S, TO_S, "a.example", NULL, 0, 0, 0};

START_TEST(files_must_belong_together)
    {
        struct pem_pair ours, other;
        struct certs_facts facts;
        struct error err = {0};

        pem_make(&ours, &good);
        pem_make(&other, &good);

        const struct {
            const char *cert, *key, *ca, *error;
        } files[] = {
            {ours.cert, ours.key, NULL, NULL},
            {ours.cert, ours.key, other.cert, NULL},
            {ours.cert, other.key, NULL, "key: not the key of cert"},
            {ours.cert, ours.cert, NULL, "key: no private key in PEM"},
            {ours.key, ours.key, NULL, "cert: no certificate in PEM"},
            {"", ours.key, NULL, "cert: no certificate in PEM"},
            {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ours.key, NULL,
             "cert: no certificate in PEM"},
            {ours.cert, "", NULL, "key: no private key in PEM"},
            {ours.cert, ours.key, "", "ca: no certificate in PEM"},
            {ours.cert, ours.key, "nonsense", "ca: no certificate in PEM"},
        };

        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            struct certs_parts parts = {part("cert", files[i].cert), part("key", files[i].key),
                                        part("ca", files[i].ca)};
            bool fine = certs_check(&parts, FROM_S, &facts, &err);

            ck_assert_int_eq(fine, !files[i].error);
            if (files[i].error)
                ck_assert_msg(!strncmp(err.message, files[i].error, strlen(files[i].error)), "%s",
                              err.message);
        }
    }
END_TEST

START_TEST(a_chain_is_as_short_as_its_shortest)
    {
        struct pem_wish issuer = {FROM_S + 10, TO_S - 10, NULL, NULL, 0, 0, 1};
        struct pem_pair leaf, root;
        AUTO(text) struct text chain = {0};
        struct certs_facts facts;
        struct error err;

        pem_make(&leaf, &good);
        pem_make(&root, &issuer);
        text_addf(&chain, "a comment\n%s\nanother\n%s", leaf.cert, root.cert);

        struct certs_parts parts = {part("cert", chain.data), part("key", leaf.key), {0}};

        ck_assert(certs_check(&parts, FROM_S + 10, &facts, &err));
        ck_assert_int_eq(facts.not_before_s, FROM_S + 10);
        ck_assert_int_eq(facts.not_after_s, TO_S - 10);
        ck_assert(!certs_check(&parts, FROM_S, &facts, &err));
        ck_assert(certs_valid(&facts, TO_S - 10) && !certs_valid(&facts, TO_S - 9));
        ck_assert(certs_valid(&facts, FROM_S + 10) && !certs_valid(&facts, FROM_S + 9));
    }
END_TEST

/* Every beginning of a file, as a writer in the middle of its work leaves it. */
START_TEST(half_a_file_is_refused)
    {
        struct pem_pair pair;
        struct certs_facts facts;
        struct error err;

        pem_make(&pair, &good);

        /* the last line without its end still has all the data before it */
        size_t cert_length = (size_t)(strstr(pair.cert, "-----END") - pair.cert);
        size_t key_length = (size_t)(strstr(pair.key, "-----END") - pair.key);

        for (size_t length = 0; length < cert_length; length += 7) {
            struct certs_parts parts = {part("cert", pair.cert), part("key", pair.key), {0}};

            parts.cert.pem.length = length;
            ck_assert(!certs_check(&parts, FROM_S, &facts, &err));
        }
        for (size_t length = 0; length < key_length; length += 7) {
            struct certs_parts parts = {part("cert", pair.cert), part("key", pair.key), {0}};

            parts.key.pem.length = length;
            ck_assert(!certs_check(&parts, FROM_S, &facts, &err));
        }
    }
END_TEST

SUITE(certs_check)
{
    suite_rows(tests, certificates_are_judged, rows);
    tcase_add_test(tests, files_must_belong_together);
    tcase_add_test(tests, a_chain_is_as_short_as_its_shortest);
    tcase_add_test(tests, half_a_file_is_refused);
}
