#pragma once

#include <jansson.h>

#include "cli/remote.h"

/** The Repository that a person names: by its own name, or by the target of a BackupConfiguration
 *  that uses it as KIND/NAME. New reference; NULL with what to do. */
json_t *repositories_find(const struct remote *remote, const char *operand,
                          struct error *err) MUST_CHECK;

/** Where it is. Borrows from it. */
struct kube_ref repositories_ref(const json_t *repository);

/** Sets an annotation of the very object that was looked at. */
bool repositories_annotate(const struct remote *remote, const json_t *repository, const char *key,
                           const char *value, struct error *err) MUST_CHECK;
