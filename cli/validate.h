#pragma once

#include "cli/arguments.h"

/** kubectl-granary validate. */
extern const struct command command_validate;
