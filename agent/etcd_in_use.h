#pragma once

#include <stdbool.h>

#include "base/error.h"

/**
 * Proves that no process works with the member of etcd in a folder: etcd locks its database
 * (flock(2)) and its log (locks of open file descriptions), on this machine and in all of its
 * containers; and of all processes that can be seen here none has one of these files open.
 *
 * @param folder  Descriptor; a folder without "member" is in nobody's use.
 * @return        False: ERROR_CONFLICT, somebody has; ERROR_INTERNAL, that can not be known.
 */
bool etcd_is_unused(int folder, struct error *err) MUST_CHECK;
