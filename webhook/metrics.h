#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/text.h"
#include "webhook/admit.h"

/*
 * Counters, cheap enough for every request: relaxed atomics, no lock, no allocation. Labels come
 * from fixed sets, since a review can say any kind: what is not in them is "other".
 * Format: Prometheus text exposition 0.0.4.
 */

enum {
    METRICS_KINDS = 24,
    METRICS_OPERATIONS = 5,
    METRICS_WORDS = 32, /* outcomes, and reasons, that are told apart */
    METRICS_BUCKETS = 14,
    METRICS_STATUSES = 16,
};

/** Plain counters and gauges, by their place in metrics.c's table. */
enum metric {
    METRIC_IN_FLIGHT,
    METRIC_BODY_BYTES,
    METRIC_CONNECTIONS,
    METRIC_HANDSHAKE_FAILURES,
    METRIC_CUT_HANDSHAKE,
    METRIC_CUT_IDLE,
    METRIC_CUT_HEAD,
    METRIC_CUT_REQUEST,
    METRIC_EVICTED,
    METRIC_TURNED_AWAY,
    METRIC_ABORTED,
    METRIC_CERT_RELOADS,
    METRIC_CERT_ERRORS,
    METRIC_COUNT,
};

/** A set of words that fills up to METRICS_WORDS; the last place stands for all others. */
struct metric_words {
    atomic_size_t count;
    char words[METRICS_WORDS][32];
};

/** {0} is ready to use. */
struct metrics {
    _Atomic int64_t plain[METRIC_COUNT];
    struct metric_words outcomes, reasons;
    atomic_flag words_lock;
    atomic_uint_fast64_t reviews[METRICS_KINDS][METRICS_OPERATIONS][METRICS_WORDS];
    atomic_uint_fast64_t skips[METRICS_WORDS];
    atomic_uint_fast64_t statuses[METRICS_STATUSES];
    atomic_uint_fast64_t buckets[2][METRICS_BUCKETS + 1], sum_us[2]; /* by endpoint */
};

/** Adds to one (also a negative number, for gauges). */
static inline void metrics_add(struct metrics *metrics, enum metric metric, int64_t number)
{
    atomic_fetch_add_explicit(&metrics->plain[metric], number, memory_order_relaxed);
}

static inline int64_t metrics_get(const struct metrics *metrics, enum metric metric)
{
    return atomic_load_explicit(&metrics->plain[metric], memory_order_relaxed);
}

/** Counts one answered review. */
void metrics_review(struct metrics *metrics, enum admit_endpoint endpoint,
                    const struct admit_answer *answer, int64_t duration_us);

/** Counts one answer by its HTTP status. */
void metrics_status(struct metrics *metrics, unsigned status);

/** What is true at this moment, beside the counters. Unknown: 0. */
struct metrics_now {
    int64_t certificate_not_after_s;
    int64_t catalog_loaded_s, catalog_objects, catalog_loads, catalog_errors;
    int64_t settings_loads, settings_errors;
    bool catalog_good, settings_good, ready;
};

/** Appends everything as text. */
void metrics_format(const struct metrics *metrics, const struct metrics_now *now,
                    struct text *text);
