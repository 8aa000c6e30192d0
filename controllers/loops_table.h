#pragma once

#include "controllers/loops.h"

/** All loops that a leader runs; ends with NULL. */
extern const struct loop *const loops_table[];
