#pragma once

#include "controllers/options.h"

/** Runs until a signal, or until it has led and does not any more. Logs why it ended. @param err
 *  Of CONTROLLER_CANNOT. */
enum controller_exit controller_run(const struct controller_options *options, struct error *err);
