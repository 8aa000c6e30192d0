#pragma once

#include "cli/arguments.h"

/** kubectl-granary explain. */
extern const struct command command_explain;
