#include "kube/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/tree.h"

/* What comes next. */
enum at {
    AT_LIST,       /* { */
    AT_FIRST_KEY,  /* "key" or } */
    AT_KEY,        /* "key" */
    AT_COLON,      /* : */
    AT_VALUE,      /* the value of a member, or [ of the items */
    AT_NEXT_KEY,   /* , or } */
    AT_FIRST_ITEM, /* an item or ] */
    AT_ITEM,       /* an item */
    AT_NEXT_ITEM,  /* , or ] */
    AT_END         /* nothing but white space */
};

/* What one step led to. */
enum step { STEP_ON, STEP_MORE, STEP_BAD };

static json_t *parse(struct span text, struct error *err)
{
    AUTO(scan) struct scan scan = {0};

    return scan_text(&scan, text, err) ? scan_tree(&scan, 0, NULL) : NULL;
}

/* The next value as a tree. */
static enum step read_value(struct list_reader *reader, json_t **tree, size_t *length,
                            struct error *err)
{
    struct span text;
    enum frame got = frame_value(&reader->frames, &text, err);

    if (got != FRAME_READY)
        return got == FRAME_MORE ? STEP_MORE : STEP_BAD;
    *tree = parse(text, err);
    *length = text.length;
    return *tree ? STEP_ON : STEP_BAD;
}

static bool counts(struct list_reader *reader, size_t length, struct error *err)
{
    reader->around += length;
    if (reader->around <= KUBE_ENVELOPE_MAX_BYTES)
        return true;
    return error_set(err, ERROR_TOO_LARGE, "more than %u bytes around the items of a list",
                     KUBE_ENVELOPE_MAX_BYTES);
}

static enum step read_key(struct list_reader *reader, struct error *err)
{
    AUTO(json) json_t *key = NULL;
    size_t length = 0;
    enum step step = read_value(reader, &key, &length, err);

    if (step != STEP_ON)
        return step;
    if (!json_is_string(key)) {
        error_set(err, ERROR_BAD_REQUEST, "a key that is no string");
        return STEP_BAD;
    }
    if (!counts(reader, length, err))
        return STEP_BAD;
    free(reader->key);
    reader->key = text_dup(json_string_value(key), json_string_length(key));
    reader->at = AT_COLON;
    return STEP_ON;
}

/* A member beside the items. All are judged, three are kept. */
static enum step read_member(struct list_reader *reader, struct error *err)
{
    AUTO(json) json_t *value = NULL;
    size_t length = 0;
    enum step step = read_value(reader, &value, &length, err);

    if (step != STEP_ON)
        return step;
    if (!counts(reader, length, err))
        return STEP_BAD;
    if (tree_get(reader->head, reader->key)) {
        error_set(err, ERROR_BAD_REQUEST, "a list that says \"%.40s\" twice", reader->key);
        return STEP_BAD;
    }
    tree_put_new(reader->head, reader->key, TAKE(value));
    reader->at = AT_NEXT_KEY;
    return STEP_ON;
}

static enum step read_item(struct list_reader *reader, struct error *err)
{
    AUTO(json) json_t *object = NULL;
    size_t length = 0;
    enum step step = read_value(reader, &object, &length, err);

    if (step != STEP_ON)
        return step;
    if (!watched_take(reader->watched, object, true, err))
        return STEP_BAD;
    tree_push_new(reader->items, TAKE(object));
    reader->at = AT_NEXT_ITEM;
    return STEP_ON;
}

/* Looks at the next byte without taking it. */
static enum step peek(struct list_reader *reader, char *mark)
{
    struct frames *frames = &reader->frames;

    if (frame_mark(frames, mark) == FRAME_MORE)
        return STEP_MORE;
    frames->start = --frames->at;
    return STEP_ON;
}

/* One of two bytes has to come; each leads on to another place. */
static enum step read_mark(struct list_reader *reader, const char marks[2], enum at one,
                           enum at other, struct error *err)
{
    char mark;

    if (frame_mark(&reader->frames, &mark) == FRAME_MORE)
        return STEP_MORE;
    if (mark != marks[0] && mark != marks[1]) {
        error_set(err, ERROR_BAD_REQUEST, "no '%c' where a list should have it", marks[0]);
        return STEP_BAD;
    }
    reader->at = mark == marks[0] ? one : other;
    return STEP_ON;
}

/* The first key or item, unless the object or list is empty. */
static enum step read_first(struct list_reader *reader, char closing, enum at empty,
                            enum at otherwise)
{
    char mark;

    if (peek(reader, &mark) == STEP_MORE)
        return STEP_MORE;
    if (mark != closing) {
        reader->at = otherwise;
        return STEP_ON;
    }
    reader->at = empty;
    return frame_mark(&reader->frames, &mark) == FRAME_READY ? STEP_ON : STEP_MORE;
}

/* "items": null is what Go writes for a list that was never made. */
static enum step read_items(struct list_reader *reader, struct error *err)
{
    char mark;

    if (peek(reader, &mark) == STEP_MORE)
        return STEP_MORE;
    if (reader->has_items) {
        error_set(err, ERROR_BAD_REQUEST, "a list that has its items twice");
        return STEP_BAD;
    }
    if (mark == 'n')
        return read_member(reader, err);
    reader->has_items = true;
    return read_mark(reader, "[[", AT_FIRST_ITEM, AT_FIRST_ITEM, err);
}

static enum step read_step(struct list_reader *reader, struct error *err)
{
    switch ((enum at)reader->at) {
    case AT_LIST:
        return read_mark(reader, "{{", AT_FIRST_KEY, AT_FIRST_KEY, err);
    case AT_FIRST_KEY:
        return read_first(reader, '}', AT_END, AT_KEY);
    case AT_KEY:
        return read_key(reader, err);
    case AT_COLON:
        return read_mark(reader, "::", AT_VALUE, AT_VALUE, err);
    case AT_VALUE:
        return strcmp(reader->key, "items") == 0 ? read_items(reader, err)
                                                 : read_member(reader, err);
    case AT_NEXT_KEY:
        return read_mark(reader, ",}", AT_KEY, AT_END, err);
    case AT_FIRST_ITEM:
        return read_first(reader, ']', AT_NEXT_KEY, AT_ITEM);
    case AT_ITEM:
        return read_item(reader, err);
    case AT_NEXT_ITEM:
        return read_mark(reader, ",]", AT_ITEM, AT_NEXT_KEY, err);
    case AT_END:
        break;
    }
    if (frames_empty(&reader->frames))
        return STEP_MORE;
    error_set(err, ERROR_BAD_REQUEST, "something behind a list");
    return STEP_BAD;
}

bool list_read(struct list_reader *reader, struct error *err)
{
    enum step step;

    if (!reader->head)
        reader->head = json_object();
    do
        step = read_step(reader, err);
    while (step == STEP_ON);
    return step == STEP_MORE;
}

bool list_end(struct list_reader *reader, struct list_page *page, struct error *err)
{
    const json_t *metadata = tree_get(reader->head, "metadata");
    struct span version = tree_span(metadata, "resourceVersion");
    const char *kind = tree_text(reader->head, "kind"), *more = tree_text(metadata, "continue");

    if (reader->at != AT_END)
        return error_set(err, ERROR_BAD_REQUEST, "a list that was cut off");
    if (!watched_is_list(reader->watched, tree_text(reader->head, "apiVersion"), kind))
        return error_set(err, ERROR_BAD_REQUEST, "kind \"%.80s\" is no list of %s",
                         kind ? kind : "", reader->watched->resource.plural);
    if (version.length == 0 || version.length > KUBE_VERSION_MAX_CHARS ||
        memchr(version.data, '\0', version.length))
        return error_set(err, ERROR_BAD_REQUEST, "a list without a resource version");
    *page = (struct list_page){version.data, more && *more ? more : NULL};
    return true;
}

void list_reader_done(struct list_reader *reader)
{
    frames_done(&reader->frames);
    free(reader->key);
    json_decref(reader->head);
    reader->key = NULL;
    reader->head = NULL;
}
