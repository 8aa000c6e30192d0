#pragma once

#include "cli/arguments.h"

/** kubectl-granary render: what admission makes of a manifest. */
extern const struct command command_render;
