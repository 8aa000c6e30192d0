#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/identity.h"
#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "tests/unit/suite.h"

#define CERT "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define NAME "granary-agents.granary-system.svc:443"

static const struct {
    struct span text;
    size_t count; /* 0: refused */
} lists[] = {
#define TEXT(text)                                                                                 \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }
    {TEXT(NAME), 1},
    {TEXT(NAME "\n10.96.7.9:443\n[fd00::a]:443\n"), 3},
    {TEXT("\n\n a:1 \r\n\n"), 1},
    {TEXT("a:65535"), 1},
    {TEXT("a:1\na:1\na:1\na:1\na:1\na:1\na:1\na:1\n"), 8},
    {TEXT("a:1\na:1\na:1\na:1\na:1\na:1\na:1\na:1\na:1\n"), 0},
    {TEXT(""), 0},
    {TEXT("\n \n"), 0},
    {TEXT("a"), 0},
    {TEXT(":443"), 0},
    {TEXT("a:"), 0},
    {TEXT("a:0"), 0},
    {TEXT("a:00000"), 0},
    {TEXT("a:65536"), 0},
    {TEXT("a:000443"), 0},
    {TEXT("a:44x"), 0},
    {TEXT("a:-1"), 0},
    {TEXT("https://a:443"), 0},
    {TEXT("a/b:443"), 0},
    {TEXT("user@a:443"), 0},
    {TEXT("a b:443"), 0},
    {TEXT("a\0b:443"), 0},
    {TEXT("fd00::a:443"), 0},
    {TEXT("[]:443"), 0},
    {TEXT("[fd00::a:443"), 0},
    {TEXT("[fd00::g]:443"), 0},
    {TEXT(NAME "\n\xff:443\n"), 0},
#undef TEXT
};

START_TEST(addresses_are_read)
    {
        struct identity_addresses read = {.count = 77};
        struct error err = {.message = ""};
        bool good = identity_addresses_parse(lists[_i].text, &read, &err);

        ck_assert_int_eq(good, lists[_i].count > 0);
        ck_assert_uint_eq(read.count, good ? lists[_i].count : 77);
        ck_assert(good || err.code == ERROR_INVALID);
    }
END_TEST

START_TEST(a_long_address_is_refused)
    {
        char line[IDENTITY_ADDRESS_MAX_BYTES + 1];
        struct identity_addresses read;
        struct error err;

        memset(line, 'a', sizeof line);
        memcpy(line + sizeof line - 4, ":443", 4);
        ck_assert(!identity_addresses_parse((struct span){line, sizeof line}, &read, &err));
        ck_assert(!identity_addresses_parse((struct span){line + 1, sizeof line - 1}, &read, &err));
        ck_assert(identity_addresses_parse((struct span){line + 2, sizeof line - 2}, &read, &err));
    }
END_TEST

static const struct {
    const char *pem;
    size_t count;
} pems[] = {
    {"", 0},
    {"nonsense", 0},
    {CERT, 1},
    {"text\n" CERT "text\n" CERT, 2},
    {"-----BEGIN CERTIFICATE-----\nAAAA\n", 0},
    {CERT "-----BEGIN CERTIFICATE-----\nAAAA\n", 1},
    {"-----END CERTIFICATE-----\n" CERT, 1},
    {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0},
};

START_TEST(certificates_are_counted)
    {
        ck_assert_uint_eq(identity_certificates(span_of(pems[_i].pem)), pems[_i].count);
    }
END_TEST

static void put(const char *folder, const char *name, const char *text)
{
    AUTO(free) char *path = text_format("%s/%s", folder, name);
    AUTO(fclose) FILE *file = NULL;

    unlink(path);
    if (!text)
        return;
    file = fopen(path, "we");
    ck_assert(file != NULL);
    fputs(text, file);
}

/* In the order in which a kubelet may show them, and back. */
static const struct {
    const char *ca, *addresses, *token;
    enum identity_state state;
    const char *error;
} folders[] = {
    {NULL, NULL, NULL, IDENTITY_ABSENT, "ca.crt: not there"},
    {NULL, NULL, "t", IDENTITY_ABSENT, "ca.crt: not there"},
    {CERT, NULL, "t", IDENTITY_ABSENT, "addresses: not there"},
    {CERT, NAME, NULL, IDENTITY_ABSENT, "token: not there"},
    {CERT, NAME, "t", IDENTITY_GOOD, NULL},
    {CERT CERT, NAME "\n10.0.0.1:443", "t", IDENTITY_GOOD, NULL},
    {"", NAME, "t", IDENTITY_BAD, "ca.crt: empty"},
    {"nonsense", NAME, "t", IDENTITY_BAD, "ca.crt: no certificate in PEM"},
    {CERT, "", "t", IDENTITY_BAD, "addresses: empty"},
    {CERT, "nonsense", "t", IDENTITY_BAD, "addresses: a line is not host:port"},
    {CERT, NAME, "", IDENTITY_BAD, "token: empty"},
};

START_TEST(folders_are_looked_at)
    {
        char folder[] = "/tmp/granary-identity-XXXXXX";
        struct identity_addresses addresses = {.count = 0};
        struct error err = {.message = ""};

        ck_assert(mkdtemp(folder) != NULL);
        put(folder, IDENTITY_CA, folders[_i].ca);
        put(folder, IDENTITY_ADDRESSES, folders[_i].addresses);
        put(folder, IDENTITY_TOKEN, folders[_i].token);

        enum identity_state state = identity_look(folder, &addresses, &err);

        put(folder, IDENTITY_CA, NULL);
        put(folder, IDENTITY_ADDRESSES, NULL);
        put(folder, IDENTITY_TOKEN, NULL);
        rmdir(folder);
        ck_assert_int_eq(state, folders[_i].state);
        ck_assert_int_eq(addresses.count > 0, state == IDENTITY_GOOD);
        if (folders[_i].error)
            ck_assert_str_eq(err.message, folders[_i].error);
    }
END_TEST

START_TEST(strange_files_do_not_hold_us)
    {
        char folder[] = "/tmp/granary-identity-XXXXXX";
        AUTO(free) char *path = NULL;
        struct identity_addresses addresses;
        struct error err;

        ck_assert(mkdtemp(folder) != NULL);
        path = text_format("%s/" IDENTITY_CA, folder);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(identity_look(folder, &addresses, &err), IDENTITY_BAD);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        ck_assert_int_eq(identity_look(folder, &addresses, &err), IDENTITY_BAD);
        ck_assert_int_eq(rmdir(path), 0);
        put(folder, IDENTITY_CA, "");
        ck_assert_int_eq(truncate(path, (off_t)CERTS_MAX_BYTES + 1), 0);
        ck_assert_int_eq(identity_look(folder, &addresses, &err), IDENTITY_BAD);
        unlink(path);
        rmdir(folder);
    }
END_TEST

SUITE(agent_identity)
{
    suite_rows(tests, addresses_are_read, lists);
    tcase_add_test(tests, a_long_address_is_refused);
    suite_rows(tests, certificates_are_counted, pems);
    suite_rows(tests, folders_are_looked_at, folders);
    tcase_add_test(tests, strange_files_do_not_hold_us);
}
