#include "agent/memory.h"

#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/text.h"

/* cgroup v1 says "no limit" as a number near 2^63. */
#define NO_LIMIT_BYTES (INT64_C(1) << 50)

int64_t memory_limit_parse(struct span text)
{
    int64_t bytes = 0;

    text = text_trim(text);
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || bytes > NO_LIMIT_BYTES)
            return 0;
        bytes = bytes * 10 + (text.data[i] - '0');
    }
    return bytes < NO_LIMIT_BYTES ? bytes : 0;
}

static size_t read_small(const char *path, char *bytes, size_t room)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, bytes, room) : -1;

    return got > 0 ? (size_t)got : 0;
}

int64_t memory_limit_at(const char *folder)
{
    static const char *const files[] = {"memory.max", "memory/memory.limit_in_bytes"};
    char bytes[64] = "";
    int64_t limit = 0;

    for (size_t i = 0; !limit && i < sizeof files / sizeof *files; i++) {
        AUTO(free) char *path = text_format("%s/%s", folder, files[i]);

        limit = memory_limit_parse((struct span){bytes, read_small(path, bytes, sizeof bytes)});
    }
    return limit;
}

int64_t memory_limit(void)
{
    return memory_limit_at("/sys/fs/cgroup");
}

int64_t memory_of(pid_t pid)
{
    AUTO(free) char *path = text_format("/proc/%d/status", (int)pid);
    AUTO(fclose) FILE *file = fopen(path, "re");
    char line[256];
    long long sum = 0, kib;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %lld", &kib) == 1 || sscanf(line, "RssShmem: %lld", &kib) == 1)
            sum += kib;
    return sum * 1024;
}

static FTS *walk(const char *folder)
{
    char *const roots[] = {(char *)folder, NULL};

    return fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
}

/* Bytes of all files; or removes them, when told to. */
static int64_t each_file(const char *folder, bool remove_them)
{
    FTS *tree = walk(folder);
    int64_t sum = 0;

    for (FTSENT *entry; tree && (entry = fts_read(tree));) {
        if (entry->fts_info != FTS_F)
            continue;
        sum += entry->fts_statp->st_blocks * 512;
        if (remove_them)
            unlink(entry->fts_path);
    }
    if (tree)
        fts_close(tree);
    return sum;
}

void cache_bound(const char *folder, int64_t max_bytes)
{
    if (each_file(folder, false) > max_bytes)
        each_file(folder, true);
}

void scratch_remove(const char *folder)
{
    FTS *tree = walk(folder);

    for (FTSENT *entry; tree && (entry = fts_read(tree));) {
        if (entry->fts_info == FTS_DP)
            rmdir(entry->fts_path);
        else if (entry->fts_info != FTS_D)
            unlink(entry->fts_path);
    }
    if (tree)
        fts_close(tree);
}
