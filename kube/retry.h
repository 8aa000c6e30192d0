#pragma once

#include <stdbool.h>
#include <stdint.h>

/** How an attempt ended, as far as repeating it is concerned. */
enum retry_end {
    RETRY_ANSWERED,   /* a status came */
    RETRY_BROKEN,     /* the connection broke: whether the request was carried out is not known */
    RETRY_NOT_REACHED /* nothing was sent: refused, no such host, no TLS, no time */
};

/** What Retry-After said: seconds above 0, or one of these. */
#define RETRY_AFTER_ABSENT (-1)
#define RETRY_AFTER_BAD 0

/** One attempt that is over. */
struct retry_case {
    const char *method;
    enum retry_end end;
    int status;            /* when answered */
    int64_t retry_after_s; /* as retry_after_parse() gives it */
    int attempt;           /* 1: the first */
    double chance;         /* random, from 0 to below 1: spreads those who were refused together */
};

/**
 * Reads the value of a Retry-After header: a number of seconds from 1, cut at
 * KUBE_RETRY_AFTER_MAX_S. Anything else (0, -1, a word, a date, which API servers do not send) is
 * RETRY_AFTER_BAD.
 *
 * @param value  NULL: RETRY_AFTER_ABSENT.
 *
 * Spec: RFC 9110 section 10.2.3; catalogue AF3.
 */
int64_t retry_after_parse(const char *value);

/**
 * Decides whether a request is sent again. Pure.
 *
 * 429 and 5xx with Retry-After: after that time, for every method, KUBE_REPEATS_MAX times; with one
 * that makes no sense: with exponential backoff. Without it: no. A broken connection: GET only,
 * after a second; what a write did is not known, so its caller looks first. Not reached: no, the
 * caller has its own backoff.
 *
 * @return  Milliseconds to wait, or -1: no.
 *
 * Spec: catalogue B2, B3, AF3, AF4.
 */
int64_t retry_next(const struct retry_case *over);
