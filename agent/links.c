#include "agent/links.h"

#include <fcntl.h>
#include <fts.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"

bool links_are_in(const char *folder)
{
    char *const roots[] = {(char *)folder, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    bool found = false;

    for (FTSENT *entry; tree && !found && (entry = fts_read(tree));)
        found = entry->fts_info == FTS_F && entry->fts_statp->st_nlink > 1;
    if (tree)
        fts_close(tree);
    return found;
}

static int open_beneath(int root, const char *folder)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

    return (int)syscall(SYS_openat2, root, *folder ? folder : ".", &how, sizeof how);
}

void links_break(const char *folder, const char *name)
{
    const char *slash = strrchr(name, '/');
    AUTO(close) int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(free) char *parent = NULL;
    AUTO(close) int inner = -1;
    struct stat status;

    if (root < 0 || !slash || name[0] != '/' || !slash[1])
        return;
    parent = slash == name ? text_dup("", 0) : text_dup(name + 1, (size_t)(slash - name - 1));
    inner = open_beneath(root, parent);
    if (inner < 0 || fstatat(inner, slash + 1, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode) || status.st_nlink < 2)
        return;
    if (unlinkat(inner, slash + 1, 0) != 0)
        log_warn("a file with several names stays", LOG_S("name", name));
}
