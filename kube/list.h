#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "kube/frame.h"
#include "kube/watched.h"

/*
 * One page of a list, read while it arrives: each item becomes an object of its own as soon as it
 * is whole, so a list needs no memory but for its objects. Members may come in any order (custom
 * resources have kind and metadata behind the items). Spec: catalogue L7, L8.
 */

/** {0} but for `watched` and `items` before; append to `frames.buffer`, then list_read(). Release
 *  with list_reader_done(). */
struct list_reader {
    const struct kube_watched *watched; /* borrowed */
    json_t *items;                      /* borrowed: a list that objects are appended to */
    struct frames frames;
    size_t around; /* bytes of what stands around the items */
    int at;        /* between which parts: enum in list.c */
    char *key;     /* of the member that is being read */
    json_t *head;  /* apiVersion, kind, metadata */
    bool has_items;
};

/**
 * Takes what has arrived.
 *
 * @return False: no JSON, no list, an item of another kind. ERROR_BAD_REQUEST, ERROR_TOO_LARGE (one
 *         item, or what stands around them).
 */
bool list_read(struct list_reader *reader, struct error *err) MUST_CHECK;

/** What a page says of its list. Borrowed from the reader. */
struct list_page {
    const char *version; /* metadata.resourceVersion */
    const char *more;    /* the token for the next page; NULL: this is the last one */
};

/** The body has ended. False: it was cut off, or is of another kind. */
bool list_end(struct list_reader *reader, struct list_page *page, struct error *err) MUST_CHECK;

void list_reader_done(struct list_reader *reader);

static inline void auto_list_reader(struct list_reader *reader)
{
    list_reader_done(reader);
}
