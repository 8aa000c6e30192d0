#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/lines.h"
#include "agent/rdb.h"
#include "base/error.h"
#include "base/span.h"

/*
 * Whether a dump is whole, and what is in it, seen while it passes by. A tool that was cut off says
 * so by its exit status; that it came to its end, only the dump itself does. Pure.
 */

enum database_format {
    DATABASE_SQL_POSTGRES, /* of pg_dump and pg_dumpall, with COPY */
    DATABASE_SQL_MARIADB,  /* of mariadb-dump */
    DATABASE_RDB           /* of Redis */
};

/** What the first line of a dump begins with that has accounts behind its databases: its rest is
 *  random, and the same line stands before the accounts, so that nothing in a database can look
 * like it. */
#define DATABASE_ACCOUNTS_MARK "-- granary: accounts "
#define DATABASE_ACCOUNTS_LINE_BYTES 96u

/** One dump. Release with database_proof_done(). */
struct database_proof {
    enum database_format format;
    int64_t bytes, databases, tables, rows;  /* so far */
    bool begun, whole;                       /* its first lines, its end mark were seen */
    bool cluster;                            /* of all databases of a server */
    bool named;                              /* its first line was seen */
    char mark[DATABASE_ACCOUNTS_LINE_BYTES]; /* the line before its accounts, "": it has none */
    bool accounts;                           /* that line was seen */
    /* how far it is */
    struct lines lines;
    bool database, copy, data, in_rows; /* what is expected; rows have begun */
    struct rdb rdb;
    uint64_t crc;
    unsigned char last[8]; /* bytes of it that may be its checksum */
    size_t last_count;
};

void database_proof_init(struct database_proof *proof, enum database_format format);
void database_proof_done(struct database_proof *proof);

static inline void auto_database_proof(struct database_proof *proof)
{
    database_proof_done(proof);
}

/** Takes the next bytes of it. */
void database_proof_add(struct database_proof *proof, struct span piece);

/** After all of it: false with ERROR_INVALID when it is cut off, damaged, or none. */
bool database_proof_end(struct database_proof *proof, struct error *err) MUST_CHECK;

/** Likewise after all of its databases, when accounts may follow. */
bool database_proof_end_part(struct database_proof *proof, struct error *err) MUST_CHECK;

/** Takes the line that accounts are behind of: keeps it when it is the first one of a dump. True
 * for the second one. @param mark  Of DATABASE_ACCOUNTS_LINE_BYTES, "" at first. */
bool database_accounts_begin(char *mark, bool named, struct span line);

/** True for the line of a mariadb-dump that makes what the comment before has named.
 *  @param expected  False at first. */
bool mariadb_name_begins(bool *expected, const char *comment, const char *statement,
                         struct span line);

/** True for the line of a pg_dump that rows follow. @param expected  False at first. */
bool postgres_copy_begins(bool *expected, struct span line);
