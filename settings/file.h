#pragma once

#include <stdbool.h>

#include "api/settings.h"
#include "base/error.h"
#include "base/span.h"

/**
 * Reads the settings of the installation from a YAML file, in a cluster the mounted key of a
 * ConfigMap. An empty file means the built-in settings.
 *
 * @param settings  Filled in; release with settings_done().
 * @param path      A regular file (a symbolic link to one is fine), at most YAML_MAX_BYTES.
 * @return          False: the message begins with the path; ERROR_NOT_FOUND and other codes of
 *                  catalog_load(), ERROR_INVALID with line and column (bad YAML) or key.
 */
bool settings_read(struct settings *settings, const char *path, struct error *err) MUST_CHECK;

/** The same of a text that was read elsewhere; messages begin with line and column, or with the
 * key. */
bool settings_read_text(struct settings *settings, struct span text, struct error *err) MUST_CHECK;
