#pragma once

#include "cli/arguments.h"

/** kubectl-granary restore NAME: a RestoreSession, told before it is made, and followed. */
extern const struct command command_restore;
