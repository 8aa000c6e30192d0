#include "controllers/progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/known.h"
#include "controllers/progress_status.h"
#include "controllers/restore_status.h"
#include "controllers/session_status.h"
#include "controllers/status_parts.h"
#include "kube/rate.h"

/* The longest wait for a turn; who would wait longer is not shown until there is more. */
#define TURN_MAX_MS 3600000

/* Nobody believes in a longer rest: seconds. */
#define REMAINING_MAX_S 31536000

#define MEMBERS 4

static const char *const members[MEMBERS] = {"bytesDone", "bytesTotal", "filesDone", "filesTotal"};

struct progress_book {
    pthread_mutex_t mutex;
    json_t *sessions; /* by uid: {hosts: {name: {attempt, since, numbers}}, news, wrote, granted} */
    struct rate rate;
    bool paced; /* rate is made */
};

struct progress_book *progress_book_make(void)
{
    struct progress_book *book = text_alloc(sizeof *book);

    *book = (struct progress_book){.sessions = json_object()};
    pthread_mutex_init(&book->mutex, NULL);
    return book;
}

void progress_book_free(struct progress_book *book)
{
    if (!book)
        return;
    json_decref(book->sessions);
    pthread_mutex_destroy(&book->mutex);
    free(book);
}

/* ---- what agents say ---- */

/* The member of an object that is an object, made when there is room for it; NULL: there is none.
 */
static json_t *member_of(json_t *map, const char *key, size_t max)
{
    json_t *member = json_object_get(map, key);

    if (!member && json_object_size(map) < max) {
        member = json_object();
        tree_put_new(map, key, member);
    }
    return member;
}

static json_t *hosts_of(struct progress_book *book, const char *session)
{
    json_t *entry = member_of(book->sessions, session, PROGRESS_SESSIONS_MAX);

    return entry ? member_of(entry, "hosts", SIZE_MAX) : NULL;
}

/* Totals grow while restic looks around; done is never more than all. */
static bool put_numbers(json_t *host, const struct message_progress *message)
{
    const int64_t said[MEMBERS] = {message->bytes_done, message->bytes_total, message->files_done,
                                   message->files_total};
    bool news = false;

    for (size_t i = 0; i < MEMBERS; i++) {
        int64_t before = tree_int(host, members[i], -1), least = said[i];

        if (i % 2 == 1 && least < said[i - 1])
            least = said[i - 1];
        if (least <= before)
            continue;
        tree_put_int(host, members[i], least);
        news = true;
    }
    return news;
}

static bool note(json_t *hosts, const struct message_progress *message, int64_t now_ms)
{
    json_t *host = hosts ? member_of(hosts, message->host, PROGRESS_HOSTS_MAX) : NULL;

    if (!host || message->attempt < tree_int(host, "attempt", 0))
        return false;
    if (message->attempt > tree_int(host, "attempt", 0)) {
        json_object_clear(host);
        tree_put_int(host, "attempt", message->attempt);
        tree_put_int(host, "since", now_ms);
    }
    return put_numbers(host, message);
}

bool progress_book_note(struct progress_book *book, const struct message_progress *message,
                        int64_t now_ms)
{
    bool news;

    pthread_mutex_lock(&book->mutex);
    news = note(hosts_of(book, message->session), message, now_ms);
    if (news)
        tree_put_bool(json_object_get(book->sessions, message->session), "news", true);
    pthread_mutex_unlock(&book->mutex);
    return news;
}

void progress_book_forget(struct progress_book *book, const char *session)
{
    pthread_mutex_lock(&book->mutex);
    json_object_del(book->sessions, session);
    pthread_mutex_unlock(&book->mutex);
}

size_t progress_book_size(struct progress_book *book)
{
    size_t size;

    pthread_mutex_lock(&book->mutex);
    size = json_object_size(book->sessions);
    pthread_mutex_unlock(&book->mutex);
    return size;
}

/* ---- whose turn it is ---- */

static void pace(struct progress_book *book, int64_t writes_per_s, int64_t now_ms)
{
    double per_s = (double)writes_per_s * PROGRESS_SHARE;

    if (!book->paced)
        book->rate = rate_make(per_s, 1, now_ms);
    else if (book->rate.per_s < per_s || book->rate.per_s > per_s)
        rate_pace(&book->rate, per_s, 1, now_ms);
    book->paced = true;
}

/* A place in the line is taken once, and used once. */
static int64_t turn(struct progress_book *book, json_t *entry, int64_t now_ms)
{
    int64_t granted_ms = tree_int(entry, "granted", -1), wait_ms;
    int64_t next_ms = tree_int(entry, "wrote", now_ms - PROGRESS_EVERY_MS) + PROGRESS_EVERY_MS;

    if (granted_ms < 0 && now_ms < next_ms)
        return next_ms - now_ms;
    if (granted_ms < 0) {
        wait_ms = rate_take(&book->rate, now_ms, TURN_MAX_MS);
        if (wait_ms < 0)
            return TURN_MAX_MS;
        granted_ms = now_ms + wait_ms;
        tree_put_int(entry, "granted", granted_ms);
    }
    if (now_ms < granted_ms)
        return granted_ms - now_ms;
    json_object_del(entry, "granted");
    json_object_del(entry, "news");
    tree_put_int(entry, "wrote", now_ms);
    return 0;
}

int64_t progress_book_turn(struct progress_book *book, const char *session, int64_t writes_per_s,
                           int64_t now_ms)
{
    json_t *entry;
    int64_t wait_ms = -1;

    pthread_mutex_lock(&book->mutex);
    pace(book, writes_per_s, now_ms);
    entry = json_object_get(book->sessions, session);
    if (tree_true(entry, "news"))
        wait_ms = turn(book, entry, now_ms);
    pthread_mutex_unlock(&book->mutex);
    return wait_ms;
}

void progress_book_again(struct progress_book *book, const char *session)
{
    json_t *entry;

    pthread_mutex_lock(&book->mutex);
    entry = json_object_get(book->sessions, session);
    if (entry) {
        tree_put_bool(entry, "news", true);
        json_object_del(entry, "wrote");
    }
    pthread_mutex_unlock(&book->mutex);
}

/* ---- what is shown ---- */

static void put_percent(json_t *object)
{
    double done = (double)tree_int(object, "bytesDone", 0);
    double total = (double)tree_int(object, "bytesTotal", 0);

    if (total > 0)
        tree_put_int(object, "percent", (int64_t)(done * 100 / total));
}

/* At the pace of this attempt so far. */
static int64_t remaining_s(const json_t *host, int64_t now_ms)
{
    double done = (double)tree_int(host, "bytesDone", 0);
    double left = (double)tree_int(host, "bytesTotal", 0) - done;
    double took_s = (double)(now_ms - tree_int(host, "since", now_ms)) / 1000;

    if (done <= 0 || took_s <= 0)
        return -1;
    return left * took_s / done < REMAINING_MAX_S ? (int64_t)(left * took_s / done) : -1;
}

static void add_up(json_t *shown, const json_t *host)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        int64_t sum = tree_int(shown, members[i], 0), more = tree_int(host, members[i], 0);

        tree_put_int(shown, members[i], more > INT64_MAX - sum ? INT64_MAX : sum + more);
    }
}

static json_t *show_host(const char *name, const json_t *host)
{
    json_t *shown = json_object();

    tree_put_text(shown, "hostname", name);
    for (size_t i = 0; i < MEMBERS; i++)
        tree_put_int(shown, members[i], tree_int(host, members[i], 0));
    put_percent(shown);
    return shown;
}

static bool has_result(const json_t *session, const char *host)
{
    const json_t *status = tree_get(session, "status");
    bool restore = span_is(tree_span(session, "kind"), "RestoreSession");

    return (restore ? restore_status_result : session_status_result)(status, host) != WORK_OPEN;
}

static json_t *show(const json_t *hosts, const json_t *session, int64_t now_s, int64_t now_ms)
{
    AUTO(json) json_t *shown = json_object(), *list = json_array();
    int64_t longest_s = -1;
    const json_t *host;
    const char *name;

    tree_each (hosts, name, host) {
        if (has_result(session, name))
            continue;
        if (json_array_size(list) < PROGRESS_SHOWN_MAX)
            tree_push_new(list, show_host(name, host));
        add_up(shown, host);
        if (remaining_s(host, now_ms) > longest_s)
            longest_s = remaining_s(host, now_ms);
    }
    if (json_array_size(list) == 0)
        return NULL;
    put_percent(shown);
    status_put_time(shown, "time", now_s);
    if (longest_s >= 0)
        status_put_duration(shown, "remaining", longest_s);
    tree_put_new(shown, "hosts", TAKE(list));
    return TAKE(shown);
}

json_t *progress_book_show(struct progress_book *book, const json_t *session, int64_t now_s,
                           int64_t now_ms)
{
    const char *uid = tree_text(tree_get(session, "metadata"), "uid");
    json_t *shown;

    pthread_mutex_lock(&book->mutex);
    shown =
        show(tree_get(tree_get(book->sessions, uid ? uid : ""), "hosts"), session, now_s, now_ms);
    pthread_mutex_unlock(&book->mutex);
    return shown;
}

bool progress_is_all(const struct informer_change *change)
{
    bool session = change->kind == KNOWN_SESSION || change->kind == KNOWN_RESTORE;
    const json_t *before = change->before, *after = change->after;

    if (!session || !before || !after ||
        tree_equal(tree_at(before, "status.progress"), tree_at(after, "status.progress")))
        return false;

    AUTO(json) json_t *then = progress_without(before);
    AUTO(json) json_t *now = progress_without(after);

    return tree_equal(then, now);
}
