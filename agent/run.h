#pragma once

#include "agent/options.h"

/**
 * Why an application must not start yet, as far as that can be said without the agent API: NULL
 * when no restore is asked of this pod, so that it may. Pure.
 *
 * @param pod, node  Where we run; NULL: not known.
 */
const char *agent_must_wait(const struct agent_options *options, const char *pod, const char *node);

/**
 * Runs until a signal ends it, or, before an application, until that may start. As the first
 * process of a container it also takes leave of processes that lost their parent.
 */
enum agent_exit agent_run(const struct agent_options *options);
