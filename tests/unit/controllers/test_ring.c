#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/ring.h"
#include "tests/unit/suite.h"

#define FROM_S INT64_C(1704067200)
#define TO_S INT64_C(1735689600)

static void make(struct certs_pair *pair)
{
    struct certs_wish wish = {"granary CA", NULL, NULL, FROM_S, TO_S};
    struct error err;

    ck_assert(certs_make_authority(&wish, pair, &err));
}

static json_t *secret_of(const struct ring *ring)
{
    json_t *secret = json_object();

    tree_put_new(secret, "data", ring_data(ring));
    return secret;
}

static struct ring full(void)
{
    AUTO(certs_pair) struct certs_pair old = {0};
    struct ring ring = {0};

    make(&ring.current);
    make(&ring.next);
    make(&old);
    ring_keep(&ring, certs_pem_span(&old.cert), FROM_S + 77);
    return ring;
}

START_TEST(there_and_back)
    {
        AUTO(ring) struct ring ring = full();
        AUTO(ring) struct ring again = {0};
        AUTO(json) json_t *secret = secret_of(&ring);
        AUTO(json) json_t *other = NULL;
        struct error problem;

        ring_read(secret, &again, &problem);
        ck_assert_str_eq(problem.message, "");
        ck_assert_str_eq(again.current.cert.data, ring.current.cert.data);
        ck_assert_str_eq(again.next.key.data, ring.next.key.data);
        ck_assert_uint_eq(again.previous_count, 1);
        ck_assert_int_eq(again.previous_until_s, FROM_S + 77);
        other = secret_of(&again);
        ck_assert(tree_equal(secret, other));
    }
END_TEST

/* One part that is broken takes no other with it, and no byte of it gets into the message. */
static const struct {
    const char *key, *value; /* NULL: removed */
    bool current, next;
    size_t previous;
    const char *problem;
} rows[] = {
    {"current.crt", "Zm9v", false, true, 1, "current.crt: not one certificate of a CA"},
    {"current.crt", NULL, false, true, 1, "current.crt: not one certificate of a CA"},
    {"current.key", "Zm9v", false, true, 1, "current.key: not the key of the certificate"},
    {"current.key", NULL, false, true, 1, "current.key: not the key of the certificate"},
    {"next.key", "***", true, false, 1, "next.key: not the key of the certificate"},
    {"previous.crt", "Zm9v", true, true, 0, "previous.crt: not only certificates"},
    {"previous.crt", NULL, true, true, 0, ""},
    {"previous-until", "Zm9v", true, true, 1, "previous-until: no time"},
    {"previous-until", NULL, true, true, 1, "previous-until: no time"},
    {"unknown", "Zm9v", true, true, 1, ""},
};

START_TEST(broken_parts)
    {
        AUTO(ring) struct ring ring = full();
        AUTO(ring) struct ring again = {0};
        AUTO(json) json_t *secret = secret_of(&ring);
        json_t *data = json_object_get(secret, "data");
        struct error problem;

        if (rows[_i].value)
            tree_put_text(data, rows[_i].key, rows[_i].value);
        else
            json_object_del(data, rows[_i].key);
        ring_read(secret, &again, &problem);
        ck_assert_int_eq(again.current.cert.data != NULL, rows[_i].current);
        ck_assert_int_eq(again.next.cert.data != NULL, rows[_i].next);
        ck_assert_uint_eq(again.previous_count, rows[_i].previous);
        ck_assert_str_eq(problem.message, rows[_i].problem);
        /* without a time: as long as they could be of use */
        if (strcmp(rows[_i].key, "previous-until") == 0)
            ck_assert_int_eq(again.previous_until_s, TO_S);
    }
END_TEST

static const char *const strange[] = {"null",
                                      "[]",
                                      "7",
                                      "{}",
                                      "{\"data\": []}",
                                      "{\"data\": {\"current.crt\": []}}",
                                      "{\"data\": {\"previous.crt\": 7}}"};

START_TEST(strange_secrets)
    {
        AUTO(json) json_t *secret = json_loads(strange[_i], JSON_DECODE_ANY, NULL);
        AUTO(ring) struct ring ring = {0};
        AUTO(text) struct text bundle = {0};
        struct error problem;

        ring_read(secret, &ring, &problem);
        ring_bundle(&ring, &bundle);
        ck_assert_uint_eq(bundle.length, 0);
    }
END_TEST

START_TEST(the_oldest_goes)
    {
        AUTO(ring) struct ring ring = {0};
        AUTO(text) struct text bundle = {0};
        char *first = NULL, *last = NULL;

        for (int i = 0; i < ROTATION_PREVIOUS_MAX + 1; i++) {
            AUTO(certs_pair) struct certs_pair old = {0};

            make(&old);
            if (i == 0)
                first = text_dup(old.cert.data, old.cert.length);
            if (i == ROTATION_PREVIOUS_MAX)
                last = text_dup(old.cert.data, old.cert.length);
            ring_keep(&ring, certs_pem_span(&old.cert), FROM_S + i);
            ring_keep(&ring, certs_pem_span(&old.cert), FROM_S);
        }
        ck_assert_uint_eq(ring.previous_count, ROTATION_PREVIOUS_MAX);
        ck_assert_int_eq(ring.previous_until_s, FROM_S + ROTATION_PREVIOUS_MAX);
        ring_bundle(&ring, &bundle);
        ck_assert_ptr_null(strstr(text_get(&bundle), first));
        ck_assert_ptr_nonnull(strstr(text_get(&bundle), last));
        ck_assert_ptr_null(strstr(text_get(&bundle), "PRIVATE"));
        free(first);
        free(last);
    }
END_TEST

SUITE(controllers_ring)
{
    tcase_add_test(tests, there_and_back);
    suite_rows(tests, broken_parts, rows);
    suite_rows(tests, strange_secrets, strange);
    tcase_add_test(tests, the_oldest_goes);
}
