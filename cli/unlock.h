#pragma once

#include "cli/arguments.h"

/** kubectl-granary unlock NAME: all locks of a repository are removed, told before. */
extern const struct command command_unlock;
