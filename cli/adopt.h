#pragma once

#include "cli/arguments.h"

/** kubectl-granary adopt NAME: a repository is taken over from another cluster. */
extern const struct command command_adopt;
