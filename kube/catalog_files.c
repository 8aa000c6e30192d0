#include "kube/catalog_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/limits.h"

#define SHOWN_MAX_CHARS 100

/* A folder that has been entered. */
struct identity {
    dev_t device;
    ino_t inode;
};

struct walk {
    struct catalog_entries *entries;
    struct identity *seen;
    size_t seen_count;
    uint64_t bytes;
};

static void auto_walk(struct walk *walk)
{
    free(walk->seen);
}

void catalog_entries_done(struct catalog_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].path);
    free(entries->items);
    *entries = (struct catalog_entries){0};
}

const char *catalog_shown(const char *path)
{
    size_t length = strlen(path);

    if (length <= SHOWN_MAX_CHARS)
        return path;
    path += length - SHOWN_MAX_CHARS;
    while (((unsigned char)*path & 0xc0) == 0x80)
        path++;
    return path;
}

/* What the system says about a path. */
static bool refused(struct error *err, const char *path, int number)
{
    enum error_code code = number == ENOENT || number == ENOTDIR ? ERROR_NOT_FOUND
                           : number == EACCES || number == EPERM ? ERROR_FORBIDDEN
                                                                 : ERROR_INVALID;

    return error_set(err, code, "%s: %s", catalog_shown(path), strerrordesc_np(number));
}

/* What stands where a file should be. */
static bool no_file(struct error *err, const char *path, mode_t mode)
{
    return error_set(err, ERROR_INVALID, "%s: is %s, not a file", catalog_shown(path),
                     S_ISDIR(mode)    ? "a folder"
                     : S_ISFIFO(mode) ? "a FIFO"
                     : S_ISSOCK(mode) ? "a socket"
                                      : "a device");
}

static struct catalog_entry *push(struct walk *walk, enum catalog_entry_kind kind, const char *path)
{
    struct catalog_entries *entries = walk->entries;

    /* the list doubles whenever it is full, at every power of two */
    if ((entries->count & (entries->count - 1)) == 0)
        entries->items =
            text_realloc(entries->items, (2 * entries->count + 1) * sizeof *entries->items);
    entries->items[entries->count] =
        (struct catalog_entry){.kind = kind, .path = text_dup(path, strlen(path))};
    return &entries->items[entries->count++];
}

/* False when there is no room for another entry; then the last one says so. */
static bool room(struct walk *walk, const char *path)
{
    if (walk->entries->count < CATALOG_MAX_FILES)
        return true;
    if (walk->entries->count == CATALOG_MAX_FILES)
        error_set(&push(walk, CATALOG_TROUBLE, path)->trouble, ERROR_TOO_LARGE,
                  "%s: more than %u files and folders", catalog_shown(path), CATALOG_MAX_FILES);
    return false;
}

static bool is_manifest(const char *name)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    size_t length = strlen(name);

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);

        if (length > ending && strcmp(name + length - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

static bool enter(struct walk *walk, const struct stat *folder)
{
    for (size_t i = 0; i < walk->seen_count; i++)
        if (walk->seen[i].device == folder->st_dev && walk->seen[i].inode == folder->st_ino)
            return false;
    walk->seen = text_realloc(walk->seen, (walk->seen_count + 1) * sizeof *walk->seen);
    walk->seen[walk->seen_count++] = (struct identity){folder->st_dev, folder->st_ino};
    return true;
}

/* Names that may matter: manifests, and what is or may lead to a folder. */
static int may_matter(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && (is_manifest(entry->d_name) || entry->d_type == DT_DIR ||
                                       entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* What has a manifest's name. */
static void walk_file(struct walk *walk, const char *path, const struct stat *status, bool link)
{
    if (!room(walk, path))
        return;
    walk->bytes += S_ISREG(status->st_mode) ? (uint64_t)status->st_size : 0;
    if (!S_ISREG(status->st_mode))
        no_file(&push(walk, CATALOG_TROUBLE, path)->trouble, path, status->st_mode);
    else if (walk->bytes > CATALOG_MAX_BYTES)
        error_set(&push(walk, CATALOG_TROUBLE, path)->trouble, ERROR_TOO_LARGE,
                  "%s: more than %u bytes with the files before", catalog_shown(path),
                  CATALOG_MAX_BYTES);
    else
        push(walk, CATALOG_FILE, path)->link = link;
}

static void walk_folder(struct walk *walk, const char *path, unsigned level);

static void walk_entry(struct walk *walk, const char *folder, const struct dirent *entry,
                       unsigned level)
{
    bool slash = folder[strlen(folder) - 1] == '/';
    AUTO(free) char *path = text_format("%s%s%s", folder, slash ? "" : "/", entry->d_name);
    bool manifest = is_manifest(entry->d_name);
    struct stat status;

    if (stat(path, &status) < 0) {
        int number = errno;

        if ((number != ENOENT || manifest) && room(walk, path))
            refused(&push(walk, CATALOG_TROUBLE, path)->trouble, path, number);
        return;
    }
    if (manifest)
        walk_file(walk, path, &status, entry->d_type != DT_REG);
    else if (S_ISDIR(status.st_mode) && enter(walk, &status))
        walk_folder(walk, path, level + 1);
}

static void walk_folder(struct walk *walk, const char *path, unsigned level)
{
    struct dirent **names = NULL;

    if (!room(walk, path))
        return;
    if (level > CATALOG_MAX_LEVELS) {
        error_set(&push(walk, CATALOG_TROUBLE, path)->trouble, ERROR_TOO_LARGE,
                  "%s: more than %u levels of folders", catalog_shown(path), CATALOG_MAX_LEVELS);
        return;
    }
    push(walk, CATALOG_FOLDER, path);

    int count = scandir(path, &names, may_matter, by_name);

    if (count < 0) {
        int number = errno;

        refused(&push(walk, CATALOG_TROUBLE, path)->trouble, path, number);
        return;
    }
    for (int i = 0; i < count; i++) {
        walk_entry(walk, path, names[i], level);
        free(names[i]);
    }
    free(names);
}

void catalog_list(const char *path, struct catalog_entries *entries)
{
    AUTO(walk) struct walk walk = {.entries = entries};
    struct stat status;

    if (strcmp(path, "-") == 0) {
        push(&walk, CATALOG_FILE, path);
    } else if (stat(path, &status) < 0) {
        int number = errno;

        refused(&push(&walk, CATALOG_TROUBLE, path)->trouble, path, number);
    } else if (S_ISDIR(status.st_mode)) {
        enter(&walk, &status);
        walk_folder(&walk, path, 1);
    } else {
        walk_file(&walk, path, &status, true);
    }
}

static bool load_all(int fd, const char *path, struct text *out, struct error *err)
{
    size_t start = out->length;
    char buffer[16384];

    while (out->length - start <= YAML_MAX_BYTES) {
        ssize_t count = read(fd, buffer, sizeof buffer);

        if (count == 0)
            return true;
        if (count > 0)
            text_add(out, buffer, (size_t)count);
        else if (errno != EINTR)
            return refused(err, path, errno);
    }
    return error_set(err, ERROR_TOO_LARGE, "%s: more than %u bytes", catalog_shown(path),
                     YAML_MAX_BYTES);
}

bool catalog_load(const char *path, struct text *out, struct error *err)
{
    if (strcmp(path, "-") == 0)
        return load_all(STDIN_FILENO, "stdin", out, err);

    /* a FIFO that took the file's place must not block, a terminal not become ours */
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return refused(err, path, errno);
    if (!S_ISREG(status.st_mode))
        return no_file(err, path, status.st_mode);
    return load_all(fd, path, out, err);
}
