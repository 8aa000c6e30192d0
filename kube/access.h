#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kube/config.h"
#include "kube/pool.h"

/*
 * As whom we ask, and whom we believe: the token and the certificates of a configuration, read
 * again as they are rotated. Catalogue CR2 to CR6.
 */
struct access;

/** What one attempt uses. {0} is none. */
struct access_view {
    char *header;      /* owned; "Authorization: Bearer ..."; NULL: none */
    struct pool *pool; /* one reference */
    int64_t number;    /* another one when token or certificates have changed */
    bool fresh;        /* the files were read for this view */
};

void access_view_done(struct access_view *view);

static inline void auto_access_view(struct access_view *view)
{
    access_view_done(view);
}

/**
 * Reads the certificates; the token is read when it is first needed.
 *
 * @param config   Borrowed as long as the access lives.
 * @param look_ms  How old what was read may become.
 * @return         NULL: ERROR_INVALID, ERROR_NOT_FOUND ...
 */
struct access *access_make(const struct kube_config *config, int64_t look_ms,
                           struct error *err) MUST_CHECK;

/** NULL is fine. */
void access_free(struct access *access);

/** When to give up waiting: for somebody else who reads, or for a plugin. */
struct access_wait {
    int64_t until_ms; /* steady clock */
    int cancel_fd;    /* readable: at once */
};

/**
 * The newest that there is; files are looked at when what was read is look_ms old, or was refused.
 * A file that is empty, unreadable or no PEM keeps what was read before, with a line in the log.
 * Any thread.
 *
 * @param view  {0} before.
 * @return      False when there never was a token or certificate that can be used.
 */
bool access_get(struct access *access, const struct access_wait *wait, struct access_view *view,
                struct error *err) MUST_CHECK;

/**
 * The server did not accept us, or we not the server: the next access_get() looks at the files,
 * unless they were read for this view (no loop on a fresh token, CR3), or somebody looked since.
 */
void access_doubt(struct access *access, const struct access_view *view);

/** The connections of this view may be dead: the next view has new ones. */
void access_renew(struct access *access, const struct access_view *view);

/** Puts stars where a text of ours shows the secret that this view sends. */
void access_hide(const struct access_view *view, char *message);
