#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* What the end of restic means, as a word for machines and sentences for people. Pure. */

/* What to do when no key of the repository is of this password. */
#define PUT_PREVIOUS                                                                               \
    "if RESTIC_PASSWORD was changed, put the previous one into the storage Secret as "             \
    "RESTIC_PASSWORD_OLD: then the repository gets a key for the new one. Else put the password "  \
    "with which it was made into RESTIC_PASSWORD, of agentSecretName too, if there is one"

/** Who ended it. */
enum restic_cause {
    RESTIC_BY_ITSELF,
    RESTIC_DEADLINE,  /* the session's time was over */
    RESTIC_CANCELLED, /* the controller said so */
    RESTIC_STOPPED,   /* the pod ends */
    RESTIC_MEMORY,    /* it would have outgrown the container */
    RESTIC_HOPELESS   /* it repeats what the storage refuses */
};

/** How it ended. Borrowed. */
struct restic_end {
    enum restic_cause cause;
    int status;            /* of waitpid(2) */
    const char *message;   /* its last words; "" */
    const char *cancelled; /* the controller's reason, or NULL */
};

/** Why a piece of work failed. */
struct failure {
    const char *reason;  /* one word, static; NULL: it did not */
    struct text message; /* for people, without secrets */
};

void failure_done(struct failure *failure);

static inline void auto_failure(struct failure *failure)
{
    failure_done(failure);
}

/** Sets one, unless there is one: the first counts. @return Always false. */
bool failure_set(struct failure *failure, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * Judges an end.
 *
 * @param doing  "the backup of /data", for the sentence.
 * @return       True for exit status 0 by itself; else false and the failure is set.
 *
 * Spec: restic's manual, exit codes; catalogue RS1.
 */
bool restic_judge(const struct restic_end *end, const char *doing, struct failure *failure);

/** The same of rclone, whose exit codes say less than its words. */
bool rclone_judge(const struct restic_end *end, const char *doing, struct failure *failure);

/** True for words about what no repetition changes: refused credentials, a bucket or a certificate
 *  that is wrong. restic repeats those for a quarter of an hour, too. */
bool restic_is_hopeless(const char *words);

/** True for words after which restic only ends, though it does not always manage to: it could not
 *  save for want of room. */
bool restic_is_doomed(const char *words);

/** True when it says that there is no repository: exit status 10, nothing else does. */
bool restic_proves_absence(const struct restic_end *end);

/** True when it says that no key of the repository is of this password: exit status 12. */
bool restic_refuses_password(const struct restic_end *end);

/** True when it says that a lock of somebody else keeps it out: exit status 11. */
bool restic_is_locked(const struct restic_end *end);

/** True when errors that a check counts are those of the repository: restic counts as one, too,
 *  that it is locked, or that the storage is not reached. */
bool restic_found_damage(const struct restic_end *end);

/** Replaces each secret (of 4 bytes at least) and what stands before the @ of a URL by "***". */
void redact(struct text *text, const char *const *secrets, size_t count);
