#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/tree.h"
#include "kube/list.h"
#include "kube/verbs.h"

/* A list under way. */
struct listing {
    struct kube_client *client;
    const struct kube_watched *watched;
    json_t *items;       /* owned */
    char *token;         /* owned; of the next page; NULL: the first one */
    struct text version; /* of the first page */
    size_t bytes, pages;
    bool whole; /* pages had expired: in one piece */
};

static void auto_listing(struct listing *listing)
{
    json_decref(listing->items);
    free(listing->token);
    text_done(&listing->version);
}

static char *path_of(const struct listing *listing)
{
    const struct kube_watched *watched = listing->watched;
    AUTO(text) struct text path = {0};
    char limit[32];

    snprintf(limit, sizeof limit, "%d", KUBE_PAGE_ITEMS);
    kube_path(&path, &watched->resource, watched->space, NULL, NULL);
    kube_query(&path, "labelSelector", watched->labels);
    kube_query(&path, "fieldSelector", watched->fields);
    kube_query(&path, "limit", listing->whole ? NULL : limit);
    kube_query(&path, "continue", listing->token);
    return text_take(&path);
}

static bool count_bytes(struct listing *listing, size_t more, struct error *err)
{
    listing->bytes += more;
    return listing->bytes <= KUBE_LIST_MAX_BYTES ||
           error_set(err, ERROR_TOO_LARGE, "%s: the list is too large",
                     listing->watched->resource.plural);
}

/* The body of one page. */
static bool read_body(struct listing *listing, struct kube_stream *stream,
                      struct list_reader *reader, struct error *err)
{
    int64_t until_ms = clock_mono_ms() + KUBE_TIMEOUT_MS;

    for (;;) {
        size_t before = reader->frames.buffer.length;
        int64_t left_ms = until_ms - clock_mono_ms();

        switch (kube_stream_read(stream, &reader->frames.buffer, left_ms > 0 ? left_ms : 0, err)) {
        case KUBE_DATA:
            break;
        case KUBE_END:
            return true;
        case KUBE_QUIET:
            return error_set(err, ERROR_TIMEOUT, "%s: no whole list in time",
                             listing->watched->resource.plural);
        case KUBE_BROKEN:
            return false;
        }
        if (!count_bytes(listing, reader->frames.buffer.length - before, err) ||
            !list_read(reader, err))
            return false;
    }
}

/* The token for the next page, or NULL. */
static bool take_page(struct listing *listing, const struct list_page *page, struct error *err)
{
    bool again = page->more && listing->token && strcmp(page->more, listing->token) == 0;

    if (again || ++listing->pages > KUBE_PAGES_MAX)
        return error_set(err, ERROR_INTERNAL, "%s: the pages of the list do not end",
                         listing->watched->resource.plural);
    if (!listing->version.length)
        text_puts(&listing->version, page->version);
    free(listing->token);
    listing->token = page->more ? text_dup(page->more, strlen(page->more)) : NULL;
    return true;
}

static bool read_page(struct listing *listing, struct kube_answer *answer, struct error *err)
{
    AUTO(free) char *path = path_of(listing);
    struct kube_request request = {
        .method = "GET", .path = path, .accept = watched_accept_list(listing->watched)};
    AUTO(kube_stream)
    struct kube_stream *stream = kube_stream_open(listing->client, &request, answer, err);
    AUTO(list_reader)
    struct list_reader reader = {.watched = listing->watched, .items = listing->items};
    struct list_page page;

    return stream && read_body(listing, stream, &reader, err) && list_end(&reader, &page, err) &&
           take_page(listing, &page, err);
}

static void start_over(struct listing *listing)
{
    free(listing->token);
    listing->token = NULL;
    listing->version.length = 0;
    listing->bytes = 0;
    json_array_clear(listing->items);
    listing->whole = true;
}

static bool read_pages(struct listing *listing, struct error *err)
{
    do {
        AUTO(kube_answer) struct kube_answer answer = {0};
        bool later = listing->token != NULL;

        if (read_page(listing, &answer, err))
            continue;
        if (answer.status == 404 && listing->watched->optional)
            return true;
        if (answer.status != 410 || !later)
            return false;
        start_over(listing);
        if (!read_page(listing, &answer, err))
            return false;
    } while (listing->token);
    return true;
}

static bool check(const struct kube_watched *watched, struct error *err)
{
    if (!watched->space || (*watched->space && watched->resource.namespaced))
        return true;
    return error_set(err, ERROR_INVALID, "%s: not in this namespace", watched->resource.plural);
}

json_t *kube_list(struct kube_client *client, const struct kube_watched *watched,
                  struct text *version, struct error *err)
{
    if (!check(watched, err))
        return NULL;

    AUTO(listing)
    struct listing listing = {.client = client, .watched = watched, .items = json_array()};

    if (!read_pages(&listing, err))
        return NULL;
    if (version)
        text_puts(version, text_get(&listing.version));
    return TAKE(listing.items);
}
