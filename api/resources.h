#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/quantity.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/** What of a container's resources may be set. */
enum resource { REQUEST_CPU, REQUEST_MEMORY, LIMIT_CPU, LIMIT_MEMORY, RESOURCE_KINDS };

/** Longest text of a quantity that we take. */
#define QUANTITY_MAX_CHARS 31u

/** Requests and limits. text "" means not set; it is a quantity as it was written. */
struct resources {
    struct {
        char text[QUANTITY_MAX_CHARS + 1];
        struct quantity amount;
    } of[RESOURCE_KINDS];
};

/**
 * Reads "cpu=100m,memory=128Mi,limits.cpu=1,limits.memory=512Mi", any of them.
 *
 * @return False: ERROR_INVALID: nothing set, no quantity, not above zero, memory below 1 MiB (which
 *         is how "128m" reads), a request above its own limit.
 */
bool resources_parse(struct span text, struct resources *resources, struct error *err) MUST_CHECK;

/**
 * Brings what is set within bounds (NULL: none); what is not set stays so. A request that would be
 * above its limit then becomes equal to it.
 *
 * @param told  Appended to: "cpu=1 instead of 4".
 * @return      True when something changed.
 */
bool resources_clamp(struct resources *resources, const struct resources *min,
                     const struct resources *max, struct text *told);

/** Sets what is set in a ResourceRequirements {requests, limits}; the rest stays, except that the
 *  other of a pair follows where the request would be above the limit. */
void resources_put(json_t *requirements, const struct resources *resources);
