#include "tests/unit/kube/folder.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

struct folder folder_make(void)
{
    const char *base = getenv("TMPDIR");
    char *path = text_format("%s/granary-test-XXXXXX", base && *base ? base : "/tmp");

    ck_assert_ptr_nonnull(mkdtemp(path));
    ck_assert_int_eq(chmod(path, 0755), 0);
    return (struct folder){path};
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

void folder_done(struct folder *folder)
{
    ck_assert_int_eq(nftw(folder->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(folder->path);
    folder->path = NULL;
}

char *folder_path(const struct folder *folder, const char *name)
{
    return text_format("%s/%s", folder->path, name);
}

void folder_write(const struct folder *folder, const char *name, const char *text)
{
    AUTO(free) char *path = folder_path(folder, name);
    AUTO(fclose) FILE *file = fopen(path, "we");

    ck_assert_msg(file != NULL, "%s: %m", path);
    ck_assert_int_ge(fputs(text, file), 0);
}

void folder_make_folder(const struct folder *folder, const char *name)
{
    AUTO(free) char *path = folder_path(folder, name);

    ck_assert_int_eq(mkdir(path, 0755), 0);
}

void folder_link(const struct folder *folder, const char *name, const char *target)
{
    AUTO(free) char *path = folder_path(folder, name);

    ck_assert_int_eq(symlink(target, path), 0);
}

void folder_move(const struct folder *folder, const char *from, const char *to)
{
    AUTO(free) char *source = folder_path(folder, from);
    AUTO(free) char *target = folder_path(folder, to);

    ck_assert_int_eq(rename(source, target), 0);
}

void folder_remove(const struct folder *folder, const char *name)
{
    AUTO(free) char *path = folder_path(folder, name);

    ck_assert_msg(remove(path) == 0, "%s: %m", path);
}
