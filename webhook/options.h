#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "http/address.h"
#include "http/connections.h"
#include "webhook/followed.h"

/** Exit codes of granary-webhook. */
enum exit_code {
    EXIT_FINE = 0,      /* answered; or served until SIGTERM and lost nothing */
    EXIT_REFUSED = 1,   /* --once: there was no AdmissionReview to answer */
    EXIT_CANNOT = 2,    /* could not run: options, settings, address */
    EXIT_CUT_SHORT = 3, /* ended by a second signal, or with requests under way */
};

/** What the command line says. Strings belong to argv. */
struct options {
    const char *catalog, *settings;
    const char *kubeconfig,
        *context; /* of an API server; both NULL, and no catalog: we are in a pod */
    const char *tls_cert, *tls_key, *client_ca;
    struct followed_secret tls_secret; /* its name is NULL when files are given */
    struct address listen, admin_listen;
    bool once, enforce;
    enum log_format log_format;
    enum log_level log_level;
    bool log_level_given;
    struct connection_times times;
    int64_t drain_delay_ms, drain_timeout_ms;
    int64_t body_max, body_budget, connections_max, workers; /* workers 0: one per core */
};

enum options_verdict { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_BAD };

/**
 * Reads the command line.
 *
 * @param options  Filled, with defaults for what is absent.
 * @param err      What is wrong, one line, with OPTIONS_BAD.
 */
enum options_verdict options_parse(int argc, char **argv, struct options *options,
                                   struct error *err);

/** Writes what --help and --version say. */
void options_help(FILE *out);
void options_version(FILE *out);
