#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/** An exact amount of a resource, in units of 10^-9; 256 bits, the lowest first. */
struct quantity {
    bool negative; /* never of zero */
    uint64_t nano[4];
};

/**
 * Reads a quantity as Kubernetes writes it: a decimal number with a decimal suffix (n u m k M G T P
 * E), a binary one (Ki Mi Gi Ti Pi Ei) or an exponent (1e3). What is finer than 10^-9 is rounded
 * away from zero, as Kubernetes does.
 *
 * @return False: ERROR_INVALID, the message says what was expected, or that it is beyond all
 *         measure (10^67; Kubernetes caps at 2^63-1).
 *
 * Spec: the documentation of resource.Quantity in k8s.io/apimachinery.
 */
bool quantity_parse(struct span text, struct quantity *quantity, struct error *err) MUST_CHECK;

/** The same of a JSON value: a string, or a whole number. Anything else: ERROR_INVALID. */
bool quantity_read(const json_t *value, struct quantity *quantity, struct error *err) MUST_CHECK;

/** Less than, equal to, greater than 0 as a is to b; a total order, "0.5Gi" equals "512Mi". */
int quantity_compare(const struct quantity *a, const struct quantity *b);

/** -1, 0 or 1. */
int quantity_sign(const struct quantity *quantity);

/** True when it has no fraction: "2", "2000m". */
bool quantity_is_whole(const struct quantity *quantity);

/** The smallest whole number that is not below it; INT64_MAX or INT64_MIN when it does not fit. */
int64_t quantity_ceil(const struct quantity *quantity);
