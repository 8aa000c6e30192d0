#pragma once

#include "cli/arguments.h"

/** All commands, in the order in which they are told; ends with NULL. */
extern const struct command *const commands[];

/** The one of this name, or NULL. */
const struct command *commands_find(const char *name);

/** What the program is, in one line. */
#define COMMANDS_SUMMARY "what granary does in a cluster, and what its admission would do"

/** The titles of the sides, and what stands behind all commands. Lines of at most 80 characters. */
extern const char *const commands_sides[SIDES];
extern const char commands_exit[];
