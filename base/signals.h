#pragma once

/**
 * Blocks signals in this thread and all that it starts, so that they are read from a descriptor;
 * SIGPIPE is ignored. To be called before the first thread.
 *
 * @param signals  Ends with 0.
 * @return         A signalfd(2), non-blocking, closed in children; -1 with errno.
 */
int signals_catch(const int *signals);
