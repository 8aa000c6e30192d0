#pragma once

#include <jansson.h>

#include "base/error.h"
#include "certs/store.h"

/**
 * Gives certificate and key of a Secret (`tls.crt` and `tls.key`) to a store, which judges them at
 * its next look. They are decoded in memory that is wiped, and never written anywhere.
 *
 * @return  False with ERROR_INVALID: one of the two is missing or is not base64; nothing was given.
 */
bool secret_give(const json_t *secret, struct certs_store *store, struct error *err) MUST_CHECK;
