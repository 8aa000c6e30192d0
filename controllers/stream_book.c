#include "controllers/stream_book.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/stream_frame.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "base/wait.h"
#include "kube/pod_exec.h"

/* One command. */
struct entry {
    struct entry *next;
    struct stream_book *book;
    char *space, *pod, *container; /* owned */
    json_t *command;               /* owned: a copy, of nobody else */
    int64_t timeout_ms;
    struct stream *stream;
    struct stream_writer writer;
    pthread_t thread;
    bool ended; /* under the mutex */
};

struct stream_book {
    struct kube_client *client;
    int cancel_fd;
    pthread_mutex_t mutex;
    struct entry *entries;
    size_t count;
};

static void free_entry(struct entry *entry)
{
    free(entry->space);
    free(entry->pod);
    free(entry->container);
    json_decref(entry->command);
    stream_writer_done(&entry->writer);
    free(entry);
}

struct stream_book *stream_book_make(struct kube_client *client)
{
    struct stream_book *book = text_alloc(sizeof *book);

    *book =
        (struct stream_book){.client = client, .cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (book->cancel_fd < 0)
        abort();
    pthread_mutex_init(&book->mutex, NULL);
    return book;
}

void stream_book_free(struct stream_book *book)
{
    if (!book)
        return;
    wait_raise(book->cancel_fd);
    for (struct entry *entry = book->entries, *next; entry; entry = next) {
        next = entry->next;
        pthread_join(entry->thread, NULL);
        free_entry(entry);
    }
    close(book->cancel_fd);
    pthread_mutex_destroy(&book->mutex);
    free(book);
}

void stream_book_words(const struct stream_command *command, const struct error *err, bool sent,
                       struct text *out)
{
    if (err->code == ERROR_FORBIDDEN && !sent)
        text_addf(out,
                  "granary may not run commands in namespace %s. What to do: kubectl create "
                  "rolebinding granary-hooks --namespace=%s --clusterrole=granary-hooks "
                  "--serviceaccount=granary-system:granary-controller",
                  command->space, command->space);
    else
        text_puts(out, err->message);
}

/* ---- the thread ---- */

static bool take(void *context, struct span data)
{
    struct entry *entry = context;

    while (data.length > 0) {
        AUTO(text) struct text frame = {0};
        size_t piece =
            data.length < STREAM_DATA_MAX_BYTES ? data.length : (size_t)STREAM_DATA_MAX_BYTES;

        stream_write_data(&entry->writer, (struct span){data.data, piece}, &frame);
        if (!stream_put(entry->stream, (struct span){text_get(&frame), frame.length}))
            return false;
        data = (struct span){data.data + piece, data.length - piece};
    }
    return true;
}

/* What nobody knows the end of gets no trailer; what is known is told, good or bad. */
static bool finish(struct entry *entry, const struct pod_exec_result *result,
                   const struct error *err)
{
    const struct stream_command command = {.space = entry->space};
    AUTO(text) struct text words = {0};
    AUTO(text) struct text frame = {0};

    if (result->sent && !result->ended)
        return false;
    if (result->ended && result->code >= 0)
        text_add(&words, text_get(&result->output), result->output.length);
    else
        stream_book_words(&command, err, result->sent, &words);
    stream_write_end(&entry->writer, result->ended ? result->code : STREAM_NO_STATUS,
                     (struct span){text_get(&words), words.length}, &frame);
    return stream_put(entry->stream, (struct span){text_get(&frame), frame.length});
}

static void *run(void *context)
{
    struct entry *entry = context;
    const struct pod_exec exec = {.space = entry->space,
                                  .pod = entry->pod,
                                  .container = entry->container,
                                  .command = entry->command,
                                  .timeout_ms = entry->timeout_ms,
                                  .cancel_fd = entry->book->cancel_fd,
                                  .output_max = STREAM_WORDS_MAX_BYTES,
                                  .take = take,
                                  .context = entry};
    AUTO(pod_exec_result) struct pod_exec_result result = {0};
    AUTO(text) struct text head = {0};
    struct error err = {.message = ""};

    stream_write_head(&head);

    bool good = stream_put(entry->stream, (struct span){text_get(&head), head.length}) &&
                kube_pod_exec(entry->book->client, &exec, &result, &err);
    bool told = finish(entry, &result, &err);

    log_info("command of a dump ended", LOG_S("namespace", entry->space), LOG_S("pod", entry->pod),
             LOG_S("container", entry->container), LOG_N("bytes", (int64_t)entry->writer.bytes),
             LOG_S("error", good ? "" : err.message));
    stream_end(entry->stream, told);
    pthread_mutex_lock(&entry->book->mutex);
    entry->ended = true;
    pthread_mutex_unlock(&entry->book->mutex);
    return NULL;
}

/* ---- beginning ---- */

/* Those that have ended. With the mutex. */
static void reap(struct stream_book *book)
{
    for (struct entry **at = &book->entries; *at;) {
        struct entry *entry = *at;

        if (!entry->ended) {
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        book->count--;
        pthread_join(entry->thread, NULL);
        free_entry(entry);
    }
}

static char *copy(const char *text)
{
    return text_dup(text, strlen(text));
}

bool stream_book_has_room(struct stream_book *book)
{
    pthread_mutex_lock(&book->mutex);
    reap(book);

    bool has = book->count < STREAM_BOOK_MAX;

    pthread_mutex_unlock(&book->mutex);
    return has;
}

/* With the mutex. */
static bool start(struct stream_book *book, struct entry *entry)
{
    reap(book);
    if (book->count >= STREAM_BOOK_MAX || pthread_create(&entry->thread, NULL, run, entry) != 0)
        return false;
    entry->next = book->entries;
    book->entries = entry;
    book->count++;
    return true;
}

struct stream *stream_book_begin(struct stream_book *book, const struct stream_command *command,
                                 int wake, struct error *err)
{
    struct stream *stream = stream_make(wake);
    struct entry *entry = text_alloc(sizeof *entry);

    *entry = (struct entry){.book = book,
                            .space = copy(command->space),
                            .pod = copy(command->pod),
                            .container = copy(command->container),
                            .command = tree_copy(command->command),
                            .timeout_ms = command->timeout_ms,
                            .stream = stream};
    pthread_mutex_lock(&book->mutex);

    bool started = start(book, entry);

    pthread_mutex_unlock(&book->mutex);
    if (started)
        return stream;
    free_entry(entry);
    stream_end(stream, false);
    stream_close(stream);
    error_set(err, ERROR_UNAVAILABLE, "%u commands run for their output already", STREAM_BOOK_MAX);
    return NULL;
}
