#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/child.h"
#include "agent/restic_command.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * etcd's own programs: which of them can do what, and how one is run. They lie in folders by
 * version, DIR/3.5/etcdctl; DIR/etcdctl is taken where there is no folder (a machine that has one
 * version of them).
 */

/** 3.5.10. */
struct etcd_version {
    int major, minor, patch;
};

/** Reads "3.5", "3.5.10", "v3.5.10-rc.1", with nothing but that. False: it is none. */
bool etcd_version_parse(struct span text, struct etcd_version *version) MUST_CHECK;

/** Below 0, 0 or above 0, as a is older, the same, or newer. */
int etcd_version_compare(struct etcd_version a, struct etcd_version b);

/** What the tools of a version can do. */
struct etcd_skills {
    bool utl;          /* there is an etcdutl (3.5); before, etcdctl works on files, too */
    bool bump;         /* snapshot restore --bump-revision and --mark-compacted (3.5.10) */
    bool counts_keys;  /* snapshot status counts keys alone (3.6) */
    bool status_reads; /* snapshot status leaves the file as it is; 3.4 writes to it (measured) */
};

struct etcd_skills etcd_skills_of(struct etcd_version tools);

/** The programs of one version. */
struct etcd_tools {
    struct etcd_version version; /* of the programs themselves, as they say */
    struct etcd_skills skills;
    char *ctl, *utl; /* paths, owned; utl is NULL before 3.5 */
};

void etcd_tools_done(struct etcd_tools *tools);

static inline void auto_etcd_tools(struct etcd_tools *tools)
{
    etcd_tools_done(tools);
}

/** The program that works on snapshot files. */
const char *etcd_tools_file_program(const struct etcd_tools *tools);

/** Where and until when programs run. Borrowed. */
struct etcd_run {
    struct children *children;
    int stop_fd;                    /* readable: end; below 0: nobody says so */
    int64_t until_ms;               /* steady clock; INT64_MAX: no deadline */
    const char *const *environment; /* of the programs, with NULL at the end; NULL: empty */
    const int *files;               /* descriptors that they get, as struct child_spec has them */
    size_t file_count;
};

/** How one ended. */
struct etcd_said {
    int status;              /* of waitpid(2) */
    bool stopped, late;      /* we ended it: because of stop_fd, at until_ms */
    struct text out, errors; /* what it wrote; at most 1 MiB, the last 4 KiB */
};

void etcd_said_done(struct etcd_said *said);

static inline void auto_etcd_said(struct etcd_said *said)
{
    etcd_said_done(said);
}

/**
 * Runs a program to its end: SIGTERM at stop_fd and until_ms, after 5 s SIGKILL.
 *
 * @param said  {0} before; filled also when it failed, but not when it could not be started.
 * @return      True: exit status 0 by itself. Else ERROR_INTERNAL (not started, failed: with its
 *              last words), ERROR_TIMEOUT, ERROR_GONE (stopped).
 */
bool etcd_run(const struct etcd_run *run, const char *program, struct words *argv,
              struct etcd_said *said, struct error *err) MUST_CHECK;

/**
 * The tools for a server of this version: those of its minor version, else the next newer ones,
 * else the newest. Asks them for their own version.
 *
 * @param folder  DIR, see above.
 * @param server  {0}: not known, the newest.
 * @return        False with ERROR_NOT_FOUND: there are none.
 */
bool etcd_tools_find(const struct etcd_run *run, const char *folder, struct etcd_version server,
                     struct etcd_tools *tools, struct error *err) MUST_CHECK;

/** Why nothing can be had of an etcd, in the words of etcdctl's log: "x509: ...", "authentication
 *  failed ..."; NULL: it does not say. No repetition changes these when *hopeless. Heap string. */
char *etcd_cause(struct span errors, bool *hopeless);

/** The last line of what a program wrote to standard error that is for people, for a message:
 *  "Error: ..." rather than lines of its log. Heap string, printable. */
char *etcd_last_words(struct span errors);

/** What a person can do about a failure of that message; NULL: nothing is known. Static. */
const char *etcd_advice(const char *message);
