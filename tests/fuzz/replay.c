/*
 * Replays a corpus without libFuzzer: each file as it is, then changed in ways that are the same
 * each time. Every file has a process of its own, so that one that breaks does not hide the others.
 */
#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

/* Changed inputs of one file, of each kind of change, and bytes of all of them together. */
#define CHANGES_MAX 400u
#define CHANGED_MAX_BYTES (8u << 20)

/* A file with all its changes may take this long, also under a sanitizer or valgrind. */
#define FILE_TIMEOUT_S 300

struct input {
    uint8_t *data;
    size_t size;
};

/* One kind of change, at one place. The result is written to `out`, which has twice the room. */
struct change {
    const char *name;
    size_t (*apply)(const struct input *in, size_t at, uint8_t *out);
};

/* What the child was doing, for the parent to tell. */
struct progress {
    const char *change;
    size_t at;
};

static size_t copy(const struct input *in, uint8_t *out)
{
    if (in->size)
        memcpy(out, in->data, in->size);
    return in->size;
}

static size_t whole(const struct input *in, size_t at, uint8_t *out)
{
    (void)at;
    return copy(in, out);
}

static size_t truncated(const struct input *in, size_t at, uint8_t *out)
{
    copy(in, out);
    return at;
}

static size_t flipped(const struct input *in, size_t at, uint8_t *out)
{
    size_t size = copy(in, out);

    out[at] ^= (uint8_t)(1u << (at % 8));
    return size;
}

/* Bytes that mean something in the formats that we read. */
static size_t replaced(const struct input *in, size_t at, uint8_t *out)
{
    static const uint8_t bytes[] = "\0\xff\"\\{}[],:09-.$/\n\xc3";
    size_t size = copy(in, out);

    out[at] = bytes[at % (sizeof bytes - 1)];
    return size;
}

static size_t dropped(const struct input *in, size_t at, uint8_t *out)
{
    size_t size = copy(in, out);

    memmove(out + at, out + at + 1, size - at - 1);
    return size - 1;
}

/* What follows the place stands there twice, up to 16 bytes of it. */
static size_t doubled(const struct input *in, size_t at, uint8_t *out)
{
    size_t size = copy(in, out), more = size - at < 16 ? size - at : 16;

    memmove(out + at + more, in->data + at, size - at);
    return size + more;
}

static const struct change changes[] = {
    {"truncated", truncated}, {"flipped", flipped}, {"replaced", replaced},
    {"dropped", dropped},     {"doubled", doubled},
};

/* The target gets a block of exactly the input's size, so that reading beyond it is noticed. */
static void run(const struct input *in, const struct change *change, size_t at,
                struct progress *progress)
{
    AUTO(free) uint8_t *out = text_alloc(2 * in->size);
    size_t size;

    progress->change = change->name;
    progress->at = at;
    size = change->apply(in, at, out);

    AUTO(free) uint8_t *exact = malloc(size ? size : 1);

    if (!exact)
        abort();
    memcpy(exact, out, size);
    LLVMFuzzerTestOneInput(exact, size);
}

static void run_all(const struct input *in, struct progress *progress)
{
    static const struct change as_it_is = {"as it is", whole};
    size_t count = in->size < CHANGES_MAX ? in->size : CHANGES_MAX;

    run(in, &as_it_is, 0, progress);
    if (count > CHANGED_MAX_BYTES / (in->size + 1) / (sizeof changes / sizeof *changes))
        count = CHANGED_MAX_BYTES / (in->size + 1) / (sizeof changes / sizeof *changes);
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++)
        for (size_t i = 0; i < count; i++)
            run(in, &changes[c], i * in->size / count, progress);
}

static struct input input_read(const char *path)
{
    AUTO(fclose) FILE *file = fopen(path, "re");
    AUTO(text) struct text text = {0};
    char block[4096];
    size_t got;

    if (!file) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    while ((got = fread(block, 1, sizeof block, file)) > 0)
        text_add(&text, block, got);

    size_t size = text.length;

    return (struct input){(uint8_t *)text_take(&text), size};
}

/* True when the target kept its promises for the file and all its changes. */
static bool replay(const char *path, struct progress *progress)
{
    pid_t child = fork();
    int status;

    if (child < 0) {
        perror("fork");
        exit(EXIT_FAILURE);
    }
    if (child == 0) {
        struct input in = input_read(path);

        alarm(FILE_TIMEOUT_S);
        run_all(&in, progress);
        free(in.data);
        exit(EXIT_SUCCESS);
    }
    if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    fprintf(stderr, "%s: %s, at byte %zu: %s\n", path, progress->change, progress->at,
            WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit with an error");
    return false;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int count = argc == 2 ? scandir(argv[1], &entries, visible, alphasort) : -1;
    int failed = 0;
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (count < 0 || progress == MAP_FAILED) {
        fprintf(stderr, "usage: %s FOLDER (of inputs)\n", argv[0]);
        return EXIT_FAILURE;
    }
    json_object_seed(1);
    for (int i = 0; i < count; i++) {
        AUTO(free) char *path = text_format("%s/%s", argv[1], entries[i]->d_name);

        failed += !replay(path, progress);
        free(entries[i]);
    }
    free(entries);
    munmap(progress, sizeof *progress);
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed || count == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
