#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/etcd_snapshot.h"
#include "agent/memory.h"
#include "base/auto.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static char folder[64];
static struct children children = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static const struct etcd_run forever = {
    .children = &children, .stop_fd = -1, .until_ms = INT64_MAX};

static void setup(void)
{
    strcpy(folder, "/tmp/granary-etcd-snapshot-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    scratch_remove(folder);
}

static char *place(const char *name)
{
    return text_format("%s/%s", folder, name);
}

static void put(const char *path, const void *bytes, size_t length, int mode)
{
    AUTO(close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
}

/* What looks like a database, with the trailer of it. */
#define DATABASE 20480

static void fill(unsigned char bytes[DATABASE + 32])
{
    for (size_t i = 0; i < DATABASE; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    ck_assert_int_eq(gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, DATABASE, bytes + DATABASE), 0);
}

/* ET1: what is cut off or changed is refused, wherever. */
static const struct {
    const char *what;
    long flip;   /* the byte of which one bit is turned; -1: none */
    long length; /* that are left */
    enum error_code code;
} files[] = {
    {"whole", -1, DATABASE + 32, ERROR_NONE},
    {"its first byte", 0, DATABASE + 32, ERROR_INVALID},
    {"one in the middle", 9999, DATABASE + 32, ERROR_INVALID},
    {"its last one", DATABASE - 1, DATABASE + 32, ERROR_INVALID},
    {"the trailer", DATABASE, DATABASE + 32, ERROR_INVALID},
    {"the trailer's last one", DATABASE + 31, DATABASE + 32, ERROR_INVALID},
    {"without its trailer", -1, DATABASE, ERROR_INVALID},
    {"cut by one", -1, DATABASE + 31, ERROR_INVALID},
    {"cut by a page", -1, DATABASE + 32 - 512, ERROR_INVALID},
    {"cut to a third", -1, 7000, ERROR_INVALID},
    {"only a trailer", -1, 32, ERROR_INVALID},
    {"a few bytes", -1, 5, ERROR_INVALID},
    {"nothing", -1, 0, ERROR_INVALID},
};

START_TEST(a_file_is_whole_or_refused)
    {
        unsigned char bytes[DATABASE + 32];
        AUTO(free) char *path = place("snapshot.db");
        struct error err = {.message = ""};
        char hex[65] = "as it was";

        fill(bytes);
        if (files[_i].flip >= 0)
            bytes[files[_i].flip] ^= 16;
        put(path, bytes, (size_t)files[_i].length, 0600);
        ck_assert_msg(etcd_snapshot_check(path, hex, &err) == (files[_i].code == ERROR_NONE), "%s",
                      files[_i].what);
        ck_assert_int_eq(err.code, files[_i].code);
        if (err.code)
            ck_assert_str_eq(hex, "as it was");
        else
            ck_assert_uint_eq(strlen(hex), 64);
    }
END_TEST

START_TEST(what_is_no_file_is_refused)
    {
        AUTO(free) char *missing = place("missing");
        struct error err = {.message = ""};

        ck_assert(!etcd_snapshot_check(missing, NULL, &err));
        ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
        ck_assert(!etcd_snapshot_check(folder, NULL, &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
    }
END_TEST

static const struct {
    const char *text;
    bool good;
    const char *version;
} said[] = {
    {"{\"hash\":448900596,\"revision\":11,\"totalKey\":10,\"totalSize\":20480,\"version\":\"3.6."
     "0\"}\n",
     true, "3.6.0"},
    {"{\"hash\":4294967295,\"revision\":0,\"totalKey\":0,\"totalSize\":0}", true, ""},
    {"{\"hash\":4294967296,\"revision\":1,\"totalKey\":1,\"totalSize\":1}", false, ""},
    {"{\"hash\":-1,\"revision\":1,\"totalKey\":1,\"totalSize\":1}", false, ""},
    {"{\"hash\":1,\"revision\":-1,\"totalKey\":1,\"totalSize\":1}", false, ""},
    {"{\"hash\":1,\"revision\":\"1\",\"totalKey\":1,\"totalSize\":1}", false, ""},
    {"{\"hash\":1,\"revision\":1,\"totalKey\":1}", false, ""},
    {"{\"hash\":1,\"hash\":1,\"revision\":1,\"totalKey\":1,\"totalSize\":1}", false, ""},
    {"", false, ""},
    {"[]", false, ""},
    {"hash, revision", false, ""},
};

START_TEST(a_status_is_read)
    {
        struct etcd_proof proof = {.revision = -7};
        struct error err = {.message = ""};

        ck_assert_msg(etcd_status_parse(span_of(said[_i].text), &proof, &err) == said[_i].good,
                      "%s", said[_i].text);
        if (said[_i].good)
            ck_assert_str_eq(proof.version, said[_i].version);
        else
            ck_assert_int_eq(proof.revision, -7);
    }
END_TEST

/* ---- tools that are scripts ---- */

#define STATUS(revision, keys)                                                                     \
    "'{\"hash\":9,\"revision\":" revision ",\"totalKey\":" keys ",\"totalSize\":20480}'"
#define RESTORES "restore) d=${4#--data-dir=}; mkdir -p $d/member/snap && : > $d/member/snap/db;; "
#define IS_DATA "case \"$3\" in */member/snap/db)"

/* ET1: each way in which a snapshot that is whole is none that counts. */
static const struct {
    const char *what, *script; /* of what is run for "snapshot" */
    struct etcd_version version;
    int64_t least;
    enum error_code code;
    const char *message;
} proofs[] = {
    {"good",
     "case \"$2\" in " RESTORES "status) echo " STATUS("11", "10") ";; esac",
     {3, 5, 21},
     11,
     ERROR_NONE,
     ""},
    {"good by 3.4",
     "case \"$2\" in " RESTORES "status) echo " STATUS("11", "10") ";; esac",
     {3, 4, 23},
     0,
     ERROR_NONE,
     ""},
    {"older than what was seen",
     "case \"$2\" in " RESTORES "status) echo " STATUS("11", "10") ";; esac",
     {3, 5, 21},
     12,
     ERROR_INVALID,
     "12 was seen"},
    {"not readable",
     "case \"$2\" in " RESTORES "status) echo broken >&2; exit 1;; esac",
     {3, 5, 21},
     0,
     ERROR_INVALID,
     "the snapshot: "},
    {"not restorable",
     "case \"$2\" in restore) echo bad >&2; exit 1;; status) echo " STATUS("11", "10") ";; esac",
     {3, 5, 21},
     0,
     ERROR_INVALID,
     "bad"},
    {"another revision",
     "case \"$2\" in " RESTORES "status) " IS_DATA
     " echo " STATUS("10", "10") ";; *) echo " STATUS("11", "10") ";; esac;; esac",
     {3, 5, 21},
     0,
     ERROR_INVALID,
     "other content"},
    {"other keys",
     "case \"$2\" in " RESTORES "status) " IS_DATA
     " echo " STATUS("11", "9") ";; *) echo " STATUS("11", "10") ";; esac;; esac",
     {3, 6, 5},
     0,
     ERROR_INVALID,
     "other content"},
    {"tools that change the file",
     "case \"$2\" in " RESTORES
     "status) echo " STATUS("11", "10") "; printf x | dd of=\"$3\" conv=notrunc status=none;; esac",
     {3, 5, 21},
     0,
     ERROR_INVALID,
     "is damaged"},
};

START_TEST(a_snapshot_is_proven)
    {
        unsigned char bytes[DATABASE + 32];
        AUTO(free) char *path = place("snapshot.db");
        AUTO(free) char *program = place("tool");
        AUTO(free) char *scratch = place("scratch");
        AUTO(free) char *left = place("scratch/etcd-proof");
        AUTO(free) char *script = text_format("#!/bin/sh\n%s\n", proofs[_i].script);
        struct etcd_tools tools = {.version = proofs[_i].version, .ctl = program, .utl = program};
        struct etcd_proof proof = {.revision = -7};
        struct error err = {.message = ""};

        fill(bytes);
        put(path, bytes, sizeof bytes, 0600);
        put(program, script, strlen(script), 0755);
        ck_assert_int_eq(mkdir(scratch, 0700), 0);
        tools.skills = etcd_skills_of(tools.version);
        ck_assert_msg(etcd_snapshot_prove(&forever, &tools, path, scratch, proofs[_i].least, &proof,
                                          &err) == (proofs[_i].code == ERROR_NONE),
                      "%s: %s", proofs[_i].what, err.message);
        ck_assert_int_eq(err.code, proofs[_i].code);
        ck_assert_msg(strstr(err.message, proofs[_i].message) != NULL, "%s", err.message);
        ck_assert_int_eq(proof.revision, err.code ? -7 : 11);
        ck_assert_int_eq(access(left, F_OK), -1);
    }
END_TEST

START_TEST(a_damaged_one_is_shown_to_no_tool)
    {
        unsigned char bytes[DATABASE + 32];
        AUTO(free) char *path = place("snapshot.db");
        struct etcd_tools tools = {.version = {3, 5, 21}, .ctl = (char *)"/nonexistent/etcdctl"};
        struct etcd_proof proof = {0};
        struct error err = {.message = ""};

        fill(bytes);
        bytes[77] ^= 1;
        put(path, bytes, sizeof bytes, 0600);
        ck_assert(!etcd_snapshot_prove(&forever, &tools, path, folder, 0, &proof, &err));
        ck_assert_msg(strstr(err.message, "is damaged") != NULL, "%s", err.message);
    }
END_TEST

START_TEST(a_proof_is_told)
    {
        struct etcd_proof proof = {.hash = 4294967295u, .revision = 11, .keys = 10, .size = 20480};
        AUTO(json) json_t *made = NULL, *want = NULL;

        strcpy(proof.version, "3.6.0");
        strcpy(proof.sha256, "ab");
        made = etcd_proof_json(&proof);
        want = json_row("{'hash':4294967295,'revision':11,'keys':10,'size':20480,"
                        "'version':'3.6.0','sha256':'ab'}");
        ck_assert(json_equal(made, want));
    }
END_TEST

SUITE(agent_etcd_snapshot)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    suite_rows(tests, a_file_is_whole_or_refused, files);
    tcase_add_test(tests, what_is_no_file_is_refused);
    suite_rows(tests, a_status_is_read, said);
    suite_rows(tests, a_snapshot_is_proven, proofs);
    tcase_add_test(tests, a_damaged_one_is_shown_to_no_tool);
    tcase_add_test(tests, a_proof_is_told);
}
