#include "controllers/secret_book.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "kube/verbs.h"

/* Entries are forgotten all at once beyond this: names of Secrets come from whoever may write a
 * Repository. */
#define ENTRIES_MAX 10000u

static const struct kube_resource secrets = {"", "v1", "secrets", "Secret", true};

struct secret_book {
    pthread_mutex_t lock;
    json_t *entries; /* "namespace/name" to {seen, message?, until, pause} */
    int64_t reads;
};

struct secret_book *secret_book_make(void)
{
    struct secret_book *book = text_alloc(sizeof *book);

    *book = (struct secret_book){.entries = json_object()};
    pthread_mutex_init(&book->lock, NULL);
    return book;
}

void secret_book_free(struct secret_book *book)
{
    if (!book)
        return;
    json_decref(book->entries);
    pthread_mutex_destroy(&book->lock);
    free(book);
}

/* Under the lock. */
static struct secret_answer answer_of(const json_t *entry, int64_t now_ms)
{
    const char *message = tree_text(entry, "message");
    struct secret_answer answer = {
        .seen = (enum seen)tree_int(entry, "seen", SEEN_UNKNOWN),
        .message = message ? text_format("%s", message) : NULL,
        .again_ms = tree_int(entry, "until", 0) - now_ms,
    };

    if (answer.seen == SEEN_YES)
        answer.again_ms = -1;
    return answer;
}

static bool remembered(struct secret_book *book, const char *key, int64_t now_ms,
                       struct secret_answer *answer)
{
    const json_t *entry;
    bool fresh;

    pthread_mutex_lock(&book->lock);
    entry = tree_get(book->entries, key);
    fresh = entry && tree_int(entry, "until", 0) > now_ms;
    if (fresh)
        *answer = answer_of(entry, now_ms);
    pthread_mutex_unlock(&book->lock);
    return fresh;
}

static enum seen read_one(const struct secret_question *question, char **message)
{
    const struct kube_ref ref = {&secrets, question->space, question->name, NULL};
    struct error err = {.code = ERROR_UNAVAILABLE, .message = "nobody can be asked"};
    AUTO(json) json_t *secret = question->client ? kube_get(question->client, &ref, &err) : NULL;
    const struct secret_look look = {question->space, question->name, secret, &err,
                                     question->controller};

    return secret_seen(&look, message);
}

/* Twice the pause of the last bad answer. */
static int64_t pause_ms(const json_t *before, enum seen seen)
{
    int64_t last_ms = tree_int(before, "pause", 0), next_ms = last_ms * 2;

    if (seen == SEEN_YES)
        return SECRET_GOOD_MS;
    if (last_ms == 0 || tree_int(before, "seen", SEEN_YES) == SEEN_YES)
        return SECRET_BAD_MS;
    return next_ms < SECRET_BAD_MAX_MS ? next_ms : SECRET_BAD_MAX_MS;
}

static struct secret_answer remember(struct secret_book *book, const char *key, enum seen seen,
                                     const char *message, int64_t now_ms)
{
    json_t *entry = json_object();
    struct secret_answer answer;
    int64_t pause;

    pthread_mutex_lock(&book->lock);
    book->reads++;
    pause = pause_ms(tree_get(book->entries, key), seen);
    if (json_object_size(book->entries) >= ENTRIES_MAX)
        json_object_clear(book->entries);
    tree_put_int(entry, "seen", seen);
    tree_put_text(entry, "message", message);
    tree_put_int(entry, "pause", pause);
    tree_put_int(entry, "until", now_ms + pause);
    tree_put_new(book->entries, key, entry);
    answer = answer_of(entry, now_ms);
    pthread_mutex_unlock(&book->lock);
    return answer;
}

struct secret_answer secret_book_ask(struct secret_book *book,
                                     const struct secret_question *question)
{
    AUTO(free) char *key = text_format("%s/%s", question->space, question->name);
    AUTO(free) char *message = NULL;
    struct secret_answer answer;
    enum seen seen;

    if (remembered(book, key, question->now_ms, &answer))
        return answer;
    seen = read_one(question, &message);
    return remember(book, key, seen, message, question->now_ms);
}

int64_t secret_book_reads(struct secret_book *book)
{
    int64_t reads;

    pthread_mutex_lock(&book->lock);
    reads = book->reads;
    pthread_mutex_unlock(&book->lock);
    return reads;
}
