#include "agent/left_out.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"

/* Bits of a mode as Go counts them. Spec: io/fs, FileMode. */
#define GO_SETUID (INT64_C(1) << 23)
#define GO_SETGID (INT64_C(1) << 22)
#define GO_STICKY (INT64_C(1) << 20)

void left_out_done(struct left_out *left)
{
    text_done(&left->names);
}

bool left_out_can_be(void)
{
    return geteuid() != 0;
}

static mode_t mode_of(int64_t mode)
{
    return (mode_t)(mode & 0777) | (mode & GO_SETUID ? S_ISUID : 0) |
           (mode & GO_SETGID ? S_ISGID : 0) | (mode & GO_STICKY ? S_ISVTX : 0);
}

static void add(struct left_out *left, const char *path, int64_t uid, int64_t gid, mode_t mode)
{
    AUTO(free) char *name = text_printable(span_of(path), PATH_MAX_BYTES);

    if (left->count++ < ITEMS_MAX)
        text_addf(&left->names, "%s%s (%lld:%lld %04o)", left->names.length ? ", " : "", name,
                  (long long)uid, (long long)gid, (unsigned)mode);
}

void left_out_take(struct left_out *left, const char *path, struct span line)
{
    AUTO(json) json_t *node = json_loadb(line.data, line.length, 0, NULL);
    const char *inner = tree_text(node, "path");
    int64_t uid = tree_int(node, "uid", 0), gid = tree_int(node, "gid", 0);
    mode_t mode = mode_of(tree_int(node, "mode", 0));
    struct stat now;

    /* a name that is no UTF-8 is another one in JSON, and not found */
    if (!inner || inner[0] != '/' || !tree_get(node, "uid"))
        return;

    AUTO(free) char *place = text_format("%s%s", path, inner);

    if (lstat(place, &now) != 0)
        return;
    if (now.st_uid != (uid_t)uid || now.st_gid != (gid_t)gid ||
        (!S_ISLNK(now.st_mode) && (now.st_mode & 07777) != mode))
        add(left, place, uid, gid, mode);
}

struct finding {
    struct left_out *left;
    const char *path;
};

static bool take_line(void *context, struct span line)
{
    const struct finding *finding = context;

    left_out_take(finding->left, finding->path, line);
    return line.length > 0 && line.data[0] == '{' &&
           memmem(line.data, line.length, "\"node\"", sizeof "\"node\"" - 1);
}

void left_out_find(struct run *run, const char *id, const char *path, struct left_out *left)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    AUTO(failure) struct failure failure = {0};
    AUTO(free) char *folder = text_format("%s:%s", id, path);
    struct finding finding = {left, path};

    restic_contents(&argv, &run->place, folder);
    run->on_line = take_line;
    run->context = &finding;

    bool good = restic_run(run, &argv, READ_LINES, &output) &&
                restic_judge(&output.end, "listing what was restored", &failure);

    run->on_line = NULL;
    if (!good)
        log_warn("whether owners and modes were set is not known",
                 LOG_S("reason", text_get(&failure.message)));
}
