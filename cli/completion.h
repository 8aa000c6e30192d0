#pragma once

#include "cli/arguments.h"

/** kubectl-granary completion SHELL: a script that completes commands, options and their words. */
extern const struct command command_completion;
