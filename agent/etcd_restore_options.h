#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/options.h"
#include "base/error.h"

/** What `granary-agent etcd-restore` is told. Strings belong to argv. */
struct etcd_restore_options {
    const char *file; /* the snapshot; or */
    const char *repository,
        *snapshot;       /* of restic, which takes its password from the environment */
    const char *fetched; /* folder of a dump that was fetched, instead of both */
    const char *session; /* for whom; NULL: for a person, by hand */
    const char *result;  /* file that is told how it ended; NULL: nobody */
    const char *data_dir, *name, *initial_cluster, *token;
    const char *etcd_version; /* of the server that is to run on it; NULL: that of the tools */
    const char *tools, *scratch, *restic;
    int64_t bump;       /* added to the revision; 0: nothing */
    int64_t keep_ms;    /* folders of earlier restores go when they are older; 0: never */
    int64_t stopped_ms; /* an etcd that still runs may take so long to end; 0: it is refused */
    bool dry_run, rollback, prove;
};

/** Reads the command line behind the word "etcd-restore", which is argv[0]. */
enum agent_verdict etcd_restore_options_parse(int argc, char **argv,
                                              struct etcd_restore_options *options,
                                              struct error *err);

/** Writes what --help says. */
void etcd_restore_help(FILE *out);
