#include "agent/etcd_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/memory.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

/* Bytes: a page's least multiple, the trailer, two meta pages and two more of 4 KiB, below which
 * there is no database of bbolt; and what is read at once. */
#define PAGE_BYTES 512
#define TRAILER_BYTES 32
#define DATABASE_MIN_BYTES 16384
#define PIECE_BYTES (256u << 10)

/* ---- the trailer ---- */

static bool read_all(int fd, unsigned char *into, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, into, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        into += got;
        size -= (size_t)got;
    }
    return true;
}

static bool hash_of(int fd, int64_t size, unsigned char digest[TRAILER_BYTES])
{
    AUTO(free) unsigned char *piece = text_alloc(PIECE_BYTES);
    gnutls_hash_hd_t hash;
    bool good = true;

    if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
        abort();
    while (size > 0 && good) {
        size_t part = size < PIECE_BYTES ? (size_t)size : PIECE_BYTES;

        good = read_all(fd, piece, part) && gnutls_hash(hash, piece, part) >= 0;
        size -= (int64_t)part;
    }
    gnutls_hash_deinit(hash, digest);
    return good;
}

static void hex_of(const unsigned char digest[TRAILER_BYTES], char *hex)
{
    for (size_t i = 0; hex && i < TRAILER_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

bool etcd_snapshot_check(const char *path, char *hex, struct error *err)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    unsigned char digest[TRAILER_BYTES], trailer[TRAILER_BYTES];
    struct stat seen;

    if (fd < 0 || fstat(fd, &seen) < 0)
        return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_INTERNAL, "%s: %s", path,
                         strerror(errno));

    int64_t size = (int64_t)seen.st_size - TRAILER_BYTES;

    if (!S_ISREG(seen.st_mode) || size < DATABASE_MIN_BYTES || size % PAGE_BYTES != 0)
        return error_set(err, ERROR_INVALID,
                         "%s is cut off or no snapshot: %lld bytes are not those of a database and "
                         "its SHA-256",
                         path, (long long)seen.st_size);
    if (!hash_of(fd, size, digest) || !read_all(fd, trailer, sizeof trailer))
        return error_set(err, ERROR_INTERNAL, "%s can not be read", path);
    if (memcmp(digest, trailer, sizeof digest) != 0)
        return error_set(err, ERROR_INVALID,
                         "%s is damaged: the SHA-256 at its end is not that of its content", path);
    hex_of(digest, hex);
    return true;
}

/* ---- the status ---- */

static bool is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

bool etcd_status_parse(struct span text, struct etcd_proof *proof, struct error *err)
{
    AUTO(json)
    json_t *said =
        json_loadb(text.data ? text.data : "", text.length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *hash = tree_get(said, "hash");
    const char *version = tree_text(said, "version");

    if (!is_count(hash) || json_integer_value(hash) > UINT32_MAX ||
        !is_count(tree_get(said, "revision")) || !is_count(tree_get(said, "totalKey")) ||
        !is_count(tree_get(said, "totalSize")))
        return error_set(err, ERROR_INVALID, "snapshot status says nothing that can be read");
    proof->hash = (uint32_t)json_integer_value(hash);
    proof->revision = tree_int(said, "revision", 0);
    proof->keys = tree_int(said, "totalKey", 0);
    proof->size = tree_int(said, "totalSize", 0);
    snprintf(proof->version, sizeof proof->version, "%s", version ? version : "");
    return true;
}

bool etcd_status_read(const struct etcd_run *run, const struct etcd_tools *tools, const char *path,
                      struct etcd_proof *proof, struct error *err)
{
    const char *program = etcd_tools_file_program(tools);
    AUTO(words) struct words argv = {0};
    AUTO(etcd_said) struct etcd_said said = {0};

    words_add(&argv, program);
    words_add(&argv, "snapshot");
    words_add(&argv, "status");
    words_add(&argv, path);
    words_add(&argv, "--write-out=json");
    return etcd_run(run, program, &argv, &said, err) &&
           etcd_status_parse((struct span){text_get(&said.out), said.out.length}, proof, err);
}

/* ---- a restore, to see ---- */

static bool restore(const struct etcd_run *run, const struct etcd_tools *tools, const char *path,
                    const char *folder, struct error *err)
{
    const char *program = etcd_tools_file_program(tools);
    AUTO(words) struct words argv = {0};
    AUTO(etcd_said) struct etcd_said said = {0};

    words_add(&argv, program);
    words_add(&argv, "snapshot");
    words_add(&argv, "restore");
    words_add(&argv, path);
    words_addf(&argv, "--data-dir=%s", folder);
    return etcd_run(run, program, &argv, &said, err);
}

/* What was in the snapshot is in the data dir: its revision, and from 3.6 on the keys, which before
 * are counted with the members that a restore writes anew. There is no hash of the keys alone to
 * compare: `etcdutl hashkv` writes to the file that it reads, and crashes where a key has a lease
 * (measured with 3.6.5). */
static bool compare(const struct etcd_tools *tools, const struct etcd_proof *taken,
                    const struct etcd_proof *made, struct error *err)
{
    if (taken->revision == made->revision &&
        (!tools->skills.counts_keys || taken->keys == made->keys))
        return true;
    return error_set(err, ERROR_INVALID,
                     "a data dir made of the snapshot has other content: revision %lld, %lld keys; "
                     "the snapshot %lld, %lld",
                     (long long)made->revision, (long long)made->keys, (long long)taken->revision,
                     (long long)taken->keys);
}

/* Tools that write to a file are shown the copy that the restore made. */
static bool prove_in(const struct etcd_run *run, const struct etcd_tools *tools, const char *path,
                     const char *folder, struct etcd_proof *proof, struct error *err)
{
    AUTO(free) char *database = text_format("%s/member/snap/db", folder);
    struct etcd_proof made = *proof;

    if (tools->skills.status_reads && !etcd_status_read(run, tools, path, proof, err))
        return error_wrap(err, "the snapshot");
    if (!restore(run, tools, path, folder, err) ||
        !etcd_status_read(run, tools, database, &made, err))
        return error_wrap(err, "a data dir made of the snapshot");
    if (!tools->skills.status_reads)
        *proof = made;
    return compare(tools, proof, &made, err);
}

/* A file that the tools refuse is a bad one; that they were ended or are not there says nothing. */
static bool blame(struct error *err)
{
    if (err->code == ERROR_INTERNAL)
        err->code = ERROR_INVALID;
    return false;
}

bool etcd_snapshot_prove(const struct etcd_run *run, const struct etcd_tools *tools,
                         const char *path, const char *scratch, int64_t least,
                         struct etcd_proof *proof, struct error *err)
{
    AUTO(free) char *folder = text_format("%s/etcd-proof", scratch);
    struct etcd_proof read = {0};
    char hex[65];

    if (!etcd_snapshot_check(path, read.sha256, err))
        return false;
    scratch_remove(folder);

    bool good = prove_in(run, tools, path, folder, &read, err) || blame(err);

    scratch_remove(folder);
    if (!good || !etcd_snapshot_check(path, hex, err))
        return false;
    if (read.revision < least)
        return error_set(err, ERROR_INVALID,
                         "the snapshot has revision %lld, but %lld was seen before it was taken",
                         (long long)read.revision, (long long)least);
    *proof = read;
    return true;
}

json_t *etcd_proof_json(const struct etcd_proof *proof)
{
    json_t *made = json_object();

    tree_put_int(made, "hash", proof->hash);
    tree_put_int(made, "revision", proof->revision);
    tree_put_int(made, "keys", proof->keys);
    tree_put_int(made, "size", proof->size);
    if (proof->version[0])
        tree_put_text(made, "version", proof->version);
    tree_put_text(made, "sha256", proof->sha256);
    return made;
}
