#include "agent/etcd_download.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/dir.h"
#include "base/auto.h"

#define NAME "snapshot.db"

static void name_repository(struct words *argv, const struct etcd_download *from,
                            const char *command)
{
    words_add(argv, from->restic);
    words_add(argv, command);
    words_addf(argv, "--repo=%s", from->repository);
    words_add(argv, "--no-cache");
}

/* Fills *path with the one file below a folder. */
static bool find(int folder, const char *path, int levels, char **found, struct error *err)
{
    AUTO(words) struct words names = {0};

    if (folder < 0 || levels == 0)
        return true;
    if (!dir_names(folder, &names, err))
        return error_wrap(err, "%s", path);
    for (size_t i = 0; i < names.count; i++) {
        AUTO(free) char *full = text_format("%s/%s", path, names.list[i]);
        AUTO(close) int inner = dir_open(folder, names.list[i]);
        struct stat what;

        if (inner >= 0 && !find(inner, full, levels - 1, found, err))
            return false;
        if (strcmp(names.list[i], NAME) != 0 || lstat(full, &what) != 0 || !S_ISREG(what.st_mode))
            continue;
        if (*found)
            return error_set(err, ERROR_INVALID, "there are several files " NAME " in it");
        *found = TAKE(full);
    }
    return true;
}

char *etcd_find_snapshot(const char *path, struct error *err)
{
    AUTO(free) char *found = NULL;
    AUTO(close) int folder = dir_open(AT_FDCWD, path);

    if (!find(folder, path, DIR_LEVELS_MAX, &found, err))
        return NULL;
    if (!found)
        error_set(err, ERROR_NOT_FOUND, "the snapshot has no file " NAME);
    return TAKE(found);
}

char *etcd_download(const struct etcd_run *run, const struct etcd_download *from, struct error *err)
{
    struct etcd_run ours = *run;
    AUTO(words) struct words argv = {0};
    AUTO(etcd_said) struct etcd_said said = {0};
    AUTO(free) char *into = text_format("%s/download", from->folder);

    ours.environment = (const char *const *)environ;
    name_repository(&argv, from, "restore");
    words_addf(&argv, "--target=%s", into);
    words_add(&argv, "--include=" NAME);
    words_add(&argv, from->snapshot);
    if (!etcd_run(&ours, from->restic, &argv, &said, err))
        return NULL;
    return etcd_find_snapshot(into, err);
}
