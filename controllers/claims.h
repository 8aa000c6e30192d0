#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/keys.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"
#include "controllers/work_next.h"

/** The annotation of a target's Lease that holds the ledger. */
#define KEY_LEDGER KEY_PREFIX "ledger"

/*
 * The ledger in the Lease of a target: which session holds it, and which pods have claimed hosts of
 * it. Kept as JSON in an annotation of the Lease, and written with a precondition on what was read:
 * before an agent gets an answer that gives it work, also the same work once more.
 */

/* Hosts of one session that are under way or were tried, at once; 150 bytes each, and an object has
 * 256 KiB of annotations. Others wait. */
#define CLAIMS_MAX 512u
#define CLAIMS_MAX_BYTES (192u << 10)

/** Who has claimed a host. Without a pod: nobody now, `attempt` times before. */
struct claim {
    const char *host, *pod, *instance;
    const char *job;  /* UID of the Job that we made for it; NULL: none */
    const char *hook; /* "attempt:stage" of the command that was begun last; NULL: none */
    int64_t attempt, since_s;
};

/** The whole ledger; texts are borrowed. */
struct claims {
    const char *session; /* UID of the session that holds the Lease */
    int64_t since_s;
    struct claim list[CLAIMS_MAX];
    size_t count;
};

/**
 * Reads a ledger.
 *
 * @param claims  Filled on success.
 * @return        New reference that must live as long as `claims` is used; NULL: what is there is
 *                no ledger of ours, and nobody can say who works on the target.
 */
json_t *claims_read(struct span text, struct claims *claims, struct error *err) MUST_CHECK;

/** Whether a Lease (or NULL) holds a ledger, also one that can not be read. */
bool claims_are_in(const json_t *lease);

/**
 * Reads the ledger in a Lease.
 *
 * @param claims  Emptied first.
 * @return        New reference that must live as long as `claims` is used; NULL: there is none, or
 *                nobody can say who works on the target.
 */
json_t *claims_of_lease(const json_t *lease, struct claims *claims, struct error *err);

/** Appends it as JSON. */
void claims_write(const struct claims *claims, struct text *out);

/** Who asks, as the cluster knows him. */
struct claims_caller {
    const char *pod, *instance; /* UID; what the agent drew when it started */
};

enum claims_answer {
    CLAIMS_NOTHING, /* not now; nothing is to be written */
    CLAIMS_RELEASE, /* not now; the ledger was edited: who asks has ended what he had */
    CLAIMS_WORK,    /* the host is his; the ledger was edited */
    CLAIMS_AGAIN, /* it was already: the same attempt. To be written all the same, so that an answer
                     of a leader that is none any more is worth nothing */
};

/**
 * Answers a claim, and edits the ledger accordingly. Who asks holds no work: an agent never acts on
 * the answer to a question that it has given up.
 *
 * @param claims       Edited; what it gets is borrowed from work and caller.
 * @param work         The session of the ledger, its hosts filled by claims_fill().
 * @param host         Which host of work the caller stands for.
 * @param initialized  The repository is proven to be there; until then one host at a time begins.
 */
enum claims_answer claims_ask(struct claims *claims, const struct work *work, size_t host,
                              const struct claims_caller *caller, bool initialized, int64_t now_s);

/** True when this attempt of the host is the caller's: what he reports of it counts. */
bool claims_is_of(const struct claims *claims, const char *host, const struct claims_caller *caller,
                  int64_t attempt);

/** Records that the command of a hook is begun, before it is: whoever finds that and did not begin
 *  it does not know how far it came. False: it stood there already. `hook` is borrowed. */
bool claims_begin_hook(struct claims *claims, const char *host, const char *hook) MUST_CHECK;

/** UID of the pod that has this host, borrowed from what the claims borrow from; NULL: none. */
const char *claims_pod(const struct claims *claims, const char *host);

/** True when this pod has claimed something. */
bool claims_has_pod(const struct claims *claims, const char *pod);

/** Nobody has this host any more; its attempts stay counted. False when nobody had. */
bool claims_drop(struct claims *claims, const char *host);

/** Records the Job that was made for a host, before its pod may claim anything. False: the ledger
 * is full. */
bool claims_set_job(struct claims *claims, const char *host, const char *job,
                    int64_t now_s) MUST_CHECK;

/** The host of a Job that we made, NULL when none of them is this one. */
const char *claims_host_of_job(const struct claims *claims, const char *job);

/** True when some pod has claimed something. */
bool claims_any(const struct claims *claims);

/** Sets what the ledger says of each host: claimed, attempt; of an older sign of life heard_s. */
void claims_fill(const struct claims *claims, struct work_host *hosts, size_t count);
