#pragma once

#include "settings/store.h"
#include "webhook/options.h"

/**
 * Serves until a signal ends it: SIGTERM drains, SIGINT drains without the delay, a second one ends
 * at once, SIGHUP looks at the certificate files. To be called before any other thread exists.
 *
 * @param settings  Looked at as their file changes. Borrowed.
 * @return          EXIT_FINE or EXIT_CUT_SHORT; EXIT_CANNOT with err when nothing was served.
 */
enum exit_code server_run(const struct options *options, struct settings_store *settings,
                          struct error *err);

/** How far a drain is. */
enum drain {
    DRAIN_NOT,     /* serving */
    DRAIN_LEAVING, /* not ready, but new connections are served */
    DRAIN_CLOSING, /* no new ones; those that are there finish their requests */
    DRAIN_OVER,
};

/**
 * The next step of a drain. Pure.
 *
 * @param since_ms  Time since the signal; negative: there was none.
 * @param delay_ms, timeout_ms  Ends of leaving and of everything, from the signal.
 * @param open      Connections that are open.
 */
enum drain drain_next(int64_t since_ms, int64_t delay_ms, int64_t timeout_ms, size_t open);
