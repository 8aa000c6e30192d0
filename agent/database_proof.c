#include "agent/database_proof.h"

#include <string.h>

#include "agent/crc64.h"

/* Bytes that an RDB ends with: its CRC64, lowest byte first. */
#define RDB_CRC_BYTES sizeof((struct database_proof *)0)->last

void database_proof_init(struct database_proof *proof, enum database_format format)
{
    *proof = (struct database_proof){.format = format};
    if (format == DATABASE_RDB)
        rdb_init(&proof->rdb, NULL, NULL);
}

void database_proof_done(struct database_proof *proof)
{
    lines_done(&proof->lines);
    rdb_done(&proof->rdb);
}

/* ---- SQL ---- */

static bool is(struct span line, const char *text)
{
    return line.length == strlen(text) && span_begins(line, text);
}

static bool has(struct span line, const char *text)
{
    return memmem(line.data, line.length, text, strlen(text)) != NULL;
}

/* A comment of pg_dump's says that rows follow: what a function's body says does not count. */
bool postgres_copy_begins(bool *expected, struct span line)
{
    bool copy = *expected && span_begins(line, "COPY ") && span_ends(line, " FROM stdin;\n");

    if (span_begins(line, "-- Data for Name: "))
        *expected = true;
    else if (copy)
        *expected = false;
    return copy;
}

/* What may follow the end mark. */
static bool says_nothing(struct span line)
{
    return is(line, "\n") || span_begins(line, "--") || span_begins(line, "\\unrestrict ");
}

/* Its rows are lines, too, and end with one that no row can be. */
static bool in_copy(struct database_proof *proof, struct span line)
{
    if (!proof->in_rows)
        return false;
    proof->in_rows = !is(line, "\\.\n");
    proof->rows += proof->in_rows;
    return true;
}

bool mariadb_name_begins(bool *expected, const char *comment, const char *statement,
                         struct span line)
{
    bool named = *expected && span_begins(line, statement);

    if (span_begins(line, comment))
        *expected = true;
    else if (named)
        *expected = false;
    return named;
}

static void take_postgres(struct database_proof *proof, struct span line)
{
    if (in_copy(proof, line))
        return;
    if (is(line, "-- PostgreSQL database cluster dump\n"))
        proof->begun = proof->cluster = true;
    else if (is(line, "-- PostgreSQL database dump\n"))
        proof->begun = true;
    else if (is(line, proof->cluster ? "-- PostgreSQL database cluster dump complete\n"
                                     : "-- PostgreSQL database dump complete\n"))
        proof->whole = true;
    else if (!says_nothing(line))
        proof->whole = false;
    proof->databases +=
        span_begins(line, "-- Database \"") && !is(line, "-- Database \"template1\" dump\n");
    proof->tables += span_begins(line, "-- Name: ") && has(line, "; Type: TABLE; Schema: ");
    proof->in_rows = postgres_copy_begins(&proof->copy, line);
}

/* "-- Host: a    Database: b": behind it is none when it is of all. */
static void begin_mariadb(struct database_proof *proof, struct span line)
{
    static const char word[] = "Database:";
    const char *found = memmem(line.data, line.length, word, sizeof word - 1);
    size_t behind = found ? (size_t)(found - line.data) + sizeof word - 1 : line.length;

    proof->begun = true;
    proof->cluster = text_trim((struct span){line.data + behind, line.length - behind}).length == 0;
}

bool database_accounts_begin(char *mark, bool named, struct span line)
{
    if (named)
        return *mark && span_is(line, mark);
    if (span_begins(line, DATABASE_ACCOUNTS_MARK) && line.length < DATABASE_ACCOUNTS_LINE_BYTES) {
        memcpy(mark, line.data, line.length);
        mark[line.length] = '\0';
    }
    return false;
}

/* What is said of accounts has neither databases nor rows. */
static bool in_accounts(struct database_proof *proof, struct span line)
{
    if (database_accounts_begin(proof->mark, proof->named, line)) {
        proof->accounts = true;
        proof->whole = false;
    }
    if (!proof->accounts)
        return false;
    if (span_begins(line, "-- Dump completed"))
        proof->whole = true;
    else if (!says_nothing(line))
        proof->whole = false;
    return true;
}

/* Each row of an INSERT is a line of its own: "(1,'a')," or "(1,'a');". */
static void take_mariadb(struct database_proof *proof, struct span line)
{
    if (in_accounts(proof, line))
        return;
    if (span_begins(line, "-- MariaDB dump ") || span_begins(line, "-- MySQL dump "))
        proof->named = true;
    else if (proof->named && !proof->begun && span_begins(line, "-- Host: "))
        begin_mariadb(proof, line);
    else if (span_begins(line, "-- Dump completed"))
        proof->whole = true;
    else if (!says_nothing(line))
        proof->whole = false;
    proof->databases +=
        mariadb_name_begins(&proof->database, "-- Current Database: `", "CREATE DATABASE ", line);
    proof->tables +=
        mariadb_name_begins(&proof->copy, "-- Table structure for table `", "CREATE TABLE `", line);
    if (span_begins(line, "-- ") || is(line, "UNLOCK TABLES;\n"))
        proof->data = span_begins(line, "-- Dumping data for table `");
    if (proof->data && span_begins(line, "INSERT INTO `"))
        proof->in_rows = true;
    else if (proof->in_rows && span_begins(line, "("))
        proof->rows++;
    if (proof->in_rows && span_ends(line, ";\n"))
        proof->in_rows = false;
}

static void take_line(void *context, struct span text, bool first, bool last)
{
    struct database_proof *proof = context;

    /* a line that is this long is a row */
    if (!first || !last) {
        proof->rows += first && proof->in_rows;
        proof->whole = false;
        return;
    }
    if (proof->format == DATABASE_SQL_POSTGRES)
        take_postgres(proof, text);
    else
        take_mariadb(proof, text);
}

/* ---- RDB ---- */

/* The CRC is over all that its own bytes can not be, which is known only later. */
static void take_crc(struct database_proof *proof, struct span piece)
{
    size_t all = proof->last_count + piece.length;
    size_t done = all > RDB_CRC_BYTES ? all - RDB_CRC_BYTES : 0;
    size_t old = done < proof->last_count ? done : proof->last_count;
    size_t left = piece.length - (done - old);
    struct crc64 table;

    crc64_init(&table);
    proof->crc = crc64_add(&table, proof->crc, (struct span){(const char *)proof->last, old});
    proof->crc = crc64_add(&table, proof->crc, (struct span){piece.data, done - old});
    proof->last_count -= old;
    memmove(proof->last, proof->last + old, proof->last_count);
    memcpy(proof->last + proof->last_count, piece.data + piece.length - left, left);
    proof->last_count += left;
}

/* What is behind its end does not count. */
static void take_rdb(struct database_proof *proof, struct span piece)
{
    struct error err;
    int64_t before = proof->rdb.bytes;

    (void)!rdb_add(&proof->rdb, piece, &err); /* it keeps why not for its end */
    piece.length = (size_t)(proof->rdb.bytes - before);
    take_crc(proof, piece);
    proof->begun = proof->cluster = proof->rdb.version > 0;
    proof->bytes = proof->rdb.bytes;
}

static bool rdb_is_whole(const struct database_proof *proof, struct error *err)
{
    uint64_t said = 0;

    if (!rdb_end(&proof->rdb, err))
        return false;
    for (size_t i = RDB_CRC_BYTES; i > 0; i--)
        said = said << 8 | proof->last[i - 1];
    /* 0: the server was told to write none */
    return said == 0 || said == proof->crc ||
           error_set(err, ERROR_INVALID, "its checksum is not right");
}

/* ---- all ---- */

void database_proof_add(struct database_proof *proof, struct span piece)
{
    if (proof->format == DATABASE_RDB) {
        take_rdb(proof, piece);
        return;
    }
    lines_add(&proof->lines, piece, take_line, proof);
    proof->bytes += (int64_t)piece.length;
}

bool database_proof_end(struct database_proof *proof, struct error *err)
{
    if (!database_proof_end_part(proof, err))
        return false;
    return !proof->mark[0] || proof->accounts ||
           error_set(err, ERROR_INVALID,
                     "the dump is cut off: after %lld bytes its accounts are "
                     "not there",
                     (long long)proof->bytes);
}

bool database_proof_end_part(struct database_proof *proof, struct error *err)
{
    struct error why = {.message = "its end mark is not there"};

    if (proof->format == DATABASE_RDB)
        proof->whole = rdb_is_whole(proof, &why);
    else
        lines_end(&proof->lines, take_line, proof);
    if (proof->begun && proof->whole && !proof->in_rows)
        return true;
    return error_set(err, ERROR_INVALID, "the dump %s: after %lld bytes %s",
                     proof->begun ? "is cut off or damaged" : "is none", (long long)proof->bytes,
                     proof->begun ? why.message : "it does not begin like one");
}
