#include "agent/rdb.h"

#include <assert.h>
#include <stdlib.h>

#include "base/auto.h"

/* Bytes that an RDB begins with: "REDIS" and four digits; versions that are read. */
#define MAGIC_BYTES 9u
#define VERSION_MIN 6
#define VERSION_MAX 12

/* Bytes that a compressed one may stand for: a match of three has at most 264. Source: LZF. */
#define LZF_RATIO_MAX 264u

/* What a first byte says. Source: Redis, src/rdb.h. */
enum {
    OP_LIBRARY = 245,
    OP_IDLE = 248,
    OP_FREQ = 249,
    OP_EXPIRES_MS = 252,
    OP_EXPIRES = 253,
    OP_SELECT = 254,
    OP_END = 255,
    TYPES_END = 26,
};

/*
 * What follows the first byte of a record (and, where it is a type, its key):
 *
 *   s  a string           l  a number of varying length      d  a float as a short string
 *   1 4 8  so many bytes  i  16 bytes                        (...)  a number, and that many of it
 */
static const char *const shapes[256] = {
    [0] = "s",
    [1] = "(s)",  /* list */
    [2] = "(s)",  /* set */
    [3] = "(sd)", /* sorted set */
    [4] = "(ss)", /* hash */
    [5] = "(s8)", /* sorted set */
    [9] = "s",    /* maps, lists and sets that are one packed string */
    [10] = "s",
    [11] = "s",
    [12] = "s",
    [13] = "s",
    [14] = "(s)", /* list of packed ones */
    [15] = "(ss)lll(sll(i8l)(s8(i)))",
    [16] = "s",
    [17] = "s",
    [18] = "(ls)",
    /* stream: entries; how many, IDs; groups with what is pending, and their consumers */
    [19] = "(ss)llllllll(slll(i8l)(s8(i)))",
    [20] = "s",
    [21] = "(ss)llllllll(slll(i8l)(s88(i)))",
    /* hash whose fields expire */
    [24] = "8(lss)",
    [25] = "8s",
    /* what is no key: slots, library, eviction, anything, sizes, time, database, checksum */
    [244] = "lll",
    [OP_LIBRARY] = "s",
    [OP_IDLE] = "l",
    [OP_FREQ] = "1",
    [250] = "ss",
    [251] = "ll",
    [OP_EXPIRES_MS] = "8",
    [OP_EXPIRES] = "4",
    [OP_SELECT] = "l",
    [OP_END] = "8",
};

/* What the bytes that are waited for are. */
enum {
    PHASE_MAGIC,
    PHASE_OP,
    PHASE_NUMBER,   /* of an atom that begins with one */
    PHASE_PACKED,   /* length of a string that is compressed, */
    PHASE_UNPACKED, /* and that which it had before */
    PHASE_FLOAT,
    PHASE_FIXED,
    PHASE_SKIP
};

/* ---- numbers ---- */

/* Forms of a string, besides one of so many bytes. */
enum form { FORM_PLAIN, FORM_INT8, FORM_INT16, FORM_INT32, FORM_LZF, FORM_BAD };

/* Bytes that a number has, by its first one. 0: there is none like that. */
static unsigned number_bytes(unsigned char first)
{
    if (first == 0x80 || first == 0x81)
        return first == 0x80 ? 5 : 9;
    return first >> 6 == 1 ? 2 : first >> 6 == 2 ? 0 : 1;
}

static uint64_t big_endian(const unsigned char *bytes, unsigned count)
{
    uint64_t value = 0;

    while (count-- > 0)
        value = value << 8 | *bytes++;
    return value;
}

static uint64_t little_endian(const unsigned char *bytes, unsigned count)
{
    uint64_t value = 0;

    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

/* @param form  Of a string; where a plain number is wanted, any other than FORM_PLAIN is bad. */
static uint64_t number_value(const unsigned char *head, enum form *form)
{
    static const enum form forms[] = {FORM_INT8, FORM_INT16, FORM_INT32, FORM_LZF};
    unsigned count = number_bytes(head[0]);

    *form = FORM_PLAIN;
    if (head[0] >> 6 == 3)
        *form = (head[0] & 63) < 4 ? forms[head[0] & 63] : FORM_BAD;
    if (count == 1)
        return head[0] & 63;
    return count == 2 ? (uint64_t)(head[0] & 63) << 8 | head[1] : big_endian(head + 1, count - 1);
}

/* ---- strings ---- */

static size_t int_bytes(enum form form)
{
    return form == FORM_INT8 ? 1 : form == FORM_INT16 ? 2 : 4;
}

static void add_int(struct text *out, const unsigned char *bytes, enum form form)
{
    uint64_t value = little_endian(bytes, (unsigned)int_bytes(form));

    text_addf(out, "%d",
              form == FORM_INT8    ? (int8_t)value
              : form == FORM_INT16 ? (int16_t)value
                                   : (int32_t)value);
}

/* What LZF says next: bytes as they are (back is 0), or bytes that were there before. Moves over
 * what says so. False: cut off. */
static bool take_run(const unsigned char **at, const unsigned char *end, size_t *back,
                     size_t *length)
{
    unsigned char byte = *(*at)++;

    *back = 0;
    *length = byte + 1u;
    if (byte < 32)
        return *length <= (size_t)(end - *at);
    *length = (byte >> 5) + 2u;
    if (byte >> 5 == 7 && *at < end)
        *length += *(*at)++;
    if (*at == end)
        return false;
    *back = ((size_t)(byte & 31) << 8) + *(*at)++ + 1u;
    return true;
}

/* Appends what a compressed string stands for. What is copied may still be growing. */
static bool unpack(struct span packed, size_t length, struct text *out)
{
    const unsigned char *at = (const unsigned char *)packed.data, *end = at + packed.length;
    size_t begin = out->length, back, run;

    while (at < end) {
        if (!take_run(&at, end, &back, &run))
            return false;

        size_t made = out->length - begin;

        if (run > length - made || back > made)
            return false;
        text_reserve(out, run);
        for (size_t i = 0; i < run; i++)
            text_putc(out, back ? out->data[out->length - back] : (char)*at++);
    }
    return out->length - begin == length;
}

/* A number in front of a span; bytes that it has, 0: it is none. */
static size_t leading_number(struct span raw, uint64_t *value, enum form *form)
{
    const unsigned char *head = (const unsigned char *)raw.data;
    unsigned count = raw.length ? number_bytes(head[0]) : 0;

    if (!count || raw.length < count)
        return 0;
    *value = number_value(head, form);
    return count;
}

static size_t no_string(struct error *err)
{
    error_set(err, ERROR_INVALID, "no string");
    return 0;
}

static void cut(struct text *out, size_t length)
{
    out->length = length;
    if (out->data)
        out->data[length] = '\0';
}

static size_t compressed(struct span raw, size_t at, struct text *out, struct error *err)
{
    uint64_t packed = 0, length = 0;
    enum form form = FORM_BAD;
    size_t before = out->length;
    size_t got = leading_number((struct span){raw.data + at, raw.length - at}, &packed, &form);

    at += got;
    if (!got || form != FORM_PLAIN)
        return no_string(err);
    got = leading_number((struct span){raw.data + at, raw.length - at}, &length, &form);
    at += got;
    if (!got || form != FORM_PLAIN || packed > raw.length - at || length > RDB_VALUE_MAX_BYTES ||
        length > packed * LZF_RATIO_MAX)
        return no_string(err);
    if (!unpack((struct span){raw.data + at, (size_t)packed}, (size_t)length, out)) {
        cut(out, before);
        return no_string(err);
    }
    return at + (size_t)packed;
}

size_t rdb_string(struct span raw, struct text *out, struct error *err)
{
    uint64_t length = 0;
    enum form form = FORM_BAD;
    size_t at = leading_number(raw, &length, &form), left = raw.length - at;

    if (!at || form == FORM_BAD)
        return no_string(err);
    if (form == FORM_LZF)
        return compressed(raw, at, out, err);
    if (form != FORM_PLAIN) {
        if (left < int_bytes(form))
            return no_string(err);
        add_int(out, (const unsigned char *)raw.data + at, form);
        return at + int_bytes(form);
    }
    if (length > left || length > RDB_VALUE_MAX_BYTES)
        return no_string(err);
    text_add(out, raw.data + at, (size_t)length);
    return at + (size_t)length;
}

/* ---- the walk ---- */

void rdb_init(struct rdb *rdb, rdb_told *told, void *context)
{
    *rdb = (struct rdb){.told = told,
                        .context = context,
                        .phase = PHASE_MAGIC,
                        .want = MAGIC_BYTES,
                        .expires_ms = -1,
                        .idle_s = -1,
                        .freq = -1};
}

void rdb_done(struct rdb *rdb)
{
    text_done(&rdb->raw);
    text_done(&rdb->key);
    text_done(&rdb->keyspace);
}

static void wait_for(struct rdb *rdb, int phase, unsigned bytes)
{
    rdb->phase = phase;
    rdb->want = bytes;
    rdb->have = 0;
}

/* Whether bytes of the record are needed as they are: keys to be decoded, values to be told. */
static bool keeps(const struct rdb *rdb)
{
    return rdb->told && (rdb->op < TYPES_END || rdb->op == OP_LIBRARY);
}

/* A type's record is its key, then its value. */
static bool begin_record(struct rdb *rdb, int op, struct error *err)
{
    if (op == 6 || op == 7)
        return error_set(err, ERROR_INVALID,
                         "database %u has a value that only a module of its server knows: such "
                         "values do not come back this way",
                         rdb->database);
    if (op == 247)
        return error_set(err, ERROR_INVALID,
                         "it has data of a module of its server: such data do not come back this "
                         "way");
    if (!shapes[op])
        return error_set(err, ERROR_INVALID,
                         "database %u: %d is no type or mark that is known; it may be of a newer "
                         "server",
                         rdb->database, op);
    rdb->op = op;
    rdb->in_key = op < TYPES_END;
    rdb->at = rdb->in_key ? "s" : shapes[op];
    rdb->depth = 0;
    rdb->walked = 0;
    rdb->raw.length = 0;
    if (keeps(rdb) && !rdb->in_key)
        text_putc(&rdb->raw, (char)op);
    return true;
}

/* What it had, once it is over. Those that are empty are not named. */
static void end_database(struct rdb *rdb)
{
    struct text *out = &rdb->keyspace;

    if (rdb->keys > rdb->keys_before && out->length < RDB_KEYSPACE_MAX_BYTES)
        text_addf(out, "%s%u: %lld", out->length ? ", " : "", rdb->database,
                  (long long)(rdb->keys - rdb->keys_before));
    rdb->keys_before = rdb->keys;
}

static bool select_database(struct rdb *rdb, struct error *err)
{
    bool first = rdb->databases == 0;

    /* a server writes each of them once, in their order */
    if (rdb->number >= RDB_DATABASES_MAX || (!first && rdb->number <= rdb->database))
        return error_set(err, ERROR_INVALID, "database %llu comes at the wrong place",
                         (unsigned long long)rdb->number);
    end_database(rdb);
    rdb->database = (unsigned)rdb->number;
    rdb->databases++;
    return true;
}

static bool tell(struct rdb *rdb, enum rdb_kind kind, struct error *err)
{
    struct rdb_entry entry = {.kind = kind,
                              .database = rdb->database,
                              .key = {text_get(&rdb->key), rdb->key.length},
                              .value = {text_get(&rdb->raw), rdb->raw.length},
                              .expires_ms = rdb->expires_ms,
                              .idle_s = rdb->idle_s,
                              .freq = rdb->freq};

    return !rdb->told || rdb->told(rdb->context, &entry, err);
}

static bool end_key(struct rdb *rdb, struct error *err)
{
    if (rdb->databases == 0)
        return error_set(err, ERROR_INVALID, "a key is in no database");
    rdb->keys++;
    if ((int64_t)rdb->walked > rdb->largest)
        rdb->largest = (int64_t)rdb->walked;
    rdb->expiring += rdb->expires_ms >= 0;
    if (!tell(rdb, RDB_KEY, err))
        return false;
    rdb->expires_ms = rdb->idle_s = -1;
    rdb->freq = -1;
    return true;
}

/* The key is there: its value begins. */
static bool begin_value(struct rdb *rdb, struct error *err)
{
    rdb->in_key = false;
    rdb->at = shapes[rdb->op];
    rdb->walked = 0;
    if (!keeps(rdb))
        return true;
    rdb->key.length = 0;

    struct span raw = {text_get(&rdb->raw), rdb->raw.length};
    size_t got = rdb_string(raw, &rdb->key, err);

    rdb->raw.length = 0;
    text_putc(&rdb->raw, (char)rdb->op);
    return got > 0 || error_wrap(err, "a key of database %u", rdb->database);
}

/* The value or what else the record says is there. Times before 1970 are long over, all of them. */
static bool end_record(struct rdb *rdb, struct error *err)
{
    int64_t number = (int64_t)rdb->number;

    wait_for(rdb, PHASE_OP, 1);
    switch (rdb->op) {
    case OP_SELECT:
        return select_database(rdb, err);
    case OP_EXPIRES_MS:
        rdb->expires_ms = number > 0 ? number : 0;
        return true;
    case OP_EXPIRES:
        rdb->expires_ms = (int32_t)number > 0 ? number * 1000 : 0;
        return true;
    case OP_IDLE:
        rdb->idle_s = number > 0 ? number : 0;
        return true;
    case OP_FREQ:
        rdb->freq = (int)number;
        return true;
    case OP_LIBRARY:
        rdb->libraries++;
        return tell(rdb, RDB_LIBRARY, err);
    case OP_END:
        rdb->ended = true;
        end_database(rdb);
        return true;
    default:
        return rdb->op >= TYPES_END || end_key(rdb, err);
    }
}

static const char *behind_loop(const char *at)
{
    int depth = 0;

    do
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
    while (at++, depth > 0);
    return at;
}

static void end_of_turn(struct rdb *rdb)
{
    struct rdb_loop *loop = &rdb->loops[rdb->depth - 1];

    if (--loop->left > 0) {
        rdb->at = loop->body;
        return;
    }
    rdb->depth--;
    rdb->at++;
}

/* An atom is there: waits for the next one that has bytes. */
static bool go_on(struct rdb *rdb, struct error *err)
{
    for (;;) {
        switch (*rdb->at) {
        case '\0':
            if (!rdb->in_key)
                return end_record(rdb, err);
            if (!begin_value(rdb, err))
                return false;
            break;
        case ')':
            end_of_turn(rdb);
            break;
        case 'i':
            rdb->at++;
            rdb->skip = 16;
            rdb->phase = PHASE_SKIP;
            return true;
        case 'd':
            wait_for(rdb, PHASE_FLOAT, 1);
            return true;
        case '1':
        case '4':
        case '8':
            wait_for(rdb, PHASE_FIXED, (unsigned)(*rdb->at++ - '0'));
            return true;
        default:
            wait_for(rdb, PHASE_NUMBER, 1);
            return true;
        }
    }
}

static bool skip(struct rdb *rdb, uint64_t bytes, struct error *err)
{
    rdb->at++;
    rdb->skip = bytes;
    rdb->phase = PHASE_SKIP;
    return bytes > 0 || go_on(rdb, err);
}

static bool bad_number(const struct rdb *rdb, struct error *err)
{
    return error_set(err, ERROR_INVALID, "database %u: a length is damaged", rdb->database);
}

static bool take_string(struct rdb *rdb, enum form form, struct error *err)
{
    if (form == FORM_BAD)
        return bad_number(rdb, err);
    if (form == FORM_LZF) {
        wait_for(rdb, PHASE_PACKED, 1);
        return true;
    }
    return skip(rdb, form == FORM_PLAIN ? rdb->number : int_bytes(form), err);
}

static bool take_loop(struct rdb *rdb, struct error *err)
{
    if (rdb->number == 0) {
        rdb->at = behind_loop(rdb->at);
        return go_on(rdb, err);
    }
    assert(rdb->depth < RDB_LOOPS_MAX);
    rdb->loops[rdb->depth++] = (struct rdb_loop){++rdb->at, rdb->number};
    return go_on(rdb, err);
}

/* All bytes of a number are there: what it is for. */
static bool take_number(struct rdb *rdb, struct error *err)
{
    enum form form;
    unsigned count = number_bytes(rdb->head[0]);
    uint64_t number;

    if (!count)
        return bad_number(rdb, err);
    if (rdb->have < count) {
        rdb->want = count;
        return true;
    }
    number = number_value(rdb->head, &form);
    if (rdb->phase == PHASE_UNPACKED)
        return form == FORM_PLAIN ? skip(rdb, rdb->number, err) : bad_number(rdb, err);
    rdb->number = number;
    if (rdb->phase == PHASE_NUMBER && *rdb->at == 's')
        return take_string(rdb, form, err);
    if (form != FORM_PLAIN)
        return bad_number(rdb, err);
    if (rdb->phase == PHASE_PACKED) {
        wait_for(rdb, PHASE_UNPACKED, 1);
        return true;
    }
    if (*rdb->at == '(')
        return take_loop(rdb, err);
    rdb->at++;
    return go_on(rdb, err);
}

static bool take_magic(struct rdb *rdb, struct error *err)
{
    char digits[5] = {0};

    memcpy(digits, rdb->head + 5, 4);
    if (memcmp(rdb->head, "REDIS", 5) != 0 || strspn(digits, "0123456789") != 4)
        return error_set(err, ERROR_INVALID, "it does not begin like an RDB");
    rdb->version = (unsigned)strtoul(digits, NULL, 10);
    if (rdb->version < VERSION_MIN || rdb->version > VERSION_MAX)
        return error_set(err, ERROR_INVALID, "version %u of its format is not known", rdb->version);
    wait_for(rdb, PHASE_OP, 1);
    return true;
}

/* The bytes that were waited for are there. */
static bool take_head(struct rdb *rdb, struct error *err)
{
    switch (rdb->phase) {
    case PHASE_MAGIC:
        return take_magic(rdb, err);
    case PHASE_OP:
        return begin_record(rdb, rdb->head[0], err) && go_on(rdb, err);
    case PHASE_FLOAT:
        /* three of them stand for what is no number */
        return skip(rdb, rdb->head[0] < 253 ? rdb->head[0] : 0, err);
    case PHASE_FIXED:
        rdb->number = little_endian(rdb->head, rdb->have);
        return go_on(rdb, err);
    default:
        return take_number(rdb, err);
    }
}

/* Counts, and keeps where it has to, bytes of the record. */
static bool pass(struct rdb *rdb, const char *data, size_t length, struct error *err)
{
    if (rdb->phase <= PHASE_OP)
        return true;
    rdb->walked += length;
    if (!keeps(rdb))
        return true;
    if (rdb->walked > RDB_VALUE_MAX_BYTES)
        return error_set(err, ERROR_INVALID,
                         "database %u: %s has more than %llu MiB, which no server takes at once",
                         rdb->database, rdb->in_key ? "a key" : "the value of a key",
                         (unsigned long long)(RDB_VALUE_MAX_BYTES >> 20));
    text_add(&rdb->raw, data, length);
    return true;
}

static bool is_hexadecimal(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* What is behind its end, all of it; 0: it is no mark. */
static size_t take_behind(struct rdb *rdb, struct span piece, struct error *err)
{
    bool mark = piece.length <= RDB_MARK_CHARS - rdb->behind;

    for (size_t i = 0; i < piece.length && mark; i++)
        mark = is_hexadecimal(piece.data[i]);
    rdb->behind += mark ? (unsigned)piece.length : 0;
    if (!mark)
        error_set(err, ERROR_INVALID, "there is more behind its end");
    return mark ? piece.length : 0;
}

/* As many bytes as are waited for; 0: err says why not. */
static size_t take(struct rdb *rdb, struct span piece, struct error *err)
{
    bool skips = rdb->phase == PHASE_SKIP;
    uint64_t wanted = skips ? rdb->skip : rdb->want - rdb->have;
    size_t length = piece.length < wanted ? piece.length : (size_t)wanted;

    if (rdb->ended)
        return take_behind(rdb, piece, err);
    rdb->bytes += (int64_t)length;
    if (!pass(rdb, piece.data, length, err))
        return 0;
    if (skips) {
        rdb->skip -= length;
        return rdb->skip || go_on(rdb, err) ? length : 0;
    }
    memcpy(rdb->head + rdb->have, piece.data, length);
    rdb->have += (unsigned)length;
    return rdb->have < rdb->want || take_head(rdb, err) ? length : 0;
}

bool rdb_add(struct rdb *rdb, struct span piece, struct error *err)
{
    if (rdb->failed.code != ERROR_NONE) {
        *err = rdb->failed;
        return false;
    }
    while (piece.length > 0) {
        size_t got = take(rdb, piece, &rdb->failed);

        if (!got) {
            *err = rdb->failed;
            return false;
        }
        piece = (struct span){piece.data + got, piece.length - got};
    }
    return true;
}

bool rdb_end(const struct rdb *rdb, struct error *err)
{
    if (rdb->failed.code != ERROR_NONE) {
        *err = rdb->failed;
        return false;
    }
    if (!rdb->ended)
        return error_set(err, ERROR_INVALID, "it is cut off");
    return rdb->behind == 0 || rdb->behind == RDB_MARK_CHARS ||
           error_set(err, ERROR_INVALID, "there is more behind its end");
}
