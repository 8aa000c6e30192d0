#include "webhook/metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/build.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define PREFIX "granary_webhook_"

static const char *const kinds[METRICS_KINDS] = {
    "other",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "DeploymentConfig",
    "ReplicationController",
    "PersistentVolumeClaim",
    "AppBinding",
    "BackupBlueprint",
    "BackupConfiguration",
    "BackupSession",
    "RestoreSession",
    "Repository",
    "Function",
    "Task",
    "BackupBatch",
    "RestoreBatch",
    "Pod",
    "Job",
    "Namespace",
};
static const char *const operations[METRICS_OPERATIONS] = {"other", "CREATE", "UPDATE", "DELETE",
                                                           "CONNECT"};
static const char *const endpoints[] = {"mutate", "validate"};
static const unsigned statuses[METRICS_STATUSES] = {0,   200, 400, 403, 404, 405, 408, 411,
                                                    413, 414, 415, 422, 429, 431, 500, 503};

/* Upper bounds in microseconds. */
static const int64_t bounds_us[METRICS_BUCKETS] = {
    25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 50000, 100000, 500000, 1000000, 10000000};

static const struct {
    const char *name, *type, *labels, *help;
} plain[METRIC_COUNT] = {
    [METRIC_IN_FLIGHT] = {"requests_in_flight", "gauge", "", "Requests being read or answered."},
    [METRIC_BODY_BYTES] = {"body_bytes", "gauge", "", "Bytes of bodies held at this moment."},
    [METRIC_CONNECTIONS] = {"connections_accepted_total", "counter", "",
                            "Connections of the API server's address that were accepted."},
    [METRIC_HANDSHAKE_FAILURES] = {"tls_handshake_failures_total", "counter", "",
                                   "Connections that sent something and never finished the TLS "
                                   "handshake."},
#define CLOSED "connections_closed_total", "counter"
#define CLOSED_HELP "Connections that were closed by this side before their end."
    [METRIC_CUT_HANDSHAKE] = {CLOSED, "{reason=\"handshake timeout\"}", CLOSED_HELP},
    [METRIC_CUT_IDLE] = {CLOSED, "{reason=\"idle\"}", CLOSED_HELP},
    [METRIC_CUT_HEAD] = {CLOSED, "{reason=\"header timeout\"}", CLOSED_HELP},
    [METRIC_CUT_REQUEST] = {CLOSED, "{reason=\"request timeout\"}", CLOSED_HELP},
    [METRIC_EVICTED] = {CLOSED, "{reason=\"evicted\"}", CLOSED_HELP},
    [METRIC_TURNED_AWAY] = {CLOSED, "{reason=\"turned away\"}", CLOSED_HELP},
    [METRIC_ABORTED] = {"requests_aborted_total", "counter", "",
                        "Requests that ended before they were answered."},
    [METRIC_CERT_RELOADS] = {"certificate_loads_total", "counter", "",
                             "Certificates that were taken into use."},
    [METRIC_CERT_ERRORS] = {"certificate_errors_total", "counter", "",
                            "Certificates that were refused."},
};

/* The first place is "other", so an index of 0 needs no other word for it. */
static size_t index_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (words[i] && strcmp(word, words[i]) == 0)
            return i;
    return 0;
}

static bool find_word(const struct metric_words *set, const char *word, size_t *index)
{
    size_t count = atomic_load_explicit(&set->count, memory_order_acquire);

    for (*index = 0; *index < count; (*index)++)
        if (strcmp(word, set->words[*index]) == 0)
            return true;
    return false;
}

/* Nothing that would need an escape in a label. */
static bool is_word(const char *word, size_t room)
{
    size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 " -_");

    return length > 0 && length < room && word[length] == '\0';
}

/* Words come from fixed sets, so after a short while they are all found without the lock. */
static size_t word_index(struct metrics *metrics, struct metric_words *set, const char *word)
{
    size_t index;

    if (find_word(set, word, &index))
        return index;
    if (index >= METRICS_WORDS - 1 || !is_word(word, sizeof set->words[0]))
        return METRICS_WORDS - 1;
    while (atomic_flag_test_and_set(&metrics->words_lock))
        continue;
    if (!find_word(set, word, &index) && index < METRICS_WORDS - 1) {
        memcpy(set->words[index], word, strlen(word) + 1);
        atomic_store_explicit(&set->count, index + 1, memory_order_release);
    }
    atomic_flag_clear(&metrics->words_lock);
    return index;
}

static const char *word_at(const struct metric_words *set, size_t index)
{
    return index < atomic_load_explicit(&set->count, memory_order_acquire) ? set->words[index]
                                                                           : "other";
}

static void count(atomic_uint_fast64_t *counter, uint64_t number)
{
    atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
}

static uint64_t value(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static size_t bucket_of(int64_t duration_us)
{
    size_t i = 0;

    while (i < METRICS_BUCKETS && duration_us > bounds_us[i])
        i++;
    return i;
}

void metrics_review(struct metrics *metrics, enum admit_endpoint endpoint,
                    const struct admit_answer *answer, int64_t duration_us)
{
    size_t kind = index_of(answer->kind, kinds, METRICS_KINDS);
    size_t operation = index_of(answer->operation, operations, METRICS_OPERATIONS);

    count(&metrics
               ->reviews[kind][operation][word_index(metrics, &metrics->outcomes, answer->outcome)],
          1);
    if (*answer->reason)
        count(&metrics->skips[word_index(metrics, &metrics->reasons, answer->reason)], 1);
    count(&metrics->buckets[endpoint][bucket_of(duration_us)], 1);
    count(&metrics->sum_us[endpoint], (uint64_t)duration_us);
}

void metrics_status(struct metrics *metrics, unsigned status)
{
    size_t i = METRICS_STATUSES;

    while (--i > 0 && statuses[i] != status)
        continue;
    count(&metrics->statuses[i], 1);
}

static void head_line(struct text *text, const char *name, const char *type, const char *help)
{
    text_addf(text, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void format_reviews(const struct metrics *metrics, struct text *text)
{
    head_line(text, "requests_total", "counter", "Reviews answered.");
    for (size_t k = 0; k < METRICS_KINDS; k++)
        for (size_t o = 0; o < METRICS_OPERATIONS; o++)
            for (size_t w = 0; w < METRICS_WORDS; w++) {
                uint64_t number = value(&metrics->reviews[k][o][w]);

                if (number == 0)
                    continue;
                text_addf(text,
                          PREFIX "requests_total{kind=\"%s\",operation=\"%s\",outcome=\"%s\"} "
                                 "%llu\n",
                          kinds[k], operations[o], word_at(&metrics->outcomes, w),
                          (unsigned long long)number);
            }
}

static void format_reasons(const struct metrics *metrics, struct text *text)
{
    head_line(text, "decisions_total", "counter",
              "Reviews answered, by the reason for skipping or refusing.");
    for (size_t w = 0; w < METRICS_WORDS; w++)
        if (value(&metrics->skips[w]))
            text_addf(text, PREFIX "decisions_total{reason=\"%s\"} %llu\n",
                      word_at(&metrics->reasons, w), (unsigned long long)value(&metrics->skips[w]));
}

static void format_statuses(const struct metrics *metrics, struct text *text)
{
    head_line(text, "responses_total", "counter", "Answers by HTTP status.");
    for (size_t i = 0; i < METRICS_STATUSES; i++) {
        char code[16] = "other";

        if (value(&metrics->statuses[i]) == 0)
            continue;
        if (i > 0)
            snprintf(code, sizeof code, "%u", statuses[i]);
        text_addf(text, PREFIX "responses_total{code=\"%s\"} %llu\n", code,
                  (unsigned long long)value(&metrics->statuses[i]));
    }
}

static void format_histogram(const struct metrics *metrics, struct text *text)
{
    head_line(text, "request_duration_seconds", "histogram",
              "From the headers of a review to its answer.");
    for (size_t e = 0; e < COUNT(endpoints); e++) {
        uint64_t sum = 0;

        for (size_t b = 0; b <= METRICS_BUCKETS; b++) {
            char bound[32] = "+Inf";

            sum += value(&metrics->buckets[e][b]);
            if (b < METRICS_BUCKETS)
                snprintf(bound, sizeof bound, "%g", (double)bounds_us[b] / 1e6);
            text_addf(text,
                      PREFIX "request_duration_seconds_bucket{endpoint=\"%s\",le=\"%s\"} %llu\n",
                      endpoints[e], bound, (unsigned long long)sum);
        }
        text_addf(text,
                  PREFIX "request_duration_seconds_sum{endpoint=\"%s\"} %.6f\n" PREFIX
                         "request_duration_seconds_count{endpoint=\"%s\"} %llu\n",
                  endpoints[e], (double)value(&metrics->sum_us[e]) / 1e6, endpoints[e],
                  (unsigned long long)sum);
    }
}

static void format_plain(const struct metrics *metrics, struct text *text)
{
    const char *previous = "";

    for (size_t i = 0; i < METRIC_COUNT; i++) {
        if (strcmp(plain[i].name, previous) != 0)
            head_line(text, plain[i].name, plain[i].type, plain[i].help);
        previous = plain[i].name;
        text_addf(text, PREFIX "%s%s %lld\n", plain[i].name, plain[i].labels,
                  (long long)metrics_get(metrics, (enum metric)i));
    }
}

static void format_now(const struct metrics_now *now, struct text *text)
{
    const struct {
        const char *name, *type, *help;
        int64_t number;
    } rows[] = {
        {"ready", "gauge", "1 when /readyz says so.", now->ready},
        {"certificate_expiry_timestamp_seconds", "gauge",
         "When the certificate in use expires; 0 without one.", now->certificate_not_after_s},
        {"catalog_loaded_timestamp_seconds", "gauge",
         "When the catalog in use was read; 0 without one.", now->catalog_loaded_s},
        {"catalog_good", "gauge", "1 when the last reading of the catalog was good.",
         now->catalog_good},
        {"catalog_objects", "gauge", "Objects of the catalog in use.", now->catalog_objects},
        {"catalog_loads_total", "counter", "Catalogs that were taken into use.",
         now->catalog_loads},
        {"catalog_errors_total", "counter", "Catalogs that were refused.", now->catalog_errors},
        {"settings_good", "gauge", "1 when the last reading of the settings was good.",
         now->settings_good},
        {"settings_loads_total", "counter", "Settings that were taken into use.",
         now->settings_loads},
        {"settings_errors_total", "counter", "Settings that were refused.", now->settings_errors},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        head_line(text, rows[i].name, rows[i].type, rows[i].help);
        text_addf(text, PREFIX "%s %lld\n", rows[i].name, (long long)rows[i].number);
    }
    head_line(text, "build_info", "gauge", "Constant 1, what runs as labels.");
    text_addf(text, PREFIX "build_info{version=\"%s\",commit=\"%s\"} 1\n", GRANARY_VERSION,
              build_commit);
}

void metrics_format(const struct metrics *metrics, const struct metrics_now *now, struct text *text)
{
    format_reviews(metrics, text);
    format_reasons(metrics, text);
    format_statuses(metrics, text);
    format_histogram(metrics, text);
    format_plain(metrics, text);
    format_now(now, text);
}
