#pragma once

#include "cli/arguments.h"

/** kubectl-granary pause NAME, resume NAME: spec.paused of a BackupConfiguration. */
extern const struct command command_pause, command_resume;
