#pragma once

#include "controllers/loops.h"

/**
 * Takes Stash's finalizers off what it has left, see stash_finalizer.h. Keys are
 * "Kind/namespace/name".
 */
extern const struct loop finalizer_loop;
