#pragma once

#include "cli/arguments.h"

/** kubectl-granary status [NAME]: what is backed up, whether it is in order, what comes next. */
extern const struct command command_status;
