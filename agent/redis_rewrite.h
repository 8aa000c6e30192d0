#pragma once

#include "agent/crc64.h"
#include "agent/rdb.h"

/*
 * An RDB as commands for a server that runs: RESTORE for each key, FUNCTION RESTORE for each
 * library, as `redis-cli --pipe` passes them on. A value stands in an RDB as RESTORE takes it, so
 * it is not taken apart: behind it come the version of the format and a checksum. What is written
 * is always whole commands. Pure. Spec: Redis, RESTORE, FUNCTION RESTORE and RESP.
 */

/** What one database has. */
struct redis_database {
    unsigned number;
    int64_t keys, lasting; /* lasting: that are still there for a day at least */
};

/** One restore. Release with redis_rewrite_done(). */
struct redis_rewrite {
    struct rdb rdb;
    struct crc64 crc;
    struct text *out; /* borrowed */
    bool replaces;    /* databases of the RDB are emptied, libraries replaced */
    int64_t lasting_from_ms;
    int64_t commands; /* so far */
    struct redis_database *databases;
    size_t count;
};

/** @param now_ms  Since 1970. @param out  Commands are appended to it; borrowed. */
void redis_rewrite_init(struct redis_rewrite *rewrite, bool replaces, int64_t now_ms,
                        struct text *out);
void redis_rewrite_done(struct redis_rewrite *rewrite);

static inline void auto_redis_rewrite(struct redis_rewrite *rewrite)
{
    redis_rewrite_done(rewrite);
}

/** Takes the next bytes; what is no RDB is told by rdb_end() of its reader. */
void redis_rewrite_add(struct redis_rewrite *rewrite, struct span piece);

/** Keys of a database, by what the server answers to INFO keyspace. 0: it has none. */
int64_t redis_keys(const char *info, unsigned database);

/** The value of a line of INFO: "7.0.15" of "redis_version". Heap string; NULL: there is none. */
char *redis_info(const char *info, const char *name);

/** What a server has, for people: "db0 (3 keys), 2 libraries of functions". Nothing is added when
 *  it is empty. */
void redis_filled(const char *info, struct text *out);

/** Replies that redis-cli has counted, by a line that it says at its end; below 0: another line. */
int64_t redis_replies(struct span line);

/**
 * That the server has all of it, after each command went well.
 *
 * @param info     What it answers to INFO keyspace.
 * @param expired  Keys that are not there any more, since their time was over.
 */
bool redis_verify(const struct redis_rewrite *rewrite, const char *info, int64_t replies,
                  int64_t *expired, struct error *err) MUST_CHECK;
