#include "webhook/secret.h"

#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "tests/unit/certs/pem.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define NOW_S 1704067200

static const struct {
    const char *secret, *message;
} rows[] = {
    {"{}", "data has no tls.crt"},
    {"{'data':null}", "data has no tls.crt"},
    {"{'data':{'tls.key':'YQ=='}}", "data has no tls.crt"},
    {"{'data':{'tls.crt':'YQ=='}}", "data has no tls.key"},
    {"{'data':{'tls.crt':'YQ==','tls.key':1}}", "data has no tls.key"},
    {"{'data':{'tls.crt':'YQ==','tls.key':'%%%'}}", "tls.key: not base64"},
    {"{'stringData':{'tls.crt':'a','tls.key':'b'}}", "data has no tls.crt"},
};

START_TEST(what_is_no_pair)
    {
        AUTO(json) json_t *secret = json_row(rows[_i].secret);
        struct certs_store *store = certs_store_make(&(struct certs_files){0});
        struct error err = {0};

        ck_assert(!secret_give(secret, store, &err));
        ck_assert_str_eq(err.message, rows[_i].message);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 0, &err), CERTS_SAME);
        certs_store_free(store);
    }
END_TEST

static void put_coded(json_t *data, const char *key, const char *pem)
{
    const gnutls_datum_t in = {(unsigned char *)pem, (unsigned)strlen(pem)};
    gnutls_datum_t out;

    ck_assert_int_eq(gnutls_base64_encode2(&in, &out), 0);
    tree_put_span(data, key, (struct span){(char *)out.data, out.size});
    gnutls_free(out.data);
}

START_TEST(a_pair_is_given)
    {
        static const struct pem_wish good = {NOW_S, NOW_S + 1000, "a.example", NULL, 0, 0, 0};
        AUTO(json) json_t *secret = json_row("{'data':{}}");
        struct certs_store *store = certs_store_make(&(struct certs_files){0});
        struct pem_pair pair;
        struct error err = {0};

        pem_make(&pair, &good);
        put_coded(json_object_get(secret, "data"), "tls.crt", pair.cert);
        put_coded(json_object_get(secret, "data"), "tls.key", pair.key);
        ck_assert_msg(secret_give(secret, store, &err), "%s", err.message);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 0, &err), CERTS_TAKEN);
        /* what comes again is judged again, and a broken pair leaves the last good one */
        put_coded(json_object_get(secret, "data"), "tls.key", "no key");
        ck_assert(secret_give(secret, store, &err));
        ck_assert_int_eq(certs_store_look(store, NOW_S, 1, &err), CERTS_REFUSED);

        AUTO(credentials) struct credentials *kept = certs_store_get(store);

        ck_assert_ptr_nonnull(kept);
        certs_store_free(store);
    }
END_TEST

START_TEST(what_is_too_large)
    {
        AUTO(json) json_t *secret = json_row("{'data':{}}");
        AUTO(free) char *large = text_alloc(CERTS_MAX_BYTES * 2);
        struct certs_store *store = certs_store_make(&(struct certs_files){0});
        struct error err = {0};

        memset(large, 'A', CERTS_MAX_BYTES * 2 - 1);
        tree_put_text(json_object_get(secret, "data"), "tls.crt", large);
        ck_assert(!secret_give(secret, store, &err));
        ck_assert_ptr_nonnull(strstr(err.message, "tls.crt: more than"));
        certs_store_free(store);
    }
END_TEST

SUITE(webhook_secret)
{
    suite_rows(tests, what_is_no_pair, rows);
    tcase_add_test(tests, a_pair_is_given);
    tcase_add_test(tests, what_is_too_large);
}
