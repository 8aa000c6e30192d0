#pragma once

#include <stdbool.h>

#include "base/span.h"
#include "base/text.h"

/* Base64 on one line, as Kubernetes writes bytes in JSON. Spec: RFC 4648 section 4. */

/** Appends the bytes as base64. */
void base64_encode(struct text *out, struct span bytes);

/** Appends what a text stands for. False, with nothing appended, when it is no base64: another
 *  alphabet, white space, missing or superfluous padding, bits behind the end. */
bool base64_decode(struct text *out, struct span text);
