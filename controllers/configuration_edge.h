#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/settings.h"
#include "controllers/configuration_look.h"
#include "controllers/secret_book.h"
#include "kube/client.h"
#include "kube/event_book.h"

/*
 * One step for one BackupConfiguration: looks at its Secret, decides, writes its CronJob and its
 * status. What is known of the cluster comes in, so that every write names the state that it was
 * decided from.
 */

/** What is remembered between steps, of all configurations: losing it costs a look or a write.
 *  Any thread. */
struct configuration_book;

struct configuration_book *configuration_book_make(void);

/** NULL is fine. */
void configuration_book_free(struct configuration_book *book);

/** The configuration of this key is gone. */
void configuration_book_forget(struct configuration_book *book, const char *key);

/** What was done, for metrics. */
struct configuration_figures {
    int64_t applied, deleted, refused; /* CronJobs */
    int64_t statuses;                  /* written */
    int64_t missed;                    /* sessions that did not begin */
    int64_t secret_reads;
};
struct configuration_figures configuration_book_look(struct configuration_book *book);

/** Sessions of one that did not begin when they were due. */
int64_t configuration_book_missed(struct configuration_book *book, const char *key);

/** What a step works with. Borrowed. */
struct configuration_edge {
    struct kube_client *client; /* fenced; NULL: nothing is written but shown, Secrets are there */
    struct configuration_book *book;
    const struct settings *settings;
    const char *space;              /* ours */
    const struct target_said *said; /* of its target; NULL: nothing is known of it */
    void (*tell)(void *context, const json_t *object, const struct kube_event *event);
    /** Without a client: told what would be written, "apply" or "delete". */
    void (*show)(void *context, const char *verb, const json_t *object, const char *why);
    void *context;
    int64_t now_s, now_ms; /* wall clock, steady clock */
};

/**
 * Takes a step.
 *
 * @param key       "namespace/name".
 * @param objects   With a configuration that is not being deleted.
 * @param again_ms  When to look again, from now; -1: when something changes.
 * @return          False: a write or a read failed, to be tried again with backoff.
 */
bool configuration_edge_step(const struct configuration_edge *edge, const char *key,
                             const struct configuration_objects *objects, int64_t *again_ms,
                             struct error *err) MUST_CHECK;
