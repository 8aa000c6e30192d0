#include "agent/mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"

static const char *const states[] = {
    [MARK_NONE] = "", [MARK_RESTORING] = "restoring", [MARK_DONE] = "done"};

/* What every container has, and what is below it. */
static const char *const systems[] = {"/proc",
                                      "/sys",
                                      "/dev",
                                      "/run/secrets",
                                      "/var/run/secrets",
                                      "/etc/hosts",
                                      "/etc/hostname",
                                      "/etc/resolv.conf",
                                      NULL};

void mark_parse(struct span text, struct mark *mark)
{
    struct span word, uid = text_trim(text);

    *mark = (struct mark){.state = MARK_NONE};
    if (!text_split(&uid, ' ', &word) || !uid.length || uid.length >= sizeof mark->uid)
        return;
    for (int i = MARK_RESTORING; i <= MARK_DONE; i++)
        if (span_is(word, states[i]))
            mark->state = (enum mark_state)i;
    if (mark->state != MARK_NONE)
        memcpy(mark->uid, uid.data, uid.length);
}

static int open_root(const char *root)
{
    return open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void mark_read(const char *root, struct mark *mark)
{
    AUTO(close) int folder = open_root(root);
    char text[128];
    ssize_t got = folder < 0 ? -1 : fgetxattr(folder, MARK_ATTRIBUTE, text, sizeof text);
    AUTO(close) int file = -1;

    if (got <= 0 && folder >= 0) {
        file = openat(folder, MARK_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        got = file < 0 ? -1 : read(file, text, sizeof text);
    }
    mark_parse((struct span){text, got > 0 ? (size_t)got : 0}, mark);
}

static bool write_file(int folder, const char *text, struct error *err)
{
    unlinkat(folder, MARK_FILE, 0);

    AUTO(close)
    int file =
        openat(folder, MARK_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text) || fsync(file) != 0)
        return error_set(err, ERROR_INTERNAL, "%s", strerror(errno));
    return true;
}

bool mark_write(const char *root, enum mark_state state, const char *uid, struct error *err)
{
    AUTO(close) int folder = open_root(root);
    AUTO(free) char *text = text_format("%s %s", states[state], uid);
    bool good = folder >= 0;

    if (good && fsetxattr(folder, MARK_ATTRIBUTE, text, strlen(text), 0) == 0)
        unlinkat(folder, MARK_FILE, 0); /* of a time when there were no attributes */
    else if (good)
        good = write_file(folder, text, err);
    else
        error_set(err, ERROR_INTERNAL, "%s", strerror(errno));
    if (good && fsync(folder) != 0 && errno != EINVAL)
        good = error_set(err, ERROR_INTERNAL, "%s", strerror(errno));
    return good || error_wrap(err, "%s: the mark can not be written", root);
}

bool volume_is_empty(const char *root)
{
    static const char *const known[] = {".", "..", "lost+found", MARK_FILE};
    DIR *folder = opendir(root);
    bool empty = folder != NULL;

    errno = 0;
    for (struct dirent *entry; empty && (entry = readdir(folder));) {
        bool is_known = false;

        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            is_known = is_known || strcmp(entry->d_name, known[i]) == 0;
        empty = is_known;
    }
    empty = empty && errno == 0;
    if (folder)
        closedir(folder);
    return empty;
}

static bool starts_fresh(const char *root, const struct mark *mark)
{
    return mark->state == MARK_NONE && volume_is_empty(root);
}

bool volumes_start_fresh(const struct words *mounts, struct error *err)
{
    bool good = true;

    for (size_t i = 0; i < mounts->count; i++) {
        struct mark mark;

        mark_read(mounts->list[i], &mark);
        if (starts_fresh(mounts->list[i], &mark))
            good = mark_write(mounts->list[i], MARK_DONE, MARK_FRESH, err) && good;
    }
    return good;
}

const char *volumes_half_restored(const struct words *mounts)
{
    for (size_t i = 0; i < mounts->count; i++) {
        struct mark mark;

        mark_read(mounts->list[i], &mark);
        if (mark.state == MARK_RESTORING)
            return mounts->list[i];
    }
    return NULL;
}

void volumes_tell(const struct words *mounts, struct text *out)
{
    struct mark restored = {MARK_NONE, ""};
    bool data = false;

    for (size_t i = 0; i < mounts->count; i++) {
        struct mark mark;

        mark_read(mounts->list[i], &mark);
        if (mark.state != MARK_DONE)
            data = data || !starts_fresh(mounts->list[i], &mark);
        else if (strcmp(mark.uid, MARK_FRESH) == 0)
            continue;
        else if (restored.state == MARK_DONE)
            data = data || strcmp(restored.uid, mark.uid) != 0;
        else
            restored = mark;
    }
    if (data)
        text_puts(out, "data");
    else if (restored.state == MARK_DONE)
        text_addf(out, RESTORED_WORD "%s", restored.uid);
    else
        text_puts(out, "fresh");
}

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    while (length > 1 && folder[length - 1] == '/')
        length--;
    if (length == 1)
        return path[0] == '/';
    return strncmp(path, folder, length) == 0 && (!path[length] || path[length] == '/');
}

static bool is_any(const char *path, const char *const *folders)
{
    for (; folders && *folders; folders++)
        if (is_below(path, *folders))
            return true;
    return false;
}

/* "\040" is a blank. */
static void unescape(struct text *out, struct span path)
{
    for (size_t i = 0; i < path.length; i++) {
        const char *at = path.data + i;

        if (*at == '\\' && i + 3 < path.length && at[1] >= '0' && at[1] <= '3') {
            text_putc(out, (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0')));
            i += 3;
        } else {
            text_putc(out, *at);
        }
    }
}

static bool is_read_only(struct span options)
{
    struct span option;

    while (text_split(&options, ',', &option))
        if (span_is(option, "ro"))
            return true;
    return false;
}

static void take_mount(struct words *out, struct span line, const char *const *ours)
{
    AUTO(text) struct text path = {0};
    struct span field, fields[6] = {{NULL, 0}};
    size_t count = 0;

    while (count < 6 && text_split(&line, ' ', &field))
        fields[count++] = field;
    if (count < 6 || is_read_only(fields[5]))
        return;
    unescape(&path, fields[4]);
    if (strcmp(text_get(&path), "/") != 0 && !is_any(text_get(&path), systems) &&
        !is_any(text_get(&path), ours))
        words_add(out, text_get(&path));
}

void mounts_parse(struct words *out, struct span text, const char *const *ours)
{
    struct span line;

    while (text_split(&text, '\n', &line))
        take_mount(out, line, ours);
}

const char *mount_of(const struct words *mounts, const char *path)
{
    const char *best = NULL;

    for (size_t i = 0; i < mounts->count; i++)
        if (is_below(path, mounts->list[i]) && (!best || strlen(mounts->list[i]) > strlen(best)))
            best = mounts->list[i];
    return best ? best : path;
}
