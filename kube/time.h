#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/** Reads a moment as the API writes it, "2024-05-01T13:30:00Z" or with fraction and offset:
 *  seconds since 1970, the fraction cut off. False when it is none. Spec: RFC 3339. */
bool time_parse(struct span text, int64_t *moment_s);

/** Reads the moment of a Date header, "Sun, 06 Nov 1994 08:49:37 GMT"; the day of the week is not
 *  looked at. False when it is none. Spec: RFC 9110 section 5.6.7, IMF-fixdate. */
bool time_parse_date(struct span text, int64_t *moment_s);
