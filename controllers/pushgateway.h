#pragma once

#include "base/error.h"
#include "base/span.h"

/*
 * A Prometheus Pushgateway: takes metrics of jobs that nobody can scrape, and keeps them until
 * somebody deletes them. Spec: its README, API; stash-behaviour 6.5.
 */
struct pushgateway;

/**
 * Connects to nothing yet.
 *
 * @param url  "http://host:port/prefix" or https, as settings have it.
 * @param ca   PEM of who signs its certificate; NULL: whoever the image trusts.
 * @return     To be freed by pushgateway_free().
 */
struct pushgateway *pushgateway_make(const char *url, const char *ca, struct error *err) MUST_CHECK;

/** Nobody may be inside. NULL is fine. */
void pushgateway_free(struct pushgateway *gateway);

/** Adds metrics to the group of a job: those of the same names are replaced, the others stay. False
 *  as kube_call() says. @param job  A name of letters, digits, "-" and ".". */
bool pushgateway_add(struct pushgateway *gateway, const char *job, struct span metrics,
                     struct error *err) MUST_CHECK;

/** Deletes the group of a job; one that is not there is fine. */
bool pushgateway_delete(struct pushgateway *gateway, const char *job, struct error *err) MUST_CHECK;
