#pragma once

#include "cli/arguments.h"

/** kubectl-granary snapshots [NAME]: what can be restored, as far as the API knows. */
extern const struct command command_snapshots;
