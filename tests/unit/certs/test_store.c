#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/limits.h"
#include "certs/store.h"
#include "tests/unit/certs/pem.h"
#include "tests/unit/suite.h"

#define NOW_S 1704067200

static const struct pem_wish good = {NOW_S, NOW_S + 1000, "a.example", NULL, 0, 0, 0};

/* A folder with the two files. */
struct folder {
    char path[64], cert[96], key[96];
};

static void put(const char *path, const char *content)
{
    char staged[128];
    FILE *file;

    snprintf(staged, sizeof staged, "%s.new", path);
    file = fopen(staged, "w");
    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    fclose(file);
    ck_assert_int_eq(rename(staged, path), 0);
}

static void folder_make(struct folder *folder)
{
    snprintf(folder->path, sizeof folder->path, "/tmp/granary-certs-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder->path));
    snprintf(folder->cert, sizeof folder->cert, "%s/tls.crt", folder->path);
    snprintf(folder->key, sizeof folder->key, "%s/tls.key", folder->path);
}

static void auto_folder(struct folder *folder)
{
    unlink(folder->cert);
    unlink(folder->key);
    rmdir(folder->path);
}

static void auto_store(struct certs_store **store)
{
    certs_store_free(*store);
}

static struct certs_store *open_store(const struct folder *folder)
{
    return certs_store_make(&(struct certs_files){folder->cert, folder->key, NULL});
}

START_TEST(files_are_followed)
    {
        AUTO(folder) struct folder folder;
        struct pem_pair first, second;
        struct error err = {0};

        folder_make(&folder);
        pem_make(&first, &good);
        pem_make(&second, &good);

        AUTO(store) struct certs_store *store = open_store(&folder);

        ck_assert_int_eq(certs_store_look(store, NOW_S, 0, &err), CERTS_REFUSED);
        ck_assert_ptr_null(certs_store_get(store));
        ck_assert_int_eq(certs_store_look(store, NOW_S, 1, &err), CERTS_SAME);
        put(folder.key, first.key);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 2, &err), CERTS_REFUSED);
        put(folder.cert, first.cert);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 3, &err), CERTS_TAKEN);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 4, &err), CERTS_SAME);

        AUTO(credentials) struct credentials *kept = certs_store_get(store);

        ck_assert_ptr_nonnull(kept);
        /* half of a rotation: said, and the old pair stays */
        put(folder.cert, second.cert);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 5, &err), CERTS_REFUSED);
        ck_assert_ptr_nonnull(strstr(err.message, "not the key of"));

        AUTO(credentials) struct credentials *still = certs_store_get(store);

        ck_assert_ptr_eq(still, kept);
        put(folder.key, second.key);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 6, &err), CERTS_TAKEN);

        AUTO(credentials) struct credentials *now = certs_store_get(store);

        ck_assert_ptr_ne(now, kept);
        /* whoever began with the old pair still has it */
        ck_assert_int_eq(credentials_facts(kept)->not_before_s, NOW_S);
    }
END_TEST

START_TEST(time_alone_makes_a_certificate_good)
    {
        AUTO(folder) struct folder folder;
        struct pem_pair pair;
        struct error err = {0};

        folder_make(&folder);
        pem_make(&pair, &good);
        put(folder.cert, pair.cert);
        put(folder.key, pair.key);

        AUTO(store) struct certs_store *store = open_store(&folder);

        ck_assert_int_eq(certs_store_look(store, NOW_S - 5, 0, &err), CERTS_REFUSED);
        /* not looked at again before its time, and then not said twice */
        ck_assert_int_eq(certs_store_look(store, NOW_S, CERTS_RETRY_MS - 1, &err), CERTS_SAME);
        ck_assert_int_eq(certs_store_look(store, NOW_S - 1, CERTS_RETRY_MS, &err), CERTS_SAME);
        ck_assert_ptr_null(certs_store_get(store));
        ck_assert_int_eq(certs_store_look(store, NOW_S, 2 * CERTS_RETRY_MS, &err), CERTS_TAKEN);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 9 * CERTS_RETRY_MS, &err), CERTS_SAME);
    }
END_TEST

/* Neither size nor time tell a file from the one that replaced it: the inode does. */
START_TEST(a_file_of_the_same_size_and_time_is_another)
    {
        AUTO(folder) struct folder folder;
        const struct timespec times[2] = {{NOW_S, 5}, {NOW_S, 5}};
        struct error err = {0};
        struct pem_pair pair;

        folder_make(&folder);
        pem_make(&pair, &good);
        put(folder.cert, pair.cert);
        put(folder.key, pair.key);
        utimensat(AT_FDCWD, folder.cert, times, 0);

        AUTO(store) struct certs_store *store = open_store(&folder);

        ck_assert_int_eq(certs_store_look(store, NOW_S, 0, &err), CERTS_TAKEN);
        put(folder.cert, pair.cert);
        utimensat(AT_FDCWD, folder.cert, times, 0);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 1, &err), CERTS_TAKEN);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 2, &err), CERTS_SAME);
    }
END_TEST

/* What stands in the place of a file must neither hold us nor fill the memory. */
static void give(struct certs_store *store, const char *cert, const char *key)
{
    certs_store_give(store, &(struct certs_parts){{"Secret: tls.crt", span_of(cert)},
                                                  {"Secret: tls.key", span_of(key)},
                                                  {"Secret: ca.crt", {0}}});
}

/* CR7: a watched Secret instead of files */
START_TEST(what_is_given_is_judged_and_taken)
    {
        struct pem_pair first, second;
        struct error err = {0};
        AUTO(store) struct certs_store *store = certs_store_make(&(struct certs_files){0});

        pem_make(&first, &good);
        pem_make(&second, &good);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 0, &err), CERTS_SAME);
        ck_assert_ptr_null(certs_store_get(store));
        give(store, first.cert, second.key);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 1, &err), CERTS_REFUSED);
        ck_assert_ptr_nonnull(strstr(err.message, "Secret: tls.key"));
        give(store, first.cert, first.key);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 2, &err), CERTS_TAKEN);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 3, &err), CERTS_SAME);
        give(store, "", "");
        ck_assert_int_eq(certs_store_look(store, NOW_S, 4, &err), CERTS_REFUSED);

        AUTO(credentials) struct credentials *still = certs_store_get(store);

        ck_assert_ptr_nonnull(still);
    }
END_TEST

/* A Secret with the pair, a file with the CA of the clients */
START_TEST(what_is_given_goes_with_the_file_of_the_client_ca)
    {
        AUTO(folder) struct folder folder;
        struct pem_wish authority = good;
        struct pem_pair pair, ca;
        struct error err = {0};

        folder_make(&folder);
        authority.authority = true;
        pem_make(&pair, &good);
        pem_make(&ca, &authority);

        AUTO(store)
        struct certs_store *store =
            certs_store_make(&(struct certs_files){NULL, NULL, folder.cert});

        give(store, pair.cert, pair.key);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 0, &err), CERTS_REFUSED);
        ck_assert_ptr_nonnull(strstr(err.message, folder.cert));
        put(folder.cert, ca.cert);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 1, &err), CERTS_TAKEN);
        put(folder.cert, "nothing");
        ck_assert_int_eq(certs_store_look(store, NOW_S, 2, &err), CERTS_REFUSED);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 3, &err), CERTS_SAME);
    }
END_TEST

START_TEST(odd_files_are_refused)
    {
        AUTO(folder) struct folder folder;
        struct error err = {0};
        struct pem_pair pair;

        folder_make(&folder);
        pem_make(&pair, &good);
        put(folder.key, pair.key);

        AUTO(store) struct certs_store *store = open_store(&folder);

        ck_assert_int_eq(mkfifo(folder.cert, 0600), 0);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 0, &err), CERTS_REFUSED);
        ck_assert_ptr_nonnull(strstr(err.message, "not a file"));
        unlink(folder.cert);
        put(folder.cert, pair.cert);
        ck_assert_int_eq(truncate(folder.cert, CERTS_MAX_BYTES + 1), 0);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 1, &err), CERTS_REFUSED);
        ck_assert_ptr_nonnull(strstr(err.message, "more than"));
        unlink(folder.cert);
        ck_assert_int_eq(symlink(folder.cert, folder.cert), 0);
        ck_assert_int_eq(certs_store_look(store, NOW_S, 2, &err), CERTS_REFUSED);
        ck_assert_ptr_nonnull(strstr(err.message, "tls.crt: "));
    }
END_TEST

SUITE(certs_store)
{
    tcase_add_test(tests, files_are_followed);
    tcase_add_test(tests, time_alone_makes_a_certificate_good);
    tcase_add_test(tests, a_file_of_the_same_size_and_time_is_another);
    tcase_add_test(tests, odd_files_are_refused);
    tcase_add_test(tests, what_is_given_is_judged_and_taken);
    tcase_add_test(tests, what_is_given_goes_with_the_file_of_the_client_ca);
}
