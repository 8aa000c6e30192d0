#pragma once

#include <stdint.h>

#include "controllers/configuration_read.h"
#include "kube/client.h"

/*
 * What is known of storage Secrets: whether they are there, never what is in them. Secrets are not
 * watched: one is read by name when somebody asks, and the answer counts for seconds, or (while it
 * is missing) for longer each time. Any thread.
 */
struct secret_book;

struct secret_book *secret_book_make(void);

/** NULL is fine. */
void secret_book_free(struct secret_book *book);

/** Milliseconds for which a good answer counts, and a bad one at first and at most. */
#define SECRET_GOOD_MS 5000
#define SECRET_BAD_MS 2000
#define SECRET_BAD_MAX_MS 60000

/** What is asked. Borrowed. */
struct secret_question {
    struct kube_client *client; /* NULL: nobody can be asked */
    const char *space, *name;
    const char *controller; /* our namespace */
    int64_t now_ms;         /* steady clock */
};

/** The answer. */
struct secret_answer {
    enum seen seen;
    char *message;    /* owned; NULL: nothing to add */
    int64_t again_ms; /* when to ask again, from now; -1: no need to */
};

/** Asks, or remembers. The answer is the caller's. */
struct secret_answer secret_book_ask(struct secret_book *book,
                                     const struct secret_question *question);

/** How often a Secret was read, for metrics. */
int64_t secret_book_reads(struct secret_book *book);
