#include "agent/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/tree.h"

/* Bytes of what a helper came to. */
#define RESULT_MAX_BYTES (64u << 10)

/* A failure's word is static. */
static const char *reason_of(const char *word)
{
    static const char *const known[] = {
        "ArgumentRefused",  "DatabaseNotEmpty", "DatabaseNotNamed",    "DatabaseRefused",
        "DumpFailed",       "DumpIncomplete",   "DatabaseUnreachable", "ResticFailed",
        "ResticNotStarted", "RestoreFailed",    "RestoreIncomplete",   STREAM_CUT_REASON,
        "StreamRefused"};

    for (size_t i = 0; word && i < sizeof known / sizeof *known; i++)
        if (strcmp(word, known[i]) == 0)
            return known[i];
    return "Unknown";
}

bool helper_program(struct run *run, char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (length <= 0)
        return failure_set(&run->failure, "Unknown", "/proc/self/exe: %s", strerror(errno));
    path[length] = '\0';
    return true;
}

bool helper_tell(const char *path, const json_t *facts, const char *reason, const char *message)
{
    AUTO(json) json_t *said = json_object();
    AUTO(text) struct text text = {0};
    AUTO(close)
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (reason) {
        tree_put_text(said, "reason", reason);
        tree_put_text(said, "message", message);
    } else {
        tree_put_new(said, "facts", tree_copy(facts));
    }
    tree_write(&text, said, false);
    return fd >= 0 && write(fd, text.data, text.length) == (ssize_t)text.length;
}

void helper_forget(const char *path)
{
    unlink(path);
}

static json_t *read_result(const char *path)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    AUTO(text) struct text text = {0};
    char piece[4096];
    ssize_t got;

    while (fd >= 0 && text.length < RESULT_MAX_BYTES && (got = read(fd, piece, sizeof piece)) > 0)
        text_add(&text, piece, (size_t)got);
    return json_loadb(text_get(&text), text.length, JSON_REJECT_DUPLICATES, NULL);
}

bool helper_judge(struct run *run, const char *path, const struct output *output, const char *doing)
{
    AUTO(json) json_t *result = read_result(path);
    const char *reason = tree_text(result, "reason"), *message = tree_text(result, "message"), *key;
    const json_t *value;

    if (reason && output->end.cause == RESTIC_BY_ITSELF)
        return failure_set(&run->failure, reason_of(reason), "%s: %s", doing,
                           message ? message : "");
    if (!restic_judge(&output->end, doing, &run->failure))
        return false;
    if (!run->facts)
        run->facts = json_object();
    tree_each (tree_get(result, "facts"), key, value)
        tree_put_new(run->facts, key, tree_copy(value));
    return tree_get(result, "facts") != NULL ||
           failure_set(&run->failure, "Unknown", "%s: its helper does not say what it did", doing);
}
