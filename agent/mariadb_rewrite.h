#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/database_proof.h"
#include "agent/lines.h"
#include "agent/mariadb_accounts.h"
#include "base/span.h"
#include "base/text.h"

/*
 * What a dump of MariaDB says, as it is said to a server that is not new: databases of the same
 * name are removed first; which tables it has; and its accounts. Pure. Spec: docs/databases.md.
 */

struct mariadb_rewrite {
    struct text *out;
    struct text tables; /* "`shop`.`goods`" or "`goods`", a line each */
    struct mariadb_accounts accounts;
    /* how far it is */
    struct lines lines;
    struct text database; /* in use, with its quotes and a dot */
    bool names_database, names_table;
    char mark[DATABASE_ACCOUNTS_LINE_BYTES]; /* as a proof has it */
    bool named, in_accounts;
};

void mariadb_rewrite_done(struct mariadb_rewrite *rewrite);

/** Appends to rewrite->out what is to be said for the next bytes. */
void mariadb_rewrite_add(struct mariadb_rewrite *rewrite, struct span piece);

/** At the end of all. */
void mariadb_rewrite_end(struct mariadb_rewrite *rewrite);

/** Appends what comes before a dump of one database: that it is there, is used, and is empty when
 *  it `clears`. */
void mariadb_begin(struct text *out, const char *database, bool clears);

/**
 * Makes a question for the rows of the next tables, added up.
 *
 * @param question  Replaced.
 * @param tables    What is left of rewrite->tables.
 * @param database  That tables without one are in.
 * @param count     Tables are added to it.
 * @return          False: none is left.
 */
bool mariadb_question(struct text *question, struct span *tables, const char *database,
                      int64_t *count);
