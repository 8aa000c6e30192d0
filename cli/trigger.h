#pragma once

#include "cli/arguments.h"

/** kubectl-granary trigger NAME: a BackupSession by hand. */
extern const struct command command_trigger;
