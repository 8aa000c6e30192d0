#pragma once

#include "cli/arguments.h"

/** kubectl-granary manual: the man page. */
extern const struct command command_manual;
