#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/log.h"
#include "base/text.h"
#include "certs/store.h"
#include "settings/store.h"
#include "webhook/metrics.h"
#include "webhook/state.h"

/** What answering needs, shared by all threads. */
struct service {
    struct settings_store *settings;
    struct state *state;
    struct certs_store *certs;
    struct metrics metrics;
    int64_t body_max, body_budget; /* bytes: of one body, of all that are held */
    atomic_bool leaving;           /* answers close their connections */
    atomic_bool stuck;             /* a thread that answers hangs */
    struct log_limit log_limit;    /* of lines about requests */
};

/**
 * Judges whether reviews can be answered: a catalog was loaded, the certificate is valid now, the
 * end is not near.
 *
 * @param text  One line per check is appended, "[+]name ok" or "[-]name: why not"; may be NULL.
 */
bool service_ready(struct service *service, int64_t now_s, struct text *text);

/** Appends the metrics. */
void service_metrics(struct service *service, int64_t now_s, struct text *text);
