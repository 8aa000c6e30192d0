#include "agent/database_proof.h"

#include <stdio.h>
#include <string.h>

/* Bytes behind an RDB: its CRC64, lowest byte first; before them the opcode of its end. */
#define RDB_CRC_BYTES 8u
#define RDB_END_BYTES (1u + RDB_CRC_BYTES)
#define RDB_END 0xFF

/* Bytes that an RDB begins with: "REDIS" and four digits. */
#define RDB_MAGIC_BYTES 9u

void database_proof_init(struct database_proof *proof, enum database_format format)
{
    *proof = (struct database_proof){.format = format};
}

void database_proof_done(struct database_proof *proof)
{
    lines_done(&proof->lines);
}

/* ---- SQL ---- */

static bool begins(struct span line, const char *with)
{
    return line.length >= strlen(with) && memcmp(line.data, with, strlen(with)) == 0;
}

static bool ends_with(struct span line, const char *with)
{
    size_t length = strlen(with);

    return line.length >= length && memcmp(line.data + line.length - length, with, length) == 0;
}

static bool is(struct span line, const char *text)
{
    return line.length == strlen(text) && begins(line, text);
}

static bool has(struct span line, const char *text)
{
    return memmem(line.data, line.length, text, strlen(text)) != NULL;
}

/* A comment of pg_dump's says that rows follow: what a function's body says does not count. */
bool postgres_copy_begins(bool *expected, struct span line)
{
    bool copy = *expected && begins(line, "COPY ") && ends_with(line, " FROM stdin;\n");

    if (begins(line, "-- Data for Name: "))
        *expected = true;
    else if (copy)
        *expected = false;
    return copy;
}

/* What may follow the end mark. */
static bool says_nothing(struct span line)
{
    return is(line, "\n") || begins(line, "--") || begins(line, "\\unrestrict ");
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
    bool named = *expected && begins(line, statement);

    if (begins(line, comment))
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
        begins(line, "-- Database \"") && !is(line, "-- Database \"template1\" dump\n");
    proof->tables += begins(line, "-- Name: ") && has(line, "; Type: TABLE; Schema: ");
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
    if (begins(line, DATABASE_ACCOUNTS_MARK) && line.length < DATABASE_ACCOUNTS_LINE_BYTES) {
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
    if (begins(line, "-- Dump completed"))
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
    if (begins(line, "-- MariaDB dump ") || begins(line, "-- MySQL dump "))
        proof->named = true;
    else if (proof->named && !proof->begun && begins(line, "-- Host: "))
        begin_mariadb(proof, line);
    else if (begins(line, "-- Dump completed"))
        proof->whole = true;
    else if (!says_nothing(line))
        proof->whole = false;
    proof->databases +=
        mariadb_name_begins(&proof->database, "-- Current Database: `", "CREATE DATABASE ", line);
    proof->tables +=
        mariadb_name_begins(&proof->copy, "-- Table structure for table `", "CREATE TABLE `", line);
    if (begins(line, "-- ") || is(line, "UNLOCK TABLES;\n"))
        proof->data = begins(line, "-- Dumping data for table `");
    if (proof->data && begins(line, "INSERT INTO `"))
        proof->in_rows = true;
    else if (proof->in_rows && begins(line, "("))
        proof->rows++;
    if (proof->in_rows && ends_with(line, ";\n"))
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

/* The polynomial of Jones, reflected. Source: Redis, src/crc64.c names it. */
static uint64_t crc_of(unsigned char byte)
{
    uint64_t crc = byte;

    for (int i = 0; i < 8; i++)
        crc = crc & 1 ? crc >> 1 ^ UINT64_C(0x95ac9329ac4bc9b5) : crc >> 1;
    return crc;
}

static void crc_table(uint64_t table[256])
{
    for (unsigned i = 0; i < 256; i++)
        table[i] = crc_of((unsigned char)i);
}

/* The CRC is over all that its own bytes can not be, which is known only later. */
static void take_rdb(struct database_proof *proof, struct span piece)
{
    uint64_t table[256];

    crc_table(table);
    for (size_t i = 0; i < piece.length; i++) {
        unsigned char byte = (unsigned char)piece.data[i];

        if (proof->last_count == RDB_END_BYTES) {
            proof->crc = proof->crc >> 8 ^ table[(proof->crc ^ proof->last[0]) & 0xFF];
            memmove(proof->last, proof->last + 1, --proof->last_count);
        }
        proof->last[proof->last_count++] = byte;
        if (proof->bytes + (int64_t)i + 1 == RDB_MAGIC_BYTES)
            proof->begun = memcmp(proof->last, "REDIS0", 6) == 0;
    }
}

static bool rdb_is_whole(struct database_proof *proof)
{
    uint64_t table[256], crc = proof->crc, said = 0;

    if (proof->last_count != RDB_END_BYTES || proof->last[0] != RDB_END)
        return false;
    crc_table(table);
    crc = crc >> 8 ^ table[(crc ^ proof->last[0]) & 0xFF];
    for (size_t i = RDB_CRC_BYTES; i > 0; i--)
        said = said << 8 | proof->last[i];
    /* 0: the server was told to write none */
    return said == 0 || said == crc;
}

/* ---- all ---- */

void database_proof_add(struct database_proof *proof, struct span piece)
{
    if (proof->format == DATABASE_RDB)
        take_rdb(proof, piece);
    else
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
    if (proof->format == DATABASE_RDB)
        proof->whole = proof->begun && rdb_is_whole(proof);
    else
        lines_end(&proof->lines, take_line, proof);
    if (proof->begun && proof->whole && (!proof->in_rows || proof->format == DATABASE_RDB))
        return true;
    return error_set(err, ERROR_INVALID, "the dump %s: after %lld bytes %s",
                     proof->begun ? "is cut off or damaged" : "is none", (long long)proof->bytes,
                     proof->begun ? "its end mark is not there" : "it does not begin like one");
}
