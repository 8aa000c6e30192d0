#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/etcd_tool.h"
#include "base/error.h"
#include "base/span.h"

/*
 * The proof of a snapshot of etcd: that a file is whole, that the tools can read it, and that a
 * data dir can be made of it. A file from the snapshot API is a bbolt database (pages of 512 bytes
 * at least) and the SHA-256 of it: 32 bytes. `snapshot status` does not look at those (measured).
 */

/** What is known of a snapshot once it is proven. */
struct etcd_proof {
    uint32_t hash;          /* of all that is in it, members too, as `snapshot status` counts */
    int64_t revision, keys; /* keys as the tools count: before 3.6 with those of etcd's own */
    int64_t size;           /* bytes of the database */
    char version[16];       /* of the storage, "3.6.0"; "": not said (before 3.6) */
    char sha256[65];        /* of the database, lower case */
};

/**
 * Looks whether a file is as long as one can be and ends in the SHA-256 of what is before.
 *
 * @param hex  65 bytes, filled; or NULL.
 * @return     False with ERROR_NOT_FOUND, ERROR_INTERNAL (not readable), ERROR_INVALID: it is not
 *             whole, or no snapshot.
 */
bool etcd_snapshot_check(const char *path, char *hex, struct error *err) MUST_CHECK;

/**
 * Reads what `snapshot status --write-out=json` says.
 *
 * @return  False with ERROR_INVALID. sha256 is left as it is.
 */
bool etcd_status_parse(struct span text, struct etcd_proof *proof, struct error *err) MUST_CHECK;

/** Asks the tools for it. The file must be one that they may write to (3.4 does). */
bool etcd_status_read(const struct etcd_run *run, const struct etcd_tools *tools, const char *path,
                      struct etcd_proof *proof, struct error *err) MUST_CHECK;

/**
 * Proves a snapshot: its trailer, its status, a restore into a new folder and the comparison of the
 * two (revision; from 3.6 on also keys), then the trailer again. The folder is gone afterwards.
 *
 * @param scratch      A folder with room for the database once more.
 * @param least        The revision that it must have at least: seen before it was taken; 0: any.
 * @param proof        Filled on success.
 * @return             False: ERROR_INVALID: it is not to be used; else as etcd_run().
 *
 * Spec: catalogue ET1.
 */
bool etcd_snapshot_prove(const struct etcd_run *run, const struct etcd_tools *tools,
                         const char *path, const char *scratch, int64_t least,
                         struct etcd_proof *proof, struct error *err) MUST_CHECK;

/** {hash, revision, keys, size, version, sha256}. New reference. */
json_t *etcd_proof_json(const struct etcd_proof *proof);
