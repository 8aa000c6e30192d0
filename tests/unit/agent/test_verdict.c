#include "agent/verdict.h"

#include <string.h>

#include "base/auto.h"
#include "tests/unit/suite.h"

#define EXIT(code) ((code) << 8)

/* RS1 */
static const struct {
    enum restic_cause cause;
    int status;
    const char *message;
    const char *reason; /* NULL: it is fine */
} rows[] = {
    {RESTIC_BY_ITSELF, EXIT(0), "", NULL},
    {RESTIC_BY_ITSELF, EXIT(0), "no space left on device", NULL},
    {RESTIC_BY_ITSELF, EXIT(1), "", "ResticFailed"},
    {RESTIC_BY_ITSELF, EXIT(1), "something new", "ResticFailed"},
    {RESTIC_BY_ITSELF, EXIT(2), "", "ResticCrashed"},
    {RESTIC_BY_ITSELF, EXIT(3), "permission denied", "UnreadableFiles"},
    {RESTIC_BY_ITSELF, EXIT(10), "", "RepositoryMissing"},
    {RESTIC_BY_ITSELF, EXIT(11), "", "RepositoryLocked"},
    {RESTIC_BY_ITSELF, EXIT(12), "", "WrongPassword"},
    {RESTIC_BY_ITSELF, EXIT(130), "", "Interrupted"},
    {RESTIC_BY_ITSELF, 9, "", "Killed"},
    {RESTIC_BY_ITSELF, 11, "wrong password or no key found", "Killed"},
    {RESTIC_BY_ITSELF, EXIT(1), "Fatal: wrong password or no key found", "WrongPassword"},
    {RESTIC_BY_ITSELF, EXIT(1), "write /x: no space left on device", "DiskFull"},
    {RESTIC_BY_ITSELF, EXIT(1), "x: disk quota exceeded", "DiskFull"},
    {RESTIC_BY_ITSELF, EXIT(1), "dial tcp: lookup h: no such host", "StorageUnreachable"},
    {RESTIC_BY_ITSELF, EXIT(1), "connect: connection refused", "StorageUnreachable"},
    {RESTIC_BY_ITSELF, EXIT(1), "x509: certificate signed by unknown authority",
     "CertificateNotTrusted"},
    {RESTIC_BY_ITSELF, EXIT(1), "Stat: Access Denied.", "AccessDenied"},
    {RESTIC_BY_ITSELF, EXIT(1), "unexpected HTTP response (403): 403 Forbidden", "AccessDenied"},
    {RESTIC_BY_ITSELF, EXIT(1), "parsing repository location failed: invalid backend",
     "BackendNotSupported"},
    {RESTIC_BY_ITSELF, EXIT(1), "The specified bucket does not exist", "BucketMissing"},
    {RESTIC_BY_ITSELF, EXIT(1), "open /data/x: permission denied", "PermissionDenied"},
    {RESTIC_BY_ITSELF, EXIT(1), "all source directories/files do not exist", "PathMissing"},
    {RESTIC_BY_ITSELF, EXIT(1), "ciphertext verification failed", "RepositoryDamaged"},
    {RESTIC_BY_ITSELF, EXIT(1), "ReadFull(<data/5d33bc92a2>): file is too short",
     "RepositoryDamaged"},
    /* what the index names is not there; what else is not there is no damage */
    {RESTIC_BY_ITSELF, EXIT(1), "ReadFull(<data/5d>): open /r/data/5d: no such file or directory",
     "RepositoryDamaged"},
    {RESTIC_BY_ITSELF, EXIT(1), "<index/5d> does not exist", "RepositoryDamaged"},
    {RESTIC_BY_ITSELF, EXIT(1), "Load(<data/5d>, 0, 0) failed: unexpected HTTP response (404)",
     "RepositoryDamaged"},
    {RESTIC_BY_ITSELF, EXIT(1), "lchown /x: no such file or directory", "ResticFailed"},
    {RESTIC_BY_ITSELF, EXIT(1), "Load(<data/5d>, 0, 0) failed: i/o timeout", "StorageUnreachable"},
    {RESTIC_BY_ITSELF, EXIT(1), "mkdir /r: read-only file system", "ReadOnly"},
    {RESTIC_BY_ITSELF, EXIT(1), "RequestTimeTooSkewed: x", "ClockSkewed"},
    {RESTIC_BY_ITSELF, EXIT(1),
     "Save: The difference between the request time and the server's time is too large.",
     "ClockSkewed"},
    {RESTIC_BY_ITSELF, EXIT(1), "The AWS Access Key Id you provided does not exist in our records.",
     "AccessDenied"},
    {RESTIC_BY_ITSELF, EXIT(1), "The provided token has expired.", "AccessDenied"},
    {RESTIC_BY_ITSELF, EXIT(1), "Please reduce your request rate.", "StorageBusy"},
    {RESTIC_BY_ITSELF, EXIT(1), "create key failed: repository already contains keys",
     "RepositoryHalfMade"},
    /* who ended it counts, whatever it says then */
    {RESTIC_DEADLINE, EXIT(130), "", "DeadlineExceeded"},
    {RESTIC_DEADLINE, EXIT(0), "", "DeadlineExceeded"},
    {RESTIC_CANCELLED, EXIT(1), "no space left on device", "Cancelled"},
    {RESTIC_STOPPED, 9, "", "PodEnded"},
    {RESTIC_MEMORY, 9, "", "OutOfMemory"},
    {RESTIC_HOPELESS, EXIT(1), "SignatureDoesNotMatch", "AccessDenied"},
};

START_TEST(ends_are_judged)
    {
        AUTO(failure) struct failure failure = {.reason = NULL};
        struct restic_end end = {rows[_i].cause, rows[_i].status, rows[_i].message,
                                 "somebody said"};
        bool good = restic_judge(&end, "the backup of /data", &failure);

        ck_assert_int_eq(good, rows[_i].reason == NULL);
        if (good) {
            ck_assert(!failure.reason);
            return;
        }
        ck_assert_str_eq(failure.reason, rows[_i].reason);
        ck_assert(strncmp(text_get(&failure.message), "the backup of /data: ", 21) == 0);
        ck_assert(strstr(text_get(&failure.message), "What to do: ") != NULL);
        ck_assert(rows[_i].cause != RESTIC_CANCELLED ||
                  strstr(text_get(&failure.message), "somebody said") != NULL);
        /* the first failure counts */
        ck_assert(!failure_set(&failure, "Other", "other"));
        ck_assert_str_eq(failure.reason, rows[_i].reason);
    }
END_TEST

/* Its codes are not restic's: 3 is a folder that is not there. */
START_TEST(rclone_is_judged_by_its_words)
    {
        static const struct {
            enum restic_cause cause;
            int status;
            const char *message, *reason;
        } ends[] = {
            {RESTIC_BY_ITSELF, EXIT(0), "", NULL},
            {RESTIC_BY_ITSELF, EXIT(3), "", "StorageFailed"},
            {RESTIC_BY_ITSELF, EXIT(12), "", "StorageFailed"},
            {RESTIC_BY_ITSELF, 9, "", "StorageFailed"},
            {RESTIC_BY_ITSELF, EXIT(1), "SignatureDoesNotMatch: x", "AccessDenied"},
            {RESTIC_STOPPED, EXIT(0), "", "PodEnded"},
        };

        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
            const struct restic_end end = {ends[i].cause, ends[i].status, ends[i].message, NULL};
            AUTO(failure) struct failure failure = {0};

            ck_assert_int_eq(rclone_judge(&end, "removing", &failure), !ends[i].reason);
            ck_assert(!ends[i].reason || strcmp(failure.reason, ends[i].reason) == 0);
        }
    }
END_TEST

START_TEST(absence_is_proven_by_one_code)
    {
        for (int code = 0; code < 256; code++) {
            struct restic_end end = {RESTIC_BY_ITSELF, EXIT(code), "repository does not exist",
                                     NULL};

            ck_assert_int_eq(restic_proves_absence(&end), code == 10);
            ck_assert_int_eq(restic_refuses_password(&end), code == 12);
            ck_assert_int_eq(restic_is_locked(&end), code == 11);
            end.cause = RESTIC_DEADLINE;
            ck_assert(!restic_proves_absence(&end) && !restic_refuses_password(&end) &&
                      !restic_is_locked(&end));
        }
        ck_assert(!restic_proves_absence(&(struct restic_end){RESTIC_BY_ITSELF, 10, "", NULL}));
    }
END_TEST

static const struct {
    const char *text, *clean;
} texts[] = {
    {"", ""},
    {"nothing here", "nothing here"},
    {"key=s3cret!", "key=***"},
    {"s3cret!s3cret!", "******"},
    {"an abc stays", "an abc stays"},
    {"at https://user:word@host/x", "at https://***@host/x"},
    {"at https://host/x@y", "at https://host/x@y"},
    {"two http://a@b http://c:d@e.", "two http://***@b http://***@e."},
    {"ends in ://", "ends in ://"},
    {"ends in ://@", "ends in ://***@"},
};

START_TEST(secrets_are_taken_out)
    {
        static const char *const secrets[] = {"s3cret!", "abc", ""};
        AUTO(text) struct text text = {0};

        text_puts(&text, texts[_i].text);
        redact(&text, secrets, 3);
        ck_assert_str_eq(text_get(&text), texts[_i].clean);
    }
END_TEST

START_TEST(some_repetitions_are_hopeless)
    {
        ck_assert(restic_is_hopeless("Stat(<config/>) returned error, retrying: Access Denied"));
        ck_assert(restic_is_hopeless("x509: certificate has expired"));
        ck_assert(!restic_is_hopeless("dial tcp 127.0.0.1:1: connect: connection refused"));
        ck_assert(!restic_is_hopeless("SlowDown"));
        ck_assert(!restic_is_hopeless(""));
        ck_assert(restic_is_doomed("Save(<data/7606>) failed: write /r: no space left on device"));
        ck_assert(
            !restic_is_doomed("Save(<data/7606>) returned error, retrying after 1s: write /r: "
                              "no space left on device"));
        ck_assert(!restic_is_doomed("Save(<data/7606>) failed: connection refused"));
    }
END_TEST

/* RS4, RS6, RS7: what a check says that counts one error */
static const struct {
    enum restic_cause cause;
    int status;
    const char *message;
    bool damage;
} checks[] = {
    {RESTIC_BY_ITSELF, EXIT(1), "Fatal: repository contains errors", true},
    {RESTIC_BY_ITSELF, EXIT(1), "pack 1234: ciphertext verification failed", true},
    {RESTIC_BY_ITSELF, EXIT(0), "", true},
    {RESTIC_BY_ITSELF, EXIT(11), "unable to create lock: repository is already locked", false},
    {RESTIC_BY_ITSELF, EXIT(10), "", false},
    {RESTIC_BY_ITSELF, EXIT(12), "", false},
    {RESTIC_BY_ITSELF, EXIT(130), "", false},
    {RESTIC_BY_ITSELF, EXIT(1), "dial tcp: connection refused", false},
    {RESTIC_BY_ITSELF, EXIT(1), "Access Denied", false},
    {RESTIC_BY_ITSELF, EXIT(1), "no space left on device", false},
    {RESTIC_BY_ITSELF, 9, "", false},
    {RESTIC_STOPPED, EXIT(1), "", false},
};

START_TEST(damage_is_told_from_other_ends_of_a_check)
    {
        struct restic_end end = {checks[_i].cause, checks[_i].status, checks[_i].message, NULL};

        ck_assert_int_eq(restic_found_damage(&end), checks[_i].damage);
    }
END_TEST

SUITE(agent_verdict)
{
    suite_rows(tests, damage_is_told_from_other_ends_of_a_check, checks);
    suite_rows(tests, ends_are_judged, rows);
    suite_rows(tests, secrets_are_taken_out, texts);
    tcase_add_test(tests, rclone_is_judged_by_its_words);
    tcase_add_test(tests, absence_is_proven_by_one_code);
    tcase_add_test(tests, some_repetitions_are_hopeless);
}
