#pragma once

#include <jansson.h>

#include "base/error.h"

/** A Secret that is mounted: {key: base64}, from a file for each key. New reference, to be released
 *  with secret_folder_done(). NULL with ERROR_NOT_FOUND: there is no such folder. */
json_t *secret_folder_read(const char *path, struct error *err) MUST_CHECK;

/** The Secrets of an AppBinding, mounted below a folder: {secret, tls, from: []}, as
 *  etcd_connection_make() has them. New reference, to be released with secret_folder_done(). */
json_t *app_secrets_read(const char *folder);

/** Wipes every string below it and releases; what shares them is wiped, too. */
void secret_folder_done(json_t *data);
