#pragma once

#include "cli/arguments.h"

/** kubectl-granary coverage: which volumes are backed up, and why others are not. */
extern const struct command command_coverage;
