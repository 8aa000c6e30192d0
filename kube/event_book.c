#include "kube/event_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"

/* The same within this time only counts. */
#define WINDOW_MS 600000
#define RETRY_MS 10000

/* Events of objects without namespace are there. */
#define DEFAULT_SPACE "default"

/* One event, told or not. */
struct entry {
    char *key;    /* what makes it the same; owned. NULL: free */
    char *group;  /* the same without its note; owned */
    char *object; /* owned */
    char *space, *name;
    json_t *body;             /* as it is created, without series */
    int64_t count, told;      /* how often; how much of that is known to the server */
    int64_t last_ms, wall_ms; /* of the last one */
    int64_t next_ms;          /* not before */
    int tries;
    bool created;
};

/* How much an object may still tell. */
struct allowance {
    char *object; /* owned; NULL: free */
    int64_t tokens, last_ms;
};

struct event_book {
    struct event_source source;
    struct entry entries[EVENTS_MAX];
    struct allowance allowances[EVENTS_MAX];
    uint64_t made;
    struct event_facts facts;
};

struct event_book *event_book_make(const struct event_source *source)
{
    struct event_book *book = text_alloc(sizeof *book);

    book->source = *source;
    return book;
}

static void clear(struct entry *entry)
{
    free(entry->key);
    free(entry->group);
    free(entry->object);
    free(entry->space);
    free(entry->name);
    json_decref(entry->body);
    *entry = (struct entry){0};
}

void event_book_free(struct event_book *book)
{
    if (!book)
        return;
    for (size_t i = 0; i < EVENTS_MAX; i++) {
        clear(&book->entries[i]);
        free(book->allowances[i].object);
    }
    free(book);
}

void event_request_done(struct event_request *request)
{
    free(request->space);
    free(request->name);
    json_decref(request->body);
    *request = (struct event_request){0};
}

/* What it is about. */

/* At most so many bytes, not in the middle of a character. */
static void cut(char *text, size_t max)
{
    size_t length = strlen(text);

    if (length <= max)
        return;
    for (length = max; length && ((unsigned char)text[length] & 0xc0) == 0x80;)
        length--;
    text[length] = '\0';
}

static char *printable(const char *text, size_t max)
{
    char *out = text_printable(span_of(text), max);

    cut(out, max);
    return out;
}

static char *word(const json_t *tree, const char *key)
{
    return text_printable(tree_span(tree, key), OBJECT_NAME_MAX_CHARS);
}

/* What names the object, and the same as a text. */
static json_t *reference(const json_t *object, struct text *text)
{
    static const char *const own[] = {"apiVersion", "kind"}, *const meta[] = {"namespace", "name",
                                                                              "uid"};
    const json_t *metadata = tree_get(object, "metadata");
    json_t *regarding = json_object();

    for (size_t i = 0; i < 5; i++) {
        const char *key = i < 2 ? own[i] : meta[i - 2];
        AUTO(free) char *value = word(i < 2 ? object : metadata, key);

        text_addf(text, "%s/", value);
        if (*value)
            tree_put_text(regarding, key, value);
    }
    return regarding;
}

static void put_time(json_t *object, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES], micro[CLOCK_TEXT_BYTES + 8];

    clock_format(wall_ms, text);
    snprintf(micro, sizeof micro, "%.*s000Z", (int)strcspn(text, "Z"), text);
    tree_put_text(object, key, micro);
}

static const char *type_of(const struct kube_event *event)
{
    return event->warning ? "Warning" : "Normal";
}

/* Finding. */

static bool is_recent(const struct entry *entry, int64_t now_ms)
{
    return entry->key && now_ms - entry->last_ms < WINDOW_MS;
}

static struct entry *find(struct event_book *book, const char *key, int64_t now_ms)
{
    for (size_t i = 0; i < EVENTS_MAX; i++)
        if (is_recent(&book->entries[i], now_ms) && strcmp(book->entries[i].key, key) == 0)
            return &book->entries[i];
    return NULL;
}

static size_t count_alike(const struct event_book *book, const char *group, int64_t now_ms)
{
    size_t count = 0;

    for (size_t i = 0; i < EVENTS_MAX; i++)
        count += is_recent(&book->entries[i], now_ms) && strcmp(book->entries[i].group, group) == 0;
    return count;
}

/* A free place, or that of the one that was told the longest time ago; NULL: all wait. */
static struct entry *place(struct event_book *book)
{
    struct entry *oldest = NULL;

    for (size_t i = 0; i < EVENTS_MAX; i++) {
        struct entry *entry = &book->entries[i];

        if (!entry->key)
            return entry;
        if (entry->told == entry->count && (!oldest || entry->last_ms < oldest->last_ms))
            oldest = entry;
    }
    if (oldest)
        clear(oldest);
    return oldest;
}

/* Who has told nothing for the longest time has the most left: forgetting it changes the least. */
static struct allowance *allowance_of(struct event_book *book, const char *object, int64_t now_ms)
{
    struct allowance *oldest = &book->allowances[0];

    for (size_t i = 0; i < EVENTS_MAX; i++) {
        struct allowance *allowance = &book->allowances[i];

        if (allowance->object && strcmp(allowance->object, object) == 0)
            return allowance;
        if (oldest->object && (!allowance->object || allowance->last_ms < oldest->last_ms))
            oldest = allowance;
    }
    free(oldest->object);
    *oldest = (struct allowance){text_dup(object, strlen(object)), EVENT_BURST, now_ms};
    return oldest;
}

static void refill(struct allowance *allowance, int64_t now_ms)
{
    int64_t more = (now_ms - allowance->last_ms) / EVENT_PAUSE_MS;

    allowance->tokens += more;
    allowance->last_ms += more * EVENT_PAUSE_MS;
    if (allowance->tokens >= EVENT_BURST) {
        allowance->tokens = EVENT_BURST;
        allowance->last_ms = now_ms;
    }
}

/* Noting. */

static json_t *body_of(const struct event_book *book, const struct kube_event *event,
                       json_t *regarding, const char *note, int64_t wall_ms)
{
    AUTO(free) char *instance = printable(book->source.instance, EVENT_WORD_MAX_BYTES);
    json_t *body = json_object();

    tree_put_text(body, "apiVersion", "events.k8s.io/v1");
    tree_put_text(body, "kind", "Event");
    put_time(body, "eventTime", wall_ms);
    tree_put_text(body, "type", type_of(event));
    tree_put_text(body, "reason", event->reason);
    tree_put_text(body, "action", event->action);
    tree_put_text(body, "note", note);
    tree_put_text(body, "reportingController", book->source.controller);
    tree_put_text(body, "reportingInstance", instance);
    tree_put_new(body, "regarding", regarding);
    return body;
}

/* A name that no other event has: of this process by number, of another one by its instance and
 * time. */
static void give_name(struct event_book *book, struct entry *entry)
{
    const char *object = tree_text(tree_get(entry->body, "regarding"), "name");
    AUTO(free)
    char *all = text_format("%s %s %llu %lld", entry->key, book->source.instance,
                            (unsigned long long)++book->made, (long long)entry->wall_ms);
    json_t *metadata = json_object();
    char hex[65];

    text_sha256(span_of(all), hex);
    free(entry->name);
    entry->name = text_format("%.200s.%.16s", object, hex);
    tree_put_text(metadata, "name", entry->name);
    tree_put_text(metadata, "namespace", entry->space);
    tree_put_new(entry->body, "metadata", metadata);
    entry->created = false;
}

static bool add(struct event_book *book, struct entry new, int64_t now_ms)
{
    struct entry *entry = place(book);

    if (!entry) {
        clear(&new);
        return false;
    }
    *entry = new;
    entry->next_ms = now_ms;
    give_name(book, entry);
    return true;
}

static bool drop(struct event_book *book)
{
    book->facts.dropped++;
    return false;
}

bool event_book_note(struct event_book *book, const json_t *object, const struct kube_event *event,
                     int64_t now_ms, int64_t wall_ms)
{
    AUTO(text) struct text who = {0};
    AUTO(json) json_t *regarding = reference(object, &who);
    const char *name = tree_text(regarding, "name"), *space = tree_text(regarding, "namespace");

    if (!name || !tree_text(regarding, "kind"))
        return drop(book);

    AUTO(free) char *note = printable(event->note, EVENT_NOTE_MAX_BYTES);
    AUTO(free)
    char *group =
        text_format("%s %s %s %s", text_get(&who), type_of(event), event->reason, event->action);
    AUTO(free) char *key = text_format("%s %s", group, note);
    struct entry *entry = find(book, key, now_ms);

    if (!entry && count_alike(book, group, now_ms) >= EVENT_ALIKE_MAX) {
        free(key);
        key = text_format("%s", group);
        entry = find(book, key, now_ms);

        AUTO(free) char *one = TAKE(note);
        AUTO(free) char *all = text_format("(one of several alike) %s", one);

        note = printable(all, EVENT_NOTE_MAX_BYTES);
    }
    if (entry) {
        entry->count++;
        entry->last_ms = now_ms;
        entry->wall_ms = wall_ms;
        return true;
    }

    struct entry new = {
        .key = TAKE(key),
        .group = TAKE(group),
        .object = text_take(&who),
        .space = text_format("%s", space ? space : DEFAULT_SPACE),
        .body = body_of(book, event, json_incref(regarding), note, wall_ms),
        .count = 1,
        .last_ms = now_ms,
        .wall_ms = wall_ms,
    };

    return add(book, new, now_ms) || drop(book);
}

/* Telling. */

static json_t *series_of(const struct entry *entry)
{
    json_t *series = json_object();

    tree_put_int(series, "count", entry->count);
    put_time(series, "lastObservedTime", entry->wall_ms);
    return series;
}

static void ask(const struct event_book *book, const struct entry *entry,
                struct event_request *request)
{
    request->entry = (size_t)(entry - book->entries);
    request->create = !entry->created;
    request->space = text_format("%s", entry->space);
    request->name = text_format("%s", entry->name);
    request->count = entry->count;
    request->body = entry->created ? json_object() : tree_copy(entry->body);
    if (entry->count > 1)
        tree_put_new(request->body, "series", series_of(entry));
}

/* The one that waits for the longest time; NULL: none. */
static struct entry *first_waiting(struct event_book *book)
{
    struct entry *first = NULL;

    for (size_t i = 0; i < EVENTS_MAX; i++) {
        struct entry *entry = &book->entries[i];

        if (entry->key && entry->told < entry->count && (!first || entry->next_ms < first->next_ms))
            first = entry;
    }
    return first;
}

/* Takes one from what its object may tell, or makes it wait. */
static bool is_allowed(struct event_book *book, struct entry *entry, int64_t now_ms)
{
    struct allowance *allowance = allowance_of(book, entry->object, now_ms);

    refill(allowance, now_ms);
    if (allowance->tokens <= 0) {
        entry->next_ms = allowance->last_ms + EVENT_PAUSE_MS;
        return false;
    }
    allowance->tokens--;
    return true;
}

int64_t event_book_next(struct event_book *book, int64_t now_ms, struct event_request *request)
{
    for (;;) {
        struct entry *entry = first_waiting(book);

        if (!entry)
            return INT64_MAX;
        if (entry->next_ms > now_ms)
            return entry->next_ms - now_ms;
        if (is_allowed(book, entry, now_ms)) {
            ask(book, entry, request);
            return -1;
        }
    }
}

/* Whether it may be otherwise later. A namespace that is going takes nothing any more. */
static bool is_passing(int status)
{
    return status == 0 || status == 401 || status == 429 || status >= 500;
}

void event_book_told(struct event_book *book, const struct event_request *request, int status,
                     int64_t now_ms)
{
    struct entry *entry = &book->entries[request->entry];
    bool good = (status >= 200 && status <= 299) || (request->create && status == 409);

    if (good) {
        entry->told = request->count;
        entry->created = true;
        entry->tries = 0;
        book->facts.told++;
        return;
    }
    entry->next_ms = now_ms + RETRY_MS;
    /* events are kept for an hour */
    if (!request->create && status == 404) {
        entry->next_ms = now_ms;
        give_name(book, entry);
    } else if (!is_passing(status) || ++entry->tries >= EVENT_TRIES) {
        book->facts.failed++;
        clear(entry);
    }
}

struct event_facts event_book_look(const struct event_book *book)
{
    struct event_facts facts = book->facts;

    for (size_t i = 0; i < EVENTS_MAX; i++) {
        const struct entry *entry = &book->entries[i];

        facts.kept += entry->key != NULL;
        facts.waiting += entry->key && entry->told < entry->count;
    }
    return facts;
}
