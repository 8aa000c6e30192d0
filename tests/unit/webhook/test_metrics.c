#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "http/answer.h"
#include "tests/unit/suite.h"
#include "webhook/metrics.h"

static struct admit_answer said(const char *kind, const char *operation, const char *outcome,
                                const char *reason)
{
    struct admit_answer answer = {.body = {0}};

    snprintf(answer.kind, sizeof answer.kind, "%s", kind);
    snprintf(answer.operation, sizeof answer.operation, "%s", operation);
    snprintf(answer.outcome, sizeof answer.outcome, "%s", outcome);
    snprintf(answer.reason, sizeof answer.reason, "%s", reason);
    return answer;
}

static void count(struct metrics *metrics, const char *kind, const char *operation,
                  const char *outcome, const char *reason, int64_t duration_us)
{
    struct admit_answer answer = said(kind, operation, outcome, reason);

    metrics_review(metrics, ADMIT_MUTATE, &answer, duration_us);
}

static void check_line(const struct metrics *metrics, const char *line)
{
    AUTO(text) struct text text = {0};
    AUTO(text) struct text whole = {0};
    struct metrics_now now = {.catalog_objects = 7, .ready = true};

    metrics_format(metrics, &now, &text);
    text_addf(&whole, "\ngranary_webhook_%s\n", line);
    ck_assert_msg(strstr(text_get(&text), text_get(&whole)), "no %s in\n%s", line, text_get(&text));
}

static size_t lines_with(const struct metrics *metrics, const char *part)
{
    AUTO(text) struct text text = {0};
    struct metrics_now now = {0};
    size_t found = 0;

    metrics_format(metrics, &now, &text);
    for (const char *at = text_get(&text); (at = strstr(at, part)); at++)
        found++;
    return found;
}

START_TEST(reviews_are_counted)
    {
        struct metrics metrics = {0};

        count(&metrics, "Deployment", "CREATE", "patched", "", 100);
        count(&metrics, "Deployment", "CREATE", "patched", "", 101);
        count(&metrics, "Deployment", "UPDATE", "skipped", "no-reason", 20000000);
        check_line(
            &metrics,
            "requests_total{kind=\"Deployment\",operation=\"CREATE\",outcome=\"patched\"} 2");
        check_line(&metrics, "decisions_total{reason=\"no-reason\"} 1");
        check_line(&metrics,
                   "request_duration_seconds_bucket{endpoint=\"mutate\",le=\"0.0001\"} 1");
        check_line(&metrics,
                   "request_duration_seconds_bucket{endpoint=\"mutate\",le=\"0.00025\"} 2");
        check_line(&metrics, "request_duration_seconds_bucket{endpoint=\"mutate\",le=\"10\"} 2");
        check_line(&metrics, "request_duration_seconds_bucket{endpoint=\"mutate\",le=\"+Inf\"} 3");
        check_line(&metrics, "request_duration_seconds_count{endpoint=\"mutate\"} 3");
        check_line(&metrics, "request_duration_seconds_sum{endpoint=\"mutate\"} 20.000201");
        check_line(&metrics, "catalog_objects 7");
        check_line(&metrics, "ready 1");
    }
END_TEST

/* A review can say any kind: what is not known must not become a label of its own. */
START_TEST(labels_are_bounded)
    {
        struct metrics metrics = {0};
        char word[64];

        for (int i = 0; i < 500; i++) {
            snprintf(word, sizeof word, "Kind%d", i);
            count(&metrics, word, word, "skipped", "", 1);
        }
        check_line(&metrics,
                   "requests_total{kind=\"other\",operation=\"other\",outcome=\"skipped\"} 500");
        ck_assert_uint_eq(lines_with(&metrics, "\ngranary_webhook_requests_total{"), 1);
        for (int i = 0; i < 500; i++) {
            snprintf(word, sizeof word, "word%d", i);
            count(&metrics, "Pod", "CREATE", word, word, 1);
        }
        /* 31 words each, and all others together; "skipped" was there before */
        ck_assert_uint_eq(lines_with(&metrics, "\ngranary_webhook_requests_total{kind=\"Pod\""),
                          METRICS_WORDS - 1);
        ck_assert_uint_eq(lines_with(&metrics, "\ngranary_webhook_decisions_total{"),
                          METRICS_WORDS);
        check_line(&metrics, "decisions_total{reason=\"other\"} 469");
        count(&metrics, "Pod", "CREATE", "word3", "word499", 1);
        check_line(&metrics, "decisions_total{reason=\"other\"} 470");
    }
END_TEST

START_TEST(words_that_would_need_an_escape_are_other)
    {
        struct metrics metrics = {0};

        count(&metrics, "Pod\"", "CREATE\n", "a\"b", "c\nd", 1);
        count(&metrics, "Pod", "CREATE", "", "", 1);
        check_line(&metrics,
                   "requests_total{kind=\"other\",operation=\"other\",outcome=\"other\"} 1");
        check_line(&metrics,
                   "requests_total{kind=\"Pod\",operation=\"CREATE\",outcome=\"other\"} 1");
        check_line(&metrics, "decisions_total{reason=\"other\"} 1");
    }
END_TEST

START_TEST(statuses_and_gauges)
    {
        struct metrics metrics = {0};

        metrics_status(&metrics, 200);
        metrics_status(&metrics, 200);
        metrics_status(&metrics, 503);
        metrics_status(&metrics, 418);
        check_line(&metrics, "responses_total{code=\"200\"} 2");
        check_line(&metrics, "responses_total{code=\"503\"} 1");
        check_line(&metrics, "responses_total{code=\"other\"} 1");
        metrics_add(&metrics, METRIC_BODY_BYTES, 10);
        metrics_add(&metrics, METRIC_BODY_BYTES, -3);
        check_line(&metrics, "body_bytes 7");
    }
END_TEST

static const struct {
    enum error_code code;
    const char *message, *body;
} status_rows[] = {
    {ERROR_BAD_REQUEST, "a \"quoted\" word",
     "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
     "\"message\":\"a \\\"quoted\\\" word\",\"reason\":\"BadRequest\",\"code\":400}"},
    {ERROR_UNAVAILABLE, "later",
     "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
     "\"message\":\"later\",\"reason\":\"ServiceUnavailable\",\"code\":503}"},
    /* a word of ours: Kubernetes has none */
    {ERROR_LENGTH_REQUIRED, "",
     "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
     "\"message\":\"\",\"reason\":\"LengthRequired\",\"code\":411}"},
};

START_TEST(failures_are_status_objects)
    {
        AUTO(text) struct text body = {0};
        struct error err;

        error_set(&err, status_rows[_i].code, "%s", status_rows[_i].message);
        answer_status(&err, 0, &body);
        ck_assert_str_eq(text_get(&body), status_rows[_i].body);
    }
END_TEST

SUITE(webhook_metrics)
{
    tcase_add_test(tests, reviews_are_counted);
    tcase_add_test(tests, labels_are_bounded);
    tcase_add_test(tests, words_that_would_need_an_escape_are_other);
    tcase_add_test(tests, statuses_and_gauges);
    suite_rows(tests, failures_are_status_objects, status_rows);
}
