#pragma once

#include "controllers/coverage.h"
#include "controllers/loops.h"

/**
 * Who is protected: looks at all claims, all targets and all blueprints together, a second
 * after anything of them changed, and writes the status of blueprints. One key.
 */
extern const struct loop overview_loop;
