#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/database_proof.h"
#include "agent/etcd_connection.h"
#include "agent/restic_command.h"
#include "base/error.h"

/*
 * What kinds of databases are dumped, and with which words and variables their own tools are
 * called. Pure. Secrets go into variables and memory files, never into arguments. Spec: milestone
 * of databases; stash-behaviour 1.9, 9; docs/databases.md.
 */

/** How a database is reached. Release with database_connection_done(), which wipes. */
struct database_connection {
    struct etcd_connection base; /* user, password, certificates; user may be NULL */
    char *host;
    unsigned port;
    bool tls;    /* by its scheme: rediss */
    char *query; /* behind "?" of url or service; "" */
};

void database_connection_done(struct database_connection *connection);

static inline void auto_database_connection(struct database_connection *connection)
{
    database_connection_done(connection);
}

/** What a person may say of a dump or a restore. Borrowed; "" is nothing. */
struct database_wish {
    const char *command;  /* the tool that dumps, of those that the kind has */
    const char *args;     /* options of that tool, with blanks between them */
    const char *user;     /* instead of the Secret's */
    const char *database; /* this one alone */
    bool overwrite;       /* a restore may replace what is there */
};

/** Descriptors of certificates as the tools have them; below 0: there is none. */
struct database_files {
    int ca, certificate, key, config;
};

struct database_kind {
    const char *name;   /* "postgres" */
    const char *dump;   /* name of its file in a snapshot, as Stash has it */
    const char *folder; /* of its tools in our image */
    unsigned port;
    enum database_format format;
    const char *user_key, *password_key; /* of its Secret beside username and password; NULL */
    const char *const *commands;         /* tools that dump, the first one is taken; NULL ends */
    const char *const *options;          /* that args may have, "--a" or "--b=" */
    const char *const *hopeless;         /* words of failures that no repetition changes */
    const char *home;                    /* the database that each server has; "" */
    const char *client;                  /* the tool that asks, and that a dump is given */
    const char *version;                 /* what asks it for its version */
    const char *all;                     /* option for all databases; NULL: none is needed */
    bool names;                          /* one database is the last word of the tool */
    const char
        *accounts;       /* option for those of the server, which all databases do not have; NULL */
    bool password_alone; /* a password needs no user */
    bool whole;          /* all databases or nothing */
    /* the version in what it answers, heap string, or NULL with why it can not be dumped; NULL: all
     * that it answers is its version */
    char *(*version_in)(const char *said, struct error *err);
    void (*environment)(const struct database_connection *connection,
                        const struct database_wish *wish, const struct database_files *files,
                        struct words *out);
    void (*config)(const struct database_connection *connection, const struct database_wish *wish,
                   const struct database_files *files,
                   struct text *out); /* text of a file with secrets; NULL: it needs none */
    void (*dump_words)(const struct database_connection *connection,
                       const struct database_wish *wish, const struct database_files *files,
                       struct words *out);
    void (*ask_words)(const struct database_connection *connection,
                      const struct database_files *files, const char *question, struct words *out);
    void (*load_words)(const struct database_connection *connection,
                       const struct database_files *files, bool one, struct words *out);
};

/** The kind of that name; NULL: there is none. */
const struct database_kind *database_kind_of(const char *name);

/**
 * How it is reached, from its AppBinding.
 *
 * @param app, secrets  As etcd_connection_make() has them.
 * @return              False with ERROR_INVALID, in words without values.
 */
bool database_connection_make(const struct database_kind *kind, const json_t *app,
                              const json_t *secrets, struct database_connection *connection,
                              struct error *err) MUST_CHECK;

/** False with ERROR_FORBIDDEN: a tool or an option that is not for this. */
bool database_wish_check(const struct database_kind *kind, const struct database_wish *wish,
                         struct error *err) MUST_CHECK;

/** The tool that dumps. */
const char *database_command(const struct database_kind *kind, const struct database_wish *wish);

/** True when the tool is run once more, for accounts. */
bool database_dumps_accounts(const struct database_kind *kind, const struct database_wish *wish);

/** True for words of a tool after which no repetition helps. */
bool database_is_hopeless(const struct database_kind *kind, const char *words);
