#pragma once

#include <microhttpd.h>

#include "base/error.h"
#include "base/text.h"

/**
 * A failure as metav1.Status in JSON, appended. Spec: Kubernetes API conventions, "Response Status
 * Kind".
 *
 * @param retry_after_s  When to come again; 0: not said.
 */
void answer_status(const struct error *err, int64_t retry_after_s, struct text *body);

/**
 * Queues an answer.
 *
 * @param status  HTTP status.
 * @param type    Of the body: "application/json" ...
 * @param body    Its bytes are taken; empty afterwards.
 * @param closes  The connection is closed after the answer.
 */
enum MHD_Result answer_send(struct MHD_Connection *connection, unsigned status, const char *type,
                            struct text *body, bool closes);

/** Queues a failure as metav1.Status, with Allow for 405, WWW-Authenticate for 401, and
 *  Retry-After unless that is 0 seconds. */
enum MHD_Result answer_refuse(struct MHD_Connection *connection, const struct error *err,
                              int64_t retry_after_s, bool closes);

/** The same, with a second to come again after for 503. */
enum MHD_Result answer_fail(struct MHD_Connection *connection, const struct error *err,
                            bool closes);
