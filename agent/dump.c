#include "agent/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/mark.h"
#include "api/task_variables.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

#define OUTPUT "output.json"

void dump_done(struct dump *dump)
{
    free(dump->path);
    json_decref(dump->facts);
    *dump = (struct dump){0};
}

/* Below a folder, and nowhere else by the way. */
static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return strncmp(path, folder, length) == 0 && path[length] == '/' && path[length + 1] &&
           !strstr(path, "/../") && !strstr(path, "//") &&
           strcmp(path + strlen(path) - (strlen(path) > 3 ? 3 : 0), "/..") != 0;
}

static bool is_failed(const json_t *stat)
{
    return span_is(tree_span(stat, "phase"), "Failed") || tree_span(stat, "error").length > 0;
}

/* The first step that failed says why. */
static void take_error(const json_t *said, struct dump *dump)
{
    const json_t *stat;
    size_t i;

    tree_items (tree_at(said, "targetStatus.stats"), i, stat) {
        struct span why = tree_span(stat, "error");
        AUTO(free)
        char *text = text_printable(why.length ? why : span_of("it does not say why"),
                                    sizeof dump->error / 4 - 1);

        if (is_failed(stat) && !dump->error[0])
            snprintf(dump->error, sizeof dump->error, "%s", text);
    }
}

bool dump_read(struct span text, const char *folder, const char *scratch, struct dump *dump,
               struct error *err)
{
    AUTO(json)
    json_t *said = text.data ? json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL)
                             : json_object();
    const json_t *own = tree_get(said, "dump"), *etcd = tree_member(own, "etcd", JSON_OBJECT);
    const char *path = tree_text(own, "path");

    if (!json_is_object(said))
        return error_set(err, ERROR_INVALID, OUTPUT " is no JSON object");
    take_error(said, dump);
    if (dump->error[0])
        return true;
    path = path ? path : folder;
    if (!is_below(path, scratch) && !is_below(path, TASK_INTERIM_MOUNT))
        return error_set(err, ERROR_INVALID,
                         "the folder of a dump lies below %s or " TASK_INTERIM_MOUNT, scratch);
    dump->path = text_dup(path, strlen(path));
    if (etcd) {
        dump->facts = json_object();
        tree_put_new(dump->facts, "etcd", tree_copy(etcd));
    }
    return true;
}

/* ---- edges ---- */

/* False: it is there and can not be read. */
static bool read_output(const char *folder, struct text *out)
{
    AUTO(free) char *path = text_format("%s/" OUTPUT, folder);
    AUTO(close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char piece[16384];
    ssize_t got = 0;

    if (fd < 0)
        return errno == ENOENT;
    text_reserve(out, 1);
    while (out->length <= DUMP_OUTPUT_MAX_BYTES && (got = read(fd, piece, sizeof piece)) > 0)
        text_add(out, piece, (size_t)got);
    return got == 0;
}

static bool is_folder(const char *path)
{
    struct stat seen;

    return lstat(path, &seen) == 0 && S_ISDIR(seen.st_mode);
}

void dump_look(const char *output, const char *folder, const char *scratch, struct dump *dump)
{
    AUTO(text) struct text text = {0};
    struct error err = {.message = ""};
    bool good = read_output(output, &text);
    struct span said = {text.length ? text.data : NULL, text.length};

    if (!good)
        snprintf(dump->error, sizeof dump->error, OUTPUT " can not be read, or is too large");
    else if (!dump_read(said, folder, scratch, dump, &err))
        snprintf(dump->error, sizeof dump->error, "%s", err.message);
    else if (!dump->error[0] && (!is_folder(dump->path) || volume_is_empty(dump->path)))
        snprintf(dump->error, sizeof dump->error, "the steps before left nothing in %s",
                 dump->path);
}

static bool make_folder(const char *path)
{
    return mkdir(path, 0750) == 0 || errno == EEXIST;
}

bool dump_tell_new(const char *output, const char *host, const char *error, json_t *dump,
                   struct error *err)
{
    AUTO(free) char *path = text_format("%s/" OUTPUT, output);
    AUTO(json) json_t *said = json_object();
    json_t *status = json_object(), *stats = json_array(), *stat = json_object();
    AUTO(text) struct text text = {0};

    tree_put_text(stat, "hostname", host);
    tree_put_text(stat, "phase", error ? "Failed" : "Succeeded");
    tree_put_text(stat, "error", error);
    tree_push_new(stats, stat);
    tree_put_new(status, "stats", stats);
    tree_put_new(said, "targetStatus", status);
    tree_put_new(said, "dump", dump);
    tree_write(&text, said, false);

    bool made = make_folder(output);
    AUTO(close) int fd = made ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640) : -1;

    return (fd >= 0 && write(fd, text.data, text.length) == (ssize_t)text.length) ||
           error_set(err, ERROR_INTERNAL, "%s: %s", path, strerror(errno));
}
