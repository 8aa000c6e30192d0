#pragma once

#include "agent/restic.h"

/*
 * The password of a repository was changed: a key for the new one is added, and when it is proven
 * to open the repository those of the previous one are removed. At each moment one of the two
 * opens it, and an exchange that was broken off anywhere goes on when it is begun again. Spec:
 * docs/repositories.md.
 */

/** One exchange. Borrowed, but for what begins with `own_`. */
struct key_exchange {
    struct run *run;
    const struct message_work *now;    /* access with the new password, the run's own */
    const struct message_work *before; /* with the previous one; NULL: it was not given */
    struct words own_environment;      /* the variables of the one that the run does not use */
    bool opens;                        /* the new password did, from the beginning */
};

/** @param before  Access with the previous password; NULL: it was not given. */
void key_exchange_init(struct key_exchange *exchange, struct run *run,
                       const struct message_work *before);
void key_exchange_done(struct key_exchange *exchange);

static inline void auto_key_exchange(struct key_exchange *exchange)
{
    key_exchange_done(exchange);
}

/**
 * Finds the password that opens the repository, the new one before the previous one, and lets the
 * run use it.
 *
 * @return  False: neither does, or that is not known; run->failure is set.
 */
bool key_exchange_open(struct key_exchange *exchange) MUST_CHECK;

/** Exchanges them; afterwards the run uses the new password. False: run->failure is set. */
bool key_exchange_do(struct key_exchange *exchange) MUST_CHECK;
