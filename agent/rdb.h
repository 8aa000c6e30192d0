#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/*
 * An RDB of Redis, read as it passes by in pieces of any length: which keys it has, and where the
 * value of each begins and ends. What is inside of a value is not looked at: as it stands it is
 * what RESTORE takes. Pure. Hostile input is refused where it stops to be an RDB; memory grows only
 * by bytes that have come.
 *
 * Spec: Redis, src/rdb.h and rdb.c of 7.0, 7.2 and 7.4; versions 6 to 12 of the format.
 */

/* Bytes of one key, and of one value: what a server takes as one argument unless told otherwise
 * (proto-max-bulk-len). */
#define RDB_VALUE_MAX_BYTES (UINT64_C(512) << 20)

/* Databases of one server that are told apart. Servers have 16, unless told otherwise. */
#define RDB_DATABASES_MAX 65536u

enum rdb_kind {
    RDB_KEY,
    RDB_LIBRARY /* of functions: no key, no database */
};

/** What RESTORE or FUNCTION RESTORE is told. Borrowed for the time of the call. */
struct rdb_entry {
    enum rdb_kind kind;
    unsigned database;
    struct span key;    /* decoded */
    struct span value;  /* its type, and all of it, as it stands in the RDB */
    int64_t expires_ms; /* since 1970; below 0: never */
    int64_t idle_s;     /* since it was used; below 0: not known */
    int freq;           /* how often it is used, 0 to 255; below 0: not known */
};

/** False stops the reader with that error. */
typedef bool rdb_told(void *context, const struct rdb_entry *entry, struct error *err);

/* A list inside of a value that is being walked. */
struct rdb_loop {
    const char *body;
    uint64_t left;
};

/* Characters of the mark that a server ends its transfer with, hexadecimal: redis-cli leaves it
 * behind an RDB that it writes to a pipe. */
#define RDB_MARK_CHARS 40u

/* Bytes of the keys by database, for people: hundreds of databases. */
#define RDB_KEYSPACE_MAX_BYTES 4096u

/* Lists in lists: a stream has its consumers' entries in the third. */
#define RDB_LOOPS_MAX 3u

/** One RDB. Release with rdb_done(). */
struct rdb {
    rdb_told *told; /* NULL: values are walked, and not kept */
    void *context;
    unsigned version;                             /* of the format, once it is known */
    int64_t bytes;                                /* so far, without what is behind its end */
    int64_t keys, expiring, libraries, databases; /* so far */
    int64_t largest;                              /* bytes of the largest value */
    struct text keyspace; /* "0: 17, 5: 1": keys of each database, as far as they fit */
    /* where it is */
    struct error failed; /* what it stopped with, once it did */
    int phase;
    bool ended;
    unsigned behind;        /* bytes behind its end */
    unsigned char head[10]; /* bytes of a number that are there; how many, of how many */
    unsigned have, want;
    uint64_t skip; /* bytes of a string that are not there yet */
    /* the record */
    int op;         /* its first byte */
    const char *at; /* what comes next: see rdb.c */
    struct rdb_loop loops[RDB_LOOPS_MAX];
    unsigned depth;
    bool in_key;
    uint64_t number; /* the last one */
    uint64_t walked; /* bytes of it */
    struct text raw, key;
    int64_t keys_before; /* of databases that are over */
    unsigned database;
    int64_t expires_ms, idle_s;
    int freq;
};

/** @param told  Of each key and library, in the order of the RDB; NULL: they are only counted. */
void rdb_init(struct rdb *rdb, rdb_told *told, void *context);
void rdb_done(struct rdb *rdb);

static inline void auto_rdb(struct rdb *rdb)
{
    rdb_done(rdb);
}

/** Takes the next bytes. False with ERROR_INVALID, now and ever after, when they are no RDB. */
bool rdb_add(struct rdb *rdb, struct span piece, struct error *err) MUST_CHECK;

/** After all of it: false with ERROR_INVALID when its end is not there, or something else than the
 *  mark of a transfer is behind it. The checksum is for
 *  database_proof_end(). */
bool rdb_end(const struct rdb *rdb, struct error *err) MUST_CHECK;

/**
 * A string as an RDB has it, as text: an integer or a compressed one is made what it stands for.
 *
 * @param raw  From its length on; what is behind it is left.
 * @param out  Appended to. Untouched on failure.
 * @return     Bytes of raw that it has; 0 with ERROR_INVALID when it is none, or has more than
 *             RDB_VALUE_MAX_BYTES.
 */
size_t rdb_string(struct span raw, struct text *out, struct error *err) MUST_CHECK;
