#pragma once

#include "certs/credentials.h"

/** Where the files are. client_ca may be NULL; cert and key too, when they are given (see
 *  certs_store_give()). Borrowed as long as the store. */
struct certs_files {
    const char *cert, *key, *client_ca;
};

/** The newest good credentials of some files, followed as the files change; or of what is given. */
struct certs_store;

struct certs_store *certs_store_make(const struct certs_files *files);

/** Ends the store; credentials that somebody holds live on. NULL is fine. */
void certs_store_free(struct certs_store *store);

/** What a look at the files led to. */
enum certs_news {
    CERTS_SAME,    /* nothing changed */
    CERTS_TAKEN,   /* new credentials are used from now on */
    CERTS_REFUSED, /* what is there now is bad; the old ones (if any) stay */
};

/**
 * Looks whether a file changed (also by a symbolic link on its way, as in a mounted Secret), and
 * loads all of them if so. Refused files are tried again when they change, and every
 * CERTS_RETRY_MS since a certificate may become valid; the same refusal of unchanged files is said
 * once.
 * From one thread only.
 *
 * @param now_s    Wall clock, to judge validity.
 * @param mono_ms  Steady clock, for the retry.
 * @param err      Filled with CERTS_REFUSED.
 */
enum certs_news certs_store_look(struct certs_store *store, int64_t now_s, int64_t mono_ms,
                                 struct error *err);

/** The credentials in use, with a reference for the caller; NULL when there never were good ones.
 *  Any thread. */
struct credentials *certs_store_get(struct certs_store *store);

/**
 * Hands over what was found elsewhere (a Secret that is watched); the next look judges and takes it
 * as it would files that changed, and the files of certificate and key are used no more; that of
 * the client CA is, when none is given. Any thread.
 *
 * @param parts  Copied, and wiped when they are replaced; the names are borrowed as long as the
 *               store.
 */
void certs_store_give(struct certs_store *store, const struct certs_parts *parts);
