#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "controllers/certificates.h"
#include "http/address.h"

/** Exit codes of granary-controller. */
enum controller_exit {
    CONTROLLER_FINE = 0,      /* until a signal; the Lease was given back, or never ours */
    CONTROLLER_LOST = 1,      /* was the leader and is not any more: to be started again */
    CONTROLLER_CANNOT = 2,    /* could not run: options, configuration, address */
    CONTROLLER_CUT_SHORT = 3, /* ended by a second signal, or without giving the Lease back */
};

/** What the command line says. Strings belong to argv. */
struct controller_options {
    const char *kubeconfig, *context; /* NULL: of the pod that we run in */
    const char *space;                /* NULL: that of the configuration */
    const char *bundle;               /* file, with CERTIFICATES_FILES */
    enum certificates_source certificates;
    const char *settings;  /* file; NULL: the built-in ones */
    const char *functions; /* folder of those that come with it; NULL: none */
    const char *catalog;   /* folder, with dry_run; else NULL */
    bool dry_run;
    struct address admin_listen;
    struct address agent_listen;        /* size 0: agents are not served */
    const char *advertise;              /* where agents find this pod; NULL: as POD_IP says */
    const char *agent_cert, *agent_key; /* files; NULL: made here */
    bool takeover;
    int64_t lease_ms, look_ms, settle_ms, bare_ms;
    enum log_format log_format;
    enum log_level log_level;
};

enum controller_verdict { CONTROLLER_RUN, CONTROLLER_HELP, CONTROLLER_VERSION, CONTROLLER_BAD };

/**
 * Reads the command line.
 *
 * @param options  Filled, with defaults for what is absent.
 * @param err      What is wrong, one line, with CONTROLLER_BAD.
 */
enum controller_verdict controller_options_parse(int argc, char **argv,
                                                 struct controller_options *options,
                                                 struct error *err);

/** Writes what --help and --version say. */
void controller_help(FILE *out);
void controller_version(FILE *out);
