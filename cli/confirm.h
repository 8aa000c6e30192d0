#pragma once

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/output.h"

/**
 * Asks a person who is to mean what he asked for: with --yes nobody is asked, on a terminal "y" or
 * "yes" is an answer.
 *
 * @param question  "Restore?"
 * @return          False: ERROR_INVALID, nothing may be done.
 */
bool confirm(const struct arguments *arguments, const struct output *output, const char *question,
             struct error *err) MUST_CHECK;
