#pragma once

#include <stdio.h>

#include "controllers/options.h"

/**
 * Writes what the leader would write if the cluster were the folder `options->catalog`: documents
 * of YAML with the verb, the reason and the target in comments, then what can not be done, one
 * comment each. By the same loops, without any cluster.
 *
 * @return  CONTROLLER_CANNOT with err: the folder or the settings can not be read.
 */
enum controller_exit dry_run(const struct controller_options *options, FILE *out,
                             struct error *err);
