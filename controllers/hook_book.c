#include "controllers/hook_book.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "base/wait.h"
#include "kube/pod_exec.h"

/* Milliseconds for a command. Spec: stash-behaviour 5.7. */
#define COMMAND_MS (5 * 60 * 1000)

/* One command. */
struct entry {
    struct entry *next; /* newer ones first */
    struct hook_book *book;
    char *key, *space, *pod, *container;
    json_t *command; /* a copy: of nobody else */
    pthread_t thread;
    bool has_thread;
    enum hook_state state;
    char message[HOOK_BOOK_MESSAGE_BYTES];
};

struct hook_book {
    struct kube_client *client;
    int cancel_fd;
    pthread_mutex_t mutex;
    struct entry *entries;
    size_t count, running;
};

static char *copy(const char *text)
{
    return text_dup(text, strlen(text));
}

static void entry_free(struct entry *entry)
{
    if (entry->has_thread)
        pthread_join(entry->thread, NULL);
    free(entry->key);
    free(entry->space);
    free(entry->pod);
    free(entry->container);
    json_decref(entry->command);
    free(entry);
}

struct hook_book *hook_book_make(struct kube_client *client)
{
    struct hook_book *book = text_alloc(sizeof *book);

    *book =
        (struct hook_book){.client = client, .cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (book->cancel_fd < 0)
        abort();
    pthread_mutex_init(&book->mutex, NULL);
    return book;
}

void hook_book_free(struct hook_book *book)
{
    if (!book)
        return;
    wait_raise(book->cancel_fd);
    for (struct entry *entry = book->entries, *next; entry; entry = next) {
        next = entry->next;
        entry_free(entry);
    }
    close(book->cancel_fd);
    pthread_mutex_destroy(&book->mutex);
    free(book);
}

/* With the mutex. */
static struct entry *find(const struct hook_book *book, const char *key)
{
    struct entry *entry = book->entries;

    while (entry && strcmp(entry->key, key) != 0)
        entry = entry->next;
    return entry;
}

enum hook_state hook_book_look(struct hook_book *book, const char *key,
                               char message[HOOK_BOOK_MESSAGE_BYTES])
{
    enum hook_state state = HOOK_NOT_KNOWN;

    pthread_mutex_lock(&book->mutex);

    const struct entry *entry = find(book, key);

    if (entry) {
        state = entry->state;
        memcpy(message, entry->message, HOOK_BOOK_MESSAGE_BYTES);
    }
    pthread_mutex_unlock(&book->mutex);
    return state;
}

bool hook_book_has_room(struct hook_book *book)
{
    pthread_mutex_lock(&book->mutex);

    bool has = book->running < HOOK_BOOK_RUNNING_MAX;

    pthread_mutex_unlock(&book->mutex);
    return has;
}

/* ---- commands ---- */

static void say_forbidden(const struct entry *entry, char *message)
{
    snprintf(message, HOOK_BOOK_MESSAGE_BYTES,
             "granary may not run commands in namespace %s. What to do: kubectl create rolebinding "
             "granary-hooks --namespace=%s --clusterrole=granary-hooks "
             "--serviceaccount=granary-system:granary-controller",
             entry->space, entry->space);
}

static void say(const struct entry *entry, const struct pod_exec_result *result,
                const struct error *err, char *message)
{
    if (err->code == ERROR_FORBIDDEN && !result->sent)
        say_forbidden(entry, message);
    else
        snprintf(message, HOOK_BOOK_MESSAGE_BYTES, "%s%s", err->message,
                 result->sent && !result->ended ? "; whether it ran to its end is not known" : "");
}

/* What it writes is read and forgotten: it may be anything. */
static void *run(void *context)
{
    struct entry *entry = context;
    struct hook_book *book = entry->book;
    const struct pod_exec exec = {.space = entry->space,
                                  .pod = entry->pod,
                                  .container = entry->container,
                                  .command = entry->command,
                                  .timeout_ms = COMMAND_MS,
                                  .cancel_fd = book->cancel_fd};
    AUTO(pod_exec_result) struct pod_exec_result result = {0};
    struct error err = {.message = ""};
    char message[HOOK_BOOK_MESSAGE_BYTES] = "";
    bool good = kube_pod_exec(book->client, &exec, &result, &err);

    if (!good)
        say(entry, &result, &err, message);
    log_info("command of a hook ended", LOG_S("namespace", entry->space), LOG_S("pod", entry->pod),
             LOG_S("container", entry->container), LOG_S("error", good ? "" : err.message));
    pthread_mutex_lock(&book->mutex);
    memcpy(entry->message, message, sizeof message);
    entry->state = good ? HOOK_SUCCEEDED : HOOK_FAILED;
    book->running--;
    pthread_mutex_unlock(&book->mutex);
    return NULL;
}

/* Forgets the oldest ones that have ended. With the mutex; what they held is returned. */
static struct entry *forget(struct hook_book *book)
{
    struct entry **at = &book->entries, **last = NULL;

    if (book->count < HOOK_BOOK_MAX)
        return NULL;
    for (; *at; at = &(*at)->next)
        if ((*at)->state != HOOK_RUNNING)
            last = at;
    if (!last)
        return NULL;

    struct entry *entry = *last;

    *last = entry->next;
    book->count--;
    return entry;
}

/* With the mutex. */
static void start(struct entry *entry)
{
    if (pthread_create(&entry->thread, NULL, run, entry) == 0) {
        entry->has_thread = true;
        entry->state = HOOK_RUNNING;
        entry->book->running++;
        return;
    }
    entry->state = HOOK_FAILED;
    snprintf(entry->message, sizeof entry->message, "no threads left");
}

/* A second entry of a key is none. */
static void add(struct hook_book *book, struct entry *entry)
{
    pthread_mutex_lock(&book->mutex);

    bool again = find(book, entry->key) != NULL;
    struct entry *old = again ? entry : forget(book);

    if (!again) {
        entry->next = book->entries;
        book->entries = entry;
        book->count++;
        if (entry->command)
            start(entry);
    }
    pthread_mutex_unlock(&book->mutex);
    if (old)
        entry_free(old);
}

void hook_book_begin(struct hook_book *book, const char *key, const struct hook_command *command)
{
    struct entry *entry = text_alloc(sizeof *entry);

    *entry = (struct entry){.book = book,
                            .key = copy(key),
                            .space = copy(command->space),
                            .pod = copy(command->pod),
                            .container = copy(command->container),
                            .command = tree_copy(command->command)};
    add(book, entry);
}

void hook_book_fail(struct hook_book *book, const char *key, const char *message)
{
    struct entry *entry = text_alloc(sizeof *entry);

    *entry = (struct entry){.book = book, .key = copy(key), .state = HOOK_FAILED};
    snprintf(entry->message, sizeof entry->message, "%s", message);
    add(book, entry);
}
