#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/span.h"
#include "base/text.h"

/*
 * What a dump says of accounts, roles and their rights, as it is said to a server that has some
 * already. Who restores is left as he is, and so are others that are there, unless they may be
 * replaced. Pure. Spec: docs/databases.md; MariaDB, mariadb-dump, --system=users.
 */

struct mariadb_accounts {
    /* {"HEX(name)@HEX(host)": true} that are there, of roles without a host; borrowed */
    const json_t *known;
    const char *own; /* HEX(name) of who restores; borrowed */
    bool replaces;   /* passwords of those that are there */
    struct text *out;
    bool strange; /* something was said that is not understood, and was left out */
    /* how far it is */
    struct text statement;
    char quote; /* inside of one: "'", '"' or "`" */
    bool escaped;
};

void mariadb_accounts_done(struct mariadb_accounts *accounts);

/** Appends to accounts->out what is to be said for the next bytes. */
void mariadb_accounts_add(struct mariadb_accounts *accounts, struct span piece);

/** At the end of all. */
void mariadb_accounts_end(struct mariadb_accounts *accounts);
