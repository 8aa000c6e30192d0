#include "base/auto.h"
#include "kube/rate.h"
#include "kube/resource.h"
#include "kube/retry.h"
#include "kube/time.h"
#include "tests/unit/suite.h"

/* What is pure of a request: where it goes, when it may, whether it is sent again. */

static const struct {
    const char *value;
    int64_t seconds;
} after_rows[] = {
    /* AF3 */
    {NULL, RETRY_AFTER_ABSENT},
    {"1", 1},
    {"32", 32},
    {"60", 60},
    {"61", 60},
    {"1000000000", 60},
    {"99999999999999999999999999", 60},
    {"007", 7},
    {"0", RETRY_AFTER_BAD},
    {"", RETRY_AFTER_BAD},
    {"-1", RETRY_AFTER_BAD},
    {"abc", RETRY_AFTER_BAD},
    {"1.5", RETRY_AFTER_BAD},
    {"Wed, 21 Oct 2015 07:28:00 GMT", RETRY_AFTER_BAD},
};

START_TEST(retry_after)
    {
        ck_assert_int_eq(retry_after_parse(after_rows[_i].value), after_rows[_i].seconds);
    }
END_TEST

static const struct {
    struct retry_case over;
    int64_t pause_ms;
} retry_rows[] = {
    /* B2: every method, when the server says when, ten times */
    {{"POST", RETRY_ANSWERED, 429, 1, 1, 0}, 1000},
    {{"GET", RETRY_ANSWERED, 503, 32, 10, 0}, 32000},
    {{"GET", RETRY_ANSWERED, 503, 32, 11, 0}, -1},
    {{"DELETE", RETRY_ANSWERED, 500, 2, 1, 0}, 2000},
    {{"GET", RETRY_ANSWERED, 429, RETRY_AFTER_ABSENT, 1, 0}, -1},
    {{"GET", RETRY_ANSWERED, 500, RETRY_AFTER_ABSENT, 1, 0}, -1},
    {{"GET", RETRY_ANSWERED, 409, 1, 1, 0}, -1},
    {{"GET", RETRY_ANSWERED, 302, 1, 1, 0}, -1},
    /* AF3: one that makes no sense: backoff */
    {{"GET", RETRY_ANSWERED, 429, RETRY_AFTER_BAD, 1, 0}, 500},
    {{"GET", RETRY_ANSWERED, 429, RETRY_AFTER_BAD, 3, 0.5}, 3000},
    {{"GET", RETRY_ANSWERED, 429, RETRY_AFTER_BAD, 10, 0}, 15000},
    /* B3: a write is never repeated blindly */
    {{"GET", RETRY_BROKEN, 0, RETRY_AFTER_ABSENT, 1, 0}, 1000},
    {{"GET", RETRY_BROKEN, 0, RETRY_AFTER_ABSENT, 11, 0}, -1},
    {{"POST", RETRY_BROKEN, 0, RETRY_AFTER_ABSENT, 1, 0}, -1},
    {{"PUT", RETRY_BROKEN, 0, RETRY_AFTER_ABSENT, 1, 0}, -1},
    {{"PATCH", RETRY_BROKEN, 0, RETRY_AFTER_ABSENT, 1, 0}, -1},
    {{"DELETE", RETRY_BROKEN, 0, RETRY_AFTER_ABSENT, 1, 0}, -1},
    {{"GET", RETRY_NOT_REACHED, 0, RETRY_AFTER_ABSENT, 1, 0}, -1},
};

START_TEST(repetitions)
    {
        ck_assert_int_eq(retry_next(&retry_rows[_i].over), retry_rows[_i].pause_ms);
    }
END_TEST

START_TEST(a_burst_then_the_rate)
    {
        struct rate rate = rate_make(20, 40, 1000);

        for (int i = 0; i < 40; i++)
            ck_assert_int_eq(rate_take(&rate, 1000, 0), 0);
        ck_assert_int_eq(rate_take(&rate, 1000, 49), -1);
        ck_assert_int_eq(rate_take(&rate, 1000, 50), 50);
        ck_assert_int_eq(rate_take(&rate, 1000, 1000), 100);
        /* a clock that goes back gives nothing */
        ck_assert_int_eq(rate_take(&rate, 0, 1000), 150);
        ck_assert_int_eq(rate_take(&rate, 1150, 0), -1);
        ck_assert_int_eq(rate_take(&rate, 1200, 0), 0);
        /* never more than the burst */
        for (int i = 0; i < 40; i++)
            ck_assert_int_eq(rate_take(&rate, 1000000, 0), 0);
        ck_assert_int_eq(rate_take(&rate, 1000000, 0), -1);
    }
END_TEST

START_TEST(another_pace)
    {
        struct rate rate = rate_make(20, 40, 1000);

        rate_pace(&rate, 2, 4, 1000);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(rate_take(&rate, 1000, 0), 0);
        ck_assert_int_eq(rate_take(&rate, 1000, 1000), 500);
        /* what was taken in advance stays taken */
        rate_pace(&rate, 100, 200, 1000);
        ck_assert_int_eq(rate_take(&rate, 1000, 1000), 20);
        ck_assert_int_eq(rate_take(&rate, 1030, 0), 0);
    }
END_TEST

static const struct kube_resource pods = {"", "v1", "pods", "Pod", true};
static const struct kube_resource apps = {"apps", "v1", "deployments", "Deployment", true};

static const struct {
    const struct kube_resource *resource;
    const char *space, *name, *sub, *path;
} path_rows[] = {
    {&pods, NULL, NULL, NULL, "/api/v1/pods"},
    {&pods, "shop", "web-0", "status", "/api/v1/namespaces/shop/pods/web-0/status"},
    {&apps, "shop", NULL, NULL, "/apis/apps/v1/namespaces/shop/deployments"},
    /* SEC10: nothing leads elsewhere or ends a line */
    {&pods, "a/b", "..", NULL, "/api/v1/namespaces/a%2Fb/pods/%2E%2E"},
    {&pods, NULL, "a?b#c%d e", NULL, "/api/v1/pods/a%3Fb%23c%25d%20e"},
    {&pods, NULL, "x\r\nHost: y", NULL, "/api/v1/pods/x%0D%0AHost%3A%20y"},
    {&pods, NULL, "\xc3\xa9", NULL, "/api/v1/pods/%C3%A9"},
};

START_TEST(paths)
    {
        AUTO(text) struct text path = {0};

        kube_path(&path, path_rows[_i].resource, path_rows[_i].space, path_rows[_i].name,
                  path_rows[_i].sub);
        ck_assert_str_eq(text_get(&path), path_rows[_i].path);
    }
END_TEST

START_TEST(queries)
    {
        AUTO(text) struct text path = {0};

        text_puts(&path, "/p");
        kube_query(&path, "labelSelector", "a in (b,c)");
        kube_query(&path, "continue", NULL);
        kube_query(&path, "limit", "5&x=y\r\n");
        ck_assert_str_eq(text_get(&path),
                         "/p?labelSelector=a%20in%20%28b%2Cc%29&limit=5%26x%3Dy%0D%0A");
    }
END_TEST

static const struct {
    const char *text;
    int64_t moment_s; /* -1: none */
} time_rows[] = {
    {"1970-01-01T00:00:01Z", 1},
    {"2024-02-29T23:59:59Z", 1709251199},
    {"2024-02-29T23:59:59.123456Z", 1709251199},
    {"2024-03-01T01:59:59+02:00", 1709251199},
    {"2000-03-01T00:00:00Z", 951868800},
    {"2023-02-29T00:00:00Z", -1},
    {"2024-13-01T00:00:00Z", -1},
    {"2024-01-01T24:00:00Z", -1},
    {"2024-01-01T00:00:00", -1},
    {"2024-01-01 00:00:00Z", -1},
    {"2024-01-01T00:00:00+2:00", -1},
    {"2024-01-01T00:00:00Zx", -1},
    {"", -1},
};

START_TEST(moments)
    {
        int64_t moment_s = -1;
        bool read = time_parse(span_of(time_rows[_i].text), &moment_s);

        ck_assert_int_eq(moment_s, time_rows[_i].moment_s);
        ck_assert_int_eq(read, time_rows[_i].moment_s >= 0);
    }
END_TEST

static const struct {
    const char *text;
    int64_t moment_s; /* -1: none */
} date_rows[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
    {"Thu, 01 Jan 1970 00:00:01 GMT", 1},
    {"Wed, 29 Feb 2023 00:00:00 GMT", -1},
    {"Sun, 06 nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
    {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
    {"Sunday, 06-Nov-94 08:49:37 GMT", -1},
    {"2024-02-29T23:59:59Z", -1},
    {"", -1},
};

START_TEST(dates_of_headers)
    {
        int64_t moment_s = -1;
        bool read = time_parse_date(span_of(date_rows[_i].text), &moment_s);

        ck_assert_int_eq(moment_s, date_rows[_i].moment_s);
        ck_assert_int_eq(read, date_rows[_i].moment_s >= 0);
    }
END_TEST

SUITE(kube_request)
{
    suite_rows(tests, retry_after, after_rows);
    suite_rows(tests, repetitions, retry_rows);
    tcase_add_test(tests, a_burst_then_the_rate);
    tcase_add_test(tests, another_pace);
    suite_rows(tests, paths, path_rows);
    tcase_add_test(tests, queries);
    suite_rows(tests, moments, time_rows);
    suite_rows(tests, dates_of_headers, date_rows);
}
