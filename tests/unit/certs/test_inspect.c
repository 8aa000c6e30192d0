#include "base/auto.h"
#include "base/text.h"
#include "certs/inspect.h"
#include "tests/unit/suite.h"

#define FROM_S INT64_C(1704067200)
#define TO_S INT64_C(1735689600)

static const char *const dns[] = {"a.svc", "a.svc.cluster.local", NULL};
static const char *const addresses[] = {"10.0.0.1", NULL};
static const char *const turned[] = {"a.svc.cluster.local", "a.svc", NULL};
static const char *const fewer[] = {"a.svc", NULL};
static const char *const more[] = {"a.svc", "a.svc.cluster.local", "b.svc", NULL};
static const char *const other[] = {"a.svc", "b.svc.cluster.local", NULL};

struct made {
    struct certs_pair ca, stranger, leaf;
};

static void auto_made(struct made *made)
{
    certs_pair_done(&made->ca);
    certs_pair_done(&made->stranger);
    certs_pair_done(&made->leaf);
}

static struct made make(const char *const *with_addresses)
{
    struct certs_wish ca = {"granary CA", NULL, NULL, FROM_S, TO_S};
    struct certs_wish leaf = {"a", dns, with_addresses, FROM_S, TO_S - 10};
    struct made made = {0};
    struct error err;

    ck_assert(certs_make_authority(&ca, &made.ca, &err));
    ck_assert(certs_make_authority(&ca, &made.stranger, &err));
    ck_assert(certs_make_leaf(&leaf, &made.ca, &made.leaf, &err));
    return made;
}

START_TEST(what_a_certificate_says)
    {
        AUTO(made) struct made made = make(NULL);
        struct certs_about ca, leaf, stranger;
        struct error err;

        ck_assert(certs_about(certs_pem_span(&made.ca.cert), &ca, &err));
        ck_assert(certs_about(certs_pem_span(&made.leaf.cert), &leaf, &err));
        ck_assert(certs_about(certs_pem_span(&made.stranger.cert), &stranger, &err));
        ck_assert(ca.authority && stranger.authority && !leaf.authority);
        ck_assert_int_eq(ca.from_s, FROM_S);
        ck_assert_int_eq(ca.to_s, TO_S);
        ck_assert_int_eq(leaf.to_s, TO_S - 10);
        ck_assert_uint_eq(strlen(ca.fingerprint), 64);
        ck_assert_str_ne(ca.fingerprint, stranger.fingerprint);
        ck_assert_uint_ne(ca.seed, stranger.seed);
        ck_assert(!certs_about(certs_pem_span(&made.ca.key), &ca, &err));
        ck_assert(!certs_about((struct span){NULL, 0}, &ca, &err));
        ck_assert(!certs_about(span_of("-----BEGIN CERTIFICATE-----\nAAAA\n"), &ca, &err));
        ck_assert_int_eq(ca.to_s, TO_S);
    }
END_TEST

START_TEST(keys_and_signatures)
    {
        AUTO(made) struct made made = make(NULL);
        struct span ca = certs_pem_span(&made.ca.cert), leaf = certs_pem_span(&made.leaf.cert);
        struct span stranger = certs_pem_span(&made.stranger.cert), none = {NULL, 0};

        ck_assert(certs_pair_fits(ca, certs_pem_span(&made.ca.key)));
        ck_assert(!certs_pair_fits(ca, certs_pem_span(&made.leaf.key)));
        ck_assert(!certs_pair_fits(ca, ca));
        ck_assert(!certs_pair_fits(none, certs_pem_span(&made.ca.key)));
        ck_assert(certs_signed_by(leaf, ca));
        ck_assert(certs_signed_by(ca, ca));
        ck_assert(!certs_signed_by(leaf, stranger));
        ck_assert(!certs_signed_by(ca, leaf));
        ck_assert(!certs_signed_by(none, ca));
        ck_assert(!certs_signed_by(leaf, none));
    }
END_TEST

START_TEST(names_are_compared_as_a_set)
    {
        AUTO(made) struct made made = make(NULL);
        AUTO(made) struct made addressed = make(addresses);
        struct span leaf = certs_pem_span(&made.leaf.cert);

        ck_assert(certs_has_names(leaf, dns));
        ck_assert(certs_has_names(leaf, turned));
        ck_assert(!certs_has_names(leaf, fewer));
        ck_assert(!certs_has_names(leaf, more));
        ck_assert(!certs_has_names(leaf, other));
        ck_assert(!certs_has_names(certs_pem_span(&addressed.leaf.cert), dns));
        ck_assert(!certs_has_names((struct span){NULL, 0}, dns));
    }
END_TEST

START_TEST(a_bundle_is_taken_apart)
    {
        AUTO(made) struct made made = make(NULL);
        AUTO(certs_list) struct certs_list list = {0};
        AUTO(certs_list) struct certs_list none = {0};
        AUTO(text) struct text bundle = {0};
        struct error err;

        text_addf(&bundle, "# first\n%s\n%s", made.ca.cert.data, made.stranger.cert.data);
        ck_assert(certs_list_read((struct span){bundle.data, bundle.length}, &list, &err));
        ck_assert_uint_eq(list.count, 2);
        ck_assert_str_eq(list.items[0].data, made.ca.cert.data);
        ck_assert_str_eq(list.items[1].data, made.stranger.cert.data);

        text_puts(&bundle, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        ck_assert(!certs_list_read((struct span){bundle.data, bundle.length}, &none, &err));
        ck_assert(!certs_list_read(span_of("no certificate"), &none, &err));
        ck_assert(!certs_list_read(span_of(""), &none, &err));
        ck_assert(!certs_list_read((struct span){NULL, 0}, &none, &err));
        ck_assert(!certs_list_read(certs_pem_span(&made.ca.key), &none, &err));
        ck_assert_uint_eq(none.count, 0);
    }
END_TEST

SUITE(certs_inspect)
{
    tcase_add_test(tests, what_a_certificate_says);
    tcase_add_test(tests, keys_and_signatures);
    tcase_add_test(tests, names_are_compared_as_a_set);
    tcase_add_test(tests, a_bundle_is_taken_apart);
}
