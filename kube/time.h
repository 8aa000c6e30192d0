#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/** Reads a moment as the API writes it, "2024-05-01T13:30:00Z" or with fraction and offset:
 *  seconds since 1970, the fraction cut off. False when it is none. Spec: RFC 3339. */
bool time_parse(struct span text, int64_t *moment_s);
